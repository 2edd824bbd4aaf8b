"""
Session claims: how a value lies in the access token payload, and validators that fail closed.

A claim lies at ``payload[key] = {"v": value, "t": milliseconds}``. Validators are type-strict: only JSON true
is true, an array is a list of strings or it is nothing, and whatever is malformed counts as not being there.
Names and parameters are SuperTokens' own (`supertokens_python/recipe/session/claim_base_classes`).

A result has two halves. `reason` is built from the configured expectation alone, so it may go to any client;
`found` says what was there instead, for hosts that own the data.
"""

from __future__ import annotations

import json
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from st_verify.errors import ClaimError, InvalidClaims

_logger = logging.getLogger("st_verify.claims")

T = TypeVar("T")
#: A payload: claim keys to JSON values.
Payload = Mapping[str, Any]
Primitive = str | int | float | bool

# A claim's time may be this far in the future: the auth server's clock against ours.
_SKEW_MS = 60_000
_MAX_REASON = 4096
_MISSING = "value does not exist"
_UNCLEAR = {"message": "claim validation failed"}


@dataclass(frozen=True, slots=True)
class ClaimValidation:
    """What a validator says. Make it with `passed` or `failed`."""

    is_valid: bool
    #: ``{"message": …, "expectedValue": …}``; empty if valid.
    reason: Mapping[str, Any] = field(default_factory=dict)
    #: ``actualValue``, ``ageInSeconds``: data of the user, which `reason` never contains.
    found: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def passed(cls) -> ClaimValidation:
        """A valid claim."""
        return cls(True)

    @classmethod
    def failed(cls, message: str, expected: Mapping[str, Any], **found: Any) -> ClaimValidation:
        """A claim that is missing or wrong."""
        return cls(False, {"message": message, **expected}, found)


class ClaimValidator(ABC):
    """
    One condition on a payload. Subclass it for conditions of your own.

    :param id_: names the failure; the frontend matches on it, so it equals the claim key unless there is a need.
    :param claim: the claim it is about, if it is about one: tells hosts what to fetch anew.
    """

    def __init__(self, id_: str, claim: SessionClaim[Any] | None = None) -> None:
        self.id = id_
        self.claim = claim

    @abstractmethod
    def validate(self, payload: Payload) -> ClaimValidation:
        """Whether the payload meets the condition. Whatever it raises counts as failed."""

    def should_refetch(self, payload: Payload) -> bool:
        """Whether the value is missing or too old, so that a host should fetch it before validating."""
        return self.claim is not None and self.claim.get_value_from_payload(payload) is None


