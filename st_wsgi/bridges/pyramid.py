"""
Pyramid: a security policy, so that ``request.identity`` and permissions come from the session.

``config.include("st_wsgi.bridges.pyramid")`` sets it, and what :mod:`st_wsgi.frameworks.pyramid` does. The setting
``supertokens.check_database`` is that of :class:`SessionPolicy`.
"""

from __future__ import annotations

from typing import Any

from pyramid.authorization import ACLHelper, Authenticated, Everyone  # type: ignore[import-untyped]  # no types
from pyramid.config import Configurator  # type: ignore[import-untyped]
from pyramid.location import lineage  # type: ignore[import-untyped]
from pyramid.request import Request, RequestLocalCache  # type: ignore[import-untyped]
from pyramid.response import Response  # type: ignore[import-untyped]
from pyramid.security import Allowed, Denied  # type: ignore[import-untyped]
from pyramid.settings import asbool  # type: ignore[import-untyped]

from st_wsgi.errors import Answerable
from st_wsgi.frameworks.pyramid import answer_error
from st_wsgi.recipes.session import SessionContainer, get_session, get_session_or_none

from . import end_session


def includeme(config: Configurator) -> None:
    """Set the policy, unless the app sets one itself, and answer visitors who may not see a view."""
    config.include("st_wsgi.frameworks.pyramid")
    check_database = asbool(config.registry.settings.get("supertokens.check_database"))
    config.set_security_policy(SessionPolicy(check_database=check_database))
    config.add_forbidden_view(forbidden)


class SessionPolicy:
    """
    The session is the identity. Permissions are those of the roles of its user (recipe userroles).

    Where a resource has an ``__acl__``, that decides, with these principals: ``Everyone``, ``Authenticated``,
    ``user:<user id>``, ``role:<role>`` and ``permission:<permission>``.

    :param check_database: ask the core once in every request that needs the identity, so that a revoked session is
        refused at once and not when its access token expires.
    """

    def __init__(self, *, check_database: bool = False) -> None:
        self._acls = ACLHelper()
        self._sessions = RequestLocalCache(lambda request: get_session_or_none(request, check_database=check_database))

    def identity(self, request: Request) -> SessionContainer | None:
        """Return the session, or None. Errors are those of ``get_session``."""
        session: SessionContainer | None = self._sessions.get_or_create(request)
        return session

    def authenticated_userid(self, request: Request) -> str | None:
        """Return the id of the user, or None."""
        session: SessionContainer | None = request.identity
        return None if session is None else session.get_user_id()

    def permits(self, request: Request, context: Any, permission: str) -> Any:
        """Return whether the user of a request has a permission."""
        session: SessionContainer | None = request.identity
        permissions = set() if session is None else _claim(session, "st-perm")
        if any(getattr(place, "__acl__", None) is not None for place in lineage(context)):
            principals = [Everyone]
            if session is not None:
                principals += [Authenticated, f"user:{session.get_user_id()}"]
                principals += [f"role:{role}" for role in _claim(session, "st-role")]
                principals += [f"permission:{name}" for name in permissions]
            return self._acls.permits(context, principals, permission)
        if permission in permissions:
            return Allowed("a role of the user has the permission %s", permission)
        return Denied("no role of the user has the permission %s", permission)

    def remember(self, request: Request, userid: str, **kw: Any) -> list[tuple[str, str]]:
        """Return no headers: sign-ins are those of the session."""
        return []

    def forget(self, request: Request, **kw: Any) -> list[tuple[str, str]]:
        """End the session; its claims need not be satisfied. No headers are needed: it is cleared with the response."""
        end_session(request)
        self._sessions.set(request, None)
        return []


def forbidden(error: Exception, request: Request) -> Response:
    """Answer a visitor as every missing session is answered, and with 403 a user who may not do what they want."""
    try:
        get_session(request)
    except Answerable as missing:
        return answer_error(missing, request)
    return error


def _claim(session: SessionContainer, name: str) -> set[str]:
    value = session.get_access_token_payload().get(name)
    return set(value.get("v") or ()) if isinstance(value, dict) else set()
