"""
Django: ``request.user`` from the session.

Settings, beside ``SUPERTOKENS`` and its middleware::

    MIDDLEWARE = [
        "st_wsgi.frameworks.django.SuperTokensMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "st_wsgi.bridges.django.UserMiddleware",
    ]
    AUTHENTICATION_BACKENDS = ["st_wsgi.bridges.django.SuperTokensBackend"]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings  # type: ignore[import-untyped]  # Django has no types of its own
from django.contrib.auth import authenticate, get_user_model  # type: ignore[import-untyped]
from django.contrib.auth.backends import BaseBackend, ModelBackend  # type: ignore[import-untyped]
from django.contrib.auth.hashers import make_password  # type: ignore[import-untyped]
from django.contrib.auth.middleware import AuthenticationMiddleware  # type: ignore[import-untyped]
from django.contrib.auth.models import AnonymousUser, Group  # type: ignore[import-untyped]
from django.contrib.auth.signals import user_logged_out  # type: ignore[import-untyped]
from django.core.exceptions import (  # type: ignore[import-untyped]
    ImproperlyConfigured,
    PermissionDenied,
    ValidationError,
)
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect  # type: ignore[import-untyped]
from django.middleware.csrf import CSRF_SESSION_KEY, rotate_token  # type: ignore[import-untyped]
from django.shortcuts import resolve_url  # type: ignore[import-untyped]
from django.utils.functional import SimpleLazyObject  # type: ignore[import-untyped]
from django.utils.http import url_has_allowed_host_and_scheme, urlencode  # type: ignore[import-untyped]
from django.utils.module_loading import import_string  # type: ignore[import-untyped]

from st_wsgi import get_user
from st_wsgi.recipes.session import SessionContainer, get_session, get_session_or_none

from . import end_session

if TYPE_CHECKING:  # without types of Django's, type checkers would know nothing of our classes
    _Middleware = object
    _Backend = object
else:
    _Middleware = AuthenticationMiddleware
    _Backend = ModelBackend

_OWNER = "st_wsgi.user_id"
_READ = "_st_wsgi_user_id"
_BACK = "signed-in"


class UserMiddleware(_Middleware):
    """
    Sets ``request.user``: Django's user of the session, or ``AnonymousUser``. Name it in place of Django's
    ``AuthenticationMiddleware``, below ``SuperTokensMiddleware`` and Django's ``SessionMiddleware``.

    The session is read when the user is first needed. Then the errors of ``get_session`` are raised. With the setting
    ``SUPERTOKENS_CHECK_DATABASE`` the core is asked, so that a revoked session is refused at once.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Set the user of a request."""
        request.user = SimpleLazyObject(lambda: user_of(request))

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Note whose Django's own session is, if it began or changed after the user was read."""
        owner = getattr(request, _READ, None)
        if owner is not None and request.user.is_authenticated:
            own = getattr(request, "session", None)
            # CsrfViewMiddleware writes its secret later.
            gets_secret = settings.CSRF_USE_SESSIONS and request.META.get("CSRF_COOKIE_NEEDS_UPDATE")
            if own is not None and (gets_secret or (own.modified and not own.is_empty())):
                own.setdefault(_OWNER, owner)
        return response


def user_of(request: HttpRequest) -> Any:
    """
    Return Django's user of the session of a request, or ``AnonymousUser``.

    Django's own session belongs to the user. That of a visitor who signs in gets a new key. That of another user, or of
    one who has signed out, begins anew.

    :raises TryRefreshToken: the access token must be renewed: 401.
    :raises InvalidClaims: a claim does not pass its validator: 403.
    """
    session = get_session_or_none(request, check_database=_checks_database())
    own: Any = getattr(request, "session", None)
    owner = None if own is None else own.get(_OWNER)
    if session is None:
        if owner is not None and request.method not in ("OPTIONS", "TRACE"):  # which never have a session
            own.flush()
        return AnonymousUser()
    user_id = session.get_user_id()
    if own is not None and owner != user_id and not own.is_empty():
        if CSRF_SESSION_KEY in own:
            rotate_token(request)  # an attacker may know the secret of the visitor
        if owner is None:
            own.cycle_key()  # and the key
        else:
            own.flush()
        own[_OWNER] = user_id
    user = authenticate(request, supertokens_session=session) or AnonymousUser()
    setattr(request, _READ, user_id)
    return user


def _checks_database() -> bool:
    return bool(getattr(settings, "SUPERTOKENS_CHECK_DATABASE", False))


