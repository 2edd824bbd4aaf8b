"""Account linking: primary users, links, and what linked accounts mean for everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contract.client import Caller, email, fresh
from contract.covered import covers
from contract.expectations import AnyOrder
from contract.logins import (
    by_code,
    clicked,
    code,
    consume,
    link,
    linked,
    make_primary,
    method_ids,
    phone,
    sign_in_up,
    social,
    user,
)
from contract.test_emailpassword import SECRET, sign_up
from contract.test_idmapping import MAP
from contract.test_sessions import create, refresh

PRIMARY, LINK = "/recipe/accountlinking/user/primary", "/recipe/accountlinking/user/link"
UNLINK = "/recipe/accountlinking/user/unlink"
TAKEN = "ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"
NOT_PRIMARY = "INPUT_USER_IS_NOT_A_PRIMARY_USER"
UNKNOWN = "Unknown user ID provided"


@covers(f"POST {PRIMARY}", f"GET {PRIMARY}/check")
def test_primary_users(app: Caller) -> None:
    """A user becomes primary once, and asking whether they could changes nothing."""
    user_id = sign_up(app)["id"]
    app.get(f"{PRIMARY}/check", recipeUserId=user_id).says("OK", wasAlreadyAPrimaryUser=False)
    before = user(app, user_id)
    assert before["isPrimaryUser"] is False
    after = {**before, "isPrimaryUser": True}
    make_primary(app, user_id).says("OK", wasAlreadyAPrimaryUser=False, user=after)
    make_primary(app, user_id).says("OK", wasAlreadyAPrimaryUser=True, user=after)
    app.get(f"{PRIMARY}/check", recipeUserId=user_id).says("OK", wasAlreadyAPrimaryUser=True)
    make_primary(app, "nobody").refused(400, UNKNOWN)
    app.get(f"{PRIMARY}/check", recipeUserId="nobody").refused(400, UNKNOWN)


@covers(f"POST {LINK}", f"GET {LINK}/check")
def test_links(app: Caller) -> None:
    """A linked login method belongs to the primary user, whatever id names it."""
    address, number = email(), phone()
    first, second = sign_up(app, address)["id"], social(app, address)
    third = by_code(app, phoneNumber=number)
    app.get(f"{LINK}/check", recipeUserId=second, primaryUserId=first).says(NOT_PRIMARY)
    link(app, second, first).says(NOT_PRIMARY)
    make_primary(app, first).has()
    app.get(f"{LINK}/check", recipeUserId=second, primaryUserId=first).says("OK", accountsAlreadyLinked=False)
    link(app, second, first).has(accountsAlreadyLinked=False)
    # A linked login method's id stands for the user too.
    shown = link(app, third, second).has(accountsAlreadyLinked=False)["user"]
    assert shown["id"] == first
    assert method_ids(shown) == {first, second, third}
    assert (shown["emails"], shown["phoneNumbers"]) == ([address], [number])
    assert shown["timeJoined"] == shown["loginMethods"][0]["timeJoined"]
    for name in (first, second, third):
        assert user(app, name) == shown
    link(app, second, first).says("OK", accountsAlreadyLinked=True, user=shown)
    app.get(f"{LINK}/check", recipeUserId=second, primaryUserId=first).says("OK", accountsAlreadyLinked=True)
    make_primary(app, second).says(
        "RECIPE_USER_ID_ALREADY_LINKED_WITH_PRIMARY_USER_ID_ERROR",
        primaryUserId=first,
        description="This user ID is already linked to another user ID",
    )


def test_unknown_ids(app: Caller) -> None:
    """An id that no user has is refused; one that something is kept about exists, but cannot be linked."""
    user_id, ghost = sign_up(app)["id"], fresh("ghost")
    for path in (LINK, f"{LINK}/check"):
        call = app.post if path == LINK else app.get
        call(path, recipeUserId=ghost, primaryUserId=user_id).refused(400, UNKNOWN)
        call(path, recipeUserId=user_id, primaryUserId=ghost).refused(400, UNKNOWN)
    app.put("/recipe/user/metadata", userId=ghost, metadataUpdate={"a": 1}).has()
    link(app, ghost, user_id).says(NOT_PRIMARY)
    make_primary(app, user_id).has()
    link(app, ghost, user_id).refused(400, UNKNOWN)
    app.post(UNLINK, recipeUserId=ghost).refused(400, UNKNOWN)


def test_two_primary_users_are_not_linked(app: Caller) -> None:
    """A primary user, or what is linked to one, is linked to no other."""
    first, second = sign_up(app)["id"], sign_up(app)["id"]
    other = linked(app, second, social(app))
    make_primary(app, first).has()
    refusal = {
        "primaryUserId": other,
        "description": "The input recipe user ID is already linked to another user ID",
    }
    status = "RECIPE_USER_ID_ALREADY_LINKED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR"
    for name in method_ids(user(app, other)):
        link(app, name, first).says(status, **refusal, user=user(app, other))
        app.get(f"{LINK}/check", recipeUserId=name, primaryUserId=first).says(status, **refusal)


def test_an_identity_is_one_primary_users(app: Caller, tenant: Caller) -> None:
    """In a tenant no two primary users have the same email, phone number or provider's account."""
    address, number, account = email(), phone(), fresh("account")
    owner = linked(
        app, sign_up(app, address)["id"], by_code(app, phoneNumber=number), social(app, email(), account=account)
    )
    by_email = {
        "primaryUserId": owner,
        "description": "This user's email is already associated with another user ID",
    }
    same_email = social(app, address)
    make_primary(app, same_email).says(TAKEN, **by_email)
    app.get(f"{PRIMARY}/check", recipeUserId=same_email).says(TAKEN, **by_email)
    other = sign_up(app)["id"]
    make_primary(app, other).has()
    link(app, same_email, other).says(TAKEN, **by_email)
    app.get(f"{LINK}/check", recipeUserId=same_email, primaryUserId=other).says(TAKEN, **by_email)
    # In another tenant the identities are free, until a link brings the two tenants together.
    elsewhere = {
        "email": social(tenant, address),
        "phone number": by_code(tenant, phoneNumber=number),
        "third party login": social(tenant, email(), account=account),
    }
    for what, user_id in elsewhere.items():
        app.get(f"{PRIMARY}/check", recipeUserId=user_id).has(wasAlreadyAPrimaryUser=False)
        description = f"This user's {what} is already associated with another user ID"
        link(app, user_id, other).says(TAKEN, primaryUserId=owner, description=description)


