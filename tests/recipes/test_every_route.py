"""Every route of every recipe: what it asks the core, and overrides that answer in its place or switch it off."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from werkzeug.test import TestResponse

from recipes.shop import PASSWORD, Borrowed, Shop, Visitor, form
from recipes.test_every_function import SETTINGS
from st_wsgi import GeneralError, Override, replace
from st_wsgi.delivery import Message
from st_wsgi.errors import BadInput
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.session import Session

#: From a visitor who is signed in, and a token that they got by mail, to what they send.
Body = Callable[[Visitor, str], Any]


@attrs.frozen
class Request:
    """
    A request to a route, which succeeds.

    :param calls: of the core, together with those for a mail in the background.
    :param token: the name of the request that the visitor gets a token by.
    """

    method: str
    path: str
    calls: list[str]
    body: Body = lambda _visitor, _token: None
    token: str = ""


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


RESET, VERIFY = "/auth/user/password/reset", "/auth/user/email/verify"
EXISTS = "/email/exists?email=ada@example.com"
TENANT = "GET /public/recipe/multitenancy/tenant/v2"
BY_ADDRESS, USER = "GET /public/users/by-accountinfo", "GET /user/id"
IS_VERIFIED, RENEWED = "GET /recipe/user/email/verify", "POST /recipe/session/regenerate"
#: The claims of emailverification and userroles, and the session.
SESSION = [USER, IS_VERIFIED, "GET /public/recipe/user/roles", "POST /public/recipe/session"]
RESET_CALLS = [
    "POST /public/recipe/user/password/reset/token/consume",
    USER,
    "PUT /recipe/user",
    "POST /public/recipe/user/email/verify/token",  # who reads the mail has the address
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
    "refresh": Request("POST", "/auth/session/refresh", ["POST /recipe/session/refresh"]),
    "sign out": Request("POST", "/auth/signout", ["POST /recipe/session/remove"]),
    "login methods": Request("GET", "/auth/loginmethods", [TENANT]),
    "keys": Request("GET", "/auth/jwt/jwks.json", ["GET /.well-known/jwks.json"]),
    "discovery": Request("GET", "/auth/.well-known/openid-configuration", []),
}

#: The API behind each route, by method and path, and the recipe that it belongs to.
APIS = {f"{route.method} /auth{route.path}": (kind, route.api) for kind in SETTINGS for route in kind.routes}


def api_of(request: Request) -> tuple[type[Recipe[Any, Any]], str]:
    return APIS[f"{request.method} {urlsplit(request.path).path}"]


@pytest.fixture
def mails() -> list[Message]:
    """The mails that were sent."""
    return []


@pytest.fixture
def make(core: Borrowed, mails: list[Message]) -> Callable[..., Shop]:
    """Make a shop with every recipe, one of them with an override of its APIs."""

    def shop(kind: type[Recipe[Any, Any]] | None = None, **apis: Any) -> Shop:
        listed = []
        for one, settings in SETTINGS.items():
            override: Any = Override(apis=lambda original: replace(original, **apis))
            sending = {"email_delivery": mails.append} if "email_delivery" in settings else {}
            listed.append(one(**{**settings, **sending}, override=override if one is kind else None))
        sessions = next(one for one in listed if isinstance(one, Session))
        return Shop(
            core,
            recipes=[one for one in listed if one is not sessions],
            sessions=sessions,
            view=lambda _environ: "the app's own",
        )

    return shop


def ask(visitor: Visitor, name: str, token: str = "") -> TestResponse:
    request = REQUESTS[name]
    response = visitor.call(request.method, request.path, request.body(visitor, token))
    for kind in (EmailPassword, EmailVerification):
        visitor.shop.st.services.get(kind).background.close()  # mails are sent
    return response


def signed_up(shop: Shop) -> Visitor:
    visitor = shop.visitor()
    visitor.sign_up()
    return visitor


def test_no_route_is_left_out() -> None:
    assert {api_of(request) for request in REQUESTS.values()} == set(APIS.values())
    assert {f"{request.method} {urlsplit(request.path).path}" for request in REQUESTS.values()} == APIS.keys()


@pytest.mark.parametrize("name", REQUESTS)
def test_calls_of_the_core(make: Callable[..., Shop], mails: list[Message], name: str) -> None:
    visitor, token = signed_up(make()), ""
    ask(visitor, "is verified")  # from here on the keys of access tokens are known
    if REQUESTS[name].token:
        ask(visitor, REQUESTS[name].token)
        token = parse_qs(urlsplit(str(mails[-1].link)).query)["token"][0]
    visitor.shop.core.calls.clear()
    response = ask(visitor, name, token)
    assert response.status_code == 200
    assert response.get_json().get("status", "OK") == "OK"
    assert visitor.shop.core.calls == REQUESTS[name].calls


@pytest.mark.parametrize("name", REQUESTS)
def test_an_override_answers_in_the_place_of_an_api(make: Callable[..., Shop], name: str) -> None:
    kind, api = api_of(REQUESTS[name])
    results: list[Any] = []

    def override(**_given: Any) -> Any:
        if not results:
            raise BadInput("not today")
        return results[0]

    visitor = signed_up(make())
    visitor.shop = make(kind, **{api: override})
    visitor.shop.core.calls.clear()
    response = ask(visitor, name)
    assert (response.status_code, response.get_json()) == (400, {"message": "not today"})
    if "GeneralError" in str(inspect.signature(getattr(kind.apis_class, api)).return_annotation):
        results.append(GeneralError("not today"))
        response = ask(visitor, name)
        assert response.get_json() == {"status": "GENERAL_ERROR", "message": "not today"}
        assert response.status_code == 200
    assert set(visitor.shop.core.calls) <= {"GET /.well-known/jwks.json"}


@pytest.mark.parametrize("name", REQUESTS)
def test_none_turns_a_route_over_to_the_app(make: Callable[..., Shop], name: str) -> None:
    kind, api = api_of(REQUESTS[name])
    assert ask(make(kind, **{api: None}).visitor(), name).get_json() == "the app's own"
