"""Catalogue 3.7: which token of a request counts, and anti-CSRF. Through `Protect`, under the WSGI validator."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote
from wsgiref.validate import validator

import pytest
from werkzeug.test import Client

from st_verify import AccessToken, EmailVerificationClaim, Refused, SettingError, UserRoleClaim
from st_verify.headers import bearer_token, cookie_values
from st_verify.wsgi import CsrfMode, Protect, RevocationCheck, SessionGuard, check_cors, refusal_response, session_of
from verify.minting import NOW, Bench, token, with_claims, with_header

GOOD = token()
EXPIRED = with_claims(exp=NOW - 1)
OF_A = with_claims(sub="user-a")
OF_B = with_claims(sub="user-b")

ANSWERS = {
    (401, "unauthorised"): "401U",
    (401, "try refresh token"): "401R",
    (403, "invalid claim"): "403C",
    (403, "forbidden"): "403F",
    (503, "service unavailable"): "503",
}


def environ_of(method: str = "GET", *, cookie: str | None = None, bearer: str | None = None, **more: str) -> Any:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **more,
    }
    if cookie is not None:
        environ["HTTP_COOKIE"] = cookie
    if bearer is not None:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {bearer}"
    return environ


def session_cookie(text: str) -> str:
    return f"sAccessToken={quote(text)}"


class Site:
    """A protected app that notes which sessions reached it."""

    def __init__(
        self, csrf: CsrfMode = CsrfMode.NONE, transport: str = "any", *, required: bool = True, **options: Any
    ) -> None:
        validators = options.pop("validators", ())
        self.bench = Bench()
        self.guard = SessionGuard(self.bench.verifier, csrf=csrf, transport=transport, **options)
        self.reached: list[str | None] = []
        self.app = Protect(self.handler, self.guard, *validators, required=required)
        self.headers: dict[str, str] = {}
        self.body = b""

    def handler(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        session = session_of(environ)
        self.reached.append(None if session is None else session.user_id)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    def ask(self, environ: dict[str, Any]) -> str:
        """OK, or the outcome code of the answer; the handler ran exactly if it is OK."""
        seen: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            seen.append((status, headers))
            return lambda data: None

        before = len(self.reached)
        checked = environ["REQUEST_METHOD"] in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
        app = validator(self.app) if checked else self.app
        chunks = app(environ, start_response)
        self.body = b"".join(chunks)
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
        (status, headers) = seen[0]
        self.headers = dict(headers)
        if status == "200 OK":
            assert len(self.reached) == before + 1
            return "OK"
        assert len(self.reached) == before
        assert "Set-Cookie" not in self.headers
        assert self.headers["Cache-Control"] == "no-store"
        if environ["REQUEST_METHOD"] == "HEAD":
            return status[:3]
        return ANSWERS[int(status[:3]), json.loads(self.body)["message"]]


def test_without_a_token() -> None:
    """V-001, V-002"""
    site = Site()
    assert site.ask(environ_of()) == "401U"
    optional = Site(required=False)
    assert (optional.ask(environ_of()), optional.reached) == ("OK", [None])
    assert site.bench.extra_fetches == optional.bench.extra_fetches == 0


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {GOOD}", f"bearer {GOOD}", f"BEARER {GOOD}", f"Bearer   {GOOD}", f"Bearer\t{GOOD}", f"Bearer {GOOD} "],
)
def test_the_scheme_is_read_as_http_says(authorization: str) -> None:
    """V-130"""
    assert Site().ask(environ_of(HTTP_AUTHORIZATION=authorization)) == "OK"


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        f"Bearer a {GOOD}",
        f"Bearer {GOOD} b",
        f"Bearer {GOOD}, Bearer {GOOD}",
        f"Bearer {GOOD},Bearer {GOOD}",
        f"Basic {GOOD}",
        f"Token {GOOD}",
        f"Bearer{GOOD}",
        f" Bearer {GOOD}",
        f"Bearer\x0b{GOOD}",
        GOOD,
        "",
    ],
)
def test_anything_else_is_no_header_token(authorization: str) -> None:
    """V-131, V-132: a header that was sent twice arrives joined by a comma."""
    site = Site()
    assert site.ask(environ_of(HTTP_AUTHORIZATION=authorization)) == "401U"
    assert site.ask(environ_of(HTTP_AUTHORIZATION=authorization, cookie=session_cookie(OF_B))) == "OK"
    assert site.reached == ["user-b"]


def test_a_header_token_wins_and_needs_no_anti_csrf() -> None:
    """V-133"""
    site = Site(CsrfMode.VIA_CUSTOM_HEADER)
    assert site.ask(environ_of("POST", bearer=OF_A, cookie=session_cookie(OF_B))) == "OK"
    assert site.reached == ["user-a"]


@pytest.mark.parametrize("text", [EXPIRED, token(key="attacker"), with_claims(iss="https://x.example")])
def test_a_header_token_of_our_form_that_is_bad_never_falls_back_to_the_cookie(text: str) -> None:
    """V-134"""
    assert Site().ask(environ_of(bearer=text, cookie=session_cookie(OF_B))) in ("401R", "401U")


@pytest.mark.parametrize("foreign", ["an-api-key", "eyJhbGciOiJub25lIn0.e30.", with_header(version="9")])
def test_a_foreign_bearer_token_is_no_error_and_hides_no_cookie(foreign: str) -> None:
    """V-135: and the cookie session keeps its anti-CSRF check."""
    site = Site(CsrfMode.VIA_CUSTOM_HEADER)
    cookie = session_cookie(OF_B)
    assert site.ask(environ_of("POST", bearer=foreign, cookie=cookie, HTTP_RID="anti-csrf")) == "OK"
    assert site.reached == ["user-b"]
    assert site.ask(environ_of("POST", bearer=foreign, cookie=cookie)) == "401R"


@pytest.mark.parametrize(
    ("rid", "expected"), [(None, "401R"), ("", "401R"), ("anti-csrf", "OK"), ("x", "OK"), ("session", "OK")]
)
def test_a_cross_site_form_cannot_add_a_header(rid: str | None, expected: str) -> None:
    """V-136, V-137"""
    site = Site(CsrfMode.VIA_CUSTOM_HEADER)
    more = {} if rid is None else {"HTTP_RID": rid}
    assert site.ask(environ_of("POST", cookie=session_cookie(GOOD), **more)) == expected
    assert site.bench.extra_fetches == 0


ANTI = with_claims(antiCsrfToken="anti-1")


@pytest.mark.parametrize(
    ("text", "header", "expected"),
    [
        (ANTI, "anti-1", "OK"),
        (ANTI, None, "401R"),
        (ANTI, "", "401R"),
        (ANTI, "anti-2", "401R"),
        (ANTI, "anti-", "401R"),
        (ANTI, "anti-11", "401R"),
        (ANTI, "\xe9\udc80", "401R"),
        (GOOD, "anti-1", "401R"),
        (GOOD, "", "401R"),
        (GOOD, "None", "401R"),
        (with_claims(antiCsrfToken=...), "", "401R"),
    ],
)
def test_the_anti_csrf_token_must_be_the_one_of_this_session(text: str, header: str | None, expected: str) -> None:
    """V-138"""
    more = {} if header is None else {"HTTP_ANTI_CSRF": header}
    site = Site(CsrfMode.VIA_TOKEN)
    assert site.ask(environ_of("POST", cookie=session_cookie(text), **more)) == expected
    assert site.ask(environ_of("GET", cookie=session_cookie(text))) == "OK"


def test_each_server_decides_by_its_own_rule() -> None:
    """V-139"""
    custom, by_token = Site(CsrfMode.VIA_CUSTOM_HEADER), Site(CsrfMode.VIA_TOKEN)
    cookie = session_cookie(ANTI)
    assert custom.ask(environ_of("POST", cookie=cookie, HTTP_ANTI_CSRF="anti-1")) == "401R"
    assert by_token.ask(environ_of("POST", cookie=cookie, HTTP_RID="anti-csrf")) == "401R"


def test_which_methods_are_exempt() -> None:
    """V-140, V-142: exactly GET and HEAD, in upper case; OPTIONS is a preflight and passes untouched."""
    cookie = session_cookie(GOOD)
    for method in ("GET", "HEAD"):
        assert Site(CsrfMode.VIA_CUSTOM_HEADER).ask(environ_of(method, cookie=cookie)) == "OK"
    preflight = Site(CsrfMode.VIA_CUSTOM_HEADER)
    assert (preflight.ask(environ_of("OPTIONS", cookie=cookie)), preflight.reached) == ("OK", [None])
    for method in ("get", "PoSt", "", "G" * 1024, "PROPFIND", "PATCH", "DELETE", "QUERY"):
        assert Site(CsrfMode.VIA_CUSTOM_HEADER).ask(environ_of(method, cookie=cookie)) == "401R"
    strict = Site(CsrfMode.VIA_CUSTOM_HEADER, csrf_safe_methods=())
    assert strict.ask(environ_of("GET", cookie=cookie)) == "401R"


def test_a_handler_that_needs_a_session_runs_on_no_method_without_one() -> None:
    """V-140: OPTIONS and TRACE do no session work, so a view that demands a session there is refused."""
    site = Site()
    assert site.ask(environ_of("TRACE", bearer=GOOD)) == "401U"
    for method in ("OPTIONS", "TRACE"):
        with pytest.raises(Refused, match="no_token"):
            site.guard.session(environ_of(method, bearer=GOOD))
        assert site.guard.optional_session(environ_of(method, bearer=EXPIRED)) is None


def test_the_method_is_the_one_that_the_server_gives() -> None:
    """V-141: an override by header or form field changes nothing at this place."""
    site = Site(CsrfMode.VIA_CUSTOM_HEADER)
    cookie = session_cookie(GOOD)
    override = {"HTTP_X_HTTP_METHOD_OVERRIDE": "POST", "QUERY_STRING": "_method=POST"}
    assert site.ask(environ_of("GET", cookie=cookie, **override)) == "OK"
    override["HTTP_X_HTTP_METHOD_OVERRIDE"] = "GET"
    assert site.ask(environ_of("POST", cookie=cookie, **override)) == "401R"


T = quote(GOOD)


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        pytest.param(f"sAccessToken={T}; sAccessToken={T}", "401R", id="V-143 same value"),
        pytest.param(f"sAccessToken={T}; sAccessToken={quote(OF_B)}", "401R", id="V-143 two values"),
        pytest.param(f"sAccessToken={T}; sAccessToken=", "401R", id="V-143 one empty"),
        pytest.param("sAccessToken=a; sAccessToken=b=c", "401R", id="V-144 with an equals sign"),
        pytest.param("sAccessToken=a==; sAccessToken=b==", "401R", id="V-144 padded"),
        pytest.param(f'sAccessToken="{T}"; sAccessToken={T}', "401R", id="V-144 one quoted"),
        pytest.param(f"sAccessToken={T};sAccessToken={T}", "401R", id="V-144 no space"),
        pytest.param(f"a=1;\tsAccessToken={T};  sAccessToken={T}", "401R", id="V-144 other white space"),
        pytest.param(f'sAccessToken="{T}"', "OK", id="V-144 quoted"),
        pytest.param(f'sAccessToken=""{T}""', "401U", id="V-016 quoted twice"),
        pytest.param(f"SACCESSTOKEN={T}", "401U", id="V-145 upper case"),
        pytest.param(f"sAccessToken ={T}", "401U", id="V-145 trailing space in the name"),
        pytest.param(f"=sAccessToken={T}", "401U", id="V-145 nameless"),
        pytest.param(f"s%41ccessToken={T}", "401U", id="V-145 encoded name"),
        pytest.param(f"sAccessToken={T}; SACCESSTOKEN=x; =sAccessToken=bad; $Version=1", "OK", id="V-145 beside"),
        pytest.param(f"xsAccessToken={T}", "401U", id="V-145 longer name"),
        pytest.param("; ".join(f"c{i}=v{i}" for i in range(500)) + f"; sAccessToken={T}", "OK", id="V-146 500 cookies"),
        pytest.param("sAccessToken=" + "x" * 65_536, "401U", id="V-146 64 kB"),
        pytest.param('sAccessToken="' + '\\"' * 100_000, "401U", id="V-146 many escapes"),
        pytest.param('sAccessToken="' + '\\"' * 8_000 + '"', "401U", id="V-146 many escapes below the cap"),
        pytest.param(";" * 16_000 + f"sAccessToken={T}"[:300], "401U", id="V-146 many semicolons"),
        pytest.param("sAccessToken=\xe9\xff", "401U", id="V-147 latin-1"),
        pytest.param("sAccessToken=\\054\\073", "401U", id="V-147 octal escapes"),
        pytest.param("sAccessToken=%FF%FE%ED%A0%80", "401U", id="V-147 encoded junk"),
        pytest.param("sAccessToken=", "401U", id="V-147 empty"),
        pytest.param(f"sAccessToken={quote(T)}", "OK", id="V-018 a token has nothing to encode"),
        pytest.param("sAccessToken=" + GOOD.replace(".", "%2E"), "OK", id="V-017 encoded once"),
        pytest.param("sAccessToken=" + GOOD.replace(".", "%252E"), "401U", id="V-018 encoded twice"),
        pytest.param(f"sAccessToken={T}; sIdRefreshToken=x", "401R", id="V-148 legacy cookie"),
        pytest.param("sIdRefreshToken=", "401R", id="V-148 legacy cookie alone, empty"),
    ],
)
def test_cookies_are_read_exactly(cookie: str, expected: str) -> None:
    site = Site()
    start = time.thread_time()
    assert site.ask(environ_of(cookie=cookie)) == expected
    assert time.thread_time() - start < 0.5
    assert site.bench.extra_fetches == 0


def test_the_legacy_cookie_is_judged_before_any_token() -> None:
    """V-148"""
    assert Site().ask(environ_of(bearer=GOOD, cookie="sIdRefreshToken=x")) == "401R"
    assert Site(transport="header").ask(environ_of(bearer=GOOD, cookie="sIdRefreshToken=x")) == "OK"


def test_duplicate_cookies_do_not_matter_beside_a_header_token() -> None:
    assert Site().ask(environ_of(bearer=OF_A, cookie="sAccessToken=a; sAccessToken=b")) == "OK"


def test_tokens_elsewhere_are_ignored() -> None:
    """V-149, V-150"""
    site = Site()
    form = f"sAccessToken={T}&access_token={T}".encode()
    elsewhere = {
        "QUERY_STRING": f"sAccessToken={T}&access_token={T}",
        "REDIRECT_HTTP_AUTHORIZATION": f"Bearer {GOOD}",
        "HTTP_X_FORWARDED_AUTHORIZATION": f"Bearer {GOOD}",
        "HTTP_ST_ACCESS_TOKEN": GOOD,
    }
    environ = environ_of("POST", CONTENT_TYPE="application/x-www-form-urlencoded", **elsewhere)
    environ |= {"wsgi.input": io.BytesIO(form), "CONTENT_LENGTH": str(len(form))}
    assert site.ask(environ) == "401U"
    configured = Site(authorization="REDIRECT_HTTP_AUTHORIZATION")
    assert configured.ask(environ_of(REDIRECT_HTTP_AUTHORIZATION=f"Bearer {GOOD}")) == "OK"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "https://evil.example"}, "401R"),
        ({"HTTP_SEC_FETCH_SITE": "cross-site"}, "401R"),
        ({"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "null"}, "401R"),
        ({"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "https://app.example.com"}, "OK"),
        ({"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_ORIGIN": "https://api.example.com"}, "OK"),
        ({"HTTP_ORIGIN": "https://evil.example"}, "401R"),
        ({"HTTP_ORIGIN": "https://app.example.com"}, "OK"),
        ({}, "OK"),
    ],
)
def test_origins_are_an_extra_check(headers: dict[str, str], expected: str) -> None:
    """V-152: even with a rid header."""
    site = Site(CsrfMode.VIA_CUSTOM_HEADER, allowed_origins=["https://app.example.com"])
    assert site.ask(environ_of("POST", cookie=session_cookie(GOOD), HTTP_RID="x", **headers)) == expected
    assert site.ask(environ_of("POST", bearer=GOOD, **headers)) == "OK"


def test_transports_can_be_closed() -> None:
    only_header, only_cookie = Site(transport="header"), Site(transport="cookie")
    assert only_header.ask(environ_of(cookie=session_cookie(GOOD))) == "401U"
    assert only_header.ask(environ_of(bearer=GOOD)) == "OK"
    assert only_cookie.ask(environ_of(bearer=GOOD)) == "401U"
    assert only_cookie.ask(environ_of(cookie=session_cookie(GOOD), bearer=EXPIRED)) == "OK"


def test_anti_csrf_is_asked_of_cached_tokens_too() -> None:
    """V-222"""
    site = Site(CsrfMode.VIA_CUSTOM_HEADER)
    cookie = session_cookie(GOOD)
    asked = [site.ask(environ_of(method, cookie=cookie)) for method in ("GET", "POST", "GET")]
    assert asked == ["OK", "401R", "OK"]


def test_anti_csrf_by_token_comes_before_the_tenant() -> None:
    handle = "5d0b3b3e-8f43-4d9c-9b5c-3f5a4f2c1e11_t2"
    text = with_claims(tId="t2", sessionHandle=handle, antiCsrfToken="anti-1")
    site = Site(CsrfMode.VIA_TOKEN)
    assert site.ask(environ_of("POST", cookie=session_cookie(text))) == "401R"
    assert site.ask(environ_of("POST", cookie=session_cookie(text), HTTP_ANTI_CSRF="anti-1")) == "403F"
    assert json.loads(site.body) == {"message": "forbidden"}


def test_claims_are_validated_last_and_on_genuine_tokens_only() -> None:
    """V-170: a forged token says nothing about claims."""
    site = Site(validators=[EmailVerificationClaim.is_verified(), UserRoleClaim.includes("admin")])
    assert site.ask(environ_of(bearer=GOOD)) == "403C"
    assert [error["id"] for error in json.loads(site.body)["claimValidationErrors"]] == ["st-ev", "st-role"]
    forged = token(body={"st-ev": {"v": True, "t": 1}}, key="attacker")
    assert site.ask(environ_of(bearer=forged)) == "401R"
    verified = with_claims(**{"st-ev": {"v": True, "t": NOW * 1000}, "st-role": {"v": ["admin"], "t": NOW * 1000}})
    assert site.ask(environ_of(bearer=verified)) == "OK"


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        (lambda session: False, "OK"),
        (lambda session: session.user_id == "user-1", "401R"),
        (lambda session: 1 / 0, "503"),
        (lambda session: None, "503"),
        (lambda session: 1, "503"),
    ],
)
def test_the_revocation_hook_is_asked_and_fails_closed(
    hook: Callable[[AccessToken], Any], expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    """V-225"""
    site = Site(is_revoked=hook, validators=[UserRoleClaim.includes("admin")] if expected != "OK" else [])
    assert site.ask(environ_of(bearer=GOOD)) == expected
    assert ("Retry-After" in site.headers) is (expected == "503")
    if expected == "503":
        opened = Site(is_revoked=RevocationCheck(hook, fail_open=True))
        assert opened.ask(environ_of(bearer=GOOD)) == "OK"


def test_a_slow_revocation_hook_has_a_deadline_and_a_bounded_number_of_threads() -> None:
    """V-225: the hook hangs; the second request does not even get a turn."""
    release, entered = threading.Event(), threading.Event()
    asked: list[str] = []

    def hang(session: AccessToken) -> bool:
        asked.append(session.user_id)
        entered.set()
        return not release.wait(30)

    site = Site(is_revoked=RevocationCheck(hang, timeout=0.05, max_waiting=1))
    try:
        start = time.monotonic()
        assert [site.ask(environ_of(bearer=GOOD)) for _ in range(2)] == ["503", "503"]
        assert time.monotonic() - start < 10
        assert entered.wait(10)
        assert asked == ["user-1"]
    finally:
        release.set()


def test_answers_have_the_bodies_of_the_protocol_and_no_more() -> None:
    """V-227, V-230: HEAD has no body; 503 says when to come back."""
    site = Site()
    assert site.ask(environ_of("HEAD")) == "401"
    assert site.body == b""
    assert site.ask(environ_of(bearer=EXPIRED)) == "401R"
    assert site.body == b'{"message":"try refresh token"}'
    assert site.headers["Content-Type"] == "application/json; charset=utf-8"
    site.bench.server.failure = RuntimeError("secret detail")
    site.bench.time.advance(100_000)
    assert site.ask(environ_of(bearer=GOOD)) == "503"
    assert site.body == b'{"message":"service unavailable"}'
    assert int(site.headers["Retry-After"]) >= 1


def cors(app: Any, origin: str) -> Any:
    """The CORS layer of an app."""

    def outer(environ: dict[str, Any], start_response: Any) -> Any:
        def with_cors(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            own = [("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true")]
            return start_response(status, [*headers, *own], exc_info)

        return app(environ, with_cors)

    return outer


def test_the_order_of_cors_and_protection_can_be_checked_at_start_up() -> None:
    """V-230: a 401 without CORS headers cannot be read by the frontend, which then never refreshes."""
    site, origin = Site(), "https://app.example.com"
    assert check_cors(cors(site.app, origin), path="/", origin=origin) == []
    outside = check_cors(site.app, path="/", origin=origin)
    assert [problem.partition(":")[0] for problem in outside] == [
        "the 401 has no Access-Control-Allow-Origin",
        "the 401 has no Access-Control-Allow-Credentials",
    ]
    assert "not protected" in check_cors(site.handler, path="/", origin=origin)[0]


class Lazy:
    """An app that starts its response late, yields slowly, and must be closed."""

    def __init__(self, guard: SessionGuard) -> None:
        self.guard = guard
        self.closed = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Lazy:
        start_response("200 OK", [("Content-Type", "text/plain")])
        start_response("206 Partial", [("Content-Type", "text/plain")], (None, None, None))
        return self

    def __iter__(self) -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    def close(self) -> None:
        self.closed = True


def test_the_app_s_own_response_passes_untouched() -> None:
    """V-231: restarted, lazy, closed: it is the very iterable of the app."""
    site = Site()
    lazy = Lazy(site.guard)
    statuses: list[str] = []
    result: Any = Protect(lazy, site.guard)(environ_of(bearer=GOOD), lambda status, *rest: statuses.append(status))  # type: ignore[arg-type]  # a server that keeps the last status
    assert result is lazy
    assert statuses == ["200 OK", "206 Partial"]
    assert b"".join(result) == b"ab"
    result.close()
    assert lazy.closed


def test_a_refusal_raised_by_the_app_itself_is_answered_too() -> None:
    """V-231: with exc_info, so that a server which has sent headers already can say so."""
    site = Site(required=False)

    def strict(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        site.guard.session(environ, UserRoleClaim.includes("admin"))
        raise AssertionError("never reached")

    seen: list[Any] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        seen.append((status, exc_info is not None))

    body = Protect(strict, site.guard)(environ_of(bearer=GOOD), start_response)
    assert seen == [("200 OK", False), ("403 Forbidden", True)]
    assert b"st-role" in b"".join(body)


class Strict:
    """An app that refuses in its lazy body."""

    def __init__(self, guard: SessionGuard, *, started: bool = False) -> None:
        self.guard = guard
        self.started = started
        self.closed = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Strict:
        self.parts = self.generate(environ, start_response)
        return self

    def generate(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        if self.started:
            start_response("200 OK", [("Content-Type", "text/plain")])
        self.guard.session(environ, UserRoleClaim.includes("admin"))
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"a"
        yield b"b"

    def __iter__(self) -> Iterator[bytes]:
        return self.parts

    def close(self) -> None:
        self.closed += 1


def test_a_refusal_in_a_lazy_body_is_answered_too() -> None:
    """As werkzeug's client sees it, which raises whatever an app hands to ``start_response`` as exc_info."""
    site = Site()
    app = Strict(site.guard)
    client = Client(validator(Protect(app, site.guard)))
    with client.get("/", headers={"Authorization": f"Bearer {GOOD}"}) as refused:
        assert (refused.status_code, refused.json and refused.json["message"]) == (403, "invalid claim")
    assert app.closed == 1
    admin = with_claims(**{"st-role": {"v": ["admin"], "t": NOW * 1000}})
    with client.get("/", headers={"Authorization": f"Bearer {admin}"}) as answer:
        assert (answer.status_code, answer.data) == (200, b"ab")
    assert app.closed == 2