@covers(f"POST {UNLINK}")
def test_unlink(app: Caller) -> None:
    """An unlinked login method is a user of its own; the id of the user stays with the others."""
    first, second = sign_up(app)["id"], social(app)
    linked(app, first, second)
    app.post(UNLINK, recipeUserId=second).says("OK", wasLinked=True, wasRecipeUserDeleted=False)
    app.post(UNLINK, recipeUserId=second).says("OK", wasLinked=False, wasRecipeUserDeleted=False)
    assert (user(app, second)["isPrimaryUser"], method_ids(user(app, second))) == (False, {second})
    assert (user(app, first)["isPrimaryUser"], method_ids(user(app, first))) == (True, {first})
    app.post(UNLINK, recipeUserId=first).says("OK", wasLinked=True, wasRecipeUserDeleted=False)
    assert user(app, first)["isPrimaryUser"] is False


def test_unlinking_what_gave_the_user_its_id(app: Caller) -> None:
    """That login method is deleted, since two users cannot have one id; the user stays, with its data."""
    address = email()
    first, second = sign_up(app, address)["id"], social(app)
    linked(app, first, second)
    app.put("/recipe/user/metadata", userId=first, metadataUpdate={"a": 1}).has()
    app.post(UNLINK, recipeUserId=first).says("OK", wasLinked=True, wasRecipeUserDeleted=True)
    app.post("/recipe/signin", email=address, password=SECRET).says("WRONG_CREDENTIALS_ERROR")
    for name in (first, second):
        assert (user(app, name)["id"], method_ids(user(app, name))) == (first, {second})
    app.get("/recipe/user/metadata", userId=first).has(metadata={"a": 1})
    # With its last login method the user is gone; the id is still known as one that was a user's.
    app.post(UNLINK, recipeUserId=second).says("OK", wasLinked=True, wasRecipeUserDeleted=False)
    app.get("/user/id", userId=first).says("UNKNOWN_USER_ID_ERROR")
    assert user(app, second)["id"] == second


