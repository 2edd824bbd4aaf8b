"""
The pages for second factors: a choice between them, authenticator apps, and codes by mail or text message.

The paths are those of the official frontends (supertokens-auth-react, ``lib/ts/recipe/multifactorauth``).
"""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
from werkzeug.wrappers import Response

from ..errors import BadInput, Unauthorised
from ..recipes.multitenancy.types import EMAIL_PASSWORD, OTP_EMAIL, OTP_PHONE, TOTP, WEBAUTHN
from .codes import FIELDS, TEXTS as CODE_TEXTS
from .forms import ACTION, Entry, alert, form, note
from .html import Content, Html, h
from .settings import Field
from .signing import SIGN_OUT, access_denied, button, finish_sign_in
from .state_cookie import StateCookie
from .visit import Page, Problem, Reply, View, Visit

PATH = "/mfa"
PATHS = {factor: f"{PATH}/{factor}" for factor in (TOTP, OTP_EMAIL, OTP_PHONE, EMAIL_PASSWORD, WEBAUTHN)}
"""The pages of the factors that have one."""

_ASKED = "n"
_CODE, _DEVICE, _URI, _CONTACT, _NAME = "code", "device", "uri", "contact", "name"

_LONGEST = 800
"""Characters in a QR code at most: phones do not read larger codes, and the text may come from the browser."""

_log = logging.getLogger("st_wsgi.pages")

ATTEMPT = StateCookie("st-factor")
"""The last message with a code: its address, the session, the factor, and the ids that the APIs need."""


@attrs.frozen(kw_only=True)
class _Factor:
    """
    A factor that has a page.

    :param label: on the page that offers a choice.
    :param addresses: the member of ``PUT /mfa/info`` with the addresses or numbers that the user can use.
    :param sent_as: what the API for codes calls such an address.
    :param field: asks for an address, if the user has none.
    """

    path: str
    label: str
    addresses: str = ""
    sent_as: str = ""
    field: Field = attrs.field(factory=Field)


_FACTORS = {
    TOTP: _Factor(path=PATHS[TOTP], label="Authenticator app"),
    OTP_EMAIL: _Factor(
        path=PATHS[OTP_EMAIL],
        label="Code by e-mail",
        addresses="emails",
        sent_as="email",
        field=FIELDS["EMAIL"],
    ),
    OTP_PHONE: _Factor(
        path=PATHS[OTP_PHONE],
        label="Code by text message",
        addresses="phoneNumbers",
        sent_as="phoneNumber",
        field=FIELDS["PHONE"],
    ),
    EMAIL_PASSWORD: _Factor(path=PATHS[EMAIL_PASSWORD], label="Password"),
    WEBAUTHN: _Factor(path=PATHS[WEBAUTHN], label="Passkey"),
}
_LONGEST_NAME = 60
_NAME_ENTRY = Entry(name=_NAME, field=Field(label="Name", hint="Such as: my phone", autocomplete="off"), optional=True)
_NAME_TEXTS = {"DEVICE_ALREADY_EXISTS_ERROR": "You have an app of this name already. Please choose another name."}
_TOTP_TEXTS = {"INVALID_TOTP_ERROR": "This code is wrong. Please enter the one that your app shows now."}


def factor_query(reason: Any) -> dict[str, str]:
    """Return a query with the factors that a view requires, from the reason why the claim is not satisfied."""
    reason = reason if isinstance(reason, Mapping) else {}
    listed = reason.get("oneOf") or reason.get("missing") or [reason.get("factorId")]
    return {_ASKED: ",".join(str(factor) for factor in listed)} if any(listed) else {}


def _choice_page(visit: Visit) -> View | Response:
    """Show the factors that the user can complete now. If there is only one, redirect to its page."""
    info = factor_info(visit)
    choices = _choices(visit, info)
    if len(choices) == 1:
        return visit.redirect(factor_address(visit, choices[0].path))
    if not choices and (info["factors"]["next"] or visit.query(_ASKED)):
        return access_denied(visit)
    if not choices:
        return View(visit.text("You are signed in"), button(visit, "Continue", visit.way_back))
    links = [
        h("a", visit.text(one.label), href=factor_address(visit, one.path), class_="button secondary")
        for one in choices
    ]
    return View(
        visit.text("Confirm that it is you"),
        [h("p", visit.text("How would you like to do that?")), h("div", links, class_="stack"), other_ways(visit)],
    )


