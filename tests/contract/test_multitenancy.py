"""Apps, tenants, their settings and providers, and who belongs to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contract.client import Caller, email, fresh
from contract.covered import covers
from contract.expectations import LATER, AnyOrder, Some
from contract.test_emailpassword import ARGON2_HASH, SECRET, sign_up
from contract.test_sessions import create

TENANT, APP = "/recipe/multitenancy/tenant", "/recipe/multitenancy/app"
DOMAIN = "/recipe/multitenancy/connectionuridomain"
PROVIDER = "/recipe/multitenancy/config/thirdparty"
USER = "/recipe/multitenancy/tenant/user"


def shown(tenant_id: str, **more: Any) -> dict[str, Any]:
    """Return the JSON of a tenant."""
    return {"tenantId": tenant_id, "thirdParty": {"providers": []}, "coreConfig": {}, **more}


@covers(
    "PUT /recipe/multitenancy/tenant/v2",
    "GET /recipe/multitenancy/tenant/v2",
    "GET /recipe/multitenancy/tenant/list/v2",
    "POST /recipe/multitenancy/tenant/remove",
)
def test_tenants(app: Caller, make_app: Callable[..., Caller]) -> None:
    """Tenants are made, shown, listed and removed; the public one is always there and allows everything."""
    own = make_app()
    own.get(f"{TENANT}/v2").says("OK", **shown("public"))
    own.put(f"{TENANT}/v2", tenantId=" T1 ").says("OK", createdNew=True)
    own.put(f"{TENANT}/v2", tenantId="t1").says("OK", createdNew=False)
    own.below("t1").get(f"{TENANT}/v2").says("OK", **shown("t1", firstFactors=[]))
    own.get(f"{TENANT}/list/v2").says("OK", tenants=AnyOrder(shown("public"), shown("t1", firstFactors=[])))
    own.below("ghost").get(f"{TENANT}/v2").says("TENANT_NOT_FOUND_ERROR")
    own.below("t1").get(f"{TENANT}/list/v2").refused(
        403, "Only the public tenantId is allowed to list all tenants associated with this app"
    )
    own.below("t1").post(f"{TENANT}/remove", tenantId="t1").refused(
        403, "Only the public tenantId is allowed to delete a tenant"
    )
    own.post(f"{TENANT}/remove", tenantId="public").refused(
        403, "Cannot delete public tenant, use remove app API instead"
    )
    own.post(f"{TENANT}/remove", tenantId="T1").says("OK", didExist=True)
    own.post(f"{TENANT}/remove", tenantId="t1").says("OK", didExist=False)
    assert own.below("t1").get("/users").status == 400
    for method, path in (("PUT", f"{TENANT}/v2"), ("GET", f"{TENANT}/v2")):
        app.call(method, path, {} if method == "PUT" else None)
    app.get(f"{TENANT}/list/v2")
    app.post(f"{TENANT}/remove", tenantId="ghost")


@pytest.mark.parametrize(
    ("tenant_id", "text"),
    [
        ("", "tenantId should not be an empty String"),
        ("a b", "tenantId can only contain letters, numbers and hyphens"),
        ("a_b", "tenantId can only contain letters, numbers and hyphens"),
        ("appid-x", "tenantId must not start with 'appid-'"),
        ("Recipe", "Cannot use 'recipe' as a tenantId"),
        ("users", "Cannot use 'users' as a tenantId"),
    ],
)
def test_tenant_ids(app: Caller, tenant_id: str, text: str) -> None:
    """A tenant id is letters, digits and hyphens, and nothing that a path could mean."""
    app.put(f"{TENANT}/v2", tenantId=tenant_id).refused(400, text)


def test_factors(app: Caller) -> None:
    """Absent factors stay, null resets them, an empty list of first factors allows none."""
    tenant_id = fresh("t")
    tenant = app.below(tenant_id)

    def put(**body: Any) -> Any:
        return app.put(f"{TENANT}/v2", tenantId=tenant_id, **body)

    put(firstFactors=["emailpassword", "custom.factor_1"], requiredSecondaryFactors=["totp"]).has(createdNew=True)
    both = {"firstFactors": AnyOrder("emailpassword", "custom.factor_1"), "requiredSecondaryFactors": ["totp"]}
    tenant.get(f"{TENANT}/v2").says("OK", **shown(tenant_id, **both))
    put().has()
    tenant.get(f"{TENANT}/v2").says("OK", **shown(tenant_id, **both))
    put(firstFactors=[], requiredSecondaryFactors=[]).has()
    tenant.get(f"{TENANT}/v2").says("OK", **shown(tenant_id, firstFactors=[]))
    put(firstFactors=None).has()
    tenant.get(f"{TENANT}/v2").says("OK", **shown(tenant_id))
    put(firstFactors=["a", "a"]).refused(400, "firstFactors input should not contain duplicate values")
    put(requiredSecondaryFactors=["a", "a"]).refused(
        400, "requiredSecondaryFactors input should not contain duplicate values"
    )
    put(firstFactors=["a b"]).refused(400, "firstFactors should contain only 0-9,a-z,A-Z,_,.,- characters")
    put(requiredSecondaryFactors=["ä"]).refused(
        400, "requiredSecondaryFactors should contain only 0-9,a-z,A-Z,_,.,- characters"
    )
    put(emailPasswordEnabled=True).refused(400, "emailPasswordEnabled is not a valid input for this API")


def test_older_switches_are_first_factors_in_the_newer_form(app: Caller) -> None:
    """What the deprecated endpoints switch on is shown as first factors; with all on, nothing is said."""
    tenant_id = fresh("t")
    shows = app.below(tenant_id)
    app.put(TENANT, tenantId=tenant_id).has(createdNew=True)
    shows.get(f"{TENANT}/v2").has(firstFactors=[])
    app.put(TENANT, tenantId=tenant_id, emailPasswordEnabled=True).has()
    shows.get(f"{TENANT}/v2").has(firstFactors=["emailpassword"])
    assert "firstFactors" not in shows.get(TENANT).body
    app.put(TENANT, tenantId=tenant_id, thirdPartyEnabled=True, passwordlessEnabled=True).has()
    assert "firstFactors" not in shows.get(f"{TENANT}/v2").body


def test_factors_block_no_login(app: Caller) -> None:
    """The core only keeps the factors; the SDK checks them."""
    tenant_id = fresh("t")
    app.put(f"{TENANT}/v2", tenantId=tenant_id, firstFactors=[]).has(createdNew=True)
    address = email()
    sign_up(app.below(tenant_id), address)
    app.below(tenant_id).post("/recipe/signin", email=address, password=SECRET).has()


def test_settings(make_app: Callable[..., Caller]) -> None:
    """Settings merge key by key and null removes one; a tenant has its own where it may."""
    app = make_app(access_token_validity=50, password_reset_token_lifetime=1000)
    app.put(f"{APP}/v2", appId=app.prefix[7:], coreConfig={"access_token_validity": 60, "totp_max_attempts": 3}).has()
    config = {"access_token_validity": 60, "password_reset_token_lifetime": 1000, "totp_max_attempts": 3}
    app.get(f"{TENANT}/v2").says("OK", **shown("public", coreConfig=config))
    app.put(f"{APP}/v2", appId=app.prefix[7:], coreConfig={"totp_max_attempts": None}).has(createdNew=False)
    del config["totp_max_attempts"]
    app.get(f"{TENANT}/v2").says("OK", **shown("public", coreConfig=config))
    app.put(f"{TENANT}/v2", tenantId="t1", coreConfig={"totp_max_attempts": 9}).has(createdNew=True)
    app.below("t1").get(f"{TENANT}/v2").says("OK", **shown("t1", coreConfig={"totp_max_attempts": 9}, firstFactors=[]))
    token = create(app.below("t1"), fresh("user"))["accessToken"]
    assert 56_000 <= token["expiry"] - token["createdTime"] <= 61_000


def test_settings_that_are_null(make_app: Callable[..., Caller]) -> None:
    """A null removes a setting that is there. Otherwise it is kept: it stands for the value of the whole core."""
    app = make_app()
    public = app.prefix[7:]
    app.put(f"{TENANT}/v2", tenantId="t1").has()
    app.put(f"{TENANT}/v2", tenantId="t1", coreConfig={"totp_max_attempts": None, "refresh_token_validity": None}).has()
    kept = {"totp_max_attempts": None, "refresh_token_validity": None}
    app.below("t1").get(f"{TENANT}/v2").has(coreConfig=kept)
    app.put(f"{APP}/v2", appId=public, coreConfig={"refresh_token_validity": 9000}).refused(
        400, "Invalid core config: You cannot set different values for refresh_token_validity for the same appId"
    )
    app.put(f"{TENANT}/v2", tenantId="t1", coreConfig={"refresh_token_validity": None}).has()
    app.below("t1").get(f"{TENANT}/v2").has(coreConfig={"totp_max_attempts": None})
    app.put(f"{APP}/v2", appId=public, coreConfig={"refresh_token_validity": 9000}).has()


def test_an_older_name_of_a_setting(make_app: Callable[..., Caller]) -> None:
    """A setting is shown by the name that it was given by, and an older name counts."""
    app = make_app()
    older = "access_token_signing_key_update_interval"
    app.put(f"{APP}/v2", appId=app.prefix[7:], coreConfig={older: 24}).has()
    app.get(f"{TENANT}/v2").has(coreConfig={older: 24})
    newer = "access_token_dynamic_signing_key_update_interval"
    app.put(f"{TENANT}/v2", tenantId="t1", coreConfig={older: 25}).refused(
        400, f"Invalid core config: You cannot set different values for {newer} for the same appId"
    )
    app.put(f"{TENANT}/v2", tenantId="t1", coreConfig={newer: None}).has()


def test_values_that_a_setting_takes(make_app: Callable[..., Caller]) -> None:
    """A number or a flag is a text too, a text may be a number, and telemetry is every tenant's own business."""
    app = make_app()
    app.put(f"{TENANT}/v2", tenantId="t1", coreConfig={"saml_sp_entity_id": 1.5}).has()
    config = {"saml_sp_entity_id": True, "totp_max_attempts": "7", "disable_telemetry": "true"}
    app.put(f"{TENANT}/v2", tenantId="t1", coreConfig=config).has()
    app.below("t1").get(f"{TENANT}/v2").has(coreConfig=config)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (
            {"refresh_token_validity": 5},
            "'refresh_token_validity' must be strictly greater than 'access_token_validity'.",
        ),
        ({"password_reset_token_lifetime": -1}, "'password_reset_token_lifetime' must be >= 0"),
        ({"password_reset_token_lifetime": "x"}, "'password_reset_token_lifetime' must be of type long"),
        *(
            ({"password_reset_token_lifetime": value}, "'password_reset_token_lifetime' must be of type long")
            for value in ("5.0", " 5", "5_0", "1e3", "\u0665", 5.5, True)
        ),
        ({"passwordless_max_code_input_attempts": 2**31}, "'passwordless_max_code_input_attempts' must be of type int"),
        (
            {"access_token_dynamic_signing_key_update_interval": "1_0"},
            "'access_token_dynamic_signing_key_update_interval' must be of type double",
        ),
        (
            {"access_token_validity": 0},
            "'access_token_validity' must be between 1 and 86400000 seconds inclusive.",
        ),
        ({"max_server_pool_size": 0}, "'max_server_pool_size' must be >= 1."),
        ({"totp_max_attempts": 0}, "'totp_max_attempts' must be > 0"),
        (
            {"webauthn_recover_account_token_lifetime": 0},
            "Provided webauthn_recover_account_token_lifetime must be > 0",
        ),
        ({"bulk_migration_parallelism": 0}, "Provided bulk_migration_parallelism must be >= 1"),
        (
            {"access_token_dynamic_signing_key_update_interval": 0},
            "'access_token_dynamic_signing_key_update_interval' must be greater than, equal to 1 hour.",
        ),
        ({"password_hashing_alg": "MD5"}, "'password_hashing_alg' must be one of 'ARGON2' or 'BCRYPT'"),
        ({"api_keys": "short"}, "One of the API keys is too short. Please use at least 20 characters"),
        ({"ip_deny_regex": "["}, "Provided regular expression is invalid for ip_deny_regex config"),
        ({"supertokens_max_cdi_version": "9.9"}, "supertokens_max_cdi_version is not a supported version"),
        (
            {"supertokens_saas_secret": "x" * 40},
            "supertokens_saas_secret can only be used when api_key is also defined",
        ),
        (
            {"oauth_provider_public_service_url": "https://x.example"},
            "If any of the following is set, all of them has to be set: oauth_provider_public_service_url, "
            "oauth_provider_admin_service_url, oauth_provider_consent_login_base_url",
        ),
        ({"base_path": "/x y"}, "Invalid characters in base_path config"),
        ({"log_level": "x"}, '\'log_level\' config must be one of "NONE","DEBUG", "INFO", "WARN" or "ERROR".'),
        ({"bcrypt_log_rounds": None}, "bcrypt_log_rounds can only be set via the core's base config setting"),
    ],
)
def test_texts_of_settings_that_are_refused(app: Caller, config: dict[str, Any], text: str) -> None:
    """A tenant and an app are told the same about a setting, before they are told whose setting it is."""
    for place in ({"tenantId": "t1"}, {}):
        app.put(f"{TENANT}/v2", **place, coreConfig=config).refused(400, f"Invalid core config: {text}")


