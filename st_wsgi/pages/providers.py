"""Signing in with an account at a provider: the buttons, the way there, and the page for the way back."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from werkzeug.wrappers import Response

from .html import Html, h
from .marks import mark
from .signing import METHODS, button, finish_sign_in
from .state_cookie import StateCookie
from .visit import Page, View, Visit

_START = "/provider"
_CALLBACK = "/callback"

_ATTEMPT = StateCookie("st-provider")
"""The attempt to sign in: the provider, its secrets, the tenant, and the way back."""


def _buttons(visit: Visit, enabled: Mapping[str, Any]) -> Html | None:
    """Return a link for each provider. Forms would not do: the pages forbid that one leads to another site."""
    offer = enabled.get("thirdParty", {})
    providers = offer.get("providers") or () if offer.get("enabled") else ()
    named = [(provider["id"], provider.get("name") or provider["id"]) for provider in providers]
    links = [
        h(
            "a",
            mark(provider_id, name),
            visit.text("Continue with {provider}", provider=name),
            href=visit.address(f"{_START}/{provider_id}"),
            class_="button secondary",
        )
        for provider_id, name in named
    ]
    return h("div", links, class_="stack") if links else None


def _start(visit: Visit) -> View | Response:
    """Send the browser to the provider, after a click on a page of this website or an address that was typed in."""
    if visit.context.header("sec-fetch-site") in ("cross-site", "same-site"):
        return visit.redirect(visit.address(""))
    back = _redirect_uri(visit, visit.subpath)
    reply = visit.call("GET", "/authorisationurl", thirdPartyId=visit.subpath, redirectURIOnProviderDashboard=back)
    if not reply.is_ok:
        return _failed(visit, visit.problem(reply).message)
    secret = secrets.token_urlsafe(32)
    state = _state_with_page(visit, secret) if _is_apple(visit.subpath) else secret
    _ATTEMPT.write(
        visit.context,
        {
            "provider": visit.subpath,
            "state": state,
            "verifier": reply.body.get("pkceCodeVerifier") or "",
            "tenant": visit.tenant_id,
            "back": visit.way_back,
        },
    )
    address = str(reply.body["urlWithQueryParams"])
    return visit.redirect(address + ("&" if "?" in address else "?") + urlencode({"state": state}))


def _callback(visit: Visit) -> View | Response:
    """Sign in with what the provider sends along."""
    attempt = _ATTEMPT.read(visit.context)
    sent, known = visit.query("state") or "", attempt.get("state", "")
    # The state shows that the sign-in began in this browser. Otherwise a link of an attacker could sign visitors in to
    # the attacker's account.
    is_own = known != "" and hmac.compare_digest(sent.encode("utf-8", "replace"), known.encode("utf-8", "replace"))
    if not is_own or attempt.get("provider") != visit.subpath:
        return _failed(visit, visit.text("This sign-in did not begin in this browser, or it took too long."))
    visit.tenant_id = attempt.get("tenant", "")
    query = dict(parse_qsl((visit.context.environ or {}).get("QUERY_STRING", ""), keep_blank_values=True))
    redirect: dict[str, Any] = {
        "redirectURIOnProviderDashboard": _redirect_uri(visit, visit.subpath),
        "redirectURIQueryParams": query,
    }
    if attempt.get("verifier"):
        redirect["pkceCodeVerifier"] = attempt["verifier"]
    reply = visit.call("POST", "/signinup", {"thirdPartyId": visit.subpath, "redirectURIInfo": redirect})
    _ATTEMPT.drop(visit.context)  # not before: the call forgets what was recorded if the API refuses
    if reply.is_ok:
        return finish_sign_in(visit, attempt.get("back"))
    return _failed(visit, visit.problem(reply, messages=_TEXTS).message)


def _failed(visit: Visit, text: str) -> View:
    content = [h("p", text, class_="alert", role="alert"), button(visit, "Sign in again", visit.address(""))]
    return View(visit.text("You are not signed in"), content, status=422)


def _is_apple(provider: str) -> bool:
    return provider.partition("-")[0] == "apple"


def _page_uri(visit: Visit, provider: str) -> str:
    return f"{visit.pages.origin}{visit.pages.base_path}{_CALLBACK}/{provider}"


def _redirect_uri(visit: Visit, provider: str) -> str:
    """Return where the provider sends the browser. Apple sends a form, which the API takes and passes on."""
    if not _is_apple(provider):
        return _page_uri(visit, provider)
    return f"{visit.pages.origin}{visit.context.services.app_info.public_base_path}{_CALLBACK}/apple"


def _state_with_page(visit: Visit, secret: str) -> str:
    """Return a state that names the page to which the API passes Apple's form on."""
    members = {"state": secret, "frontendRedirectURI": _page_uri(visit, visit.subpath)}
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


_TEXTS = {"NO_EMAIL_GIVEN_BY_PROVIDER": "The provider did not tell us your e-mail address. Please choose another way."}

METHODS["thirdparty"] = _buttons

PAGES = (
    Page(path=f"{_START}/*", show=_start, needs="thirdparty"),
    Page(path=f"{_CALLBACK}/*", show=_callback, needs="thirdparty", secret=True),
)
