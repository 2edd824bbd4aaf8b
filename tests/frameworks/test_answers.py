"""
What a frontend gets to hear, over HTTP from every framework: one row for each row of the protocol's table of answers.

The first part of each row's name is the place of the check: ``view`` is a view of the app, ``route`` a route of ours.
"""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Mapping

import attrs
import pytest
import requests
from sampling import exhaustive_but

from frameworks.conftest import Clock, Sites
from frameworks.sites import Site, Tokens, cookies_of, forgets

UNAUTHORISED = {"message": "unauthorised"}
TRY_REFRESH = {"message": "try refresh token"}
THEFT = {"message": "token theft detected"}
FORBIDDEN = {"message": "forbidden"}
HOUR = 3_600_000
REFRESH = "/auth/session/refresh"
BOTH = {"cookie", "header"}


def nothing_sent(site: Site) -> requests.Response:
    return site.call("/session")


def foreign_bearer(site: Site) -> requests.Response:
    return site.call("/session", bearer="a-token-of-another-site")


def bad_signature(site: Site) -> requests.Response:
    return site.call("/session", bearer=_with_other_signature(site.log_in().access))


def unknown_key(site: Site) -> requests.Response:
    return site.call("/session", bearer=_with_header(site.log_in().access, kid="d-1"))


def wrong_kind_of_key(site: Site) -> requests.Response:
    return site.call("/session", bearer=_with_header(site.log_in().access, kid="s-1"))


def duplicate_cookies(site: Site) -> requests.Response:
    access = site.log_in().access
    return site.call("/session", cookies=f"sAccessToken={access}; sAccessToken={access}")


def no_rid_header(site: Site) -> requests.Response:
    return site.call("/session", method="POST", cookies={"sAccessToken": site.log_in().access})


def no_anti_csrf_header(site: Site) -> requests.Response:
    return site.call("/session", method="POST", cookies={"sAccessToken": _log_in_by_cookie(site).access})


def claim_missing(site: Site) -> requests.Response:
    return site.call("/admin", bearer=site.log_in().access)


def forbidden(site: Site) -> requests.Response:
    return site.call("/forbidden", bearer=site.log_in().access)


def refresh_without_token(site: Site) -> requests.Response:
    return site.call(REFRESH, method="POST", cookies={"sAccessToken": site.log_in().access})


def refresh_with_an_ended_session(site: Site) -> requests.Response:
    tokens = site.log_in()
    site.call("/ended", bearer=tokens.access)
    return site.call(REFRESH, method="POST", bearer=tokens.refresh)


def refresh_with_nonsense(site: Site) -> requests.Response:
    return site.call(REFRESH, method="POST", cookies={"sRefreshToken": "nonsense"})


def refresh_without_rid_header(site: Site) -> requests.Response:
    return site.call(REFRESH, method="POST", cookies={"sRefreshToken": site.log_in().refresh})


def stolen_refresh_token(site: Site) -> requests.Response:
    tokens = site.log_in()
    newer = site.call(REFRESH, method="POST", bearer=tokens.refresh)
    assert site.call("/session", bearer=newer.headers["st-access-token"]).status_code == 200
    theft = site.call(REFRESH, method="POST", bearer=tokens.refresh)
    assert site.call("/checked", bearer=newer.headers["st-access-token"]).json() == UNAUTHORISED
    return theft


def ended_session_checked(site: Site) -> requests.Response:
    return site.call("/checked", bearer=_ended(site).access)


def ended_session_changed(site: Site) -> requests.Response:
    return site.call("/ended", bearer=site.log_in().access)


def ended_session_read(site: Site) -> requests.Response:
    return site.call("/data", bearer=_ended(site).access)


def refresh_with_duplicates(site: Site) -> requests.Response:
    tokens = site.log_in()
    doubled = f"sRefreshToken={tokens.refresh}; sAccessToken={tokens.access}; sRefreshToken=older; sAccessToken=older"
    return site.call(REFRESH, method="POST", cookies=doubled)


def broken_json(site: Site) -> requests.Response:
    return site.call("/auth/signin", method="POST", data=b"{", headers={"Content-Type": "application/json"})


def sign_out_twice(site: Site) -> requests.Response:
    return site.call("/auth/signout", method="POST")


