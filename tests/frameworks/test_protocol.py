"""Every route of the frontend driver interface and every status that it has, over HTTP from an app in Flask."""

from __future__ import annotations

import base64
import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from contract.authenticator import Credential, asserted, created, credential
from flask import Flask
from recipes.saml.peer import METADATA, CoreWithSaml, saml_response
from recipes.totp.parts import totp, wrong
from sampling import exhaustive_but

from frameworks.conftest import ORIGIN, SharedCore
from frameworks.sites import Site, serving
from st_wsgi import AppInfo, GeneralError, Override, SuperTokens, replace
from st_wsgi.delivery import Message
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multifactorauth import MultiFactorAuth
from st_wsgi.recipes.multitenancy import Multitenancy
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.saml import Saml, SamlFunctions
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.thirdparty import (
    Provider,
    ProviderClientConfig,
    ProviderConfig,
    ProviderInput,
    RawUserInfoFromProvider,
    ThirdParty,
    UserInfo,
    UserInfoEmail,
)
from st_wsgi.recipes.totp import Totp
from st_wsgi.recipes.webauthn import Webauthn

HOST = str(urlsplit(ORIGIN).hostname)
PASSWORD, NEW_PASSWORD = "correct horse 1", "another horse 2"
SIGN_UP, SIGN_IN, SIGN_OUT = "POST /signup", "POST /signin", "POST /signout"
RESET_MAIL, RESET = "POST /user/password/reset/token", "POST /user/password/reset"
MAIL, VERIFY, IS_VERIFIED = "POST /user/email/verify/token", "POST /user/email/verify", "GET /user/email/verify"
EXISTS, OLDER_EXISTS = "GET /emailpassword/email/exists", "GET /signup/email/exists"
CODE, RESEND, CONSUME = "POST /signinup/code", "POST /signinup/code/resend", "POST /signinup/code/consume"
BY_CODE_EXISTS = "GET /passwordless/email/exists"
PHONE_EXISTS, OLDER_PHONE_EXISTS = "GET /passwordless/phonenumber/exists", "GET /signup/phonenumber/exists"
LOGIN_METHODS = "GET /loginmethods"
PROVIDER_PAGE, FROM_PROVIDER, FROM_APPLE = "GET /authorisationurl", "POST /signinup", "POST /callback/apple"
SAML_PAGE, FROM_SAML = "GET /saml/login", "POST /saml/callback"
KEY_OPTIONS, PROOF_OPTIONS = "POST /webauthn/options/register", "POST /webauthn/options/signin"
KEY_SIGN_UP, KEY_SIGN_IN = "POST /webauthn/signup", "POST /webauthn/signin"
KEY_EXISTS, KEY_MAIL, KEY_RESET = (
    "GET /webauthn/email/exists",
    "POST /user/webauthn/reset/token",
    "POST /user/webauthn/reset",
)
KEY_ADD, KEY_LIST, KEY_REMOVE = (
    "POST /webauthn/credential",
    "GET /webauthn/credential/list",
    "POST /webauthn/credential/remove",
)
INFO, APP, APPS, APP_REMOVE = "PUT /mfa/info", "POST /totp/device", "GET /totp/device/list", "POST /totp/device/remove"
APP_VERIFY, APP_CODE = "POST /totp/device/verify", "POST /totp/verify"
REFRESH, KEYS, DISCOVERY = "POST /session/refresh", "GET /jwt/jwks.json", "GET /.well-known/openid-configuration"

