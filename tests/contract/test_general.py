"""The endpoints about the core itself, and what every call has in common."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contract.client import Caller, OverHTTP, email, fresh
from contract.covered import covers
from contract.expectations import FLAG, NUMBER, TEXT, Some
from contract.test_emailpassword import SECRET, sign_up

METHODS = ("GET", "POST", "PUT", "DELETE")

NO_SUCH = (
    "AppId or tenantId not found => Tenant with the following connectionURIDomain, appId and tenantId combination not "
    "found: (, {app}, {tenant})"
)


@covers(*(f"{method} {path}" for method in METHODS for path in ("/", "/hello")))
def test_hello_to_every_method(app: Caller) -> None:
    """The root and /hello greet whatever the method, in a tenant too."""
    for method in METHODS:
        for path in ("/", "/hello", "/public/hello", "/HELLO/"):
            answer = app.call(method, path)
            assert (answer.status, answer.body) == (200, "Hello"), answer.call


def test_hello_needs_neither_key_nor_version(app: Caller) -> None:
    """Health checks and the key set need no headers; a CDI version beyond the newest is refused all the same."""
    none = {"api-key": None, "cdi-version": None}
    answer = app.call("GET", "/hello", headers=none)
    assert (answer.status, answer.body) == (200, "Hello")
    assert app.call("GET", "/.well-known/jwks.json", headers=none).status == 200
    for path in ("/hello", "/.well-known/jwks.json"):
        app.call("GET", path, headers={"cdi-version": "9.9"}).refused(400, "cdi-version 9.9 not supported")


@pytest.mark.parametrize("path", ["/no/such/path", "/recipe/nothing", "/ghost-tenant"])
def test_unknown_paths(app: Caller, path: str) -> None:
    """What is not there is a 404 with a text, for every method."""
    for method in METHODS:
        app.call(method, path, {}).refused(404, "Not found")


def test_wrong_method(app: Caller) -> None:
    """A path that is there answers other methods with a 405."""
    app.call("GET", "/recipe/signup").refused(405, "Method not supported")
    app.call("DELETE", "/recipe/session").refused(405, "Method not supported")


@covers("POST /recipe/handshake")
def test_what_newer_versions_do_not_have(app: Caller) -> None:
    """The handshake went with CDI 3.0; its path is still known to other methods."""
    app.post("/recipe/handshake").refused(404, "Not found")
    app.get("/recipe/handshake").refused(405, "Method not supported")


def test_slashes_at_the_end(app: Caller) -> None:
    """A path may end with slashes."""
    for path in ("/recipe/roles", "/recipe/roles/", "/recipe/roles//"):
        app.get(path).has(roles=[])


def test_unknown_app_and_tenant(app: Caller, base: Caller) -> None:
    """Unknown apps and tenants are a 400 that names both."""
    app_id = app.prefix.removeprefix("/appid-")
    app.below("ghost").get("/users").refused(400, NO_SUCH.format(app=app_id, tenant="ghost"))
    for path in ("/recipe/roles", "/some-word"):
        base.below("appid-ghost").get(path).refused(400, NO_SUCH.format(app="ghost", tenant="public"))


def test_fields_are_read_before_the_tenant_is_looked_for(app: Caller) -> None:
    """A malformed call of an unknown tenant is told about its fields first."""
    app.below("ghost").post("/recipe/signup").refused(400, "Field name 'email' is invalid in JSON input")


def test_app_level_calls_refuse_a_tenant(app: Caller, tenant: Caller) -> None:
    """What concerns the whole app is not for a tenant, even one that exists; the public one may be named."""
    refusal = "Only public tenantId can call this app specific API"
    for method, path in (("GET", "/recipe/roles"), ("GET", "/apiversion"), ("GET", "/ee/license")):
        tenant.call(method, path).refused(403, refusal)
    tenant.post("/user/remove", userId="nobody").refused(403, refusal)
    app.below("public").get("/recipe/roles").has(roles=Some("list", lambda value: isinstance(value, list)))


def test_paths_in_any_case_and_with_a_slash(app: Caller) -> None:
    """Paths match in any case, with one slash more."""
    app.get("/Recipe/ROLES/").has()


@covers("GET /apiversion")
def test_api_version(app: Caller) -> None:
    """The versions come without a status, and hold what the SDK asks for."""
    answer = app.get("/apiversion", websiteDomain="https://a.example", apiDomain="https://b.example")
    assert list(answer.body) == ["versions"]
    assert {"5.0", "5.1", "5.2", "5.3", "5.4"} <= set(answer.body["versions"])


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("abc", "cdi-version header is invalid"),
        ("5.x", "cdi-version header is invalid"),
        ("99.0", "cdi-version 99.0 not supported"),
        ("1.5", "cdi-version 1.5 not supported"),
        ("5", "cdi-version 5 not supported"),
        ("5.4.0", "cdi-version 5.4.0 not supported"),
    ],
)
def test_versions_that_are_none(app: Caller, header: str, text: str) -> None:
    """A cdi-version that is not one, or that the core does not speak, is a 400."""
    app.call("GET", "/recipe/roles", headers={"cdi-version": header}).refused(400, text)


def test_a_call_without_a_version(app: Caller) -> None:
    """No version at all is the newest."""
    for version in ("5.4", "5.0", None):
        app.call("GET", "/recipe/roles", headers={"cdi-version": version}).has()


def test_an_app_may_narrow_the_versions(make_app: Callable[..., Caller]) -> None:
    """supertokens_max_cdi_version caps what an app speaks, and what it says it speaks."""
    app = make_app(supertokens_max_cdi_version="5.1")
    versions = app.call("GET", "/apiversion", headers={"cdi-version": None}).body["versions"]
    assert versions[-1] == "5.1"
    app.get("/recipe/roles").refused(400, "cdi-version 5.4 not supported")


def test_keys_of_an_app(make_app: Callable[..., Caller], base: Caller) -> None:
    """An app's API keys are asked for in either header; without, or with another, it is a 401."""
    first, second = "k" * 20, "s" * 20
    app = make_app(api_keys=f"{first}, {second}")
    for headers in (
        {"api-key": first},
        {"api-key": f"{second} "},
        {"api-key": None, "authorization": first},
        {"api-key": None, "authorization": f"bEARER {second}"},
    ):
        app.call("GET", "/recipe/roles", headers=headers).has(roles=[])
    for key in (None, "wrong", "", first[:-1]):
        app.call("GET", "/recipe/roles", headers={"api-key": key}).refused(401, "Invalid API key")
    app.below("ghost").call("GET", "/users", headers={"api-key": None}).refused(401, "Invalid API key")
    app.call("GET", "/recipe/signup", headers={"api-key": None}).refused(401, "Invalid API key")
    assert app.call("GET", "/.well-known/jwks.json", headers={"api-key": None}).status == 200