def _totp_page(visit: Visit) -> View | Response:
    info = factor_info(visit)
    adds = visit.query("show") == "setup" or not is_set_up(info, TOTP)
    if adds and TOTP not in info["factors"]["allowedToSetup"]:
        return visit.redirect(factor_address(visit, PATH))
    if not adds:
        text = h("p", visit.text("Enter the code that your authenticator app shows."))
        fields = form(visit, [_CODE_ENTRY], submit="Continue", action="verify")
        return View(visit.text("Confirm that it is you"), [text, fields, other_ways(visit, info)])
    if visit.form.get(_URI, "").startswith("otpauth://totp/"):
        return _new_app(visit, visit.form.get(_DEVICE, ""), visit.form[_URI])
    about = visit.text("An authenticator app shows a new code every half minute. You enter it when you sign in.")
    first = visit.text("Please install such an app on your phone first.")
    start = form(visit, [_NAME_ENTRY], submit="Set up an app", action="create")
    title = visit.text("Set up an authenticator app")
    return View(title, [h("p", about), h("p", first), start, other_ways(visit, info)])


def _new_app(visit: Visit, device: str, uri: str) -> View:
    """
    Show the secret of an app that is being set up.

    This is the response to a form, with no redirect: the secret must be in no address and in no cookie. The form for
    the code brings it along, so that the page can show it once more.
    """
    secret = parse_qs(urlsplit(uri).query).get("secret", [""])[0]
    parts = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    kept = [h("input", type="hidden", name=name, value=value) for name, value in ((_DEVICE, device), (_URI, uri))]
    fields = form(visit, [_CODE_ENTRY], submit="Continue", action="add", after_fields=kept)
    code = _qr_code(visit, uri)
    how = "Enter this key in your authenticator app:"
    if code is not None:
        how = "Scan this picture with your authenticator app. If you cannot, enter this key in the app:"
    return View(
        visit.text("Set up an authenticator app"),
        [
            code,
            h("p", visit.text(how)),
            h("p", h("code", parts), class_="secret"),
            h("p", h("a", visit.text("Open the app on this device"), href=uri)),
            h("p", visit.text("Then enter the code that the app shows.")),
            fields,
            other_ways(visit),
        ],
    )


def _totp_sent(visit: Visit) -> View | Response:
    action, code = visit.form.get(ACTION), "".join(visit.form.get(_CODE, "").split())
    if action == "create":
        return _create_app(visit)
    if not code:
        return visit.reject(_wrong(visit, "Please fill in this field."))
    if action == "add":
        body = {"deviceName": visit.form.get(_DEVICE, ""), "totp": code}
        reply = visit.call("POST", "/totp/device/verify", body)
    else:
        reply = visit.call("POST", "/totp/verify", {"totp": code})
    if reply.is_ok:
        return finish_sign_in(visit)
    if reply.status == "UNKNOWN_DEVICE_ERROR":  # set up in another tab meanwhile
        return visit.redirect(factor_address(visit, PATHS[TOTP], show="setup"))
    return refused(visit, reply, _TOTP_TEXTS)


def _create_app(visit: Visit) -> View | Response:
    """Create an app, and remove unfinished ones: their secrets cannot be shown again."""
    for device in visit.call("GET", "/totp/device/list").body.get("devices", ()):
        if not device["verified"]:
            visit.call("POST", "/totp/device/remove", {"deviceName": device["name"]})
    name = visit.form.get(_NAME, "").strip()
    reply = visit.call("POST", "/totp/device", {"deviceName": name[:_LONGEST_NAME]} if name else {})
    if not reply.is_ok:
        return refused(visit, reply, _NAME_TEXTS, name=_NAME)
    return _new_app(visit, str(reply.body["deviceName"]), str(reply.body["qrCodeString"]))


def _code_page(visit: Visit) -> View | Response:
    """Ask where to send a code, or for the code that was sent."""
    info, (factor_id, factor) = factor_info(visit), _of_page(visit)
    if (elsewhere := where_to_choose(visit, info, factor_id)) is not None:
        return elsewhere
    attempt = _attempt(visit)
    if attempt and not visit.query("restart"):
        sent = (
            note(visit.text("A new message is on its way."))
            if visit.query("sent") and visit.form_problem is None
            else None
        )
        text = h("p", visit.text("We have sent a code to {contact}.", contact=attempt[_CONTACT]))
        enter = form(visit, [_CODE_ENTRY], submit="Continue", action="enter")
        again = form(visit, (), submit="Send a new message", action="resend", secondary=True)
        content: Content = [sent, text, h("div", enter, again, class_="stack")]
        return View(visit.text("Enter your code"), [content, other_ways(visit, info)])
    contacts = _contacts(info, factor_id)
    forms = [
        form(
            visit,
            (),
            submit=visit.text("Send a code to {contact}", contact=contact),
            action=f"send-{number}",
            secondary=number > 0,
        )
        for number, contact in enumerate(contacts)
    ]
    if not contacts:
        forms = [form(visit, [Entry(name=_CONTACT, field=factor.field)], submit="Send me a code", action="send")]
    old = alert(visit.text("This code does not work any more. Please ask for a new one."))
    content = [old if visit.query("restart") and visit.form_problem is None else None, h("div", forms, class_="stack")]
    return View(visit.text("Confirm that it is you"), [content, other_ways(visit, info)])


