"""Tenants: every function through the public API, their first factors at the routes, the tenant of a request."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from typing import Any

import pytest

from recipes.shop import PASSWORD, Borrowed, Shop, Visitor, clears, form, no_mail, payload_of
from st_wsgi import Override, RecipeUserId, like, replace
from st_wsgi.errors import ArgumentError, ConfigError, CoreRefused
from st_wsgi.events import SecurityEvent
from st_wsgi.recipes import emailpassword
from st_wsgi.recipes.emailpassword import EmailPassword, SignUpOk
from st_wsgi.recipes.multitenancy import (
    AssociationNotAllowed,
    EmailAlreadyExists,
    Multitenancy,
    MultitenancyAPIs,
    MultitenancyFunctions,
    ProviderClientConfig,
    ProviderConfig,
    TenantConfig,
    TenantConfigCreateOrUpdate,
    TenantDeleted,
    TenantSet,
    ThirdPartyConfigDeleted,
    UnknownUserId,
    UserAssociated,
    UserDisassociated,
    UserFields,
    UserInfoMap,
    associate_user_to_tenant,
    create_or_update_tenant,
    create_or_update_third_party_config,
    delete_tenant,
    delete_third_party_config,
    disassociate_user_from_tenant,
    get_tenant,
    list_all_tenants,
)
from st_wsgi.request.context import RequestContext


@pytest.fixture
def tenant(shop: Shop) -> str:
    """A tenant of the test's own, with the first factors of the app."""
    return tenant_with(None)


def tenant_with(first_factors: Iterable[str] | None) -> str:
    tenant_id = f"t-{uuid.uuid4().hex}"
    config = TenantConfigCreateOrUpdate(first_factors=first_factors)
    assert create_or_update_tenant(tenant_id=tenant_id, config=config) == TenantSet(created_new=True)
    return tenant_id


def shop_with(core: Borrowed, **settings: Any) -> Shop:
    return Shop(core, recipes=[EmailPassword(email_delivery=no_mail), Multitenancy(**settings)])


def enter(visitor: Visitor, route: str, tenant_id: str) -> Any:
    return visitor.call("POST", f"/auth/{tenant_id}/{route}", form(email=visitor.email, password=PASSWORD))