def test_domains_that_cannot_be(app: Caller, base: Caller) -> None:
    """A connection URI domain needs a database of its own, and only the base app may name one."""
    path = "/recipe/multitenancy/connectionuridomain/v2"
    for domain in ("a b", "/x", "example.com/x", "-._", "a..b", "\u00e9.com"):
        base.put(path, connectionUriDomain=domain).refused(400, "connectionUriDomain is invalid")
        app.post(path.replace("v2", "remove"), connectionUriDomain=domain).refused(
            400, "connectionUriDomain is invalid"
        )
    app.put(path, connectionUriDomain="new.example.com", coreConfig=5).refused(
        400, "Field name 'coreConfig' is invalid in JSON input"
    )
    base.put(path, connectionUriDomain="new.example.com").refused(
        400, "Invalid core config: ConnectionUriDomain:  cannot be mapped to the same user pool as new.example.com"
    )
    app.put(path, connectionUriDomain="new.example.com").refused(
        403, "You must use the default or same connectionUriDomain to create/update a connectionUriDomain"
    )


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"no_such_key": 1}, "Invalid core config: Invalid config key: no_such_key"),
        ({"port": 1}, "Invalid core config: port can only be set via the core's base config setting"),
        (
            {"access_token_validity": 5},
            "Invalid core config: You cannot set different values for access_token_validity for the same appId",
        ),
    ],
)
def test_settings_that_a_tenant_cannot_have(app: Caller, config: dict[str, Any], text: str) -> None:
    """Unknown settings, those of the whole core, and those that must be the same in the app are refused."""
    app.put(f"{TENANT}/v2", tenantId=fresh("t"), coreConfig=config).refused(400, text)


