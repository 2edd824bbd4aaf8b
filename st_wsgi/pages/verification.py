"""The page where users confirm that an e-mail address is theirs."""

from __future__ import annotations

from werkzeug.wrappers import Response

from ..errors import Unauthorised
from .forms import form, note
from .html import h
from .passwords import invalid_link
from .signing import SIGN_OUT, button
from .visit import Page, View, Visit

PATH = "/verify-email"
_VERIFY = "/user/email/verify"


def _page(visit: Visit) -> View:
    title = visit.text("Confirm your e-mail address")
    if visit.query("done"):
        return _confirmed(visit)
    if visit.query("token") is not None:  # a button, because mail scanners open links
        text = visit.text("Please confirm that this address is yours.")
        return View(title, [h("p", text), form(visit, (), submit="Confirm")])
    session = visit.session()
    if session is None:
        raise Unauthorised("only users who are signed in can have their address verified", clear_tokens=False)
    if visit.call("GET", _VERIFY).body.get("isVerified"):
        return _confirmed(visit)
    email = getattr(
        visit.context.services.named("emailverification").email_of(session.get_recipe_user_id()), "email", ""
    )
    is_sent = bool(visit.query("sent"))
    said = note(visit.text("We have sent a mail to {email}. Please open the link in it.", email=email))
    asked = h("p", visit.text("We send a mail to {email}. Please open the link in it.", email=email))
    submit = "Send it again" if is_sent else "Send the mail"
    sign_out = h("p", h("a", visit.text("Sign out"), href=visit.address(SIGN_OUT)), class_="other")
    check = button(visit, "I have confirmed it", visit.address(PATH)) if is_sent else None
    content = [said if is_sent else asked, check, form(visit, (), submit=submit, secondary=is_sent), sign_out]
    return View(title, content)


def _sent(visit: Visit) -> View | Response:
    token = visit.query("token")
    if token is None:
        reply = visit.call("POST", f"{_VERIFY}/token")
        if reply.status == "EMAIL_ALREADY_VERIFIED_ERROR":
            return visit.redirect(visit.address(PATH, done="yes"))
        return visit.redirect(visit.address(PATH, sent="yes")) if reply.is_ok else visit.reject(visit.problem(reply))
    reply = visit.call("POST", _VERIFY, {"method": "token", "token": token})
    if reply.status == "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR":
        return invalid_link(visit, "Send a new link", visit.address(PATH))
    return visit.redirect(visit.address(PATH, done="yes")) if reply.is_ok else visit.reject(visit.problem(reply))


def _confirmed(visit: Visit) -> View:
    return View(visit.text("Your e-mail address is confirmed"), button(visit, "Continue", visit.way_back))


PAGES = (Page(path=PATH, show=_page, send=_sent, needs="emailverification", secret=True),)
CLAIM_PAGES = {"st-ev": PATH}
