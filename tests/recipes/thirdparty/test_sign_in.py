"""Signing in with a provider: every route with every status, by code and by tokens."""

from __future__ import annotations

import base64
import hashlib
import logging
import uuid
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from recipes.shop import PASSWORD, WEBSITE, Borrowed, clears_nothing, form
from recipes.thirdparty.providers import (
    CALLBACK,
    CLIENT,
    SECRET,
    IdP,
    Json,
    begin,
    client,
    come_back,
    oauth,
    openid,
    send_tokens,
    shop_with,
    sign_in,
)
from st_wsgi import Override, SecurityEvent, ThirdPartyInfo, replace
from st_wsgi.errors import ConfigError
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.multitenancy import (
    TenantConfigCreateOrUpdate,
    UserFields,
    UserInfoMap,
    create_or_update_tenant,
    create_or_update_third_party_config,
)
from st_wsgi.recipes.thirdparty import (
    EmailChangeNotAllowed,
    Provider,
    ProviderConfig,
    ProviderConfigForClient,
    ProviderFailed,
    ProviderInput,
    SignedInByProvider,
    ThirdParty,
    UserCreatedOrUpdated,
    get_provider,
    manually_create_or_update_user,
)

FAILED = {"status": "GENERAL_ERROR", "message": ProviderFailed.message}
NO_EMAIL = {"status": "NO_EMAIL_GIVEN_BY_PROVIDER"}


def person(**changes: Any) -> Json:
    """Return a user of the test's own, as the provider knows them."""
    name = uuid.uuid4().hex
    known = {"sub": name, "email": f"{name}@example.com", "email_verified": True, **changes}
    return {name: value for name, value in known.items() if value is not None}