def test_settings_that_are_not_valid(app: Caller) -> None:
    """A value of another type, or out of range, is refused and nothing is stored."""
    for config in ({"access_token_validity": "x"}, {"access_token_validity": 0}, {"api_keys": "short"}):
        answer = app.put(f"{APP}/v2", appId=app.prefix[7:], coreConfig=config)
        assert (answer.status, str(answer.body)[:21]) == (400, "Invalid core config: "), config
    app.get(f"{TENANT}/v2").has(coreConfig={})


def test_the_base_tenant_has_no_settings_of_its_own(base: Caller) -> None:
    """What is in force for the base tenant is in the core's configuration."""
    base.put(f"{APP}/v2", coreConfig={"access_token_validity": 5}).refused(400, "Cannot modify base config")


@covers(
    "PUT /recipe/multitenancy/app/v2", "GET /recipe/multitenancy/app/list/v2", "POST /recipe/multitenancy/app/remove"
)
def test_apps(app: Caller, base: Caller) -> None:
    """Apps are made, listed and removed from the base tenant."""
    app_id = fresh("app")
    base.put(f"{APP}/v2", appId=app_id.upper()).says("OK", createdNew=True)
    base.put(f"{APP}/v2", appId=app_id, firstFactors=["thirdparty"]).says("OK", createdNew=False)
    apps = base.get(f"{APP}/list/v2").has()["apps"]
    assert {"appId": app_id, "tenants": [shown("public", firstFactors=["thirdparty"])]} in apps
    assert "public" in [found["appId"] for found in apps]
    own = base.below(f"appid-{app_id}")
    own.put(f"{TENANT}/v2", tenantId="t1").has(createdNew=True)
    base.post(f"{APP}/remove", appId=app_id).refused(
        403, "Please delete all tenants except the public tenant for this app before calling the delete API"
    )
    own.post(f"{TENANT}/remove", tenantId="t1").says("OK", didExist=True)
    sign_up(own)
    create(own, fresh("user"))
    own.post(f"{APP}/remove", appId=app_id).refused(
        403, "Only the public tenantId and public appId is allowed to delete an app"
    )
    base.post(f"{APP}/remove", appId=app_id).says("OK", didExist=True)
    base.post(f"{APP}/remove", appId=app_id).says("OK", didExist=False)
    assert own.get("/users").status == 400
    base.put(f"{APP}/v2", appId=app_id).says("OK", createdNew=True)
    own.get("/users/count").says("OK", count=0)
    base.post(f"{APP}/remove", appId=app_id).says("OK", didExist=True)
    base.post(f"{APP}/remove", appId="public").refused(
        403, "Cannot delete the public app, use remove connection uri domain API instead"
    )


