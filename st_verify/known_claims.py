"""
The claims of SuperTokens' own recipes, ready to use: `EmailVerificationClaim.is_verified()`.

Their keys are ``st-ev``, ``st-role``, ``st-perm``, ``st-t-dmns`` and ``st-mfa``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from st_verify.claims import BooleanClaim, ClaimValidation, ClaimValidator, Payload, PrimitiveArrayClaim, SessionClaim
from st_verify.errors import SettingError
from st_verify.settings import require


class EmailVerificationClaimType(BooleanClaim):
    """Whether the user's e-mail address is verified (``st-ev``)."""

    def is_verified(
        self, refetch_time_on_false_in_seconds: float = 10, max_age_in_seconds: float | None = None
    ) -> ClaimValidator:
        """
        Require a verified address.

        :param refetch_time_on_false_in_seconds: a host fetches a false value anew when it is older than this.
        :param max_age_in_seconds: a value that is older than this counts as expired.
        """
        return self.has_value(True, max_age_in_seconds, refetch_after=refetch_time_on_false_in_seconds)


class OneOf(TypedDict):
    """At least one of these factors."""

    #: Factor ids.
    oneOf: list[str]


class AllOfInAnyOrder(TypedDict):
    """All of these factors."""

    #: Factor ids.
    allOfInAnyOrder: list[str]


#: One step of a requirement list: a factor id, or a choice.
Requirement = str | OneOf | AllOfInAnyOrder
# By the kind of a step: how many of its factors it needs, and what to say if they are missing.
_STEPS: Mapping[str, tuple[Callable[[Iterable[bool]], bool], str]] = {
    "factorId": (all, "Factor validation failed: {} not completed"),
    "oneOf": (any, "None of these factors are complete in the session: {}"),
    "allOfInAnyOrder": (all, "Some of the factors are not complete in the session: {}"),
}
_Step = tuple[str, list[str]]


@dataclass(frozen=True, slots=True)
class MFAClaimValue:
    """The value of ``st-mfa``."""

    #: Completed factors, with the time of completion in seconds since the epoch.
    c: Mapping[str, float]
    #: Whether the sign-in is complete.
    v: bool


class MultiFactorAuthClaimType(SessionClaim[MFAClaimValue]):
    """Completed factors (``st-mfa``), stored as ``{"c": {factor: seconds}, "v": bool}`` without a fetch time."""

    def get_value_from_payload(self, payload: Payload) -> MFAClaimValue | None:
        """Return the value; None if any part of it is malformed."""
        completed, complete = self._stored(payload, "c"), self._stored(payload, "v")
        if not isinstance(completed, Mapping) or not isinstance(complete, bool):
            return None
        if not all(type(at) in (int, float) and at >= 0 for at in completed.values()):
            return None
        return MFAClaimValue(c=completed, v=complete)

    def add_to_payload(self, payload: Payload, value: MFAClaimValue) -> dict[str, Any]:
        """Return a copy of the payload with these factors beside those that it has."""
        before = self.get_value_from_payload(payload)
        return {**payload, self.key: {"c": {**(before.c if before else {}), **value.c}, "v": value.v}}

    def has_completed_mfa_requirements_for_auth(self, claim_key: str | None = None) -> ClaimValidator:
        """Require that the auth server calls the sign-in complete."""
        return _FactorValidator(claim_key, self, None)

    def has_completed_requirement_list(
        self, requirement_list: Sequence[Requirement], claim_key: str | None = None
    ) -> ClaimValidator:
        """
        Require every step of a list, for example ``["emailpassword", {"oneOf": ["totp", "otp-email"]}]``.

        An empty list requires only that there is a well-formed claim.

        :raises SettingError: a step is neither a factor id nor a choice.
        """
        require(not isinstance(requirement_list, str), "requirement_list: pass a list, not a single str")
        return _FactorValidator(claim_key, self, [_step(requirement) for requirement in requirement_list])


class _FactorValidator(ClaimValidator):
    """Checks steps of factors; without steps, whether the sign-in is complete."""

    def __init__(self, id_: str | None, about: MultiFactorAuthClaimType, steps: list[_Step] | None) -> None:
        super().__init__(about.key if id_ is None else id_, about)
        self.about, self.steps = about, steps

    def validate(self, payload: Payload) -> ClaimValidation:
        value = self.about.get_value_from_payload(payload)
        if value is None:
            return ClaimValidation.failed("value does not exist", {})
        if self.steps is None and not value.v:
            return ClaimValidation.failed("MFA requirement for auth is not satisfied", {})
        for kind, factors in self.steps or ():
            are_enough, message = _STEPS[kind]
            if not are_enough(factor in value.c for factor in factors):
                # The whole list and not the missing part, since the completed factors are data of the user.
                expected = {kind: factors[0] if kind == "factorId" else factors}
                missing = [factor for factor in factors if factor not in value.c]
                actual = {"missing": missing} if kind == "allOfInAnyOrder" else {}
                return ClaimValidation.failed(message.format(", ".join(factors)), expected, **actual)
        return ClaimValidation.passed()


def _step(requirement: Requirement) -> _Step:
    if isinstance(requirement, str):
        return "factorId", [requirement]
    if isinstance(requirement, Mapping) and len(requirement) == 1:
        for kind in ("oneOf", "allOfInAnyOrder"):
            factors = requirement.get(kind)
            if isinstance(factors, list) and all(isinstance(factor, str) for factor in factors):
                return kind, factors
    raise SettingError('requirement_list: a step is a factor id, {"oneOf": [...]} or {"allOfInAnyOrder": [...]}')


EmailVerificationClaim: EmailVerificationClaimType = EmailVerificationClaimType("st-ev")
UserRoleClaim: PrimitiveArrayClaim = PrimitiveArrayClaim("st-role")
PermissionClaim: PrimitiveArrayClaim = PrimitiveArrayClaim("st-perm")
AllowedDomainsClaim: PrimitiveArrayClaim = PrimitiveArrayClaim("st-t-dmns")
MultiFactorAuthClaim: MultiFactorAuthClaimType = MultiFactorAuthClaimType("st-mfa")
