"""The APIs behind the session routes: interface and default implementation."""

from __future__ import annotations

from ...recipe_kit.recipe import APIs
from ...recipe_kit.results import GeneralError, Ok
from ...request.context import RequestContext
from .container import SessionContainer
from .functions import SessionFunctions
from .in_request import refresh_session
from .settings import SessionSettings


class SessionAPIs(APIs[SessionSettings, SessionFunctions]):
    """The APIs of the session recipe. An override may be None, which switches the route off."""

    def refresh_post(self, *, context: RequestContext) -> SessionContainer:
        """
        Refresh the session of the request.

        :raises Unauthorised: the request has no refresh token of a session.
        :raises TokenTheftDetected: it is an old refresh token of the session.
        """
        return refresh_session(context)

    def sign_out_post(self, *, context: RequestContext, session: SessionContainer) -> Ok | GeneralError:
        """End the session of the request."""
        session.revoke_session()
        return Ok()