def test_who_may_change_what(app: Caller, tenant: Caller) -> None:
    """A tenant changes itself only, an app itself only; neither lists the others."""
    tenant_id = tenant.prefix.rpartition("/")[2]
    tenant.put(f"{TENANT}/v2", tenantId=tenant_id).has(createdNew=False)
    tenant.put(f"{TENANT}/v2", tenantId=fresh("t")).refused(
        403, "You must use the public or same tenant to add/update a tenant"
    )
    app.put(f"{APP}/v2", appId=fresh("a")).refused(403, "You must use the public or same app to add/update an app")
    app.get(f"{APP}/list/v2").refused(
        403,
        "Only the public tenantId and public appId is allowed to list all apps associated with this connection uri "
        "domain",
    )


@covers(
    "PUT /recipe/multitenancy/tenant",
    "GET /recipe/multitenancy/tenant",
    "GET /recipe/multitenancy/tenant/list",
    "PUT /recipe/multitenancy/app",
    "GET /recipe/multitenancy/app/list",
)
def test_the_older_endpoints(app: Caller, base: Caller) -> None:
    """Older clients make apps and tenants with switches, and read switches."""

    def switched(*on: str, **more: Any) -> dict[str, Any]:
        return {
            "coreConfig": {},
            "emailPassword": {"enabled": "emailPassword" in on},
            "thirdParty": {"enabled": "thirdParty" in on, "providers": []},
            "passwordless": {"enabled": "passwordless" in on},
            **more,
        }

    app_id = fresh("app")
    base.put(APP, appId=app_id, emailPasswordEnabled=True, coreConfig={}).says("OK", createdNew=True)
    own = base.below(f"appid-{app_id}")
    everything = ("emailPassword", "thirdParty", "passwordless")
    own.get(TENANT).says("OK", tenantId="public", **switched(*everything))
    own.put(TENANT, tenantId="t1", thirdPartyEnabled=True).says("OK", createdNew=True)
    own.below("t1").get(TENANT).says("OK", tenantId="t1", **switched("thirdParty"))
    own.put(TENANT, tenantId="t1", thirdPartyEnabled=False, passwordlessEnabled=True).says("OK", createdNew=False)
    own.get(f"{TENANT}/list").says(
        "OK",
        tenants=AnyOrder(
            {"tenantId": "public", **switched(*everything)}, {"tenantId": "t1", **switched("passwordless")}
        ),
    )
    apps = base.get(f"{APP}/list").has()["apps"]
    assert app_id in [found["appId"] for found in apps]
    own.post(f"{TENANT}/remove", tenantId="t1").has()
    base.post(f"{APP}/remove", appId=app_id).says("OK", didExist=True)
    for method, path in (("PUT", TENANT), ("GET", TENANT), ("GET", f"{TENANT}/list")):
        app.call(method, path, {} if method == "PUT" else None).has()


