"""
Second factors that are ways to sign in: the pages for a password and for a passkey.

The sign-in happens in the session that is there. What users do not have yet becomes a login method of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Response

from ..recipe_kit.forms import EMAIL, PASSWORD
from ..recipes.multitenancy.types import EMAIL_PASSWORD, WEBAUTHN
from ..recipes.signing_in import is_fake
from .factors import LINK, PATHS, factor_address, factor_info, is_set_up, other_ways, refused, where_to_choose
from .forms import Entry, api_fields, entry, form
from .html import Content, h
from .passkeys import EMAIL_ENTRY, call_with_passkey, passkey_problem, with_script
from .signing import AUTOCOMPLETE, fields_of, finish_sign_in
from .visit import Page, View, Visit

_TITLE = "Confirm that it is you"
_WRONG_PASSWORD = {"WRONG_CREDENTIALS_ERROR": "This is not your current password."}


def _password_page(visit: Visit) -> View | Response:
    """Ask for the password, or for a new one."""
    info = factor_info(visit)
    if (elsewhere := where_to_choose(visit, info, EMAIL_PASSWORD)) is not None:
        return elsewhere
    signs_up, email = not is_set_up(info, EMAIL_PASSWORD), _email(visit, info)
    entries = []
    for field in fields_of(visit, signs_up):
        shown = entry(visit, field, autocomplete=None if signs_up else AUTOCOMPLETE.get(field.id))
        if field.id != EMAIL:
            entries.append(shown)
        elif not is_fake(email):
            entries.append(Entry(name=EMAIL, field=shown.field, fixed=email))
    others: list[Content] = [
        h("li", h("a", other, href=factor_address(visit, PATHS[EMAIL_PASSWORD], email=other)))
        for other in info["emails"][EMAIL_PASSWORD]
        if other != email and not is_fake(other)
    ]
    return View(
        visit.text("Choose a password" if signs_up else _TITLE),
        [
            form(visit, entries, submit="Save the password" if signs_up else "Continue"),
            [h("p", visit.text("Use another address:")), h("ul", others)] if others else None,
            other_ways(visit, info),
        ],
    )


def _password_sent(visit: Visit) -> View | Response:
    info = factor_info(visit)
    if (elsewhere := where_to_choose(visit, info, EMAIL_PASSWORD)) is not None:
        return elsewhere
    signs_up = not is_set_up(info, EMAIL_PASSWORD)
    entered = [one for one in api_fields(visit, fields_of(visit, signs_up)) if one["id"] != EMAIL]
    body = {"formFields": [{"id": EMAIL, "value": _email(visit, info)}, *entered], **LINK}
    reply = visit.call("POST", "/signup" if signs_up else "/signin", body)
    return finish_sign_in(visit) if reply.is_ok else refused(visit, reply, _WRONG_PASSWORD, name=PASSWORD)


def _email(visit: Visit, info: Mapping[str, Any]) -> str:
    """Return the address that the password belongs to: one of the user's own, the best one unless they choose."""
    addresses: list[str] = info["emails"][EMAIL_PASSWORD]
    chosen = visit.query("email")
    return chosen if chosen in addresses else addresses[0]


def _passkey_page(visit: Visit) -> View | Response:
    """Ask for the passkey, or for a new one."""
    info = factor_info(visit)
    if (elsewhere := where_to_choose(visit, info, WEBAUTHN)) is not None:
        return elsewhere
    if is_set_up(info, WEBAUTHN):
        return with_script(visit, _TITLE, "Use a passkey", (), other_ways(visit, info))
    email = _passkey_email(info)
    fields = [EMAIL_ENTRY] if email is None else []
    return with_script(visit, "Create a passkey", "Create a passkey", fields, other_ways(visit, info), email=email)


def _passkey_sent(visit: Visit) -> View | Response:
    info = factor_info(visit)
    if (elsewhere := where_to_choose(visit, info, WEBAUTHN)) is not None:
        return elsewhere
    if is_set_up(info, WEBAUTHN):
        reply = call_with_passkey(visit, "/webauthn/signin", {}, **LINK)
    else:
        email = _passkey_email(info) or visit.form.get(EMAIL, "")
        reply = call_with_passkey(visit, "/webauthn/signup", {EMAIL: email}, **LINK)
    return finish_sign_in(visit) if reply.is_ok else refused(visit, reply, {}, problem=passkey_problem)


def _passkey_email(info: Mapping[str, Any]) -> str | None:
    """Return the address for a new passkey; None if the user has none, and has to enter it."""
    addresses: list[str] = info["emails"][WEBAUTHN]
    return next((address for address in addresses if not is_fake(address)), None)


PAGES = (
    Page(path=PATHS[EMAIL_PASSWORD], show=_password_page, send=_password_sent, needs="multifactorauth"),
    Page(path=PATHS[WEBAUTHN], show=_passkey_page, send=_passkey_sent, needs="multifactorauth"),
)