def test_the_key_is_asked_for_before_the_version(make_app: Callable[..., Caller]) -> None:
    """Who may not call learns nothing else."""
    app = make_app(api_keys="k" * 20)
    app.call("GET", "/recipe/roles", headers={"api-key": None, "cdi-version": "abc"}).refused(401, "Invalid API key")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": "a@example.com"}, "password"),
        ({"email": None, "password": "x"}, "email"),
        ({"email": 5, "password": "x"}, "email"),
        ({"email": True, "password": "x"}, "email"),
        ({"email": {}, "password": "x"}, "email"),
    ],
)
def test_fields_that_are_missing_or_wrong(app: Caller, body: dict[str, object], field: str) -> None:
    """A field that is missing and one of another type have the same text."""
    app.call("POST", "/recipe/signup", body).refused(400, f"Field name '{field}' is invalid in JSON input")


def test_explicit_null_is_not_absent(app: Caller) -> None:
    """An optional text or boolean of null fails the check."""
    app.post("/user/remove", userId="x", removeAllLinkedAccounts=None).refused(
        400, "Field name 'removeAllLinkedAccounts' is invalid in JSON input"
    )


def test_quoted_numbers_and_booleans(app: Caller) -> None:
    """Whole numbers may be quoted, booleans may not."""
    call = {"algorithm": "RS256", "jwksDomain": "https://x.example", "payload": {}}
    app.post("/recipe/jwt", **call, validity="60").has(jwt=TEXT)
    app.post("/recipe/jwt", **call, validity="+\u0666\u0660").has(jwt=TEXT)
    for validity in ("x", " 60", "6_0", "60.0", "", 2**63, str(2**63), 1e300):
        app.post("/recipe/jwt", **call, validity=validity).refused(
            400, "Field name 'validity' is invalid in JSON input"
        )
    device = {"userId": "x", "skew": 1}
    for period in (2**31, "2147483648"):
        app.post("/recipe/totp/device", **device, period=period).refused(
            400, "Field name 'period' is invalid in JSON input"
        )
    app.post("/user/remove", userId="x", removeAllLinkedAccounts="true").refused(
        400, "Field name 'removeAllLinkedAccounts' is invalid in JSON input"
    )


