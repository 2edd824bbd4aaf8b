"""``st-wsgi openapi``: the document is valid, and requests and responses are as it says."""

from __future__ import annotations

import json
from queue import Queue
from typing import Any

import attrs
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from werkzeug.test import Client, TestResponse

from doctor.setups import QUICK, Place, no_mail, page
from st_wsgi import Override, SuperTokens, cli, replace
from st_wsgi.delivery import Message
from st_wsgi.doctor.openapi import REQUESTS, document
from st_wsgi.doctor.routes import mounted
from st_wsgi.pages import Pages
from st_wsgi.recipes.emailpassword import EmailPassword, EmailPasswordAPIs, FormField, SignUpFeature
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multifactorauth import MultiFactorAuth
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.saml import Saml
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.thirdparty import ThirdParty
from st_wsgi.recipes.totp import Totp
from st_wsgi.recipes.webauthn import Webauthn

URL = "http://127.0.0.1:8000"


@attrs.define
class Site:
    """An app with all recipes, its document, and a client that compares each response with the document."""

    st: SuperTokens
    messages: Queue[Message]
    document: dict[str, Any]
    client: Client
    seen: set[tuple[str, str]] = attrs.field(factory=set)

    def call(self, method: str, path: str, body: Any = None, **settings: Any) -> TestResponse:
        """Send a request whose response has to fit the document."""
        operation = self.document["paths"][path][method.lower()]
        self.seen.add((method, path))
        response = self.client.open(path, method=method, json=body, **settings)
        status = str(response.status_code)
        described = operation["responses"].get(status) or operation["responses"][f"{status[0]}XX"]
        check(self.document, described["content"]["application/json"]["schema"], response.json)
        refused = response.status_code != 200 or (response.json or {}).get("status") == "FIELD_ERROR"
        if body is not None and not refused:
            check(self.document, operation["requestBody"]["content"]["application/json"]["schema"], body)
        return response

    def message(self, kind: str) -> Message:
        """Return the next message of a kind. Some are sent in the background."""
        while True:
            message = self.messages.get(timeout=60)
            if message.kind == kind:
                return message


def check(whole: dict[str, Any], schema: dict[str, Any], value: object) -> None:
    """Raise if a value does not fit a schema, or has a member that no schema names."""
    OAS31Validator({**closed(schema), "components": closed(whole["components"])}).validate(value)