class TestTenants:
    def test_a_tenant_is_created_changed_and_deleted(self, shop: Shop) -> None:
        tenant_id = f"t-{uuid.uuid4().hex}"
        assert get_tenant(tenant_id=tenant_id) is None
        assert create_or_update_tenant(tenant_id=tenant_id) == TenantSet(created_new=True)
        assert get_tenant(tenant_id=tenant_id) == TenantConfig(tenant_id=tenant_id, first_factors=())
        config = TenantConfigCreateOrUpdate(
            first_factors=["emailpassword", "app-factor"],
            required_secondary_factors=["totp"],
            core_config={"password_reset_token_lifetime": 60_000},
        )
        assert create_or_update_tenant(tenant_id=tenant_id, config=config) == TenantSet(created_new=False)
        tenant = get_tenant(tenant_id=tenant_id)
        assert tenant is not None
        assert set(tenant.first_factors or ()) == {"emailpassword", "app-factor"}
        assert tenant.required_secondary_factors == ("totp",)
        assert tenant.core_config == {"password_reset_token_lifetime": 60_000}
        assert tenant in list_all_tenants().tenants
        assert delete_tenant(tenant_id=tenant_id) == TenantDeleted(did_exist=True)
        assert delete_tenant(tenant_id=tenant_id) == TenantDeleted(did_exist=False)

    def test_what_an_update_does_not_name_stays(self, shop: Shop) -> None:
        tenant_id = tenant_with(["emailpassword"])
        update = TenantConfigCreateOrUpdate(required_secondary_factors=["totp"])
        create_or_update_tenant(tenant_id=tenant_id, config=update)
        tenant = get_tenant(tenant_id=tenant_id)
        assert tenant is not None
        assert tenant.first_factors == ("emailpassword",)

    def test_none_resets_a_list_of_factors(self, shop: Shop) -> None:
        tenant_id = tenant_with(["emailpassword"])
        update = TenantConfigCreateOrUpdate(first_factors=None, required_secondary_factors=None)
        create_or_update_tenant(tenant_id=tenant_id, config=update)
        assert get_tenant(tenant_id=tenant_id) == TenantConfig(tenant_id=tenant_id, first_factors=None)

    def test_the_public_tenant_cannot_be_deleted(self, shop: Shop) -> None:
        with pytest.raises(CoreRefused, match="public"):
            delete_tenant(tenant_id="public")

    @pytest.mark.parametrize("tenant_id", ["no tenant", "Acme", "a" * 65, "", "appid-x"])
    def test_an_id_that_no_path_can_name_is_refused(self, shop: Shop, tenant_id: str) -> None:
        with pytest.raises(ArgumentError, match="tenant_id must be 1 to 64 small letters"):
            create_or_update_tenant(tenant_id=tenant_id)
        assert get_tenant(tenant_id=tenant_id) is None

    def test_what_is_no_list_is_refused_where_it_is_written(self, shop: Shop) -> None:
        with pytest.raises(ConfigError, match="first_factors must be a list of factors"):
            TenantConfigCreateOrUpdate(first_factors="otp-email")
        with pytest.raises(ConfigError, match="scope must be a list of texts, not 'email'"):
            ProviderClientConfig(client_id="c1", scope="email")
        with pytest.raises(ConfigError, match="clients must be a list"):
            ProviderConfig(third_party_id="google", clients=["c1"])  # type: ignore[list-item]
        with pytest.raises(ArgumentError, match="config must be TenantConfigCreateOrUpdate"):
            create_or_update_tenant(tenant_id="t1", config={"first_factors": None})  # type: ignore[arg-type]


class TestProviders:
    FULL = ProviderConfig(
        third_party_id="google",
        name="Google",
        clients=[
            ProviderClientConfig(
                client_id="c1",
                client_secret="s3cret",
                client_type="web",
                scope=["email"],
                force_pkce=True,
                additional_config={"hd": "acme.example"},
            ),
            ProviderClientConfig(client_id="c2", client_type="ios"),
        ],
        authorization_endpoint="https://a.example",
        authorization_endpoint_query_params={"x": "1", "access_type": None},
        token_endpoint="https://b.example",
        token_endpoint_body_params={"y": None},
        user_info_endpoint="https://c.example",
        user_info_endpoint_query_params={"z": "3"},
        user_info_endpoint_headers={"h": None},
        jwks_uri="https://d.example",
        oidc_discovery_endpoint="https://e.example",
        user_info_map=UserInfoMap(
            from_id_token_payload=UserFields(user_id="sub", email="mail"),
            from_user_info_api=UserFields(email_verified="ok"),
        ),
        require_email=False,
    )

    def test_a_provider_comes_back_as_it_was_set(self, tenant: str) -> None:
        assert create_or_update_third_party_config(tenant_id=tenant, config=self.FULL) == TenantSet(created_new=True)
        found = get_tenant(tenant_id=tenant)
        assert found is not None
        assert found.third_party_providers == (self.FULL,)
        again = create_or_update_third_party_config(tenant_id=tenant, config=self.FULL)
        assert again == TenantSet(created_new=False)

    def test_a_provider_is_removed(self, tenant: str) -> None:
        create_or_update_third_party_config(tenant_id=tenant, config=self.FULL)
        gone = delete_third_party_config(tenant_id=tenant, third_party_id="google")
        assert gone == ThirdPartyConfigDeleted(did_config_exist=True)
        again = delete_third_party_config(tenant_id=tenant, third_party_id="google")
        assert again == ThirdPartyConfigDeleted(did_config_exist=False)

    def test_an_incomplete_provider_is_refused_unless_the_caller_says_so(self, tenant: str) -> None:
        config = ProviderConfig(third_party_id="apple", clients=[ProviderClientConfig(client_id="c1")])
        with pytest.raises(CoreRefused, match="Invalid third party config"):
            create_or_update_third_party_config(tenant_id=tenant, config=config)
        outcome = create_or_update_third_party_config(tenant_id=tenant, config=config, skip_validation=True)
        assert outcome.created_new

    def test_a_repr_shows_no_secret(self) -> None:
        client = ProviderClientConfig(client_id="c1", client_secret="s3cret", additional_config={"privateKey": "k3y"})
        shown = repr(ProviderConfig(third_party_id="apple", clients=[client], user_info_endpoint_headers={"k": "t0k"}))
        assert "c1" in shown
        assert not {"s3cret", "k3y", "t0k"} & set(shown.split("'"))