class SessionClaim(ABC, Generic[T]):
    """
    A named value in the payload.

    :param key: its member name.
    :param fetch_value: how a host gets the current value (parameters are the host's business); None here, where
        values are only read.
    :param clock: wall time in seconds.
    """

    def __init__(
        self, key: str, *, fetch_value: Callable[..., T | None] | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.key = key
        self.fetch_value = fetch_value
        self._clock = clock

    def now_ms(self) -> int:
        """Wall time in milliseconds."""
        return int(self._clock() * 1000)

    def fetch(
        self, user_id: str, recipe_user_id: Any, tenant_id: str, current_payload: Payload | None = None
    ) -> T | None:
        """
        The current value; None if there is none, or no `fetch_value`.

        :param recipe_user_id: handed on to `fetch_value`, like all the others.
        """
        if self.fetch_value is None:
            return None
        return self.fetch_value(user_id, recipe_user_id, tenant_id, dict(current_payload or {}))

    def build(
        self, user_id: str, recipe_user_id: Any, tenant_id: str, current_payload: Payload | None = None
    ) -> dict[str, Any]:
        """
        What the claim adds to the payload of a new session: nothing if it has no value. Arguments as in `fetch`.

        :raises TypeError: the value is nothing that JSON has.
        """
        value = self.fetch(user_id, recipe_user_id, tenant_id, current_payload)
        if value is None:
            return {}
        built: dict[str, Any] = _plain(self.add_to_payload({}, value))
        return built

    @abstractmethod
    def get_value_from_payload(self, payload: Payload) -> T | None:
        """The value, or None if it is absent or of a wrong type."""

    def add_to_payload(self, payload: Payload, value: T) -> dict[str, Any]:
        """A copy of the payload with this value as of now."""
        return {**payload, self.key: {"v": value, "t": self.now_ms()}}

    def remove_from_payload(self, payload: Payload) -> dict[str, Any]:
        """A copy of the payload without this claim."""
        return {name: value for name, value in payload.items() if name != self.key}

    def remove_from_payload_by_merge(self, payload: Payload) -> dict[str, Any]:
        """A copy with null in its place, which a merge takes as removal."""
        return {**payload, self.key: None}

    def get_last_refetch_time(self, payload: Payload) -> int | None:
        """When the value was fetched, in milliseconds; None if absent or no integer."""
        stored = payload.get(self.key)
        fetched = stored.get("t") if isinstance(stored, Mapping) else None
        return fetched if type(fetched) is int else None

    def age_in_seconds(self, payload: Payload) -> float | None:
        """Seconds since the value was fetched; None if unknown, in the future, or no sensible number."""
        fetched = self.get_last_refetch_time(payload)
        if fetched is None:
            return None
        now = self.now_ms()
        if not 0 <= fetched <= now + _SKEW_MS:
            return None
        return max(0, now - fetched) / 1000

    def is_stale(self, payload: Payload, max_age_in_sec: float | None) -> bool:
        """Whether the value is older than allowed. 0 is always stale; None never is. Unknown age is stale."""
        if max_age_in_sec is None:
            return False
        age = self.age_in_seconds(payload)
        return age is None or max_age_in_sec <= 0 or not age <= max_age_in_sec  # not a number: always stale


class _ValueValidator(ClaimValidator, Generic[T]):
    """Compares the value of one claim; `accepts` gets a value that exists and is fresh."""

    def __init__(
        self,
        claim: SessionClaim[T],
        accepts: Callable[[T], bool],
        expected: Mapping[str, Any],
        *,
        max_age_in_sec: float | None,
        id_: str | None,
        refetch_on_failure_after: float | None = None,
    ) -> None:
        super().__init__(claim.key if id_ is None else id_, claim)
        self._about = claim
        self._accepts = accepts
        self._expected = expected
        self._max_age = max_age_in_sec
        self._refetch_on_failure_after = refetch_on_failure_after

    def should_refetch(self, payload: Payload) -> bool:
        value = self._about.get_value_from_payload(payload)
        if value is None or self._about.is_stale(payload, self._max_age):
            return True
        if self._refetch_on_failure_after is None or self._accepts(value):
            return False
        return self._about.is_stale(payload, self._refetch_on_failure_after)

    def validate(self, payload: Payload) -> ClaimValidation:
        value = self._about.get_value_from_payload(payload)
        if value is None:
            return ClaimValidation.failed(_MISSING, self._expected, actualValue=None)
        if self._about.is_stale(payload, self._max_age):
            age = self._about.age_in_seconds(payload)
            return ClaimValidation.failed("expired", {"maxAgeInSeconds": self._max_age}, ageInSeconds=age)
        if not self._accepts(value):
            return ClaimValidation.failed("wrong value", self._expected, actualValue=value)
        return ClaimValidation.passed()


P = TypeVar("P", bound=Primitive)


class PrimitiveClaim(SessionClaim[P]):
    """A claim whose value is a string, a number or a boolean. :param default_max_age_in_sec: for its validators."""

    def __init__(
        self,
        key: str,
        *,
        fetch_value: Callable[..., P | None] | None = None,
        default_max_age_in_sec: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(key, fetch_value=fetch_value, clock=clock)
        self.default_max_age_in_sec = default_max_age_in_sec

    def get_value_from_payload(self, payload: Payload) -> P | None:
        """The value, or None if it is absent or no primitive."""
        stored = payload.get(self.key)
        value = stored.get("v") if isinstance(stored, Mapping) else None
        return cast(P, value) if isinstance(value, (str, int, float, bool)) else None

    def has_value(self, val: P, max_age_in_sec: float | None = None, id_: str | None = None) -> ClaimValidator:
        """
        The value equals `val` in type and value: 1, 1.0 and true are three values.

        :raises TypeError: `val` is no text, number or boolean.
        """
        wanted = _plain(val)
        if not isinstance(wanted, (str, int, float, bool)):
            raise TypeError("has_value: give a text, a number or a boolean")
        return self._validator(
            lambda value: type(value) is type(wanted) and value == wanted,
            {"expectedValue": wanted},
            max_age_in_sec,
            id_,
        )

    def _validator(
        self,
        accepts: Callable[[P], bool],
        expected: Mapping[str, Any],
        max_age_in_sec: float | None,
        id_: str | None,
        refetch_on_failure_after: float | None = None,
    ) -> ClaimValidator:
        return _ValueValidator(
            self,
            accepts,
            expected,
            max_age_in_sec=self.default_max_age_in_sec if max_age_in_sec is None else max_age_in_sec,
            id_=id_,
            refetch_on_failure_after=refetch_on_failure_after,
        )


class BooleanClaim(PrimitiveClaim[bool]):
    """A claim that is true or false. Anything else at its place counts as not being there."""

    def get_value_from_payload(self, payload: Payload) -> bool | None:
        """The value, or None if it is absent or no boolean."""
        value = super().get_value_from_payload(payload)
        return value if isinstance(value, bool) else None

    def is_true(self, max_age: float | None = None, id_: str | None = None) -> ClaimValidator:
        """The value is JSON true."""
        return self.has_value(True, max_age, id_)

    def is_false(self, max_age: float | None = None, id_: str | None = None) -> ClaimValidator:
        """The value is JSON false."""
        return self.has_value(False, max_age, id_)


class PrimitiveArrayClaim(SessionClaim[list[str]]):
    """
    A claim whose value is a list of strings. Every validator fails on anything else, `excludes` too.

    Validators raise TypeError when they are made with anything but strings, which would be in no list.
    """

    def __init__(
        self,
        key: str,
        *,
        fetch_value: Callable[..., list[str] | None] | None = None,
        default_max_age_in_sec: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(key, fetch_value=fetch_value, clock=clock)
        self.default_max_age_in_sec = default_max_age_in_sec

    def get_value_from_payload(self, payload: Payload) -> list[str] | None:
        """The value, or None if it is absent or anything but a list of strings."""
        stored = payload.get(self.key)
        value = stored.get("v") if isinstance(stored, Mapping) else None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return None
        return value

    def includes(self, val: str, max_age_in_seconds: float | None = None, id_: str | None = None) -> ClaimValidator:
        """`val` is in the list."""
        wanted = _name(val)
        return self._validator(lambda value: wanted in value, {"expectedToInclude": wanted}, max_age_in_seconds, id_)

    def excludes(self, val: str, max_age_in_seconds: float | None = None, id_: str | None = None) -> ClaimValidator:
        """`val` is not in the list; the list is there."""
        banned = _name(val)
        expected = {"expectedToNotInclude": banned}
        return self._validator(lambda value: banned not in value, expected, max_age_in_seconds, id_)

    def includes_all(
        self, val: Sequence[str], max_age_in_seconds: float | None = None, id_: str | None = None
    ) -> ClaimValidator:
        """All of `val` are in the list. Passes for an empty `val`, as long as the list is there."""
        wanted = _names(val)
        return self._validator(
            lambda value: set(wanted) <= set(value), {"expectedToInclude": wanted}, max_age_in_seconds, id_
        )

    def includes_any(
        self, val: Sequence[str], max_age_in_seconds: float | None = None, id_: str | None = None
    ) -> ClaimValidator:
        """At least one of `val` is in the list. Fails for an empty `val`."""
        wanted = _names(val)
        expected = {"expectedToIncludeAtLeastOneOf": wanted}
        return self._validator(lambda value: not set(wanted).isdisjoint(value), expected, max_age_in_seconds, id_)

    def excludes_all(
        self, val: Sequence[str], max_age_in_seconds: float | None = None, id_: str | None = None
    ) -> ClaimValidator:
        """None of `val` is in the list; the list is there."""
        banned = _names(val)
        expected = {"expectedToNotInclude": banned}
        return self._validator(lambda value: set(banned).isdisjoint(value), expected, max_age_in_seconds, id_)

    def _validator(
        self,
        accepts: Callable[[list[str]], bool],
        expected: Mapping[str, Any],
        max_age_in_seconds: float | None,
        id_: str | None,
    ) -> ClaimValidator:
        max_age = self.default_max_age_in_sec if max_age_in_seconds is None else max_age_in_seconds
        return _ValueValidator(self, accepts, expected, max_age_in_sec=max_age, id_=id_)


def _plain(value: Any) -> Any:
    """A value as it comes out of a token: members of enumerations and subclasses become what JSON has for them."""
    return json.loads(json.dumps(value))


def _name(val: str) -> str:
    if not isinstance(val, str):
        raise TypeError(f"give a str, not {type(val).__name__}: nothing else is ever in the list")
    plain: str = _plain(val)
    return plain


def _names(val: Sequence[str]) -> list[str]:
    if isinstance(val, str):
        raise TypeError("give a list of str: a single str would be taken letter by letter")
    return [_name(one) for one in val]


def wants_refetch(validator: ClaimValidator, payload: Payload) -> bool | None:
    """
    Whether a host should fetch the validator's claim before validating.

    :returns: None if the validator raised: then it counts as failed, see `failed_claims`.
    """
    try:
        return validator.claim is not None and bool(validator.should_refetch(payload))
    except Exception:  # as in failed_claims
        _logger.exception("claim validator %r raised", validator.id)
        return None


def failed_claims(
    validators: Iterable[ClaimValidator],
    payload: Payload,
    *,
    tell_found: bool = False,
    unclear: Collection[ClaimValidator] = (),
) -> list[ClaimError]:
    """
    Run all validators; list every failure, with reasons that contain nothing of the payload.

    A validator that raises or returns anything but a `ClaimValidation` has failed.

    :param tell_found: for a host that answers the user whose data it is: reasons also say what was found.
    :param unclear: validators that have failed already, without a reason to tell.
    """
    errors = []
    for validator in validators:
        try:
            result = None if validator in unclear else validator.validate(payload)
        except Exception:  # a validator may be anybody's code; an unclear answer is a no
            _logger.exception("claim validator %r raised", validator.id)
            result = None
        if isinstance(result, ClaimValidation) and result.is_valid is True:
            continue
        if not isinstance(result, ClaimValidation):
            reason: Mapping[str, Any] = _UNCLEAR
        else:
            told = [{**result.reason, **result.found}, result.reason] if tell_found else [result.reason]
            reason = next(filter(_is_small, told), _UNCLEAR)
        errors.append(ClaimError(validator.id, reason))
    return errors


def require_claims(validators: Iterable[ClaimValidator], payload: Payload) -> None:
    """
    Like `failed_claims`.

    :raises InvalidClaims: with all failures, if there is one.
    """
    errors = failed_claims(validators, payload)
    if errors:
        raise InvalidClaims(errors)


def _is_small(reason: Mapping[str, Any]) -> bool:
    try:
        return len(json.dumps(dict(reason))) <= _MAX_REASON
    except (TypeError, ValueError):
        return False
