"""What an attacker may try with passkeys, most of it at the moment when an owner gets their account back."""

from __future__ import annotations

import base64
import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from contract.authenticator import credential

import st_wsgi
from recipes.accountlinking.parts import NO_LINK, Site
from recipes.shop import PASSWORD, Borrowed
from recipes.webauthn.parts import RP, Holder, made, passkey_site, proved
from st_wsgi.core_client.transport import CoreReply, CoreRequest
from st_wsgi.recipes import emailpassword, multitenancy

INVALID = {"status": "INVALID_CREDENTIALS_ERROR"}
LIST = "/auth/webauthn/credential/list"


@pytest.fixture
def site(core: Borrowed) -> Site:
    return passkey_site(core, answer=NO_LINK)


@pytest.fixture
def eve(site: Site) -> Holder:
    """Somebody who has signed up with the address of another person."""
    squatter = Holder(site.person())
    squatter.sign_up()
    return squatter


def owner_of(eve: Holder) -> Callable[[], None]:
    """Return what the owner of the address does to get the account."""
    owner = Holder(eve.person.site.person(eve.person.email))
    owner.ask_for_mail()
    token = owner.token()
    options = owner.register_options(recoverAccountToken=token)

    def recover() -> None:
        assert owner.recover(token, options) == {"status": "OK"}

    return recover


def once(site: Site, call: str, act: Callable[[], object]) -> None:
    """Have something happen before the core gets a call that ends so, the first time."""

    def answer(request: CoreRequest) -> CoreReply | None:
        if f"{request.method} {request.path}".endswith(call):
            site.core.answer = lambda _request: None
            act()
        return None

    site.core.answer = answer


def keys_of(eve: Holder) -> int:
    [user] = st_wsgi.list_users_by_account_info(account_info=st_wsgi.AccountInfo(email=eve.person.email))
    return len(user.webauthn.credential_ids)


class Stalled(io.BytesIO):
    """A body that comes late."""

    def __init__(self, body: Any, meanwhile: Callable[[], object]) -> None:
        super().__init__(json.dumps(body).encode())
        self._meanwhile: Callable[[], object] | None = meanwhile

    def read(self, size: int | None = -1, /) -> bytes:
        if self._meanwhile is not None:
            act, self._meanwhile = self._meanwhile, None
            act()
        return super().read(size)


@pytest.mark.parametrize("path", ["credential", "credential/remove"])
def test_a_body_that_comes_after_the_session_has_ended(eve: Holder, path: str) -> None:
    body = {"webauthnCredentialId": eve.key.name, **made(eve.register_options(), credential())}
    late = Stalled(body, owner_of(eve))
    size = len(late.getvalue())
    refused = eve.person.visitor.call(
        "POST", f"/auth/webauthn/{path}", input_stream=late, content_type="application/json", content_length=size
    )
    assert refused.status_code == 401
    assert keys_of(eve) == 1


def test_a_passkey_that_is_added_while_the_session_ends(site: Site, eve: Holder) -> None:
    sent = made(eve.register_options(), credential())
    once(site, "POST /public/recipe/webauthn/user/credential/register", owner_of(eve))
    assert eve.person.visitor.call("POST", "/auth/webauthn/credential", sent).status_code == 401
    assert keys_of(eve) == 1


@pytest.mark.parametrize("call", ["/user/credential/register", "/user/credential/list", "/user/credential/remove"])
def test_a_sign_in_in_the_middle_of_a_recovery(site: Site, eve: Holder, call: str) -> None:
    recover, other = owner_of(eve), Holder(eve.person.site.person(eve.person.email), eve.key)

    def sign_in_and_add() -> None:
        assert other.sign_in()["status"] == "OK"
        assert other.add(credential()) == {"status": "OK"}

    once(site, call, sign_in_and_add)
    recover()
    assert other.person.visitor.call("GET", LIST).status_code == 401
    assert keys_of(eve) == 1
    assert other.sign_in() == INVALID


