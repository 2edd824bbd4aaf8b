"""
An app may change between an official SDK and ours, in both directions: users and sessions go on.

While it does, both serve the same users, each at an API domain of its own.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests
from werkzeug.test import TestResponse

from sdks.ours import PASSWORD, Ours, bearer, form
from sdks.peers import Peer, PeerError
from st_wsgi import RecipeUserId
from st_wsgi.recipes.emailpassword import EmailPassword, ResetToken
from st_wsgi.recipes.emailverification import EmailVerification, VerificationToken
from st_wsgi.recipes.userroles import UserRoles


def known_of(info: TestResponse) -> tuple[str, str]:
    """Return the user and the session that our protected route has seen."""
    body = info.json or {}
    return body["userId"], body["sessionHandle"]


@pytest.fixture
def theirs(sdk: Peer) -> dict[str, Any]:
    """A session that the official SDK made for a user who signed up there."""
    email = f"{uuid.uuid4().hex}@example.com"
    user = sdk.call("sign_up", email=email, password=PASSWORD)["user"]
    made: dict[str, Any] = sdk.call("create_session", user_id=user["id"], payload={"plan": "free"}, data={})
    return {**made, "email": email}


def test_a_session_of_theirs_is_verified_and_refreshed_by_ours(sdk: Peer, ours: Ours, theirs: dict[str, Any]) -> None:
    info = ours.session_info(theirs["access_token"])
    assert info.status_code == 200
    assert known_of(info) == (theirs["user_id"], theirs["handle"])
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
    known = (theirs["user_id"], theirs["handle"])
    assert known_of(ours_elsewhere.session_info(theirs["access_token"])) == known
    renewed = ours_elsewhere.post("/auth/session/refresh", token=theirs["refresh_token"])
    assert renewed.status_code == 200
    access, refresh = renewed.headers["st-access-token"], renewed.headers["st-refresh-token"]
    used = ours_elsewhere.session_info(access)
    assert known_of(used) == known
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


def test_a_verification_token_of_either_side_is_good_at_the_other(
    sdk: Peer, ours: Ours, theirs: dict[str, Any]
) -> None:
    verify = "/auth/user/email/verify"
    token = sdk.call("verification_token", user_id=theirs["user_id"])["token"]
    assert ours.post(verify, {"method": "token", "token": token}).json == {"status": "OK"}
    assert sdk.call("is_verified", user_id=theirs["user_id"]) is True
    assert sdk.call("unverify", user_id=theirs["user_id"]) == "OK"
    functions = ours.st.services.get(EmailVerification).functions
    recipe_user_id = RecipeUserId(theirs["user_id"])
    made = functions.create_email_verification_token(recipe_user_id=recipe_user_id, email=theirs["email"])
    assert isinstance(made, VerificationToken)
    assert sdk.call("verify_email", token=made.token) == "OK"
    assert functions.is_email_verified(recipe_user_id=recipe_user_id, email=theirs["email"])


def test_a_reset_token_of_one_side_is_good_at_the_other(sdk: Peer, ours: Ours, theirs: dict[str, Any]) -> None:
    token = sdk.call("reset_token", user_id=theirs["user_id"], email=theirs["email"])["token"]
    form_fields = [{"id": "password", "value": "another horse 2"}]
    body = {"formFields": form_fields, "method": "token", "token": token}
    assert ours.post("/auth/user/password/reset", body).json == {"status": "OK"}
    assert sdk.call("sign_in", email=theirs["email"], password="another horse 2")["status"] == "OK"
    functions = ours.st.services.get(EmailPassword).functions
    made = functions.create_reset_password_token(user_id=theirs["user_id"], email=theirs["email"])
    assert isinstance(made, ResetToken)
    assert sdk.call("reset_password", token=made.token, new_password="a third horse 3") == "OK"
    answer = ours.post("/auth/signin", form(theirs["email"], "a third horse 3"))
    assert (answer.json or {})["status"] == "OK"


def test_a_role_that_one_side_gave_is_in_the_sessions_of_the_other(
    sdk: Peer, ours: Ours, theirs: dict[str, Any]
) -> None:
    functions = ours.st.services.get(UserRoles).functions
    by_us, by_them = uuid.uuid4().hex, uuid.uuid4().hex
    functions.create_new_role_or_add_permissions(role=by_us, permissions=["write"])
    functions.add_role_to_user(user_id=theirs["user_id"], role=by_us)
    sdk.call("create_role", role=by_them, permissions=["read"])
    sdk.call("add_role", user_id=theirs["user_id"], role=by_them)
    mine = ours.post("/auth/signin", form(theirs["email"])).headers["st-access-token"]
    made = sdk.call("create_session", user_id=theirs["user_id"], payload={}, data={})["access_token"]
    there = requests.get(f"{sdk.url}/sessioninfo", headers=bearer(mine), timeout=20).json()
    here: dict[str, Any] = ours.session_info(made).json or {}
    for claims in (there["claims"], here["claims"]):
        assert set(claims["st-role"]["v"]) == {by_us, by_them}
        assert set(claims["st-perm"]["v"]) == {"read", "write"}
