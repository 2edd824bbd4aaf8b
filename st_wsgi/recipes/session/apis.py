"""The APIs behind the session routes: interface and default implementation."""

from __future__ import annotations

import attrs

from ...request.context import RequestContext
from .base import SessionRecipe
from .container import SessionContainer
from .functions import SessionFunctions
from .in_request import refresh_session


@attrs.frozen
class SignOutOk:
    """The session has ended, and the frontend forgets it."""

    status = "OK"


class SessionAPIs:
    """The APIs of the session recipe. An override may be None, which switches the route off."""

    def __init__(self, recipe: SessionRecipe[SessionFunctions, SessionAPIs]) -> None:
        self.recipe = recipe

    def refresh_post(self, *, context: RequestContext) -> SessionContainer:
        """
        Refresh the session of the request.

        :raises Unauthorised: there is none.
        :raises TokenTheftDetected: the refresh token was used after its child had been.
        """
        return refresh_session(self.recipe, context)

    def sign_out_post(self, *, context: RequestContext, session: SessionContainer) -> SignOutOk:
        """End the session of the request."""
        session.revoke_session()
        return SignOutOk()
