"""Signing in with a third party."""

from __future__ import annotations

from typing import Any

import pytest

from contract.client import Caller, email, fresh
from contract.covered import covers
from contract.expectations import NOW, UUID, AnyOrder
from contract.logins import GOOGLE, linked, sign_in_up, social, user
from contract.test_emailpassword import sign_up


def user_of(address: str, account: str, *, tenant: str = "public", verified: bool = False) -> dict[str, Any]:
    """Return the user JSON of someone with one provider's account."""
    third_party = {"id": GOOGLE, "userId": account}
    return {
        "id": UUID,
        "isPrimaryUser": False,
        "tenantIds": [tenant],
        "timeJoined": NOW,
        "emails": [address],
        "phoneNumbers": [],
        "thirdParty": [third_party],
        "webauthn": {"credentialIds": []},
        "loginMethods": [
            {
                "tenantIds": [tenant],
                "recipeUserId": UUID,
                "verified": verified,
                "timeJoined": NOW,
                "recipeId": "thirdparty",
                "email": address,
                "thirdParty": third_party,
            }
        ],
    }


@covers("POST /recipe/signinup")
@pytest.mark.parametrize("verified", [True, False])
def test_sign_in_up(app: Caller, tenant: Caller, verified: bool) -> None:
    """The first sign-in makes a user, the next ones find it; each tenant has its own."""
    address, account = email(), fresh("account")
    up = sign_in_up(app, f" {address.upper()}", account=account, verified=verified).says(
        "OK", createdNewUser=True, user=user_of(address, account, verified=verified), recipeUserId=UUID
    )
    sign_in_up(app, address, account=account).says(
        "OK", createdNewUser=False, user=up["user"], recipeUserId=up["recipeUserId"]
    )
    elsewhere = sign_in_up(tenant, address, account=account).has(createdNewUser=True)
    assert elsewhere["recipeUserId"] != up["recipeUserId"]


def test_verified_stays_verified(app: Caller) -> None:
    """A provider may confirm an email later, and does not take that back."""
    address, account = email(), fresh("account")
    for verified, shown in ((False, False), (True, True), (False, True)):
        answer = sign_in_up(app, address, account=account, verified=verified).has()
        assert answer["user"]["loginMethods"][0]["verified"] is shown


def test_verified_belongs_to_the_email(app: Caller) -> None:
    """When the provider reports another email, that one is not verified, and the one before still is."""
    address, account = email(), fresh("account")
    for given, verified, shown in ((address, True, True), (email(), False, False), (address, False, True)):
        user = sign_in_up(app, given, account=account, verified=verified).has()["user"]
        assert [method["verified"] for method in user["loginMethods"]] == [shown]


def test_an_email_that_changed(app: Caller, tenant: Caller) -> None:
    """The email is the one that the provider reports now, in every tenant where the account is a user's."""
    address, account, changed = email(), fresh("account"), email()
    first, elsewhere = social(app, address, account=account), social(tenant, address, account=account)
    sign_in_up(app, changed, account=account).has(createdNewUser=False, recipeUserId=first)
    assert user(app, first)["emails"] == user(app, elsewhere)["emails"] == [changed]
    # No other user changes: the email may be that of any number of login methods.
    assert social(app, changed, provider="github") != first


def test_the_same_account_twice_in_one_user(app: Caller, tenant: Caller) -> None:
    """A user who has an account in two tenants signs in as the older login method in both."""
    account, address = fresh("account"), email()
    first, second = social(app, address, account=account), social(tenant, address, account=account)
    linked(app, second, first)
    oldest = user(app, second)["loginMethods"][0]["recipeUserId"]
    for place in (app, tenant):
        sign_in_up(place, address, account=account).has(recipeUserId=oldest)


def test_fields(app: Caller) -> None:
    """Each field is required, and verification is part of the email."""
    good: dict[str, Any] = {
        "thirdPartyId": GOOGLE,
        "thirdPartyUserId": "x",
        "email": {"id": email(), "isVerified": True},
    }
    wrong = "Field name '{}' is invalid in JSON input"
    for name in good:
        app.post("/recipe/signinup", **{**good, name: 7}).refused(400, wrong.format(name))
    for name in good["email"]:
        about = {key: value for key, value in good["email"].items() if key != name}
        app.post("/recipe/signinup", **{**good, "email": about}).refused(400, wrong.format(name))


def test_switched_off(app: Caller) -> None:
    """Older clients are kept out of a tenant without the recipe; from CDI 5.1 on factors are the SDK's business."""
    tenant_id = fresh("tenant")
    app.put("/recipe/multitenancy/tenant", tenantId=tenant_id, emailPasswordEnabled=True).has()
    tenant = app.below(tenant_id)
    old = Caller(tenant.wire, headers={**tenant.headers, "cdi-version": "5.0"}, prefix=tenant.prefix)
    sign_in_up(old, email()).refused(403, "ThirdParty login not enabled for tenant")
    sign_in_up(tenant, email()).has()


def test_get_user(app: Caller, tenant: Caller) -> None:
    """The deprecated look-up by id or, in a tenant, by account; by id it shows the login method alone."""

    def get(place: Caller, **params: str) -> Any:
        return place.call("GET", "/recipe/user", params=params, headers={"rid": "thirdparty"})

    address, account = email(), fresh("account")
    user_id = social(app, address, account=account)
    primary = linked(app, sign_up(app, address)["id"], user_id)
    whole = user(app, primary)
    by_account = {"thirdPartyId": GOOGLE, "thirdPartyUserId": account}
    get(app, **by_account).says("OK", user=whole)
    own = [method for method in whole["loginMethods"] if method["recipeUserId"] == user_id]
    alone = {**user_of(address, account), "id": user_id, "isPrimaryUser": True, "loginMethods": own}
    get(app, userId=user_id).says("OK", user=alone)
    get(app, userId=primary).says("UNKNOWN_USER_ID_ERROR")
    get(tenant, **by_account).says("UNKNOWN_THIRD_PARTY_USER_ERROR")
    get(tenant, userId=user_id).refused(403, "Only public tenantId can call this app specific API")
    get(app, userId=user_id, thirdPartyId="x").refused(
        400, "Please provide only one of userId or (thirdPartyId & thirdPartyUserId)"
    )
    get(app, thirdPartyId="x").refused(400, "Please provide one of userId or (thirdPartyId & thirdPartyUserId)")
    body = {"recipeUserId": user_id, "email": email()}
    app.call("PUT", "/recipe/user", body, headers={"rid": "thirdparty"}).refused(405, "Method not supported")


@covers("GET /recipe/users/by-email")
def test_users_by_email(app: Caller, tenant: Caller) -> None:
    """The deprecated look-up of everybody who has an email with a provider."""
    address = email()
    first, second = social(app, address), social(app, address, provider="github")
    sign_up(app, address)
    users = AnyOrder(user(app, first), user(app, second))
    app.get("/recipe/users/by-email", email=f" {address.upper()}").says("OK", users=users)
    tenant.get("/recipe/users/by-email", email=address).says("OK", users=[])
    app.get("/recipe/users/by-email").refused(400, "Field name 'email' is missing in GET request")
