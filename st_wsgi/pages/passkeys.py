"""
The pages for passkeys: sign in, sign up, and recovery.

Browsers give passkeys to scripts only. ``passkeys.js`` gets the options from the recipe's API, asks the browser for the
passkey, and sends it with the form of the page. The rest is as on all pages: the server calls the API and shows errors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from werkzeug.wrappers import Response

from ..recipe_kit.forms import EMAIL, normalise_email
from ..recipes.webauthn.types import GeneratedOptions
from .codes import FIELDS
from .forms import Entry, form, note
from .html import Content, Html, h
from .passwords import invalid_link
from .signing import METHODS, button, finish_sign_in, sign_in_link
from .visit import Page, Problem, Reply, View, Visit

PATH = "/webauthn"
_RECOVERY_PATH = f"{PATH}/recover"
_SIGN_UP = {"show": "signup"}
_OPTIONS_ID, _CREDENTIAL = "optionsId", "credential"
EMAIL_ENTRY = Entry(name=EMAIL, field=FIELDS["EMAIL"])
_TEXTS = {
    "INVALID_CREDENTIALS_ERROR": "This passkey is not known here.",
    "INVALID_AUTHENTICATOR_ERROR": "This passkey cannot be used here.",
    "EMAIL_ALREADY_EXISTS_ERROR": "There is an account with this address already. Please sign in.",
}


def _way_to_sign_in(visit: Visit, enabled: Mapping[str, Any]) -> Html | None:
    """Return the link to the page for passkeys."""
    if not enabled.get("webauthn", {}).get("enabled"):
        return None
    signs_up = _signs_up(visit)
    text = "Create an account with a passkey" if signs_up else "Sign in with a passkey"
    address = visit.address(PATH, **(_SIGN_UP if signs_up else {}))
    return h("p", h("a", visit.text(text), href=address, class_="button secondary"))


def _page(visit: Visit) -> View:
    if _signs_up(visit):
        title = "Create an account with a passkey"
        return with_script(visit, title, "Create a passkey", [EMAIL_ENTRY], sign_in_link(visit))
    others = [
        h("li", h("a", visit.text("Create an account with a passkey"), href=visit.address(PATH, **_SIGN_UP))),
        h("li", h("a", visit.text("I have lost my passkey"), href=visit.address(_RECOVERY_PATH))),
    ]
    content = [h("ul", others, class_="links"), sign_in_link(visit)]
    return with_script(visit, "Sign in with a passkey", "Use a passkey", (), content)


def _sent(visit: Visit) -> View | Response:
    signs_up = _signs_up(visit)
    asked = {EMAIL: visit.form.get(EMAIL, "")} if signs_up else {}
    reply = call_with_passkey(visit, f"{PATH}/signup" if signs_up else f"{PATH}/signin", asked)
    return finish_sign_in(visit) if reply.is_ok else visit.reject(passkey_problem(visit, reply))


def _recovery_page(visit: Visit) -> View:
    if visit.query("done"):
        said = h("p", visit.text("You can sign in with it now."))
        content: Content = [said, button(visit, "Sign in with a passkey", visit.address(PATH))]
        return View(visit.text("Your new passkey is ready"), content)
    if visit.query("sent"):
        text = visit.text("If there is an account with this address, a mail with a link is on its way.")
        return View(visit.text("Check your mailbox"), [note(text), sign_in_link(visit)])
    if visit.query("token") is not None:
        others = sign_in_link(visit)
        return with_script(visit, "Create a new passkey", "Create a passkey", (), others, token=visit.query("token"))
    text = visit.text("Enter the e-mail address of your account. We send you a link to create a new passkey.")
    fields = form(visit, [EMAIL_ENTRY], submit="Send the link")
    return View(visit.text("I have lost my passkey"), [h("p", text), fields, sign_in_link(visit)])


def _recovery_sent(visit: Visit) -> View | Response:
    token, path = visit.query("token"), "/user/webauthn/reset"
    if token is None:
        email = visit.form.get(EMAIL, "")
        reply = visit.call("POST", f"{path}/token", {EMAIL: email}) if email.strip() else _nothing_entered()
        if reply.is_ok:
            return visit.redirect(visit.address(_RECOVERY_PATH, sent="yes"))
    else:
        reply = call_with_passkey(visit, path, {"recoverAccountToken": token}, token=token)
        if reply.is_ok:
            return visit.redirect(visit.address(_RECOVERY_PATH, done="yes"))
    if reply.status == "RECOVER_ACCOUNT_TOKEN_INVALID_ERROR":
        return invalid_link(visit, "Send a new link", visit.address(_RECOVERY_PATH))
    return visit.reject(passkey_problem(visit, reply))


def with_script(
    visit: Visit,
    title: str,
    submit: str,
    fields: Sequence[Entry],
    others: Content,
    *,
    email: str | None = None,
    token: str | None = None,
) -> View:
    """
    Return a page whose form the script sends, with a passkey in it.

    :param others: what stands below the form.
    :param email: for which the passkey is made, if the form does not ask for it.
    :param token: of a recovery mail, which stands for the address. No other page may take it from its address: a link
        of an attacker could then make the passkey for the attacker's account.
    """
    is_new = submit == "Create a passkey"
    path = f"{PATH}/options/{'register' if is_new else 'signin'}"
    hidden = [h("input", type="hidden", name=name, value="") for name in (_OPTIONS_ID, _CREDENTIAL)]
    failed = visit.text("Your browser could not use a passkey. Please try again, or choose another way to sign in.")
    without = visit.text(
        "Passkeys need JavaScript and a recent browser. Please allow it, or choose another way to sign in."
    )
    place = h(
        "section",
        h("p", failed, class_="alert", role="alert", tabindex="-1", hidden=True, data_failed=True),
        form(visit, fields, submit=submit, after_fields=hidden, hidden={} if email is None else {EMAIL: email}),
        hidden=True,
        data_passkey="create" if is_new else "get",
        data_options=visit.api_path(path),
        data_token=token,
    )
    return View(
        visit.text(title),
        [h("p", without, class_="alert", data_without=True), place, others],
        script=visit.pages.base_path + visit.pages.script.path,
    )


def call_with_passkey(visit: Visit, path: str, asked: Mapping[str, str], **more: Any) -> Reply:
    """
    Call an API with the passkey that the script has put into the form.

    If the form has no passkey, the API for the options has refused. It is called once more to learn the reason.

    :param asked: the body for that API. The passkey has to be for the address in it.
    :param more: further members of the body for the API at *path*.
    """
    if asked.get(EMAIL, "x").strip() == "":
        return _nothing_entered()
    if not visit.form.get(_CREDENTIAL):
        options = "register" if asked else "signin"
        reply = visit.call("POST", f"{PATH}/options/{options}", asked)
        return Reply(422, {}) if reply.is_ok else reply
    try:
        credential = json.loads(visit.form[_CREDENTIAL])
    except (ValueError, RecursionError):
        return Reply(422, {})
    options_id = visit.form.get(_OPTIONS_ID, "")
    if EMAIL in asked and not _is_for(visit, options_id, asked[EMAIL]):
        return Reply(422, {})
    return visit.call("POST", path, {"webauthnGeneratedOptionsId": options_id, "credential": credential, **more})


def _is_for(visit: Visit, options_id: str, email: str) -> bool:
    """Return whether the options of a new passkey are for an address. If there are none, the next API says why."""
    functions = visit.context.services.named("webauthn").functions
    options = functions.get_generated_options(webauthn_generated_options_id=options_id, tenant_id=visit.tenant_id)
    if not isinstance(options, GeneratedOptions):
        return True
    return options.email is not None and normalise_email(options.email) == normalise_email(email)


def _nothing_entered() -> Reply:
    return Reply(200, {"status": "FIELD_ERROR", "formFields": [{"id": EMAIL, "error": "Field is not optional"}]})


def passkey_problem(visit: Visit, reply: Reply) -> Problem:
    """Return in words why an API for passkeys did not do what a form asks for."""
    about_email = reply.body.get("err") if reply.status == "INVALID_EMAIL_ERROR" else None
    if reply.status == "EMAIL_ALREADY_EXISTS_ERROR":
        about_email = _TEXTS[reply.status]
    if isinstance(about_email, str):
        marked = visit.text("Please correct the fields that are marked.")
        return Problem(message=marked, fields={EMAIL: visit.text(about_email)})
    return visit.problem(reply, messages=_TEXTS)


def _signs_up(visit: Visit) -> bool:
    return visit.query("show") == "signup"


METHODS["webauthn"] = _way_to_sign_in

PAGES = (
    Page(path=PATH, show=_page, send=_sent, needs="webauthn"),
    Page(path=_RECOVERY_PATH, show=_recovery_page, send=_recovery_sent, needs="webauthn", secret=True),
)
