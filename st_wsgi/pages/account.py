"""The account page: who a user is, how they sign in, where they are signed in, and changes of password and address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import TypeAlias

import attrs
from werkzeug.wrappers import Response

from ..accounts import user_of_session
from ..errors import BadInput, TooManyRequests
from ..recipe_kit.forms import EMAIL, PASSWORD, normalise_email
from ..recipe_kit.results import EmailAlreadyExists, EmailChangeNotAllowed, Ok, SignInOk
from ..recipes.emailverification import EmailVerificationClaim
from ..recipes.session import SessionContainer, SessionInformation
from ..recipes.session.functions import SessionFunctions
from ..recipes.session.in_request import get_session
from ..users import LoginMethod, User
from .forms import ACTION, Entry, entry, form, note
from .html import Content, Html, h
from .settings import Field
from .signing import ACCOUNT, SIGN_OUT
from .verification import PATH as VERIFICATION
from .visit import Page, Problem, View, Visit

PATH = ACCOUNT
_PASSWORD_PATH = "/account/password"
_EMAIL_PATH = "/account/email"
_HANDLE = "handle"
_SESSIONS_SHOWN = 10  # at once: each one is a call to the core
_FROM = "from"
_CURRENT = "current"

Section: TypeAlias = Callable[[Visit, User], "Html | None"]
"""From a visit and its user to a part of the account page, or None if the part has nothing to show."""

Action: TypeAlias = Callable[[Visit, SessionContainer, User], "View | Response | None"]
"""Does what a form of the account page asks for. None is a success: the page says so, by :data:`DONE`."""

_METHODS = {
    "emailpassword": "E-mail and password",
    "passwordless": "Code or link by message",
    "webauthn": "Passkey",
}


def _account(visit: Visit) -> View:
    session, user = signed_in(visit)
    done = visit.query("done")
    content: list[Content] = [note(visit.text(DONE[done])) if done in DONE else None]
    content += [section(visit, user) for section in SECTIONS]
    content += [_sessions(visit, session), links_of(visit, (("Sign out", SIGN_OUT),))]
    return View(visit.text("Your account"), content)


def _about(visit: Visit, user: User) -> Html:
    """Return the user's addresses and numbers, and the ways in which they sign in."""
    verifies = visit.pages.has(VERIFICATION)
    addresses: list[Content] = []
    for email in user.emails:
        is_open = verifies and not any(one.verified for one in user.login_methods if one.email == email)
        link = h("a", visit.text("Confirm your e-mail address"), href=visit.address(VERIFICATION)) if is_open else None
        addresses.append(h("li", h("bdi", email), None if link is None else [" · ", link]))
    addresses += [h("li", h("bdi", number)) for number in user.phone_numbers]
    names = [
        one.third_party.id.capitalize() if one.third_party is not None else visit.text(_METHODS[one.recipe_id])
        for one in user.login_methods
        if one.third_party is not None or one.recipe_id in _METHODS
    ]
    return h(
        "section",
        h("ul", addresses) if addresses else None,
        h("h2", visit.text("How you sign in")),
        h("ul", [h("li", name) for name in dict.fromkeys(names)]),
        links_of(visit, (("Change your password", _PASSWORD_PATH), ("Change your e-mail address", _EMAIL_PATH)))
        if _own_password(user) is not None
        else None,
    )


def _sessions(visit: Visit, own: SessionContainer) -> Html:
    """Return some of the places where the user is signed in: this browser first, then the newest ones."""
    handles = visit.context.services.functions(SessionFunctions).get_all_session_handles_for_user(
        user_id=own.get_user_id()
    )
    start = _start(visit)
    sessions = _sessions_from(visit, own, handles, start)
    rows: list[Content] = []
    for session in sessions:
        is_own, handle = session.session_handle == own.get_handle(), session.session_handle
        signed_in = session.session_data_in_database.get("signIn")
        known = signed_in if isinstance(signed_in, dict) else {}
        device = visit.text("This device") if is_own else _device(str(known.get("userAgent", "")))
        where = [" · ", str(known["address"])] if known.get("address") else None
        about = h(
            "p",
            h("strong", device or visit.text("Another device")),
            h("br"),
            moment(session.time_created),
            where,
            id=f"s-{handle}",
        )
        hidden, row = {_HANDLE: handle}, f"s-{handle}"
        end = form(visit, (), submit="Sign out", action="end", secondary=True, hidden=hidden, describes=row)
        rows.append(h("li", about, None if is_own else end))
    others = form(visit, (), submit="Sign out everywhere else", action="end-others", secondary=True)
    title, devices = h("h2", visit.text("Where you are signed in")), h("ul", rows, class_="rows")
    following = start + _SESSIONS_SHOWN
    more = h("a", visit.text("Further sessions"), href=visit.address(PATH, **{_FROM: str(following)}))
    return h(
        "section",
        title,
        devices,
        h("p", more) if following < len(handles) else None,
        others if len(handles) > 1 else None,
    )


