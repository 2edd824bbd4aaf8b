"""
Session claims: named values in the payload of an access token, and validators that fail closed.

A claim is stored as ``payload[key] = {"v": value, "t": milliseconds}``. Validators are type-strict: only JSON true is
true, only a list of strings is a list, and a malformed value counts as missing. Names and parameters are SuperTokens'
own (`supertokens_python/recipe/session/claim_base_classes`).
"""

from __future__ import annotations

import json
import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Generic, TypeVar, cast

from st_verify.errors import ClaimError, InvalidClaims
from st_verify.settings import function, require

_logger = logging.getLogger("st_verify.claims")

T = TypeVar("T")
#: A payload: names to JSON values.
Payload = Mapping[str, Any]
Primitive = str | int | float | bool

# A claim's time may be this far in the future: the auth server's clock against ours.
_SKEW_MS = 60_000
_MAX_REASON = 4096
_MISSING = "value does not exist"
_UNCLEAR = {"message": "claim validation failed"}


@dataclass(frozen=True, slots=True)
class ClaimValidation:
    """The outcome of a validator, made with `passed` or `failed`."""

    #: Whether the payload meets the condition.
    is_valid: bool
    #: ``{"message": ..., "expectedValue": ...}``: what the validator expects. It goes to any client, so it must contain
    #: nothing of the user. Empty if valid.
    reason: Mapping[str, Any] = field(default_factory=dict)
    #: ``actualValue``, ``ageInSeconds``: data of the user, for hosts that send them to this user only.
    actual: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def passed(cls) -> ClaimValidation:
        """Return the outcome for a valid claim."""
        return cls(True)

    @classmethod
    def failed(cls, message: str, expected: Mapping[str, Any], **actual: Any) -> ClaimValidation:
        """Return the outcome for a claim that is missing or wrong."""
        return cls(False, {"message": message, **expected}, actual)


class ClaimValidator(ABC):
    """
    One condition on a payload. Subclass it for conditions of your own.

    >>> class IsAdult(ClaimValidator):
    ...     def validate(self, payload: Payload) -> ClaimValidation:
    ...         if payload.get("age", 0) >= 18:
    ...             return ClaimValidation.passed()
    ...         return ClaimValidation.failed("too young", {"expectedMinimum": 18})
    >>> failed_claims([IsAdult("age")], {"age": 17})
    [ClaimError(id='age', reason={'message': 'too young', 'expectedMinimum': 18})]

    :param id_: the id of a failure in the response. The frontend knows it, so it equals the claim's key as a rule.
    :param claim: the claim that the condition is about. A host fetches it anew if `should_refetch` says so.
    :raises SettingError: one of them has a wrong type.
    """

    def __init__(self, id_: str, claim: SessionClaim[Any] | None = None) -> None:
        require(isinstance(id_, str) and bool(id_), f"id_: pass the key of the claim, not {id_!r}")
        require(claim is None or isinstance(claim, SessionClaim), f"claim: pass a SessionClaim, not {claim!r}")
        #: As passed.
        self.id: str = id_
        self.claim: SessionClaim[Any] | None = claim

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    @abstractmethod
    def validate(self, payload: Payload) -> ClaimValidation:
        """Return whether the payload meets the condition. Any exception counts as failed."""

    def should_refetch(self, payload: Payload) -> bool:
        """Return whether a host should fetch the value before it validates: it is missing or too old."""
        return self.claim is not None and self.claim.get_value_from_payload(payload) is None


