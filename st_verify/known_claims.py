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
from st_verify.settings import require, seconds

# A factor's time may be this many seconds in the future: the auth server's clock against ours.
_SKEW = 60


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
        return _FactorValidator(claim_key, self, (), least=0)

    def has_completed_requirement_list(
        self, requirement_list: Sequence[Requirement], claim_key: str | None = None
    ) -> ClaimValidator:
        """
        Require every step of a list, for example ``["emailpassword", {"oneOf": ["totp", "otp-email"]}]``.

        An empty list requires only that there is a well-formed claim.

        :raises SettingError: a step is neither a factor id nor a choice.
        """
        require(not isinstance(requirement_list, str), "requirement_list: pass a list, not a single str")
        return _FactorValidator(claim_key, self, requirement_list)


@dataclass(eq=False, repr=False)
class _FactorValidator(ClaimValidator):
    """Checks steps of factors. With `least`, the sign-in must be complete too, by as many factors."""

    id_: str | None
    about: MultiFactorAuthClaimType
    requirements: Sequence[Requirement]
    least: int | None = None
    max_age: float | None = None

    def __post_init__(self) -> None:
        super().__init__(self.about.key if self.id_ is None else self.id_, self.about)
        self.steps = [_step(requirement) for requirement in self.requirements]
        self.limit = {} if self.max_age is None else {"maxAgeInSeconds": seconds("max_age", self.max_age, low=1)}

    def validate(self, payload: Payload) -> ClaimValidation:
        value, now = self.about.get_value_from_payload(payload), self.about.clock()
        if value is None:
            return ClaimValidation.failed("value does not exist", {})
        age = self.max_age
        recent = {factor for factor, at in value.c.items() if age is None or now - age <= at <= now + _SKEW}
        counts = bool(recent or self.steps or age is None)
        if self.least is not None and not (value.v and len(value.c) >= self.least and counts):
            return ClaimValidation.failed("MFA requirement for auth is not satisfied", self.limit)
        for kind, factors in self.steps:
            are_enough, message = _STEPS[kind]
            if not are_enough(factor in recent for factor in factors):
                # The whole list and not the missing part, since the completed factors are data of the user.
                expected = {kind: factors[0] if kind == "factorId" else factors, **self.limit}
                missing = [factor for factor in factors if factor not in recent]
                actual = {"missing": missing} if kind == "allOfInAnyOrder" else {}
                return ClaimValidation.failed(message.format(", ".join(factors)), expected, **actual)
        return ClaimValidation.passed()


def _step(requirement: Requirement) -> tuple[str, list[str]]:
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


def requires_second_factor(*steps: Requirement, max_age: float | None = None) -> ClaimValidator:
    """
    Require a complete sign-in by at least two factors (``st-mfa``), and every step of a list.

    >>> failed_claims([requires_second_factor("totp", max_age=300)], {})
    [ClaimError(id='st-mfa', reason={'message': 'value does not exist'})]

    :param steps: as in `has_completed_requirement_list`, one by one.
    :param max_age: seconds after its completion for which a factor counts; None for the whole session. Without steps,
        the latest factor must count.
    :raises SettingError: a step is neither a factor id nor a choice, or `max_age` is no number of seconds from 1.
    """
    return _FactorValidator(None, MultiFactorAuthClaim, steps, least=2, max_age=max_age)
