"""Flask-Login: ``current_user`` and ``login_required`` from the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask, abort, request
from flask_login import LoginManager, UserMixin, user_logged_out  # type: ignore[import-untyped]  # it has no types

from st_wsgi.recipes.session import SessionContainer, get_session, get_session_or_none

from . import end_session

if TYPE_CHECKING:  # without types of Flask-Login's, type checkers would know nothing of our class
    _User = object
else:
    _User = UserMixin


class SessionUser(_User):
    """
    A user of whom the app knows only the session.

    :ivar id: the user id.
    :ivar session: for its claims.
    """

    id: str
    session: SessionContainer

    def __init__(self, session: SessionContainer) -> None:
        self.id = session.get_user_id()
        self.session = session

    @property
    def roles(self) -> frozenset[str]:
        """The roles in the session, if the app has the recipe userroles."""
        return frozenset((self.session.get_access_token_payload().get("st-role") or {}).get("v", ()))


def init_app(
    app: Flask,
    manager: LoginManager,
    load: Callable[[SessionContainer], Any] = SessionUser,
    *,
    check_database: bool = False,
) -> None:
    """
    Have Flask-Login take users from the session. ``login_user`` is not needed; ``logout_user`` ends the session.

    Users who are not signed in get the response of a missing session, or with :class:`~st_wsgi.pages.Pages` our pages.

    :param load: returns the user of a session, such as a row of your database, or None if there is none.
    :param check_database: ask the core in every request that needs the user, so that a revoked session is refused at
        once and not when its access token expires.
    """
    manager.init_app(app)

    @manager.request_loader  # type: ignore[untyped-decorator]  # it has no types
    def of_request(_request: object) -> Any:
        session = get_session_or_none(request, check_database=check_database)
        return None if session is None else load(session)

    @manager.unauthorized_handler  # type: ignore[untyped-decorator]  # it has no types
    def refuse() -> Any:
        get_session(request)
        abort(403)  # there is a session, but no user of the app

    user_logged_out.connect(_end_session, app)


def _end_session(_app: Flask, **_more: object) -> None:
    end_session(request)