def test_query_parameters(app: Caller) -> None:
    """Missing parameters and numbers that are none have texts of their own."""
    app.get("/user/id").refused(400, "Field name 'userId' is missing in GET request")
    app.get("/users", limit="x").refused(400, "Field name 'limit' must be an int in the GET request")
    app.get("/users", limit="\u0665").has()
    for limit in ("\u00b2", "5_0", " 5", "2147483648"):
        app.get("/users", limit=limit).refused(400, "Field name 'limit' must be an int in the GET request")
    app.get("/users/count/active", since="x").refused(400, "Field name 'since' must be a long in the GET request")
    app.get("/users/count/active", since="9" * 30).refused(400, "Field name 'since' must be a long in the GET request")


def test_blank_texts(app: Caller) -> None:
    """Texts that are empty after trimming are refused by name."""
    app.put("/recipe/role", role="  ").refused(400, "Field name 'role' cannot be an empty String")
    app.put("/recipe/role", role="r", permissions=["a", " "]).refused(
        400, "Field name 'permissions' cannot contain an empty string"
    )
    app.get("/recipe/role/permissions", role=" ").refused(400, "Field name 'role' cannot be an empty String")


def test_what_trimming_takes_away(app: Caller) -> None:
    """Spaces and control characters, and nothing else: a no-break space belongs to the text."""
    address = email()
    sign_up(app, f" \x00\t\x1f{address.upper()}\r\n ")
    app.post("/recipe/signin", email=address, password=SECRET).has()
    app.post("/recipe/signin", email=f"\u00a0{address}", password=SECRET).says("WRONG_CREDENTIALS_ERROR")
    assert sign_up(app, f"{address}\u00a0")["emails"] == [f"{address}\u00a0"]
    app.put("/recipe/role", role="\u00a0").says("OK", createdNewRole=True)
    app.put("/recipe/role", role="\x1f\x00").refused(400, "Field name 'role' cannot be an empty String")


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'"text"', b"{", b'{"a":' * 5000])
def test_bodies_that_are_no_object(app: Caller, body: bytes) -> None:
    """Over HTTP, a body that is no JSON object is a 400, however odd."""
    if not isinstance(app.wire, OverHTTP):
        app.call("POST", "/recipe/signup", None).refused(400, "Invalid Json Input")
        return
    headers = {**app.headers, "content-type": "application/json"}
    url = f"{app.wire.url}{app.prefix}/recipe/signup"
    response = app.wire.session.post(url, data=body, headers=headers, timeout=30)
    assert (response.status_code, response.text.strip()) == (400, "Invalid Json Input")