def _account_sent(visit: Visit) -> View | Response:
    action = visit.form.get(ACTION, "")
    if action not in ACTIONS:
        raise BadInput("the account page has no such form")
    session, user = signed_in(visit)
    return ACTIONS[action](visit, session, user) or visit.redirect(visit.address(PATH, done=action))


def _end(visit: Visit, session: SessionContainer, _user: User) -> None:
    _end_others(visit, session, only=visit.form.get(_HANDLE, ""))


def _end_others(visit: Visit, own: SessionContainer, *, only: str | None = None) -> None:
    """
    End the user's sessions except the one of this browser.

    :param only: the handle of the only one to end; None for all.
    """
    functions = visit.context.services.functions(SessionFunctions)
    handles = functions.get_all_session_handles_for_user(user_id=own.get_user_id())
    ended = [handle for handle in handles if handle != own.get_handle()]
    if only is not None:
        ended = [handle for handle in ended if handle == only]
    if ended:
        functions.revoke_multiple_sessions(session_handles=ended)


def _password_page(visit: Visit) -> View:
    [new] = visit.context.services.named("emailpassword").fields_named(PASSWORD)
    return _change(visit, "Change your password", entry(visit, new))


def _email_page(visit: Visit) -> View:
    [new] = visit.context.services.named("emailpassword").fields_named(EMAIL)
    return _change(visit, "Change your e-mail address", entry(visit, new, autocomplete="email"))


def _change(visit: Visit, title: str, new: Entry) -> View:
    _own_method(visit)
    labels = {PASSWORD: "New password", EMAIL: "New e-mail address"}
    field = attrs.evolve(new.field, label=labels[new.name])
    current = Field(label="Current password", type="password", autocomplete="current-password")
    entries = [Entry(name=_CURRENT, field=current), Entry(name=new.name, field=field)]
    return View(visit.text(title), [form(visit, entries, submit="Save"), links_of(visit, (("Your account", PATH),))])


def _password_sent(visit: Visit) -> View | Response:
    return _changed(visit, PASSWORD)


def _email_sent(visit: Visit) -> View | Response:
    return _changed(visit, EMAIL)


def _changed(visit: Visit, name: str) -> View | Response:
    """Change the password or the e-mail address, after the current password was checked."""
    session, method = _own_method(visit)
    recipe, tenant_id = visit.context.services.named("emailpassword"), session.get_tenant_id()
    [field] = recipe.fields_named(name)
    value = visit.form.get(name, "")
    value = normalise_email(value) if name == EMAIL else value
    error = field.validate(value, tenant_id) if value else "Please fill in this field."
    if error is not None:
        return _wrong(visit, name, error)
    if (problem := _password_problem(visit, method, tenant_id)) is not None:
        return visit.reject(problem)
    outcome = recipe.functions.update_email_or_password(
        recipe_user_id=method.recipe_user_id,
        **{name: value},
        apply_password_policy=False,  # checked above
        tenant_id_for_password_policy=tenant_id,
    )
    if isinstance(outcome, EmailAlreadyExists | EmailChangeNotAllowed):
        return _wrong(visit, name, "This address cannot be used. Please enter another one.")
    if not isinstance(outcome, Ok):
        return _wrong(visit, name, getattr(outcome, "failure_reason", "This did not work. Please try again."))
    if name == EMAIL and visit.context.services.has("emailverification"):
        session.fetch_and_set_claim(EmailVerificationClaim)
    if name == PASSWORD:
        _end_others(visit, session)  # an attacker who knew the old password may have one
    visit.pages.protection.renew(visit.context)
    return visit.redirect(visit.address(PATH, done=name))


