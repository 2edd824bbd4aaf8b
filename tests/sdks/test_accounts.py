"""What the official Node and Python SDKs keep about users on our core: roles, metadata, addresses, ids, lists."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from sdks.peers import Peer

PASSWORD = "correct horse 1"


def fresh(kind: str) -> str:
    """A name that no other test uses."""
    return f"{kind}-{uuid.uuid4().hex}"


@pytest.fixture
def user(sdk: Peer) -> dict[str, Any]:
    """A user who just signed up."""
    email = f"{fresh('user')}@example.com"
    made: dict[str, Any] = sdk.call("sign_up", email=email, password=PASSWORD)["user"]
    return made


def test_metadata_is_merged_at_the_first_level_and_null_removes(sdk: Peer, user: dict[str, Any]) -> None:
    user_id = user["id"]
    assert sdk.call("get_metadata", user_id=user_id) == {}
    first = {"theme": "dark", "address": {"city": "Oslo", "zip": "0150"}}
    assert sdk.call("update_metadata", user_id=user_id, change=first) == first
    change = {"theme": None, "address": {"city": "Bergen"}, "visits": 1}
    expected = {"address": {"city": "Bergen"}, "visits": 1}
    assert sdk.call("update_metadata", user_id=user_id, change=change) == expected
    assert sdk.call("get_metadata", user_id=user_id) == expected
    assert sdk.call("clear_metadata", user_id=user_id) == "OK"
    assert sdk.call("get_metadata", user_id=user_id) == {}


def test_roles_gain_and_lose_permissions(sdk: Peer) -> None:
    role, permission = fresh("role"), fresh("permission")
    assert sdk.call("create_role", role=role, permissions=[permission]) == {"status": "OK", "created_new_role": True}
    again = sdk.call("create_role", role=role, permissions=["read"])
    assert again == {"status": "OK", "created_new_role": False}
    assert sorted(sdk.call("permissions_of", role=role)["permissions"]) == sorted([permission, "read"])
    assert sdk.call("roles_with_permission", permission=permission) == [role]
    assert role in sdk.call("all_roles")
    assert sdk.call("remove_permissions", role=role, permissions=[permission])["status"] == "OK"
    assert sdk.call("permissions_of", role=role)["permissions"] == ["read"]
    assert sdk.call("delete_role", role=role) is True
    assert sdk.call("delete_role", role=role) is False
    assert sdk.call("permissions_of", role=role)["status"] == "UNKNOWN_ROLE_ERROR"


def test_users_gain_and_lose_roles_and_sessions_carry_them(sdk: Peer, user: dict[str, Any]) -> None:
    role, user_id = fresh("role"), user["id"]
    assert sdk.call("add_role", user_id=user_id, role=role)["status"] == "UNKNOWN_ROLE_ERROR"
    sdk.call("create_role", role=role, permissions=["read", "write"])
    assert sdk.call("add_role", user_id=user_id, role=role)["did_user_already_have_role"] is False
    assert sdk.call("add_role", user_id=user_id, role=role)["did_user_already_have_role"] is True
    assert sdk.call("roles_of", user_id=user_id) == [role]
    assert sdk.call("users_with_role", role=role)["users"] == [user_id]
    payload = sdk.call("create_session", user_id=user_id, payload={}, data={})["payload"]
    assert payload["st-role"]["v"] == [role]
    assert sorted(payload["st-perm"]["v"]) == ["read", "write"]
    assert sdk.call("remove_role", user_id=user_id, role=role)["did_user_have_role"] is True
    assert sdk.call("remove_role", user_id=user_id, role=role)["did_user_have_role"] is False
    assert sdk.call("roles_of", user_id=user_id) == []


def test_deleting_a_role_takes_it_from_its_users(sdk: Peer, user: dict[str, Any]) -> None:
    role = fresh("role")
    sdk.call("create_role", role=role, permissions=[])
    sdk.call("add_role", user_id=user["id"], role=role)
    assert sdk.call("delete_role", role=role) is True
    assert sdk.call("roles_of", user_id=user["id"]) == []


def test_an_address_is_verified_once_with_its_token(sdk: Peer, user: dict[str, Any]) -> None:
    user_id = user["id"]
    assert sdk.call("is_verified", user_id=user_id) is False
    made = sdk.call("verification_token", user_id=user_id)
    assert made["status"] == "OK"
    assert sdk.call("verify_email", token="nonsense") == "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR"
    assert sdk.call("verify_email", token=made["token"]) == "OK"
    assert sdk.call("verify_email", token=made["token"]) == "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR"
    assert sdk.call("is_verified", user_id=user_id) is True
    assert sdk.call("get_user", user_id=user_id)["loginMethods"][0]["verified"] is True
    assert sdk.call("verification_token", user_id=user_id)["status"] == "EMAIL_ALREADY_VERIFIED_ERROR"
    assert sdk.call("unverify", user_id=user_id) == "OK"
    assert sdk.call("is_verified", user_id=user_id) is False


def test_revoked_verification_tokens_do_not_verify(sdk: Peer, user: dict[str, Any]) -> None:
    token = sdk.call("verification_token", user_id=user["id"])["token"]
    assert sdk.call("revoke_verification_tokens", user_id=user["id"]) == "OK"
    assert sdk.call("verify_email", token=token) == "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR"


def test_a_password_is_reset_once_with_its_token(sdk: Peer, user: dict[str, Any]) -> None:
    email = user["emails"][0]
    made = sdk.call("reset_token", user_id=user["id"], email=email)
    assert made["status"] == "OK"
    assert sdk.call("reset_password", token=made["token"], new_password="a new 1 password") == "OK"
    again = sdk.call("reset_password", token=made["token"], new_password="yet another 1")
    assert again == "RESET_PASSWORD_INVALID_TOKEN_ERROR"
    assert sdk.call("sign_in", email=email, password=PASSWORD)["status"] == "WRONG_CREDENTIALS_ERROR"
    assert sdk.call("sign_in", email=email, password="a new 1 password")["status"] == "OK"


def test_a_consumed_reset_token_names_its_user_and_ends_the_others(sdk: Peer, user: dict[str, Any]) -> None:
    email = user["emails"][0]
    first, second = (sdk.call("reset_token", user_id=user["id"], email=email)["token"] for _ in range(2))
    consumed = sdk.call("consume_reset_token", token=first)
    assert (consumed["status"], consumed["user_id"], consumed["email"]) == ("OK", user["id"], email)
    assert sdk.call("consume_reset_token", token=second)["status"] == "RESET_PASSWORD_INVALID_TOKEN_ERROR"


def test_a_reset_token_for_an_unknown_user_is_refused(sdk: Peer) -> None:
    answer = sdk.call("reset_token", user_id=str(uuid.uuid4()), email="nobody@example.com")
    assert answer["status"] == "UNKNOWN_USER_ID_ERROR"


def test_address_and_password_change_unless_the_address_is_taken(sdk: Peer, user: dict[str, Any]) -> None:
    taken = f"{fresh('taken')}@example.com"
    sdk.call("sign_up", email=taken, password=PASSWORD)
    refused = sdk.call("update_account", user_id=user["id"], email=taken, password=None)
    assert refused == "EMAIL_ALREADY_EXISTS_ERROR"
    new = f"{fresh('new')}@example.com"
    assert sdk.call("update_account", user_id=user["id"], email=new, password="a new 1 password") == "OK"
    assert sdk.call("sign_in", email=new, password="a new 1 password")["user"]["id"] == user["id"]
    assert sdk.call("sign_in", email=user["emails"][0], password=PASSWORD)["status"] == "WRONG_CREDENTIALS_ERROR"


def test_users_are_found_by_id_and_by_address(sdk: Peer, user: dict[str, Any]) -> None:
    assert sdk.call("get_user", user_id=user["id"]) == user
    assert sdk.call("users_by_email", email=user["emails"][0]) == [user]
    assert sdk.call("get_user", user_id=str(uuid.uuid4())) is None
    assert sdk.call("users_by_email", email="nobody@example.com") == []


@pytest.mark.parametrize("newest_first", [False, True], ids=["oldest first", "newest first"])
def test_pages_of_users_cover_everyone_once_in_order(sdk: Peer, newest_first: bool) -> None:
    ids = [sdk.call("sign_up", email=f"{fresh('page')}@example.com", password=PASSWORD)["user"]["id"] for _ in range(3)]
    listed: list[str] = []
    token: str | None = None
    while True:
        page = sdk.call("users", newest_first=newest_first, limit=2, pagination_token=token)
        assert 1 <= len(page["ids"]) <= 2
        listed += page["ids"]
        token = page["next"]
        if token is None:
            break
    assert len(listed) == len(set(listed)) == sdk.call("count_users")
    assert [found for found in listed if found in ids] == (ids[::-1] if newest_first else ids)


def test_a_deleted_user_is_gone_with_their_sessions(sdk: Peer, user: dict[str, Any]) -> None:
    sdk.call("create_session", user_id=user["id"], payload={}, data={})
    before = sdk.call("count_users")
    assert sdk.call("delete_user", user_id=user["id"]) == "OK"
    assert sdk.call("get_user", user_id=user["id"]) is None
    assert sdk.call("count_users") == before - 1
    assert sdk.call("handles", user_id=user["id"]) == []
    assert sdk.call("sign_in", email=user["emails"][0], password=PASSWORD)["status"] == "WRONG_CREDENTIALS_ERROR"


def test_a_user_with_an_id_of_the_app_is_known_by_it_everywhere(sdk: Peer, user: dict[str, Any]) -> None:
    own = fresh("app")
    mapped = sdk.call(
        "map_user", user_id=user["id"], external_user_id=own, external_user_id_info="old system", force=False
    )
    assert mapped["status"] == "OK"
    expected = {"status": "OK", "user_id": user["id"], "external_user_id": own, "info": "old system"}
    assert sdk.call("mapping_of", user_id=own) == expected
    assert sdk.call("mapping_of", user_id=user["id"]) == expected
    assert sdk.call("sign_in", email=user["emails"][0], password=PASSWORD)["user"]["id"] == own
    assert sdk.call("get_user", user_id=user["id"])["id"] == own
    session = sdk.call("create_session", user_id=own, payload={}, data={})
    assert session["user_id"] == own
    assert sdk.call("unmap_user", user_id=own, force=True) is True
    assert sdk.call("unmap_user", user_id=own, force=True) is False
    assert sdk.call("mapping_of", user_id=own) == {"status": "UNKNOWN_MAPPING_ERROR"}
    assert sdk.call("get_user", user_id=user["id"])["id"] == user["id"]


def test_a_mapping_for_an_unknown_user_is_refused(sdk: Peer) -> None:
    nobody = str(uuid.uuid4())
    answer = sdk.call(
        "map_user", user_id=nobody, external_user_id=fresh("app"), external_user_id_info=None, force=False
    )
    assert answer["status"] == "UNKNOWN_SUPERTOKENS_USER_ID_ERROR"
