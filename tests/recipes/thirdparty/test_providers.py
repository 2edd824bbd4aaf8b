"""Every named provider, answered for by a server on loopback: what it says, what it refuses, how it breaks."""

from __future__ import annotations

import base64
import json
import logging
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import attrs
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from werkzeug.test import TestResponse

from recipes.shop import WEBSITE, Borrowed, Shop, clears_nothing
from recipes.thirdparty.parts import (
    FAILURE,
    Flow,
    ask,
    only_method,
    outcome,
    settings,
    shop_with,
    sign_in,
    use_tokens,
)
from recipes.thirdparty.provider_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    DIALECTS,
    Dialect,
    Fault,
    Grant,
    Person,
    ProviderServer,
    address,
    signing_key,
)
from st_wsgi.errors import ConfigError
from st_wsgi.recipes.multitenancy import (
    ProviderClientConfig,
    ProviderConfig,
    TenantConfigCreateOrUpdate,
    create_or_update_tenant,
    create_or_update_third_party_config,
)
from st_wsgi.recipes.thirdparty import get_provider

BY_ID = {dialect.id: dialect for dialect in DIALECTS}
IDS = sorted(BY_ID)
OPEN_ID = [name for name in IDS if BY_ID[name].claims is not None]
WITH_MAIL = [name for name in IDS if name != "twitter"]


def pem(key: PrivateKeyTypes) -> str:
    """A key as a text."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


#: Seconds that calls to providers may take where one hangs.
SHORT = 0.5


@pytest.fixture(params=IDS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return BY_ID[request.param]


@pytest.fixture
def provider(dialect: Dialect) -> Iterator[ProviderServer]:
    with ProviderServer(dialect) as server:
        yield server


@pytest.fixture
def person() -> Person:
    """A person of the test's own."""
    return Person.of_its_own()


@pytest.fixture(autouse=True)
def _no_secret_in_logs(caplog: pytest.LogCaptureFixture, provider: ProviderServer) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    told = "\n".join(record.getMessage() + str(record.exc_text or "") for record in caplog.records)
    assert [secret for secret in provider.secrets if secret in told] == []


def shop_of(core: Borrowed, provider: ProviderServer, **more: Any) -> Shop:
    """Return a shop with the provider; users of Twitter get made-up addresses, as it has none."""
    given = {"require_email": False} if provider.dialect.id == "twitter" else {}
    return shop_with(core, settings(provider, **given), **more)


class TestPeople:
    def test_a_new_user_signs_up_and_then_in(self, core: Borrowed, provider: ProviderServer, person: Person) -> None:
        dialect = provider.dialect
        shop = shop_of(core, provider)
        visitor = shop.visitor()
        first = sign_in(visitor, provider, person)
        method = only_method(first)
        user_id = dialect.user_id(person)
        assert method["thirdParty"] == {"id": dialect.id, "userId": user_id}
        made_up = dialect.id == "twitter"
        email = f"{user_id}.twitter@stfakeemail.supertokens.com" if made_up else person.email
        assert (method["recipeId"], method["email"]) == ("thirdparty", email)
        assert method["verified"] is (made_up or dialect.verifies)
        assert first.get_json()["createdNewRecipeUser"] is True
        assert visitor.visit().get_json() == {"userId": first.get_json()["user"]["id"]}
        again = sign_in(shop.visitor("header"), provider, person).get_json()
        assert (again["createdNewRecipeUser"], again["user"]) == (False, first.get_json()["user"])

    @pytest.mark.parametrize("dialect", [BY_ID[name] for name in WITH_MAIL], ids=WITH_MAIL)
    def test_without_an_address(self, core: Borrowed, provider: ProviderServer, person: Person) -> None:
        person = attrs.evolve(person, email=None)
        visitor = shop_of(core, provider).visitor()
        answer = sign_in(visitor, provider, person)
        assert outcome(answer) == (200, "NO_EMAIL_GIVEN_BY_PROVIDER", None)
        assert clears_nothing(answer)
        made_up = shop_with(core, settings(provider, require_email=False)).visitor()
        method = only_method(sign_in(made_up, provider, person))
        assert method["thirdParty"]["userId"] == provider.dialect.user_id(person)
        assert method["email"].endswith("@stfakeemail.supertokens.com")

    @pytest.mark.parametrize("said", [False, None, "true", 1, "yes", [True]])
    @pytest.mark.parametrize("dialect", [BY_ID[name] for name in WITH_MAIL], ids=WITH_MAIL)
    def test_only_true_is_verified(
        self, core: Borrowed, provider: ProviderServer, person: Person, said: object
    ) -> None:
        answer = sign_in(shop_of(core, provider).visitor(), provider, attrs.evolve(person, verified=said))
        assert only_method(answer)["verified"] is False

    @pytest.mark.parametrize("dialect", [BY_ID[name] for name in WITH_MAIL], ids=WITH_MAIL)
    def test_a_changed_address(self, core: Borrowed, provider: ProviderServer, person: Person) -> None:
        shop = shop_of(core, provider)
        before = sign_in(shop.visitor(), provider, person).get_json()["user"]
        changed = attrs.evolve(person, email=f"new.{person.email}")
        answer = sign_in(shop.visitor(), provider, changed)
        assert only_method(answer)["email"] == changed.email
        assert answer.get_json()["user"]["id"] == before["id"]
        assert answer.get_json()["createdNewRecipeUser"] is False

    @pytest.mark.parametrize("dialect", [BY_ID[name] for name in OPEN_ID], ids=OPEN_ID)
    def test_tokens_of_an_app_on_a_phone(self, core: Borrowed, provider: ProviderServer, person: Person) -> None:
        visitor = shop_of(core, provider).visitor("header")
        tokens = provider.tokens(Grant(person))
        method = only_method(use_tokens(visitor, provider.dialect.id, {"id_token": tokens["id_token"]}))
        assert (method["thirdParty"]["userId"], method["email"]) == (person.id, person.email)
        both = use_tokens(visitor, provider.dialect.id, tokens).get_json()
        assert (both["status"], both["createdNewRecipeUser"]) == ("OK", False)


class TestOddUsers:
    """What a provider of somebody's own may say of its users. The core gets only what it can store."""

    @pytest.fixture(params=["linkedin", "okta"])
    def dialect(self, request: pytest.FixtureRequest) -> Dialect:
        return BY_ID[request.param]

    @pytest.mark.parametrize("said", ["\u00fc", "a/b?c#d", "{1}", "a" * 256])
    def test_an_id(self, core: Borrowed, provider: ProviderServer, person: Person, said: str) -> None:
        answer = told_of(core, provider, person, {"sub": said, **address(person)})
        assert only_method(answer)["thirdParty"]["userId"] == said

    @pytest.mark.parametrize("said", ["", "a" * 257, 10**300, 1.5, True, None, [], {}])
    def test_no_id(self, core: Borrowed, provider: ProviderServer, person: Person, said: object) -> None:
        assert outcome(told_of(core, provider, person, {"sub": said, **address(person)})) == FAILURE

    @pytest.mark.parametrize("said", [" ", "a\x00b", "\ud800", -1])
    def test_no_id_breaks_the_core(
        self, core: Borrowed, provider: ProviderServer, person: Person, said: object
    ) -> None:
        assert told_of(core, provider, person, {"sub": said, **address(person)}).status_code == 200

    @pytest.mark.parametrize(
        "said",
        ["", " ", "no address", "a@b\nc", "a@\x00b", "\ud800@b.example", "a" * 300 + "@b.example", 1, True, [], {}],
    )
    def test_no_address(self, core: Borrowed, provider: ProviderServer, person: Person, said: object) -> None:
        told = {"sub": person.id, "email": said, "email_verified": True}
        answer = told_of(core, provider, person, told)
        assert answer.get_json()["status"] in {"GENERAL_ERROR", "NO_EMAIL_GIVEN_BY_PROVIDER"}
        assert clears_nothing(answer)

    def test_an_address_in_another_form(self, core: Borrowed, provider: ProviderServer, person: Person) -> None:
        told = {"sub": person.id, "email": f" {str(person.email).upper()} ", "email_verified": True}
        assert only_method(told_of(core, provider, person, told))["email"] == person.email

    @pytest.mark.parametrize("said", ["ada@stfakeemail.supertokens.com", " ADA@STFAKEEMAIL.SUPERTOKENS.COM "])
    def test_a_made_up_address_is_none(
        self, core: Borrowed, provider: ProviderServer, person: Person, said: str
    ) -> None:
        told = {"sub": person.id, "email": said, "email_verified": True}
        assert outcome(told_of(core, provider, person, told)) == (200, "NO_EMAIL_GIVEN_BY_PROVIDER", None)


def told_of(core: Borrowed, provider: ProviderServer, person: Person, told: dict[str, Any]) -> TestResponse:
    """Return what a visitor gets of whom the provider says this, in the id token and in the user info."""
    provider.dialect = attrs.evolve(
        provider.dialect,
        user=lambda _person: told,
        claims=None if provider.dialect.claims is None else lambda _person: told,
    )
    return sign_in(shop_of(core, provider).visitor(), provider, person)


class TestApple:
    """What only Apple does: the answer comes as a form, with the user's name at the first time."""

    @pytest.fixture(params=["apple"])
    def dialect(self, request: pytest.FixtureRequest) -> Dialect:
        return BY_ID[request.param]

    @pytest.mark.parametrize("user", ['{"name": {"firstName": "Ada", "lastName": "L"}}', "no JSON", '["a"]', None])
    def test_the_form_comes_back_through_our_route(
        self, core: Borrowed, provider: ProviderServer, person: Person, user: str | None
    ) -> None:
        flow = Flow.begin(shop_of(core, provider).visitor(), "apple")
        page = f"{WEBSITE}/auth/callback/apple?from=ios"
        state = base64.b64encode(json.dumps({"frontendRedirectURI": page, "state": "s"}).encode()).decode()
        form = {**provider.consent(flow.url, person), "state": state, **({} if user is None else {"user": user})}
        passed = flow.visitor.call("POST", "/auth/callback/apple", data=form)
        assert passed.status_code == 303
        page_of_app, _, query_of_app = passed.headers["Location"].partition("?")
        query = dict(parse_qsl(query_of_app))
        assert page_of_app == f"{WEBSITE}/auth/callback/apple"
        assert query == {"from": "ios", **form}
        assert only_method(flow.end(query))["email"] == person.email


class TestRefusals:
    def test_a_denied_consent_is_a_normal_outcome(
        self, core: Borrowed, provider: ProviderServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        flow = Flow.begin(shop_of(core, provider).visitor(), provider.dialect.id)
        provider.requests.clear()
        answer = flow.end({**provider.dialect.denied, "state": "s"})
        assert (answer.status_code, answer.get_json()["status"]) == (200, "GENERAL_ERROR")
        assert clears_nothing(answer)
        assert provider.requests == []
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []

    def test_a_code_works_once(self, core: Borrowed, provider: ProviderServer, person: Person) -> None:
        shop = shop_of(core, provider)
        flow = Flow.begin(shop.visitor(), provider.dialect.id)
        back = provider.consent(flow.url, person)
        assert flow.end(back).get_json()["status"] == "OK"
        again = attrs.evolve(flow, visitor=shop.visitor()).end(back)
        assert outcome(again) == FAILURE
        assert clears_nothing(again)

    def test_a_code_that_the_provider_never_gave(self, core: Borrowed, provider: ProviderServer) -> None:
        flow = Flow.begin(shop_of(core, provider).visitor(), provider.dialect.id)
        provider.secrets.add("a-code-out-of-thin-air")
        assert outcome(flow.end({"code": "a-code-out-of-thin-air"})) == FAILURE

    def test_a_token_that_the_provider_never_gave(self, core: Borrowed, provider: ProviderServer) -> None:
        visitor = shop_of(core, provider).visitor()
        provider.secrets.add("a-token-out-of-thin-air")
        tokens = {"access_token": "a-token-out-of-thin-air"}
        assert outcome(use_tokens(visitor, provider.dialect.id, tokens)) == FAILURE


def places(dialect: Dialect) -> list[str]:
    """The endpoints that a sign-in with a code asks."""
    named = {"token": dialect.token, "user": dialect.user_info, "discovery": dialect.discovery, "keys": dialect.keys}
    return [name for name, documented in named.items() if documented] + (["more"] if dialect.more else [])


#: Discovery documents and keys are the same for all providers: test_attacks.py has these.
PLACES = [
    pytest.param(BY_ID[name], place, id=f"{name} {place}")
    for name in IDS
    for place in places(BY_ID[name])
    if place not in ("discovery", "keys")
]
BROKEN = {
    "no permission": Fault(status=401, body=b'{"error": "invalid_client"}'),
    "bad request": Fault(status=400, body=b'{"error": {"message": "no"}}'),
    "error page": Fault(status=500, body=b"<html>sorry</html>"),
    "unavailable": Fault(status=503),
    "no JSON": Fault(body=b"<html>welcome</html>"),
    "no object": Fault(body=b'["a"]'),
    "nothing known": Fault(body=b"{}"),
    "null": Fault(body=b"null"),
    "other types": Fault(
        body=json.dumps(
            dict.fromkeys(
                ["access_token", "id_token", "sub", "id", "uuid", "email", "values", "data", "keys", "issuer"], 1.5
            )
        ).encode()
    ),
    "not in UTF-8": Fault(body=b'{"access_token": "\xff"}'),
    "deep": Fault(body=b'{"id":' + b"[" * 100_000),
    "redirect": Fault(status=302, headers={"Location": "http://127.0.0.1:9/"}),
    "compressed": Fault(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}),
    "endless": Fault(how="endless"),
}


def broken(shop: Shop, provider: ProviderServer, place: str, fault: Fault) -> TestResponse:
    """Return what a visitor gets whose provider breaks down at this endpoint."""
    visitor = shop.visitor()
    provider.faults.clear()
    if place == "discovery":
        provider.faults[place] = fault
        return ask(visitor, provider.dialect.id)
    flow = Flow.begin(visitor, provider.dialect.id)
    back = provider.consent(flow.url, Person.of_its_own())
    provider.faults[place] = fault
    return flow.end(back)


class TestBreakdowns:
    @pytest.mark.parametrize(("dialect", "place"), PLACES)
    def test_every_broken_answer_is_a_failure_that_the_user_sees(
        self, core: Borrowed, provider: ProviderServer, place: str
    ) -> None:
        shop = shop_of(core, provider)
        for how, fault in BROKEN.items():
            answer = broken(shop, provider, place, fault)
            status = answer.get_json()["status"]
            assert answer.status_code == 200, how
            if how == "nothing known" and place == "user" and provider.dialect.claims is not None:
                assert status == "OK"  # the id token says it all
                continue
            expected = {"GENERAL_ERROR"}
            if place == "more" and how in ("no object", "nothing known", "other types"):
                expected.add("NO_EMAIL_GIVEN_BY_PROVIDER")
            assert status in expected, how
            assert clears_nothing(answer), how

    @pytest.mark.parametrize("dialect", [BY_ID["google"], BY_ID["github"]], ids=["google", "github"])
    @pytest.mark.parametrize("how", ["silent", "dripping"])
    def test_nobody_waits_for_ever(self, core: Borrowed, provider: ProviderServer, how: Any) -> None:
        for place in places(provider.dialect):
            shop = shop_of(core, provider, timeout=SHORT)
            assert outcome(broken(shop, provider, place, Fault(how=how))) == FAILURE, place

    def test_nobody_waits_for_the_last_answer(self, core: Borrowed, provider: ProviderServer) -> None:
        """Whichever the provider's last endpoint is."""
        shop = shop_of(core, provider, timeout=SHORT)
        last = "user" if provider.dialect.user_info is not None else "token"
        assert outcome(broken(shop, provider, last, Fault(how="silent"))) == FAILURE


class TestSettings:
    @pytest.mark.parametrize("dialect", [BY_ID["google"], BY_ID["gitlab"]], ids=["google", "gitlab"])
    def test_the_origin_of_a_named_provider_is_enough(
        self, core: Borrowed, provider: ProviderServer, person: Person
    ) -> None:
        config = ProviderConfig(
            third_party_id=provider.dialect.id,
            clients=[ProviderClientConfig(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)],
            oidc_discovery_endpoint=f"{provider.origin}/",
        )
        assert only_method(sign_in(shop_with(core, config).visitor(), provider, person))["email"] == person.email

    @pytest.mark.parametrize(
        ("dialect", "wrong"),
        [
            (BY_ID["okta"], {"oktaDomain": 7}),
            (BY_ID["okta"], {"oktaDomain": ""}),
            (BY_ID["okta"], {}),
            (BY_ID["boxy-saml"], {"boxyURL": ["https://boxy.example"]}),
            (BY_ID["boxy-saml"], None),
            (BY_ID["active-directory"], {"directoryId": None}),
            (BY_ID["apple"], None),
            (BY_ID["apple"], {"keyId": "k", "teamId": "t"}),
            (BY_ID["apple"], {"keyId": "k", "teamId": "t", "privateKey": "no key"}),
            (BY_ID["apple"], {"keyId": "k", "teamId": "t", "privateKey": pem(signing_key())}),
            (BY_ID["apple"], {"keyId": "k", "teamId": "t", "privateKey": pem(ec.generate_private_key(ec.SECP384R1()))}),
        ],
    )
    def test_what_a_provider_needs_and_does_not_have(
        self, core: Borrowed, provider: ProviderServer, wrong: dict[str, Any] | None
    ) -> None:
        client = ProviderClientConfig(client_id=CLIENT_ID, additional_config=wrong)
        config = ProviderConfig(third_party_id=provider.dialect.id, clients=[client])
        with pytest.raises(ConfigError, match=provider.dialect.id):
            shop_with(core, config)
        visitor, tenant = shop_with(core).visitor(), f"t-{uuid.uuid4().hex}"
        create_or_update_tenant(tenant_id=tenant, config=TenantConfigCreateOrUpdate(first_factors=None))
        create_or_update_third_party_config(config=config, skip_validation=True, tenant_id=tenant)
        assert outcome(ask(visitor, provider.dialect.id, tenant=tenant)) == FAILURE
        assert provider.requests == []
        ways = visitor.call("GET", f"/auth/{tenant}/loginmethods")
        assert ways.status_code == 200

    @pytest.mark.parametrize("dialect", [BY_ID["apple"]], ids=["apple"])
    def test_a_secret_for_apple_that_the_app_made(self, core: Borrowed, provider: ProviderServer) -> None:
        config = settings(provider, client={"client_secret": "made-by-the-app", "additional_config": None})
        flow = Flow.begin(shop_with(core, config).visitor(), "apple")
        assert outcome(flow.end(provider.consent(flow.url, Person.of_its_own()))) == FAILURE
        assert provider.requests[-1].form["client_secret"] == "made-by-the-app"

    @pytest.mark.parametrize("dialect", [BY_ID["facebook"], BY_ID["github"]], ids=["facebook", "github"])
    def test_no_secret_to_check_access_tokens_with(self, core: Borrowed, provider: ProviderServer) -> None:
        visitor = shop_with(core, settings(provider, client={"client_secret": None})).visitor()
        tokens = {"access_token": provider.tokens(Grant(Person.of_its_own()))["access_token"]}
        assert outcome(use_tokens(visitor, provider.dialect.id, tokens)) == FAILURE
        assert provider.requests == []

    @pytest.mark.parametrize("dialect", [BY_ID["google"]], ids=["google"])
    def test_a_client_id_that_is_none(self, core: Borrowed, provider: ProviderServer) -> None:
        with pytest.raises(ConfigError, match="the client_id of google must not be empty"):
            shop_with(core, settings(provider, client={"client_id": ""}))
        visitor = shop_with(core, settings(provider, client={"client_id": "two words"})).visitor()
        tokens = {"id_token": provider.id_token(Grant(Person.of_its_own(), client_id="two words"))}
        assert outcome(use_tokens(visitor, "google", tokens)) == FAILURE

    @pytest.mark.parametrize("dialect", [BY_ID["google"]], ids=["google"])
    def test_ids_and_clients_differ(self, core: Borrowed, provider: ProviderServer) -> None:
        config = settings(provider)
        with pytest.raises(ConfigError, match="two providers have the id 'google'"):
            shop_with(core, config, config)
        with pytest.raises(ConfigError, match="client_type"):
            shop_with(core, attrs.evolve(config, clients=[*config.clients, *config.clients]))


class TestDefaults:
    @pytest.mark.parametrize(
        "dialect", [BY_ID[name] for name in IDS if not BY_ID[name].discovery and name != "boxy-saml"]
    )
    def test_the_addresses_are_those_of_the_documentation(self, core: Borrowed, provider: ProviderServer) -> None:
        dialect = provider.dialect
        config = settings(provider, authorization_endpoint=None, token_endpoint=None, user_info_endpoint=None)
        shop_with(core, config)
        found = get_provider(tenant_id="public", third_party_id=dialect.id)
        assert found is not None
        addresses = found.config.authorization_endpoint, found.config.token_endpoint, found.config.user_info_endpoint
        assert addresses == (dialect.authorization, dialect.token, dialect.user_info)
        assert found.config.client_id == CLIENT_ID
