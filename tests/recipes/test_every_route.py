"""Every route of every recipe: what it asks the core, and overrides that answer in its place or switch it off."""

from __future__ import annotations

import base64
import inspect
import json
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from contract.authenticator import credential
from werkzeug.test import TestResponse

from recipes.accountlinking.parts import Person, Site
from recipes.passwordless.parts import parts_of
from recipes.saml.peer import SamlPeer, saml_response
from recipes.shop import PASSWORD, WEBSITE, Borrowed, Shop, Visitor, form
from recipes.test_every_function import SETTINGS
from recipes.totp.parts import SECRET, import_device, totp
from recipes.webauthn.parts import Holder, made, proved
from st_wsgi import GeneralError, Override, replace
from st_wsgi.delivery import Message
from st_wsgi.errors import BadInput
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.webauthn import Webauthn

#: From a visitor who is signed in, and a token that they got, to what they send.
Body = Callable[[Visitor, str], Any]


def token_of(_answer: TestResponse, mails: list[Message]) -> str:
    """Return the token in the link of the last mail."""
    return parse_qs(urlsplit(str(mails[-1].link)).query)["token"][0]


def link_of(_answer: TestResponse, mails: list[Message]) -> str:
    """Return the link of the last mail."""
    return str(mails[-1].link)


def device_of(answer: TestResponse, _mails: list[Message]) -> str:
    """Return the device that asked for a code."""
    device: str = answer.get_json()["deviceId"]
    return device


@attrs.frozen
class Request:
    """
    A request to a route, which succeeds.

    :param calls: of the core, together with those for a mail in the background.
    :param token: the name of the request that the visitor gets a token by.
    :param found: where the token is: in the answer to that request, or in the mail.
    :param prepare: does what has to come first, with the mails that were sent, and returns the body.
    :param before: what the route asks the core before it calls its API.
    :param is_form: the body is a form.
    :param status: of a response that sends the browser on.
    """

    method: str
    path: str
    calls: list[str]
    body: Body = lambda _visitor, _token: None
    token: str = ""
    found: Callable[[TestResponse, list[Message]], str] = token_of
    prepare: Callable[[Visitor, list[Message]], Any] | None = None
    before: Collection[str] = ()
    is_form: bool = False
    status: int = 200


def new_account(visitor: Visitor, _token: str) -> Any:
    return form(email=f"new-{visitor.email}", password=PASSWORD)


def credentials(visitor: Visitor, _token: str) -> Any:
    return form(email=visitor.email, password=PASSWORD)


def own_address(visitor: Visitor, _token: str) -> Any:
    return form(email=visitor.email)


def unknown_address(_visitor: Visitor, _token: str) -> Any:
    return form(email="nobody@example.com")


def new_password(_visitor: Visitor, token: str) -> Any:
    return {"method": "token", "token": token, **form(password=PASSWORD)}


def only_token(_visitor: Visitor, token: str) -> Any:
    return {"method": "token", "token": token}


def bare_address(visitor: Visitor, _token: str) -> Any:
    return {"email": visitor.email}


def device(_visitor: Visitor, token: str) -> Any:
    return {"deviceId": token, "preAuthSessionId": "none"}


def secret_of(answer: TestResponse, _mails: list[Message]) -> str:
    """Return the secret of a new device."""
    secret: str = answer.get_json()["secret"]
    return secret


def a_device(_visitor: Visitor, _token: str) -> Any:
    return {"deviceName": "phone"}


def code_of(_visitor: Visitor, secret: str) -> Any:
    return {"deviceName": "phone", "totp": totp(secret or SECRET)}


def code_of_a_new_device(visitor: Visitor, _token: str) -> Any:
    if visitor.front_token is not None:
        import_device(visitor.shop.core, visitor.front_token["uid"])
    return {"totp": totp(SECRET)}


def tokens(_visitor: Visitor, _token: str) -> Any:
    return {"thirdPartyId": "github", "oAuthTokens": {"access_token": "none"}}