#: The statuses of each route in the reference. A number stands for a response with another HTTP status than 200.
STATUSES: dict[str, set[object]] = {
    SIGN_UP: {"OK", "FIELD_ERROR", "SIGN_UP_NOT_ALLOWED", "GENERAL_ERROR", 400},
    SIGN_IN: {"OK", "FIELD_ERROR", "WRONG_CREDENTIALS_ERROR", "SIGN_IN_NOT_ALLOWED", "GENERAL_ERROR", 400},
    SIGN_OUT: {"OK", "GENERAL_ERROR", 401},
    REFRESH: {None, 401},
    RESET_MAIL: {"OK", "FIELD_ERROR", "PASSWORD_RESET_NOT_ALLOWED", "GENERAL_ERROR", 400},
    RESET: {"OK", "FIELD_ERROR", "RESET_PASSWORD_INVALID_TOKEN_ERROR", "GENERAL_ERROR", 400},
    EXISTS: {"OK", "GENERAL_ERROR", 400},
    OLDER_EXISTS: {"OK", "GENERAL_ERROR", 400},
    MAIL: {"OK", "EMAIL_ALREADY_VERIFIED_ERROR", "GENERAL_ERROR", 401},
    VERIFY: {"OK", "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR", "GENERAL_ERROR", 400},
    IS_VERIFIED: {"OK", "GENERAL_ERROR", 401},
    CODE: {"OK", "SIGN_IN_UP_NOT_ALLOWED", "GENERAL_ERROR", 400},
    RESEND: {"OK", "RESTART_FLOW_ERROR", "GENERAL_ERROR", 400},
    CONSUME: {
        "OK",
        "INCORRECT_USER_INPUT_CODE_ERROR",
        "EXPIRED_USER_INPUT_CODE_ERROR",
        "RESTART_FLOW_ERROR",
        "SIGN_IN_UP_NOT_ALLOWED",
        "GENERAL_ERROR",
        400,
    },
    BY_CODE_EXISTS: {"OK", "GENERAL_ERROR", 400},
    PHONE_EXISTS: {"OK", "GENERAL_ERROR", 400},
    OLDER_PHONE_EXISTS: {"OK", "GENERAL_ERROR", 400},
    LOGIN_METHODS: {"OK", "GENERAL_ERROR"},
    PROVIDER_PAGE: {"OK", "GENERAL_ERROR", 400},
    FROM_PROVIDER: {"OK", "NO_EMAIL_GIVEN_BY_PROVIDER", "SIGN_IN_UP_NOT_ALLOWED", "GENERAL_ERROR", 400},
    FROM_APPLE: {"GENERAL_ERROR", 303, 400},
    SAML_PAGE: {"INVALID_CLIENT_ERROR", "GENERAL_ERROR", 302, 400},
    FROM_SAML: {
        *("SAML_RESPONSE_VERIFICATION_FAILED_ERROR", "INVALID_RELAY_STATE_ERROR", "INVALID_CLIENT_ERROR"),
        *("IDP_LOGIN_DISALLOWED_ERROR", "GENERAL_ERROR", 302, 400),
    },
    KEYS: {None},
    DISCOVERY: {None},
    KEY_OPTIONS: {
        *("OK", "INVALID_EMAIL_ERROR", "RECOVER_ACCOUNT_TOKEN_INVALID_ERROR", "INVALID_OPTIONS_ERROR"),
        *("GENERAL_ERROR", 400),
    },
    PROOF_OPTIONS: {"OK", "INVALID_OPTIONS_ERROR", "GENERAL_ERROR"},
    KEY_SIGN_UP: {
        *("OK", "EMAIL_ALREADY_EXISTS_ERROR", "SIGN_UP_NOT_ALLOWED", "INVALID_CREDENTIALS_ERROR"),
        *("INVALID_OPTIONS_ERROR", "OPTIONS_NOT_FOUND_ERROR", "INVALID_AUTHENTICATOR_ERROR", "GENERAL_ERROR", 400),
    },
    KEY_SIGN_IN: {"OK", "INVALID_CREDENTIALS_ERROR", "SIGN_IN_NOT_ALLOWED", "GENERAL_ERROR", 400},
    KEY_EXISTS: {"OK", "GENERAL_ERROR", 400},
    KEY_MAIL: {"OK", "RECOVER_ACCOUNT_NOT_ALLOWED", "GENERAL_ERROR", 400},
    KEY_RESET: {
        *("OK", "RECOVER_ACCOUNT_TOKEN_INVALID_ERROR", "INVALID_CREDENTIALS_ERROR", "INVALID_OPTIONS_ERROR"),
        *("OPTIONS_NOT_FOUND_ERROR", "INVALID_AUTHENTICATOR_ERROR", "GENERAL_ERROR", 400),
    },
    KEY_ADD: {
        *("OK", "REGISTER_CREDENTIAL_NOT_ALLOWED", "INVALID_OPTIONS_ERROR", "OPTIONS_NOT_FOUND_ERROR"),
        *("GENERAL_ERROR", 401),
    },
    KEY_LIST: {"OK", "GENERAL_ERROR", 401},
    KEY_REMOVE: {"OK", "CREDENTIAL_NOT_FOUND_ERROR", "GENERAL_ERROR", 401},
    INFO: {"OK", "GENERAL_ERROR", 401},
    APP: {"OK", "DEVICE_ALREADY_EXISTS_ERROR", "GENERAL_ERROR", 400, 401, 403},
    APPS: {"OK", "GENERAL_ERROR", 401},
    APP_REMOVE: {"OK", "GENERAL_ERROR", 400, 401, 403},
    APP_VERIFY: {
        *("OK", "UNKNOWN_DEVICE_ERROR", "INVALID_TOTP_ERROR", "LIMIT_REACHED_ERROR", "GENERAL_ERROR"),
        *(400, 401, 403),
    },
    APP_CODE: {"OK", "UNKNOWN_USER_ID_ERROR", "INVALID_TOTP_ERROR", "LIMIT_REACHED_ERROR", "GENERAL_ERROR", 400, 401},
}