@attrs.frozen
class Row:
    """A case: what is sent to a site of which kind, and what must come back."""

    name: str
    send: Callable[[Site], requests.Response]
    status: int
    body: Mapping[str, object] | None = None
    forgets: set[str] = attrs.field(factory=set)
    kind: str = "plain"


ROWS = [
    Row("view, no token", nothing_sent, 401, UNAUTHORISED),
    Row("view, no token of our form", foreign_bearer, 401, UNAUTHORISED),
    Row("view, bad signature", bad_signature, 401, TRY_REFRESH),
    Row("view, unknown key", unknown_key, 401, TRY_REFRESH),
    Row("view, wrong kind of key", wrong_kind_of_key, 401, TRY_REFRESH),
    Row("view, duplicate cookies", duplicate_cookies, 401, TRY_REFRESH),
    Row("view, no custom header", no_rid_header, 401, TRY_REFRESH, kind="guarded"),
    Row("view, no anti-csrf token", no_anti_csrf_header, 401, TRY_REFRESH, kind="by token"),
    Row("view, claim failed", claim_missing, 403),
    Row("view, forbidden", forbidden, 403, FORBIDDEN),
    Row("view, session gone, database check", ended_session_checked, 401, UNAUTHORISED, BOTH),
    Row("view, session gone, payload update", ended_session_changed, 401, UNAUTHORISED, BOTH),
    Row("view, session gone, reading its data", ended_session_read, 401, UNAUTHORISED, BOTH),
    Row("route, refresh without a refresh token", refresh_without_token, 401, UNAUTHORISED, BOTH),
    Row("route, refresh with nonsense", refresh_with_nonsense, 401, UNAUTHORISED, BOTH),
    Row("route, refresh of an ended session", refresh_with_an_ended_session, 401, UNAUTHORISED, BOTH),
    Row("route, refresh without custom header", refresh_without_rid_header, 401, UNAUTHORISED, BOTH, "guarded"),
    Row("route, token theft", stolen_refresh_token, 401, THEFT, BOTH),
    Row("route, refresh with duplicates, older domain set", refresh_with_duplicates, 200, kind="moved"),
    Row("route, refresh with duplicates, not set", refresh_with_duplicates, 401, UNAUTHORISED, BOTH),
    Row("route, sign-out without a session", sign_out_twice, 401, UNAUTHORISED),
    Row("route, malformed input", broken_json, 400),
    Row("view, no token, other codes", nothing_sent, 440, UNAUTHORISED, kind="other codes"),
    Row("view, bad signature, other codes", bad_signature, 440, TRY_REFRESH, kind="other codes"),
    Row("view, claim failed, other codes", claim_missing, 418, kind="other codes"),
    Row("route, no refresh token, other codes", refresh_without_token, 440, UNAUTHORISED, BOTH, "other codes"),
    Row("route, theft, other codes", stolen_refresh_token, 440, THEFT, BOTH, "other codes"),
]


@pytest.mark.parametrize("row", exhaustive_but(ROWS, ROWS[::4]), ids=lambda row: row.name)
def test_each_row_of_the_table_of_answers(sites: Sites, framework: str, row: Row) -> None:
    answer = row.send(sites(framework, row.kind))
    assert answer.status_code == row.status
    assert answer.headers["Content-Type"] == "application/json"
    if row.body is None:
        assert "message" in answer.json()
    else:
        assert answer.json() == row.body
    # The browser keeps what it has, unless the row says that it must not.
    assert _forgotten(answer) == row.forgets
    if answer.status_code in (401, 403):
        assert answer.headers["Cache-Control"] == "no-store"


def test_an_expired_token_asks_for_a_refresh(site: Site, clock: Clock) -> None:
    clock.behind = 2 * HOUR
    tokens = site.log_in()
    clock.behind = 0
    expired = site.call("/session", bearer=tokens.access)
    assert (expired.status_code, expired.json()) == (401, TRY_REFRESH)
    assert "front-token" not in expired.headers
    refreshed = site.call(REFRESH, method="POST", bearer=tokens.refresh)
    assert (refreshed.status_code, refreshed.json()) == (200, {})
    assert site.call("/session", bearer=refreshed.headers["st-access-token"]).text == "ada"