class TestAssociation:
    def user(self, email: str | None = None, tenant_id: str = "public") -> RecipeUserId:
        address = email or f"{uuid.uuid4().hex}@example.com"
        outcome = emailpassword.sign_up(email=address, password=PASSWORD, tenant_id=tenant_id)
        assert isinstance(outcome, SignUpOk)
        return outcome.recipe_user_id

    def test_a_user_joins_a_tenant_and_leaves_it(self, tenant: str) -> None:
        user = self.user()
        joined = associate_user_to_tenant(tenant_id=tenant, recipe_user_id=user)
        assert joined == UserAssociated(was_already_associated=False)
        again = associate_user_to_tenant(tenant_id=tenant, recipe_user_id=user)
        assert again == UserAssociated(was_already_associated=True)
        left = disassociate_user_from_tenant(tenant_id=tenant, recipe_user_id=user)
        assert left == UserDisassociated(was_associated=True)
        assert disassociate_user_from_tenant(tenant_id=tenant, recipe_user_id=user) == UserDisassociated(False)

    def test_two_users_of_one_address_cannot_share_a_tenant(self, tenant: str) -> None:
        email = f"{uuid.uuid4().hex}@example.com"
        self.user(email, tenant)
        user = self.user(email)
        assert associate_user_to_tenant(tenant_id=tenant, recipe_user_id=user) == EmailAlreadyExists()

    def test_an_unknown_user_is_an_outcome(self, tenant: str) -> None:
        unknown = RecipeUserId(str(uuid.uuid4()))
        assert associate_user_to_tenant(tenant_id=tenant, recipe_user_id=unknown) == UnknownUserId()

    def test_a_primary_user_that_would_collide_with_another_one_is_refused(self, shop: Shop, tenant: str) -> None:
        email = f"{uuid.uuid4().hex}@example.com"
        users = [self.user(email), self.other_recipe(shop, email, tenant)]
        for user in users:
            body = {"recipeUserId": user.value}
            shop.st.services.core.post("/recipe/accountlinking/user/primary", body).check()
        outcome = associate_user_to_tenant(tenant_id=tenant, recipe_user_id=users[0])
        assert isinstance(outcome, AssociationNotAllowed)
        assert users[1].value in outcome.reason

    def other_recipe(self, shop: Shop, email: str, tenant_id: str) -> RecipeUserId:
        body = {
            "thirdPartyId": "google",
            "thirdPartyUserId": uuid.uuid4().hex,
            "email": {"id": email, "isVerified": True},
        }
        reply = shop.st.services.core.post("/recipe/signinup", body, tenant_id=tenant_id)
        return RecipeUserId(reply.ok(str, "recipeUserId"))