def _code_sent(visit: Visit) -> View | Response:
    action, (_, factor) = visit.form.get(ACTION, ""), _of_page(visit)
    if action.startswith("send"):
        return _send_code(visit, action)
    attempt = _attempt(visit)
    code, path = "".join(visit.form.get(_CODE, "").split()), "/signinup/code"
    body: dict[str, Any] = {name: attempt.get(name, "") for name in _IDS} | LINK
    if action == "resend":
        reply = visit.call("POST", f"{path}/resend", body)
        if reply.is_ok:
            return visit.redirect(factor_address(visit, factor.path, sent="yes"))
    elif not code:
        return visit.reject(_wrong(visit, "Please fill in this field."))
    else:
        reply = visit.call("POST", f"{path}/consume", {**body, "userInputCode": code})
        if reply.is_ok:
            ATTEMPT.drop(visit.context)
            return finish_sign_in(visit)
    if reply.status == "RESTART_FLOW_ERROR":
        ATTEMPT.drop(visit.context)
        return visit.redirect(factor_address(visit, factor.path, restart="yes"))
    return refused(visit, reply, CODE_TEXTS)


def _send_code(visit: Visit, action: str) -> View | Response:
    """Send a code to an address of the user, or to a new one if they have none."""
    session, (factor_id, factor) = session_of(visit), _of_page(visit)
    contacts, number = _contacts(factor_info(visit), factor_id), action.removeprefix("send-")
    contact = visit.form.get(_CONTACT, "").strip()
    if contacts:
        contact = dict(zip(map(str, range(len(contacts))), contacts, strict=True)).get(number, contacts[0])
    elif not contact:
        return visit.reject(_wrong(visit, "Please fill in this field.", name=_CONTACT))
    reply = visit.call("POST", "/signinup/code", {factor.sent_as: contact, **LINK})
    if not reply.is_ok:
        return refused(visit, reply, {})
    kept = {_CONTACT: contact, **_owner(session, factor_id)}
    ATTEMPT.write(visit.context, kept | {name: str(reply.body[name]) for name in _IDS})
    return visit.redirect(factor_address(visit, factor.path))


_CODE_ENTRY = Entry(name=_CODE, field=Field(label="Code", autocomplete="one-time-code"), inputmode="numeric")
_IDS = ("deviceId", "preAuthSessionId")
LINK = {"shouldTryLinkingWithSessionUser": True}


def session_of(visit: Visit) -> Any:
    session = visit.session()
    if session is None:
        raise Unauthorised("second factors need a session", clear_tokens=False)
    return session


def factor_info(visit: Visit) -> Mapping[str, Any]:
    """
    Return what the user has set up, and what comes next. The tenant of the session becomes that of the visit.

    :raises Unauthorised: they are not signed in.
    """
    visit.tenant_id = session_of(visit).get_tenant_id()
    reply = visit.call("PUT", "/mfa/info")
    if isinstance(reply.error, Unauthorised):
        raise Unauthorised("the session has ended", clear_tokens=False)
    if not reply.is_ok:
        raise BadInput(f"the factors are not known: {reply.status}")
    return reply.body


def is_set_up(info: Mapping[str, Any], factor_id: str) -> bool:
    """Return whether the user has set up a factor."""
    return factor_id in info["factors"]["alreadySetup"]


def where_to_choose(visit: Visit, info: Mapping[str, Any], factor_id: str) -> Response | None:
    """Return a redirect to the choice between factors, if the user can neither complete this one nor set it up."""
    if is_set_up(info, factor_id) or factor_id in info["factors"]["allowedToSetup"]:
        return None
    return visit.redirect(factor_address(visit, PATH))


def _choices(visit: Visit, info: Mapping[str, Any]) -> list[_Factor]:
    """Return the factors with pages that come next, or those that a view requires if none comes next."""
    factors = info["factors"]
    possible = {*factors["alreadySetup"], *factors["allowedToSetup"]}
    wanted = factors["next"] or [one for one in (visit.query(_ASKED) or "").split(",") if one in possible]
    known = [_FACTORS[one] for one in dict.fromkeys(wanted) if one in _FACTORS]
    return [one for one in known if visit.pages.has(one.path)]