def test_a_failed_claim_is_named_with_its_reason(site: Site) -> None:
    answer = claim_missing(site)
    assert answer.json() == {
        "message": "invalid claim",
        "claimValidationErrors": [
            {"id": "admin", "reason": {"message": "value does not exist", "expectedValue": True, "actualValue": None}}
        ],
    }


def test_a_core_that_is_not_there_is_503_and_the_frontend_keeps_its_tokens(sites: Sites, framework: str) -> None:
    """A token of the same form from a site whose core is there: without keys it is not known whether it is good."""
    tokens = sites(framework).log_in()
    site = sites(framework, "outage")
    for answer in (
        site.call("/session", bearer=tokens.access),
        site.call(REFRESH, method="POST", bearer=tokens.refresh),
    ):
        assert (answer.status_code, answer.json()) == (503, {"message": "service unavailable"})
        assert int(answer.headers["Retry-After"]) > 0
        assert _forgotten(answer) == set()


def test_after_duplicates_were_cleared_the_next_refresh_succeeds(sites: Sites, framework: str) -> None:
    site = sites(framework, "moved")
    refresh = site.log_in().refresh
    first = site.call(REFRESH, method="POST", cookies=f"sRefreshToken={refresh}; sRefreshToken=older")
    assert first.status_code == 200
    second = site.call(REFRESH, method="POST", cookies={"sRefreshToken": refresh})
    assert second.status_code == 200
    assert "front-token" in second.headers


@pytest.mark.parametrize(("path", "status"), [("/session", 401), ("/auth/jwt/jwks.json", 200)])
def test_head_has_the_status_and_no_body(site: Site, path: str, status: int) -> None:
    """Read off the socket: a client would not look for a body that must not be there."""
    host, _, port = site.origin.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection, connection.makefile("rb") as answer:
        connection.sendall(f"HEAD {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = answer.read().partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert body == b""


@pytest.mark.parametrize("send", [nothing_sent, bad_signature, claim_missing, forbidden, ended_session_changed])
def test_an_app_that_answers_every_exception_changes_nothing(
    sites: Sites, framework: str, send: Callable[[Site], requests.Response]
) -> None:
    """Status, body and cookies are those of the same site without such a handler."""
    expected, answer = send(sites(framework)), send(sites(framework, catch_all=True))
    assert (answer.status_code, answer.json()) == (expected.status_code, expected.json())
    assert cookies_of(answer).keys() == cookies_of(expected).keys()
    assert _forgotten(answer) == _forgotten(expected)


def test_an_app_that_answers_every_exception_still_answers_its_own(sites: Sites, framework: str) -> None:
    crash = sites(framework, catch_all=True).call("/crash")
    assert (crash.status_code, "caught" in crash.text) == (500, True)


def _forgotten(answer: requests.Response) -> set[str]:
    gone = forgets(answer)
    if not gone:
        assert "front-token" not in answer.headers
        lines = answer.raw.headers.getlist("Set-Cookie")
        assert [line for line in lines if line.startswith("sAccessToken=") and "Path=/;" in line] == []  # the app's own
    return gone


def _ended(site: Site) -> Tokens:
    tokens = site.log_in()
    assert site.call("/ended", bearer=tokens.access).status_code == 401
    return tokens


def _log_in_by_cookie(site: Site) -> Tokens:
    answer = site.call(
        "/login",
        method="POST",
        json={"user": "ada", "claims": {"active": {"v": True, "t": 0}}},
        headers={"st-auth-mode": "cookie", "rid": "session"},
    )
    cookies = cookies_of(answer)
    return Tokens(cookies["sAccessToken"].partition(";")[0], cookies["sRefreshToken"].partition(";")[0])


def _with_other_signature(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{signature[:9]}{'A' if signature[9] != 'A' else 'B'}{signature[10:]}"


def _with_header(token: str, **changes: str) -> str:
    head, rest = token.split(".", 1)
    fields = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    changed = json.dumps({**fields, **changes}, separators=(",", ":")).encode()
    return f"{base64.urlsafe_b64encode(changed).rstrip(b'=').decode()}.{rest}"