class TestByCode:
    @pytest.mark.parametrize("mode", ["cookie", "header"])
    @pytest.mark.parametrize("kind", [openid, oauth])
    def test_a_user_signs_up_and_then_in(self, core: Borrowed, idp: IdP, mode: str, kind: Any) -> None:
        shop, ada = shop_with(core, kind(idp)), person()
        visitor = shop.visitor(mode)
        signed_up = sign_in(idp, visitor, ada).get_json()
        assert (signed_up["status"], signed_up["createdNewRecipeUser"]) == ("OK", True)
        assert signed_up.keys() == {"status", "createdNewRecipeUser", "user"}
        [method] = signed_up["user"]["loginMethods"]
        assert (method["recipeId"], method["thirdParty"]) == ("thirdparty", {"id": "idp", "userId": ada["sub"]})
        assert (method["email"], method["verified"]) == (ada["email"], True)
        assert visitor.visit().get_json() == {"userId": signed_up["user"]["id"]}
        again = sign_in(idp, shop.visitor(mode), ada).get_json()
        assert (again["createdNewRecipeUser"], again["user"]) == (False, signed_up["user"])

    def test_the_address_of_the_page(self, core: Borrowed, idp: IdP) -> None:
        config = openid(idp, authorization_endpoint_query_params={"prompt": "consent", "redirect_uri": None})
        visitor = shop_with(core, config).visitor()
        started = begin(visitor).get_json()
        assert started.keys() == {"status", "urlWithQueryParams"}
        address = urlsplit(started["urlWithQueryParams"])
        assert address._replace(query="").geturl() == f"{idp.origin}/authorize"
        assert dict(parse_qsl(address.query)) == {
            "theme": "dark",
            "client_id": CLIENT,
            "response_type": "code",
            "scope": "openid",
            "prompt": "consent",
        }

    @pytest.mark.parametrize("settings", [{"client_secret": None}, {"force_pkce": True}])
    def test_pkce_binds_a_code_to_the_browser_that_began(self, core: Borrowed, idp: IdP, settings: Json) -> None:
        shop, eve = shop_with(core, openid(idp, clients=[client(**settings)])), person()
        started = begin(shop.visitor()).get_json()
        params = dict(parse_qsl(urlsplit(started["urlWithQueryParams"]).query))
        digest = hashlib.sha256(started["pkceCodeVerifier"].encode()).digest()
        assert params["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert params["code_challenge_method"] == "S256"
        victim = shop.visitor()
        own = begin(victim).get_json()
        assert own["pkceCodeVerifier"] != started["pkceCodeVerifier"]
        foreign = idp.log_in(started["urlWithQueryParams"], eve)
        assert come_back(victim, foreign, own).get_json() == FAILED
        foreign = idp.log_in(started["urlWithQueryParams"], eve)
        without = come_back(victim, foreign, {})
        assert (without.status_code, clears_nothing(without)) == (400, True)
        assert "pkceCodeVerifier" in without.get_json()["message"]
        assert come_back(shop.visitor(), foreign, started).get_json()["status"] == "OK"

    def test_a_code_is_good_once(self, core: Borrowed, idp: IdP) -> None:
        visitor = shop_with(core, openid(idp)).visitor()
        started = begin(visitor).get_json()
        code = idp.log_in(started["urlWithQueryParams"], person())
        assert come_back(visitor, code, started).get_json()["status"] == "OK"
        assert come_back(visitor, code, started).get_json() == FAILED

    @pytest.mark.parametrize("error", ["access_denied", "a text of the provider's own"])
    def test_a_user_who_says_no_is_told_so(self, core: Borrowed, idp: IdP, error: str) -> None:
        events: list[SecurityEvent] = []
        shop = shop_with(core, openid(idp), shop={"on_security_event": events.append})
        info = {"redirectURIOnProviderDashboard": CALLBACK, "redirectURIQueryParams": {"error": error}}
        answer = shop.visitor().call("POST", "/auth/signinup", {"thirdPartyId": "idp", "redirectURIInfo": info})
        assert answer.get_json()["status"] == "GENERAL_ERROR"
        assert "You have not signed in" in answer.get_json()["message"]
        [event] = events
        reason = error if error == "access_denied" else "PROVIDER_ERROR"
        assert (event.name, event.reason) == ("sign_in_failed", reason)

    def test_users_of_older_frontends_have_the_older_form(self, core: Borrowed, idp: IdP) -> None:
        visitor, ada = shop_with(core, openid(idp)).visitor(), person()
        visitor.fdi_version = "1.17"
        body = sign_in(idp, visitor, ada).get_json()
        assert (body["createdNewUser"], body["user"]["email"]) == (True, ada["email"])
        assert body["user"]["thirdParty"] == {"id": "idp", "userId": ada["sub"]}

    def test_events(self, core: Borrowed, idp: IdP) -> None:
        events: list[SecurityEvent] = []
        shop, ada = shop_with(core, openid(idp), shop={"on_security_event": events.append}), person()
        user = sign_in(idp, shop.visitor(), ada).get_json()["user"]
        sign_in(idp, shop.visitor(), ada)
        assert [(one.name, one.recipe_id, one.user_id) for one in events] == [
            ("signed_up", "thirdparty", user["id"]),
            ("signed_in", "thirdparty", user["id"]),
        ]

    def test_the_app_gets_tokens_and_all_that_the_provider_said(self, core: Borrowed, idp: IdP) -> None:
        seen: list[SignedInByProvider] = []

        def keep(original: Any) -> Any:
            def sign_in_up_post(**given: Any) -> Any:
                seen.append(original.sign_in_up_post(**given))
                return seen[-1]

            return replace(original, sign_in_up_post=sign_in_up_post)

        third_party = ThirdParty(
            providers=[ProviderInput(config=openid(idp))], allow_private_networks=True, override=Override(apis=keep)
        )
        shop = shop_with(core, recipes=(), providers=third_party.providers, override=None)
        shop = type(shop)(core, recipes=[third_party])
        ada = person(locale="en")
        sign_in(idp, shop.visitor(), ada)
        assert idp.users[seen[0].oauth_tokens["access_token"]] == ada
        assert seen[0].raw_user_info_from_provider.from_user_info_api == ada
        assert seen[0].raw_user_info_from_provider.from_id_token_payload["locale"] == "en"
        assert seen[0].oauth_tokens["access_token"] not in repr(seen[0])


class TestEmails:
    def test_a_changed_address_is_taken_over(self, core: Borrowed, idp: IdP) -> None:
        shop, ada = shop_with(core, openid(idp)), person()
        sign_in(idp, shop.visitor(), ada)
        ada |= {"email": f"new-{ada['email']}", "email_verified": False}
        [method] = sign_in(idp, shop.visitor(), ada).get_json()["user"]["loginMethods"]
        assert (method["email"], method["verified"]) == (ada["email"], False)

    @pytest.mark.parametrize("said", [False, None, "true", "True", 1, [True], {"value": True}])
    def test_only_true_counts_as_verified(self, core: Borrowed, idp: IdP, said: Any) -> None:
        """FDI, rule F-03."""
        user = sign_in(idp, shop_with(core, openid(idp)).visitor(), person(email_verified=said)).get_json()["user"]
        assert user["loginMethods"][0]["verified"] is False

    def test_an_address_is_verified_by_nobody_who_has_another_one(self, core: Borrowed, idp: IdP) -> None:
        idp.claims = {"email_verified": None}
        idp.answers["/me"] = lambda _: (200, {**ada, "email": "other@example.com"})
        ada = person()
        user = sign_in(idp, shop_with(core, openid(idp)).visitor(), ada).get_json()["user"]
        assert (user["emails"], user["loginMethods"][0]["verified"]) == ([ada["email"]], False)

    @pytest.mark.parametrize(
        "email", [None, "", " ", "none", "a@b\n.c", "x" * 300 + "@example.com", "1@x.fakeemail.com"]
    )
    def test_without_an_address_nobody_signs_in(self, core: Borrowed, idp: IdP, email: str | None) -> None:
        answer = sign_in(idp, shop_with(core, openid(idp)).visitor(), person(email=email))
        assert (answer.get_json(), clears_nothing(answer)) == (NO_EMAIL, True)

    @pytest.mark.parametrize(
        "email",
        ["@", "a@x, b@y", "a@x.example,b@y.example", "a b@x.example", "<script>@x.example", "\u212aate@x.example"],
    )
    def test_nothing_that_could_be_read_as_another_address(self, core: Borrowed, idp: IdP, email: str) -> None:
        """The Kelvin sign is a k in small letters."""
        answer = sign_in(idp, shop_with(core, openid(idp)).visitor(), person(email=email))
        assert (answer.get_json(), clears_nothing(answer)) == (NO_EMAIL, True)

    def test_without_an_address_where_the_app_wants_none(self, core: Borrowed, idp: IdP) -> None:
        ada = person(email=None)
        user = sign_in(idp, shop_with(core, openid(idp, require_email=False)).visitor(), ada).get_json()["user"]
        assert user["emails"] == [f"{ada['sub']}.idp@stfakeemail.supertokens.com"]
        assert user["loginMethods"][0]["verified"] is True

    def test_made_up_addresses_of_two_ids_differ(self, core: Borrowed, idp: IdP) -> None:
        """The core keeps addresses in small letters. No id is the hash that stands for another one."""
        shop, name = shop_with(core, openid(idp, require_email=False)), f"A {uuid.uuid4().hex}"
        ids = [name, name.lower(), hashlib.sha256(name.encode()).hexdigest(), "x" * 256]
        users = [sign_in(idp, shop.visitor(), person(sub=one, email=None)).get_json()["user"] for one in ids]
        emails = {user["emails"][0] for user in users}
        assert len(emails) == len(ids)
        assert max(map(len, emails)) <= 256

    @pytest.mark.parametrize("made", [None, 5, "", "none", "x" * 300 + "@example.com", "a@x.example, b@x.example"])
    def test_what_the_app_makes_up_is_an_address(
        self, core: Borrowed, idp: IdP, made: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        config = openid(idp, require_email=False, generate_fake_email=lambda _tenant, _user: made)
        answer = sign_in(idp, shop_with(core, config).visitor(), person(email=None))
        assert (answer.status_code, clears_nothing(answer)) == (500, True)
        assert "generate_fake_email must return an e-mail address" in caplog.text

    def test_the_app_makes_addresses_up_by_itself(self, core: Borrowed, idp: IdP) -> None:
        config = openid(
            idp, require_email=False, generate_fake_email=lambda tenant, user: f" {tenant.upper()}-{user}@x.example"
        )
        ada = person(email=None)
        user = sign_in(idp, shop_with(core, config).visitor(), ada).get_json()["user"]
        assert user["emails"] == [f"public-{ada['sub']}@x.example"]

    def test_the_fields_have_other_names(self, core: Borrowed, idp: IdP) -> None:
        fields = UserFields(user_id="data.id", email="data.mail", email_verified="data.ok")
        config = oauth(idp, user_info_map=UserInfoMap(from_user_info_api=fields))
        ada = {"data": {"id": uuid.uuid4().int % 10**12, "mail": f"{uuid.uuid4().hex}@example.com", "ok": True}}
        user = sign_in(idp, shop_with(core, config).visitor(), ada).get_json()["user"]
        assert user["thirdParty"] == [{"id": "idp", "userId": str(ada["data"]["id"])}]
        assert (user["emails"], user["loginMethods"][0]["verified"]) == ([ada["data"]["mail"]], True)

    @pytest.mark.parametrize("said", [1.5, True, None, "", "x" * 300, ["a"]])
    def test_an_id_is_a_text_or_a_whole_number(self, core: Borrowed, idp: IdP, said: Any) -> None:
        """FDI, rule F-28."""
        answer = sign_in(idp, shop_with(core, oauth(idp)).visitor(), person(sub=said))
        assert answer.get_json() == FAILED


class TestByTokens:
    def test_an_id_token_signs_in(self, core: Borrowed, idp: IdP) -> None:
        visitor, ada = shop_with(core, openid(idp)).visitor(), person()
        user = send_tokens(visitor, id_token=idp.signed(ada)).get_json()["user"]
        assert user["emails"] == [ada["email"]]
        assert "/me" not in idp.paths()

    def test_an_id_token_of_another_of_our_clients(self, core: Borrowed, idp: IdP) -> None:
        clients = [client(client_type="web"), client(client_type="ios", client_id="client-2")]
        visitor = shop_with(core, openid(idp, clients=clients)).visitor()
        body = {
            "thirdPartyId": "idp",
            "clientType": "web",
            "oAuthTokens": {"id_token": idp.signed(person(), "client-2")},
        }
        assert visitor.call("POST", "/auth/signinup", body).get_json()["status"] == "OK"

    def test_an_access_token_alone_could_be_that_of_another_app(self, core: Borrowed, idp: IdP) -> None:
        """FDI, rule F-24."""
        answer = send_tokens(shop_with(core, oauth(idp)).visitor(), access_token=idp.access_token(person()))
        assert (answer.get_json(), clears_nothing(answer)) == (FAILED, True)
        assert idp.requests == []

    def test_the_app_checks_access_tokens_by_itself(self, core: Borrowed, idp: IdP) -> None:
        ours, theirs = idp.access_token(person()), idp.access_token(person())

        def check(token: str, config: Any) -> None:
            assert config.client_id == CLIENT
            if token != ours:
                raise ProviderFailed("not ours")

        visitor = shop_with(core, oauth(idp, validate_access_token=check)).visitor()
        assert send_tokens(visitor, access_token=theirs).get_json() == FAILED
        assert send_tokens(visitor, access_token=ours).get_json()["status"] == "OK"

    def test_both_tokens_must_be_of_one_user(self, core: Borrowed, idp: IdP) -> None:
        visitor, ada, eve = shop_with(core, openid(idp)).visitor(), person(), person()
        mixed = send_tokens(visitor, id_token=idp.signed(ada), access_token=idp.access_token(eve))
        assert mixed.get_json() == FAILED
        same = send_tokens(visitor, id_token=idp.signed(ada), access_token=idp.access_token(ada))
        assert same.get_json()["status"] == "OK"

    @pytest.mark.parametrize("said", [{}, {"sub": None}, {"sub": 7}])
    def test_a_user_info_without_a_subject_is_nobodys(self, core: Borrowed, idp: IdP, said: Json) -> None:
        ada = person()
        idp.answers["/me"] = lambda _: (200, {"email": "x@example.com", "email_verified": True, **said})
        tokens = {"id_token": idp.signed(ada), "access_token": "any"}
        assert send_tokens(shop_with(core, openid(idp)).visitor(), **tokens).get_json() == FAILED

    def test_claims_that_the_app_refuses(self, core: Borrowed, idp: IdP) -> None:
        def check(claims: Json, _config: Any) -> None:
            if claims.get("department") != "sales":
                raise ProviderFailed("not of sales")

        visitor = shop_with(core, openid(idp, validate_id_token_payload=check)).visitor()
        assert sign_in(idp, visitor, person()).get_json() == FAILED
        assert sign_in(idp, visitor, person(department="sales")).get_json()["status"] == "OK"


class TestRequests:
    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"thirdPartyId": "idp"},
            {"thirdPartyId": 7, "oAuthTokens": {"id_token": "x"}},
            {"thirdPartyId": "idp", "oAuthTokens": {}},
            {"thirdPartyId": "idp", "oAuthTokens": "x"},
            {"thirdPartyId": "idp", "oAuthTokens": {"id_token": 7}},
            {"thirdPartyId": "idp", "oAuthTokens": {"access_token": ""}},
            {"thirdPartyId": "idp", "oAuthTokens": {"id_token": "x"}, "redirectURIInfo": {}},
            {"thirdPartyId": "idp", "oAuthTokens": {"id_token": "x"}, "clientType": "unknown"},
            {"thirdPartyId": "idp", "oAuthTokens": {"id_token": "x"}, "clientType": ["web"]},
            {"thirdPartyId": "unknown", "oAuthTokens": {"id_token": "x"}},
            {"thirdPartyId": "idp", "oAuthTokens": {"id_token": "x"}, "shouldTryLinkingWithSessionUser": "yes"},
            {"thirdPartyId": "idp", "redirectURIInfo": []},
            {"thirdPartyId": "idp", "redirectURIInfo": {"redirectURIOnProviderDashboard": CALLBACK}},
            {
                "thirdPartyId": "idp",
                "redirectURIInfo": {
                    "redirectURIOnProviderDashboard": CALLBACK,
                    "redirectURIQueryParams": {"code": 7},
                },
            },
            {
                "thirdPartyId": "idp",
                "redirectURIInfo": {"redirectURIOnProviderDashboard": CALLBACK, "redirectURIQueryParams": {}},
            },
            {
                "thirdPartyId": "idp",
                "redirectURIInfo": {
                    "redirectURIOnProviderDashboard": CALLBACK,
                    "redirectURIQueryParams": {"code": "x"},
                    "pkceCodeVerifier": 7,
                },
            },
        ],
    )
    def test_a_body_that_is_not_as_the_protocol_has_it(self, core: Borrowed, idp: IdP, body: Json) -> None:
        answer = shop_with(core, openid(idp)).visitor().call("POST", "/auth/signinup", body)
        assert (answer.status_code, list(answer.get_json())) == (400, ["message"])
        assert "/token" not in idp.paths()

    @pytest.mark.parametrize(
        "query",
        [
            {"thirdPartyId": "idp"},
            {"redirectURIOnProviderDashboard": CALLBACK},
            {"thirdPartyId": "unknown", "redirectURIOnProviderDashboard": CALLBACK},
            {"thirdPartyId": "idp", "redirectURIOnProviderDashboard": CALLBACK, "clientType": "unknown"},
            {"thirdPartyId": ["idp", "idp"], "redirectURIOnProviderDashboard": CALLBACK},
        ],
    )
    def test_a_query_that_is_not_as_the_protocol_has_it(self, core: Borrowed, idp: IdP, query: Json) -> None:
        answer = shop_with(core, openid(idp)).visitor().call("GET", "/auth/authorisationurl", query_string=query)
        assert (answer.status_code, list(answer.get_json())) == (400, ["message"])

    @pytest.mark.parametrize(
        ("uri", "is_ours"),
        [
            (CALLBACK, True),
            (f"{WEBSITE}:443/x?y=1", True),
            ("https://api.shop.example/auth/callback/apple", True),
            ("com.example.app://callback", True),
            ("", True),
            ("https://evil.example/auth/callback/idp", False),
            (f"{WEBSITE}.evil.example/", False),
            (f"{WEBSITE}@evil.example/", False),
            (f"{WEBSITE}\\@evil.example/", False),
            ("http://shop.example/", False),
            ("//shop.example/", False),
            ("com.example.app://callback2", False),
            ("javascript:alert(1)", False),
        ],
    )
    def test_a_provider_sends_browsers_to_addresses_of_ours(
        self, core: Borrowed, idp: IdP, uri: str, is_ours: bool
    ) -> None:
        """FDI, rule F-25."""
        shop = shop_with(core, openid(idp), redirect_uris=["com.example.app://callback", ""])
        status = 200 if is_ours else 400
        assert begin(shop.visitor(), redirectURIOnProviderDashboard=uri).status_code == status
        info = {"redirectURIOnProviderDashboard": uri, "redirectURIQueryParams": {"code": "x"}}
        answer = shop.visitor().call("POST", "/auth/signinup", {"thirdPartyId": "idp", "redirectURIInfo": info})
        assert answer.status_code == status

    def test_a_form_of_another_site_cannot_sign_in(self, core: Borrowed, idp: IdP) -> None:
        """FDI, rule F-26: a page of another site cannot send JSON without our consent."""
        visitor = shop_with(core, openid(idp)).visitor()
        body = '{"thirdPartyId": "idp", "oAuthTokens": {"id_token": "x"}}'
        answer = visitor.call("POST", "/auth/signinup", content_type="text/plain", data=body)
        assert answer.status_code == 400

    def test_linking_is_not_there_yet(self, core: Borrowed, idp: IdP) -> None:
        visitor = shop_with(core, openid(idp)).signed_in()
        started = begin(visitor).get_json()
        answer = come_back(visitor, "x", started, shouldTryLinkingWithSessionUser=True)
        assert answer.get_json()["status"] == "SIGN_IN_UP_NOT_ALLOWED"
        assert "/token" not in idp.paths()

    def test_attempts_are_limited(self, core: Borrowed, idp: IdP) -> None:
        visitor = shop_with(core, openid(idp)).visitor()
        codes = [come_back(visitor, "guessed", {}).status_code for _ in range(12)]
        assert codes == [200] * 10 + [429] * 2