@dataclass(eq=False, repr=False)
class SessionClaim(ABC, Generic[T]):
    """
    A named value in the payload.

    :param key: its name.
    :param fetch_value: returns the current value in a host that issues tokens; gets user id, recipe user id, tenant id
        and payload. Services that only read tokens leave it out.
    :param default_max_age_in_sec: seconds after which validators take a value for expired; None for never.
    :param clock: wall time in seconds.
    :raises SettingError: one of them has a wrong type.
    """

    key: str
    _: KW_ONLY
    fetch_value: Callable[..., T | None] | None = None
    default_max_age_in_sec: float | None = None
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        require(isinstance(self.key, str) and bool(self.key), f"key: pass the name of the claim, not {self.key!r}")
        function("fetch_value", self.fetch_value, or_none=True)
        function("clock", self.clock)
        _max_age("default_max_age_in_sec", self.default_max_age_in_sec)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key!r})"

    def now_ms(self) -> int:
        """Return the wall time in milliseconds."""
        return int(self.clock() * 1000)

    def fetch(
        self, user_id: str, recipe_user_id: Any, tenant_id: str, current_payload: Payload | None = None
    ) -> T | None:
        """Return the current value by `fetch_value`, which gets these arguments; None if there is no value."""
        if self.fetch_value is None:
            return None
        return self.fetch_value(user_id, recipe_user_id, tenant_id, dict(current_payload or {}))

    def build(
        self, user_id: str, recipe_user_id: Any, tenant_id: str, current_payload: Payload | None = None
    ) -> dict[str, Any]:
        """
        Return what the claim adds to the payload of a new session; empty if it has no value. Arguments as in `fetch`.

        :raises TypeError: `fetch_value` returned something that JSON cannot express.
        """
        value = self.fetch(user_id, recipe_user_id, tenant_id, current_payload)
        return {} if value is None else dict(_plain(self.add_to_payload({}, value)))

    @abstractmethod
    def get_value_from_payload(self, payload: Payload) -> T | None:
        """Return the value; None if it is missing or of a wrong type."""

    def add_to_payload(self, payload: Payload, value: T) -> dict[str, Any]:
        """Return a copy of the payload with this value, fetched now."""
        return {**payload, self.key: {"v": value, "t": self.now_ms()}}

    def remove_from_payload(self, payload: Payload) -> dict[str, Any]:
        """Return a copy of the payload without this claim."""
        return {name: value for name, value in payload.items() if name != self.key}

    def remove_from_payload_by_merge(self, payload: Payload) -> dict[str, Any]:
        """Return a copy with null instead of the claim, which a merge takes as removal."""
        return {**payload, self.key: None}

    def get_last_refetch_time(self, payload: Payload) -> int | None:
        """Return when the value was fetched, in milliseconds; None if that is missing or no integer."""
        at = self._stored(payload, "t")
        return at if type(at) is int else None

    def age_in_seconds(self, payload: Payload) -> float | None:
        """Return the seconds since the value was fetched; None if that is unknown or in the future."""
        at, now = self.get_last_refetch_time(payload), self.now_ms()
        if at is None or not 0 <= at <= now + _SKEW_MS:
            return None
        return max(0, now - at) / 1000

    def is_stale(self, payload: Payload, max_age_in_sec: float | None) -> bool:
        """Return whether the value is older than allowed. 0 is always stale, None never, an unknown age is stale."""
        if max_age_in_sec is None:
            return False
        age = self.age_in_seconds(payload)
        return age is None or max_age_in_sec <= 0 or age > max_age_in_sec

    def _stored(self, payload: Payload, member: str) -> object:
        stored = payload.get(self.key)
        return stored.get(member) if isinstance(stored, Mapping) else None

    def _validator(self, accepts: Callable[[T], bool], *condition: Any) -> ClaimValidator:
        return _ValueValidator(self, accepts, *condition)


@dataclass(eq=False, repr=False)
class _ValueValidator(ClaimValidator, Generic[T]):
    """Compares the value of one claim. `accepts` gets a value that exists and is fresh."""

    about: SessionClaim[T]
    accepts: Callable[[T], bool]
    expected: Mapping[str, Any]
    max_age: float | None
    id_: str | None
    refetch_on_failure_after: float | None = None

    def __post_init__(self) -> None:
        if _max_age("max_age", self.max_age) is None:
            self.max_age = self.about.default_max_age_in_sec
        super().__init__(self.about.key if self.id_ is None else self.id_, self.about)

    def should_refetch(self, payload: Payload) -> bool:
        value = self.about.get_value_from_payload(payload)
        if value is None or self.about.is_stale(payload, self.max_age):
            return True
        return not self.accepts(value) and self.about.is_stale(payload, self.refetch_on_failure_after)

    def validate(self, payload: Payload) -> ClaimValidation:
        value = self.about.get_value_from_payload(payload)
        if value is None:
            return ClaimValidation.failed(_MISSING, self.expected, actualValue=None)
        if self.about.is_stale(payload, self.max_age):
            age = self.about.age_in_seconds(payload)
            return ClaimValidation.failed("expired", {"maxAgeInSeconds": self.max_age}, ageInSeconds=age)
        if not self.accepts(value):
            return ClaimValidation.failed("wrong value", self.expected, actualValue=value)
        return ClaimValidation.passed()


