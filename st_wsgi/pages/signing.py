"""The pages for signing in, up and out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from werkzeug.wrappers import Response

from ..errors import TryRefreshToken, Unauthorised
from ..recipe_kit.forms import EMAIL, PASSWORD, FormField
from .forms import ACTION, api_fields, entry, form
from .html import Content, Html, h
from .visit import Page, Show, View, Visit

SIGN_OUT = "/sign-out"
ACCOUNT = "/account"
_TERMS = {
    ("terms", "privacy"): "By continuing, you accept the {terms} and the {privacy}.",
    ("terms",): "By continuing, you accept the {terms}.",
    ("privacy",): "By continuing, you accept the {privacy}.",
}
_SIGN_UP = {"show": "signup"}


def sign_in_page(visit: Visit) -> View | Response:
    """Show the ways to sign in or up. Users who are signed in already get a link to where they wanted to go."""
    if visit.session() is not None:
        return _signed_in(visit)
    signs_up = _signs_up(visit)
    enabled = visit.call("GET", "/loginmethods").body
    methods = [
        METHODS[name](visit, enabled)
        for name in visit.pages.order
        if name in METHODS and visit.context.services.has(name)
    ]
    shown = [method for method in methods if method is not None]
    divider = h("p", h("span", visit.text("or")), class_="or")
    content: Content = [part for method in shown for part in (divider, method)][1:]
    if not shown:
        content = h("p", visit.text("There is no way to sign in here at the moment."))
    title = "Create your account" if signs_up else "Sign in to {name}"
    return View(
        visit.text(title, name=visit.pages.name),
        [content, _terms(visit) if signs_up and shown else None, _other_form(visit, enabled)],
    )


def sign_in_sent(visit: Visit) -> View | Response:
    """Do what a form of the sign-in page asks for."""
    action = ACTIONS.get(visit.form.get(ACTION, ""))
    return visit.show() if action is None else action(visit)


def sign_out_page(visit: Visit) -> View | Response:
    """Ask whether to sign out: a link of another site must not do it."""
    if visit.session() is None:
        return View(visit.text("You are signed out"), button(visit, "Sign in again", visit.address("")))
    return View(
        visit.text("Do you want to sign out?"),
        [h("p", visit.text("You will be signed out on this device.")), form(visit, (), submit="Sign out")],
    )


def sign_out_sent(visit: Visit) -> View | Response:
    """End the session."""
    reply = visit.call("POST", "/signout")
    if not reply.is_ok and not isinstance(reply.error, Unauthorised):
        return visit.reject(visit.problem(reply))
    visit.pages.protection.renew(visit.context)
    response = visit.redirect(visit.pages.after_sign_out or visit.address(SIGN_OUT))
    response.headers["Clear-Site-Data"] = '"cache"'  # what the browser kept of the app's pages
    return response


def finish_sign_in(visit: Visit, back: str | None = None) -> Response:
    """
    Redirect a user who has just signed in to the way back. Forms of pages that were opened before become invalid.

    :param back: the way back; None for that of the request.
    """
    visit.pages.protection.renew(visit.context)
    return visit.redirect(visit.way_back if back is None else visit.safe_way_back(back))


def access_denied(visit: Visit) -> View:
    """Return the page for users who may not open the page that they asked for."""
    text = h("p", visit.text("Your account may not open this page."), class_="alert", role="alert")
    other = sign_in_link(visit)
    if is_signed_in(visit):
        other = h("p", h("a", visit.text("Your account"), href=visit.address(ACCOUNT)), class_="other")
    return View(visit.text("Access denied"), [text, other], status=403)


def is_signed_in(visit: Visit) -> bool:
    """Return whether there is a session that needs no renewal, such as when another tab has renewed it."""
    try:
        return visit.session() is not None
    except TryRefreshToken:
        return False


def _signed_in(visit: Visit) -> View:
    # A link, not a redirect: a page that sends signed-in users here would send them here again, without end.
    return View(
        visit.text("You are signed in"),
        [
            button(visit, "Continue", visit.way_back),
            h("p", h("a", visit.text("Sign out"), href=visit.address(SIGN_OUT)), class_="other"),
        ],
    )


def button(visit: Visit, text: str, address: str) -> Html:
    """Return a link that looks like a button. *text* is in English."""
    return h("p", h("a", visit.text(text), href=address, class_="button"))


def sign_in_link(visit: Visit) -> Html:
    """Return the link to the sign-in page that stands at the end of other pages."""
    return h("p", h("a", visit.text("To the sign-in page"), href=visit.address("")), class_="other")


def _signs_up(visit: Visit) -> bool:
    return visit.query("show") == "signup" and visit.context.services.has("emailpassword")


def _other_form(visit: Visit, enabled: Mapping[str, Any]) -> Html | None:
    if not enabled.get("emailPassword", {}).get("enabled"):
        return None
    if _signs_up(visit):
        question, answer, address = "Do you have an account already?", "Sign in", visit.address("")
    else:
        question, answer, address = "New here?", "Create an account", visit.address("", **_SIGN_UP)
    return h("p", visit.text(question), " ", h("a", visit.text(answer), href=address), class_="other")


def _terms(visit: Visit) -> Html | None:
    """Return the sentence about the app's terms, with its links in it."""
    brand = visit.pages.brand
    links = {
        name: h("a", visit.text(text), href=address)
        for name, text, address in (
            ("terms", "terms of use", brand.terms),
            ("privacy", "privacy policy", brand.privacy),
        )
        if address is not None
    }
    if not links:
        return None
    parts = re.split(r"\{(terms|privacy)\}", visit.text(_TERMS[tuple(links)]))
    return h("p", [links[part] if number % 2 else part for number, part in enumerate(parts)], class_="terms")