FACTORS = ["emailpassword", "otp-email", "otp-phone", "thirdparty", "webauthn"]
NO_DEVICE = {"deviceId": "AAAA", "preAuthSessionId": "none"}
ACME, UNKNOWN_CLIENT = "https://idp.example/acme", "INVALID_CLIENT_ERROR"
MALFORMED = {"formFields": "none", "token": 1}


def whose_token_is_an_address(original: Provider) -> Provider:
    """Return a provider that needs no network: the id token is the user's e-mail address, if it has an @."""

    def get_user_info(*, oauth_tokens: dict[str, Any]) -> UserInfo:
        token = oauth_tokens["id_token"]
        email = UserInfoEmail(id=token, is_verified=True) if "@" in token else None
        raw = RawUserInfoFromProvider()
        return UserInfo(third_party_user_id=token, email=email, raw_user_info_from_provider=raw)

    return replace(original, get_user_info=get_user_info)


class Backend:
    """The app, its mails, and whether its overrides answer that something is wrong."""

    def __init__(self, core: SharedCore) -> None:
        self.mails: list[Message] = []
        self.is_down = False
        info = AppInfo(app_name="Shop", api_domain=ORIGIN, website_domain=ORIGIN)
        apis: Any = Override(apis=self._guarded)
        self.password = EmailPassword(email_delivery=self.mails.append, override=apis)
        self.verification = EmailVerification(mode="OPTIONAL", email_delivery=self.mails.append, override=apis)
        self.codes = Passwordless(
            contact_config=ContactEmailOrPhoneConfig(),
            flow_type="USER_INPUT_CODE",
            email_delivery=self.mails.append,
            sms_delivery=self.mails.append,
            override=apis,
        )
        recipes: list[Recipe[Any, Any]] = [self.password, self.verification, self.codes, Session(override=apis)]
        github = ProviderConfig(third_party_id="github", clients=[ProviderClientConfig(client_id="c1")])
        provider = ProviderInput(config=github, override=whose_token_is_an_address)
        recipes += [Multitenancy(override=apis), ThirdParty(providers=[provider], override=apis)]
        recipes += [Saml(override=apis), Totp(override=apis)]
        self.factors = MultiFactorAuth(override=apis)
        recipes.append(self.factors)
        self.fits = True
        self.passkeys = Webauthn(
            get_relying_party_id=lambda _tenant, _context: HOST if self.fits else "other.example",
            email_delivery=self.mails.append,
            override=apis,
        )
        recipes.append(self.passkeys)
        self.st = SuperTokens(app_info=info, core=CoreWithSaml(core), recipes=recipes, rate_limit=None)

    def _guarded(self, original: Any) -> Any:
        names = {route.api for route in original.recipe.routes if route.api != "refresh_post"}
        return replace(original, **{name: self._unless_down(getattr(original, name)) for name in names})

    def _unless_down(self, api: Any) -> Any:
        return lambda **given: GeneralError("We are closed.") if self.is_down else api(**given)

    def token(self) -> str:
        """Return the token in the newest mail."""
        self.password.background.close()  # the mail is sent
        self.verification.background.close()
        self.passkeys.background.close()
        return parse_qs(urlsplit(str(self.mails[-1].link)).query)["token"][0]

    def code(self) -> str:
        """Return the code in the newest message."""
        return str(self.mails[-1].code)

    def tenant_with_codes_for(self, milliseconds: int | None, tenant_id: str = "") -> str:
        """Make a tenant, or change one, whose codes are good for a time; None is the usual one."""
        tenant_id = tenant_id or f"t-{uuid.uuid4().hex}"
        body = {
            "tenantId": tenant_id,
            "firstFactors": None,
            "coreConfig": {"passwordless_code_lifetime": milliseconds},
        }
        self.st.services.core.put("/recipe/multitenancy/tenant/v2", body).check()
        return tenant_id

    def link_accounts(self, primary: str, other: str) -> None:
        linking = "/recipe/accountlinking/user"
        self.st.services.core.post(f"{linking}/primary", {"recipeUserId": primary}).ok(bool, "wasAlreadyAPrimaryUser")
        body = {"recipeUserId": other, "primaryUserId": primary}
        self.st.services.core.post(f"{linking}/link", body).ok(bool, "accountsAlreadyLinked")


@pytest.fixture(scope="module")
def quick_core() -> Iterator[SharedCore]:
    with EmbeddedCore(settings={"argon2_memory_kb": 64}) as core:
        yield SharedCore(core)


@pytest.fixture
def backend(quick_core: SharedCore) -> Iterator[Backend]:
    made = Backend(quick_core)
    with closing(made.st):
        yield made


