"""One session: what :func:`get_session` and :func:`create_new_session` return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from st_verify.token import SECRET_CLAIMS, AccessToken

from ...core_client.transport import copy_json
from ...errors import InvalidClaims, Unauthorised
from ...request import current
from ...request.context import RequestContext
from ...users import RecipeUserId
from .claim_types import SessionClaim, SessionClaimValidator
from .stored import StoredSessions
from .tokens import IssuedToken, build_front_token, claims_of, merged_payload
from .types import PROTECTED_CLAIMS, SessionInformation, SessionTokens, TokenInfo, TransferMethod

SESSION_KEY = "st_wsgi.session"
"""
The key of the environ for the session that was verified or created last.

It may belong to another instance, or to an earlier request with the same environ. Check
:meth:`SessionContainer.is_attached_to`.
"""

T = TypeVar("T")


class SessionContainer:
    """
    One session of one user.

    ::

        @app.post("/day-shift")
        def day_shift():
            session = get_session(request)
            session.merge_into_access_token_payload({"shift": "day"})
            return session.get_access_token_payload()["shift"]

    When the session came from a request, its changes are sent with the response to that request.

    :param owner: the functions that it came from.
    :param content: of an access token that was verified, or that the core has just created.
    :param issued: the access token, if the frontend does not have it yet.
    """

    # Most requests only read a session. Defaults of the class cost them nothing.
    _issued: TokenInfo | None = None
    _refresh_token: TokenInfo | None = None
    _anti_csrf_token: str | None = None
    _claims: dict[str, Any] | None = None
    _attached: tuple[RequestContext, TransferMethod] | None = None

    def __init__(
        self,
        *,
        owner: StoredSessions,
        content: AccessToken | IssuedToken,
        access_token: str,
        issued: TokenInfo | None = None,
        refresh_token: TokenInfo | None = None,
        anti_csrf_token: str | None = None,
    ) -> None:
        self._owner = owner
        self._content = content
        self._access_token = access_token
        if issued is not None:
            self._issued = issued
            self._refresh_token = refresh_token
            self._anti_csrf_token = anti_csrf_token

    def __repr__(self) -> str:
        return f"<SessionContainer {self.get_handle()} of {self.get_user_id()}>"

    def get_user_id(self) -> str:
        """Return the id of the user: the primary one, when accounts are linked."""
        return self._content.user_id

    def get_recipe_user_id(self) -> RecipeUserId:
        """Return the id of the login method with which the session began."""
        return RecipeUserId(self._content.recipe_user_id)

    def get_tenant_id(self) -> str:
        """Return the id of the tenant in which the user signed in."""
        return self._content.tenant_id

    def get_handle(self) -> str:
        """Return the id of the session, which a refresh does not change."""
        return self._content.session_handle

    def get_access_token(self) -> str:
        """Return the newest access token."""
        return self._access_token

    def get_access_token_payload(self) -> dict[str, Any]:
        """Return a copy of the claims of the access token, without those that are secrets of the protocol."""
        return {name: copy_json(value) for name, value in self._payload.items() if name not in SECRET_CLAIMS}

    def get_all_session_tokens_dangerously(self) -> SessionTokens:
        """Return the tokens themselves, for apps that send them to the frontend on their own."""
        return SessionTokens(
            access_token=self._access_token,
            front_token=self._front_token(),
            refresh_token=None if self._refresh_token is None else self._refresh_token.token,
            anti_csrf_token=self._anti_csrf_token or self._payload.get("antiCsrfToken"),
            access_and_front_token_updated=self._issued is not None,
        )

    def revoke_session(self) -> None:
        """
        End the session in the core, and have the frontend of this request forget it.

        A frontend that gets another session with the same response keeps that one.
        """
        self._owner.functions.revoke_session(session_handle=self.get_handle())
        if self._attached is not None and not self._is_replaced():
            # Even if the core knew no such session: the frontend must not keep the tokens.
            context, method = self._attached
            self._owner.recipe.transfer.clear(context, (method,))

    def get_session_data_from_database(self) -> dict[str, Any]:
        """
        Return the data of the app that the core keeps with the session.

        :raises Unauthorised: the session has ended.
        """
        return self._information().session_data_in_database

    def update_session_data_in_database(self, new_session_data: Mapping[str, Any]) -> None:
        """
        Replace the data of the app that the core keeps with the session.

        :raises Unauthorised: the session has ended.
        """
        updated = self._owner.functions.update_session_data_in_database(
            session_handle=self.get_handle(), new_session_data=new_session_data
        )
        if not updated:
            raise Unauthorised("the session does not exist any more")

    def get_time_created(self) -> int:
        """
        Return when the session began, in milliseconds since 1970.

        :raises Unauthorised: the session has ended.
        """
        return self._information().time_created

    def get_stored_claims(self) -> dict[str, Any]:
        """
        Return the app's claims as the core has them. They may be newer than those in the access token.

        :raises Unauthorised: the session has ended.
        """
        return self._information().custom_claims_in_access_token_payload

    def get_expiry(self) -> int:
        """
        Return when the refresh token expires, in milliseconds since 1970.

        :raises Unauthorised: the session has ended.
        """
        return self._information().expiry

    def merge_into_access_token_payload(self, access_token_payload_update: Mapping[str, Any]) -> None:
        """
        Change the app's claims in the access token. A value of None removes a claim. Protected claims do not change.

        :raises Unauthorised: the session has ended.
        """
        payload = merged_payload(self._payload, access_token_payload_update)
        checked = self._owner.functions.regenerate_access_token(
            access_token=self._access_token, new_access_token_payload=payload
        )
        if checked is None:
            raise Unauthorised("the session does not exist any more")
        if checked.access_token is None:
            # The access token has expired, so the core renewed none. The next refresh brings the new payload.
            kept = {name: value for name, value in self._payload.items() if name in PROTECTED_CLAIMS}
            self._claims = kept | payload
            return
        self._take_access_token(checked.access_token)

    def assert_claims(self, claim_validators: Iterable[SessionClaimValidator]) -> None:
        """
        Validate claims. Values that are missing or too old are fetched first.

        :raises InvalidClaims: with every claim that does not pass.
        :raises Unauthorised: the session has ended.
        """
        validators = tuple(claim_validators)
        if not validators:
            return
        result = self._owner.functions.validate_claims(
            user_id=self.get_user_id(),
            recipe_user_id=self.get_recipe_user_id(),
            tenant_id=self.get_tenant_id(),
            access_token_payload=self.get_access_token_payload(),
            claim_validators=validators,
        )
        if result.access_token_payload_update is not None:
            self.merge_into_access_token_payload(result.access_token_payload_update)
        if result.invalid_claims:
            raise InvalidClaims(result.invalid_claims)

    def fetch_and_set_claim(self, claim: SessionClaim[Any]) -> None:
        """
        Fetch the value of a claim and put it into the access token.

        :raises Unauthorised: the session has ended.
        """
        self.merge_into_access_token_payload(
            claim.build(
                self.get_user_id(),
                self.get_recipe_user_id(),
                self.get_tenant_id(),
                self.get_access_token_payload(),
            )
        )

    def set_claim_value(self, claim: SessionClaim[T], value: T) -> None:
        """
        Put a value of a claim into the access token.

        :raises Unauthorised: the session has ended.
        """
        self.merge_into_access_token_payload(claim.add_to_payload({}, value))

    def get_claim_value(self, claim: SessionClaim[T]) -> T | None:
        """Return a copy of the value of a claim in the access token, or None."""
        return claim.get_value_from_payload(self.get_access_token_payload())

    def remove_claim(self, claim: SessionClaim[Any]) -> None:
        """
        Remove a claim from the access token.

        :raises Unauthorised: the session has ended.
        """
        self.merge_into_access_token_payload({claim.key: None})

    def attach_to_request_response(self, request: Any, transfer_method: TransferMethod) -> None:
        """
        Send the new tokens of the session to the frontend, now and whenever they change in this request.

        :param request: a request of any framework, its WSGI environ, or its context.
        :param transfer_method: ``cookie`` or ``header``.
        """
        context = request if isinstance(request, RequestContext) else current.context_of(request)
        self._attached = context, transfer_method
        if self._issued is None:
            return
        transfer = self._owner.recipe.transfer
        self._send_access_token()
        if self._refresh_token is not None:
            refresh = self._refresh_token
            transfer.attach_refresh_token(context, transfer_method, token=refresh.token, expiry=refresh.expiry)
        if self._anti_csrf_token is not None:
            transfer.attach_anti_csrf_token(context, self._anti_csrf_token)

    def is_attached_to(self, context: RequestContext) -> bool:
        """Return whether changes of the session are sent with the response to this request."""
        return self._attached is not None and self._attached[0] is context

    def _is_replaced(self) -> bool:
        """Return whether the frontend gets the tokens of another session with this response."""
        context = None if self._attached is None else self._attached[0]
        if context is None or context.environ is None:
            return False
        newest = context.environ.get(SESSION_KEY)
        if not isinstance(newest, SessionContainer) or not newest.is_attached_to(context):
            return False
        return newest.get_handle() != self.get_handle()

    @property
    def _payload(self) -> dict[str, Any]:
        """All claims. They are parsed when they are first needed, since many requests only read the user's id."""
        if self._claims is None:
            self._claims = self._content.payload()
        return self._claims

    def _information(self) -> SessionInformation:
        information = self._owner.functions.get_session_information(session_handle=self.get_handle())
        if information is None:
            raise Unauthorised("the session does not exist any more")
        return information

    def _take_access_token(self, access_token: TokenInfo) -> None:
        self._claims = claims_of(access_token.token)
        self._access_token = access_token.token
        self._issued = access_token
        if self._attached is not None:
            self._send_access_token()

    def _send_access_token(self) -> None:
        if self._attached is not None:
            context, method = self._attached
            self._owner.recipe.transfer.attach_access_token(
                context, method, token=self._access_token, front_token=self._front_token()
            )

    def _front_token(self) -> str:
        expiry = self._content.expires_at * 1000 if self._issued is None else self._issued.expiry
        return build_front_token(user_id=self.get_user_id(), access_token_expiry=expiry, payload=self._payload)
