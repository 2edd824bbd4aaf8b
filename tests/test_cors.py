"""Browsers may call with credentials from the listed origins only."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING
from wsgiref.validate import validator

import flask
import pytest
from toy import Browser, Toy, supertokens
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from st_wsgi import Cors, get_all_cors_expose_headers, get_all_cors_headers
from st_wsgi.errors import ConfigError, TryRefreshToken
from st_wsgi.request.context import RequestContext

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SHOP = "https://shop.example"
OTHER = "http://localhost:3000"
ALLOWED = {
    "Access-Control-Allow-Origin": SHOP,
    "Access-Control-Allow-Credentials": "true",
    "Vary": "Origin",
}


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """An app whose own headers are in the query, one a parameter."""
    if environ["PATH_INFO"] == "/protected":
        raise TryRefreshToken
    asked = environ["QUERY_STRING"].replace("%20", " ")
    headers = [(part.partition("=")[0], part.partition("=")[2]) for part in asked.split("&") if part]
    start_response("200 OK", [("Content-Type", "text/plain"), *headers])
    return [b"app"]


def refuse(_context: RequestContext) -> Response:
    raise TryRefreshToken


def browser(*, whole_app: bool = False, cors: bool = True) -> Browser:
    rules = Cors(origins=[SHOP, OTHER], whole_app=whole_app) if cors else None
    return Browser(validator(supertokens(Toy(act=refuse), cors=rules).wrap(app)))


def cross_origin_headers(answer: TestResponse) -> dict[str, str]:
    return {
        name: value
        for name, value in answer.headers.items()
        if name == "Vary" or (name.startswith("Access-Control-Allow") and name != "Access-Control-Allow-Headers")
    }


def preflight(client: Browser, path: str, origin: str = SHOP) -> TestResponse:
    return client.options(path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})


@pytest.mark.parametrize("origin", [SHOP, OTHER])
def test_a_listed_origin_may_read_our_answers_with_credentials(origin: str) -> None:
    answer = browser().get("/auth/greet", headers={"Origin": origin})
    assert cross_origin_headers(answer) == ALLOWED | {"Access-Control-Allow-Origin": origin}


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example:443",
        "https://shop.example.",
        "https://SHOP.example",
        "HTTPS://shop.example",
        "https://shop.example/",
        "https://shop.example, https://evil.example",
        "https://sub.shop.example",
        "*",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/auth/greet", "/protected"])
def test_any_other_origin_gets_no_permission(path: str, origin: str) -> None:
    """W-010: origins are compared exactly; W-011: the answer still varies by origin."""
    for answer in (browser().get(path, headers={"Origin": origin}), preflight(browser(), path, origin)):
        if answer.text != "app":
            assert cross_origin_headers(answer).keys() <= {"Vary", "Access-Control-Allow-Methods"}
            assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("path", ["/auth/greet", "/auth/echo", "/auth/act", "/protected"])
@pytest.mark.parametrize("origin", [None, SHOP, "https://evil.example"])
def test_every_answer_of_ours_varies_by_origin_errors_included(path: str, origin: str | None) -> None:
    """W-011."""
    headers = {} if origin is None else {"Origin": origin}
    answer = browser().open(path, method="GET" if path in ("/auth/greet", "/protected") else "POST", headers=headers)
    assert answer.headers["Vary"] == "Origin"
    assert ("Access-Control-Allow-Origin" in answer.headers) is (origin == SHOP)


@pytest.mark.parametrize(
    ("path", "methods"), [("/auth/greet", "GET"), ("/auth/echo", "POST"), ("/auth/t1/echo/", "POST")]
)
def test_a_preflight_to_our_routes_is_answered_with_exactly_the_headers_that_frontends_send(
    path: str, methods: str
) -> None:
    """W-013."""
    answer = preflight(browser(), path)
    assert (answer.status_code, answer.data) == (204, b"")
    assert cross_origin_headers(answer) == ALLOWED | {"Access-Control-Allow-Methods": methods}
    allowed = {name.strip() for name in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert allowed == {"rid", "fdi-version", "anti-csrf", "authorization", "st-auth-mode", "content-type"}
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert "Content-Type" not in answer.headers


def test_a_preflight_does_not_run_the_route() -> None:
    toy = Toy(act=refuse)
    client = Browser(validator(supertokens(toy, cors=Cors(origins=SHOP)).wrap(app)))
    assert preflight(client, "/auth/act").status_code == 204
    assert toy.answered == 0


@pytest.mark.parametrize(
    "headers",
    [{"Origin": SHOP}, {"Access-Control-Request-Method": "POST"}, {}],
    ids=["no method asked for", "no origin", "neither"],
)
def test_options_that_are_no_preflight_go_to_the_app(headers: dict[str, str]) -> None:
    assert browser().options("/auth/greet", headers=headers).text == "app"


@pytest.mark.parametrize("path", ["/page", "/auth/unknown"])
def test_preflights_and_answers_of_the_app_are_left_alone_unless_asked_for(path: str) -> None:
    assert preflight(browser(), path).text == "app"
    assert cross_origin_headers(browser().get(path, headers={"Origin": SHOP})) == {}


def test_the_whole_app_can_be_covered() -> None:
    client = browser(whole_app=True)
    assert cross_origin_headers(client.get("/page", headers={"Origin": SHOP})) == ALLOWED
    answer = preflight(client, "/page")
    assert answer.status_code == 204
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= {
        name.strip() for name in answer.headers["Access-Control-Allow-Methods"].split(",")
    }


def test_an_error_of_ours_in_the_app_can_be_read_by_the_frontend_although_the_app_is_not_covered() -> None:
    """Without these headers a browser hides the 401, and the frontend cannot refresh."""
    answer = browser().get("/protected", headers={"Origin": SHOP})
    assert answer.status_code == 401
    assert cross_origin_headers(answer) == ALLOWED


def test_without_rules_no_cross_origin_header_is_added_and_preflights_are_the_apps() -> None:
    client = browser(cors=False)
    assert cross_origin_headers(client.get("/auth/greet", headers={"Origin": SHOP})) == {}
    assert preflight(client, "/auth/greet").text == "app"


def test_an_app_that_has_its_own_cors_layer_keeps_its_headers_undoubled() -> None:
    own = "/page?Access-Control-Allow-Origin=https://other.example&Vary=Origin"
    answer = browser(whole_app=True).get(own, headers={"Origin": SHOP})
    assert answer.headers.getlist("Access-Control-Allow-Origin") == ["https://other.example"]
    assert answer.headers.getlist("Vary") == ["Origin"]


@pytest.mark.parametrize(
    ("own", "vary"),
    [
        ("Vary=Cookie", ["Cookie, Origin"]),
        ("Vary=Accept,%20origin", ["Accept, origin"]),
        ("vary=*", ["*"]),
        ("Vary=Accept&Vary=Origin", ["Accept", "Origin"]),
        ("", ["Origin"]),
    ],
)
def test_what_the_app_varies_by_is_added_to(own: str, vary: list[str]) -> None:
    answer = browser(whole_app=True).get(f"/page?{own}", headers={"Origin": SHOP})
    assert answer.headers.getlist("Vary") == vary


def test_each_request_is_judged_by_its_own_origin() -> None:
    """W-012: nothing is remembered from the first request."""
    client = browser()
    for origin in (SHOP, OTHER, "https://evil.example", SHOP):
        answer = client.get("/auth/greet", headers={"Origin": origin})
        assert answer.headers.get("Access-Control-Allow-Origin") == (origin if origin in (SHOP, OTHER) else None)


def test_the_headers_that_an_apps_own_cors_layer_has_to_allow() -> None:
    assert get_all_cors_headers() == ["anti-csrf", "authorization", "fdi-version", "rid", "st-auth-mode"]
    get_all_cors_headers().clear()
    assert len(get_all_cors_headers()) == 5


def test_a_refusal_in_a_view_can_be_read_whether_a_framework_or_we_answer_it() -> None:
    """Frameworks ask our errors for their response, so that it reaches the server as the app's own."""
    made = flask.Flask(__name__)

    @made.get("/page")
    def view() -> str:
        raise TryRefreshToken

    @made.get("/fine")
    def fine() -> str:
        return "fine"

    client = Browser(supertokens(cors=Cors(origins=[SHOP])).wrap(made.wsgi_app))
    answer = client.get("/page", headers={"Origin": SHOP})
    assert answer.status_code == 401
    assert cross_origin_headers(answer) == ALLOWED
    assert cross_origin_headers(client.get("/fine", headers={"Origin": SHOP})) == {}