@pytest.fixture
def site(backend: Backend) -> Iterator[Site]:
    app = Flask(__name__)
    app.wsgi_app = backend.st.wrap(app.wsgi_app)  # type: ignore[assignment]  # Flask documents this
    with serving(app, backend.st) as running:
        yield running


class Frontend:
    """
    Keeps the tokens of a session, and what it has seen of each route.

    :param base: the path of the routes, with or without a tenant.
    """

    def __init__(self, site: Site, base: str, headers: dict[str, str]) -> None:
        self.site, self.base = site, base
        self.headers = {"st-auth-mode": "header", **headers}
        self.email = f"{uuid.uuid4().hex}@example.com"
        self.tokens = {"st-access-token": "", "st-refresh-token": ""}
        self.seen: dict[str, set[object]] = defaultdict(set)

    def send(
        self, route: str, body: object = None, query: str = "", data: dict[str, str] | None = None
    ) -> requests.Response:
        method, _, path = route.partition(" ")
        token = self.tokens["st-refresh-token" if route == REFRESH else "st-access-token"]
        response = self.site.call(
            f"{self.base}{path}{query}",
            method=method,
            json=body,
            data=data,
            bearer=token or None,
            headers=self.headers,
        )
        self.tokens |= {name: response.headers[name] for name in self.tokens if name in response.headers}
        self.seen[route].add(response.json().get("status") if response.status_code == 200 else response.status_code)
        return response

    def form(self, route: str, *, token: str = "", link: bool = False, **fields: str) -> Any:
        body: dict[str, Any] = {"formFields": [{"id": name, "value": value} for name, value in fields.items()]}
        if token:
            body |= {"method": "token", "token": token}
        if link:
            body["shouldTryLinkingWithSessionUser"] = True
        return self.send(route, body).json()

    def verify(self, token: str) -> Any:
        return self.send(VERIFY, {"method": "token", "token": token}).json()


PAGE = f"?thirdPartyId=github&redirectURIOnProviderDashboard={ORIGIN}/auth/callback/github"


def signs_in_with_a_provider(user: Frontend) -> None:
    assert user.send(PROVIDER_PAGE).status_code == 400
    assert user.send(PROVIDER_PAGE, query=PAGE).json()["pkceCodeVerifier"]
    assert by_provider(user)["user"]["emails"] == [user.email]
    assert by_provider(user, "none") == {"status": "NO_EMAIL_GIVEN_BY_PROVIDER"}
    assert by_provider(user, link=True)["status"] == "SIGN_IN_UP_NOT_ALLOWED"
    state = base64.b64encode(json.dumps({"frontendRedirectURI": f"{ORIGIN}/signed-in?x=1"}).encode()).decode()
    sent_on = user.send(FROM_APPLE, data={"state": state, "code": "a b"})
    assert sent_on.headers["Location"] == f"{ORIGIN}/signed-in?x=1&{urlencode({'state': state, 'code': 'a b'})}"
    assert user.send(FROM_APPLE, data={"code": "a b"}).status_code == 400


def signs_in_with_saml(user: Frontend, functions: SamlFunctions) -> None:
    client: dict[str, Any] = {"redirect_uris": [ORIGIN], "default_redirect_uri": ORIGIN, "client_id": "acme"}
    client["metadata_xml"] = METADATA.format("acme")
    functions.create_or_update_client(**client)
    to_acme, from_acme = f"?client_id=acme&redirect_uri={ORIGIN}", {"SAMLResponse": saml_response(issuer=ACME)}
    assert user.send(SAML_PAGE).status_code == 400
    assert user.send(SAML_PAGE, query=f"?client_id=none&redirect_uri={ORIGIN}").json() == {"status": UNKNOWN_CLIENT}
    assert user.send(FROM_SAML, {}).status_code == 400
    state = parse_qs(urlsplit(user.send(SAML_PAGE, query=to_acme).headers["Location"]).query)["RelayState"][0]
    gone = parse_qs(urlsplit(user.send(SAML_PAGE, query=to_acme).headers["Location"]).query)["RelayState"][0]
    functions.remove_client(client_id="acme")
    unknown = user.send(FROM_SAML, data={**from_acme, "RelayState": gone}).json()
    assert unknown == {"status": UNKNOWN_CLIENT}
    functions.create_or_update_client(**client)
    answers = [
        ({"SAMLResponse": saml_response(signed=False), "RelayState": state}, "SAML_RESPONSE_VERIFICATION_FAILED_ERROR"),
        ({**from_acme, "RelayState": state}, "INVALID_RELAY_STATE_ERROR"),
        (from_acme, "IDP_LOGIN_DISALLOWED_ERROR"),
    ]
    for form, status in answers:
        assert user.send(FROM_SAML, data=form).json() == {"status": status}
    functions.create_or_update_client(allow_idp_initiated_login=True, **client)
    assert user.send(FROM_SAML, data=from_acme).headers["Location"].startswith(f"{ORIGIN}?code=")


