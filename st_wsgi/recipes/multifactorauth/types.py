"""Results and values of the multifactorauth recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from ...recipe_kit.results import Ok
from ...users import LoginMethod, User
from ..multitenancy.types import (
    EMAIL_PASSWORD,
    LINK_EMAIL,
    LINK_PHONE,
    OTP_EMAIL,
    OTP_PHONE,
    THIRD_PARTY,
    TOTP,
    WEBAUTHN,
)
from ..session.claim_types import Requirement

Requirements: TypeAlias = Sequence[Requirement]
"""Steps, one after the other: a factor, ``{"oneOf": [...]}`` or ``{"allOfInAnyOrder": [...]}``."""

Addresses: TypeAlias = Mapping[str, Sequence[str]]
"""The e-mail addresses or phone numbers that a user can use, by factor, the best one first."""


class FactorIds:
    """The factors that SuperTokens has."""

    EMAILPASSWORD: Final = EMAIL_PASSWORD
    OTP_EMAIL: Final = OTP_EMAIL
    OTP_PHONE: Final = OTP_PHONE
    LINK_EMAIL: Final = LINK_EMAIL
    LINK_PHONE: Final = LINK_PHONE
    THIRDPARTY: Final = THIRD_PARTY
    TOTP: Final = TOTP
    WEBAUTHN: Final = WEBAUTHN


def _no_addresses(_user: User, _method: LoginMethod) -> Addresses:
    return {}


@attrs.frozen(kw_only=True)
class SecondFactors:
    """
    What a recipe offers as second factors.

    :param factors: their ids.
    :param set_up: returns those of them that a user has set up.
    :param emails: takes a user and the login method of the session, and returns the addresses for each factor.
    :param phone_numbers: takes the same, and returns the phone numbers for each factor.
    """

    factors: tuple[str, ...]
    set_up: Callable[[User], Iterable[str]]
    emails: Callable[[User, LoginMethod], Addresses] = _no_addresses
    phone_numbers: Callable[[User, LoginMethod], Addresses] = _no_addresses


@attrs.frozen(kw_only=True)
class Progress:
    """
    How far a sign-in is.

    :param completed: factors, and when they were completed, in seconds since 1970.
    :param requirements: what the sign-in needs.
    :param next_step: the factors that come next. Empty if the sign-in is complete.
    """

    completed: Mapping[str, float]
    requirements: Requirements
    next_step: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.next_step


@attrs.frozen(kw_only=True)
class Factors:
    """
    The factors of a session.

    :param next: those of the next step. The user completes one or all of them, as the step says.
    :param already_setup: those that the user has set up.
    :param allowed_to_setup: those that the user may set up now.
    """

    next: tuple[str, ...]
    already_setup: tuple[str, ...]
    allowed_to_setup: tuple[str, ...]


@attrs.frozen(kw_only=True)
class MFAInfo(Ok):
    """
    What a frontend needs to ask for the next factor.

    :param emails: the addresses that the user can use, by factor, the best one first.
    :param phone_numbers: the phone numbers that the user can use, by factor, the best one first.
    """

    factors: Factors
    emails: dict[str, Sequence[str]]
    phone_numbers: dict[str, Sequence[str]]