def closed(schema: Any) -> Any:
    """Return a schema that allows no further members."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    return {"additionalProperties": False, **inner} if isinstance(schema.get("properties"), dict) else inner


@pytest.fixture
def site(place: Place) -> Site:
    messages: Queue[Message] = Queue()
    st = place.local(
        URL,
        core=QUICK,
        rate_limit=None,
        recipes=lambda: [
            EmailPassword(
                email_delivery=messages.put,
                sign_up_feature=SignUpFeature(form_fields=[FormField(id="age"), FormField(id="town", optional=True)]),
            ),
            EmailVerification(mode="OPTIONAL", email_delivery=messages.put),
            Passwordless(
                contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE", email_delivery=messages.put
            ),
            Webauthn(email_delivery=messages.put),
            MultiFactorAuth(),
            Totp(),
            ThirdParty(),
            Saml(),
            Session(),
            Pages(),
        ],
    )
    return Site(st, messages, document(st), Client(st.wrap(page)))


def form(**values: object) -> dict[str, Any]:
    return {"formFields": [{"id": name, "value": value} for name, value in values.items()]}


def test_the_document_is_valid_and_has_each_route(site: Site) -> None:
    validate(site.document)
    described = {
        (method.upper(), path.replace("/{rest}", "/*"))
        for path, operations in site.document["paths"].items()
        for method in operations
    }
    assert described == {(row.method, row.path) for row in mounted(site.st)}
    assert {"/auth/signin", "/auth/totp/device", "/auth/saml/login", "/auth/account"} <= set(site.document["paths"])


TAKE_NOTHING = {
    *("get_jwks_get", "open_id_discovery_configuration_get", "refresh_post", "sign_out_post", "list_devices_get"),
    *("generate_email_verify_token_post", "is_email_verified_get", "sign_in_options_post", "list_credentials_get"),
    "resync_session_and_fetch_mfa_info_put",
}


def test_it_knows_what_each_route_takes(site: Site) -> None:
    """A new route needs a row of the table, or a place among those that take nothing."""
    routes = {(recipe.id, route.api) for recipe in site.st.recipes for route in recipe.routes}
    assert {f"{recipe}.{api}" for recipe, api in routes if api not in TAKE_NOTHING} == set(REQUESTS)


COOKIES = {"st-auth-mode": "cookie", "rid": "session", "fdi-version": "4.1"}


def test_responses_are_as_it_says(site: Site) -> None:
    account = {"email": "ada@example.com", "password": "correct horse 1"}
    assert site.call("POST", "/auth/signup", form(**account)).json["status"] == "FIELD_ERROR"  # type: ignore[index]
    site.call("POST", "/auth/signup", form(**account, age=36), headers=COOKIES)
    site.call("POST", "/auth/signup", form(**account, age=36, town=None))
    site.call("POST", "/auth/signin", form(**{**account, "password": "wrong horse 1"}), headers=COOKIES)
    site.call("POST", "/auth/signin", {"formFields": "none"})
    site.call("POST", "/auth/signin", form(**account), headers=COOKIES)
    for path in ("emailpassword/email/exists", "passwordless/email/exists", "signup/email/exists"):
        site.call("GET", f"/auth/{path}", query_string={"email": account["email"]})
    site.call("GET", "/auth/jwt/jwks.json")
    site.call("GET", "/auth/.well-known/openid-configuration")
    site.call("GET", "/auth/loginmethods")
    site.call("POST", "/auth/user/email/verify/token", headers=COOKIES)
    token = str(site.message("EMAIL_VERIFICATION").link).partition("token=")[2].partition("&")[0]
    assert site.call("GET", "/auth/user/email/verify", headers=COOKIES).json["isVerified"] is False  # type: ignore[index]
    site.call("POST", "/auth/user/email/verify", {"token": token})
    site.call("PUT", "/auth/mfa/info", headers=COOKIES)
    site.call("POST", "/auth/totp/device", {"deviceName": "phone"}, headers=COOKIES)
    site.call("POST", "/auth/totp/device/verify", {"deviceName": "phone", "totp": "12"}, headers=COOKIES)
    site.call("POST", "/auth/totp/verify", {"totp": "12"}, headers=COOKIES)
    site.call("GET", "/auth/totp/device/list", headers=COOKIES)
    site.call("POST", "/auth/totp/device/remove", {"deviceName": "phone"}, headers=COOKIES)
    site.call("POST", "/auth/webauthn/options/register", {"email": account["email"]})
    site.call("POST", "/auth/webauthn/options/signin")
    site.call("GET", "/auth/webauthn/credential/list", headers=COOKIES)
    site.call("POST", "/auth/session/refresh", headers=COOKIES)
    site.call("POST", "/auth/user/password/reset/token", form(email=account["email"]))
    site.call("POST", "/auth/user/password/reset", {"token": "none", **form(password="correct horse 2")})
    made = site.call("POST", "/auth/signinup/code", {"email": "grace@example.com"}).json
    assert made is not None
    ids = {name: made[name] for name in ("deviceId", "preAuthSessionId")}
    site.call("POST", "/auth/signinup/code/resend", ids)
    site.call("POST", "/auth/signinup/code/consume", {**ids, "userInputCode": "0"})
    site.call(
        "POST",
        "/auth/signinup/code/consume",
        {**ids, "userInputCode": site.message("PASSWORDLESS_LOGIN").code},
        headers=COOKIES,
    )
    site.call("POST", "/auth/signout", headers=COOKIES)
    site.call("POST", "/auth/signout", headers=COOKIES)
    assert len(site.seen) == 27


def test_a_body_without_a_member_that_it_calls_required_is_refused(site: Site) -> None:
    tried = 0
    for path, operations in site.document["paths"].items():
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is None or "security" in operations["post"]:
            continue
        sample = {"string": "x", "object": {"id": "x", "type": "x", "response": {}}, "boolean": False, "array": []}
        body = {name: sample[schema["properties"][name]["type"]] for name in schema["required"]}
        for name in body:
            response = site.client.post(path, json={key: value for key, value in body.items() if key != name})
            assert response.status_code == 400, (path, name, response.text)
            tried += 1
    assert tried >= 18


def test_what_an_app_has_replaced_or_switched_off(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    def never(*, email: str, tenant_id: str, context: object) -> object:
        raise AssertionError

    def changed(original: EmailPasswordAPIs) -> EmailPasswordAPIs:
        return replace(original, sign_up_post=None, email_exists_get=never)

    recipe = EmailPassword(email_delivery=no_mail, override=Override(apis=changed))
    name = place.named(place.local(URL, recipes=lambda: [recipe]))
    assert cli.main(["openapi", "--app", name]) == 0
    printed = json.loads(capsys.readouterr().out)
    validate(printed)
    assert "/auth/signup" not in printed["paths"]
    assert "never" in printed["paths"]["/auth/emailpassword/email/exists"]["get"]["x-overridden-by"]
    assert printed["servers"] == [{"url": URL}]
