"""An app with our SDK, of the same settings as the programs with the official ones, called in process."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.test import Client, TestResponse

from st_wsgi import AppInfo, SuperTokens
from st_wsgi.delivery import Message
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes import session
from st_wsgi.recipes.accountlinking import AccountLinking, ShouldAutomaticallyLink, ShouldNotAutomaticallyLink
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multifactorauth import MultiFactorAuth
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.thirdparty import ThirdParty
from st_wsgi.recipes.totp import Totp
from st_wsgi.recipes.usermetadata import UserMetadata
from st_wsgi.recipes.userroles import UserRoles
from st_wsgi.recipes.webauthn import Webauthn

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PASSWORD = "correct horse 1"
API = "http://127.0.0.1:3000"  # also what the programs with the official SDKs are told


def session_info(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """An app of one protected route, without a framework."""
    if environ["PATH_INFO"] != "/sessioninfo":
        start_response("404 Not Found", [("Content-Type", "text/html")])
        return [b"not found"]
    found = session.get_session(environ)
    start_response("200 OK", [("Content-Type", "application/json")])
    payload = found.get_access_token_payload()
    claims = {name: payload.get(name) for name in ("st-ev", "st-role", "st-perm", "tId")}
    info = {"userId": found.get_user_id(), "sessionHandle": found.get_handle(), "claims": claims}
    return [json.dumps(info).encode()]


RULES: dict[str, ShouldAutomaticallyLink | ShouldNotAutomaticallyLink] = {
    "none": ShouldNotAutomaticallyLink(),
    "link": ShouldAutomaticallyLink(should_require_verification=False),
    "verified": ShouldAutomaticallyLink(),
}
"""What an app may say about linking two accounts."""


class Ours:
    """
    A frontend with header-based sessions of an app with our SDK.

    :ivar rule: a name of ``RULES``: what the app says about linking accounts.
    """

    rule = "none"

    def __init__(self, st: SuperTokens, outbox: list[Message]) -> None:
        self.st = st
        self._client = Client(st.wrap(session_info), use_cookies=False)
        self._outbox = outbox

    def post(self, path: str, body: object = None, *, token: str = "") -> TestResponse:
        return self._client.post(path, json=body, headers={"st-auth-mode": "header", **bearer(token)})

    def open(self, method: str, path: str, **more: Any) -> TestResponse:
        return self._client.open(path, method=method, **more)

    def mails(self) -> list[dict[str, str]]:
        """Return the messages so far: where each went, its link and its code."""
        for recipe in (EmailPassword, EmailVerification, Webauthn):
            self.st.services.get(recipe).background.close()  # those that wait are sent first
        return [{"to": mail.to, "link": mail.link or "", "code": mail.code or ""} for mail in self._outbox]

    def session_info(self, token: str) -> TestResponse:
        return self._client.get("/sessioninfo", headers=bearer(token))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def form(email: str, password: str = PASSWORD) -> dict[str, Any]:
    return {"formFields": [{"id": "email", "value": email}, {"id": "password", "value": password}]}


def frontend_of_ours(
    core_url: str, api_key: str, *, api_domain: str = API, links: bool = False, factors: bool = False
) -> Ours:
    """
    Return a frontend of an app with our SDK on the core.

    :param links: accounts are linked automatically, as its rule says.
    :param factors: it has second factors, too.
    """
    outbox: list[Message] = []
    linking = [AccountLinking(should_do_automatic_account_linking=lambda *_: RULES[ours.rule])] if links else []
    second: list[Recipe[Any, Any]] = [MultiFactorAuth(), Totp()] if factors else []
    st = SuperTokens(
        app_info=AppInfo(app_name="peer", api_domain=api_domain, website_domain=api_domain),
        core=core_url,
        api_key=api_key,
        rate_limit=None,  # the official SDKs have no limits
        recipes=[
            *linking,
            *second,
            EmailPassword(email_delivery=outbox.append),
            EmailVerification(mode="OPTIONAL", email_delivery=outbox.append),
            Passwordless(
                contact_config=ContactEmailOrPhoneConfig(),
                flow_type="USER_INPUT_CODE_AND_MAGIC_LINK",
                email_delivery=outbox.append,
                sms_delivery=outbox.append,
            ),
            ThirdParty(allow_private_networks=True),
            UserMetadata(),
            UserRoles(),
            # Of the address that all of them are told, also where this app is told another one.
            Webauthn(get_relying_party_id="127.0.0.1", get_origin=API, email_delivery=outbox.append),
            Session(),
        ],
    )
    ours = Ours(st, outbox)
    return ours
