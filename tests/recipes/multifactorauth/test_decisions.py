"""The tables of second factors, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from st_wsgi import LoginMethod, RecipeUserId, User
from st_wsgi.errors import ConfigError
from st_wsgi.recipes.multifactorauth.decisions import (
    contacts,
    factor_by_email,
    factors_by_code,
    first_factors_of,
    next_step,
    setup_problem,
    sign_in_emails,
)
from st_wsgi.recipes.totp.apis import may_remove
from st_wsgi.recipes.totp.types import Device

ONE, ALL = {"oneOf": ["a", "b"]}, {"allOfInAnyOrder": ["a", "b"]}


@pytest.mark.parametrize(
    ("steps", "completed", "expected"),
    [
        ([], "", ""),
        (["a"], "", "a"),
        (["a"], "a", ""),
        (["a"], "b", "a"),
        ([ONE], "", "ab"),
        ([ONE], "b", ""),
        ([{"oneOf": []}], "", ""),
        ([ALL], "", "ab"),
        ([ALL], "a", "b"),
        ([ALL], "ab", ""),
        ([{"allOfInAnyOrder": []}], "", ""),
        ([{"allOfInAnyOrder": ["a", "a"]}], "", "a"),
        # One step after the other: a later one that is done does not make up for an earlier one.
        (["a", "b"], "b", "a"),
        (["a", ONE, "c"], "a", "c"),
        (["c", ONE, ALL], "c", "ab"),
        ([ONE, ALL, "c"], "a", "b"),
        ([ONE, ALL, "c"], "ab", "c"),
    ],
)
def test_next_step(steps: list[Any], completed: str, expected: str) -> None:
    assert "".join(next_step(set(completed), steps)) == expected


@pytest.mark.parametrize(
    "steps",
    [
        None,
        "a",
        [None],
        [1],
        [["a"]],
        [{}],
        [{"oneOf": "a"}],
        [{"oneOf": None}],
        [{"oneOf": [1]}],
        [{"anyOf": ["a"]}],
        [{"oneOf": ["a"], "allOfInAnyOrder": ["b"]}],
        {"oneOf": ["a"]},
    ],
)
def test_an_override_that_returns_no_steps_is_an_error(steps: Any) -> None:
    with pytest.raises(ConfigError, match="get_mfa_requirements_for_auth must return"):
        next_step({"a"}, steps)


@pytest.mark.parametrize(
    ("step", "set_up", "factor", "allowed"),
    [
        ("", "", "a", True),
        ("", "b", "a", True),
        ("ab", "a", "a", False),
        ("ab", "b", "a", False),
        ("ab", "b", "c", False),
        ("ab", "", "a", True),
        ("ab", "c", "a", True),
        ("ab", "", "c", False),
        ("ab", "c", "c", False),
    ],
)
def test_setup_problem(step: str, set_up: str, factor: str, allowed: bool) -> None:
    assert (setup_problem(factor, step=tuple(step), set_up=tuple(set_up)) is None) == allowed


def device(name: str, *, verified: bool) -> Device:
    return Device(name=name, period=30, skew=1, verified=verified)


@pytest.mark.parametrize(
    ("verified", "unverified", "name", "allowed"),
    [
        ([], [], "phone", True),
        ([], ["phone"], "phone", True),
        (["phone"], [], "phone", False),
        (["phone"], [], "tablet", False),
        (["phone"], ["tablet"], "tablet", True),
        (["phone"], ["tablet"], "phone", False),
        (["phone"], ["tablet"], "Tablet", False),
        (["phone"], ["tablet"], " tablet", False),
        # A database may take these names for that of the verified device.
        (["phone"], ["tablet"], "Phone", False),
        (["phone"], ["PHONE"], "PHONE", False),
        (["phone"], ["\uff50hone"], "\uff50hone", False),
        (["Device1"], ["device1"], "device1", False),
        (["\u212aey"], ["key"], "key", False),
    ],
)
def test_f_16_may_remove(verified: list[str], unverified: list[str], name: str, allowed: bool) -> None:
    devices = [device(one, verified=True) for one in verified] + [device(one, verified=False) for one in unverified]
    assert may_remove(name, tuple(devices)) == allowed


def method(recipe_id: str, at: int, **contact: Any) -> LoginMethod:
    return LoginMethod(
        recipe_id=recipe_id,
        recipe_user_id=RecipeUserId(f"R{at}"),
        tenant_ids=("public",),
        time_joined=at,
        **{"verified": True, **contact},
    )


def user(*methods: LoginMethod) -> User:
    return User(
        id="R1",
        is_primary_user=True,
        tenant_ids=("public",),
        time_joined=1,
        emails=(),
        phone_numbers=(),
        third_party=(),
        login_methods=methods,
    )


FAKE = "x@stfakeemail.supertokens.com"
WORD, CODES, HUB = "emailpassword", "passwordless", "thirdparty"


@pytest.mark.parametrize(
    ("methods", "session", "expected"),
    [
        ([method(HUB, 1, email="a")], 0, ["a"]),
        ([method(HUB, 1, email=FAKE)], 0, [FAKE]),
        ([method(HUB, 1, email=FAKE), method(CODES, 2, email="b")], 0, ["b"]),
        ([method(HUB, 2, email="a"), method(CODES, 1, email="b")], 1, ["b", "a"]),
        ([method(HUB, 2, email="a"), method(CODES, 1, email="b")], 0, ["a", "b"]),
        ([method(HUB, 1, email="a"), method(CODES, 2, email="a")], 0, ["a"]),
        ([method(CODES, 1, phone_number="1")], 0, []),
        # Those with a password come alone, verified ones first and made-up ones last.
        ([method(HUB, 1, email="a"), method(WORD, 2, email="b")], 0, ["b"]),
        ([method(WORD, 1, email=FAKE), method(WORD, 2, email="b", verified=False), method(WORD, 3, email="c")], 2,
         ["c", "b", FAKE]),
        ([method(WORD, 1, email=FAKE), method(WORD, 2, email="b")], 0, [FAKE, "b"]),
    ],
)  # fmt: skip
def test_the_addresses_for_a_password(methods: list[LoginMethod], session: int, expected: list[str]) -> None:
    assert sign_in_emails(user(*methods), methods[session], recipe_id=WORD) == expected


def test_an_address_is_made_up_for_a_password_alone() -> None:
    ada = method(CODES, 1, phone_number="1")
    assert factor_by_email(WORD, makes_up=True).emails(user(ada), ada) == {WORD: ["r1@stfakeemail.supertokens.com"]}
    assert factor_by_email("webauthn").emails(user(ada), ada) == {"webauthn": []}


@pytest.mark.parametrize(
    ("methods", "session", "expected"),
    [
        ([method(WORD, 1, email="a")], 0, ["a"]),
        ([method(WORD, 1, email=FAKE)], 0, []),
        ([method(WORD, 1, email="a"), method(CODES, 2, email="b")], 0, ["b"]),
        ([method(WORD, 2, email="a"), method(HUB, 1, email="b")], 0, ["a", "b"]),
        ([method(WORD, 1, email="a"), method(CODES, 3, email="b"), method(CODES, 2, email="c")], 0, ["c", "b"]),
        ([method(WORD, 1, email="a"), method(CODES, 3, email="b"), method(CODES, 2, email="c")], 1, ["b", "c"]),
    ],
)
def test_the_addresses_for_a_code(methods: list[LoginMethod], session: int, expected: list[str]) -> None:
    told = factors_by_code(CODES, ["otp-email", "otp-phone"])
    assert told.emails(user(*methods), methods[session]) == {"otp-email": expected}


def test_the_numbers_for_a_code() -> None:
    ada, phone = method(WORD, 1, email="a"), method(CODES, 2, phone_number="1")
    told = factors_by_code(CODES, ["link-email", "otp-phone", "link-phone"])
    assert told.phone_numbers(user(ada, phone), ada) == {"otp-phone": ["1"], "link-phone": ["1"]}
    assert contacts(user(ada), ada, lambda one: one.phone_number, recipe_id=CODES) == []
    assert told.set_up(user(ada, phone)) == ["otp-phone", "link-phone"]
    assert told.set_up(user(ada, method(CODES, 2, email="b"))) == ["link-email"]
    assert told.set_up(user(ada, method(CODES, 2, email=FAKE))) == []


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (method(WORD, 1, email="a"), (WORD,)),
        (method(HUB, 1, email="a"), (HUB,)),
        (method("webauthn", 1, email="a"), ("webauthn",)),
        (method(CODES, 1, email="a"), ("link-email", "otp-email")),
        (method(CODES, 1, phone_number="1"), ("link-phone", "otp-phone")),
        (method("another", 1), ()),
    ],
)
def test_first_factors_of_a_login_method(one: LoginMethod, expected: tuple[str, ...]) -> None:
    assert first_factors_of(one) == expected