def _password_problem(visit: Visit, method: LoginMethod, tenant_id: str) -> Problem | None:
    """
    Check the current password, and return what is wrong with it.

    Attempts count as attempts to sign in, so that a thief of a session cannot guess the password here.
    """
    recipe, environ = visit.context.services.named("emailpassword"), visit.context.environ or {}
    counting = visit.context.within(environ)
    counting.route = next(route for route in recipe.routes if route.api == "sign_in_post")
    counting.tenant_id, email = tenant_id, method.email or ""
    try:
        counting.count_attempt(account=email)
    except TooManyRequests as error:
        return Problem(message=visit.too_many_attempts(error.retry_after), status=429)
    password = visit.form.get(_CURRENT, "")
    outcome = recipe.functions.verify_credentials(email=email, password=password, tenant_id=tenant_id)
    if not isinstance(outcome, SignInOk) or outcome.recipe_user_id != method.recipe_user_id:
        return _field_problem(visit, _CURRENT, "This is not your current password.")
    counting.forget_attempts(account=email)
    return None


def signed_in(visit: Visit) -> tuple[SessionContainer, User]:
    """
    Return the session, with all its claims satisfied, and its user.

    :raises Unauthorised: there is no session, or no user.
    :raises InvalidClaims: the user has to confirm their address or to complete another factor first.
    """
    session = get_session(visit.context, anti_csrf_check=False, check_database=True)
    return session, user_of_session(visit.context.services.core, session.get_user_id())


def _own_password(user: User) -> LoginMethod | None:
    return next((one for one in user.login_methods if one.recipe_id == "emailpassword"), None)


def _own_method(visit: Visit) -> tuple[SessionContainer, LoginMethod]:
    session, user = signed_in(visit)
    method = _own_password(user)
    if method is None:
        raise BadInput("the user has no password")
    return session, method


def _start(visit: Visit) -> int:
    """Return the number of the first session to show."""
    asked = visit.query(_FROM) or ""
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 0


def _sessions_from(visit: Visit, own: SessionContainer, handles: list[str], start: int) -> list[SessionInformation]:
    functions = visit.context.services.functions(SessionFunctions)
    shown = sorted(handles, key=lambda handle: handle != own.get_handle())[start : start + _SESSIONS_SHOWN]
    found = (functions.get_session_information(session_handle=handle) for handle in shown)
    sessions = [session for session in found if session is not None]
    return sorted(sessions, key=lambda one: (one.session_handle != own.get_handle(), -one.time_created))


def moment(milliseconds: int) -> Html:
    """Return a time, which is in milliseconds since 1970."""
    when = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    return h("time", when.strftime("%Y-%m-%d %H:%M UTC"), datetime=when.strftime("%Y-%m-%dT%H:%MZ"))


def _device(agent: str) -> str | None:
    """Return the browser and the system that a user agent names, as far as these are known."""
    browser = next((name for part, name in _BROWSERS if part in agent), None)
    system = next((name for part, name in _SYSTEMS if part in agent), None)
    return " · ".join(name for name in (browser, system) if name is not None) or None


def links_of(visit: Visit, links: tuple[tuple[str, str], ...]) -> Html:
    """Return a list of links to pages of ours, from English texts and paths."""
    shown = [h("li", h("a", visit.text(text), href=visit.address(path))) for text, path in links]
    return h("ul", shown, class_="links")


def _wrong(visit: Visit, name: str, error: str) -> View | Response:
    return visit.reject(_field_problem(visit, name, error))


def _field_problem(visit: Visit, name: str, error: str) -> Problem:
    message = visit.text("Please correct the fields that are marked.")
    return Problem(message=message, fields={name: visit.text(error)})


DONE = {
    "end": "That session has ended.",
    "end-others": "The other sessions have ended.",
    PASSWORD: "Your new password is set",
    EMAIL: "Your new e-mail address is set.",
}
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)

SECTIONS: list[Section] = [_about]
"""The parts of the account page above the sessions."""

ACTIONS: dict[str, Action] = {"end": _end, "end-others": lambda visit, session, _user: _end_others(visit, session)}
"""What the forms of the account page ask for."""

PAGES = (
    Page(path=PATH, show=_account, send=_account_sent),
    Page(path=_PASSWORD_PATH, show=_password_page, send=_password_sent, needs="emailpassword"),
    Page(path=_EMAIL_PATH, show=_email_page, send=_email_sent, needs="emailpassword"),
)