@pytest.mark.parametrize(
    ("path", "asked", "reason"),
    [
        ("/auth/act", {"Origin": "https://evil.example"}, "the origin 'https://evil.example' is not one of"),
        ("/auth/act", {"Origin": "https://shop.example:8443"}, "the origin 'https://shop.example:8443' is not one of"),
        ("/auth/act", {"Access-Control-Request-Method": "PUT"}, "the method 'PUT' is not one of POST"),
        ("/page", {"Access-Control-Request-Method": "PURGE"}, "the method 'PURGE' is not one of GET, HEAD, POST"),
        ("/auth/act", {"Access-Control-Request-Headers": "rid,x-own"}, "the header 'x-own' is not one of content-type"),
        ("/page", {"Access-Control-Request-Headers": "rid, X-Csrf"}, "the header 'X-Csrf' is not one of content-type"),
        ("/page", {"Origin": "https://e.example\\" + "x" * 1_000}, "the origin 'https://e.example"),
    ],
)
def test_a_preflight_that_fails_says_why_in_one_debug_line(
    path: str, asked: dict[str, str], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A browser tells only its own console, and not the whole truth."""
    client = browser(whole_app=True)
    with caplog.at_level(logging.DEBUG, "st_wsgi"):
        client.options(path, headers={"Origin": SHOP, "Access-Control-Request-Method": "POST", **asked})
    (record,) = [record for record in caplog.records if record.name == "st_wsgi.cors"]
    assert record.levelno == logging.DEBUG
    assert repr(path) in record.getMessage()
    assert reason in record.getMessage()
    assert len(record.getMessage()) < 700


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"Access-Control-Request-Method": "GET"},
        {"Access-Control-Request-Headers": "rid,fdi-version,st-auth-mode, authorization , Content-Type,anti-csrf"},
        {"Access-Control-Request-Headers": ""},
    ],
)
def test_a_preflight_that_a_browser_takes_for_permission_says_nothing(
    asked: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "st_wsgi"):
        browser().options("/auth/act", headers={"Origin": SHOP, "Access-Control-Request-Method": "POST", **asked})
    assert [record.getMessage() for record in caplog.records if record.name == "st_wsgi.cors"] == []


def test_the_headers_that_an_apps_own_cors_layer_has_to_expose() -> None:
    assert get_all_cors_expose_headers() == ["anti-csrf", "front-token", "st-access-token", "st-refresh-token"]
    get_all_cors_expose_headers().clear()
    assert len(get_all_cors_expose_headers()) == 4


def test_browsers_remember_a_preflight_for_as_long_as_the_app_says() -> None:
    for rules, seconds in ((Cors(origins=[SHOP]), "600"), (Cors(origins=[SHOP], max_age=5), "5")):
        client = Browser(validator(supertokens(Toy(act=refuse), cors=rules).wrap(app)))
        assert preflight(client, "/auth/act").headers["Access-Control-Max-Age"] == seconds


def test_an_app_names_the_headers_that_its_own_routes_take() -> None:
    rules = Cors(origins=[SHOP], whole_app=True, allow_headers=["X-CSRFToken", "rid"])
    client = Browser(validator(supertokens(Toy(act=refuse), cors=rules).wrap(app)))
    ours = ["content-type", *get_all_cors_headers()]
    for path, allowed in (("/page", [*ours, "x-csrftoken"]), ("/auth/act", ours)):
        answer = preflight(client, path)
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Headers"].split(", ") == allowed


@pytest.mark.parametrize("wrong", ["*", "X-A, X-B", ["X-A\r\n"], [""]])
def test_only_names_of_headers_can_be_allowed(wrong: str | list[str]) -> None:
    with pytest.raises(ConfigError, match="allow_headers must be names of headers"):
        Cors(origins=[SHOP], allow_headers=wrong)
