"""Tenants on pages: each has its own ways to sign in, and a session stays in the tenant that it began in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from contract import authenticator
from recipes.shop import API, PASSWORD, Borrowed, Shop, no_mail
from recipes.totp.parts import totp

import st_wsgi
from st_wsgi import AccountInfo
from st_wsgi.delivery import Message
from st_wsgi.recipes import multitenancy, session
from st_wsgi.recipes.accountlinking import AccountLinking, ShouldAutomaticallyLink
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.multifactorauth import MultiFactorAuth
from st_wsgi.recipes.multitenancy import TenantConfigCreateOrUpdate
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.totp import Totp
from st_wsgi.recipes.webauthn import Webauthn
from website.conftest import with_pages
from website.person import Person
from website.test_passkeys import answered


def tenant_of(environ: Any) -> dict[str, str]:
    own = session.get_session(environ)
    return {"userId": own.get_user_id(), "tenant": own.get_tenant_id()}


class Chain:
    """A shop with a tenant that has passkeys only, and one that requires a second factor."""

    def __init__(self, core: Borrowed) -> None:
        self.messages: list[Message] = []
        keep = self.messages.append
        self.shop: Shop = with_pages(
            core,
            EmailPassword(email_delivery=no_mail),
            Passwordless(contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE", email_delivery=keep),
            Webauthn(email_delivery=keep),
            Totp(),
            MultiFactorAuth(first_factors=["emailpassword"]),
            AccountLinking(
                should_do_automatic_account_linking=lambda *_: ShouldAutomaticallyLink(
                    should_require_verification=False
                )
            ),
            view=tenant_of,
        )

    def tenant(self, tenant_id: str, first: list[str], second: list[str] | None = None) -> None:
        config = TenantConfigCreateOrUpdate(first_factors=first, required_secondary_factors=second)
        multitenancy.create_or_update_tenant(tenant_id=tenant_id, config=config)


@pytest.fixture
def chain(core: Borrowed) -> Chain:
    return Chain(core)


def links(person: Person) -> dict[str, str]:
    return {one.text: str(one.attributes["href"]) for one in person.screen.all("a")}


def test_each_tenant_shows_its_own_ways_to_sign_in(chain: Chain) -> None:
    chain.tenant("keys", ["webauthn"])
    person = Person(chain.shop)
    person.open("/auth?tenantId=keys&redirectToPath=/orders")
    assert person.screen.all("input", name="password") == []
    address = links(person)["Sign in with a passkey"]
    assert address == "/auth/webauthn?tenantId=keys&redirectToPath=%2Forders"
    person.open("/auth")
    assert len(person.screen.all("input", name="password")) == 1
    assert "Sign in with a passkey" not in links(person)


def test_a_passkey_belongs_to_its_tenant(chain: Chain) -> None:
    chain.tenant("keys", ["webauthn"])
    chain.tenant("other", ["webauthn"])
    person, key = Person(chain.shop), authenticator.credential()
    person.open("/auth/webauthn?tenantId=keys&show=signup&redirectToPath=/orders")
    answered(person, authenticator.created, key, {"email": person.email}, email=person.email)
    assert json.loads(person.screen.html)["tenant"] == "keys"
    for tenant_id, status in (("other", 422), ("keys", 200)):
        other = Person(chain.shop)
        other.open(f"/auth/webauthn?tenantId={tenant_id}")
        assert answered(other, authenticator.asserted, key, {}).status == status
    assert json.loads(other.screen.html)["tenant"] == "keys"


def test_a_lost_passkey_of_a_tenant(chain: Chain) -> None:
    chain.tenant("keys", ["webauthn"])
    person, key = Person(chain.shop), authenticator.credential()
    person.open("/auth/webauthn?tenantId=keys&show=signup")
    answered(person, authenticator.created, key, {"email": person.email}, email=person.email)
    lost = Person(chain.shop)
    lost.open("/auth/webauthn/recover?tenantId=keys")
    assert lost.submit(email=person.email).heading == "Check your mailbox"
    chain.shop.st.services.get(Webauthn).background.close()
    link = str(chain.messages[-1].link).removeprefix(API)
    assert link.endswith("&tenantId=keys")
    assert lost.open(link).heading == "Create a new passkey"


@pytest.mark.parametrize("later", ["/auth/mfa", "/auth/mfa?tenantId=public", "/auth/mfa?tenantId=other"])
def test_a_code_as_second_factor_is_of_the_tenant_of_the_session(chain: Chain, later: str) -> None:
    chain.tenant("bank", ["emailpassword"], ["otp-email"])
    chain.tenant("other", ["emailpassword", "otp-email"])
    person = Person(chain.shop)
    person.open("/auth?tenantId=bank&show=signup&redirectToPath=/orders")
    person.submit(email=person.email, password=PASSWORD)
    assert person.screen.heading == "Confirm that it is you"
    person.open(later)  # such as by a link of the app, which does not know the tenant
    assert person.screen.heading == "Confirm that it is you"
    person.submit(**{"st-action": "send-0"})
    assert person.screen.heading == "Enter your code"
    person.open(f"{later.replace('mfa', 'mfa/otp-email')}")
    assert person.screen.heading == "Enter your code"
    person.submit(**{"st-action": "enter", "code": str(chain.messages[-1].code)})
    assert json.loads(person.open("/orders").html)["tenant"] == "bank"
    for tenant_id in ("public", "other"):
        account = AccountInfo(email=person.email)
        assert st_wsgi.list_users_by_account_info(tenant_id=tenant_id, account_info=account) == ()


def test_an_app_as_second_factor_of_a_tenant(chain: Chain) -> None:
    chain.tenant("bank", ["emailpassword"], ["totp"])
    person = Person(chain.shop)
    person.open("/auth?tenantId=bank&show=signup&redirectToPath=/orders")
    assert person.submit(email=person.email, password=PASSWORD).heading == "Set up an authenticator app"
    person.open("/orders")  # led there by the claim, without the tenant in the address
    assert person.screen.heading == "Set up an authenticator app"
    person.submit(**{"st-action": "create"})
    [code] = person.screen.all("code")
    person.submit(code=totp(code.text.replace(" ", "")))
    assert (person.path, json.loads(person.screen.html)["tenant"]) == ("/orders", "bank")


def test_the_account_page_is_that_of_the_session_whatever_tenant_the_address_names(chain: Chain) -> None:
    chain.tenant("bank", ["emailpassword"])
    person = Person(chain.shop)
    person.open("/auth?tenantId=bank&show=signup&redirectToPath=/orders")
    person.submit(email=person.email, password=PASSWORD)
    assert json.loads(person.screen.html)["tenant"] == "bank"
    assert person.open("/auth/account?tenantId=public").heading == "Your account"
    assert person.email in person.screen.html
