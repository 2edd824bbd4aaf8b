"""
What can be done with sessions: interface and default implementation.

CDI 5.0 to 5.6, ``/recipe/session`` and below. Every method can be overridden.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import attrs

from st_verify.csrf import check_anti_csrf_token
from st_verify.errors import Refused
from st_verify.token import AccessToken

from ...core_client.querier import present
from ...errors import CoreError, TokenTheftDetected, TryRefreshToken, Unauthorised
from ...recipe_kit.recipe import Functions
from ...users import PUBLIC_TENANT, RecipeUserId
from .claim_types import SessionClaim, SessionClaimValidator, failures, wants_refetch
from .container import SessionContainer
from .lifetime import limit_lifetime
from .settings import SessionSettings
from .tokens import IssuedToken, merged_payload, plain_payload, without_protected_claims
from .types import (
    CheckedSession,
    ClaimsValidationResult,
    ClaimValueOk,
    IssuedSession,
    NoSession,
    OldToken,
    SessionDoesNotExist,
    SessionInformation,
    StolenSession,
)
from .verification import session_error

_log = logging.getLogger("st_wsgi.session")

R = TypeVar("R")
T = TypeVar("T")


class SessionFunctions(Functions[SessionSettings]):
    """The functions of the session recipe."""

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

    def get_session_information(self, *, session_handle: str) -> SessionInformation | None:
        """Return a session as the core has it, or None if there is no such session."""
        reply = self.core.get("/recipe/session", {"sessionHandle": session_handle})
        return _or_none(reply.into(SessionInformation, NoSession))

    def revoke_session(self, *, session_handle: str) -> bool:
        """End a session; return whether there was one."""
        revoked = self.functions.revoke_multiple_sessions(session_handles=[session_handle])
        return len(revoked) == 1

    def revoke_multiple_sessions(self, *, session_handles: list[str]) -> list[str]:
        """End sessions; return the handles of those that existed."""
        return self._removed({"sessionHandles": session_handles}, tenant_id=None, user_id=None)

    def revoke_all_sessions_for_user(
        self, *, user_id: str, revoke_sessions_for_linked_accounts: bool = True, tenant_id: str | None = None
    ) -> list[str]:
        """
        End all sessions of a user; return their handles.

        :param tenant_id: leaves out the sessions of other tenants; None for those of all tenants.
        """
        body = {
            "userId": user_id,
            "revokeSessionsForLinkedAccounts": revoke_sessions_for_linked_accounts,
            "revokeAcrossAllTenants": tenant_id is None,
        }
        return self._removed(body, tenant_id=tenant_id, user_id=user_id)

    def get_all_session_handles_for_user(
        self, *, user_id: str, fetch_sessions_for_all_linked_accounts: bool = True, tenant_id: str | None = None
    ) -> list[str]:
        """
        Return the handles of a user's sessions that have not ended.

        :param tenant_id: leaves out the sessions of other tenants; None for those of all tenants.
        """
        params: dict[str, str | bool] = {
            "userId": user_id,
            "fetchSessionsForAllLinkedAccounts": fetch_sessions_for_all_linked_accounts,
            "fetchAcrossAllTenants": tenant_id is None,
        }
        return self.core.get("/recipe/session/user", params, tenant_id=tenant_id).ok(list[str], "sessionHandles")

    def update_session_data_in_database(self, *, session_handle: str, new_session_data: Mapping[str, Any]) -> bool:
        """Replace the data of the app that the core keeps with a session; return whether there is such a session."""
        body = {"sessionHandle": session_handle, "userDataInDatabase": dict(new_session_data)}
        return self.core.put("/recipe/session/data", body).is_ok(NoSession.status)

    def merge_into_access_token_payload(
        self, *, session_handle: str, access_token_payload_update: Mapping[str, Any]
    ) -> bool:
        """
        Change the app's claims in the next access tokens of a session. A value of None removes a claim.

        Protected claims do not change.

        :returns: whether there is such a session.
        """
        information = self.functions.get_session_information(session_handle=session_handle)
        if information is None:
            return False
        payload = merged_payload(information.custom_claims_in_access_token_payload, access_token_payload_update)
        body = {"sessionHandle": session_handle, "userDataInJWT": plain_payload(payload)}
        return self.core.put("/recipe/jwt/data", body).is_ok(NoSession.status)

    def regenerate_access_token(
        self, *, access_token: str, new_access_token_payload: Mapping[str, Any] | None = None
    ) -> CheckedSession | None:
        """
        Exchange an access token for one with another payload, or with the payload that the core has stored.

        :returns: None if there is no such session. Without an access token if the old one has expired.
        """
        payload = None if new_access_token_payload is None else plain_payload(new_access_token_payload)
        body = present({"accessToken": access_token, "userDataInJWT": payload})
        return _or_none(self.core.post("/recipe/session/regenerate", body).into(CheckedSession, NoSession))

    def get_global_claim_validators(
        self,
        *,
        tenant_id: str,
        user_id: str,
        recipe_user_id: RecipeUserId,
        claim_validators_added_by_other_recipes: list[SessionClaimValidator],
    ) -> list[SessionClaimValidator]:
        """Return the validators that every session must pass. An override may add or remove some."""
        return claim_validators_added_by_other_recipes

    def validate_claims(
        self,
        *,
        user_id: str,
        recipe_user_id: RecipeUserId,
        tenant_id: str,
        access_token_payload: dict[str, Any],
        claim_validators: Iterable[SessionClaimValidator],
    ) -> ClaimsValidationResult:
        """
        Validate claims. Values that are missing or too old are fetched first.

        A validator fails, without a closer reason, if it raises or does not return a result.
        """
        validators = tuple(claim_validators)
        payload = access_token_payload
        unclear = []
        for validator in validators:
            must_fetch = wants_refetch(validator, payload)
            if must_fetch is None:
                unclear.append(validator)
            elif must_fetch and validator.claim is not None:
                value = validator.claim.fetch(user_id, recipe_user_id, tenant_id, payload)
                if value is not None:
                    # Validated in the form that it has in a token: as JSON, where a tuple becomes a list.
                    payload = plain_payload(validator.claim.add_to_payload(payload, value))
        return ClaimsValidationResult(
            invalid_claims=failures(validators, payload, unclear=unclear),
            access_token_payload_update=None if payload == access_token_payload else payload,
        )

    def validate_claims_for_session_handle(
        self,
        *,
        session_handle: str,
        override_global_claim_validators: Callable[
            [list[SessionClaimValidator], SessionInformation], Iterable[SessionClaimValidator]
        ]
        | None = None,
    ) -> ClaimsValidationResult | SessionDoesNotExist:
        """Validate the claims of a session by its handle. Newly fetched values are stored with the session."""
        functions = self.functions
        information = functions.get_session_information(session_handle=session_handle)
        if information is None:
            return SessionDoesNotExist()
        validators = functions.get_global_claim_validators(
            tenant_id=information.tenant_id,
            user_id=information.user_id,
            recipe_user_id=information.recipe_user_id,
            claim_validators_added_by_other_recipes=list(self.recipe.claim_validators),
        )
        if override_global_claim_validators is not None:
            validators = list(override_global_claim_validators(validators, information))
        result = functions.validate_claims(
            user_id=information.user_id,
            recipe_user_id=information.recipe_user_id,
            tenant_id=information.tenant_id,
            access_token_payload=information.custom_claims_in_access_token_payload,
            claim_validators=validators,
        )
        update = result.access_token_payload_update
        if update is not None and not functions.merge_into_access_token_payload(
            session_handle=session_handle, access_token_payload_update=update
        ):
            return SessionDoesNotExist()
        return attrs.evolve(result, access_token_payload_update=None)

    def fetch_and_set_claim(self, *, session_handle: str, claim: SessionClaim[Any]) -> bool:
        """Fetch a claim's value and store it with a session; return whether there is such a session."""
        information = self.functions.get_session_information(session_handle=session_handle)
        if information is None:
            return False
        update = claim.build(
            information.user_id,
            information.recipe_user_id,
            information.tenant_id,
            information.custom_claims_in_access_token_payload,
        )
        return self.functions.merge_into_access_token_payload(
            session_handle=session_handle, access_token_payload_update=update
        )

    def set_claim_value(self, *, session_handle: str, claim: SessionClaim[T], value: T) -> bool:
        """Store a value of a claim with a session; return whether there is such a session."""
        return self.functions.merge_into_access_token_payload(
            session_handle=session_handle, access_token_payload_update=claim.add_to_payload({}, value)
        )

    def get_claim_value(self, *, session_handle: str, claim: SessionClaim[Any]) -> ClaimValueOk | SessionDoesNotExist:
        """Return the value of a claim that is stored with a session."""
        information = self.functions.get_session_information(session_handle=session_handle)
        if information is None:
            return SessionDoesNotExist()
        return ClaimValueOk(claim.get_value_from_payload(information.custom_claims_in_access_token_payload))

    def remove_claim(self, *, session_handle: str, claim: SessionClaim[Any]) -> bool:
        """Remove a claim from a session; return whether there is such a session."""
        return self.functions.merge_into_access_token_payload(
            session_handle=session_handle, access_token_payload_update={claim.key: None}
        )

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

    def _removed(self, body: dict[str, Any], *, tenant_id: str | None, user_id: str | None) -> list[str]:
        reply = self.core.post("/recipe/session/remove", body, tenant_id=tenant_id)
        handles = reply.ok(list[str], "sessionHandlesRevoked")
        for handle in handles:
            self.context.record("session_ended", session_handle=handle, tenant_id=tenant_id, user_id=user_id)
        return handles


def _or_none(result: R | NoSession) -> R | None:
    return None if isinstance(result, NoSession) else result