def form_of_apple(_visitor: Visitor, _token: str) -> Any:
    state = json.dumps({"frontendRedirectURI": f"{WEBSITE}/auth/callback/apple"})
    return {"code": "none", "state": base64.b64encode(state.encode()).decode()}


def holder_of(visitor: Visitor) -> Holder:
    """Return the visitor as somebody with a passkey, under another address than that of their password."""
    person = Person(Site.__new__(Site), visitor, f"key-{visitor.email}")
    return Holder(person)


def with_passkey(visitor: Visitor) -> Holder:
    holder = holder_of(visitor)
    assert holder.sign_up()["status"] == "OK"
    return holder


def new_passkey(visitor: Visitor, _mails: list[Message]) -> Any:
    holder = holder_of(visitor)
    return made(holder.register_options(), holder.key)


def proof(visitor: Visitor, _mails: list[Message]) -> Any:
    holder = with_passkey(visitor)
    return proved(holder.sign_in_options(), holder.key)


def one_more(visitor: Visitor, _mails: list[Message]) -> Any:
    return made(with_passkey(visitor).register_options(), credential())


def own_passkey(visitor: Visitor, _mails: list[Message]) -> Any:
    return {"webauthnCredentialId": with_passkey(visitor).key.name}


def recovery(visitor: Visitor, mails: list[Message]) -> Any:
    holder = with_passkey(visitor)
    ask(visitor, "recovery mail", body={"email": holder.person.email})
    token = parse_qs(urlsplit(str(mails[-1].link)).query)["token"][0]
    return {"token": token, **made(holder.register_options(), credential())}


NO_PASSKEY = {
    "token": "none",
    "webauthnCredentialId": "none",
    "webauthnGeneratedOptionsId": "none",
    "credential": {"id": "AAAA", "type": "public-key", "response": {}},
}