class TestLoginMethods:
    def test_an_app_with_passwords_names_them(self, shop: Shop) -> None:
        response = shop.visitor().call("GET", "/auth/loginmethods")
        assert response.status_code == 200
        assert response.get_json() == {
            "status": "OK",
            "emailPassword": {"enabled": True},
            "passwordless": {"enabled": False},
            "thirdParty": {"enabled": False, "providers": []},
            "webauthn": {"enabled": False},
            "firstFactors": ["emailpassword"],
        }

    @pytest.mark.parametrize(
        ("chosen", "shown"),
        [
            (None, ["emailpassword"]),
            ([], []),
            (["emailpassword"], ["emailpassword"]),
            (["otp-email"], []),
            (["app-factor"], ["app-factor"]),
        ],
        ids=["of the app", "none", "passwords", "one without its recipe", "one of the app's own"],
    )
    def test_a_tenant_has_first_factors_of_its_own(
        self, shop: Shop, chosen: list[str] | None, shown: list[str]
    ) -> None:
        """An empty list allows none: only a tenant without a list has those of the app (FDI, F-07)."""
        methods = shop.visitor().call("GET", f"/auth/{tenant_with(chosen)}/loginmethods").get_json()
        assert methods["firstFactors"] == shown
        assert methods["emailPassword"] == {"enabled": "emailpassword" in shown}

    def test_an_unknown_tenant_is_bad_input(self, shop: Shop) -> None:
        response = shop.visitor().call("GET", "/auth/nobody/loginmethods")
        assert (response.status_code, response.get_json()) == (400, {"message": "this tenant does not exist"})

    def test_an_override_gets_the_client_type(self, core: Borrowed) -> None:
        types: list[str | None] = []

        def noting(original: MultitenancyAPIs) -> MultitenancyAPIs:
            @like(original.login_methods_get)
            def login_methods_get(*, tenant_id, client_type, context):  # type: ignore[no-untyped-def]
                types.append(client_type)
                return original.login_methods_get(tenant_id=tenant_id, client_type=client_type, context=context)

            return replace(original, login_methods_get=login_methods_get)

        shop = shop_with(core, override=Override(apis=noting))
        for query in ("?clientType=ios", ""):
            assert shop.visitor().call("GET", f"/auth/loginmethods{query}").status_code == 200
        assert types == ["ios", None]


class TestFirstFactors:
    @pytest.mark.parametrize("route", ["signup", "signin"])
    def test_a_tenant_without_passwords_refuses_them(self, shop: Shop, route: str) -> None:
        tenant = tenant_with(["otp-email"])
        events: list[SecurityEvent] = []
        shop.st.services.on_security_event = events.append
        response = enter(shop.visitor(), route, tenant)
        assert (response.status_code, response.get_json()) == (401, {"message": "unauthorised"})
        assert clears(response, "cookie")
        refused = [(event.name, event.tenant_id, event.reason) for event in events]
        assert refused == [("sign_in_failed", tenant, "FIRST_FACTOR_NOT_ALLOWED")]

    def test_the_refusal_does_not_tell_which_users_exist(self, shop: Shop, tenant: str) -> None:
        known, unknown = shop.visitor(), shop.visitor()
        assert enter(known, "signup", tenant).get_json()["status"] == "OK"
        create_or_update_tenant(tenant_id=tenant, config=TenantConfigCreateOrUpdate(first_factors=[]))
        refusals = [enter(visitor, "signin", tenant) for visitor in (known, unknown)]
        assert [(one.status_code, one.get_json()) for one in refusals] == [(401, {"message": "unauthorised"})] * 2

    def test_users_of_two_tenants_may_have_one_address(self, shop: Shop, tenant: str) -> None:
        visitor = shop.visitor()
        ids = [enter(visitor, "signup", one).get_json()["user"]["id"] for one in ("public", tenant)]
        assert ids[0] != ids[1]
        assert visitor.access_token is not None
        assert payload_of(visitor.access_token)["tId"] == tenant

    def test_an_unknown_tenant_is_bad_input(self, shop: Shop) -> None:
        response = enter(shop.visitor(), "signin", "nobody")
        assert (response.status_code, response.get_json()) == (400, {"message": "this tenant does not exist"})