class TestTenants:
    def tenant(self, *configs: Any, first_factors: Any = None) -> str:
        tenant_id = f"t-{uuid.uuid4().hex}"
        create_or_update_tenant(tenant_id=tenant_id, config=TenantConfigCreateOrUpdate(first_factors=first_factors))
        for config in configs:
            create_or_update_third_party_config(config=config, skip_validation=True, tenant_id=tenant_id)
        return tenant_id

    def test_a_tenant_has_providers_of_its_own(self, core: Borrowed, idp: IdP) -> None:
        shop, ada = shop_with(core), person()
        tenant_id = self.tenant(openid(idp, name="Own"))
        assert begin(shop.visitor()).status_code == 400
        user = sign_in(idp, shop.visitor(), ada, tenant=tenant_id).get_json()["user"]
        assert user["tenantIds"] == [tenant_id]
        methods = shop.visitor().call("GET", f"/auth/{tenant_id}/loginmethods").get_json()
        assert methods["thirdParty"] == {"enabled": True, "providers": [{"id": "idp", "name": "Own"}]}
        assert methods["firstFactors"] == ["thirdparty"]

    def test_a_tenant_changes_the_apps_provider_for_itself_alone(self, core: Borrowed, idp: IdP) -> None:
        """FDI, rule F-27."""
        clients = [client(client_type="web"), client(client_type="ios", client_id="ios")]
        params = {"prompt": "login"}
        shop = shop_with(core, openid(idp, clients=clients, authorization_endpoint_query_params=params))
        own = [
            client(client_type="web", client_id="theirs", client_secret=None),
            client(client_type="tv", client_id="tv"),
        ]
        changed = openid(idp, oidc_discovery_endpoint=None, clients=own)
        tenant_id = self.tenant(changed)
        for _ in range(2):
            for tenant, client_type, client_id in [
                (tenant_id, "web", "theirs"),
                (tenant_id, "ios", "ios"),
                (tenant_id, "tv", "tv"),
                ("public", "web", CLIENT),
            ]:
                started = begin(shop.visitor(), tenant=tenant, clientType=client_type).get_json()
                sent = dict(parse_qsl(urlsplit(started["urlWithQueryParams"]).query))
                assert (sent["client_id"], sent["prompt"]) == (client_id, "login")
                assert ("pkceCodeVerifier" in started) is (client_id == "theirs")
        assert begin(shop.visitor(), clientType="tv").status_code == 400

    @pytest.mark.parametrize("everywhere", [True, False])
    def test_a_tenant_without_providers_has_those_that_are_for_all(
        self, core: Borrowed, idp: IdP, everywhere: bool
    ) -> None:
        one = ProviderInput(config=openid(idp), include_in_non_public_tenants_by_default=everywhere)
        shop, tenant_id = shop_with(core, providers=[one]), self.tenant()
        assert begin(shop.visitor(), tenant=tenant_id).status_code == (200 if everywhere else 400)
        assert begin(shop.visitor()).status_code == 200

    def test_a_tenant_that_does_not_allow_the_factor(self, core: Borrowed, idp: IdP) -> None:
        shop, tenant_id = shop_with(core, openid(idp)), self.tenant(openid(idp), first_factors=["emailpassword"])
        answer = come_back(shop.visitor(), "x", {}, tenant=tenant_id)
        assert (answer.status_code, "/token" in idp.paths()) == (401, False)

    def test_a_tenant_that_does_not_exist(self, core: Borrowed, idp: IdP) -> None:
        shop = shop_with(core, openid(idp))
        assert begin(shop.visitor(), tenant="nowhere").get_json() == {"message": "this tenant does not exist"}

    def test_providers_on_the_page_for_signing_in(self, core: Borrowed, idp: IdP) -> None:
        """Nothing is fetched for it, and providers without such a client are left out."""
        several = openid(idp, third_party_id="several", clients=[client(client_type="a"), client(client_type="b")])
        google = openid(idp, third_party_id="google-x", oidc_discovery_endpoint=None)
        visitor = shop_with(core, google, several).visitor()
        shown = visitor.call("GET", "/auth/loginmethods").get_json()["thirdParty"]["providers"]
        assert shown == [{"id": "google-x", "name": "Google"}]
        shown = visitor.call("GET", "/auth/loginmethods?clientType=b").get_json()["thirdParty"]["providers"]
        assert shown == [{"id": "several"}]
        assert idp.requests == []