P = TypeVar("P", bound=Primitive)


class PrimitiveClaim(SessionClaim[P]):
    """
    A claim whose value is a string, a number or a boolean.

    >>> plan = PrimitiveClaim("plan")
    >>> failed_claims([plan.has_value("pro")], {"plan": {"v": "free", "t": 1_700_000_000_000}})
    [ClaimError(id='plan', reason={'message': 'wrong value', 'expectedValue': 'pro'})]
    """

    def get_value_from_payload(self, payload: Payload) -> P | None:
        """Return the value; None if it is missing or no primitive."""
        value = self._stored(payload, "v")
        return cast(P, value) if isinstance(value, (str, int, float, bool)) else None

    def has_value(
        self, val: P, max_age_in_sec: float | None = None, id_: str | None = None, *, refetch_after: float | None = None
    ) -> ClaimValidator:
        """
        Require this value. Type and value must be equal: 1, 1.0 and true are three values.

        :param refetch_after: a host fetches another value anew when it is older than these seconds; None for never.
        :raises SettingError: `val` is no string, number or boolean.
        """
        require(isinstance(val, (str, int, float, bool)), f"val: pass a string, a number or a boolean, not {val!r}")
        val = _plain(val)
        wanted, expected = (type(val), val), {"expectedValue": val}
        return self._validator(lambda v: (type(v), v) == wanted, expected, max_age_in_sec, id_, refetch_after)


class BooleanClaim(PrimitiveClaim[bool]):
    """A claim that is true or false. Anything else counts as missing."""

    def get_value_from_payload(self, payload: Payload) -> bool | None:
        """Return the value; None if it is missing or no boolean."""
        value = super().get_value_from_payload(payload)
        return value if isinstance(value, bool) else None

    def is_true(self, max_age: float | None = None, id_: str | None = None) -> ClaimValidator:
        """Require JSON true."""
        return self.has_value(True, max_age, id_)

    def is_false(self, max_age: float | None = None, id_: str | None = None) -> ClaimValidator:
        """Require JSON false."""
        return self.has_value(False, max_age, id_)


