"""Passkeys where accounts are linked: who may sign up and in, and the support codes of refusals (025 to 034)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from contract.authenticator import credential

from recipes.accountlinking.parts import LINK, LINK_VERIFIED, NO_LINK, Site, support_code
from recipes.accountlinking.test_meanwhile import meanwhile, users
from recipes.shop import Borrowed
from recipes.webauthn.parts import Holder, made, passkey_site, proved
from st_wsgi import RecipeUserId
from st_wsgi.recipes import accountlinking, multitenancy, passwordless


@pytest.fixture
def site(core: Borrowed) -> Site:
    return passkey_site(core)


def other(holder: Holder) -> Holder:
    """Return the same person at the same browser with another passkey, for an address that is free."""
    free = holder.person.site.person(f"x-{uuid.uuid4().hex}@example.com")
    free.visitor = holder.person.visitor
    return Holder(free)


def unlinked(holder: Holder) -> Holder:
    """Return another passkey of the same person, which they made while the app linked nothing."""
    site, there = holder.person.site, other(holder)
    rule, site.answer = site.answer, NO_LINK
    browser, there.person.visitor = there.person.visitor, site.shop.visitor()
    assert there.sign_up()["status"] == "OK"
    there.person.visitor, site.answer = browser, rule
    return there


def test_a_passkey_for_an_address_that_is_verified(site: Site) -> None:
    ann = Holder(site.person())
    user_id = ann.person.by_code()["user"]["id"]
    answer = ann.sign_up(link=True)
    assert (answer["status"], answer["user"]["id"]) == ("OK", user_id)
    assert sorted((one["recipeId"], one["verified"]) for one in answer["user"]["loginMethods"]) == [
        ("passwordless", True),
        ("webauthn", True),
    ]
    ann.person.visitor.sign_out()
    assert ann.sign_in()["user"]["id"] == user_id
    assert ann.keys() == [ann.key.name]
    assert ann.add(credential(), recipeUserId=None) == {"status": "OK"}


def test_025_a_sign_up_beside_an_account_that_is_not_verified(site: Site) -> None:
    ann = Holder(site.person())
    ann.person.sign_up()
    ann.person.visitor = site.shop.visitor()
    assert support_code(ann.sign_up()) == ("SIGN_UP_NOT_ALLOWED", "ERR_CODE_025")


def test_026_and_031_an_address_that_nobody_verified(site: Site) -> None:
    ann = Holder(site.person())
    ann.person.by_code()
    assert support_code(other(ann).sign_up(link=True)) == ("SIGN_UP_NOT_ALLOWED", "ERR_CODE_026")
    assert support_code(unlinked(ann).sign_in(link=True)) == ("SIGN_IN_NOT_ALLOWED", "ERR_CODE_031")


def test_032_a_passkey_of_another_user(site: Site) -> None:
    ann, bob = Holder(site.person()), Holder(site.person())
    ann.person.by_code()
    bob.person.by_code()
    bob.sign_up(link=True)
    bob.person.visitor = ann.person.visitor
    assert support_code(bob.sign_in(link=True)) == ("SIGN_IN_NOT_ALLOWED", "ERR_CODE_032")


def test_027_a_new_passkey_that_is_linked_to_another_user_meanwhile(site: Site) -> None:
    """There is no other cause: nobody else can have a login method that this request creates."""
    site.answer = LINK
    ann, bob = Holder(site.person()), Holder(site.person())
    ann.person.by_code()
    bob_id = bob.person.by_code()["user"]["id"]
    there = other(ann)

    def link() -> None:
        [user] = users(there.person.email)
        linked = accountlinking.link_accounts(recipe_user_id=RecipeUserId(user.id), primary_user_id=bob_id)
        assert linked.status == "OK"

    meanwhile(site, "POST /recipe/accountlinking/user/link", link)
    assert support_code(there.sign_up(link=True)) == ("SIGN_UP_NOT_ALLOWED", "ERR_CODE_027")
    assert users(there.person.email) == ()


def test_028_and_033_an_address_of_another_user(site: Site) -> None:
    site.answer = LINK
    ann, bob = Holder(site.person()), Holder(site.person())
    ann.person.by_code()
    bob.person.by_code()
    site.answer = NO_LINK
    bob.person.visitor = site.shop.visitor()
    bob.sign_up()
    site.answer = LINK
    bob.person.visitor = ann.person.visitor
    assert support_code(bob.sign_in(link=True)) == ("SIGN_IN_NOT_ALLOWED", "ERR_CODE_033")
    carl = Holder(site.person())
    carl.person.by_code()
    carl.person.visitor = ann.person.visitor
    assert support_code(carl.sign_up(link=True)) == ("SIGN_UP_NOT_ALLOWED", "ERR_CODE_028")


def test_029_and_034_the_sessions_own_address_belongs_to_another_primary_user(site: Site) -> None:
    site.answer = NO_LINK
    ann = Holder(site.person())
    ann.person.sign_up()
    ann.person.verify()
    made_by_app = passwordless.signinup(email=ann.person.email)
    accountlinking.create_primary_user(recipe_user_id=made_by_app.recipe_user_id)
    site.answer = LINK_VERIFIED
    assert support_code(other(ann).sign_up(link=True)) == ("SIGN_UP_NOT_ALLOWED", "ERR_CODE_029")
    assert support_code(unlinked(ann).sign_in(link=True)) == ("SIGN_IN_NOT_ALLOWED", "ERR_CODE_034")


def test_030_a_sign_in_beside_an_account_that_is_verified(site: Site) -> None:
    """Only the holder of the passkey learns that there are two accounts."""
    site.answer = NO_LINK
    ann = Holder(site.person())
    ann.sign_up()
    made_by_app = passwordless.signinup(email=ann.person.email)
    accountlinking.create_primary_user(recipe_user_id=made_by_app.recipe_user_id)
    site.answer = LINK_VERIFIED
    ann.person.visitor = site.shop.visitor()
    assert ann.sign_in(spoilt=True) == {"status": "INVALID_CREDENTIALS_ERROR"}
    assert support_code(ann.sign_in()) == ("SIGN_IN_NOT_ALLOWED", "ERR_CODE_030")


def test_a_passkey_of_the_sessions_user_in_another_tenant_is_added_to_this_one(site: Site) -> None:
    tenant = f"t{uuid.uuid4().hex}"
    config = multitenancy.TenantConfigCreateOrUpdate(first_factors=None)
    multitenancy.create_or_update_tenant(tenant_id=tenant, config=config)
    site.answer = NO_LINK
    ann = Holder(site.person())
    user_id = ann.sign_up()["user"]["id"]
    accountlinking.create_primary_user(recipe_user_id=RecipeUserId(user_id))
    there = passwordless.signinup(email=f"x-{ann.person.email}", tenant_id=tenant).recipe_user_id
    accountlinking.link_accounts(recipe_user_id=there, primary_user_id=user_id)
    site.answer = LINK
    ann.person.visitor = site.shop.signed_in(recipe_user_id=there, tenant_id=tenant)
    path = f"/auth/{tenant}/webauthn"
    alone = site.person()
    to_sign_in = alone.visitor.call("POST", f"{path}/options/signin").get_json()
    refused = alone.visitor.call("POST", f"{path}/signin", proved(to_sign_in, ann.key)).get_json()
    assert refused == {"status": "INVALID_CREDENTIALS_ERROR"}
    proof = proved(ann.send(f"{path}/options/signin", {}), ann.key)
    assert ann.send(f"{path}/signin", proof, link=True)["status"] == "OK"
    user = site.shop.st.services.core.get("/user/id", {"userId": user_id}).body["user"]
    assert [set(one["tenantIds"]) for one in user["loginMethods"] if one["recipeId"] == "webauthn"] == [
        {"public", tenant}
    ]


#: The limits of the routes: by the address that is named, for all but the proofs of passkeys.
LIMITED: dict[str, Any] = {
    "/auth/webauthn/options/register": {"email": "a@example.com"},
    "/auth/user/webauthn/reset/token": {"email": "a@example.com"},
    "/auth/user/webauthn/reset": {
        "token": "none",
        **made({"webauthnGeneratedOptionsId": "none", "challenge": ""}, credential()),
    },
}


@pytest.mark.parametrize("path", LIMITED)
def test_attempts_at_an_account_are_limited(site: Site, path: str) -> None:
    visitor = site.shop.visitor()
    body = LIMITED[path]
    statuses = [visitor.call("POST", path, body, environ={"REMOTE_ADDR": "203.0.113.9"}).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]


def test_attempts_to_sign_up_with_an_address_are_limited(site: Site) -> None:
    ann = Holder(site.person())
    statuses = []
    for number in range(11):
        options = ann.person.visitor.call(
            "POST",
            "/auth/webauthn/options/register",
            {"email": ann.person.email},
            environ={"REMOTE_ADDR": f"198.51.100.{number}"},
        ).get_json()
        body = made(options, ann.key, origin="https://evil.example")
        sent = ann.person.visitor.call("POST", "/auth/webauthn/signup", body, environ={"REMOTE_ADDR": "203.0.113.8"})
        statuses.append(sent.status_code)
    assert statuses == [200] * 10 + [429]