class TestTenantOfARequest:
    @staticmethod
    def of_the_host(original: MultitenancyFunctions) -> MultitenancyFunctions:
        @like(original.get_tenant_id)
        def get_tenant_id(*, tenant_id_from_frontend: str, context: RequestContext) -> str:
            return (context.header("host") or "").partition(".")[0]

        return replace(original, get_tenant_id=get_tenant_id)

    def test_an_override_takes_it_from_the_sub_domain(self, core: Borrowed) -> None:
        shop = shop_with(core, override=Override(functions=self.of_the_host))
        tenant = tenant_with(["emailpassword"])
        visitor = shop.visitor()
        body = form(email=visitor.email, password=PASSWORD)
        response = visitor.call("POST", "/auth/signup", body, headers={"Host": f"{tenant}.shop.example"})
        assert response.get_json()["status"] == "OK"
        assert visitor.access_token is not None
        assert payload_of(visitor.access_token)["tId"] == tenant

    @pytest.mark.parametrize("host", ["A_B.shop.example", ".shop.example", ".."])
    def test_what_a_client_chooses_is_at_most_bad_input(self, core: Borrowed, host: str) -> None:
        shop = shop_with(core, override=Override(functions=self.of_the_host))
        response = shop.visitor().call("GET", "/auth/loginmethods", headers={"Host": host})
        assert (response.status_code, response.get_json()) == (400, {"message": "this tenant does not exist"})

    @pytest.mark.parametrize("returned", [None, 5])
    def test_an_override_must_return_a_text(
        self, core: Borrowed, caplog: pytest.LogCaptureFixture, returned: Any
    ) -> None:
        def wrong(original: MultitenancyFunctions) -> MultitenancyFunctions:
            def get_tenant_id(*, tenant_id_from_frontend: str, context: RequestContext) -> Any:
                return returned

            return replace(original, get_tenant_id=get_tenant_id)

        shop = shop_with(core, override=Override(functions=wrong))
        with caplog.at_level(logging.ERROR):
            response = shop.visitor().call("GET", "/auth/loginmethods")
        assert response.status_code == 500
        assert "get_tenant_id must return the id of a tenant" in caplog.text


class TestAllowedDomains:
    def test_sessions_name_the_domains_of_their_tenant(self, core: Borrowed) -> None:
        domains = {"public": ["shop.example"]}
        shop = shop_with(core, get_allowed_domains_for_tenant_id=domains.get)
        visitor, other = shop.visitor(), shop.visitor()
        visitor.sign_up()
        enter(other, "signup", tenant_with(["emailpassword"]))
        assert visitor.access_token is not None
        assert other.access_token is not None
        assert payload_of(visitor.access_token)["st-t-dmns"]["v"] == ["shop.example"]
        assert "st-t-dmns" not in payload_of(other.access_token)

    def test_without_the_function_sessions_name_none(self, shop: Shop) -> None:
        visitor = shop.visitor()
        visitor.sign_up()
        assert visitor.access_token is not None
        assert "st-t-dmns" not in payload_of(visitor.access_token)

    def test_a_single_text_is_refused(self, core: Borrowed, caplog: pytest.LogCaptureFixture) -> None:
        shop = shop_with(core, get_allowed_domains_for_tenant_id=lambda _tenant: "shop.example")
        assert shop.visitor().sign_up().status_code == 500
        assert "must be a list of domains, not 'shop.example'" in caplog.text

    def test_what_is_no_function_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="get_allowed_domains_for_tenant_id must be a function of a tenant"):
            Multitenancy(get_allowed_domains_for_tenant_id=["shop.example"])  # type: ignore[arg-type]


def test_every_app_with_a_way_to_sign_in_has_tenants(core: Borrowed) -> None:
    assert "multitenancy" in repr(Shop(core).st)
    assert "multitenancy" not in repr(Shop(core, recipes=[]).st)
