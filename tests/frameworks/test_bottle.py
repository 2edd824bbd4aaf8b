"""Bottle: what the plugin is for."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import bottle
import pytest
from werkzeug.test import Client, TestResponse, run_wsgi_app

from st_wsgi import SuperTokens, errors
from st_wsgi.errors import (
    BadInput,
    CoreUnavailable,
    Forbidden,
    InvalidClaims,
    TokenTheftDetected,
    TooManyRequests,
    TryRefreshToken,
    Unauthorised,
)
from st_wsgi.frameworks.bottle import answer_errors, init_app
from st_wsgi.recipes import session

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

UNAUTHORISED = {"message": "unauthorised"}


def with_session() -> str:
    return session.get_session(bottle.request).get_user_id()


def generated() -> Iterator[str]:
    yield session.get_session(bottle.request).get_user_id()


def errors_printed(app: WSGIApplication, path: str) -> str:
    printed = io.StringIO()
    body, _status, _headers = run_wsgi_app(
        app, {"PATH_INFO": path, "REQUEST_METHOD": "GET", "wsgi.errors": printed, "wsgi.input": io.BytesIO()}
    )
    list(body)
    return printed.getvalue()


@pytest.fixture
def site() -> bottle.Bottle:
    site = bottle.Bottle()
    site.get("/view", callback=with_session)
    site.get("/generated", callback=generated)
    return site


def test_an_error_of_ours_is_not_printed_as_a_crash(site: bottle.Bottle, st: SuperTokens) -> None:
    assert "Traceback" in errors_printed(st.wrap(site), "/view")
    assert errors_printed(init_app(site, st), "/view") == ""


def test_a_generator_view_is_answered_before_its_first_part(site: bottle.Bottle, st: SuperTokens) -> None:
    """Bottle alone makes 500 of it, and layers in front cannot tell why."""
    assert Client(st.wrap(site)).get("/generated").status_code == 500
    answer = Client(init_app(site, st)).get("/generated")
    assert (answer.status_code, answer.json) == (401, UNAUTHORISED)


@pytest.mark.parametrize(("parts", "body"), [([], b""), (["", ""], b""), (["", "a", "", "b"], b"ab"), ([b"a"], b"a")])
def test_other_generator_views_are_left_alone_and_closed(
    site: bottle.Bottle, st: SuperTokens, parts: list[Any], body: bytes
) -> None:
    closed = []

    def view() -> Iterator[Any]:
        try:
            yield from parts
        finally:
            closed.append(True)

    site.get("/parts", callback=view)
    with Client(init_app(site, st)).get("/parts") as answer:
        assert answer.data == body
    assert closed == [True]


def test_a_generator_that_is_not_read_to_its_end_is_closed(site: bottle.Bottle, st: SuperTokens) -> None:
    closed = []

    def view() -> Iterator[str]:
        try:
            while True:
                yield "more"
        finally:
            closed.append(True)

    site.get("/endless", callback=view)
    app = init_app(site, st)
    body, _status, _headers = run_wsgi_app(app, {"PATH_INFO": "/endless", "REQUEST_METHOD": "GET"})
    assert next(iter(body)) == b"more"
    body.close()  # type: ignore[attr-defined]  # werkzeug's iterator has it when the app's has
    assert closed == [True]


def test_hooks_see_the_answer(site: bottle.Bottle, st: SuperTokens) -> None:
    """A hook that adds the app's own CORS headers is how many Bottle apps do it."""

    @site.hook("after_request")
    def cross_origin() -> None:
        bottle.response.set_header("Access-Control-Allow-Origin", "http://shop.example")

    answer = Client(init_app(site, st)).get("/view")
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == "http://shop.example"


class Rows:
    """A body that is an iterator and no generator; it is to be closed."""

    def __init__(self, first: Callable[[], str]) -> None:
        self.parts = iter((first, lambda: "more"))
        self.closed = 0

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> str:
        return next(self.parts)()

    def close(self) -> None:
        self.closed += 1


def test_any_lazy_body_is_answered_before_its_first_part(site: bottle.Bottle, st: SuperTokens) -> None:
    rows = Rows(with_session)
    site.get("/map", callback=lambda: map(session.get_session, [None]))
    site.get("/rows", callback=lambda: rows)
    client = Client(init_app(site, st))
    for path in ("/map", "/rows"):
        answer = client.get(path)
        assert (answer.status_code, answer.json) == (401, UNAUTHORISED)
    assert rows.closed == 1