RESET, VERIFY = "/auth/user/password/reset", "/auth/user/email/verify"
EXISTS = "/email/exists?email=ada@example.com"
CODE, DEVICE = "/auth/signinup/code", "GET /public/recipe/signinup/codes"
PHONE_EXISTS = "/phonenumber/exists?phoneNumber=%2B4930123456"
PROVIDER = f"thirdPartyId=github&redirectURIOnProviderDashboard={WEBSITE}/auth/callback/github"
TENANT = "GET /public/recipe/multitenancy/tenant/v2"
BY_ADDRESS, USER = "GET /public/users/by-accountinfo", "GET /user/id"
IS_VERIFIED, RENEWED = "GET /recipe/user/email/verify", "POST /recipe/session/regenerate"
METADATA = "GET /recipe/user/metadata"
#: The claims of emailverification and userroles, and the session.
SESSION = [
    USER,
    IS_VERIFIED,
    "GET /public/recipe/user/roles",
    "POST /public/recipe/session",
    USER,  # after a write, everything is asked anew
    METADATA,
    TENANT,
    RENEWED,
]
CHECKED, DEVICES = "POST /recipe/session/verify", "GET /recipe/totp/device/list"
SET_UP = [CHECKED, USER, METADATA, TENANT, DEVICES]
RESET_CALLS = [
    "POST /public/recipe/user/password/reset/token/consume",
    USER,
    "PUT /recipe/user",
    "POST /recipe/session/remove",  # somebody else may have signed up with the address
    "POST /public/recipe/user/email/verify/token",  # who reads the mail has the address
    "POST /public/recipe/user/email/verify",
    USER,
]
KEY, OPTIONS = "/public/recipe/webauthn", "GET /public/recipe/webauthn/options"
CHECKED = "POST /recipe/session/verify"
RECOVERY_CALLS = [
    OPTIONS,
    f"POST {KEY}/user/recover/token/consume",
    USER,
    "POST /recipe/session/remove",
    f"POST {KEY}/user/credential/register",
    f"DELETE {KEY}/options/remove",
    "GET /recipe/webauthn/user/credential/list",
    "DELETE /recipe/webauthn/user/credential/remove",
    "POST /recipe/session/remove",
    "GET /recipe/webauthn/user/credential/list",  # there are no others left
    "POST /public/recipe/user/email/verify/token",
    "POST /public/recipe/user/email/verify",
    USER,
]
REQUESTS = {
    "sign up": Request("POST", "/auth/signup", [TENANT, "POST /public/recipe/signup", *SESSION], new_account),
    "sign in": Request("POST", "/auth/signin", [TENANT, "POST /public/recipe/signin", *SESSION], credentials),
    "exists": Request("GET", f"/auth/emailpassword{EXISTS}", [BY_ADDRESS]),
    "exists, older path": Request("GET", f"/auth/signup{EXISTS}", [BY_ADDRESS]),
    "reset mail": Request(
        "POST", f"{RESET}/token", [BY_ADDRESS, "POST /public/recipe/user/password/reset/token"], own_address
    ),
    "reset mail, unknown address": Request("POST", f"{RESET}/token", [BY_ADDRESS], unknown_address),
    "reset": Request("POST", RESET, RESET_CALLS, new_password, token="reset mail"),
    "verification mail": Request("POST", f"{VERIFY}/token", [USER, "POST /public/recipe/user/email/verify/token"]),
    "verify": Request(
        "POST",
        VERIFY,
        ["POST /public/recipe/user/email/verify", USER, IS_VERIFIED, RENEWED],
        only_token,
        token="verification mail",
    ),
    "is verified": Request("GET", VERIFY, [USER, IS_VERIFIED, RENEWED]),
    "code": Request("POST", CODE, [TENANT, "POST /public/recipe/signinup/code"], bare_address),
    "another code": Request(
        "POST",
        f"{CODE}/resend",
        [DEVICE, TENANT, "POST /public/recipe/signinup/code"],
        device,
        token="code",
        found=device_of,
    ),
    "code typed in": Request(
        "POST",
        f"{CODE}/consume",
        [DEVICE, TENANT, "POST /public/recipe/signinup/code/consume", *SESSION],
        lambda _visitor, link: parts_of(link or "/?preAuthSessionId=none"),
        token="code",
        found=link_of,
    ),
    "exists without a password": Request("GET", f"/auth/passwordless{EXISTS}", [BY_ADDRESS]),
    "phone exists": Request("GET", f"/auth/passwordless{PHONE_EXISTS}", [BY_ADDRESS]),
    "phone exists, older path": Request("GET", f"/auth/signup{PHONE_EXISTS}", [BY_ADDRESS]),
    "page of a provider": Request("GET", f"/auth/authorisationurl?{PROVIDER}", [TENANT], before=[TENANT]),
    "back from a provider": Request(
        "POST", "/auth/signinup", [TENANT, "POST /public/recipe/signinup", *SESSION], tokens, before=[TENANT]
    ),
    "back from Apple": Request("POST", "/auth/callback/apple", [], form_of_apple, is_form=True, status=303),
    "page of an organisation": Request(
        "GET",
        f"/auth/saml/login?client_id=acme&redirect_uri={WEBSITE}",
        ["POST /public/recipe/saml/login"],
        status=302,
    ),
    "back from an organisation": Request(
        "POST",
        "/auth/saml/callback",
        ["POST /public/recipe/saml/callback"],
        lambda _visitor, _token: {"SAMLResponse": saml_response(issuer="https://idp.example/acme")},
        is_form=True,
        status=302,
    ),
    "options for a passkey": Request(
        "POST", "/auth/webauthn/options/register", [f"POST {KEY}/options/register"], bare_address
    ),
    "options to sign in": Request("POST", "/auth/webauthn/options/signin", [f"POST {KEY}/options/signin"]),
    "sign up with a passkey": Request(
        "POST", "/auth/webauthn/signup", [OPTIONS, TENANT, f"POST {KEY}/signup", *SESSION], prepare=new_passkey
    ),
    "sign in with a passkey": Request(
        "POST",
        "/auth/webauthn/signin",
        [
            *(OPTIONS, f"POST {KEY}/signin", f"DELETE {KEY}/options/remove", TENANT, *SESSION),
            "GET /recipe/webauthn/user/credential",  # no recovery has removed it meanwhile
        ],
        prepare=proof,
    ),
    "exists with a passkey": Request("GET", f"/auth/webauthn{EXISTS}", [BY_ADDRESS]),
    "recovery mail": Request("POST", "/auth/user/webauthn/reset/token", [BY_ADDRESS], bare_address),
    "recovery": Request("POST", "/auth/user/webauthn/reset", RECOVERY_CALLS, prepare=recovery),
    "passkeys": Request("GET", "/auth/webauthn/credential/list", [CHECKED, USER], before=[CHECKED]),
    "one more passkey": Request(
        "POST",
        "/auth/webauthn/credential",
        [
            *SET_UP[:-1],
            OPTIONS,
            f"POST {KEY}/user/credential/register",
            f"DELETE {KEY}/options/remove",
            "GET /recipe/session",
        ],
        prepare=one_more,
        before=[CHECKED],
    ),
    "a passkey less": Request(
        "POST",
        "/auth/webauthn/credential/remove",
        [*SET_UP[:-1], "DELETE /recipe/webauthn/user/credential/remove"],
        prepare=own_passkey,
        before=[CHECKED],
    ),
    "next factor": Request("PUT", "/auth/mfa/info", SET_UP, before=[CHECKED]),
    "a device": Request(
        "POST", "/auth/totp/device", [*SET_UP[:-1], "POST /recipe/totp/device"], a_device, before=[CHECKED]
    ),
    "devices": Request("GET", "/auth/totp/device/list", [CHECKED, DEVICES], before=[CHECKED]),
    "a device less": Request(
        "POST",
        "/auth/totp/device/remove",
        [CHECKED, DEVICES, "POST /recipe/totp/device/remove"],
        a_device,
        before=[CHECKED],
    ),
    "first code of a device": Request(
        "POST",
        "/auth/totp/device/verify",
        [*SET_UP[:-1], "POST /public/recipe/totp/device/verify", USER, METADATA, TENANT, RENEWED],
        code_of,
        token="a device",
        found=secret_of,
        before=[CHECKED],
    ),
    "code of a device": Request(
        "POST",
        "/auth/totp/verify",
        [CHECKED, "POST /public/recipe/totp/verify", USER, METADATA, TENANT, RENEWED],
        code_of_a_new_device,
        before=[CHECKED],
    ),
    "refresh": Request("POST", "/auth/session/refresh", ["POST /recipe/session/refresh"]),
    "sign out": Request("POST", "/auth/signout", ["POST /recipe/session/remove"]),
    "login methods": Request("GET", "/auth/loginmethods", [TENANT]),
    "keys": Request("GET", "/auth/jwt/jwks.json", ["GET /.well-known/jwks.json"]),
    "discovery": Request("GET", "/auth/.well-known/openid-configuration", []),
}

