"""
Answers have exactly the fields that the official Node SDK's types name.

Each call of this suite that the core in memory answers is held against the type of its path, method and status; here
is the rest: that there are types, and that a misfit is found.
"""

from __future__ import annotations

import pytest

from contract.client import Caller, fresh
from contract.official_types import Types, misfits, official_types, unlike_the_types
from st_wsgi.embedded import absent
from st_wsgi.embedded.core import ENDPOINTS

UNTYPED = {
    "POST /bulk-import/import",
    "GET /bulk-import/users/count",
    "POST /recipe/user/metadata/bulk",
    "POST /recipe/totp/device/status/bulk",
    "POST /",
    "PUT /",
    "DELETE /",
}
"""Endpoints that the official core serves and the types leave out."""


@pytest.fixture(scope="module")
def types() -> Types:
    """What the package says today."""
    return official_types()


def test_every_endpoint_has_a_type(types: Types) -> None:
    """The types name each endpoint that is served."""
    served = {f"{endpoint.method} {endpoint.path.rstrip('/') or '/'}" for endpoint in ENDPOINTS}
    away = {f"{endpoint.method} {endpoint.path}" for endpoint in absent.ENDPOINTS}
    assert {call for call in served - away if "200" not in types.get(call, {})} == UNTYPED


def test_a_call_is_held_against_its_type(types: Types, base: Caller) -> None:
    """A field that is missing, one that no type names and a value of another kind are found in an answer."""
    answer = base.post("/recipe/signup", email=f"{fresh('typed')}@example.com", password="secret 1").has()
    call = ("POST", "/recipe/signup")
    assert unlike_the_types(types, *call, answer) == []
    user = dict(answer["user"])
    del user["isPrimaryUser"]
    method = {**user["loginMethods"][0], "timeJoined": "now", "shoeSize": 43}
    lines = unlike_the_types(types, *call, {**answer, "user": {**user, "loginMethods": [method]}})
    assert sorted(lines) == [
        "POST /recipe/signup: answer.user.isPrimaryUser: missing",
        "POST /recipe/signup: answer.user.loginMethods[].shoeSize: not named",
        'POST /recipe/signup: answer.user.loginMethods[].timeJoined: "now" is no {"type": "number"}',
    ]
    unknown = unlike_the_types(types, *call, {"status": "NO_LUCK_ERROR"})
    assert unknown == ['POST /recipe/signup: answer.status: "NO_LUCK_ERROR" is no {"value": "OK"}']


def test_a_list_of_users_is_held_against_their_type(types: Types, app: Caller) -> None:
    """Also where the official core gives an answer another shape than the types say, no field of it goes unseen."""
    app.post("/recipe/signup", email=f"{fresh('typed')}@example.com", password="secret 1").has()
    answer = app.get("/users").has()
    assert unlike_the_types(types, "GET", "/users", answer) == []
    wrong = {**answer["users"][0], "shoeSize": 43, "emails": [None]}
    assert sorted(unlike_the_types(types, "GET", "/users", {**answer, "users": [wrong]})) == [
        'GET /users: answer.users[].user.emails[]: null is no {"type": "string"}',
        "GET /users: answer.users[].user.shoeSize: not named",
    ]
    imported = {"status": "OK", "users": [{"userId": 5}]}
    assert unlike_the_types(types, "POST", "/bulk-import/users", imported) == [
        'POST /bulk-import/users: answer.users.userId: 5 is no {"type": "string"}'
    ]
    waiting = {"status": "OK", "users": [{"status": "NEW", "userMetadata": 5}]}
    assert unlike_the_types(types, "GET", "/bulk-import/users", waiting) == [
        'GET /bulk-import/users: answer.users[].userMetadata[]: 5 is no {"object": {}, "others": [{}]}'
    ]


def test_alternatives_are_told_apart_by_their_status() -> None:
    """An answer is held against the alternative with its status, also when another one has more of its fields."""
    ok = {"object": {"status": {"is": [{"value": "OK"}], "optional": False}}}
    other = {
        "object": {
            "status": {"is": [{"value": "OTHER"}], "optional": False},
            "text": {"is": [{"type": "string"}], "optional": False},
        }
    }
    assert misfits({"status": "OTHER", "text": "x"}, [ok, other]) == []
    assert misfits({"status": "OK", "text": "x"}, [ok, other]) == ["answer.text: not named"]
    assert misfits({"status": "OTHER"}, [ok, other]) == ["answer.text: missing"]
