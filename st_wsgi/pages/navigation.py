"""
Sessions without a frontend SDK: what the SDK does with a 401 or 403, done for a browser's navigation by redirects.

* A missing session leads to the sign-in page, and back to the address that was asked for.
* An access token that has expired leads through the route that renews it, and back.
* A claim that is not satisfied leads to the page on which the user can satisfy it.

A form goes along to the renewal and back. Where it cannot go along, a page says that it was not sent. Reloading that
page sends it again.

A loop is impossible: only the renewal sends users on without a click. It stops if an app asks for it again although the
session is good, if the browser does not keep the new access token, or if the new access token has expired already.
"""

from __future__ import annotations

import hashlib
import re
import time
from urllib.parse import urlencode

from werkzeug.wrappers import Response

from ..errors import Answerable, InvalidClaims, SessionError, TooManyRequests, TryRefreshToken, Unauthorised
from ..recipes.session import Session
from ..recipes.session.cookies import ACCESS_COOKIE, LEGACY_COOKIE, REFRESH_COOKIE, REFRESH_PATH, SESSION_COOKIES
from ..recipes.session.transfer import TokenTransfer
from ..request.context import RequestContext
from ..urls import scheme_of
from .html import h
from .protection import is_same_origin
from .signing import access_denied, is_signed_in, sign_in_link
from .table import CLAIM_PAGES, CLAIM_QUERIES
from .visit import View, Visit
from .way_back import WAY_BACK, path_of_request

FORM = "/form"
"""What follows the path of the renewal when it gets a form, which goes back to its page afterwards."""

_ROUNDS_COOKIE = "st-renewals"
_MOST_ROUNDS = 5
_ROUNDS = re.compile(r"([0-9]{1,11})-([1-5])-([0-9a-f]{16})")
_PERIOD = 10  # seconds
_AGAIN = "again"
_QUICK_WAITS = 3

_MARKS_OF_SCRIPTS = ("rid", "st-auth-mode", "fdi-version", "x-requested-with")
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
_COOKIES = (*SESSION_COOKIES, LEGACY_COOKIE)


def is_navigation(context: RequestContext) -> bool:
    """
    Return whether a browser asks for a page to show it, by an address or with a form of this website.

    Scripts that call an API ask for something else than HTML, or their headers show what they are. The browser itself
    sends ``Authorization: Basic`` on a website that asks for a password of its own; only scripts send a bearer token.
    """
    method = (context.environ or {}).get("REQUEST_METHOD")
    return (
        (method in ("GET", "HEAD") or (method == "POST" and _is_own_form(context)))
        and "text/html" in (context.header("accept") or "")
        and (context.header("sec-fetch-mode") or "navigate") == "navigate"
        and not any(context.header(name) for name in _MARKS_OF_SCRIPTS)
        and TokenTransfer.header(context) is None
    )


def _is_own_form(context: RequestContext) -> bool:
    kind = (context.environ or {}).get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    return kind in _FORM_TYPES and is_same_origin(context, context.services.app_info.api_domain)


def session_redirect(visit: Visit, error: SessionError) -> View | Response:
    """
    Return the redirect for an error of the session: to its renewal, to sign-in, or to the page for a claim.

    A form of a page of the app would be lost by the last two. It gets a page that says what to do. So does a form whose
    path cannot be a way back: no other route may get it.
    """
    pages, path = visit.pages, path_of_request(visit.context.environ or {})
    if path is None:
        if visit.is_post and isinstance(error, TryRefreshToken):
            return _form_not_sent(visit, pages.base_path, error.code)
        path = "/"
    way_back = {} if path == pages.after_sign_in else {WAY_BACK: path}
    if isinstance(error, TryRefreshToken):
        return visit.redirect(_renewal_path(visit) + _query(way_back), with_form=visit.is_post)
    page, details = _page_for(visit, error)
    if page is None:
        return access_denied(visit)
    if visit.is_post and visit.page is None:
        return _form_not_sent(visit, pages.base_path + page + _query(details), error.code)
    return visit.redirect(pages.base_path + page + _query(way_back | details))


def _page_for(visit: Visit, error: SessionError) -> tuple[str | None, dict[str, str]]:
    """Return the page on which the user can do something about an error, and its query. Without one, it is None."""
    if isinstance(error, Unauthorised) or error.code == 401:
        return "", {}
    for claim, reason in error.errors if isinstance(error, InvalidClaims) else ():
        page, details = CLAIM_PAGES.get(claim), CLAIM_QUERIES.get(claim)
        if page is not None and visit.pages.has(page):
            return page, {} if details is None else details(reason)
    return None, {}


def _form_not_sent(visit: Visit, address: str, status: int) -> View:
    """
    Return the page for a form of the app that could not be sent. When this page is reloaded, the form is sent again.

    :param address: of the page to open in another tab before.
    """
    said = "Your account needs one more step. Please take it in another tab."
    if status == 401:
        said = "You are not signed in any more. Please sign in in another tab."
    reload = visit.text("Then reload this page, and your browser sends the form again.")
    return View(
        visit.text("Your form was not sent"),
        [
            h("p", visit.text(said), " ", reload, class_="alert", role="alert"),
            h("p", h("a", visit.text("Open in another tab"), href=address, target="_blank", class_="button")),
        ],
        status=status,
    )


def error_page(visit: Visit, error: Answerable) -> View:
    """Return the page for an error that is not about the session."""
    if error.code == 403:
        return access_denied(visit)
    text = visit.text("The request could not be understood.")
    if error.code >= 500:
        text = visit.text("Something went wrong on our side. Please try again in a moment.")
    elif isinstance(error, TooManyRequests):
        text = visit.too_many_attempts(error.retry_after)
    return View(
        visit.text("Something went wrong"),
        [
            h("p", text, class_="alert", role="alert"),
            sign_in_link(visit),
        ],
        status=error.code,
        headers=error.headers(),
    )