def test_switches_block_logins_of_older_clients(app: Caller) -> None:
    """Up to CDI 5.0 a recipe that is off is refused by the core."""
    tenant_id = fresh("t")
    app.put(TENANT, tenantId=tenant_id, emailPasswordEnabled=False).says("OK", createdNew=True)
    body = {"email": email(), "password": SECRET, "passwordHash": ARGON2_HASH, "userId": "nobody"}
    off = (
        ("/recipe/signup", "OK"),
        ("/recipe/signin", "OK"),
        ("/recipe/user/passwordhash/import", "OK"),
        ("/recipe/user/password/reset/token", "UNKNOWN_USER_ID_ERROR"),
    )
    for path, status in off:
        asked = app.below(tenant_id)
        asked.call("POST", path, body, headers={"cdi-version": "5.0"}).refused(
            403, "Email password login not enabled for tenant"
        )
        assert asked.call("POST", path, body, headers={"cdi-version": "5.1"}).body["status"] == status


def test_switches_and_factors(app: Caller) -> None:
    """Contradictions between switches and factors are refused; a factor switches its recipe on."""
    tenant_id = fresh("t")

    def put(**body: Any) -> Any:
        return app.put(TENANT, tenantId=tenant_id, **body)

    put(emailPasswordEnabled=False, firstFactors=["emailpassword"]).refused(
        400,
        "Invalid core config: firstFactors should not contain 'emailpassword' because emailPassword is disabled for "
        "the tenant.",
    )
    put(firstFactors=[]).refused(400, "firstFactors cannot be empty. Set null instead to remove all first factors.")
    put(firstFactors=["otp-email"]).has(createdNew=True)
    app.below(tenant_id).get(TENANT).has(passwordless={"enabled": True}, firstFactors=["otp-email"])