#: The API behind each route, by method and path, and the recipes that have it: the first one that is listed answers.
APIS: dict[str, tuple[str, list[type[Recipe[Any, Any]]]]] = {}
for kind in SETTINGS:
    for route in kind.routes:
        APIS.setdefault(f"{route.method} /auth{route.path}", (route.api, []))[1].append(kind)


def api_of(request: Request) -> tuple[str, list[type[Recipe[Any, Any]]]]:
    return APIS[f"{request.method} {urlsplit(request.path).path}"]


def with_acme() -> SamlPeer:
    """Return the SAML of a core that knows one organisation."""
    peer = SamlPeer()
    acme = {
        "redirectURIs": [WEBSITE],
        "defaultRedirectURI": WEBSITE,
        "idpEntityId": "https://idp.example/acme",
        "allowIDPInitiatedLogin": True,
    }
    peer.clients["/public", "acme"] = {"clientId": "acme", **acme}
    return peer


@pytest.fixture
def mails() -> list[Message]:
    """The mails that were sent."""
    return []


@pytest.fixture
def make(core: Borrowed, mails: list[Message]) -> Callable[..., Shop]:
    """Make a shop with every recipe, some of them with an override of their APIs."""

    core.answer = with_acme().answer

    def shop(kinds: Collection[type[Recipe[Any, Any]]] = (), **apis: Any) -> Shop:
        listed = []
        for one, settings in SETTINGS.items():
            override: Any = Override(apis=lambda original: replace(original, **apis))
            sending = {name: mails.append for name in settings if name.endswith("_delivery")}
            listed.append(one(**{**settings, **sending}, override=override if one in kinds else None))
        sessions = next(one for one in listed if isinstance(one, Session))
        return Shop(
            core,
            recipes=[one for one in listed if one is not sessions],
            sessions=sessions,
            view=lambda _environ: "the app's own",
        )

    return shop


