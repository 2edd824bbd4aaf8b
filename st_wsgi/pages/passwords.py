"""The page for a forgotten password: it sends a mail, and the link in the mail leads to a form for a new password."""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Response

from ..recipe_kit.forms import EMAIL, PASSWORD
from .forms import api_fields, entry, form, note
from .html import h
from .signing import button, sign_in_link
from .visit import Page, View, Visit

PATH = "/reset-password"


def _page(visit: Visit) -> View:
    recipe = visit.context.services.named("emailpassword")
    if visit.query("done"):
        return View(
            visit.text("Your new password is set"),
            [h("p", visit.text("You can sign in with it now.")), button(visit, "Sign in", visit.address(""))],
        )
    if visit.query("sent"):
        text = "If there is an account with this address, a mail with a link is on its way."
        return View(visit.text("Check your mailbox"), [note(visit.text(text)), sign_in_link(visit)])
    if visit.query("token") is not None:
        fields = [entry(visit, field) for field in recipe.fields_named(PASSWORD)]
        return View(visit.text("Choose a new password"), form(visit, fields, submit="Save the password"))
    fields = [entry(visit, field) for field in recipe.fields_named(EMAIL)]
    text = "Enter the e-mail address of your account. We send you a link to choose a new password."
    content = [h("p", visit.text(text)), form(visit, fields, submit="Send the link"), sign_in_link(visit)]
    return View(visit.text("Forgot your password?"), content)


def _sent(visit: Visit) -> View | Response:
    recipe, token = visit.context.services.named("emailpassword"), visit.query("token")
    body: dict[str, Any]
    if token is None:
        body = {"formFields": api_fields(visit, recipe.fields_named(EMAIL))}
        reply = visit.call("POST", "/user/password/reset/token", body)
        return visit.redirect(visit.address(PATH, sent="yes")) if reply.is_ok else visit.reject(visit.problem(reply))
    body = {"method": "token", "token": token, "formFields": api_fields(visit, recipe.fields_named(PASSWORD))}
    reply = visit.call("POST", "/user/password/reset", body)
    if reply.is_ok:
        return visit.redirect(visit.address(PATH, done="yes"))
    if reply.status == "RESET_PASSWORD_INVALID_TOKEN_ERROR":
        return invalid_link(visit, "Send a new link", visit.address(PATH))
    return visit.reject(visit.problem(reply))


def invalid_link(visit: Visit, text: str, address: str, *, title: str = "This link is not valid any more") -> View:
    """
    Return the page for a link of a mail that is not valid any more.

    :param text: of the button that leads to *address*, in English.
    """
    said = visit.text("The message was used already, or it is too old.")
    content = [h("p", said, class_="alert", role="alert"), button(visit, text, address)]
    return View(visit.text(title), content, status=410)


PAGES = (Page(path=PATH, show=_page, send=_sent, needs="emailpassword", secret=True),)
