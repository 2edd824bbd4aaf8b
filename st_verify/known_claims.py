"""
The claims that SuperTokens' own recipes write, ready for use: `EmailVerificationClaim.is_verified()`.

Keys are the recipes': ``st-ev``, ``st-role``, ``st-perm``, ``st-t-dmns``, ``st-mfa``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from st_verify.claims import (
    BooleanClaim,
    ClaimValidation,
    ClaimValidator,
    Payload,
    PrimitiveArrayClaim,
    SessionClaim,
)


class EmailVerificationClaimType(BooleanClaim):
    """Whether the user's e-mail address is verified (``st-ev``)."""

    def is_verified(
        self, refetch_time_on_false_in_seconds: float = 10, max_age_in_seconds: float | None = None
    ) -> ClaimValidator:
        """
        :param refetch_time_on_false_in_seconds: a host looks again once a false value is older than this.
        """
        return self._validator(
            lambda value: value is True,
            {"expectedValue": True},
            max_age_in_seconds,
            None,
            refetch_on_failure_after=refetch_time_on_false_in_seconds,
        )


class OneOf(TypedDict):
    """At least one of these factors."""

    oneOf: list[str]


class AllOfInAnyOrder(TypedDict):
    """All of these factors."""

    allOfInAnyOrder: list[str]


#: One step of a requirement list: a factor id, or a choice.
Requirement = str | OneOf | AllOfInAnyOrder


@dataclass(frozen=True, slots=True)
class MFAClaimValue:
    """Completed factors with the time of completion in seconds, and whether the sign-in is complete."""

    c: Mapping[str, float]
    v: bool


class MultiFactorAuthClaimType(SessionClaim[MFAClaimValue]):
    """Completed factors (``st-mfa``), stored as ``{"c": {factor: seconds}, "v": bool}`` without a fetch time."""

    def get_value_from_payload(self, payload: Payload) -> MFAClaimValue | None:
        """The value; None if any part of it is malformed, so that no half of it counts."""
        stored = payload.get(self.key)
        if not isinstance(stored, Mapping):
            return None
        completed, complete = stored.get("c"), stored.get("v")
        if not isinstance(completed, Mapping) or not isinstance(complete, bool):
            return None
        if not all(type(at) in (int, float) and at >= 0 for at in completed.values()):
            return None
        return MFAClaimValue(c=completed, v=complete)

    def add_to_payload(self, payload: Payload, value: MFAClaimValue) -> dict[str, Any]:
        """A copy of the payload with these factors added to those that are there."""
        before = self.get_value_from_payload(payload)
        return {**payload, self.key: {"c": {**(before.c if before else {}), **value.c}, "v": value.v}}

    def has_completed_mfa_requirements_for_auth(self, claim_key: str | None = None) -> ClaimValidator:
        """The auth server considered the sign-in complete."""
        return _CompletedForAuth(self.key if claim_key is None else claim_key, self)

    def has_completed_requirement_list(
        self, requirement_list: Sequence[Requirement], claim_key: str | None = None
    ) -> ClaimValidator:
        """
        Every step of the list is done, for example ``["emailpassword", {"oneOf": ["totp", "otp-email"]}]``.

        Passes for an empty list as long as the claim is there and well-formed.
        :raises ValueError: a step that is neither a factor id nor a choice.
        """
        return _CompletedList(self.key if claim_key is None else claim_key, self, requirement_list)


class _CompletedForAuth(ClaimValidator):
    def __init__(self, id_: str, claim: MultiFactorAuthClaimType) -> None:
        super().__init__(id_, claim)
        self._about = claim

    def validate(self, payload: Payload) -> ClaimValidation:
        value = self._about.get_value_from_payload(payload)
        if value is None:
            return ClaimValidation.failed("value does not exist", {})
        if not value.v:
            return ClaimValidation.failed("MFA requirement for auth is not satisfied", {})
        return ClaimValidation.passed()


class _CompletedList(ClaimValidator):
    def __init__(self, id_: str, claim: MultiFactorAuthClaimType, requirements: Sequence[Requirement]) -> None:
        super().__init__(id_, claim)
        self._about = claim
        if isinstance(requirements, str):
            raise ValueError("requirement_list: give a list")
        self._steps = [_step(requirement) for requirement in requirements]

    def validate(self, payload: Payload) -> ClaimValidation:
        value = self._about.get_value_from_payload(payload)
        if value is None:
            return ClaimValidation.failed("value does not exist", {})
        for kind, factors in self._steps:
            missing = [factor for factor in factors if factor not in value.c]
            if kind == "oneOf" and len(missing) == len(factors):
                message = f"None of these factors are complete in the session: {', '.join(factors)}"
                return ClaimValidation.failed(message, {"oneOf": factors})
            if kind == "allOfInAnyOrder" and missing:
                # The whole list, not the missing part: what was completed is the user's data.
                message = f"Some of the factors are not complete in the session: {', '.join(factors)}"
                return ClaimValidation.failed(message, {"allOfInAnyOrder": factors}, missing=missing)
            if kind == "factorId" and missing:
                message = f"Factor validation failed: {factors[0]} not completed"
                return ClaimValidation.failed(message, {"factorId": factors[0]})
        return ClaimValidation.passed()


def _step(requirement: Requirement) -> tuple[str, list[str]]:
    if isinstance(requirement, str):
        return "factorId", [requirement]
    if isinstance(requirement, Mapping) and len(requirement) == 1:
        for kind in ("oneOf", "allOfInAnyOrder"):
            factors = requirement.get(kind)
            if isinstance(factors, list) and all(isinstance(factor, str) for factor in factors):
                return kind, factors
    raise ValueError('requirement_list: a step is a factor id, {"oneOf": [...]} or {"allOfInAnyOrder": [...]}')


EmailVerificationClaim: EmailVerificationClaimType = EmailVerificationClaimType("st-ev")
UserRoleClaim: PrimitiveArrayClaim = PrimitiveArrayClaim("st-role")
PermissionClaim: PrimitiveArrayClaim = PrimitiveArrayClaim("st-perm")
AllowedDomainsClaim: PrimitiveArrayClaim = PrimitiveArrayClaim("st-t-dmns")
MultiFactorAuthClaim: MultiFactorAuthClaimType = MultiFactorAuthClaimType("st-mfa")