def _password_form(visit: Visit, enabled: Mapping[str, Any]) -> Html | None:
    """Return the form with e-mail and password."""
    if not enabled.get("emailPassword", {}).get("enabled"):
        return None
    signs_up = _signs_up(visit)
    fields = fields_of(visit, signs_up)
    action = "sign-up" if signs_up else "sign-in"
    forgotten = visit.pages.has("/reset-password") and not signs_up
    return form(
        visit,
        [entry(visit, field, autocomplete=None if signs_up else AUTOCOMPLETE.get(field.id)) for field in fields],
        submit="Create account" if signs_up else "Sign in",
        action=action,
        after_fields=h("p", h("a", visit.text("Forgot your password?"), href=visit.address("/reset-password")))
        if forgotten
        else None,
    )


def fields_of(visit: Visit, signs_up: bool) -> tuple[FormField, ...]:
    """Return the fields of the form for signing up or in with a password, the usual ones first."""
    recipe = visit.context.services.named("emailpassword")
    fields: tuple[FormField, ...] = recipe.sign_up_fields if signs_up else recipe.sign_in_fields
    return tuple(sorted(fields, key=lambda field: field.id not in (EMAIL, PASSWORD)))


def _with_password(visit: Visit) -> View | Response:
    """Sign in or up with e-mail and password."""
    signs_up = visit.form[ACTION] == "sign-up"
    if not visit.context.services.has("emailpassword"):
        return visit.show()
    body = {"formFields": api_fields(visit, fields_of(visit, signs_up))}
    reply = visit.call("POST", "/signup" if signs_up else "/signin", body)
    return finish_sign_in(visit) if reply.is_ok else visit.reject(visit.problem(reply, messages=_PASSWORD_TEXTS))


AUTOCOMPLETE = {PASSWORD: "current-password"}
_PASSWORD_TEXTS = {"WRONG_CREDENTIALS_ERROR": "The e-mail address and the password do not match."}

Method: TypeAlias = Callable[[Visit, Mapping[str, Any]], "Html | None"]
"""From a visit and the tenant's login methods to one way to sign in; None if the tenant does not have it."""

METHODS: dict[str, Method] = {"emailpassword": _password_form}
"""The ways to sign in, by recipe, as the sign-in page shows them."""

ACTIONS: dict[str, Show] = {"sign-in": _with_password, "sign-up": _with_password}
"""What the forms of the sign-in page ask for."""

PAGES = (
    Page(path="", show=sign_in_page, send=sign_in_sent),
    Page(path=SIGN_OUT, show=sign_out_page, send=sign_out_sent),
)
