"""The content of access tokens, and the front token that describes one to the frontend."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import attrs

from st_verify import strict_json

from ...errors import CoreReplyInvalid
from .types import PROTECTED_CLAIMS, CoreSession, TokenInfo

_PAYLOAD_LIMIT = 10_000  # bytes: base64 and the signature make a token of it that has less than 16 KiB


@attrs.frozen
class IssuedToken:
    """The content of an access token that the core has just created, from the core's reply."""

    user_id: str
    recipe_user_id: str
    tenant_id: str
    session_handle: str
    _access_token: TokenInfo

    @classmethod
    def of(cls, session: CoreSession, access_token: TokenInfo) -> IssuedToken:
        """Return the content of the access token in a reply."""
        return cls(session.user_id, session.recipe_user_id.value, session.tenant_id, session.handle, access_token)

    @property
    def expires_at(self) -> int:
        """Seconds since 1970."""
        return self._access_token.expiry // 1000

    def payload(self) -> dict[str, Any]:
        """All claims."""
        return claims_of(self._access_token.token)


def build_front_token(*, user_id: str, access_token_expiry: int, payload: Mapping[str, Any]) -> str:
    """
    Return the ``front-token``: standard base64 of compact JSON with sorted keys (supertokens-python,
    ``recipe/session/utils.py``). The frontends compare its text to see whether the payload changed.

    :param access_token_expiry: milliseconds since 1970.
    """
    content = {"ate": access_token_expiry, "uid": user_id, "up": dict(payload)}
    return base64.b64encode(json.dumps(content, separators=(",", ":"), sort_keys=True).encode("utf-8")).decode("ascii")


def claims_of(access_token: str) -> dict[str, Any]:
    """
    Return the claims of an access token, unverified. Those that come from the core need no verification.

    :raises CoreReplyInvalid: it is no access token.
    """
    try:
        payload = access_token.split(".")[1]
        claims = strict_json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        claims = None
    if not isinstance(claims, dict):
        raise CoreReplyInvalid(path="/recipe/session", problem="accessToken is not a token")
    return claims


def session_named_in(access_token: str) -> str | None:
    """Return the session handle in an access token, unverified, or None."""
    try:
        handle = claims_of(access_token).get("sessionHandle")
    except CoreReplyInvalid:
        return None
    return handle if isinstance(handle, str) else None


def plain_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a copy of the app's part of an access token, which everyone with the token can read.

    :raises ValueError: it is too large, or not plain JSON. No verifier would accept a token with it.
    """
    try:
        text = json.dumps(dict(payload), allow_nan=False).encode("ascii")
        copy: dict[str, Any] = strict_json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"an access token payload must be plain JSON, and this one is not: {error}") from None
    if len(text) > _PAYLOAD_LIMIT:
        raise ValueError(
            f"an access token payload of {len(text)} bytes is too large for a token (at most {_PAYLOAD_LIMIT}); "
            "keep it in session_data_in_database"
        )
    return copy


def without_protected_claims(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of *payload* without the claims of the protocol."""
    return {name: value for name, value in payload.items() if name not in PROTECTED_CLAIMS}


def merged_payload(current: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the app's payload with *update* merged into it. A value of None removes a claim.

    Of the protected claims only the issuer is part of the result, and *update* does not change it.
    """
    merged = without_protected_claims(current)
    if "iss" in current:
        merged["iss"] = current["iss"]
    for name, value in without_protected_claims(update).items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged
