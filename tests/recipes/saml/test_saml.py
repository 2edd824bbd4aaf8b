"""Sign-in with SAML: the functions, the two routes, and the provider of the thirdparty recipe."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from werkzeug.test import TestResponse

from recipes.saml.peer import METADATA, CoreWithSaml, saml_response
from recipes.shop import API, WEBSITE, Borrowed, Shop, Visitor
from st_wsgi.core_client.transport import CoreReply
from st_wsgi.errors import ConfigError, CoreRefused
from st_wsgi.recipes import saml
from st_wsgi.recipes.multitenancy import (
    TenantConfigCreateOrUpdate,
    create_or_update_tenant,
    create_or_update_third_party_config,
)
from st_wsgi.recipes.saml import InvalidClient, InvalidToken, Saml, SamlClient, SamlResponseVerified
from st_wsgi.recipes.thirdparty import ProviderClientConfig, ProviderConfig, ProviderInput, ThirdParty

CALLBACK = f"{WEBSITE}/auth/callback/saml"
CLIENT = "client-of-the-shop"


@pytest.fixture
def core(core: Borrowed) -> Any:
    return CoreWithSaml(core)


@pytest.fixture
def shop(core: Any) -> Shop:
    return shop_on(core)


def shop_on(core: Any, *recipes: Any) -> Shop:
    provider = ProviderConfig(third_party_id="saml", clients=[ProviderClientConfig(client_id=CLIENT)])
    third_party = ThirdParty(providers=[ProviderInput(config=provider)])
    return Shop(core, recipes=[third_party, *(recipes or (Saml(),))])


def registered(client_id: str = CLIENT, tenant_id: str = "public", **more: Any) -> SamlClient:
    client = saml.create_or_update_client(
        redirect_uris=[CALLBACK],
        default_redirect_uri=CALLBACK,
        metadata_xml=METADATA.format(client_id),
        client_id=client_id,
        tenant_id=tenant_id,
        **more,
    )
    assert isinstance(client, SamlClient)
    return client


def person(**more: Any) -> dict[str, Any]:
    number = uuid.uuid4().hex
    return {"sub": number, "email": f"{number}@acme.example", "claims": {"team": ["sales"]}, **more}


def page(visitor: Visitor, tenant: str = "") -> str:
    """Return the address of the provider's page, at our own routes."""
    query = {"thirdPartyId": "saml", "redirectURIOnProviderDashboard": CALLBACK}
    told = visitor.call("GET", f"/auth{tenant}/authorisationurl", query_string=query).get_json()
    assert told["status"] == "OK" and "pkceCodeVerifier" not in told
    return str(told["urlWithQueryParams"])


def at_the_provider(visitor: Visitor, address: str, **more: str) -> dict[str, str]:
    """Go to our route, and return what the identity provider gets."""
    parts = urlsplit(address)
    answer = visitor.call("GET", parts.path, query_string={**dict(parse_qsl(parts.query)), **more})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "no-store")
    assert answer.headers["Location"].startswith("https://idp.example/")
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def post_back(visitor: Visitor, form: dict[str, str], tenant: str = "/public") -> TestResponse:
    return visitor.call("POST", f"/auth{tenant}/saml/callback", data=form, headers={"Origin": "https://idp.example"})


def sign_in(visitor: Visitor, code: str, tenant: str = "") -> TestResponse:
    info = {"redirectURIOnProviderDashboard": CALLBACK, "redirectURIQueryParams": {"code": code}}
    return visitor.call("POST", f"/auth{tenant}/signinup", {"thirdPartyId": "saml", "redirectURIInfo": info})


def code_in(answer: TestResponse) -> str:
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["code"]