def out_of_date(visit: Visit) -> View:
    """Return the page for a form whose token does not belong to this browser any more."""
    path = path_of_request(visit.context.environ or {}) or "/"  # with the query, which may have the token of a mail
    address = visit.way_back if visit.pages.is_no_way_back(path) else path
    text = "Nothing was changed. Please open the page again, and make sure that your browser accepts cookies."
    return View(
        visit.text("This form is out of date"),
        [
            h("p", visit.text(text), class_="alert", role="alert"),
            h("p", h("a", visit.text("Open the page again"), href=address, class_="button")),
        ],
        status=403,
    )


def renewal(visit: Visit) -> View | Response:
    """
    Renew the session, and lead back to the page that asked for it.

    The first of several tabs renews it. A refresh token may be exchanged twice before the new one is used, but then
    one of the two new ones is lost, and with it the session. So the other tabs wait until the browser has the new one.

    With ``cookie_same_site="none"``, a picture on any site can call this route. Only requests for a page renew. A form
    always goes along. That it was sent by a page of this website was checked before.
    """
    is_shown = visit.is_post or (is_navigation(visit.context) and visit.method == "GET")
    # With SameSite=Strict, a link on another site leads here without cookies. The API would clear those of the browser.
    if not is_shown or not any(TokenTransfer.cookies(visit.context, name) for name in _COOKIES):
        sign_in = visit.address("")
        return _form_not_sent(visit, sign_in, 401) if visit.is_post else visit.redirect(sign_in)
    is_good = is_signed_in(visit)
    rounds = _rounds(visit, is_good)
    if rounds >= _MOST_ROUNDS:
        return _given_up(visit)
    waits = visit.query(_AGAIN)
    if is_good and (rounds < 2 or waits is not None):
        # A tab that waits is not counted: no loop begins with it.
        return _back(visit, rounds) if waits is None else _done(visit)
    token = "".join(TokenTransfer.cookies(visit.context, REFRESH_COOKIE))
    number = 1
    if token:
        visit.context.count_address()  # anybody can send any token, and each has a counter of its own
        name = hashlib.sha256(f"renewal {token}".encode("utf-8", "surrogatepass")).hexdigest()
        number, _left = visit.pages.renewals.add(name, _PERIOD)
    if number > 1:
        return _wait(visit, waits)
    reply = visit.call("POST", REFRESH_PATH)
    if reply.code != 200:  # a page that gets a form says what to do, or it needs no session
        return _back(visit, rounds) if visit.is_post else visit.redirect(visit.address(""))
    new = visit.new_session
    if new is None or rounds > 0:
        return _back(visit, rounds)
    if new.get_access_token_payload()["exp"] <= visit.context.services.get(Session).clock():
        return _given_up(visit)  # the clocks of this machine and of the core differ
    return _back(visit, rounds)  # counted, since the browser may not keep the new access token


def _wait(visit: Visit, waits: str | None) -> View | Response:
    count = int(waits) if waits is not None and waits.isascii() and waits.isdigit() and len(waits) < 3 else 0
    query = {WAY_BACK: visit.way_back, _AGAIN: str(count + 1)}
    again = _renewal_path(visit) + _query(query)
    if count < _QUICK_WAITS:
        return visit.redirect(again, with_form=visit.is_post)
    said = h("p", visit.text("Your session is being renewed."), role="status")
    if visit.is_post:  # a page that continues by itself would lose the form
        reload = visit.text("Then reload this page, and your browser sends the form again.")
        return View(visit.text("One moment, please"), [said, h("p", reload)], status=503)
    link = h("p", h("a", visit.text("Continue"), href=again))
    return View(visit.text("One moment, please"), [said, link], headers={"Refresh": f"1; url={again}"})


def _given_up(visit: Visit) -> View:
    text = "Please sign out and in again, and make sure that your browser accepts cookies."
    return View(
        visit.text("Your session could not be renewed"),
        [
            h("p", visit.text(text), class_="alert", role="alert"),
            sign_in_link(visit),
        ],
        status=401,
    )


def _rounds(visit: Visit, is_good: bool) -> int:
    """
    Return how often in a row this browser was led back from here.

    If the expired access token is another one than at the last renewal, the count begins at 0: renewals work.
    """
    values = TokenTransfer.cookies(visit.context, _ROUNDS_COOKIE)
    match = _ROUNDS.fullmatch(values[0]) if len(values) == 1 else None
    if match is None or not (is_good or match[3] == _mark_of_token(visit)):
        return 0
    return int(match[2]) if 0 <= time.time() - int(match[1]) < _PERIOD else 0


def _mark_of_token(visit: Visit) -> str:
    tokens = "".join(TokenTransfer.cookies(visit.context, ACCESS_COOKIE))
    return hashlib.sha256(tokens.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _back(visit: Visit, rounds: int) -> Response:
    now, pages = int(time.time()), visit.pages
    visit.context.changes.set_cookie(
        _ROUNDS_COOKIE,
        f"{now}-{rounds + 1}-{_mark_of_token(visit)}",
        path=pages.renewal_path,
        domain=None,
        secure=scheme_of(pages.origin) == "https",
        same_site="lax",
        expires_ms=(now + _PERIOD) * 1000,
    )
    return _done(visit)


def _done(visit: Visit) -> Response:
    """Return the response that leads back. A form goes along."""
    return visit.redirect(visit.way_back, with_form=visit.is_post)


def _renewal_path(visit: Visit) -> str:
    return visit.pages.renewal_path + (FORM if visit.is_post else "")


def _query(query: dict[str, str]) -> str:
    return f"?{urlencode(query)}" if query else ""
