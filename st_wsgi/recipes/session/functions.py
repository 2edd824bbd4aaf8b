"""
What can be done with sessions: interface and default implementation.

CDI 5.0 to 5.6, ``/recipe/session`` and below. Every method can be overridden.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from st_verify.errors import Refused
from st_verify.headers import check_anti_csrf_token
from st_verify.token import AccessToken

from ...codec import present
from ...errors import CoreError, TokenTheftDetected, TryRefreshToken, Unauthorised
from ...users import PUBLIC_TENANT, RecipeUserId
from .container import SessionContainer
from .lifetime import limit_lifetime
from .stored import StoredSessions
from .tokens import IssuedToken, plain_payload, without_protected_claims
from .types import CheckedSession, IssuedSession, NoSession, OldToken, StolenSession
from .verification import session_error

_log = logging.getLogger("st_wsgi.session")


class SessionFunctions(StoredSessions):
    """The functions of the session recipe: those that take or make tokens, and those that take handles."""

    def create_new_session(
        self,
        *,
        user_id: str,
        recipe_user_id: RecipeUserId,
        tenant_id: str = PUBLIC_TENANT,
        access_token_payload: Mapping[str, Any] | None = None,
        session_data_in_database: Mapping[str, Any] | None = None,
        disable_anti_csrf: bool = False,
    ) -> SessionContainer:
        """
        Create a session in the core.

        :param user_id: of the user, for overrides. The core finds it by *recipe_user_id* itself.
        :param access_token_payload: the app's claims. Protected names in it are left out.
        :param session_data_in_database: data of the app that stay in the core.
        :param disable_anti_csrf: create no anti-CSRF token, even if the mode is ``VIA_TOKEN``.
        :raises ValueError: the payload is too large for a token, or not plain JSON.
        :raises CoreError: the core did not create it.
        """
        config = self.recipe
        payload = without_protected_claims(access_token_payload or {}) | {"iss": self.recipe.issuer}
        body = {
            "userId": recipe_user_id.value,
            "userDataInJWT": plain_payload(payload),
            "userDataInDatabase": dict(session_data_in_database or {}),
            "useDynamicSigningKey": config.use_dynamic_access_token_signing_key,
            "enableAntiCsrf": not disable_anti_csrf and config.anti_csrf == "VIA_TOKEN",
        }
        session = self._issued(self.core.post("/recipe/session", body, tenant_id=tenant_id).into(IssuedSession))
        if config.max_sessions_per_user is not None:
            self._end_oldest_sessions(session, most=config.max_sessions_per_user)
        return session

    def get_session(
        self,
        *,
        access_token: str | None,
        anti_csrf_token: str | None = None,
        anti_csrf_check: bool = True,
        session_required: bool = True,
        check_database: bool = False,
    ) -> SessionContainer | None:
        """
        Verify an access token.

        :param anti_csrf_check: require *anti_csrf_token* to be that of the token, if the mode is ``VIA_TOKEN``.
        :param session_required: False returns None if there is no session token.
        :param check_database: ask the core whether the session still exists.
        :raises Unauthorised: there is no session token, or it is not accepted here.
        :raises TryRefreshToken: the token must be renewed.
        :raises CoreUnavailable: the core is needed and cannot be reached.
        """
        if access_token is None or (not session_required and not self.recipe.verification.has_form(access_token)):
            if session_required:
                raise Unauthorised("there is no session token in the request", clear_tokens=False)
            return None
        anti_csrf = anti_csrf_check and self.recipe.anti_csrf == "VIA_TOKEN"
        try:
            token = self.recipe.verification.authenticate(access_token)
            if anti_csrf:
                check_anti_csrf_token(token, anti_csrf_token)
        except Refused as refusal:
            raise session_error(refusal) from None
        check_database = check_database or self.recipe.check_database
        # Up to CDI 5.5, a refresh only counts when its access token is first shown to the core.
        if check_database or token.parent_refresh_token_hash_1 is not None:
            session = self._checked(token, access_token, anti_csrf_token, anti_csrf, check_database)
        else:
            session = SessionContainer(owner=self, content=token, access_token=access_token)
        limit_lifetime(session, self.recipe)
        return session

    def refresh_session(
        self, *, refresh_token: str, anti_csrf_token: str | None = None, disable_anti_csrf: bool = False
    ) -> SessionContainer:
        """
        Exchange a refresh token for new tokens.

        :raises Unauthorised: it is not the token of a session that exists.
        :raises TokenTheftDetected: it is an old token of the session. Up to CDI 5.5 a token is old when a token that it
            was exchanged for has been used, from 5.6 on when a grace period is over.
        """
        config = self.recipe
        body = {
            "refreshToken": refresh_token,
            "antiCsrfToken": anti_csrf_token,
            "enableAntiCsrf": not disable_anti_csrf and config.anti_csrf == "VIA_TOKEN",
            "useDynamicSigningKey": config.use_dynamic_access_token_signing_key,
        }
        result = self.core.post("/recipe/session/refresh", present(body)).into(IssuedSession, NoSession, StolenSession)
        if isinstance(result, NoSession):
            raise Unauthorised("the refresh token is not that of a session", clear_tokens=True)
        if isinstance(result, StolenSession):
            stolen = result.session
            raise TokenTheftDetected(
                session_handle=stolen.handle, user_id=stolen.user_id, recipe_user_id=stolen.recipe_user_id.value
            )
        session = self._issued(result)
        limit_lifetime(session, config)
        return session

    def _end_oldest_sessions(self, new: SessionContainer, *, most: int) -> None:
        """End the sessions of a user that were created first, so that *most* are left with the new one."""
        functions = self.functions
        try:
            handles = functions.get_all_session_handles_for_user(user_id=new.get_user_id())
            surplus = len(handles) - most
            if surplus <= 0:
                return
            others = [
                functions.get_session_information(session_handle=handle)
                for handle in handles
                if handle != new.get_handle()
            ]
            by_age = sorted((one for one in others if one is not None), key=lambda one: one.time_created)
            functions.revoke_multiple_sessions(session_handles=[one.session_handle for one in by_age[:surplus]])
        except CoreError as error:  # the new session exists, so its tokens must reach the user
            _log.error("older sessions of a user were not ended, the next sign-in tries again: %s", error)

    def _issued(self, issued: IssuedSession) -> SessionContainer:
        return SessionContainer(
            owner=self,
            content=IssuedToken.of(issued.session, issued.access_token),
            access_token=issued.access_token.token,
            issued=issued.access_token,
            refresh_token=issued.refresh_token,
            anti_csrf_token=issued.anti_csrf_token,
        )

    def _checked(
        self,
        token: AccessToken,
        access_token: str,
        anti_csrf_token: str | None,
        anti_csrf: bool,
        check_database: bool,
    ) -> SessionContainer:
        """Ask the core about a token that was verified. The core may renew it."""
        body = {
            "accessToken": access_token,
            "antiCsrfToken": anti_csrf_token,
            "doAntiCsrfCheck": anti_csrf,
            "enableAntiCsrf": self.recipe.anti_csrf == "VIA_TOKEN",
            "checkDatabase": check_database,
        }
        checked = self.core.post("/recipe/session/verify", present(body)).into(CheckedSession, NoSession, OldToken)
        if isinstance(checked, NoSession):
            # From CDI 5.6 on this is also the reply when another tab has refreshed at the same time. The browser may
            # have the tokens of that tab by now. So they stay, and a refresh shows whether the session has ended.
            raise Unauthorised("the session has ended", clear_tokens=not self.core.speaks("5.6"))
        if isinstance(checked, OldToken):
            raise TryRefreshToken("the core requires a refresh")
        renewed = checked.access_token
        if renewed is None:
            return SessionContainer(owner=self, content=token, access_token=access_token)
        return SessionContainer(
            owner=self,
            content=IssuedToken.of(checked.session, renewed),
            access_token=renewed.token,
            issued=renewed,
        )