class TestSignIn:
    @pytest.mark.parametrize("is_json", [False, True])
    def test_a_whole_sign_in(self, shop: Shop, core: CoreWithSaml, is_json: bool) -> None:
        registered()
        visitor, someone = shop.visitor(), person()
        address = page(visitor)
        assert address.partition("?")[0] == f"{API}/auth/public/saml/login"
        form = {
            "SAMLResponse": saml_response(**someone),
            "RelayState": at_the_provider(visitor, address, state="s1")["RelayState"],
        }
        began = core.states[form["RelayState"]]
        assert began["acsURL"] == f"{API}/auth/public/saml/callback"
        back = visitor.call("POST", "/auth/saml/callback", form) if is_json else post_back(visitor, form)
        assert back.headers["Location"].startswith(f"{CALLBACK}?code=")
        assert back.headers["Location"].endswith("&state=s1")
        assert back.headers["Cache-Control"] == "no-store"
        told = sign_in(visitor, code_in(back)).get_json()
        [method] = told["user"]["loginMethods"]
        assert (method["thirdParty"], method["email"], method["verified"]) == (
            {"id": "saml", "userId": someone["sub"]},
            someone["email"],
            True,
        )
        assert told["createdNewRecipeUser"] is True
        assert visitor.visit().get_json() == {"userId": told["user"]["id"]}

    def test_the_core_gets_the_saml_response_unchanged(self, shop: Shop, core: CoreWithSaml) -> None:
        """F-29, W-111: nothing here reads, changes or trusts it."""
        registered(allow_idp_initiated_login=True)
        sent = saml_response(**person(issuer="https://idp.example/" + CLIENT, text="\u00e9 <!DOCTYPE x>"))
        assert post_back(shop.visitor(), {"SAMLResponse": sent}).status_code == 302
        assert core.received == [sent]

    def test_a_code_is_good_once_and_for_one_client_of_one_tenant(self, shop: Shop) -> None:
        registered(allow_idp_initiated_login=True)
        issuer = "https://idp.example/" + CLIENT
        codes = [
            code_in(post_back(shop.visitor(), {"SAMLResponse": saml_response(**person(issuer=issuer))}))
            for _ in range(2)
        ]
        assert isinstance(saml.get_user_info(access_token=codes[0], client_id="another"), InvalidToken)
        assert isinstance(saml.get_user_info(access_token=codes[0], client_id=CLIENT), InvalidToken)
        code = codes[1]
        assert isinstance(saml.get_user_info(access_token=code, client_id=CLIENT, tenant_id="acme"), InvalidToken)
        assert sign_in(shop.visitor(), code).get_json()["status"] == "OK"
        assert sign_in(shop.visitor(), code).get_json()["status"] == "GENERAL_ERROR"
        assert sign_in(shop.visitor(), "none").get_json()["status"] == "GENERAL_ERROR"

    def test_a_user_without_an_address(self, shop: Shop) -> None:
        registered(allow_idp_initiated_login=True)
        someone = person(email=None, issuer="https://idp.example/" + CLIENT)
        code = code_in(post_back(shop.visitor(), {"SAMLResponse": saml_response(**someone)}))
        assert sign_in(shop.visitor(), code).get_json() == {"status": "NO_EMAIL_GIVEN_BY_PROVIDER"}

    @pytest.mark.parametrize("sub", [None, "", "x" * 257])
    def test_a_user_without_a_usable_id(self, shop: Shop, sub: str | None) -> None:
        registered(allow_idp_initiated_login=True)
        someone = person(sub=sub, issuer="https://idp.example/" + CLIENT)
        code = code_in(post_back(shop.visitor(), {"SAMLResponse": saml_response(**someone)}))
        answer = sign_in(shop.visitor(), code)
        assert (answer.status_code, answer.get_json()["status"]) == (200, "GENERAL_ERROR")

    def test_a_tenant_has_an_identity_provider_of_its_own(self, shop: Shop) -> None:
        create_or_update_tenant(tenant_id="acme", config=TenantConfigCreateOrUpdate(first_factors=["thirdparty"]))
        client = registered("client-of-acme", tenant_id="acme")
        config = ProviderConfig(third_party_id="saml", clients=[ProviderClientConfig(client_id=client.client_id)])
        create_or_update_third_party_config(config=config, tenant_id="acme", skip_validation=True)
        visitor = shop.visitor()
        address = page(visitor, "/acme")
        assert address.startswith(f"{API}/auth/acme/saml/login?client_id=client-of-acme&")
        asked = at_the_provider(visitor, address)
        form = {"SAMLResponse": saml_response(**person()), "RelayState": asked["RelayState"]}
        code = code_in(post_back(visitor, form, "/acme"))
        assert sign_in(visitor, code, "/acme").get_json()["user"]["tenantIds"] == ["acme"]


