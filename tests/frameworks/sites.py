"""
The same site in five frameworks, in front of a real server in this process.

Every framework's module builds a site with these paths, in its own style:

========================  =============================================================================
``POST /login``           makes a session for the user in the JSON body (``{"user": ..., "claims": {...}}``)
``/session``              ``get_session(request)``; answers with the user's id
``/decorated``            ``@verify_session()`` on a plain view; the user's id from ``current_session()``
``/class``                the same on a class-based view
``/optional``             ``verify_session(session_required=False)``: a user's id or ``nobody``
``/checked``              asks the core whether the session still exists
``/admin``                needs the claim ``admin``, whatever other validators there are
``/relaxed``              drops the global validators
``/grow``                 changes the access token's payload
``/data``                 reads the session's data from the core
``/ended``                revokes the session behind the request's back, then changes its payload
``/forbidden``            raises ``Forbidden``
``/stream``               a streamed body of a view that used the session before its first byte
``/crash``                fails with an error of the app
========================  =============================================================================

Every view's answer gets the header ``X-User`` afterwards, by the framework's own kind of later code, from
``current_session``. With *catch_all* the site has the framework's kind of handler for every exception.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import attrs
import requests
from threads import answering
from werkzeug.serving import WSGIRequestHandler, make_server

from st_wsgi import SuperTokens
from st_wsgi.recipes import session
from st_wsgi.recipes.session import BooleanClaim

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Build = Callable[..., WSGIApplication]

ACTIVE = BooleanClaim("active")
ADMIN = BooleanClaim("admin")

PATHS = ("session", "decorated", "class", "optional", "checked", "admin", "relaxed", "grow", "data", "stream")


def only_admin(_validators: object, _session: object) -> list[Any]:
    return [ADMIN.is_true()]


def nothing(_validators: object, _session: object) -> list[Any]:
    return []


def user_of(request: Any) -> str:
    """What a later layer knows of the user: the id, or nothing."""
    try:
        return session.current_session(request).get_user_id()
    except session.Unauthorised:
        return "nobody"


def end_and_change(request: Any) -> None:
    """The session is revoked while the view runs, and the view goes on to change it."""
    found = session.get_session(request)
    session.revoke_session(session_handle=found.get_handle())
    found.merge_into_access_token_payload({"colour": "green"})


def naming_the_user(app: WSGIApplication) -> WSGIApplication:
    """Add ``X-User`` to every response, for frameworks whose own later code does not see our errors."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None) -> Any:
            return start_response(status, [*headers, ("X-User", user_of(environ))], exc_info)

        return app(environ, start)

    return call


@attrs.frozen
class Tokens:
    """What a frontend holds."""

    access: str
    refresh: str


@attrs.frozen
class Site:
    """A running site."""

    origin: str
    st: SuperTokens
    http: requests.Session

    def call(
        self,
        path: str,
        *,
        method: str = "GET",
        bearer: str | None = None,
        cookies: Mapping[str, str] | str | None = None,
        json: object = None,
        data: bytes | Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a request with exactly these tokens; cookies as names and values, or as the header's text."""
        sent = dict(headers or {})
        if bearer is not None:
            sent["Authorization"] = f"Bearer {bearer}"
        if cookies is not None:
            sent["Cookie"] = cookies if isinstance(cookies, str) else "; ".join(f"{n}={v}" for n, v in cookies.items())
        return self.http.request(
            method, self.origin + path, json=json, data=data, headers=sent, timeout=30, allow_redirects=False
        )

    def log_in(self, user: str = "ada", **claims: object) -> Tokens:
        """Make a session in a view of the site, its tokens in headers. Its claim ``active`` is true unless given."""
        payload = {"active": ACTIVE.add_to_payload({}, True)["active"], **claims}
        answer = self.call(
            "/login", method="POST", json={"user": user, "claims": payload}, headers={"st-auth-mode": "header"}
        )
        assert answer.status_code == 200, answer.text
        return Tokens(answer.headers["st-access-token"], answer.headers["st-refresh-token"])


def cookies_of(answer: requests.Response) -> dict[str, str]:
    """The cookies that an answer sets, by name, with their attributes."""
    lines: list[str] = answer.raw.headers.getlist("Set-Cookie")
    return {line.partition("=")[0]: line.partition("=")[2] for line in lines}


def forgets(answer: requests.Response) -> set[str]:
    """In which transports an answer clears the frontend's tokens; in both means that it has no session any more."""
    cookies = cookies_of(answer)
    gone = set()
    if all("1970" in cookies.get(name, "") for name in ("sAccessToken", "sRefreshToken")):
        gone.add("cookie")
    if answer.headers.get("st-access-token") == "" and answer.headers.get("st-refresh-token") == "":
        gone.add("header")
    assert (answer.headers.get("front-token") == "remove") == (gone == {"cookie", "header"})
    return gone


def user_in(environ: Mapping[str, Any], body: bytes) -> tuple[str, dict[str, Any]]:
    """The user and the claims of a login."""
    wanted = json.loads(body)
    return wanted["user"], wanted["claims"]


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """The tests look at answers, not at a log."""


@contextmanager
def serving(app: WSGIApplication, st: SuperTokens) -> Iterator[Site]:
    """Serve *app* on a free port by a server with threads, until the block ends."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    with answering(server), requests.Session() as http:
        http.trust_env = False
        http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield Site(f"http://127.0.0.1:{server.port}", st, http)