def test_other_lazy_bodies_and_files_are_left_alone_and_closed(site: bottle.Bottle, st: SuperTokens) -> None:
    rows, file = Rows(lambda: ""), io.BytesIO(b"a file")
    site.get("/map", callback=lambda: map(str.upper, ["", "a", "b"]))
    site.get("/rows", callback=lambda: rows)
    site.get("/file", callback=lambda: file)
    client = Client(init_app(site, st))
    for path, data in (("/map", b"AB"), ("/rows", b"more"), ("/file", b"a file")):
        with client.get(path) as answer:
            assert answer.data == data
    assert (rows.closed, file.closed) == (1, True)


def mount(outer: bottle.Bottle, prefix: str, inner: bottle.Bottle) -> None:
    """In both ways: with a slash at the end the routes are lent; without one the app is called (and Bottle warns)."""
    with nullcontext() if prefix.endswith("/") else pytest.deprecated_call(match="Falling back to WSGI mount"):
        outer.mount(prefix, inner)


RAISED: dict[str, errors.Answerable] = {
    "bad": BadInput("who are you"),
    "banned": Forbidden(),
    "early": TryRefreshToken("expired"),
    "rate": TooManyRequests(retry_after=3),
    "stolen": TokenTheftDetected(session_handle="a", user_id="b", recipe_user_id="c"),
    "claims": InvalidClaims([("admin", "is missing")]),
    "gone": Unauthorised(),
    "kept": Unauthorised(clear_tokens=False),
    "down": CoreUnavailable("not there"),
}


def raising(name: str) -> None:
    raise RAISED[name]


def whole(answer: TestResponse) -> tuple[Any, ...]:
    """All that a frontend acts on, cookies included."""
    wanted = ("Retry-After", "front-token", "st-access-token", "st-refresh-token")
    headers = [answer.headers.get(name) for name in wanted]
    return answer.status_code, answer.json, answer.headers.getlist("Set-Cookie"), headers


@pytest.mark.parametrize("prefix", ["/inner/", "/inner"])
@pytest.mark.parametrize("put", [lambda site, st: st.wrap(site), init_app])
def test_a_mounted_app_is_protected_too(
    put: Callable[[bottle.Bottle, SuperTokens], WSGIApplication], site: bottle.Bottle, st: SuperTokens, prefix: str
) -> None:
    """With the very answers of the same app alone: what keeps the tokens keeps them, what clears them clears both."""
    site.get("/raise/<name>", callback=raising)
    outer = bottle.Bottle()
    mount(outer, prefix, site)
    alone, mounted = Client(st.wrap(site)), Client(put(outer, st))
    for path in ("/view", *(f"/raise/{name}" for name in RAISED)):
        assert whole(mounted.get(f"/inner{path}")) == whole(alone.get(path)), path
    kept = mounted.get("/inner/view")
    assert (kept.status_code, kept.json) == (401, UNAUTHORISED)
    assert "Set-Cookie" not in kept.headers
    assert "front-token" not in kept.headers
    assert len(mounted.get("/inner/raise/gone").headers.getlist("Set-Cookie")) == 2


@pytest.mark.parametrize(("within", "prefix"), [("/middle/", "/inner/"), ("/middle", "/inner/"), ("/middle", "/inner")])
def test_the_plugin_is_in_mounted_apps_too(site: bottle.Bottle, st: SuperTokens, within: str, prefix: str) -> None:
    """In each of them once, and in those that are mounted in a mounted one."""
    middle, outer = bottle.Bottle(), bottle.Bottle()
    mount(middle, prefix, site)
    mount(outer, within, middle)
    app = init_app(outer, st)
    for path in ("/middle/inner/view", "/middle/inner/generated"):
        answer = Client(app).get(path)
        assert (answer.status_code, answer.json) == (401, UNAUTHORISED)
        assert errors_printed(app, path) == ""
    assert [each.plugins.count(answer_errors) for each in (outer, site)] == [1, 1]


@pytest.mark.parametrize(("later", "status"), [(False, 401), (True, 500)])
def test_a_plugin_that_answers_everything_is_installed_before_ours(
    site: bottle.Bottle, st: SuperTokens, later: bool, status: int
) -> None:
    """Bottle calls the plugin that was installed last first."""

    def answer_everything(view: Callable[..., Any]) -> Callable[..., Any]:
        def answering(*args: Any, **kwargs: Any) -> Any:
            try:
                return view(*args, **kwargs)
            except bottle.HTTPResponse:
                raise
            except Exception as error:
                raise bottle.HTTPError(500, "caught") from error

        return answering

    if later:
        app = init_app(site, st)
        site.install(answer_everything)
    else:
        site.install(answer_everything)
        app = init_app(site, st)
    assert Client(app).get("/view").status_code == status


def test_catchall_off_changes_nothing(site: bottle.Bottle, st: SuperTokens) -> None:
    site.catchall = False
    answer = Client(init_app(site, st)).get("/view")
    assert (answer.status_code, answer.json) == (401, UNAUTHORISED)