class TestRefusals:
    @pytest.mark.parametrize(
        "query",
        [
            {"client_id": "nobody", "redirect_uri": CALLBACK},
            {"client_id": CLIENT, "redirect_uri": "https://evil.example/steal"},
            {"client_id": CLIENT, "redirect_uri": f"{CALLBACK}/../../evil"},
        ],
    )
    def test_no_redirect_to_an_address_that_is_not_registered(self, shop: Shop, query: dict[str, str]) -> None:
        """F-21, W-022."""
        registered()
        answer = shop.visitor().call("GET", "/auth/saml/login", query_string=query)
        assert (answer.status_code, answer.get_json()) == (200, {"status": "INVALID_CLIENT_ERROR"})
        assert "Location" not in answer.headers

    @pytest.mark.parametrize(
        "query",
        [
            "",
            f"client_id={CLIENT}",
            f"redirect_uri={CALLBACK}",
            f"client_id=&redirect_uri={CALLBACK}",
            f"client_id={CLIENT}&client_id=x&redirect_uri={CALLBACK}",
            f"client_id={CLIENT}&redirect_uri={CALLBACK}&redirect_uri=https://evil.example",
            f"client_id={CLIENT}&redirect_uri={CALLBACK}&state=1&state=2",
        ],
    )
    def test_a_malformed_request_to_sign_in(self, shop: Shop, query: str) -> None:
        registered()
        answer = shop.visitor().call("GET", "/auth/saml/login", query_string=query)
        assert answer.status_code == 400
        assert "please give one" in answer.get_json()["message"]

    @pytest.mark.parametrize(
        ("says", "relay_state", "status"),
        [
            ({"signed": False}, "good", "SAML_RESPONSE_VERIFICATION_FAILED_ERROR"),
            ({}, "unknown", "INVALID_RELAY_STATE_ERROR"),
            ({"issuer": "https://idp.example/nobody"}, None, "SAML_RESPONSE_VERIFICATION_FAILED_ERROR"),
            ({}, None, "SAML_RESPONSE_VERIFICATION_FAILED_ERROR"),
            ({}, "removed", "INVALID_CLIENT_ERROR"),
            ({"issuer": "https://idp.example/" + CLIENT}, None, "IDP_LOGIN_DISALLOWED_ERROR"),
        ],
    )
    def test_refused_saml_responses(
        self, shop: Shop, says: dict[str, Any], relay_state: str | None, status: str
    ) -> None:
        registered()
        visitor = shop.visitor()
        form = {"SAMLResponse": saml_response(**person(**says))}
        if relay_state in ("good", "removed"):
            form["RelayState"] = at_the_provider(visitor, page(visitor))["RelayState"]
            if relay_state == "removed":
                saml.remove_client(client_id=CLIENT)
        elif relay_state is not None:
            form["RelayState"] = relay_state
        answer = post_back(visitor, form)
        assert (answer.status_code, answer.get_json()) == (200, {"status": status})
        assert "Location" not in answer.headers

    def test_a_saml_response_that_is_no_xml(self, shop: Shop) -> None:
        """The core refuses it with the status 400. The browser gets the same response as for a forged one."""
        answer = post_back(shop.visitor(), {"SAMLResponse": "bm90aGluZw=="})
        assert answer.get_json() == {"status": "SAML_RESPONSE_VERIFICATION_FAILED_ERROR"}

    @pytest.mark.parametrize(
        "form",
        [
            {},
            {"SAMLResponse": ""},
            {"SAMLResponse": "!!"},
            {"SAMLResponse": "AAA"},
            {"SAMLResponse": "AAAA AAAA"},
            {"SAMLResponse": "\u00e9\u00e9\u00e9\u00e9"},
            {"RelayState": "x"},
        ],
    )
    def test_a_malformed_response(self, shop: Shop, core: CoreWithSaml, form: dict[str, str]) -> None:
        """A core would crash on some of them."""
        assert post_back(shop.visitor(), form).status_code == 400
        assert shop.visitor().call("POST", "/auth/saml/callback", form).status_code == 400
        assert core.received == []

    def test_malformed_bodies(self, shop: Shop, core: CoreWithSaml) -> None:
        """W-008: of another type, with a field twice, with many fields, too large."""
        visitor, good = shop.visitor(), saml_response(**person())
        bodies = [
            ("text/plain", f"SAMLResponse={good}"),
            ("multipart/form-data; boundary=x", "--x--"),
            ("application/x-www-form-urlencoded", urlencode([("SAMLResponse", good)] * 2)),
            ("application/x-www-form-urlencoded", urlencode({f"f{number}": "1" for number in range(100)})),
            ("application/json", '["SAMLResponse"]'),
            ("application/json", '{"SAMLResponse": 5}'),
            ("application/json", '{"SAMLResponse": "AAAA", "RelayState": 5}'),
        ]
        for kind, body in bodies:
            answer = visitor.call("POST", "/auth/saml/callback", data=body, content_type=kind)
            assert answer.status_code == 400, kind
        large = urlencode({"SAMLResponse": "AAAA" * 50_000})
        kind = "application/x-www-form-urlencoded"
        assert visitor.call("POST", "/auth/saml/callback", data=large, content_type=kind).status_code == 413
        assert core.received == []


