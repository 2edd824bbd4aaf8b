"""Catalogue 3.8: validators are type-strict, fail closed, and give nothing of the user away."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from st_verify import (
    AllowedDomainsClaim,
    BooleanClaim,
    ClaimError,
    ClaimValidation,
    ClaimValidator,
    EmailVerificationClaim,
    InvalidClaims,
    MultiFactorAuthClaim,
    PermissionClaim,
    PrimitiveArrayClaim,
    PrimitiveClaim,
    SettingError,
    UserRoleClaim,
    failed_claims,
    require_claims,
)
from st_verify.claims import Payload
from st_verify.known_claims import MFAClaimValue
from verify.minting import NOW, these

MS = NOW * 1000
level = PrimitiveClaim[int]("level", clock=lambda: NOW)
active = BooleanClaim("active", clock=lambda: NOW)
roles = PrimitiveArrayClaim("st-role", clock=lambda: NOW)


def holds(validator: ClaimValidator, payload: Payload) -> bool:
    return failed_claims([validator], payload) == []


def reason(validator: ClaimValidator, payload: Payload) -> Any:
    (error,) = failed_claims([validator], payload)
    return error.reason


NOTHING = these(None, [], "x", {}, {"v": None}, {"t": MS}, 5, True)


@pytest.mark.parametrize("stored", NOTHING)
@pytest.mark.parametrize(
    "validator",
    [
        EmailVerificationClaim.is_verified(),
        active.is_false(),
        UserRoleClaim.includes("admin"),
        UserRoleClaim.excludes("admin"),
        PermissionClaim.excludes_all(["write"]),
        AllowedDomainsClaim.includes_all([]),
        MultiFactorAuthClaim.has_completed_mfa_requirements_for_auth(),
        MultiFactorAuthClaim.has_completed_requirement_list([]),
        PrimitiveClaim[str]("plan").has_value("pro"),
    ],
    ids=lambda validator: f"{validator.id}",
)
def test_a_claim_that_is_not_there_fails_whatever_is_in_its_place(validator: ClaimValidator, stored: Any) -> None:
    """V-160, V-163, V-166"""
    for payload in ({validator.id: stored}, {}):
        assert reason(validator, payload)["message"] == "value does not exist"
        assert failed_claims([validator], payload)[0].id == validator.id


@pytest.mark.parametrize("value", these(1, 1.0, "true", [True], {"a": 1}, "1"))
def test_only_json_true_is_true(value: Any) -> None:
    """V-161"""
    payload = {"st-ev": {"v": value, "t": MS}}
    assert not holds(EmailVerificationClaim.is_verified(), payload)
    assert not holds(BooleanClaim("st-ev").is_true(), payload)
    assert holds(EmailVerificationClaim.is_verified(), {"st-ev": {"v": True, "t": MS}})
    assert not holds(EmailVerificationClaim.is_verified(), {"st-ev": {"v": False, "t": MS}})


def test_values_are_compared_with_their_type() -> None:
    """V-161: 1, 1.0 and true are three values."""
    for stored, expected in these((1, True), (1.0, False), (True, False), ("1", False), (2, False)):
        assert holds(level.has_value(1), {"level": {"v": stored, "t": MS}}) is expected
    assert holds(active.is_false(), {"active": {"v": False, "t": MS}})
    assert not holds(active.is_false(), {"active": {"v": 0, "t": MS}})


WRONG_ROLES = these("admin", {"admin": 1}, [["admin"]], [1], ["admin", 1], True, 1, [None])


@pytest.mark.parametrize("value", WRONG_ROLES)
def test_what_is_no_list_of_strings_includes_nothing_and_excludes_nothing(value: Any) -> None:
    """V-162, V-163"""
    payload = {"st-role": {"v": value, "t": MS}}
    for validator in (
        roles.includes("admin"),
        roles.excludes("admin"),
        roles.includes_all(["admin"]),
        roles.includes_all([]),
        roles.includes_any(["admin"]),
        roles.excludes_all(["admin"]),
    ):
        assert reason(validator, payload)["message"] == "value does not exist"


@pytest.mark.parametrize("value", [["ADMIN"], ["admin "], ["adm"], []])
def test_roles_are_compared_exactly(value: list[str]) -> None:
    """V-162"""
    assert not holds(roles.includes("admin"), {"st-role": {"v": value, "t": MS}})
    assert holds(roles.excludes("admin"), {"st-role": {"v": value, "t": MS}})


def test_lists_against_lists() -> None:
    """V-164: nothing is in any list, everything of nothing is in every list."""
    payload = {"st-role": {"v": ["a", "b"], "t": MS}}
    assert holds(roles.includes_any(["b", "c"]), payload)
    assert not holds(roles.includes_any(["c"]), payload)
    assert not holds(roles.includes_any([]), payload)
    assert holds(roles.includes_all([]), payload)
    assert holds(roles.includes_all(["b", "a"]), payload)
    assert not holds(roles.includes_all(["a", "c"]), payload)
    assert holds(roles.excludes_all(["c", "d"]), payload)
    assert not holds(roles.excludes_all(["a", "d"]), payload)


def test_a_single_string_where_a_list_is_meant_is_a_mistake() -> None:
    """V-162: it would be taken letter by letter."""
    for make in (roles.includes_any, roles.includes_all, roles.excludes_all):
        with pytest.raises(SettingError, match="val: pass a list"):
            make("admin")


@pytest.mark.parametrize("fetched", these(None, ..., str(MS), float(MS), True, MS + 60_001, 10**400, -1, [MS]))
def test_a_value_of_unknown_age_is_too_old_for_any_age(fetched: Any) -> None:
    """V-165"""
    stored = {"v": True} if fetched is ... else {"v": True, "t": fetched}
    validator = active.is_true(3600)
    assert reason(validator, {"active": stored})["message"] == "expired"
    assert validator.should_refetch({"active": stored})
    assert holds(active.is_true(), {"active": stored})


def test_ages() -> None:
    """V-165: 0 is always stale, and not "unset"; a clock slightly ahead is no reason."""

    def aged(seconds: float) -> dict[str, Any]:
        return {"active": {"v": True, "t": MS - int(seconds * 1000)}}

    assert holds(active.is_true(10), aged(10))
    assert not holds(active.is_true(10), aged(10.001))
    assert holds(active.is_true(10), aged(-60))
    assert not holds(active.is_true(0), aged(0))
    strict = BooleanClaim("active", default_max_age_in_sec=5, clock=lambda: NOW)
    assert not holds(strict.is_true(), aged(6))
    assert holds(strict.is_true(7), aged(6))
    assert not holds(strict.is_true(0), aged(0))
    assert reason(active.is_true(10), aged(11)) == {"message": "expired", "maxAgeInSeconds": 10}


MFA = "st-mfa"


@pytest.mark.parametrize(
    "stored",
    these(
        {"v": False, "c": {"emailpassword": NOW}},
        {"v": 1, "c": {"emailpassword": NOW}},
        {"v": True, "c": ["emailpassword"]},
        {"v": True, "c": {"emailpassword": -1}},
        {"v": True, "c": {"emailpassword": "now"}},
        {"v": True, "c": {"emailpassword": True}},
        {"v": True},
    ),
)
def test_a_malformed_or_incomplete_sign_in_is_incomplete(stored: Any) -> None:
    """V-166"""
    assert not holds(MultiFactorAuthClaim.has_completed_mfa_requirements_for_auth(), {MFA: stored})


def test_required_factors() -> None:
    """V-166: v true is not enough where a list is asked for."""
    payload = {MFA: {"v": True, "c": {"emailpassword": NOW, "totp": NOW}}}
    needs = MultiFactorAuthClaim.has_completed_requirement_list
    assert holds(MultiFactorAuthClaim.has_completed_mfa_requirements_for_auth(), payload)
    assert holds(needs(["emailpassword", {"oneOf": ["otp-email", "totp"]}]), payload)
    assert holds(needs([{"allOfInAnyOrder": ["totp", "emailpassword"]}]), payload)
    assert reason(needs(["totp", "otp-email"]), payload) == {
        "message": "Factor validation failed: otp-email not completed",
        "factorId": "otp-email",
    }
    assert reason(needs([{"oneOf": ["otp-email", "otp-phone"]}]), payload)["oneOf"] == ["otp-email", "otp-phone"]
    assert reason(needs([{"oneOf": []}]), payload)["oneOf"] == []
    assert reason(needs([{"allOfInAnyOrder": ["totp", "x"]}]), payload)["allOfInAnyOrder"] == ["totp", "x"]
    for wrong in these("totp", [5], [{"anyOf": ["totp"]}], [{"oneOf": "totp"}], [{}]):
        with pytest.raises(ValueError, match="requirement_list"):
            needs(wrong)


def test_all_failures_are_listed_under_the_claim_keys() -> None:
    """V-167"""
    with pytest.raises(InvalidClaims) as caught:
        require_claims([EmailVerificationClaim.is_verified(), UserRoleClaim.includes("admin")], {})
    assert [error.id for error in caught.value.errors] == ["st-ev", "st-role"]
    assert caught.value.body() == {
        "message": "invalid claim",
        "claimValidationErrors": [
            {"id": "st-ev", "reason": {"message": "value does not exist", "expectedValue": True}},
            {"id": "st-role", "reason": {"message": "value does not exist", "expectedToInclude": "admin"}},
        ],
    }
    assert failed_claims([UserRoleClaim.includes("a", id_="my-role")], {})[0].id == "my-role"


class Odd(ClaimValidator):
    def __init__(self, result: Any) -> None:
        super().__init__("odd")
        self.result = result

    def validate(self, payload: Payload) -> ClaimValidation:
        if isinstance(self.result, Exception):
            raise self.result
        result: ClaimValidation = self.result
        return result


@pytest.mark.parametrize("result", these(None, True, 1, "ok", {"isValid": True}, RuntimeError("secret detail")))
def test_a_validator_without_a_clear_answer_has_failed(result: Any, caplog: pytest.LogCaptureFixture) -> None:
    """V-168: the error is in the log, not in the answer."""
    assert failed_claims([Odd(result)], {}) == [ClaimError("odd", {"message": "claim validation failed"})]
    assert ("secret detail" in caplog.text) is isinstance(result, Exception)
    assert [record.levelno for record in caplog.records] in ([], [logging.ERROR])


def test_reasons_come_from_the_configuration_only_and_are_capped() -> None:
    """V-169"""
    private = "ada@example.com"
    payload = {"st-role": {"v": [private], "t": MS}, "st-ev": {"v": False, "t": MS}, "plan": {"v": private, "t": MS}}
    errors = failed_claims(
        [
            UserRoleClaim.includes("admin"),
            UserRoleClaim.excludes(private[:3] + private[3:]),
            EmailVerificationClaim.is_verified(),
            PrimitiveClaim[str]("plan").has_value("pro"),
        ],
        payload,
    )
    assert [dict(error.reason) for error in errors] == [
        {"message": "wrong value", "expectedToInclude": "admin"},
        {"message": "wrong value", "expectedToNotInclude": private},
        {"message": "wrong value", "expectedValue": True},
        {"message": "wrong value", "expectedValue": "pro"},
    ]
    huge = UserRoleClaim.includes("x" * 1_000_000)
    assert reason(huge, payload) == {"message": "claim validation failed"}
    assert reason(Odd(ClaimValidation(False, {"message": object()})), {}) == {"message": "claim validation failed"}
    actual = UserRoleClaim.includes("admin").validate(payload).actual
    assert actual == {"actualValue": [private]}


def test_a_value_that_is_too_long_to_tell_leaves_the_rest_of_its_reason() -> None:
    long = [f"role-{number}" for number in range(1000)]
    payload = roles.add_to_payload({}, long)
    (error,) = failed_claims([roles.includes("admin")], payload, include_actual=True)
    assert error.reason == {"message": "wrong value", "expectedToInclude": "admin"}
    (error,) = failed_claims([roles.includes("admin")], roles.add_to_payload({}, ["user"]), include_actual=True)
    assert error.reason == {"message": "wrong value", "expectedToInclude": "admin", "actualValue": ["user"]}


def test_each_validator_takes_an_age_and_an_id() -> None:
    old = {"t": MS - 60_000}
    payload = {"active": {"v": True, **old}, "level": {"v": 3, **old}, "st-role": {"v": ["a", "b"], **old}}
    inactive = {"active": {"v": False, **old}}
    for make, stored in (
        (active.is_true, payload),
        (active.is_false, inactive),
        (lambda *more: level.has_value(3, *more), payload),
        (lambda *more: roles.includes("a", *more), payload),
        (lambda *more: roles.excludes("c", *more), payload),
        (lambda *more: roles.includes_all(["a", "b"], *more), payload),
        (lambda *more: roles.includes_any(["a", "c"], *more), payload),
        (lambda *more: roles.excludes_all(["c"], *more), payload),
    ):
        assert holds(make(), stored)
        assert holds(make(61), stored)
        (error,) = failed_claims([make(59, "mine")], stored)
        assert (error.id, error.reason) == ("mine", {"message": "expired", "maxAgeInSeconds": 59})


def test_a_claim_has_an_age_for_all_its_validators() -> None:
    strict = PrimitiveArrayClaim("st-role", default_max_age_in_sec=5, clock=lambda: NOW)
    payload = {"st-role": {"v": ["a"], "t": MS - 6000}}
    assert not holds(strict.includes("a"), payload)
    assert holds(strict.includes("a", 7), payload)
    for wrong in (float("nan"), "5", True):
        with pytest.raises(SettingError, match="max_age: pass seconds"):
            active.is_true(wrong)  # type: ignore[arg-type]


def test_a_value_of_another_type_is_not_there() -> None:
    wrong: Any
    for wrong in (1, "true", [True], None):
        stored = {"active": {"v": wrong, "t": MS}}
        assert active.get_value_from_payload(stored) is None
        assert active.is_true().should_refetch(stored)
    for wrong in ([1], {}, None):
        assert level.get_value_from_payload({"level": {"v": wrong, "t": MS}}) is None
    ages = {"active": {"v": True, "t": -MS}}
    assert reason(active.is_true(10 * NOW), ages)["message"] == "expired"
    (error,) = failed_claims([active.is_true()], {}, include_actual=True)
    assert error.reason == {"message": "value does not exist", "expectedValue": True, "actualValue": None}


def test_what_is_never_in_a_list_cannot_be_asked_for() -> None:
    """Excluding a list, for instance, would let everybody in."""
    for make in (roles.includes, roles.excludes):
        for wrong in (["banned"], None, 1):
            with pytest.raises(SettingError, match="val: pass a str"):
                make(wrong)  # type: ignore[arg-type]
    for make_all in (roles.includes_all, roles.includes_any, roles.excludes_all):
        with pytest.raises(SettingError, match="val: pass a list of str"):
            make_all([1])  # type: ignore[list-item]
    no_values: list[Any] = [None, [1], {}]
    for nothing in no_values:
        with pytest.raises(SettingError, match="val: pass a string, a number or a boolean"):
            PrimitiveClaim[Any]("plan").has_value(nothing)


def test_a_new_session_gets_what_there_is_to_fetch() -> None:
    asked: list[Any] = []

    def fetch(*about: Any) -> Any:
        asked.append(about)
        return asked[0][3].get("v")

    claim = PrimitiveArrayClaim("list", fetch_value=fetch, clock=lambda: NOW)
    assert claim.build("user", "recipe user", "public") == {}
    assert asked == [("user", "recipe user", "public", {})]
    asked.clear()
    assert claim.build("user", "recipe user", "t1", {"v": ("a", "b")}) == {"list": {"v": ["a", "b"], "t": MS}}
    assert PrimitiveArrayClaim("list").build("user", "recipe user", "public") == {}


def test_what_a_host_should_fetch_anew() -> None:
    def aged(value: bool, seconds: int) -> dict[str, Any]:
        return {"st-ev": {"v": value, "t": MS - seconds * 1000}}

    claim = type(EmailVerificationClaim)("st-ev", clock=lambda: NOW)
    verified = claim.is_verified(refetch_time_on_false_in_seconds=10, max_age_in_seconds=300)
    assert verified.should_refetch({})
    assert not verified.should_refetch(aged(True, 299))
    assert verified.should_refetch(aged(True, 301))
    assert not verified.should_refetch(aged(False, 9))
    assert verified.should_refetch(aged(False, 11))
    assert not claim.is_verified().should_refetch(aged(True, 10_000_000))
    assert roles.includes("a").should_refetch({"st-role": None})
    assert not roles.includes("a").should_refetch({"st-role": {"v": [], "t": MS}})
    assert MultiFactorAuthClaim.has_completed_requirement_list([]).should_refetch({})


def test_values_are_stored_with_their_time_and_removed_in_two_ways() -> None:
    stored = roles.add_to_payload({"a": 1}, ["x"])
    assert stored == {"a": 1, "st-role": {"v": ["x"], "t": MS}}
    assert (roles.get_value_from_payload(stored), roles.get_last_refetch_time(stored)) == (["x"], MS)
    assert roles.remove_from_payload(stored) == {"a": 1}
    assert roles.remove_from_payload({}) == {}
    assert roles.remove_from_payload_by_merge(stored) == {"a": 1, "st-role": None}
    once = MultiFactorAuthClaim.add_to_payload({}, MFAClaimValue(c={"emailpassword": 1}, v=False))
    twice = MultiFactorAuthClaim.add_to_payload(once, MFAClaimValue(c={"totp": 2}, v=True))
    assert twice == {MFA: {"c": {"emailpassword": 1, "totp": 2}, "v": True}}
    assert json.loads(json.dumps(twice)) == twice