def factor_address(visit: Visit, path: str, **query: str) -> str:
    """Return the address of a page for second factors. It keeps the factors that a view requires."""
    asked = visit.query(_ASKED)
    return visit.address(path, **({} if asked is None else {_ASKED: asked}), **query)


def other_ways(visit: Visit, info: Mapping[str, Any] | None = None) -> Html:
    """Return the links for users who cannot do what the page asks for."""
    links = [h("a", visit.text("Sign out"), href=visit.address(SIGN_OUT))]
    if info is not None and len(_choices(visit, info)) > 1:
        links.insert(0, h("a", visit.text("Use another way"), href=factor_address(visit, PATH)))
    return h("p", [(" · " if number else None, link) for number, link in enumerate(links)], class_="other")


def _of_page(visit: Visit) -> tuple[str, _Factor]:
    factor_id = OTP_PHONE if visit.page is not None and visit.page.path == PATHS[OTP_PHONE] else OTP_EMAIL
    return factor_id, _FACTORS[factor_id]


def _contacts(info: Mapping[str, Any], factor_id: str) -> list[str]:
    return list(info[_FACTORS[factor_id].addresses].get(factor_id, ()))[:5]


def _owner(session: Any, factor_id: str) -> dict[str, str]:
    """Return the part of an attempt that differs for other sessions and other factors."""
    return {"session": session.get_handle(), "factor": factor_id}


def _attempt(visit: Visit) -> Mapping[str, str]:
    """Return the message that was sent last in this session for the factor of the page; empty if there is none."""
    attempt = ATTEMPT.read(visit.context)
    is_whole = {_CONTACT, *_IDS} <= set(attempt)
    return attempt if is_whole and _owner(session_of(visit), _of_page(visit)[0]).items() <= attempt.items() else {}


def refused(
    visit: Visit,
    reply: Reply,
    texts: Mapping[str, str],
    *,
    name: str = _CODE,
    problem: Callable[[Visit, Reply], Problem] = Visit.problem,
) -> View | Response:
    """
    Return the response to a form that an API did not accept.

    :param texts: English texts for statuses that are about a field of the form.
    :param name: of that field.
    :param problem: what else is wrong.
    """
    if reply.code == 401 and visit.session() is None:
        raise Unauthorised("the session has ended", clear_tokens=False)
    if reply.code == 403:  # another factor has to be completed first
        return visit.redirect(factor_address(visit, PATH))
    if reply.status == "LIMIT_REACHED_ERROR":
        reply = attrs.evolve(reply, retry_after=math.ceil(reply.body["retryAfterMs"] / 1000))
    return visit.reject(
        _wrong(visit, texts[reply.status], name=name) if reply.status in texts else problem(visit, reply)
    )


def _wrong(visit: Visit, text: str, *, name: str = _CODE) -> Problem:
    """Return the problem with a field of the form: a text in English."""
    message = visit.text("Please correct the fields that are marked.")
    return Problem(message=message, fields={name: visit.text(text)})


def _qr_code(visit: Visit, text: str) -> Html | None:
    """Return a QR code as an SVG element; None if ``segno`` is not installed or the text is too long."""
    segno = _segno()
    if segno is None or len(text) > _LONGEST:
        return None
    rows = [list(row) for row in segno.make(text, micro=False).matrix_iter(border=4)]
    path = ""
    for y, row in enumerate(rows):
        x = 0
        for is_dark, cells in groupby(row):
            width = len(list(cells))
            path += f"M{x} {y}h{width}v1h-{width}z" if is_dark else ""
            x += width
    size = str(len(rows))
    return h(
        "svg",
        h("rect", width=size, height=size, fill="#ffffff"),
        h("path", d=path, fill="#000000"),
        viewBox=f"0 0 {size} {size}",
        class_="qr",
        role="img",
        aria_label=visit.text("QR code for your authenticator app"),
    )


@functools.cache
def _segno() -> Any:
    try:
        import segno
    except ImportError:
        _log.warning("authenticator apps are set up without a QR code: run `pip install 'st-wsgi[pages]'`")
        return None
    return segno


PAGES = (
    Page(path=PATH, show=_choice_page, needs="multifactorauth"),
    Page(path=PATHS[TOTP], show=_totp_page, send=_totp_sent, needs="totp"),
    Page(path=PATHS[OTP_EMAIL], show=_code_page, send=_code_sent, needs="multifactorauth"),
    Page(path=PATHS[OTP_PHONE], show=_code_page, send=_code_sent, needs="multifactorauth"),
)
CLAIM_PAGES = {"st-mfa": PATH}
CLAIM_QUERIES = {"st-mfa": factor_query}