class TestFunctions:
    def test_clients(self, shop: Shop) -> None:
        made = saml.create_or_update_client(
            redirect_uris=(CALLBACK, f"{WEBSITE}/other"),
            default_redirect_uri=CALLBACK,
            metadata_xml="\n" + METADATA.format("one"),
            client_secret="a-secret",
            enable_request_signing=False,
        )
        assert isinstance(made, SamlClient)
        assert made.client_id.startswith("st_saml_")
        assert (made.redirect_uris, made.default_redirect_uri) == ((CALLBACK, f"{WEBSITE}/other"), CALLBACK)
        assert (made.idp_entity_id, made.enable_request_signing) == ("https://idp.example/one", False)
        assert (made.allow_idp_initiated_login, made.client_secret) == (False, "a-secret")
        assert "a-secret" not in repr(made)
        assert saml.list_clients().clients == (made,)
        assert saml.list_clients(tenant_id="acme").clients == ()
        twin: dict[str, Any] = {"redirect_uris": [CALLBACK], "default_redirect_uri": CALLBACK}
        again = saml.create_or_update_client(metadata_xml=METADATA.format("one"), client_id="another", **twin)
        assert again.status == "DUPLICATE_IDP_ENTITY_ERROR"
        for metadata in ("", "no xml", "<xml/>", "bm90aGluZw=="):
            wrong = saml.create_or_update_client(metadata_xml=metadata, **twin)
            assert wrong.status == "INVALID_METADATA_XML_ERROR"
        assert saml.remove_client(client_id=made.client_id).did_exist is True
        assert saml.remove_client(client_id=made.client_id).did_exist is False

    def test_a_sign_in_by_functions(self, shop: Shop) -> None:
        registered()
        asked = {"redirect_uri": CALLBACK, "acs_url": f"{API}/auth/public/saml/callback"}
        assert isinstance(saml.create_login_request(client_id="nobody", **asked), InvalidClient)
        request = saml.create_login_request(client_id=CLIENT, **asked)
        assert request.status == "OK"
        relay_state = dict(parse_qsl(urlsplit(request.redirect_uri).query))["RelayState"]
        someone = person()
        verified = saml.verify_saml_response(saml_response=saml_response(**someone), relay_state=relay_state)
        assert isinstance(verified, SamlResponseVerified)
        code = dict(parse_qsl(urlsplit(verified.redirect_uri).query))["code"]
        assert code not in repr(verified)
        told = saml.get_user_info(access_token=code, client_id=CLIENT)
        assert told.status == "OK"
        assert (told.sub, told.email, told.claims) == (someone["sub"], someone["email"], {"team": ["sales"]})


class TestSettings:
    def test_the_provider_without_the_recipe(self, core: Any) -> None:
        with pytest.raises(ConfigError, match=r"add Saml\(\) to recipes"):
            provider = ProviderConfig(third_party_id="saml", clients=[ProviderClientConfig(client_id=CLIENT)])
            Shop(core, recipes=[ThirdParty(providers=[ProviderInput(config=provider)])])

    def test_a_tenants_provider_without_the_recipe(self, core: Any, caplog: pytest.LogCaptureFixture) -> None:
        shop = Shop(core, recipes=[ThirdParty()])
        create_or_update_tenant(tenant_id="beta", config=TenantConfigCreateOrUpdate(first_factors=["thirdparty"]))
        config = ProviderConfig(third_party_id="saml", clients=[ProviderClientConfig(client_id="c")])
        create_or_update_third_party_config(config=config, tenant_id="beta", skip_validation=True)
        query = {"thirdPartyId": "saml", "redirectURIOnProviderDashboard": CALLBACK}
        answer = shop.visitor().call("GET", "/auth/beta/authorisationurl", query_string=query)
        assert (answer.status_code, answer.get_json()["status"]) == (200, "GENERAL_ERROR")
        assert "add Saml() to recipes" in caplog.text

    def test_the_order_of_the_recipes_does_not_matter(self, core: Any) -> None:
        for recipes in ([Saml()], []):
            provider = ProviderConfig(third_party_id="saml-acme", clients=[ProviderClientConfig(client_id=CLIENT)])
            third_party = ThirdParty(providers=[ProviderInput(config=provider)])
            Shop(core, recipes=[*recipes, third_party, *([] if recipes else [Saml()])])

    @pytest.mark.parametrize(
        ("status", "text"),
        [
            (400, "The embedded core has no OAuth 2 provider and no SAML"),
            (402, "SAML feature is not enabled."),
        ],
    )
    def test_a_core_without_saml(self, core: Any, monkeypatch: pytest.MonkeyPatch, status: int, text: str) -> None:
        shop_on(core)
        monkeypatch.setattr(core, "send", lambda request: CoreReply(status, text))
        with pytest.raises(CoreRefused, match=text):
            saml.verify_saml_response(saml_response="AAAA")
        with pytest.raises(CoreRefused, match=text):
            registered()

    def test_the_embedded_core_says_that_it_has_none(self, shared_core: Any) -> None:
        shop_on(Borrowed(shared_core))
        with pytest.raises(CoreRefused, match="The embedded core has no OAuth 2 provider and no SAML"):
            saml.create_login_request(client_id="c", redirect_uri=CALLBACK, acs_url=CALLBACK)
        assert saml.list_clients().clients == ()
