"""Bottle: what the plugin is for."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import bottle
import pytest
from werkzeug.test import Client, run_wsgi_app

from st_wsgi import SuperTokens
from st_wsgi.frameworks.bottle import init_app
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
    """Bottle alone makes 500 of it, and nobody in front can tell why."""
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


@pytest.mark.parametrize("put", [lambda site, st: st.wrap(site), init_app])
def test_a_mounted_app_is_protected_too(
    put: Callable[[bottle.Bottle, SuperTokens], WSGIApplication], site: bottle.Bottle, st: SuperTokens
) -> None:
    outer = bottle.Bottle()
    outer.mount("/inner/", site)
    answer = Client(put(outer, st)).get("/inner/view")
    assert (answer.status_code, answer.json) == (401, UNAUTHORISED)


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