def by_provider(user: Frontend, token: str = "", *, link: bool = False) -> Any:
    body = {"thirdPartyId": "github", "oAuthTokens": {"id_token": token or user.email}}
    return user.send(FROM_PROVIDER, {**body, "shouldTryLinkingWithSessionUser": link}).json()


NO_PASSKEY: dict[str, Any] = {
    "webauthnGeneratedOptionsId": "none",
    "credential": {"id": "AAAA", "type": "public-key", "response": {}},
    "token": "none",
    "webauthnCredentialId": "none",
}


def new_key(options: Any, key: Credential, *, origin: str = ORIGIN, **more: Any) -> dict[str, Any]:
    sent = created(options, key, rp_id=HOST, origin=origin)
    return {"webauthnGeneratedOptionsId": options["webauthnGeneratedOptionsId"], "credential": sent, **more}


def proof(options: Any, key: Credential, **more: Any) -> dict[str, Any]:
    sent = asserted(options, key, rp_id=HOST, origin=ORIGIN)
    return {"webauthnGeneratedOptionsId": options["webauthnGeneratedOptionsId"], "credential": sent, **more}


def signs_in_with_passkeys(user: Frontend, backend: Backend) -> None:
    key, spare, email = credential(), credential(), f"key-{user.email}"

    def options(**body: str) -> Any:
        return user.send(KEY_OPTIONS, body or {"email": email}).json()

    backend.fits = False
    for route, body in ((KEY_OPTIONS, {"email": email}), (PROOF_OPTIONS, None)):
        assert user.send(route, body).json() == {"status": "INVALID_OPTIONS_ERROR"}
    backend.fits = True
    assert options(email="none")["status"] == "INVALID_EMAIL_ERROR"
    assert options(recoverAccountToken="none") == {"status": "RECOVER_ACCOUNT_TOKEN_INVALID_ERROR"}
    to_sign_in = user.send(PROOF_OPTIONS).json()
    link: dict[str, Any] = {"shouldTryLinkingWithSessionUser": True}
    assert user.send(KEY_SIGN_UP, new_key(options(), key, **link)).json()["status"] == "SIGN_UP_NOT_ALLOWED"
    assert user.send(KEY_SIGN_UP, NO_PASSKEY).json() == {"status": "OPTIONS_NOT_FOUND_ERROR"}
    assert user.send(KEY_SIGN_UP, new_key(to_sign_in, key)).json() == {"status": "INVALID_OPTIONS_ERROR"}
    unreadable = {**new_key(options(), key), "credential": NO_PASSKEY["credential"]}
    assert user.send(KEY_SIGN_UP, unreadable).json() == {"status": "INVALID_CREDENTIALS_ERROR"}
    elsewhere = user.send(KEY_SIGN_UP, new_key(options(), key, origin="https://evil.example")).json()
    assert elsewhere["status"] == "INVALID_AUTHENTICATOR_ERROR"
    made = user.send(KEY_SIGN_UP, new_key(options(), key)).json()
    assert made["user"]["emails"] == [email]
    assert user.send(KEY_SIGN_UP, new_key(options(), spare)).json() == {"status": "EMAIL_ALREADY_EXISTS_ERROR"}
    assert user.send(KEY_EXISTS, query=f"?email={email}").json() == {"status": "OK", "exists": True}
    assert user.send(KEY_EXISTS).status_code == 400
    assert user.send(KEY_SIGN_IN, NO_PASSKEY).json() == {"status": "INVALID_CREDENTIALS_ERROR"}
    assert user.send(KEY_SIGN_IN, proof(to_sign_in, key, **link)).json()["status"] == "SIGN_IN_NOT_ALLOWED"
    assert user.send(KEY_SIGN_IN, proof(user.send(PROOF_OPTIONS).json(), key)).json()["user"] == made["user"]

    assert user.send(KEY_ADD, NO_PASSKEY).json() == {"status": "OPTIONS_NOT_FOUND_ERROR"}
    other = options(email=user.email)
    assert user.send(KEY_ADD, new_key(other, spare)).json() == {"status": "INVALID_OPTIONS_ERROR"}
    assert user.send(KEY_ADD, new_key(options(), key)).json()["status"] == "REGISTER_CREDENTIAL_NOT_ALLOWED"
    assert user.send(KEY_ADD, new_key(options(), spare)).json() == {"status": "OK"}
    assert len(user.send(KEY_LIST).json()["credentials"]) == 2
    assert user.send(KEY_REMOVE, {"webauthnCredentialId": key.name}).json() == {"status": "OK"}
    assert user.send(KEY_REMOVE, NO_PASSKEY).json() == {"status": "CREDENTIAL_NOT_FOUND_ERROR"}

    assert user.send(KEY_MAIL, {"email": f"no-{email}"}).json() == {"status": "OK"}
    answers: list[tuple[Callable[[], dict[str, Any]], str]] = [
        (lambda: {**new_key(options(), key), "credential": NO_PASSKEY["credential"]}, "INVALID_CREDENTIALS_ERROR"),
        (lambda: new_key(options(), key, origin="https://evil.example"), "INVALID_AUTHENTICATOR_ERROR"),
        (lambda: new_key(other, key), "INVALID_OPTIONS_ERROR"),
        (lambda: NO_PASSKEY, "OPTIONS_NOT_FOUND_ERROR"),
        (lambda: new_key(options(), key), "OK"),
    ]
    for right, status in answers:
        assert user.send(KEY_MAIL, {"email": email}).json() == {"status": "OK"}
        body = {**right(), "token": backend.token()}
        assert user.send(KEY_RESET, body).json()["status"] == status
    used = new_key(options(), key, token="none")
    assert user.send(KEY_RESET, used).json() == {"status": "RECOVER_ACCOUNT_TOKEN_INVALID_ERROR"}
    assert user.send(KEY_SIGN_IN, proof(user.send(PROOF_OPTIONS).json(), key)).json()["user"]["id"]


