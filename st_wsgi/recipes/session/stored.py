"""
What can be done with sessions that the core has, by their handle: interface and default implementation.

It needs no token of the session, so that a back office or a background job can use it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import attrs

from ...codec import present
from ...recipe_kit.recipe import Functions
from ...users import RecipeUserId
from .claim_types import SessionClaim, SessionClaimValidator, failures, wants_refetch
from .settings import SessionSettings
from .tokens import merged_payload, plain_payload
from .types import (
    CheckedSession,
    ClaimsValidationResult,
    ClaimValueOk,
    NoSession,
    SessionDoesNotExist,
    SessionInformation,
)

R = TypeVar("R")
T = TypeVar("T")


class StoredSessions(Functions[SessionSettings]):
    """The functions of the session recipe that take handles."""

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
            access_token_payload=_payload_of(information),
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
            _payload_of(information),
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

    def _removed(self, body: dict[str, Any], *, tenant_id: str | None, user_id: str | None) -> list[str]:
        reply = self.core.post("/recipe/session/remove", body, tenant_id=tenant_id)
        handles = reply.ok(list[str], "sessionHandlesRevoked")
        for handle in handles:
            self.context.record("session_ended", session_handle=handle, tenant_id=tenant_id, user_id=user_id)
        return handles


def _payload_of(information: SessionInformation) -> dict[str, Any]:
    """Return what claims are fetched with: those that the core stores, and which session it is."""
    return {**information.custom_claims_in_access_token_payload, "sessionHandle": information.session_handle}


def _or_none(result: R | NoSession) -> R | None:
    return None if isinstance(result, NoSession) else result