def test_removing_linked_accounts(app: Caller) -> None:
    """A user is removed whole, or one login method at a time; with the last one everything about the user goes."""
    first, second, third = sign_up(app)["id"], social(app), by_code(app, phoneNumber=phone())
    linked(app, first, second, third)
    for name in (first, second):
        app.put("/recipe/user/metadata", userId=name, metadataUpdate={"of": name}).has()
    app.post("/user/remove", userId=first, removeAllLinkedAccounts=False).says("OK")
    app.get("/recipe/user/metadata", userId=first).has(metadata={"of": first})
    assert method_ids(user(app, first)) == {second, third}
    assert user(app, first)["timeJoined"] == user(app, first)["loginMethods"][0]["timeJoined"]
    app.post("/user/remove", userId=second, removeAllLinkedAccounts=False).says("OK")
    app.get("/recipe/user/metadata", userId=second).has(metadata={})
    app.post("/user/remove", userId=third, removeAllLinkedAccounts=False).says("OK")
    app.get("/recipe/user/metadata", userId=first).has(metadata={})
    whole = linked(app, sign_up(app)["id"], social(app))
    names = method_ids(user(app, whole))
    app.post("/user/remove", userId=max(names - {whole})).says("OK")
    for name in (first, second, third, *names):
        app.get("/user/id", userId=name).says("UNKNOWN_USER_ID_ERROR")


def test_removing_what_gave_the_user_its_id_twice(app: Caller) -> None:
    """The id of a login method that is gone means the last one that is left: the user ends with it."""
    address = email()
    first, second = sign_up(app)["id"], sign_up(app, address)["id"]
    linked(app, first, second)
    for removed in (first, first):
        app.get("/user/id", userId=second).has()
        app.post("/user/remove", userId=removed, removeAllLinkedAccounts=False).says("OK")
    for name in (first, second):
        app.get("/user/id", userId=name).says("UNKNOWN_USER_ID_ERROR")
    app.post("/recipe/signin", email=address, password=SECRET).says("WRONG_CREDENTIALS_ERROR")
    assert sign_up(app, address)["id"] not in (first, second)


def test_sign_in_to_a_linked_account(app: Caller) -> None:
    """Each recipe answers with the whole user, and says which login method it was."""
    address, account = email(), fresh("account")
    first, second = sign_up(app, address)["id"], social(app, address, account=account)
    third = by_code(app, email=address)
    linked(app, first, second, third)
    shown = user(app, first)
    app.post("/recipe/signin", email=address, password=SECRET).says("OK", user=shown, recipeUserId=first)
    sign_in_up(app, address, account=account).says("OK", createdNewUser=False, user=shown, recipeUserId=second)
    consume(app, clicked(code(app, email=address))).has(createdNewUser=False, user=shown, recipeUserId=third)


def test_sessions_of_linked_accounts(app: Caller) -> None:
    """A session names the user and the login method; linking and unlinking end the login method's sessions."""
    first, second = sign_up(app)["id"], social(app)
    before = create(app, second)["session"]["handle"]
    linked(app, first, second)
    app.get("/recipe/session", sessionHandle=before).says("UNAUTHORISED", message="Session does not exist.")
    session = create(app, second)
    named = {"userId": first, "recipeUserId": second}
    handle = session["session"]["handle"]
    assert {name: session["session"][name] for name in named} == named
    child = refresh(app, session["refreshToken"]["token"]).has()["session"]
    assert {name: child[name] for name in named} == named
    app.get("/recipe/session", sessionHandle=handle).has(**named)
    own = create(app, first)["session"]["handle"]
    of_user = "/recipe/session/user"
    for name in (first, second):
        app.get(of_user, userId=name).says("OK", sessionHandles=AnyOrder(own, handle))
    app.get(of_user, userId=first, fetchSessionsForAllLinkedAccounts="false").says("OK", sessionHandles=[own])
    app.post("/recipe/session/remove", userId=first, revokeSessionsForLinkedAccounts=False).says(
        "OK", sessionHandlesRevoked=[own]
    )
    app.post(UNLINK, recipeUserId=second).has()
    app.get(of_user, userId=second).says("OK", sessionHandles=[])
    link(app, second, first).has()
    both = [create(app, name)["session"]["handle"] for name in (first, second)]
    app.post("/recipe/session/remove", userId=first).says("OK", sessionHandlesRevoked=AnyOrder(*both))


