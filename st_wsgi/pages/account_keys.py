"""
Authenticator apps and passkeys on the account page: what there is, removing one, and adding one.

Each change is a call of the recipe's API, which refuses it while the sign-in of the session is not complete.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from werkzeug.wrappers import Response

from ..errors import BadInput, SessionError
from ..recipe_kit.forms import EMAIL
from ..recipes.multitenancy.types import TOTP, WEBAUTHN
from ..recipes.session import SessionContainer
from ..recipes.signing_in import automatic_linking, is_fake
from ..users import LoginMethod, User
from .account import ACTIONS, DONE, PATH as ACCOUNT, SECTIONS, links_of, moment, signed_in
from .factors import LINK, PATHS
from .forms import form
from .html import Content, Html, h
from .passkeys import call_with_passkey, passkey_problem, with_script
from .signing import button
from .visit import Page, View, Visit
from .way_back import WAY_BACK

PATH = "/account/passkey"
_APP, _PASSKEY = "app", "passkey"
_APP_REMOVED, _PASSKEY_REMOVED, _PASSKEY_ADDED = "app-removed", "passkey-removed", "passkey-added"
_REMOVAL = {_APP_REMOVED: "Remove this app", _PASSKEY_REMOVED: "Remove this passkey"}
_DEFAULT_NAME = re.compile(r"TOTP Device ([0-9]{1,6})")
"""The name that the core gives an app without one; it counts from 0."""


def _apps(visit: Visit, user: User) -> Html | None:
    """Return the user's authenticator apps."""
    if not visit.context.services.has(TOTP):
        return None
    devices = visit.context.services.named(TOTP).functions.list_devices(user_id=user.id).devices
    rows = [
        _row(visit, _APP_REMOVED, number, h("bdi", _shown_name(visit, one.name)), {_APP: one.name})
        for number, one in enumerate(device for device in devices if device.verified)
    ]
    back = {WAY_BACK: visit.pages.base_path + ACCOUNT}
    add = visit.address(PATHS[TOTP], show="setup", **back)
    return _section(visit, "Authenticator apps", rows, h("a", visit.text("Add an authenticator app"), href=add))


def _shown_name(visit: Visit, name: str) -> str:
    unnamed = _DEFAULT_NAME.fullmatch(name)
    return name if unnamed is None else visit.text("App {number}", number=str(int(unnamed[1]) + 1))


def _remove_app(visit: Visit, _session: SessionContainer, _user: User) -> View | None:
    return _removed(visit, "/totp/device/remove", {"deviceName": visit.form.get(_APP, "")})


def _passkeys(visit: Visit, user: User) -> Html | None:
    """Return the user's passkeys. The last one stays, if it is the only way in which the user signs in."""
    if not visit.context.services.has(WEBAUTHN):
        return None
    functions = visit.context.services.named(WEBAUTHN).functions
    passkeys = [
        (method, passkey)
        for method in user.login_methods
        if method.recipe_id == WEBAUTHN
        for passkey in functions.list_credentials(recipe_user_id=method.recipe_user_id)
    ]
    is_only_way = len(passkeys) == 1 and len(user.login_methods) == 1
    rows = []
    for number, (method, passkey) in enumerate(passkeys):
        hidden = {} if is_only_way else {_PASSKEY: passkey.webauthn_credential_id}
        about = [h("bdi", method.email), h("br"), moment(passkey.created_at)]
        rows.append(_row(visit, _PASSKEY_REMOVED, number, about, hidden))
    add = h("a", visit.text("Add a passkey"), href=visit.address(PATH))
    return _section(visit, "Passkeys", rows, None if _place(visit, user) is None else add)


def _remove_passkey(visit: Visit, _session: SessionContainer, _user: User) -> View | None:
    body = {"webauthnCredentialId": visit.form.get(_PASSKEY, "")}
    return _removed(visit, "/webauthn/credential/remove", body)


def _section(visit: Visit, title: str, rows: list[Html], add: Html | None) -> Html | None:
    shown = h("ul", rows, class_="rows") if rows else None
    link = None if add is None else h("p", add)
    return h("section", h("h2", visit.text(title)), shown, link) if rows or link else None


def _row(visit: Visit, action: str, number: int, about: Content, hidden: Mapping[str, str]) -> Html:
    """
    Return what the user has, with a button to remove it. No single click removes anything: the button opens first.

    :param hidden: which one it is; empty if it cannot be removed.
    """
    name, submit = f"{action}-{number}", _REMOVAL[action]
    sure = form(visit, (), submit=submit, action=action, secondary=True, hidden=hidden, describes=name)
    remove = h("details", h("summary", visit.text("Remove"), aria_describedby=name), sure)
    return h("li", h("p", about, id=name), remove if hidden else None)


def _removed(visit: Visit, path: str, body: dict[str, str]) -> View | None:
    """
    Call the API that removes something.

    :raises InvalidClaims: another factor has to be completed first: the browser goes to its page.
    """
    reply = visit.call("POST", path, body)
    if isinstance(reply.error, SessionError):
        raise reply.error
    if reply.is_ok or reply.status == "CREDENTIAL_NOT_FOUND_ERROR":  # it is gone, perhaps by another tab
        return None
    problem = visit.problem(reply)
    said = h("p", problem.message, class_="alert", role="alert")
    back = button(visit, "Your account", visit.address(ACCOUNT))
    return View(visit.text("Something went wrong"), [said, back], problem.status)


def _place(visit: Visit, user: User) -> tuple[LoginMethod | None, str] | None:
    """
    Return where a new passkey goes: the login method with passkeys, or None for a new one, and the e-mail address.

    :returns: None if the user cannot have a passkey.
    """
    own = next((one for one in user.login_methods if one.recipe_id == WEBAUTHN and one.email), None)
    if own is not None and own.email is not None:
        return own, own.email
    emails = [email for email in user.emails if not is_fake(email)]
    return (None, emails[0]) if emails and automatic_linking(visit.context.services) is not None else None


def _passkey_page(visit: Visit) -> View:
    _method, email = _new_passkey(visit)
    others = links_of(visit, (("Your account", ACCOUNT),))
    return with_script(visit, "Add a passkey", "Create a passkey", (), others, email=email)


def _passkey_sent(visit: Visit) -> View | Response:
    method, email = _new_passkey(visit)
    if method is None:
        reply = call_with_passkey(visit, "/webauthn/signup", {EMAIL: email}, **LINK)
    else:
        owner = method.recipe_user_id.value
        reply = call_with_passkey(visit, "/webauthn/credential", {EMAIL: email}, recipeUserId=owner)
    if isinstance(reply.error, SessionError):
        raise reply.error
    if reply.is_ok:
        return visit.redirect(visit.address(ACCOUNT, done=_PASSKEY_ADDED))
    return visit.reject(passkey_problem(visit, reply))


def _new_passkey(visit: Visit) -> tuple[LoginMethod | None, str]:
    session, user = signed_in(visit)
    visit.tenant_id = session.get_tenant_id()
    place = _place(visit, user)
    if place is None:
        raise BadInput("the user cannot have a passkey")
    return place


SECTIONS += [_apps, _passkeys]
ACTIONS |= {_APP_REMOVED: _remove_app, _PASSKEY_REMOVED: _remove_passkey}
DONE |= {
    _APP_REMOVED: "The authenticator app is removed.",
    _PASSKEY_REMOVED: "The passkey is removed.",
    _PASSKEY_ADDED: "Your new passkey is ready",
}

PAGES = (Page(path=PATH, show=_passkey_page, send=_passkey_sent, needs="webauthn"),)