def test_content_types_and_line_ends(app: Caller) -> None:
    """Over HTTP, JSON and texts say what they are and end with a newline."""
    if not isinstance(app.wire, OverHTTP):
        assert app.get("/no/such").headers["content-type"] == "text/html; charset=UTF-8"
        return
    session, url = app.wire.session, app.wire.url + app.prefix
    found = session.get(f"{url}/recipe/roles", headers=app.headers, timeout=30)
    assert found.headers["content-type"].lower().replace(" ", "") == "application/json;charset=utf-8"
    assert found.text.endswith("}\n")
    lost = session.get(f"{url}/no/such/path", headers=app.headers, timeout=30)
    assert lost.headers["content-type"].lower().replace(" ", "") == "text/html;charset=utf-8"
    assert lost.text == "Not found\n"


def test_half_a_letter(app: Caller) -> None:
    """JSON can spell half of a surrogate pair; nothing can store it, and it is refused as input."""
    app.post("/recipe/signup", email="a\ud800@example.com", password="x").refused(
        400, "Field name 'email' is invalid in JSON input"
    )


@covers("GET /config")
def test_config_is_for_the_base_tenant(app: Caller, base: Caller) -> None:
    """Only who knows the process id hears where the configuration is, and only in the base tenant."""
    base.call("GET", "/config").refused(400, "Field name 'pid' is missing in GET request")
    base.get("/config", pid="no-pid").says("NOT_ALLOWED")
    answer = app.get("/config", pid="1")
    assert answer.status == 403


@covers("GET /telemetry")
def test_telemetry(app: Caller) -> None:
    """There is none, or it has an id; no status either way."""
    answer = app.get("/telemetry").body
    assert answer == {"exists": False} or (answer["exists"] is True and answer["telemetryId"])


@covers("GET /requests/stats")
def test_request_statistics(app: Caller) -> None:
    """A day of minutes, -1 where nothing is known."""
    stats = app.get("/requests/stats").has(atMinute=NUMBER)
    for name in ("averageRequestsPerSecond", "peakRequestsPerSecond"):
        assert len(stats[name]) == 1440
        assert all(value >= -1 for value in stats[name])


@covers("GET /ee/featureflag")
def test_all_features_are_on(app: Caller) -> None:
    """What the official core sells is there, as with its in-memory database."""
    answer = app.get("/ee/featureflag").body
    assert answer["status"] == "OK"
    assert {"account_linking", "multi_tenancy", "mfa"} <= set(answer["features"])
    assert isinstance(answer["usageStats"], dict)


@covers("PUT /ee/license", "GET /ee/license", "DELETE /ee/license")
def test_licence(app: Caller, wire: object, request: pytest.FixtureRequest) -> None:
    """Without a key there is none to get; a body without the field is refused; removing is fine."""
    app.get("/ee/license").says("NO_LICENSE_KEY_FOUND_ERROR")
    app.put("/ee/license", other="x").refused(400, "Field name 'licenseKey' is missing in JSON input")
    app.put("/ee/license").says("OK")
    app.delete("/ee/license").says("OK")
    if request.node.callspec.params["wire"] != "remote":
        app.put("/ee/license", licenseKey="any").says("OK")
        app.get("/ee/license").says("NO_LICENSE_KEY_FOUND_ERROR")


def test_apps_do_not_see_each_other(app: Caller, make_app: Callable[..., Caller]) -> None:
    """A user of one app is unknown in another."""
    other = make_app()
    address = email()
    user = app.post("/recipe/signup", email=address, password="secret-1").has(user=Some("user", bool))["user"]
    other.post("/recipe/signin", email=address, password="secret-1").says("WRONG_CREDENTIALS_ERROR")
    other.get("/user/id", userId=user["id"]).says("UNKNOWN_USER_ID_ERROR")
    app.put("/recipe/role", role=fresh("role")).has(createdNewRole=FLAG)
    other.get("/recipe/roles").says("OK", roles=[])