def test_linked_accounts_in_listings(tenant: Caller, app: Caller) -> None:
    """A linked user is listed and counted once, at the place of the oldest login method."""
    address = email()
    first, second, third = social(tenant), sign_up(tenant)["id"], by_code(tenant, email=address)
    linked(app, third, first)
    shown, alone = user(app, third), user(app, second)

    def check(users: list[dict[str, Any]]) -> None:
        ordered = sorted(users, key=lambda one: str(one["id"]), reverse=True)
        for order, newest_first in (("ASC", False), ("DESC", True)):
            ordered.sort(key=lambda one: int(one["timeJoined"]), reverse=newest_first)
            tenant.get("/users", timeJoinedOrder=order).says("OK", users=ordered)

    check([shown, alone])
    tenant.get("/users", includeRecipeIds="passwordless").says("OK", users=[shown])
    tenant.get("/users", email=address.split("@", maxsplit=1)[0]).says("OK", users=[shown])
    tenant.get("/users/count").says("OK", count=2)
    tenant.get("/users/count", includeRecipeIds="thirdparty,passwordless").says("OK", count=1)
    for union in ("true", "false"):
        tenant.get("/users/by-accountinfo", email=address, doUnionOfAccountInfo=union).says("OK", users=[shown])
    # Once unlinked, each has a place of its own again.
    app.post(UNLINK, recipeUserId=first).has()
    check([user(app, name) for name in (first, second, third)])


def test_account_info_of_one_user(app: Caller, tenant: Caller) -> None:
    """All of the given identities are one user's, whatever the login methods and tenants that have them."""
    address, number = email(), phone()
    owner = linked(app, sign_up(app, address)["id"], by_code(tenant, phoneNumber=number))
    by_info = "/users/by-accountinfo"
    both = {"email": address, "phoneNumber": number}
    app.get(by_info, **both, doUnionOfAccountInfo="false").says("OK", users=[user(app, owner)])
    app.get(by_info, phoneNumber=number, doUnionOfAccountInfo="true").says("OK", users=[])
    stranger = by_code(app, phoneNumber=number)
    app.get(by_info, **both, doUnionOfAccountInfo="false").says("OK", users=[user(app, owner)])
    everybody = AnyOrder(user(app, owner), user(app, stranger))
    app.get(by_info, **both, doUnionOfAccountInfo="true").says("OK", users=everybody)


def test_changing_the_email_of_a_primary_user(app: Caller) -> None:
    """Another primary user's email is not allowed, which is said before that it is taken."""
    taken, own = email(), email()
    make_primary(app, sign_up(app, taken)["id"]).has()
    first, second = sign_up(app)["id"], by_code(app, email=own)
    reason = "New email is associated with another primary user ID"
    app.put("/recipe/user", recipeUserId=first, email=taken).says("EMAIL_ALREADY_EXISTS_ERROR")
    linked(app, first, second)
    app.put("/recipe/user", recipeUserId=first, email=taken).says("EMAIL_CHANGE_NOT_ALLOWED_ERROR", reason=reason)
    body = {"recipeUserId": second, "email": taken}
    app.call("PUT", "/recipe/user", body, headers={"rid": "passwordless"}).says(
        "EMAIL_CHANGE_NOT_ALLOWED_ERROR", reason=reason
    )
    # One's own is fine, also when another login method of the same user has it.
    app.put("/recipe/user", recipeUserId=first, email=own).says("OK")


def test_changing_the_phone_of_a_primary_user(app: Caller, tenant: Caller) -> None:
    """The same of phone numbers; the other user may have it in another of the user's tenants."""
    taken, number = phone(), phone()
    make_primary(app, by_code(tenant, phoneNumber=taken)).has()
    owner = linked(app, by_code(app, phoneNumber=number), sign_up(tenant)["id"])
    body = {"recipeUserId": owner, "phoneNumber": taken}
    app.call("PUT", "/recipe/user", body, headers={"rid": "passwordless"}).says(
        "PHONE_NUMBER_CHANGE_NOT_ALLOWED_ERROR",
        reason="New phone number is associated with another primary user ID",
    )


def test_a_provider_reports_the_email_of_another_primary_user(app: Caller) -> None:
    """A primary user does not take it over; every other user does."""
    taken, account = email(), fresh("account")
    make_primary(app, sign_up(app, taken)["id"]).has()
    owner = social(app, account=account)
    sign_in_up(app, taken, account=account).has(createdNewUser=False)
    sign_in_up(app, email(), account=account).has()
    make_primary(app, owner).has()
    sign_in_up(app, taken, account=account).says(
        "EMAIL_CHANGE_NOT_ALLOWED_ERROR", reason="Email already associated with another primary user."
    )


