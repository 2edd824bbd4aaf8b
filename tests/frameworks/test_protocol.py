"""Every route of the frontend driver interface and every status that it has, over HTTP from an app in Flask."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask

from frameworks.conftest import ORIGIN, SharedCore
from frameworks.sites import Site, serving
from st_wsgi import AppInfo, GeneralError, Override, SuperTokens, replace
from st_wsgi.delivery import Message
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.session import Session

PASSWORD, NEW_PASSWORD = "correct horse 1", "another horse 2"
SIGN_UP, SIGN_IN, SIGN_OUT = "POST /signup", "POST /signin", "POST /signout"
RESET_MAIL, RESET = "POST /user/password/reset/token", "POST /user/password/reset"
MAIL, VERIFY, IS_VERIFIED = "POST /user/email/verify/token", "POST /user/email/verify", "GET /user/email/verify"
EXISTS, OLDER_EXISTS = "GET /emailpassword/email/exists", "GET /signup/email/exists"
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
    KEYS: {None},
    DISCOVERY: {None},
}

MALFORMED = {"formFields": "none", "token": 1}


class Backend:
    """The app, its mails, and whether its overrides answer that something is wrong."""

    def __init__(self, core: SharedCore) -> None:
        self.mails: list[Message] = []
        self.is_down = False
        info = AppInfo(app_name="Shop", api_domain=ORIGIN, website_domain=ORIGIN)
        apis: Any = Override(apis=self._guarded)
        self.password = EmailPassword(email_delivery=self.mails.append, override=apis)
        self.verification = EmailVerification(mode="OPTIONAL", email_delivery=self.mails.append, override=apis)
        recipes: list[Recipe[Any, Any]] = [self.password, self.verification, Session(override=apis)]
        self.st = SuperTokens(app_info=info, core=core, recipes=recipes, rate_limit=None)

    def _guarded(self, original: Any) -> Any:
        names = {route.api for route in original.recipe.routes if route.api != "refresh_post"}
        return replace(original, **{name: self._unless_down(getattr(original, name)) for name in names})

    def _unless_down(self, api: Any) -> Any:
        return lambda **given: GeneralError("We are closed.") if self.is_down else api(**given)

    def token(self) -> str:
        """Return the token in the newest mail."""
        self.password.background.close()  # the mail is sent
        self.verification.background.close()
        return parse_qs(urlsplit(str(self.mails[-1].link)).query)["token"][0]

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

    def send(self, route: str, body: object = None, query: str = "") -> requests.Response:
        method, _, path = route.partition(" ")
        token = self.tokens["st-refresh-token" if route == REFRESH else "st-access-token"]
        response = self.site.call(
            f"{self.base}{path}{query}", method=method, json=body, bearer=token or None, headers=self.headers
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


def every_override_answers(user: Frontend) -> None:
    closed = {"status": "GENERAL_ERROR", "message": "We are closed."}
    for route in (SIGN_UP, SIGN_IN):
        assert user.form(route, email=f"new-{user.email}", password=PASSWORD) == closed
    assert user.form(RESET_MAIL, email=user.email) == closed
    assert user.form(RESET, token="none", password=PASSWORD) == closed
    for route in (EXISTS, OLDER_EXISTS):
        assert user.send(route, query="?email=a@example.com").json() == closed
    assert user.verify("none") == closed
    for route in (MAIL, IS_VERIFIED, SIGN_OUT):
        assert user.send(route).json() == closed


@pytest.mark.parametrize(
    ("base", "rid"),
    [
        ("/auth", None),
        ("/auth", "anti-csrf"),
        ("/auth/public", "emailpassword"),
        ("/auth", "emailverification"),
        ("/auth", "thirdpartyemailpassword"),
        ("/auth", "a-recipe-that-there-is-not"),
    ],
)
def test_every_route_has_every_status(site: Site, backend: Backend, base: str, rid: str | None) -> None:
    """By each base path and recipe id that a frontend may send."""
    user = Frontend(site, base, {} if rid is None else {"rid": rid})
    assert user.send(REFRESH).json() == {"message": "unauthorised"}
    for route in (SIGN_OUT, MAIL, IS_VERIFIED):
        assert user.send(route).json() == {"message": "unauthorised"}
    for route in (SIGN_UP, SIGN_IN, RESET_MAIL, RESET, VERIFY):
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

    assert user.form(RESET_MAIL, email="none")["status"] == "FIELD_ERROR"
    assert user.form(RESET_MAIL, email=f"no-{user.email}") == {"status": "OK"}
    assert user.form(RESET_MAIL, email=user.email) == {"status": "OK"}
    token = backend.token()
    assert user.form(RESET, token=token, password="short")["status"] == "FIELD_ERROR"
    assert user.form(RESET, token=token, password=NEW_PASSWORD) == {"status": "OK"}
    used = user.form(RESET, token=token, password=PASSWORD)
    assert used == {"status": "RESET_PASSWORD_INVALID_TOKEN_ERROR"}
    assert user.form(SIGN_IN, email=user.email, password=NEW_PASSWORD)["status"] == "OK"

    assert user.send(REFRESH).json() == {}
    assert user.send(KEYS).json()["keys"]
    assert user.send(DISCOVERY).json()["jwks_uri"] == f"{ORIGIN}/auth/jwt/jwks.json"

    other = f"other-{user.email}"
    linked = user.form(SIGN_UP, email=other, password=PASSWORD)["user"]["id"]
    backend.link_accounts(primary=made["user"]["id"], other=linked)
    refused = user.form(RESET_MAIL, email=other)
    assert refused["status"] == "PASSWORD_RESET_NOT_ALLOWED"
    assert refused["reason"]

    backend.is_down = True
    every_override_answers(user)
    backend.is_down = False
    assert user.send(SIGN_OUT).json() == {"status": "OK"}
    assert user.seen == STATUSES


def test_the_reference_has_no_other_route(backend: Backend) -> None:
    routes = [route for recipe in backend.st.recipes for route in recipe.routes]
    assert {f"{route.method} {route.path}" for route in routes} == STATUSES.keys()