def test_an_app_of_one_function_may_refuse_with_return_or_yield() -> None:
    site = Site()

    @site.guard.protect()
    def eager(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        site.guard.session(environ, UserRoleClaim.includes("admin"))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"never"]

    @site.guard.protect()
    def lazy(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        site.guard.session(environ, UserRoleClaim.includes("admin"))
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"never"

    for app in (eager, lazy):
        assert Client(app).get("/", headers={"Authorization": f"Bearer {GOOD}"}).status_code == 403


def test_a_refusal_in_a_lazy_body_that_has_started_its_response_says_so() -> None:
    """The server decides, since only it knows whether it has sent the headers."""
    site, seen = Site(), []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        seen.append((status, exc_info is not None))

    body = Protect(Strict(site.guard, started=True), site.guard)(environ_of(bearer=GOOD), start_response)
    assert seen == [("200 OK", False), ("403 Forbidden", True)]
    assert b"st-role" in b"".join(body)


def test_handlers_of_any_framework_can_be_guarded() -> None:
    site = Site()

    class Request:
        def __init__(self, environ: dict[str, Any]) -> None:
            self.environ = environ

    @site.guard.required(UserRoleClaim.includes("admin"), environ_of=lambda request, name: request.environ)
    def handler(request: Request, name: str) -> str:
        """Greet."""
        session = session_of(request.environ)
        assert session is not None
        return f"{name} {session.user_id}"

    admin = with_claims(**{"st-role": {"v": ["admin"], "t": NOW * 1000}})
    assert handler(Request(environ_of(bearer=admin)), "hello") == "hello user-1"
    assert handler.__doc__ == "Greet."
    with pytest.raises(Refused) as caught:
        handler(Request(environ_of(bearer=GOOD)), "hello")
    assert refusal_response(caught.value).status == 403


def test_a_wsgi_app_can_be_decorated() -> None:
    site = Site()

    @site.guard.protect()
    def app(environ: dict[str, Any], start_response: Any) -> Any:
        return site.handler(environ, start_response)

    site.app = app
    assert site.ask(environ_of(bearer=GOOD)) == "OK"
    assert site.ask(environ_of()) == "401U"


@pytest.mark.parametrize(
    "options",
    [
        {"transport": "both"},
        {"transport": "header", "csrf": CsrfMode.VIA_TOKEN},
        {"transport": "header", "allowed_origins": ["https://a.example"]},
        {"csrf": "NONE"},
        {"csrf": None},
        {"csrf_safe_methods": ["POST"]},
        {"csrf_safe_methods": "GET"},
        {"allowed_origins": "https://a.example"},
        {"allowed_origins": ["a.example"]},
        {"is_revoked": "x"},
    ],
)
def test_contradictions_fail_at_construction(options: dict[str, Any]) -> None:
    """R10"""
    with pytest.raises(SettingError):
        SessionGuard(Bench().verifier, **{"csrf": CsrfMode.NONE, "transport": "any", **options})


def test_header_readers_are_usable_alone() -> None:
    assert bearer_token("bearer abc") == "abc"
    for several in ("Bearer a b", "Bearer a\tb", "Bearer a,b", "Bearer a, b", "Bearer \u00e4", "Bearer", "Bearer "):
        assert bearer_token(several) is None
    assert bearer_token("Bearer " + "a" * 20_000) is None
    assert cookie_values("a=1; b=%2561; a=2", "a") == ["1", "2"]
    assert cookie_values("a=1; b=%2561", "b") == ["%61"]
    assert cookie_values("a; a =1; A=2; xa=3; a=4", "a") == ["4"]
    assert cookie_values("b=" + "x" * 20_000 + "; a=1", "a") == []
    assert cookie_values('a="x"; a="; a=""', "a") == ["x", '"', ""]
