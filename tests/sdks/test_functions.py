"""The functions of the official Node and Python SDKs behave on our core as their documentation says."""

from __future__ import annotations

import uuid
from typing import Any

import jwt
import pytest
import requests

from sdks.peers import Peer, PeerError

PASSWORD = "correct horse 1"


def fresh_email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


@pytest.fixture
def user(sdk: Peer) -> dict[str, Any]:
    """A user who just signed up."""
    made: dict[str, Any] = sdk.call("sign_up", email=fresh_email(), password=PASSWORD)["user"]
    return made


@pytest.fixture
def session(sdk: Peer, user: dict[str, Any]) -> dict[str, Any]:
    """A session of that user."""
    made: dict[str, Any] = sdk.call(
        "create_session", user_id=user["id"], payload={"plan": "free"}, data={"cart": [1, 2]}
    )
    return made


def verify(sdk: Peer, access_token: str, *, check_database: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = sdk.call("get_session", access_token=access_token, check_database=check_database)
    return found


def refused(sdk: Peer, name: str, **arguments: object) -> str:
    """The kind of error that a call ends with."""
    with pytest.raises(PeerError) as caught:
        sdk.call(name, **arguments)
    kind: str = caught.value.kind
    return kind


def test_sign_up_returns_the_whole_user(sdk: Peer) -> None:
    email = fresh_email()
    answer = sdk.call("sign_up", email=email, password=PASSWORD)
    assert answer["status"] == "OK"
    user = answer["user"]
    assert answer["recipe_user_id"] == user["id"]
    assert user["emails"] == [email]
    assert user["isPrimaryUser"] is False
    assert user["tenantIds"] == ["public"]
    (method,) = user["loginMethods"]
    assert method["recipeId"] == "emailpassword"
    assert method["recipeUserId"] == user["id"]
    assert method["email"] == email
    assert method["verified"] is False
    assert method["timeJoined"] == user["timeJoined"]


def test_a_second_sign_up_with_the_same_address_is_refused(sdk: Peer, user: dict[str, Any]) -> None:
    again = sdk.call("sign_up", email=user["emails"][0].upper(), password="another 1 password")
    assert again["status"] == "EMAIL_ALREADY_EXISTS_ERROR"


def test_sign_in_finds_the_user_and_refuses_a_wrong_password_or_address(sdk: Peer, user: dict[str, Any]) -> None:
    email = user["emails"][0]
    found = sdk.call("sign_in", email=email, password=PASSWORD)
    assert (found["status"], found["user"]["id"]) == ("OK", user["id"])
    assert sdk.call("sign_in", email=email, password="wrong 1 password")["status"] == "WRONG_CREDENTIALS_ERROR"
    assert sdk.call("sign_in", email=fresh_email(), password=PASSWORD)["status"] == "WRONG_CREDENTIALS_ERROR"


def test_a_new_session_verifies_with_and_without_the_database(
    sdk: Peer, user: dict[str, Any], session: dict[str, Any]
) -> None:
    for check_database in (False, True):
        found = verify(sdk, session["access_token"], check_database=check_database)
        assert found["user_id"] == user["id"]
        assert found["handle"] == session["handle"]
        assert found["tenant_id"] == "public"
        assert found["payload"]["plan"] == "free"


def test_a_token_that_no_core_signed_is_refused(sdk: Peer, session: dict[str, Any]) -> None:
    head, payload, signature = session["access_token"].split(".")
    other = "A" if signature[99] != "A" else "B"
    forged = f"{head}.{payload}.{signature[:99]}{other}{signature[100:]}"
    assert refused(sdk, "get_session", access_token=forged, check_database=False) == "TRY_REFRESH_TOKEN"


def test_the_core_publishes_the_key_that_signs_sessions(sdk: Peer, core_url: str, session: dict[str, Any]) -> None:
    kid = jwt.get_unverified_header(session["access_token"])["kid"]
    (key,) = [key for key in sdk.call("jwks") if key["kid"] == kid]
    claims = jwt.decode(session["access_token"], jwt.PyJWK(key), algorithms=["RS256"])
    assert claims["sessionHandle"] == session["handle"]
    published = requests.get(f"{core_url}/.well-known/jwks.json", timeout=10)
    assert kid in [key["kid"] for key in published.json()["keys"]]
    assert published.headers["Cache-Control"].startswith("max-age=")


@pytest.mark.parametrize("static", [True, False], ids=["static key", "dynamic key"])
def test_a_token_for_other_services_is_signed_with_the_chosen_key(sdk: Peer, static: bool) -> None:
    made = sdk.call("create_jwt", payload={"for": "reports"}, validity_seconds=60, use_static_key=static)
    assert made["status"] == "OK"
    kid = jwt.get_unverified_header(made["jwt"])["kid"]
    assert kid.startswith("s-" if static else "d-")
    (key,) = [key for key in sdk.call("jwks") if key["kid"] == kid]
    claims = jwt.decode(made["jwt"], jwt.PyJWK(key), algorithms=["RS256"])
    assert claims["for"] == "reports"
    assert claims["exp"] - claims["iat"] == 60


def test_refresh_rotates_both_tokens_and_keeps_the_session(sdk: Peer, session: dict[str, Any]) -> None:
    renewed = sdk.call("refresh", refresh_token=session["refresh_token"])
    assert renewed["handle"] == session["handle"]
    assert renewed["payload"]["plan"] == "free"
    assert renewed["access_token"] != session["access_token"]
    assert renewed["refresh_token"] != session["refresh_token"]
    assert verify(sdk, renewed["access_token"])["handle"] == session["handle"]


def test_using_an_old_refresh_token_after_its_successor_was_used_is_theft(sdk: Peer, session: dict[str, Any]) -> None:
    renewed = sdk.call("refresh", refresh_token=session["refresh_token"])
    promoted = verify(sdk, renewed["access_token"])
    assert promoted["updated"] is True
    assert refused(sdk, "refresh", refresh_token=session["refresh_token"]) == "TOKEN_THEFT_DETECTED"


def test_a_refresh_repeated_before_its_successor_was_used_is_no_theft(sdk: Peer, session: dict[str, Any]) -> None:
    first = sdk.call("refresh", refresh_token=session["refresh_token"])
    second = sdk.call("refresh", refresh_token=session["refresh_token"])
    assert first["handle"] == second["handle"] == session["handle"]


def test_a_refresh_token_that_the_core_never_made_is_unauthorised(sdk: Peer, session: dict[str, Any]) -> None:
    assert refused(sdk, "refresh", refresh_token=session["refresh_token"][:-4] + "AAAA") == "UNAUTHORISED"
    assert refused(sdk, "refresh", refresh_token="nonsense") == "UNAUTHORISED"


def test_a_revoked_session_neither_refreshes_nor_passes_a_database_check(sdk: Peer, session: dict[str, Any]) -> None:
    assert sdk.call("revoke", session_handle=session["handle"]) is True
    assert sdk.call("revoke", session_handle=session["handle"]) is False
    assert refused(sdk, "refresh", refresh_token=session["refresh_token"]) == "UNAUTHORISED"
    assert refused(sdk, "get_session", access_token=session["access_token"], check_database=True) == "UNAUTHORISED"
    assert sdk.call("session_information", session_handle=session["handle"]) is None


def test_all_sessions_of_a_user_are_listed_and_revoked_together(sdk: Peer, user: dict[str, Any]) -> None:
    made = {sdk.call("create_session", user_id=user["id"], payload={}, data={})["handle"] for _ in range(3)}
    assert set(sdk.call("handles", user_id=user["id"])) == made
    assert set(sdk.call("revoke_all", user_id=user["id"])) == made
    assert sdk.call("handles", user_id=user["id"]) == []


def test_what_a_session_keeps_is_read_and_replaced(sdk: Peer, user: dict[str, Any], session: dict[str, Any]) -> None:
    before = sdk.call("session_information", session_handle=session["handle"])
    assert before["user_id"] == user["id"]
    assert before["data"] == {"cart": [1, 2]}
    assert before["payload"]["plan"] == "free"
    assert before["created"] < before["expiry"]
    assert sdk.call("update_data", session_handle=session["handle"], new_session_data={"cart": []}) is True
    assert (
        sdk.call(
            "merge_payload", session_handle=session["handle"], new_access_token_payload={"plan": "paid", "seats": 2}
        )
        is True
    )
    after = sdk.call("session_information", session_handle=session["handle"])
    assert after["data"] == {"cart": []}
    assert (after["payload"]["plan"], after["payload"]["seats"]) == ("paid", 2)
    renewed = sdk.call("refresh", refresh_token=session["refresh_token"])
    assert (renewed["payload"]["plan"], renewed["payload"]["seats"]) == ("paid", 2)


def test_changes_to_a_session_that_is_gone_report_that(sdk: Peer) -> None:
    gone = str(uuid.uuid4())
    assert sdk.call("update_data", session_handle=gone, new_session_data={}) is False
    assert sdk.call("merge_payload", session_handle=gone, new_access_token_payload={"a": 1}) is False