def test_a_sign_in_that_ends_after_the_recovery(site: Site, eve: Holder) -> None:
    other = Holder(eve.person.site.person(eve.person.email), eve.key)
    once(site, "POST /public/recipe/session", owner_of(eve))
    assert other.sign_in() == INVALID
    assert other.person.who() is None
    assert other.person.visitor.call("GET", LIST).status_code == 401


def test_options_of_another_tenant_prove_nothing_here(site: Site, core: Borrowed) -> None:
    """Its pages have another origin, which the rules of this tenant do not allow."""
    tenant = f"t{uuid.uuid4().hex}"
    config = multitenancy.TenantConfigCreateOrUpdate(first_factors=["webauthn"])
    multitenancy.create_or_update_tenant(tenant_id=tenant, config=config)
    ann = Holder(site.person())
    ann.sign_up()
    ann.person.visitor = site.shop.visitor()
    there = ann.send(f"/auth/{tenant}/webauthn/options/signin", {})
    assert ann.sign_in(there) == INVALID
    assert ann.sign_in()["status"] == "OK"


def test_a_proof_of_a_passkey_that_does_not_count_is_good_once_too(site: Site) -> None:
    """As those that several devices share."""
    ann = Holder(site.person())
    ann.sign_up()
    body = proved(ann.sign_in_options(), ann.key, counter=0)
    assert ann.send("/auth/webauthn/signin", body)["status"] == "OK"
    assert ann.send("/auth/webauthn/signin", body) == INVALID


def test_one_of_two_requests_with_the_same_proof_is_refused(site: Site) -> None:
    ann, thief = Holder(site.person()), Holder(site.person())
    ann.sign_up()
    body = proved(ann.sign_in_options(), ann.key, counter=0)
    answers: list[dict[str, Any]] = []
    once(site, "/options/remove", lambda: answers.append(thief.send("/auth/webauthn/signin", body)))
    answers.append(ann.send("/auth/webauthn/signin", body))
    assert sorted(answer["status"] for answer in answers) == ["INVALID_CREDENTIALS_ERROR", "OK"]


def test_a_passkey_that_was_removed_is_not_added_again_by_the_same_answer(site: Site) -> None:
    ann, spare = Holder(site.person()), credential()
    ann.sign_up()
    body = made(ann.register_options(), spare)
    assert ann.send("/auth/webauthn/credential", body) == {"status": "OK"}
    assert ann.remove(spare) == {"status": "OK"}
    assert ann.send("/auth/webauthn/credential", body) == {"status": "OPTIONS_NOT_FOUND_ERROR"}


def test_options_do_not_tell_who_has_an_account(site: Site) -> None:
    """Options do not contain the id of the user either. The core puts it in for any user with the address."""
    ann = site.person()
    user_id = ann.sign_up()["user"]["id"]
    for email in (ann.email, f"x{ann.email}"):
        options = Holder(ann).register_options(email=email)
        named = base64.urlsafe_b64decode(options["user"]["id"] + "==").decode()
        assert named == options["webauthnGeneratedOptionsId"]
        assert user_id not in json.dumps(options)
    assert options["rp"]["id"] == RP


def test_a_reset_that_was_mailed_to_the_former_address(site: Site) -> None:
    """Who still reads the former mailbox may be the reason why the address was changed."""
    ann = site.person()
    answer = ann.sign_up()
    ann.forget_password()
    site.shop.st.services.get(emailpassword.EmailPassword).background.close()
    recipe_user_id = st_wsgi.RecipeUserId(answer["user"]["loginMethods"][0]["recipeUserId"])
    emailpassword.update_email_or_password(recipe_user_id=recipe_user_id, email=f"new-{ann.email}")
    assert ann.set_password("another horse 2") == {"status": "RESET_PASSWORD_INVALID_TOKEN_ERROR"}
    assert ann.sign_in(email=f"new-{ann.email}", password=PASSWORD)["status"] == "OK"
