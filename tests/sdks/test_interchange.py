"""
An app may change between an official SDK and ours, in both directions: users and sessions go on.

While it does, both serve the same users, each at an API domain of its own.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests

from sdks.ours import PASSWORD, Ours, bearer, form
from sdks.peers import Peer, PeerError


@pytest.fixture
def theirs(sdk: Peer) -> dict[str, Any]:
    """A session that the official SDK made for somebody who signed up there."""
    email = f"{uuid.uuid4().hex}@example.com"
    user = sdk.call("sign_up", email=email, password=PASSWORD)["user"]
    made: dict[str, Any] = sdk.call("create_session", user_id=user["id"], payload={"plan": "free"}, data={})
    return {**made, "email": email}


def test_a_session_of_theirs_is_verified_and_refreshed_by_ours(sdk: Peer, ours: Ours, theirs: dict[str, Any]) -> None:
    info = ours.session_info(theirs["access_token"])
    assert info.status_code == 200
    assert info.json == {"userId": theirs["user_id"], "sessionHandle": theirs["handle"]}
    renewed = ours.post("/auth/session/refresh", token=theirs["refresh_token"])
    assert renewed.status_code == 200
    found = sdk.call("get_session", access_token=renewed.headers["st-access-token"], check_database=True)
    assert (found["handle"], found["payload"]["plan"]) == (theirs["handle"], "free")


def test_a_session_of_ours_is_verified_and_refreshed_by_theirs(sdk: Peer, ours: Ours) -> None:
    made = ours.post("/auth/signup", form(f"{uuid.uuid4().hex}@example.com"))
    user_id = (made.json or {})["user"]["id"]
    access, refresh = made.headers["st-access-token"], made.headers["st-refresh-token"]
    info = requests.get(f"{sdk.url}/sessioninfo", headers=bearer(access), timeout=20)
    assert (info.status_code, info.json()["userId"]) == (200, user_id)
    renewed = sdk.call("refresh", refresh_token=refresh)
    assert renewed["user_id"] == user_id
    assert ours.session_info(renewed["access_token"]).status_code == 200


def test_users_of_either_side_sign_in_at_the_other(sdk: Peer, ours: Ours, theirs: dict[str, Any]) -> None:
    answer = ours.post("/auth/signin", form(theirs["email"]))
    assert (answer.json or {})["user"]["id"] == theirs["user_id"]
    email = f"{uuid.uuid4().hex}@example.com"
    user_id = (ours.post("/auth/signup", form(email)).json or {})["user"]["id"]
    assert sdk.call("sign_in", email=email, password=PASSWORD)["user"]["id"] == user_id


def test_theft_is_noticed_across_the_two(sdk: Peer, ours: Ours, theirs: dict[str, Any]) -> None:
    renewed = ours.post("/auth/session/refresh", token=theirs["refresh_token"])
    assert ours.session_info(renewed.headers["st-access-token"]).status_code == 200
    with pytest.raises(PeerError) as caught:
        sdk.call("refresh", refresh_token=theirs["refresh_token"])
    assert caught.value.kind == "TOKEN_THEFT_DETECTED"


def test_a_session_of_theirs_goes_on_at_our_domain_and_back_again(
    sdk: Peer, ours_elsewhere: Ours, theirs: dict[str, Any]
) -> None:
    known = {"userId": theirs["user_id"], "sessionHandle": theirs["handle"]}
    assert ours_elsewhere.session_info(theirs["access_token"]).json == known
    renewed = ours_elsewhere.post("/auth/session/refresh", token=theirs["refresh_token"])
    assert renewed.status_code == 200
    access, refresh = renewed.headers["st-access-token"], renewed.headers["st-refresh-token"]
    used = ours_elsewhere.session_info(access)
    assert used.json == known
    there = requests.get(f"{sdk.url}/sessioninfo", headers=bearer(used.headers["st-access-token"]), timeout=20)
    assert (there.status_code, there.json()["userId"]) == (200, theirs["user_id"])
    assert sdk.call("refresh", refresh_token=refresh)["handle"] == theirs["handle"]


def test_a_session_of_our_domain_goes_on_at_theirs_and_back_again(sdk: Peer, ours_elsewhere: Ours) -> None:
    made = ours_elsewhere.post("/auth/signup", form(f"{uuid.uuid4().hex}@example.com"))
    user_id = (made.json or {})["user"]["id"]
    access, refresh = made.headers["st-access-token"], made.headers["st-refresh-token"]
    there = requests.get(f"{sdk.url}/sessioninfo", headers=bearer(access), timeout=20)
    assert (there.status_code, there.json()["userId"]) == (200, user_id)
    renewed = sdk.call("refresh", refresh_token=refresh)
    used = sdk.call("get_session", access_token=renewed["access_token"], check_database=True)
    back = ours_elsewhere.session_info(used["access_token"])
    assert (back.json or {})["userId"] == user_id
    assert ours_elsewhere.post("/auth/session/refresh", token=renewed["refresh_token"]).status_code == 200