def ask(visitor: Visitor, name: str, token: str = "", body: Any = None) -> TestResponse:
    request = REQUESTS[name]
    if body is None:
        body = request.body(visitor, token) if request.prepare is None else NO_PASSKEY
    sent = {"data": body} if request.is_form else {"body": body}
    response = visitor.call(request.method, request.path, **sent)
    for kind in (EmailPassword, EmailVerification, Webauthn):
        visitor.shop.st.services.get(kind).background.close()  # mails are sent
    return response


def signed_up(shop: Shop) -> Visitor:
    visitor = shop.visitor()
    visitor.sign_up()
    return visitor


def test_no_route_is_left_out() -> None:
    assert {f"{request.method} {urlsplit(request.path).path}" for request in REQUESTS.values()} == APIS.keys()


@pytest.mark.parametrize("name", REQUESTS)
def test_calls_of_the_core(make: Callable[..., Shop], mails: list[Message], name: str) -> None:
    visitor, token, body = signed_up(make()), "", None
    ask(visitor, "is verified")  # from here on the keys of access tokens are known
    if REQUESTS[name].token:
        answer = ask(visitor, REQUESTS[name].token)
        token = REQUESTS[name].found(answer, mails)
    if (prepare := REQUESTS[name].prepare) is not None:
        body = prepare(visitor, mails)
    visitor.shop.core.calls.clear()
    response = ask(visitor, name, token, body)
    assert response.status_code == REQUESTS[name].status
    if response.status_code == 200:
        assert response.get_json().get("status", "OK") == "OK"
    assert visitor.shop.core.calls == REQUESTS[name].calls


@pytest.mark.parametrize("name", REQUESTS)
def test_an_override_answers_in_the_place_of_an_api(make: Callable[..., Shop], name: str) -> None:
    api, kinds = api_of(REQUESTS[name])
    results: list[Any] = []

    def override(**_given: Any) -> Any:
        if not results:
            raise BadInput("not today")
        return results[0]

    visitor = signed_up(make())
    visitor.shop = make(kinds, **{api: override})
    visitor.shop.core.calls.clear()
    response = ask(visitor, name)
    assert (response.status_code, response.get_json()) == (400, {"message": "not today"})
    if "GeneralError" in str(inspect.signature(getattr(kinds[0].apis_class, api)).return_annotation):
        results.append(GeneralError("not today"))
        response = ask(visitor, name)
        assert response.get_json() == {"status": "GENERAL_ERROR", "message": "not today"}
        assert response.status_code == 200
    assert set(visitor.shop.core.calls) <= {"GET /apiversion", "GET /.well-known/jwks.json", *REQUESTS[name].before}


@pytest.mark.parametrize("name", REQUESTS)
def test_none_turns_a_route_over_to_the_app(make: Callable[..., Shop], name: str) -> None:
    api, _ = api_of(REQUESTS[name])
    # In all recipes: /auth/webauthn/signup would be the sign-up of a tenant with the name webauthn.
    kinds = [kind for kind in SETTINGS if hasattr(kind.apis_class, api)]
    assert ask(make(kinds, **{api: None}).visitor(), name).get_json() == "the app's own"