class TestSettings:
    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"third_party_id": ""}, "third_party_id must not be empty"),
            ({"third_party_id": "gihub"}, "gihub needs oidc_discovery_endpoint, or authorization_endpoint"),
            ({"third_party_id": "GitHub"}, "GitHub needs oidc_discovery_endpoint"),
            ({"third_party_id": "okta"}, "okta needs oktaDomain in additional_config"),
            ({"third_party_id": "apple", "clients": [client(client_secret=None)]}, "the provider apple: Apple needs"),
            ({"third_party_id": "github", "clients": [client(client_id=" ")]}, "client_id of github must not be empty"),
        ],
    )
    def test_what_cannot_work_is_refused_at_the_start(self, core: Borrowed, config: Json, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            shop_with(core, ProviderConfig(**{"clients": [client()], **config}))

    def test_so_are_overrides(self, core: Borrowed, idp: IdP) -> None:
        with pytest.raises(ConfigError, match="has no method 'get_userinfo' to replace; it has exchange_auth_code_for"):
            shop_with(core, openid(idp), override=lambda original: replace(original, get_userinfo=None))
        with pytest.raises(ConfigError, match="return replace"):
            shop_with(core, openid(idp), override=lambda _original: None)

    def test_an_override_may_make_the_configuration(self, core: Borrowed, idp: IdP) -> None:
        whole = ProviderConfigForClient(third_party_id="own", client_id="c", authorization_endpoint=f"{idp.origin}/x")

        def made(original: Provider) -> Provider:
            return replace(original, get_config_for_client_type=lambda **_: whole)

        visitor = shop_with(core, ProviderConfig(third_party_id="own", clients=[client()]), override=made).visitor()
        assert begin(visitor, third_party_id="own").get_json()["status"] == "OK"

    def test_an_address_that_is_none(self, core: Borrowed) -> None:
        with pytest.raises(ConfigError, match="redirect_uris must be addresses such as"):
            shop_with(core, redirect_uris=["nonsense"])

    def test_a_provider_that_only_tenants_can_use(
        self, core: Borrowed, idp: IdP, caplog: pytest.LogCaptureFixture
    ) -> None:
        shop_with(core, openid(idp, clients=[]))
        assert "the provider idp has no clients" in caplog.text

    def test_names(self, core: Borrowed, idp: IdP) -> None:
        shop_with(core, openid(idp))
        assert repr(get_provider(third_party_id="idp")) == "<Provider 'idp' of tenant 'public'>"


class TestOverridesAndFunctions:
    def test_every_method_of_a_provider_is_replaced(self, core: Borrowed, idp: IdP) -> None:
        called: list[str] = []

        def watched(original: Provider) -> Provider:
            def watch(name: str) -> Any:
                def method(**given: Any) -> Any:
                    called.append(name)
                    return getattr(original, name)(**given)

                return method

            names = [
                "get_config_for_client_type",
                "get_authorisation_redirect_url",
                "exchange_auth_code_for_oauth_tokens",
                "get_user_info",
            ]
            return replace(original, **{name: watch(name) for name in names})

        visitor = shop_with(core, openid(idp), override=watched).visitor()
        assert sign_in(idp, visitor, person()).get_json()["status"] == "OK"
        first, *rest = called
        assert first == "get_config_for_client_type"
        assert rest == [
            "get_authorisation_redirect_url",
            "get_config_for_client_type",
            "exchange_auth_code_for_oauth_tokens",
            "get_user_info",
        ]

    def test_tokens_that_an_override_got_are_the_apps_own(self, core: Borrowed, idp: IdP) -> None:
        ada = person()
        token = idp.access_token(ada)

        def fixed(original: Provider) -> Provider:
            return replace(original, exchange_auth_code_for_oauth_tokens=lambda **_: {"access_token": token})

        visitor = shop_with(core, oauth(idp), override=fixed).visitor()
        assert come_back(visitor, "x", {}).get_json()["user"]["emails"] == [ada["email"]]

    def test_the_app_asks_a_provider_by_itself(self, core: Borrowed, idp: IdP) -> None:
        shop_with(core, openid(idp))
        provider = get_provider(third_party_id="idp")
        assert provider is not None
        assert (provider.config.client_id, provider.config.token_endpoint) == (CLIENT, f"{idp.origin}/token")
        assert SECRET not in repr(provider.config)
        ada = person()
        assert provider.get_user_info(oauth_tokens={"id_token": idp.signed(ada)}).third_party_user_id == ada["sub"]
        assert get_provider(third_party_id="none") is None

    def test_users_are_made_without_a_provider(self, core: Borrowed, idp: IdP) -> None:
        shop_with(core, openid(idp))
        ada = person()
        given: Json = {"third_party_id": "idp", "third_party_user_id": ada["sub"], "is_verified": True}
        made = manually_create_or_update_user(email=ada["email"], **given)
        assert isinstance(made, UserCreatedOrUpdated)
        assert made.created_new_recipe_user
        assert made.user.third_party == (ThirdPartyInfo("idp", ada["sub"]),)
        again = manually_create_or_update_user(email=f"new-{ada['email']}", **given)
        assert isinstance(again, UserCreatedOrUpdated)
        assert (again.created_new_recipe_user, again.user.emails) == (False, (f"new-{ada['email']}",))

    def test_an_address_of_another_primary_user_is_not_taken_over(self, core: Borrowed, idp: IdP) -> None:
        shop = shop_with(core, openid(idp), recipes=(EmailPassword(email_delivery=lambda _: None),))
        other, ada = shop.visitor(), person()
        bob = other.sign_up(PASSWORD).get_json()["user"]["id"]
        mine = sign_in(idp, shop.visitor(), ada).get_json()["user"]["id"]
        for user_id in (bob, mine):
            body = {"recipeUserId": user_id}
            shop.st.services.core.post("/recipe/accountlinking/user/primary", body).check()
        ada["email"] = other.email
        answer = sign_in(idp, shop.visitor(), ada).get_json()
        assert answer["status"] == "SIGN_IN_UP_NOT_ALLOWED"
        assert "ERR_CODE_005" in answer["reason"]
        outcome = manually_create_or_update_user(
            third_party_id="idp", third_party_user_id=ada["sub"], email=other.email, is_verified=True
        )
        assert isinstance(outcome, EmailChangeNotAllowed)
        assert form(email=other.email)  # the other user can still sign in
        assert other.sign_in().get_json()["status"] == "OK"


def test_no_secret_is_logged(core: Borrowed, idp: IdP, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    visitor = shop_with(core, openid(idp)).visitor()
    started = begin(visitor).get_json()
    code = idp.log_in(started["urlWithQueryParams"], person())
    idp.answers["/me"] = lambda _: (500, {"error": token, "message": token})
    token = idp.signed(person())
    assert come_back(visitor, code, started).get_json() == FAILED
    assert come_back(visitor, code, started).get_json() == FAILED
    send_tokens(visitor, id_token=token[:-4] + "AAAA")
    send_tokens(visitor, access_token="secret-access-token")
    lines = [record.getMessage() for record in caplog.records if record.name == "st_wsgi.thirdparty"]
    assert lines[0].endswith("provider idp: GET 127.0.0.1/me replied 500")
    assert lines[1].endswith("POST 127.0.0.1/token replied 400: invalid_grant")
    assert len(lines) == 4
    for secret in (code, SECRET, token, token[:40], "secret-access-token"):
        assert secret not in caplog.text
