"""Signing in with a code or a link that comes by mail or text message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Response

from .forms import ACTION, Entry, form, note
from .html import Html, h
from .passwords import invalid_link
from .settings import Field
from .signing import ACTIONS, METHODS, finish_sign_in
from .state_cookie import StateCookie
from .visit import Page, View, Visit

PATH = "/code"
LINK_PATH = "/verify"
_CODE = "/signinup/code"
_CONTACT = "contact"

ATTEMPT = StateCookie("st-code")
"""The attempt to sign in: the address of the message, and the ids that the APIs need. ``deviceId`` is a secret."""

FIELDS = {
    "EMAIL": Field(label="E-mail address", type="email", autocomplete="username"),
    "PHONE": Field(label="Phone number", type="tel", autocomplete="tel", hint="With the country code, such as +49"),
    "EMAIL_OR_PHONE": Field(label="E-mail address or phone number", autocomplete="username"),
}
TEXTS = {
    "INCORRECT_USER_INPUT_CODE_ERROR": "This code is wrong. Please look at the newest message.",
    "EXPIRED_USER_INPUT_CODE_ERROR": "This code is too old. Please ask for a new one.",
}


def _contact_form(visit: Visit, enabled: Mapping[str, Any]) -> Html | None:
    """Return the form that asks where the message goes."""
    if not enabled.get("passwordless", {}).get("enabled"):
        return None
    recipe = visit.context.services.named("passwordless")
    field = FIELDS[recipe.contact_config.contact_method]
    is_alone = not enabled.get("emailPassword", {}).get("enabled")
    submit = "Send me a link" if recipe.flow_type == "MAGIC_LINK" else "Send me a code"
    return form(visit, [Entry(name=_CONTACT, field=field)], submit=submit, action="code", secondary=not is_alone)


def _send_code(visit: Visit) -> View | Response:
    contact = visit.form.get(_CONTACT, "").strip()
    method = visit.context.services.named("passwordless").contact_config.contact_method
    is_email = method == "EMAIL" or (method == "EMAIL_OR_PHONE" and "@" in contact)
    reply = visit.call("POST", _CODE, {"email" if is_email else "phoneNumber": contact})
    if not reply.is_ok:
        return visit.reject(visit.problem(reply))
    kept = {name: str(reply.body[name]) for name in ("deviceId", "preAuthSessionId", "flowType")}
    ATTEMPT.write(visit.context, {**kept, _CONTACT: contact})
    return visit.redirect(visit.address(PATH))


def _code_page(visit: Visit) -> View | Response:
    attempt = ATTEMPT.read(visit.context)
    if not {"deviceId", "preAuthSessionId", "flowType", _CONTACT} <= set(attempt):
        return _start_again(visit)
    contact = attempt[_CONTACT]
    other = h("p", h("a", visit.text("Use another way to sign in"), href=visit.address("")), class_="other")
    again = form(visit, (), submit="Send a new message", action="resend", secondary=True)
    sent = note(visit.text("A new message is on its way.")) if visit.query("sent") else None
    if attempt["flowType"] == "MAGIC_LINK":
        text = visit.text("We have sent a link to {contact}. Open it to sign in.", contact=contact)
        return View(visit.text("Look at your messages"), [sent, h("p", text), again, other])
    text = visit.text("We have sent a code to {contact}.", contact=contact)
    code = Entry(name="code", field=Field(label="Code", autocomplete="one-time-code"), inputmode="numeric")
    enter = form(visit, [code], submit="Sign in", action="enter")
    return View(visit.text("Enter your code"), [sent, h("p", text), h("div", enter, again, class_="stack"), other])


def _code_sent(visit: Visit) -> View | Response:
    attempt = ATTEMPT.read(visit.context)
    ids = {name: attempt.get(name, "") for name in ("deviceId", "preAuthSessionId")}
    if visit.form.get(ACTION) == "resend":
        reply = visit.call("POST", f"{_CODE}/resend", ids)
        if reply.is_ok:
            return visit.redirect(visit.address(PATH, sent="yes"))
    else:
        code = "".join(visit.form.get("code", "").split())
        reply = visit.call("POST", f"{_CODE}/consume", {**ids, "userInputCode": code})
        if reply.is_ok:
            ATTEMPT.drop(visit.context)
            return finish_sign_in(visit)
    if reply.status == "RESTART_FLOW_ERROR":
        return _start_again(visit)
    return visit.reject(visit.problem(reply, messages=TEXTS))


def _link_page(visit: Visit) -> View | Response:
    if visit.query("linkCode") is None or visit.query("preAuthSessionId") is None:
        return _start_again(visit)
    # A button, because mail scanners open links.
    title = visit.text("Sign in to {name}", name=visit.pages.name)
    return View(title, form(visit, (), submit="Sign in"))


def _link_sent(visit: Visit) -> View | Response:
    body = {name: visit.query(name) or "" for name in ("linkCode", "preAuthSessionId")}
    reply = visit.call("POST", f"{_CODE}/consume", body)
    if reply.is_ok:
        ATTEMPT.drop(visit.context)
        return finish_sign_in(visit)
    return _start_again(visit) if reply.status == "RESTART_FLOW_ERROR" else visit.reject(visit.problem(reply))


def _start_again(visit: Visit) -> View:
    ATTEMPT.drop(visit.context)
    return invalid_link(visit, "Sign in again", visit.address(""), title="Please sign in again")


METHODS["passwordless"] = _contact_form
ACTIONS["code"] = _send_code

PAGES = (
    Page(path=PATH, show=_code_page, send=_code_sent, needs="passwordless"),
    Page(path=LINK_PATH, show=_link_page, send=_link_sent, needs="passwordless", secret=True),
)
