"""Finding, listing, counting and deleting users."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from contract.client import Caller, email, fresh
from contract.covered import covers
from contract.expectations import TEXT, Some
from contract.logins import by_code, linked, social
from contract.test_emailpassword import sign_up
from contract.test_sessions import create

LIST = Some("list", lambda value: isinstance(value, list))


def people(app: Caller, count: int) -> list[dict[str, Any]]:
    """Sign people up and return them in the order of a listing, the oldest first."""
    users = [sign_up(app) for _ in range(count)]
    # Of the same millisecond, the greater id comes first.
    users.sort(key=lambda user: user["id"], reverse=True)
    users.sort(key=lambda user: user["timeJoined"])
    return users


def pages(app: Caller, **params: str) -> list[list[dict[str, Any]]]:
    """Follow the pagination tokens and return the pages."""
    found = []
    answer = app.get("/users", **params).has(users=LIST)
    found.append(answer["users"])
    while "nextPaginationToken" in answer:
        answer = app.get("/users", **params, paginationToken=answer["nextPaginationToken"]).has(users=LIST)
        found.append(answer["users"])
    return found


@covers("GET /users")
@pytest.mark.parametrize("order", ["ASC", "DESC", None])
def test_pages(app: Caller, tenant: Caller, order: str | None) -> None:
    """All users of a tenant come, once each and in order, whatever the size of the pages."""
    users = people(tenant, 7)
    if order == "DESC":
        users.sort(key=lambda user: user["id"], reverse=True)
        users.sort(key=lambda user: user["timeJoined"], reverse=True)
    params = {} if order is None else {"timeJoinedOrder": order}
    for size in (1, 2, 3, 7, 8):
        found = pages(tenant, limit=str(size), **params)
        assert [len(page) for page in found[:-1]] == [size] * (len(found) - 1)
        assert [user["id"] for page in found for user in page] == [user["id"] for user in users]
    assert pages(tenant, **params) == [users]


def test_the_token_names_the_next_row(tenant: Caller) -> None:
    """A pagination token is the base64 of the first user of the next page, and may be made by hand."""
    users = people(tenant, 3)
    answer = tenant.get("/users", limit="1").has(nextPaginationToken=TEXT)
    expected = f"{users[1]['id']};{users[1]['timeJoined']}"
    assert base64.b64decode(answer["nextPaginationToken"]).decode() == expected
    for spelled in (f"{expected};;", f"{expected.replace(';', ';+')}"):
        token = base64.b64encode(spelled.encode()).decode().rstrip("=")
        tenant.get("/users", paginationToken=token).says("OK", users=users[1:])
    unreadable = base64.b64encode(b"\xff;0").decode()
    tenant.get("/users", paginationToken=unreadable, timeJoinedOrder="ASC").says("OK", users=users)
    tenant.get("/users", paginationToken=f"{unreadable}=").refused(400, "invalid pagination token")


def test_listing_fields(app: Caller) -> None:
    """Sizes, orders, tokens and recipes are checked."""
    app.get("/users", limit="501").refused(400, "max limit allowed is 500")
    app.get("/users", limit="0").refused(400, "limit must a positive integer with min value 1")
    app.get("/users", timeJoinedOrder="asc").refused(400, "timeJoinedOrder can be either ASC OR DESC")
    for token in ("x", base64.b64encode(b"a;b;c").decode(), base64.b64encode(b"a;b").decode()):
        app.get("/users", paginationToken=token).refused(400, "invalid pagination token")
    app.get("/users", includeRecipeIds="emailpassword,nothing").refused(400, "Unknown recipe ID: nothing")
    app.get("/users/count", includeRecipeIds="nothing").refused(400, "Unknown recipe ID: nothing")


def test_listing_by_recipe(tenant: Caller) -> None:
    """A listing may be narrowed to recipes."""
    users = people(tenant, 2)
    tenant.get("/users", includeRecipeIds=" emailpassword, thirdparty").says("OK", users=users)
    tenant.get("/users", includeRecipeIds="thirdparty").says("OK", users=[])
    tenant.get("/users/count", includeRecipeIds="emailpassword").says("OK", count=2)
    tenant.get("/users/count", includeRecipeIds="passwordless,thirdparty").says("OK", count=0)


@covers("GET /user/search/tags")
def test_search(app: Caller, tenant: Caller) -> None:
    """An email is found by its start or by the start of its domain; several tags are alternatives."""
    app.get("/user/search/tags").says("OK", tags=["email", "phone", "provider"])
    first, second, third = (
        sign_up(tenant, f"{name}@{domain}")["id"]
        for name, domain in (("alice", "one.example"), ("bob", "two.example"), ("alan_b", "two.example"))
    )

    def found(**tags: str) -> set[str]:
        answer = tenant.get("/users", **tags).has(users=LIST)
        assert "nextPaginationToken" not in answer
        return {user["id"] for user in answer["users"]}

    assert found(email="AL") == {first, third}
    assert found(email="two.") == {second, third}
    assert found(email="alice; bob") == {first, second}
    assert found(email="lice") == set()
    assert found(email="one", limit="1000") == {first}
    assert found(phone="+49") == set()
    assert found(provider="google") == set()
    assert found(email="al", provider="google") == set()
    assert found(email=" ; ") == {first, second, third}
    assert found(email="al%b") == found(email="alan_") == {third}
    assert found(email="%lice") == found(email="_lice") == {first}
    odd = sign_up(tenant, '"ann@home"@three.example')["id"]
    assert found(email='"ann@') == found(email="home") == found(email="three") == {odd}
    account = social(tenant, "cleo@one.example", provider="Google")
    number = by_code(tenant, phoneNumber="+491701234567")
    assert found(provider="goo") == found(email="one", provider="goo") == {account}
    assert found(provider="x") == found(email="two", provider="goo") == set()
    assert found(email="one") == {first, account}
    assert found(phone="+4917") == {number}


@covers("GET /users/count")
def test_count(make_app: Callable[..., Caller], app: Caller) -> None:
    """Users are counted in a tenant, or in the whole app."""
    app.get("/users/count").has()
    own = make_app()
    own.put("/recipe/multitenancy/tenant/v2", tenantId="t1").has(createdNew=True)
    people(own, 2)
    people(own.below("t1"), 1)
    own.get("/users/count").says("OK", count=2)
    own.below("t1").get("/users/count").says("OK", count=1)
    own.get("/users/count", includeAllTenants="true").says("OK", count=3)
    own.below("t1").get("/users/count", includeAllTenants="true").refused(
        403, "Only public tenantId can call this app specific API"
    )


def test_count_of_users_without_a_tenant(make_app: Callable[..., Caller]) -> None:
    """A user who left the last tenant counts nowhere, not even in the whole app, until they join one again."""
    app = make_app()
    app.put("/recipe/multitenancy/tenant/v2", tenantId="t1").has(createdNew=True)
    there = app.below("t1")
    here, apart = sign_up(app)["id"], sign_up(there)["id"]
    first, second = sign_up(app)["id"], social(app)
    linked(app, first, second)

    def count(everywhere: int, public: int, **params: str) -> None:
        app.get("/users/count", includeAllTenants="true", **params).says("OK", count=everywhere)
        app.get("/users/count", **params).says("OK", count=public)

    def leave(tenant: Caller, user_id: str) -> None:
        tenant.post("/recipe/multitenancy/tenant/user/remove", recipeUserId=user_id).says("OK", wasAssociated=True)

    count(3, 2)
    leave(app, here)
    count(2, 1)
    app.get("/user/id", userId=here).has()
    leave(there, apart)
    count(1, 1)
    leave(app, first)
    count(1, 1)
    count(0, 0, includeRecipeIds="emailpassword")
    count(1, 1, includeRecipeIds="thirdparty")
    leave(app, second)
    count(0, 0)
    there.post("/recipe/multitenancy/tenant/user", recipeUserId=here).has(wasAlreadyAssociated=False)
    count(1, 0)
    app.post("/recipe/multitenancy/tenant/remove", tenantId="t1").says("OK", didExist=True)
    count(0, 0)


@covers("GET /users/count/active")
def test_active_users(make_app: Callable[..., Caller], app: Caller) -> None:
    """Signing up, signing in and sessions count as activity, once a user."""
    app.get("/users/count/active", since="0").has()
    own = make_app()
    own.get("/users/count/active", since="0").says("OK", count=0)
    address = email()
    user = sign_up(own, address)
    sign_up(own)
    own.post("/recipe/signin", email=address, password="correct horse").has()
    create(own, user["id"])
    own.get("/users/count/active", since="0").says("OK", count=2)
    own.get("/users/count/active", since="99999999999999").says("OK", count=0)
    own.get("/users/count/active", since="-1").refused(400, "'since' query parameter must be >= 0")


@pytest.mark.parametrize("by_external_id", [False, True])
def test_activity_of_removed_users(make_app: Callable[..., Caller], *, by_external_id: bool) -> None:
    """It goes with the user; of a mapped one it is kept, since their data is looked for under the external id."""
    app = make_app()
    plain, mapped, unmapped = (sign_up(app)["id"] for _ in range(3))
    for user_id in (mapped, unmapped):
        app.post("/recipe/userid/map", superTokensUserId=user_id, externalUserId=f"old-{user_id}").says("OK")
        create(app, f"old-{user_id}")
    app.post("/recipe/userid/map/remove", userId=unmapped, force=True).says("OK", didMappingExist=True)
    app.get("/users/count/active", since="0").says("OK", count=3)
    for user_id, left in ((plain, 2), (unmapped, 1), (f"old-{mapped}" if by_external_id else mapped, 1)):
        app.post("/user/remove", userId=user_id).says("OK")
        app.get("/user/id", userId=user_id).says("UNKNOWN_USER_ID_ERROR")
        app.get("/users/count/active", since="0").says("OK", count=left)
    create(app, "stranger")
    app.get("/users/count/active", since="0").says("OK", count=2)


@covers("GET /user/id")
def test_by_id(app: Caller) -> None:
    """A user is found by id."""
    user = sign_up(app)
    app.get("/user/id", userId=user["id"]).says("OK", user=user)
    app.get("/user/id", userId="ghost").says("UNKNOWN_USER_ID_ERROR")


@covers("GET /users/by-accountinfo")
def test_by_account_info(app: Caller, tenant: Caller) -> None:
    """Users are found in a tenant by identities: by any of them, or by all."""
    path, address = "/users/by-accountinfo", email()
    user = sign_up(app, address)
    app.get(path, email=f" {address.upper()} ", doUnionOfAccountInfo="false").says("OK", users=[user])
    app.get(path, email=address, phoneNumber="+491701234567", doUnionOfAccountInfo="true").says("OK", users=[user])
    app.get(path, email=address, phoneNumber="+491701234567", doUnionOfAccountInfo="false").says("OK", users=[])
    app.get(path, email=address, thirdPartyId="google", thirdPartyUserId="1", doUnionOfAccountInfo="false").says(
        "OK", users=[]
    )
    app.get(path, doUnionOfAccountInfo="true").says("OK", users=[])
    tenant.get(path, email=address, doUnionOfAccountInfo="true").says("OK", users=[])
    app.get(path, email=address).refused(400, "Field name 'doUnionOfAccountInfo' is missing in GET request")
    app.get(path, doUnionOfAccountInfo="yes").refused(400, "'doUnionOfAccountInfo' should be either 'true' or 'false'")
    app.get(path, thirdPartyId="google", doUnionOfAccountInfo="true").refused(
        400, "If 'thirdPartyId' is provided, 'thirdPartyUserId' must also be provided, and vice versa"
    )


@covers("POST /user/remove")
def test_remove(app: Caller) -> None:
    """A deleted user is gone with everything that was kept about him; the email is free again."""
    address, role = email(), fresh("role")
    user_id = sign_up(app, address)["id"]
    session = create(app, user_id)
    app.put("/recipe/user/metadata", userId=user_id, metadataUpdate={"a": 1}).has()
    app.put("/recipe/role", role=role).has()
    app.put("/recipe/user/role", userId=user_id, role=role).has()
    verify = app.post("/recipe/user/email/verify/token", userId=user_id, email=address).body["token"]
    reset = app.post("/recipe/user/password/reset/token", userId=user_id, email=address).body["token"]
    app.post("/user/remove", userId=user_id).says("OK")
    app.get("/user/id", userId=user_id).says("UNKNOWN_USER_ID_ERROR")
    app.post("/recipe/signin", email=address, password="correct horse").says("WRONG_CREDENTIALS_ERROR")
    app.get("/recipe/session", sessionHandle=session["session"]["handle"]).says(
        "UNAUTHORISED", message="Session does not exist."
    )
    app.get("/recipe/user/metadata", userId=user_id).says("OK", metadata={})
    app.get("/recipe/role/users", role=role).says("OK", users=[])
    app.post("/recipe/user/email/verify", method="token", token=verify).says("EMAIL_VERIFICATION_INVALID_TOKEN_ERROR")
    app.post("/recipe/user/password/reset/token/consume", token=reset).says("RESET_PASSWORD_INVALID_TOKEN_ERROR")
    app.post("/user/remove", userId=user_id).says("OK")
    assert sign_up(app, address)["id"] != user_id


def test_remove_without_linked_accounts(app: Caller) -> None:
    """For a user with one login method it makes no difference."""
    user_id = sign_up(app)["id"]
    app.post("/user/remove", userId=user_id, removeAllLinkedAccounts=False).says("OK")
    app.get("/user/id", userId=user_id).says("UNKNOWN_USER_ID_ERROR")