def has_an_authenticator_app(user: Frontend, backend: Backend, user_id: str) -> None:
    """It is set up, required, and asked for. Then it is required no more."""
    code = {"totp": "000000"}
    for route in (APP, APP_REMOVE, APP_VERIFY, APP_CODE):
        assert user.send(route, {"deviceName": 7, "totp": 7}).status_code == 400
    assert user.send(APP_CODE, code).json() == {"status": "UNKNOWN_USER_ID_ERROR"}
    secret = user.send(APP, {"deviceName": "phone"}).json()["secret"]
    assert user.send(APP_VERIFY, {"deviceName": "none", **code}).json() == {"status": "UNKNOWN_DEVICE_ERROR"}
    now, following, bad = totp(secret), totp(secret, steps=1), {"totp": wrong(secret)}
    assert user.send(APP_VERIFY, {"deviceName": "phone", **bad}).json()["status"] == "INVALID_TOTP_ERROR"
    assert user.send(APP_VERIFY, {"deviceName": "phone", "totp": now}).json()["wasAlreadyVerified"] is False
    assert user.send(APP, {"deviceName": "phone"}).json() == {"status": "DEVICE_ALREADY_EXISTS_ERROR"}
    assert [device["name"] for device in user.send(APPS).json()["devices"]] == ["phone"]

    backend.factors.functions.add_to_required_secondary_factors_for_user(user_id=user_id, factor_id="totp")
    assert user.form(SIGN_IN, email=user.email, password=PASSWORD)["status"] == "OK"
    assert user.send(INFO).json()["factors"]["next"] == ["totp"]
    for route in (APP, APP_REMOVE, APP_VERIFY):
        assert user.send(route, {"deviceName": "phone", **code}).json()["message"] == "invalid claim"
    assert user.send(APP_CODE, {"totp": following}).json() == {"status": "OK"}
    backend.factors.functions.remove_from_required_secondary_factors_for_user(user_id=user_id, factor_id="totp")
    assert user.send(APP, {"deviceName": "tablet"}).json()["status"] == "OK"
    answers = [user.send(APP_CODE, bad).json()["status"] for _ in range(6)]
    assert (answers[0], answers[-1]) == ("INVALID_TOTP_ERROR", "LIMIT_REACHED_ERROR")
    assert user.send(APP_VERIFY, {"deviceName": "tablet", **code}).json()["status"] == "LIMIT_REACHED_ERROR"
    assert user.send(APP_REMOVE, {"deviceName": "phone"}).json() == {"status": "OK", "didDeviceExist": True}