class SuperTokensBackend(_Backend):
    """
    Finds or makes the Django user of a session. Passwords are not accepted: they are the core's.

    Settings:

    * ``SUPERTOKENS_USER_FIELD``: the field of the user model with the user id of the session; by default that of the
      username. It cannot be that of the e-mail address. With ``"pk"`` no users are made, only those that are there are
      found.
    * ``SUPERTOKENS_CREATE_USERS``: False makes no users.
    * ``SUPERTOKENS_CHECK_DATABASE``: True asks the core in every request that needs the user whether the session still
      exists. Otherwise a revoked session counts until its access token expires.
    * ``SUPERTOKENS_USER_ATTRIBUTES``: a function, or its dotted path. It takes the session and returns fields of the
      user, such as ``{"is_staff": True}``; ``groups`` are names of groups, which are made. It decides in every request.

    A new user has no password, is not staff and no superuser. Their e-mail address is set if it is verified. Only users
    whom the core knows are made: not those who have been deleted, and not those of sessions with ids of the app's own.
    """

    def authenticate(self, request: Any, supertokens_session: SessionContainer | None = None, **_other: Any) -> Any:
        """Return the user of a session, or None: there is none, or they are not active."""
        if supertokens_session is None:
            return None
        user = self.find_or_create(supertokens_session.get_user_id())
        if user is None or not getattr(user, "is_active", True):
            return None
        attributes: Any = getattr(settings, "SUPERTOKENS_USER_ATTRIBUTES", None)
        if attributes is not None:
            attributes = import_string(attributes) if isinstance(attributes, str) else attributes
            self.update(user, attributes(supertokens_session))
        return user

    # It calls authenticate. That of ModelBackend, from Django 5.2 on, checks passwords itself.
    aauthenticate: Any = getattr(BaseBackend, "aauthenticate", None)

    def find_or_create(self, user_id: str) -> Any:
        """
        Return the user with this id, or a new one.

        None is returned if there is no such user and none is made: the settings say so, the core does not know the
        user, or e-mail addresses are unique and the user has no verified one that is free.

        :raises ImproperlyConfigured: the field for the user id is that of the e-mail address.
        """
        model = get_user_model()
        field = getattr(settings, "SUPERTOKENS_USER_FIELD", model.USERNAME_FIELD)
        email = model.get_email_field_name()
        if field == email:
            raise ImproperlyConfigured(
                f"SUPERTOKENS_USER_FIELD must name a field for the user id, and not {email!r}: addresses can change"
            )
        try:
            found = model._default_manager.filter(**{field: user_id}).first()
        except (ValueError, ValidationError):  # a field of numbers
            found = None
        is_key = field in ("pk", model._meta.pk.name)
        if found is not None or is_key or not getattr(settings, "SUPERTOKENS_CREATE_USERS", True):
            return found
        known = get_user(user_id=user_id)
        if known is None:
            return None
        defaults = {"password": make_password(None)}
        if model.USERNAME_FIELD not in (field, email):
            defaults[model.USERNAME_FIELD] = user_id  # it is unique, so it cannot stay empty
        if email in {one.name for one in model._meta.get_fields()}:
            verified = [one.email for one in known.login_methods if one.verified and one.email]
            if model._meta.get_field(email).unique and (
                not verified
                or model._default_manager.filter(**{email: verified[0]}).exclude(**{field: user_id}).exists()
            ):
                return None
            if verified:
                defaults[email] = verified[0]
        # Two first requests at the same time make one user.
        return model._default_manager.get_or_create(**{field: user_id}, defaults=defaults)[0]

    def update(self, user: Any, attributes: Mapping[str, Any]) -> None:
        """Write the fields that have changed."""
        fields = {name: value for name, value in attributes.items() if name != "groups"}
        changed = [name for name, value in fields.items() if getattr(user, name) != value]
        for name in changed:
            setattr(user, name, fields[name])
        if changed:
            user.save(update_fields=changed)
        if "groups" in attributes:
            wanted = set(attributes["groups"])
            if set(user.groups.values_list("name", flat=True)) != wanted:
                user.groups.set([Group.objects.get_or_create(name=name)[0] for name in wanted])


def sign_in(request: HttpRequest) -> HttpResponse:
    """
    A view for ``LOGIN_URL`` and for the admin's ``login``: it sends users to sign in, and then on to ``?next=``.

    With :class:`~st_wsgi.pages.Pages` they come to our pages. Without, the response is the 401 of a missing session.

    :raises PermissionDenied: they are signed in already, so signing in again would not help.
    """
    target = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = resolve_url(settings.LOGIN_REDIRECT_URL)
    if _BACK in request.GET:
        get_session(request, check_database=_checks_database())
        return HttpResponseRedirect(target)
    if get_session_or_none(request, check_database=_checks_database()) is not None:
        raise PermissionDenied
    return HttpResponseRedirect(f"{request.path}?{urlencode({'next': target, _BACK: ''})}")


def _end_session(sender: object, request: HttpRequest | None = None, **_more: object) -> None:
    """End the session when Django signs a user out, such as in the admin."""
    if request is not None:
        end_session(request)


user_logged_out.connect(_end_session, dispatch_uid="st_wsgi")