@covers(
    "PUT /recipe/multitenancy/connectionuridomain/v2",
    "PUT /recipe/multitenancy/connectionuridomain",
    "GET /recipe/multitenancy/connectionuridomain/list/v2",
    "GET /recipe/multitenancy/connectionuridomain/list",
    "POST /recipe/multitenancy/connectionuridomain/remove",
)
def test_connection_uri_domains(base: Caller, app: Caller) -> None:
    """A core with one database has one domain; another needs a database of its own."""
    for path in (f"{DOMAIN}/v2", DOMAIN):
        answer = base.put(path, connectionUriDomain=f"{fresh('d')}.example", coreConfig={"no_such_key": 1})
        assert (answer.status, answer.body[:20]) == (400, "Invalid core config:")
        base.put(path).says("OK", createdNew=False)
    for path in (f"{DOMAIN}/list/v2", f"{DOMAIN}/list"):
        domains = base.get(path).has()["connectionUriDomains"]
        assert "public" in [found["appId"] for domain in domains for found in domain["apps"]]
        assert app.get(path).status == 403
    base.post(f"{DOMAIN}/remove", connectionUriDomain=f"{fresh('d')}.example").says("OK", didExist=False)


@covers("PUT /recipe/multitenancy/config/thirdparty", "POST /recipe/multitenancy/config/thirdparty/remove")
def test_providers(app: Caller, tenant: Caller) -> None:
    """Providers are kept as they are given; nulls stay where they remove a parameter."""
    config = {
        "thirdPartyId": " google ",
        "name": "Google",
        "clients": [{"clientId": "id", "clientSecret": "s", "scope": ["email"]}],
        "tokenEndpointBodyParams": {"a": None, "b": "c"},
    }
    kept = {
        **config,
        "thirdPartyId": "google",
        "userInfoMap": {"fromIdTokenPayload": {}, "fromUserInfoAPI": {}},
    }
    tenant.put(PROVIDER, config=config).says("OK", createdNew=True)
    tenant.put(PROVIDER, config={**config, "unknown": 1}).says("OK", createdNew=False)
    found = tenant.get(f"{TENANT}/v2").has()["thirdParty"]["providers"]
    assert found == [kept]
    app.get(f"{TENANT}/v2").has(thirdParty={"providers": []})
    remove = f"{PROVIDER}/remove"
    tenant.post(remove, thirdPartyId="google").says("OK", didConfigExist=True)
    tenant.post(remove, thirdPartyId="google").says("OK", didConfigExist=False)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"thirdPartyId": ""}, "thirdPartyId cannot be null or empty"),
        ({"thirdPartyId": "x", "clients": [{}]}, "clientId cannot be null"),
        (
            {"thirdPartyId": "x", "clients": [{"clientId": "a"}, {"clientId": "b"}]},
            "Duplicate clientType was specified in the clients list.",
        ),
        (
            {"thirdPartyId": "apple", "clients": [{"clientId": "a", "additionalConfig": {"keyId": "k"}}]},
            "a non empty string value must be specified for keyId, teamId and privateKey in the additionalConfig for "
            "Apple provider",
        ),
        (
            {"thirdPartyId": "google-workspaces", "clients": [{"clientId": "a", "additionalConfig": {"hd": ""}}]},
            "hd in additionalConfig must be a non empty string value",
        ),
        (
            {"thirdPartyId": "boxy-saml", "clients": [{"clientId": "a", "additionalConfig": {"boxyURL": 5}}]},
            "a non empty string value must be specified for boxyURL in the additionalConfig for Boxy SAML provider",
        ),
    ],
)
def test_providers_that_cannot_work(app: Caller, config: dict[str, Any], text: str) -> None:
    """What a provider cannot do without is checked, unless one asks not to."""
    app.put(PROVIDER, config=config).refused(400, f"Invalid third party config: {text}")