def every_override_answers(user: Frontend) -> None:
    closed = {"status": "GENERAL_ERROR", "message": "We are closed."}
    for route in (APP, APP_REMOVE, APP_VERIFY, APP_CODE):
        assert user.send(route, {"deviceName": "phone", "totp": "000000"}).json() == closed
    for route in (INFO, APPS):
        assert user.send(route).json() == closed
    assert user.send(KEY_OPTIONS, {"email": user.email}).json() == closed
    assert user.send(KEY_MAIL, {"email": user.email}).json() == closed
    assert user.send(KEY_EXISTS, query="?email=a@example.com").json() == closed
    for route in (KEY_SIGN_UP, KEY_SIGN_IN, KEY_RESET, KEY_ADD, KEY_REMOVE):
        assert user.send(route, NO_PASSKEY).json() == closed
    for route in (PROOF_OPTIONS, KEY_LIST):
        assert user.send(route).json() == closed
    assert user.send(PROVIDER_PAGE, query=PAGE).json() == closed
    assert user.send(FROM_APPLE, data={"state": "x"}).json() == closed
    assert by_provider(user) == closed
    assert user.send(SAML_PAGE, query="?client_id=acme&redirect_uri=x").json() == closed
    assert user.send(FROM_SAML, data={"SAMLResponse": "AAAA"}).json() == closed
    for route in (SIGN_UP, SIGN_IN):
        assert user.form(route, email=f"new-{user.email}", password=PASSWORD) == closed
    assert user.send(CODE, {"email": user.email}).json() == closed
    assert user.send(RESEND, NO_DEVICE).json() == closed
    assert user.send(CONSUME, {**NO_DEVICE, "userInputCode": "1"}).json() == closed
    for route in (PHONE_EXISTS, OLDER_PHONE_EXISTS):
        assert user.send(route, query="?phoneNumber=1").json() == closed
    assert user.form(RESET_MAIL, email=user.email) == closed
    assert user.form(RESET, token="none", password=PASSWORD) == closed
    for route in (EXISTS, OLDER_EXISTS, BY_CODE_EXISTS):
        assert user.send(route, query="?email=a@example.com").json() == closed
    assert user.verify("none") == closed
    for route in (MAIL, IS_VERIFIED, LOGIN_METHODS, SIGN_OUT):
        assert user.send(route).json() == closed


def sets_a_new_password(user: Frontend, backend: Backend) -> None:
    assert user.form(RESET_MAIL, email="none")["status"] == "FIELD_ERROR"
    assert user.form(RESET_MAIL, email=f"no-{user.email}") == {"status": "OK"}
    assert user.form(RESET_MAIL, email=user.email) == {"status": "OK"}
    token = backend.token()
    assert user.form(RESET, token=token, password="short")["status"] == "FIELD_ERROR"
    assert user.form(RESET, token=token, password=NEW_PASSWORD) == {"status": "OK"}
    used = user.form(RESET, token=token, password=PASSWORD)
    assert used == {"status": "RESET_PASSWORD_INVALID_TOKEN_ERROR"}
    assert user.form(SIGN_IN, email=user.email, password=NEW_PASSWORD)["status"] == "OK"


def signs_in_with_codes(user: Frontend, backend: Backend) -> None:
    address = {"email": user.email}
    device = user.send(CODE, address).json()
    assert (device.pop("status"), device.pop("flowType")) == ("OK", "USER_INPUT_CODE")
    assert user.send(RESEND, NO_DEVICE).json() == {"status": "RESTART_FLOW_ERROR"}
    assert user.send(RESEND, device).json() == {"status": "OK"}
    for route, body in ((CODE, address), (CONSUME, {**device, "userInputCode": "1"})):
        refused = user.send(route, {**body, "shouldTryLinkingWithSessionUser": True}).json()
        assert refused["status"] == "SIGN_IN_UP_NOT_ALLOWED"
    wrong = user.send(CONSUME, {**device, "userInputCode": "wrong"}).json()
    assert wrong["status"] == "INCORRECT_USER_INPUT_CODE_ERROR"
    typed = {**device, "userInputCode": backend.code()}
    assert user.send(CONSUME, typed).json()["user"]["emails"] == [user.email]
    assert user.send(CONSUME, typed).json() == {"status": "RESTART_FLOW_ERROR"}
    assert user.send(BY_CODE_EXISTS, query=f"?email={user.email}").json() == {"status": "OK", "exists": True}
    for route in (PHONE_EXISTS, OLDER_PHONE_EXISTS):
        assert user.send(route, query="?phoneNumber=%2B4930000000").json() == {"status": "OK", "exists": False}
    for route in (BY_CODE_EXISTS, PHONE_EXISTS, OLDER_PHONE_EXISTS):
        assert user.send(route).status_code == 400

    tenant_id, base = backend.tenant_with_codes_for(None), user.base
    user.base = f"/auth/{tenant_id}"
    device = user.send(CODE, address).json()
    backend.tenant_with_codes_for(1, tenant_id)
    expired = user.send(CONSUME, {**ids_of(device), "userInputCode": backend.code()}).json()
    assert expired["status"] == "EXPIRED_USER_INPUT_CODE_ERROR"
    user.base = base


def ids_of(device: dict[str, Any]) -> dict[str, Any]:
    return {name: device[name] for name in NO_DEVICE}


