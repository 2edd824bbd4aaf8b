"""Django REST framework: ``request.user`` from the session, beside :mod:`st_wsgi.bridges.django`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.authentication import BaseAuthentication  # type: ignore[import-untyped]  # it has no types

from st_wsgi.recipes.session import current_session_or_none

from .django import user_of

if TYPE_CHECKING:  # as in bridges.django
    _Authentication = object
else:
    _Authentication = BaseAuthentication


class SuperTokensAuthentication(_Authentication):
    """
    An entry of ``DEFAULT_AUTHENTICATION_CLASSES``. ``request.auth`` is the session.

    The anti-CSRF protection is that of the session recipe, so that clients need no CSRF token of Django's.
    """

    def authenticate(self, request: Any) -> tuple[Any, Any] | None:
        """Return the user and the session of a request, None for visitors."""
        user = user_of(request._request)
        return (user, current_session_or_none(request._request)) if user.is_authenticated else None

    def authenticate_header(self, request: Any) -> str:
        """Return what makes the response to visitors a 401, as our frontends expect it."""
        return "Bearer"