def test_a_provider_that_cannot_work_is_in_the_way(make_app: Callable[..., Caller]) -> None:
    """Stored without validation, it stops all further changes of its tenant until it is mended or removed."""
    app = make_app()
    text = "Invalid third party config: thirdPartyId cannot be null or empty"
    good = {"thirdPartyId": "google", "clients": [{"clientId": "id"}]}
    app.put(PROVIDER, config=good).says("OK", createdNew=True)
    app.put(PROVIDER, config={"thirdPartyId": ""}, skipValidation=True).says("OK", createdNew=True)
    app.put(PROVIDER, config=good).refused(400, text)
    app.put(PROVIDER, config=good, skipValidation=True).says("OK", createdNew=False)
    app.put(f"{TENANT}/v2", firstFactors=None).refused(400, text)
    app.post(f"{PROVIDER}/remove", thirdPartyId="google").refused(400, text)
    app.post(f"{PROVIDER}/remove", thirdPartyId="").says("OK", didConfigExist=True)
    app.put(f"{TENANT}/v2", firstFactors=None).says("OK", createdNew=False)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"tokenEndpoint": 7}, "tokenEndpoint"),
        ({"requireEmail": "yes"}, "requireEmail"),
        ({"clients": "x"}, "clients"),
        ({"clients": [None]}, "clients"),
        ({"clients": [{"clientId": "a", "scope": "email"}]}, "scope"),
        ({"tokenEndpointBodyParams": []}, "tokenEndpointBodyParams"),
        ({"userInfoMap": {"fromUserInfoAPI": {"email": 7}}}, "email"),
    ],
)
def test_values_of_the_wrong_type_in_a_provider(app: Caller, more: dict[str, Any], field: str) -> None:
    """They are refused with the field's name, which is ours: the official core makes texts of numbers, or fails."""
    app.put(PROVIDER, config={"thirdPartyId": "x", **more}, skipValidation=True).refused(
        400, f"Field name '{field}' is invalid in JSON input"
    )