@pytest.mark.parametrize(
    ("base", "rid"),
    exhaustive_but(
        [
            ("/auth", None),
            ("/auth", "anti-csrf"),
            ("/auth/public", "emailpassword"),
            ("/auth", "emailverification"),
            ("/auth", "thirdpartyemailpassword"),
            ("/auth", "a-recipe-that-there-is-not"),
        ],
        [("/auth/public", "emailpassword")],
    ),
)
def test_every_route_has_every_status(site: Site, backend: Backend, base: str, rid: str | None) -> None:
    """By each base path and recipe id that a frontend may send."""
    user = Frontend(site, base, {} if rid is None else {"rid": rid})
    assert user.send(REFRESH).json() == {"message": "unauthorised"}
    for route in (SIGN_OUT, MAIL, IS_VERIFIED, KEY_LIST, INFO, APPS):
        assert user.send(route).json() == {"message": "unauthorised"}
    for route in (KEY_ADD, KEY_REMOVE, APP, APP_REMOVE, APP_VERIFY, APP_CODE):
        assert user.send(route, NO_PASSKEY).json() == {"message": "unauthorised"}
    with_body = (SIGN_UP, SIGN_IN, RESET_MAIL, RESET, VERIFY, CODE, RESEND, CONSUME, FROM_PROVIDER)
    for route in (*with_body, KEY_OPTIONS, KEY_SIGN_UP, KEY_SIGN_IN, KEY_MAIL, KEY_RESET):
        assert list(user.send(route, MALFORMED).json()) == ["message"]

    made = user.form(SIGN_UP, email=user.email, password=PASSWORD)
    assert made["user"]["emails"] == [user.email]
    taken = user.form(SIGN_UP, email=user.email, password=PASSWORD)
    assert [error["id"] for error in taken["formFields"]] == ["email"]
    for route in (SIGN_UP, SIGN_IN):
        refused = user.form(route, link=True, email=f"other-{user.email}", password=PASSWORD)
        assert refused["status"].endswith("_NOT_ALLOWED")
        assert refused["reason"]
    assert user.form(SIGN_IN, email="", password="")["status"] == "FIELD_ERROR"
    assert user.form(SIGN_IN, email=user.email, password=NEW_PASSWORD) == {"status": "WRONG_CREDENTIALS_ERROR"}
    assert user.form(SIGN_IN, email=user.email, password=PASSWORD)["user"]["id"] == made["user"]["id"]
    for route in (EXISTS, OLDER_EXISTS):
        assert user.send(route, query=f"?email={user.email}").json() == {"status": "OK", "exists": True}
        assert user.send(route, query=f"?email=no-{user.email}").json() == {"status": "OK", "exists": False}
        assert user.send(route).status_code == 400

    assert user.send(IS_VERIFIED).json() == {"status": "OK", "isVerified": False}
    assert user.send(MAIL).json() == {"status": "OK"}
    assert user.verify("none") == {"status": "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR"}
    assert user.verify(backend.token()) == {"status": "OK"}
    assert user.send(IS_VERIFIED).json() == {"status": "OK", "isVerified": True}
    assert user.send(MAIL).json() == {"status": "EMAIL_ALREADY_VERIFIED_ERROR"}

    has_an_authenticator_app(user, backend, made["user"]["id"])
    sets_a_new_password(user, backend)
    signs_in_with_codes(user, backend)
    signs_in_with_a_provider(user)
    signs_in_with_saml(user, backend.st.services.functions(SamlFunctions))
    signs_in_with_passkeys(user, backend)

    assert user.send(REFRESH).json() == {}
    assert user.send(LOGIN_METHODS).json()["firstFactors"] == FACTORS
    assert user.send(KEYS).json()["keys"]
    assert user.send(DISCOVERY).json()["jwks_uri"] == f"{ORIGIN}/auth/jwt/jwks.json"

    other = f"other-{user.email}"
    linked = user.form(SIGN_UP, email=other, password=PASSWORD)["user"]["id"]
    backend.link_accounts(primary=made["user"]["id"], other=linked)
    refused = user.form(RESET_MAIL, email=other)
    assert refused["status"] == "PASSWORD_RESET_NOT_ALLOWED"
    assert refused["reason"]
    assert user.send(KEY_MAIL, {"email": other}).json()["status"] == "RECOVER_ACCOUNT_NOT_ALLOWED"

    # A session of the linked login method has ended. The routes of passkeys ask the core.
    assert user.form(SIGN_IN, email=user.email, password=NEW_PASSWORD)["status"] == "OK"

    backend.is_down = True
    every_override_answers(user)
    backend.is_down = False
    assert user.send(SIGN_OUT).json() == {"status": "OK"}
    assert user.seen == STATUSES


def test_the_reference_has_no_other_route(backend: Backend) -> None:
    routes = [route for recipe in backend.st.recipes for route in recipe.routes]
    assert {f"{route.method} {route.path}" for route in routes} == STATUSES.keys()
