"""Values become JSON and core answers become values; a wrong answer is named by its path and member."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from st_wsgi.codec import from_json, member_from_json, to_json
from st_wsgi.errors import CoreReplyInvalid
from st_wsgi.users import LoginMethod, RecipeUserId, ThirdPartyInfo, User, WebauthnInfo


@attrs.frozen
class Inner:
    deep_name: int
    of_user: RecipeUserId | None = None


@attrs.frozen(kw_only=True)
class Everything:
    """One member of each kind that the protocol has."""

    status: ClassVar[str] = "OK"
    some_text: str
    yes: bool
    ratio: float
    inner: Inner
    many: tuple[Inner, ...]
    anything: Any
    free: dict[str, Any]
    maybe: str | None = None
    own_name: str = attrs.field(default="x", metadata={"wire": "snake_name"})
    hidden: str = attrs.field(default="never told", metadata={"wire": None})


VALUE = Everything(
    some_text="a",
    yes=True,
    ratio=0.5,
    inner=Inner(1, RecipeUserId("r")),
    many=(Inner(2), Inner(3)),
    anything=[None, {"snake_case": 1}],
    free={"snake_case": {"b_c": 1}},
)
JSON = {
    "status": "OK",
    "someText": "a",
    "yes": True,
    "ratio": 0.5,
    "inner": {"deepName": 1, "ofUser": "r"},
    "many": [{"deepName": 2}, {"deepName": 3}],
    "anything": [None, {"snake_case": 1}],
    "free": {"snake_case": {"b_c": 1}},
    "snake_name": "x",
}


def test_a_value_becomes_json_in_camel_case_without_what_is_none_or_hidden() -> None:
    assert to_json(VALUE) == JSON
    assert next(iter(to_json(VALUE))) == "status"


def test_json_becomes_the_same_value_again() -> None:
    assert from_json(Everything, JSON, path="/x") == VALUE


def test_unknown_members_are_ignored_and_absent_ones_take_their_default() -> None:
    assert from_json(Inner, {"deepName": 1, "new": [1]}, path="/x") == Inner(1)
    assert from_json(Inner, {"deepName": 1, "ofUser": None}, path="/x") == Inner(1)


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "x", [], {}, [1, [2]], {"a": {"b": None}}])
def test_json_types_stay_as_they_are(value: Any) -> None:
    assert to_json(value) == value


def test_sequences_and_mappings_are_followed() -> None:
    assert to_json({"a": (Inner(1), [Inner(2)])}) == {"a": [{"deepName": 1}, [{"deepName": 2}]]}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"someText": 5}, "someText is a int, not a str"),
        ({"someText": None}, "someText is a NoneType, not a str"),
        ({"yes": 1}, "yes is a int, not a bool"),
        ({"yes": "true"}, "yes is a str, not a bool"),
        ({"inner": []}, "inner is a list, not a dict"),
        ({"inner": {}}, "inner deepName is missing"),
        ({"inner": {"deepName": True}}, "inner deepName is a bool, not a int"),
        ({"inner": {"deepName": "1"}}, "inner deepName is a str, not a int"),
        ({"inner": {"deepName": 1.0}}, "inner deepName is a float, not a int"),
        ({"inner": {"deepName": 1, "ofUser": 5}}, "inner ofUser is a int, not a str"),
        ({"many": {}}, "many is a dict, not a list"),
        ({"many": [{"deepName": 1}, None]}, "many is a NoneType, not a dict"),
        ({"free": None}, "free is a NoneType, not a dict"),
        ({"maybe": 5}, "maybe is a int, not a str"),
    ],
)
def test_a_wrong_answer_names_the_call_and_the_member_and_converts_nothing(
    change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(CoreReplyInvalid) as refused:
        from_json(Everything, JSON | change, path="/recipe/signin")
    assert refused.value.path == "/recipe/signin"
    assert refused.value.problem == problem
    assert str(refused.value) == f"the core gave an invalid reply to /recipe/signin: {problem}"


@pytest.mark.parametrize("name", ["someText", "yes", "inner", "many", "anything", "free"])
def test_a_missing_member_is_named(name: str) -> None:
    without = {key: value for key, value in JSON.items() if key != name}
    with pytest.raises(CoreReplyInvalid, match=f"/x: {name} is missing"):
        from_json(Everything, without, path="/x")


@pytest.mark.parametrize("data", [None, [], "x", 5])
def test_an_answer_that_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(CoreReplyInvalid, match="not a dict"):
        from_json(Inner, data, path="/x")


def test_one_member_of_an_answer() -> None:
    assert member_from_json(str, {"jwt": "a.b.c"}, "jwt", path="/x") == "a.b.c"
    for answer in ({}, {"jwt": None}, {"jwt": 5}, {"jwt": ["a"]}):
        with pytest.raises(CoreReplyInvalid, match=r"/recipe/jwt: jwt is (missing|a .*, not a str)"):
            member_from_json(str, answer, "jwt", path="/recipe/jwt")
    with pytest.raises(CoreReplyInvalid):
        member_from_json(int, {"count": True}, "count", path="/users/count")


_TEXTS = st.text(max_size=8)
_TIMES = st.integers(0, 2**53)
_METHODS = st.builds(
    LoginMethod,
    recipe_id=_TEXTS,
    recipe_user_id=st.builds(RecipeUserId, _TEXTS),
    tenant_ids=st.lists(_TEXTS, max_size=2).map(tuple),
    verified=st.booleans(),
    time_joined=_TIMES,
    email=st.none() | _TEXTS,
    phone_number=st.none() | _TEXTS,
    third_party=st.none() | st.builds(ThirdPartyInfo, _TEXTS, _TEXTS),
    webauthn=st.none() | st.builds(WebauthnInfo, st.lists(_TEXTS, max_size=2).map(tuple)),
)
_USERS = st.builds(
    User,
    id=_TEXTS,
    is_primary_user=st.booleans(),
    tenant_ids=st.lists(_TEXTS, max_size=2).map(tuple),
    time_joined=_TIMES,
    emails=st.lists(_TEXTS, max_size=2).map(tuple),
    phone_numbers=st.lists(_TEXTS, max_size=2).map(tuple),
    third_party=st.lists(st.builds(ThirdPartyInfo, _TEXTS, _TEXTS), max_size=2).map(tuple),
    login_methods=st.lists(_METHODS, max_size=2).map(tuple),
    webauthn=st.builds(WebauthnInfo, st.lists(_TEXTS, max_size=2).map(tuple)),
)


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(_USERS)
def test_users_survive_the_round_trip(user: User) -> None:
    assert from_json(User, to_json(user), path="/user/id") == user