@covers("POST /recipe/multitenancy/tenant/user", "POST /recipe/multitenancy/tenant/user/remove")
def test_membership(app: Caller, tenant: Caller) -> None:
    """A user joins and leaves tenants; leaving takes along what the tenant kept about him."""
    tenant_id = tenant.prefix.rpartition("/")[2]
    user = sign_up(app)
    tenant.post(USER, recipeUserId=user["id"]).says("OK", wasAlreadyAssociated=False)
    tenant.post(USER, recipeUserId=user["id"]).says("OK", wasAlreadyAssociated=True)
    assert set(app.get("/user/id", userId=user["id"]).body["user"]["tenantIds"]) == {"public", tenant_id}
    app.put("/recipe/role", role="member").has()
    tenant.put("/recipe/user/role", userId=user["id"], role="member").has()
    there, here = create(tenant, user["id"])["session"]["handle"], create(app, user["id"])["session"]["handle"]
    remove = f"{USER}/remove"
    tenant.post(remove, recipeUserId=user["id"]).says("OK", wasAssociated=True)
    tenant.post(remove, recipeUserId=user["id"]).says("OK", wasAssociated=False)
    tenant.get("/recipe/user/roles", userId=user["id"]).says("OK", roles=[])
    app.get("/recipe/session", sessionHandle=there).says("UNAUTHORISED", message="Session does not exist.")
    app.get("/recipe/session", sessionHandle=here).has(expiry=LATER)
    app.post(remove, recipeUserId=user["id"]).says("OK", wasAssociated=True)
    app.get("/user/id", userId=user["id"]).has(user=Some("user of no tenant", lambda found: found["tenantIds"] == []))
    for path in (USER, remove):
        tenant.post(path, recipeUserId="ghost").says("UNKNOWN_USER_ID_ERROR")
        tenant.post(path, recipeUserId=" ").refused(400, "Field name 'userId' cannot be an empty String")


def test_membership_clash(app: Caller, tenant: Caller) -> None:
    """A user cannot join a tenant in which another user has their email."""
    address = email()
    user = sign_up(app, address)
    sign_up(tenant, address)
    tenant.post(USER, recipeUserId=user["id"]).says("EMAIL_ALREADY_EXISTS_ERROR")


def test_changing_an_email_looks_at_all_tenants(app: Caller, tenant: Caller) -> None:
    """An email that is taken in any of the user's tenants is refused."""
    taken = email()
    sign_up(tenant, taken)
    user = sign_up(app)
    app.put("/recipe/user", recipeUserId=user["id"], email=taken).says("OK")
    app.put("/recipe/user", recipeUserId=user["id"], email=user["emails"][0]).says("OK")
    tenant.post(USER, recipeUserId=user["id"]).has()
    app.put("/recipe/user", recipeUserId=user["id"], email=taken).says("EMAIL_ALREADY_EXISTS_ERROR")


def test_removing_a_tenant_keeps_its_users(app: Caller) -> None:
    """The users of a removed tenant are still users of the app, of one tenant less."""
    tenant_id = fresh("t")
    app.put(f"{TENANT}/v2", tenantId=tenant_id).has(createdNew=True)
    user = sign_up(app.below(tenant_id))
    app.post(f"{TENANT}/remove", tenantId=tenant_id).says("OK", didExist=True)
    app.get("/user/id", userId=user["id"]).has(user=Some("user of no tenant", lambda found: found["tenantIds"] == []))


@covers("GET /recipe/dashboard/tenant/core-config")
def test_core_config(make_app: Callable[..., Caller], app: Caller) -> None:
    """The settings are described with their values in a tenant, without secrets."""
    app.get("/recipe/dashboard/tenant/core-config").has()
    own = make_app(access_token_validity=77)
    fields = {field["key"]: field for field in own.get("/recipe/dashboard/tenant/core-config").has()["config"]}
    field = fields["access_token_validity"]
    assert (field["value"], field["defaultValue"], field["valueType"]) == (77, 3600, "number")
    assert (field["isDifferentAcrossTenants"], field["isNullable"]) == (False, False)
    assert fields["password_hashing_alg"]["valueType"] == "enum"
    assert fields["password_hashing_alg"]["possibleValues"] == ["ARGON2", "BCRYPT"]
    assert fields["ip_allow_regex"]["isNullable"] is True
    assert fields["ip_allow_regex"]["value"] is None
    assert fields["totp_max_attempts"]["isDifferentAcrossTenants"] is True
    assert fields.keys().isdisjoint({"api_keys", "port", "supertokens_saas_secret"})
    assert len({frozenset(field) for field in fields.values()}) == 1
