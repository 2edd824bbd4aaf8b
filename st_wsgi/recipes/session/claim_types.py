"""
Claims of a session: named values in its access token, which functions of the app fetch, and validators of them.

The classes are those of st_verify, so that a resource server validates claims in the same way. A ``fetch_value`` is
called with the user's id, the :class:`~st_wsgi.RecipeUserId`, the tenant's id and the current payload.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from st_verify.claims import (
    BooleanClaim,
    ClaimValidation,
    ClaimValidator as SessionClaimValidator,
    PrimitiveArrayClaim,
    PrimitiveClaim,
    SessionClaim,
    failed_claims,
    wants_refetch,
)
from st_verify.known_claims import (
    AllOfInAnyOrder,
    EmailVerificationClaimType,
    MFAClaimValue,
    MultiFactorAuthClaimType,
    OneOf,
    Requirement,
)

__all__ = [
    "AllOfInAnyOrder",
    "BooleanClaim",
    "ClaimValidation",
    "EmailVerificationClaimType",
    "MFAClaimValue",
    "MultiFactorAuthClaimType",
    "OneOf",
    "PrimitiveArrayClaim",
    "PrimitiveClaim",
    "Requirement",
    "SessionClaim",
    "SessionClaimValidator",
    "failures",
    "wants_refetch",
]


def failures(
    validators: Iterable[SessionClaimValidator],
    payload: Mapping[str, Any],
    *,
    unclear: Collection[SessionClaimValidator] = (),
) -> tuple[tuple[str, Any], ...]:
    """
    Return the id and the reason of every validator that *payload* does not pass.

    :param unclear: validators that raised an error. They fail.
    """
    errors = failed_claims(validators, payload, include_actual=True, broken=unclear)
    return tuple((error.id, dict(error.reason)) for error in errors)