@pytest.mark.parametrize("kind", ["email", "phone number", "third party info"])
def test_joining_a_tenant_with_the_same_identity(app: Caller, tenant: Caller, kind: str) -> None:
    """A primary user does not join a tenant where another has one of its identities, of any login method."""
    address, number, account = email(), phone(), fresh("account")
    create_one: dict[str, Callable[[Caller], str]] = {
        "email": lambda place: social(place, address),
        "phone number": lambda place: by_code(place, phoneNumber=number),
        "third party info": lambda place: social(place, email(), account=account),
    }
    statuses = {
        "email": "EMAIL_ALREADY_EXISTS_ERROR",
        "phone number": "PHONE_NUMBER_ALREADY_EXISTS_ERROR",
        "third party info": "THIRD_PARTY_USER_ALREADY_EXISTS_ERROR",
    }
    owner = linked(app, sign_up(app)["id"], create_one[kind](app))
    other = linked(app, create_one[kind](tenant))
    join = "/recipe/multitenancy/tenant/user"
    for name in method_ids(user(app, owner)):
        tenant.post(join, recipeUserId=name).says(statuses[kind])
    app.post("/user/remove", userId=other).says("OK")
    for name in method_ids(user(app, owner)):
        tenant.post(join, recipeUserId=name).says("OK", wasAlreadyAssociated=False)


def test_joining_as_another_primary_user_with_the_email(app: Caller, tenant: Caller) -> None:
    """The same email of another recipe is no clash of login methods, but of primary users."""
    address = email()
    owner, other = sign_up(app, address)["id"], social(tenant, address)
    join = "/recipe/multitenancy/tenant/user"
    make_primary(app, owner).has()
    make_primary(app, other).has()
    tenant.post(join, recipeUserId=owner).says(
        "ASSOCIATION_NOT_ALLOWED_ERROR", reason=f"Another primary user with email already exists: {other}"
    )
    app.post(UNLINK, recipeUserId=other).has()
    tenant.post(join, recipeUserId=owner).says("OK", wasAlreadyAssociated=False)


def test_joining_by_the_id_of_a_user_whose_own_login_method_is_gone(app: Caller, tenant: Caller) -> None:
    """The user's other login methods are compared first; then the login method of that id is missed."""
    address = email()
    first, second = social(app), social(app, address)
    linked(app, first, second)
    app.post(UNLINK, recipeUserId=first).says("OK", wasLinked=True, wasRecipeUserDeleted=True)
    join = "/recipe/multitenancy/tenant/user"
    tenant.post(join, recipeUserId=first).says("UNKNOWN_USER_ID_ERROR")
    other = sign_up(tenant, address)["id"]
    make_primary(app, other).has()
    tenant.post(join, recipeUserId=first).says(
        "ASSOCIATION_NOT_ALLOWED_ERROR", reason=f"Another primary user with email already exists: {other}"
    )


def test_external_ids_of_linked_accounts(app: Caller) -> None:
    """Users and login methods are named by their external ids, each by its own."""
    address = email()
    first, second = sign_up(app)["id"], social(app, address)
    names = {first: fresh("first"), second: fresh("second")}
    for user_id, name in names.items():
        app.post(MAP, superTokensUserId=user_id, externalUserId=name).says("OK")
    make_primary(app, names[first]).has()
    shown = link(app, names[second], names[first]).has()["user"]
    assert (shown["id"], method_ids(shown)) == (names[first], set(names.values()))
    for name in (*names, *names.values()):
        assert user(app, name) == shown
    session = create(app, names[second])["session"]
    assert (session["userId"], session["recipeUserId"]) == (names[first], names[second])
    other = by_code(app, email=address)
    make_primary(app, other).says(
        TAKEN,
        primaryUserId=names[first],
        description="This user's email is already associated with another user ID",
    )
    app.post(UNLINK, recipeUserId=names[first]).has(wasRecipeUserDeleted=True)
    # The id, and its mapping, outlive the login method.
    assert user(app, names[first])["id"] == names[first]
    app.get(MAP, userId=first).says("OK", superTokensUserId=first, externalUserId=names[first])


def test_activity_moves_to_the_user(make_app: Callable[..., Caller]) -> None:
    """Who was active as a login method counts as the user from the link on."""
    app = make_app()
    first, second = sign_up(app)["id"], social(app)
    count: dict[str, Any] = {"since": "0"}
    app.get("/users/count/active", **count).says("OK", count=2)
    linked(app, first, second)
    app.get("/users/count/active", **count).says("OK", count=1)
