"""Second factors that a resource server asks for, and when they were completed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from werkzeug.test import Client

from st_verify import (
    ClaimError,
    MFAClaimValue,
    MultiFactorAuthClaim,
    SettingError,
    failed_claims,
    requires_second_factor,
)
from st_verify.claims import ClaimValidator, Payload
from st_verify.wsgi import CsrfMode, Protect, SessionGuard, session_of
from verify.minting import NOW, Bench, payload, these, token
from verify.sites import bearer

MFA = "st-mfa"
UNMET = {"message": "MFA requirement for auth is not satisfied"}


@pytest.fixture(autouse=True)
def _at_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MultiFactorAuthClaim, "clock", lambda: float(NOW))


def session(*, complete: Any = True, **times: Any) -> Payload:
    """A payload with factors, each with the seconds since its completion."""
    ages = {name.replace("_", "-"): NOW - age for name, age in times.items()}
    return {MFA: {"c": ages, "v": complete}}


def reason(validator: ClaimValidator, payload: Payload) -> Any:
    """Why a payload is refused; None if it is not."""
    errors = failed_claims([validator], payload)
    assert [error.id for error in errors] == [MFA] * len(errors)
    return errors[0].reason if errors else None


BOTH = session(emailpassword=100, totp=50)


def test_two_factors_of_any_kind() -> None:
    assert reason(requires_second_factor(), BOTH) is None
    assert reason(requires_second_factor(), session(emailpassword=100)) == UNMET
    assert reason(requires_second_factor(), session(complete=False, emailpassword=100, totp=50)) == UNMET


def test_the_steps_of_a_list() -> None:
    assert reason(requires_second_factor("totp"), BOTH) is None
    assert reason(requires_second_factor({"oneOf": ["otp-phone", "totp"]}, "emailpassword"), BOTH) is None
    assert reason(requires_second_factor({"allOfInAnyOrder": ["totp", "emailpassword"]}), BOTH) is None
    missing = requires_second_factor("totp", "otp-email")
    assert reason(missing, BOTH) == {
        "message": "Factor validation failed: otp-email not completed",
        "factorId": "otp-email",
    }
    assert reason(requires_second_factor({"oneOf": ["otp-email", "webauthn"]}), BOTH) == {
        "message": "None of these factors are complete in the session: otp-email, webauthn",
        "oneOf": ["otp-email", "webauthn"],
    }
    assert reason(requires_second_factor({"allOfInAnyOrder": ["totp", "webauthn"]}), BOTH) == {
        "message": "Some of the factors are not complete in the session: totp, webauthn",
        "allOfInAnyOrder": ["totp", "webauthn"],
    }


def test_a_factor_that_is_the_only_one_is_no_second_factor() -> None:
    """Users can sign in with a code by mail alone."""
    assert reason(requires_second_factor("otp-email"), session(otp_email=1)) == UNMET


@pytest.mark.parametrize(("age", "counts"), [(0, True), (300, True), (301, False), (-60, True), (-61, False)])
def test_a_factor_counts_for_a_while(age: int, counts: bool) -> None:
    """It may be a minute in the future, since clocks differ."""
    payload = session(emailpassword=5000, totp=age)
    expired = {"message": "Factor validation failed: totp not completed", "factorId": "totp", "maxAgeInSeconds": 300}
    assert reason(requires_second_factor("totp", max_age=300), payload) == (None if counts else expired)
    unmet = {**UNMET, "maxAgeInSeconds": 300}
    assert reason(requires_second_factor(max_age=300), payload) == (None if counts else unmet)
    assert reason(requires_second_factor("totp"), payload) is None


def test_every_factor_of_a_list_must_be_recent() -> None:
    payload = session(emailpassword=400, totp=50, webauthn=20)
    assert reason(requires_second_factor({"allOfInAnyOrder": ["totp", "webauthn"]}, max_age=60), payload) is None
    late = reason(requires_second_factor({"allOfInAnyOrder": ["totp", "webauthn"]}, max_age=30), payload)
    assert (late["allOfInAnyOrder"], late["maxAgeInSeconds"]) == (["totp", "webauthn"], 30)
    assert reason(requires_second_factor({"oneOf": ["totp", "webauthn"]}, max_age=30), payload) is None
    assert reason(requires_second_factor({"oneOf": ["totp", "emailpassword"]}, max_age=30), payload) is not None


@pytest.mark.parametrize(
    "claim",
    these(
        None,
        True,
        [],
        "totp",
        {},
        {"v": True},
        {"c": {"emailpassword": NOW, "totp": NOW}},
        {"v": 1, "c": {"emailpassword": NOW, "totp": NOW}},
        {"v": True, "c": ["emailpassword", "totp"]},
        {"v": True, "c": {"emailpassword": NOW, "totp": "now"}},
        {"v": True, "c": {"emailpassword": NOW, "totp": True}},
        {"v": True, "c": {"emailpassword": NOW, "totp": -1}},
        {"v": True, "c": {"emailpassword": NOW, "totp": None}},
    ),
)
def test_a_session_without_a_proper_claim_fails(claim: Any) -> None:
    for validator in (requires_second_factor(), requires_second_factor("totp", max_age=60)):
        assert reason(validator, {MFA: claim}) == {"message": "value does not exist"}
        assert reason(validator, {}) == {"message": "value does not exist"}


def test_a_hostile_time_is_no_error() -> None:
    assert reason(requires_second_factor("totp", max_age=60), session(emailpassword=0, totp=NOW - 10**400)) is not None


@pytest.mark.parametrize("max_age", these(0, -1, float("nan"), float("inf"), True, "60"))
def test_invalid_max_age(max_age: Any) -> None:
    with pytest.raises(SettingError, match="max_age: pass seconds"):
        requires_second_factor("totp", max_age=max_age)


@pytest.mark.parametrize("step", these(5, None, ["totp"], {}, {"anyOf": ["totp"]}, {"oneOf": "totp"}, {"oneOf": [5]}))
def test_invalid_steps(step: Any) -> None:
    with pytest.raises(SettingError, match="a step is a factor id"):
        requires_second_factor(step)


def test_the_times_of_factors() -> None:
    bench = Bench()
    times = {"emailpassword": NOW - 100, "totp": NOW - 50}
    verified = bench.verifier.verify(token(body=payload(**{MFA: {"c": times, "v": True}})))
    assert MultiFactorAuthClaim.get_value_from_payload(verified.claims) == MFAClaimValue(c=times, v=True)
    assert MultiFactorAuthClaim.get_value_from_payload(bench.verifier.verify(token()).claims) is None


def test_the_reason_tells_nothing_of_the_user() -> None:
    [error] = failed_claims([requires_second_factor("totp", max_age=60)], session(emailpassword=7, webauthn=123))
    assert isinstance(error, ClaimError)
    assert "webauthn" not in json.dumps(dict(error.reason)) and str(NOW - 123) not in json.dumps(dict(error.reason))


def test_a_protected_app() -> None:
    """V-166: what the web SDK reads to lead the user on."""
    bench = Bench()
    guard = SessionGuard(bench.verifier, csrf=CsrfMode.NONE, transport="header")

    def app(environ: Any, start_response: Any) -> list[bytes]:
        session = session_of(environ)
        assert session is not None
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [session.user_id.encode()]

    client = Client(Protect(app, guard, requires_second_factor("totp", max_age=300)))
    served = client.get("/", headers=bearer(token(body=payload(**session(emailpassword=400, totp=299)))))
    assert (served.status_code, served.text) == (200, "user-1")
    refused = client.get("/", headers=bearer(token(body=payload(**session(emailpassword=400, totp=301)))))
    reason = {"message": "Factor validation failed: totp not completed", "factorId": "totp", "maxAgeInSeconds": 300}
    assert (refused.status_code, refused.json) == (
        403,
        {"message": "invalid claim", "claimValidationErrors": [{"id": MFA, "reason": reason}]},
    )
    without = client.get("/", headers=bearer(token()))
    assert (without.status_code, (without.json or {})["claimValidationErrors"]) == (
        403,
        [{"id": MFA, "reason": {"message": "value does not exist"}}],
    )