class PrimitiveArrayClaim(SessionClaim[list[str]]):
    """
    A claim whose value is a list of strings. Every validator fails on anything else, `excludes` too.

    >>> roles = PrimitiveArrayClaim("st-role")
    >>> failed_claims([roles.includes("admin")], {"st-role": {"v": ["admin"], "t": 1_700_000_000_000}})
    []

    The validators raise `SettingError` when they are made with anything but strings.
    """

    def get_value_from_payload(self, payload: Payload) -> list[str] | None:
        """Return the value; None if it is missing or no list of strings."""
        value = self._stored(payload, "v")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            return None
        return value

    def includes(self, val: str, max_age_in_seconds: float | None = None, id_: str | None = None) -> ClaimValidator:
        """Require that the list includes `val`."""
        val = _name(val)
        return self._validator({val}.issubset, {"expectedToInclude": val}, max_age_in_seconds, id_)

    def excludes(self, val: str, max_age_in_seconds: float | None = None, id_: str | None = None) -> ClaimValidator:
        """Require a list that does not include `val`."""
        val = _name(val)
        return self._validator({val}.isdisjoint, {"expectedToNotInclude": val}, max_age_in_seconds, id_)

    def includes_all(
        self, val: Sequence[str], max_age_in_seconds: float | None = None, id_: str | None = None
    ) -> ClaimValidator:
        """Require a list that includes all of `val`. An empty `val` requires only that there is a list."""
        val = _names(val)
        return self._validator(set(val).issubset, {"expectedToInclude": val}, max_age_in_seconds, id_)

    def includes_any(
        self, val: Sequence[str], max_age_in_seconds: float | None = None, id_: str | None = None
    ) -> ClaimValidator:
        """Require a list that includes at least one of `val`. An empty `val` always fails."""
        wanted = _names(val)
        expected = {"expectedToIncludeAtLeastOneOf": wanted}
        return self._validator(lambda value: not set(wanted).isdisjoint(value), expected, max_age_in_seconds, id_)

    def excludes_all(
        self, val: Sequence[str], max_age_in_seconds: float | None = None, id_: str | None = None
    ) -> ClaimValidator:
        """Require a list that includes none of `val`."""
        val = _names(val)
        return self._validator(set(val).isdisjoint, {"expectedToNotInclude": val}, max_age_in_seconds, id_)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: members of enumerations and subclasses of str become plain."""
    return json.loads(json.dumps(value))


def _name(val: str) -> str:
    require(isinstance(val, str), f"val: pass a str, not {val!r}; the list of the claim has nothing else")
    return str(_plain(val))


def _names(val: Sequence[str]) -> list[str]:
    is_list = isinstance(val, Collection) and not isinstance(val, str) and all(isinstance(one, str) for one in val)
    require(is_list, f"val: pass a list of str, not {val!r}")
    return [str(_plain(one)) for one in val]


def _max_age(name: str, value: float | None) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)
    require(value is None or is_number, f"{name}: pass seconds or None, not {value!r}")
    return value


def wants_refetch(validator: ClaimValidator, payload: Payload) -> bool | None:
    """Return whether a host should fetch the validator's claim before it validates; None if the validator raised."""
    try:
        return validator.claim is not None and bool(validator.should_refetch(payload))
    except Exception:  # as in failed_claims
        _logger.exception("claim validator %r raised", validator.id)
        return None


def failed_claims(
    validators: Iterable[ClaimValidator],
    payload: Payload,
    *,
    include_actual: bool = False,
    broken: Collection[ClaimValidator] = (),
) -> list[ClaimError]:
    """
    Run all validators and list every failure, with reasons that contain nothing of the payload.

    A validator that raises an exception or returns anything but a `ClaimValidation` has failed.

    :param include_actual: for a host that answers the user whose data it is: reasons also have the actual value.
    :param broken: validators that have raised an exception already; they are not run and count as failed.
    :raises TypeError: one of the validators is no `ClaimValidator`.
    """
    errors = []
    for validator in validators:
        if not isinstance(validator, ClaimValidator):
            raise TypeError(f"validators: pass ClaimValidators one by one, not {validator!r}")
        try:
            outcome = None if validator in broken else validator.validate(payload)
        except Exception:  # apps write validators, and an unclear outcome is a failure
            _logger.exception("claim validator %r raised", validator.id)
            outcome = None
        if not isinstance(outcome, ClaimValidation):
            reasons: list[Mapping[str, Any]] = []
        elif outcome.is_valid is True:
            continue
        else:
            reasons = [{**outcome.reason, **outcome.actual}] * include_actual + [outcome.reason]
        errors.append(ClaimError(validator.id, next(filter(_is_small, reasons), _UNCLEAR)))
    return errors


def require_claims(validators: Iterable[ClaimValidator], payload: Payload) -> None:
    """
    Run all validators.

    :raises InvalidClaims: with every failure, if there is one.
    :raises TypeError: one of the validators is no `ClaimValidator`.
    """
    errors = failed_claims(validators, payload)
    if errors:
        raise InvalidClaims(errors)


def _is_small(reason: Mapping[str, Any]) -> bool:
    try:
        return len(json.dumps(dict(reason))) <= _MAX_REASON
    except (TypeError, ValueError):
        return False
