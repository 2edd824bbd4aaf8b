"""
Claims of a session: named values in its access token, fetched by functions of the app, and validators of them.

The claims and validators themselves are st_verify's, so that a resource server judges as we do. A ``fetch_value`` is
called with the user's id, the :class:`~st_wsgi.RecipeUserId`, the tenant's id and the current payload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from st_verify.claims import BooleanClaim, PrimitiveArrayClaim, PrimitiveClaim, SessionClaim, failed_claims
from st_verify.claims import ClaimValidator as SessionClaimValidator

from ...users import RecipeUserId

__all__ = [
    "BooleanClaim",
    "PrimitiveArrayClaim",
    "PrimitiveClaim",
    "SessionClaim",
    "SessionClaimValidator",
    "build",
    "failures",
    "fetch",
]

T = TypeVar("T")


def fetch(
    claim: SessionClaim[T],
    *,
    user_id: str,
    recipe_user_id: RecipeUserId,
    tenant_id: str,
    current_payload: Mapping[str, Any],
) -> T | None:
    """Return the current value of a claim, or None if there is none or no way to fetch it."""
    if claim.fetch_value is None:
        return None
    return claim.fetch_value(user_id, recipe_user_id, tenant_id, dict(current_payload))


def build(
    claim: SessionClaim[Any],
    *,
    user_id: str,
    recipe_user_id: RecipeUserId,
    tenant_id: str,
    current_payload: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a claim adds to a payload: nothing if it has no value."""
    value = fetch(
        claim,
        user_id=user_id,
        recipe_user_id=recipe_user_id,
        tenant_id=tenant_id,
        current_payload=current_payload,
    )
    return {} if value is None else claim.add_to_payload({}, value)


def failures(validators: Iterable[SessionClaimValidator], payload: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return the id and the reason of every validator that *payload* does not pass."""
    return tuple((error.id, dict(error.reason)) for error in failed_claims(validators, payload, tell_found=True))
