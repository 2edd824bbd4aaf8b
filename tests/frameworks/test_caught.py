"""Apps that catch our errors and answer 500 themselves: where this is seen, the client gets the protocol's response."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest
from werkzeug.test import Client

from st_wsgi import SuperTokens, answer_error
from st_wsgi.errors import Unauthorised
from st_wsgi.recipes.session import get_session
from st_wsgi.request import current

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PLAIN = [("Content-Type", "text/plain")]
UNAUTHORISED = {"message": "unauthorised"}


def view(environ: WSGIEnvironment) -> bytes:
    if environ["PATH_INFO"] == "/crash":
        raise RuntimeError("the app's own error")
    return get_session(environ).get_user_id().encode()


def starting_in_the_handler(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The usual middleware for errors that apps write, which passes no ``exc_info``."""
    try:
        body = view(environ)
    except Exception:
        start_response("500 Internal Server Error", list(PLAIN))
        return [b"an error page of the app"]
    start_response("200 OK", list(PLAIN))
    return [body]


def writing_in_the_handler(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    try:
        view(environ)
    except Exception:
        start_response("500 Internal Server Error", list(PLAIN))(b"an error page of the app")
    return []


def starting_in_a_generator(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    yield from starting_in_the_handler(environ, start_response)


def starting_after_a_hook(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """What CherryPy and web.py do: they have handled the error when they start the response."""
    try:
        view(environ)
    except Exception:
        answer_error()
    start_response("500 Internal Server Error", list(PLAIN))
    return [b"an error page of the app"]


def passing_the_error_to_a_hook(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    caught: list[Exception] = []
    try:
        view(environ)
    except Exception as error:
        caught.append(error)
    answer_error(caught[0])
    start_response("503 Service Unavailable", list(PLAIN))
    return [b"an error page of the app"]


@pytest.mark.parametrize(
    "app",
    [
        starting_in_the_handler,
        writing_in_the_handler,
        starting_in_a_generator,
        starting_after_a_hook,
        passing_the_error_to_a_hook,
    ],
)
@pytest.mark.parametrize("times", [1, 2], ids=["wrapped", "wrapped twice"])
def test_our_error_is_answered_and_the_apps_own_is_not_changed(st: SuperTokens, app: Any, times: int) -> None:
    wrapped: WSGIApplication = app
    for _ in range(times):
        wrapped = st.wrap(wrapped)
    client = Client(validator(wrapped))
    with client.get("/") as response:
        assert (response.status_code, response.json) == (401, UNAUTHORISED)
    with client.get("/crash") as crash:
        assert (crash.status_code >= 500, crash.get_data(as_text=True)) == (True, "an error page of the app")
    assert current.context() is None


@pytest.mark.parametrize("status", ["302 Found", "403 Forbidden", "200 OK"])
def test_what_an_app_makes_of_our_error_is_the_apps_choice(st: SuperTokens, status: str) -> None:
    """Only a 500 is a sign that the app did not expect the error."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            view(environ)
        except Unauthorised:
            start_response(status, [*PLAIN, ("Location", "/login")])
        return [b"please sign in"]

    response = Client(st.wrap(app)).get("/")
    assert (response.status_code, response.text) == (int(status[:3]), "please sign in")


def test_a_crash_after_the_app_has_handled_our_error_stays_a_crash(st: SuperTokens) -> None:
    def crashing_later(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with suppress(Unauthorised):
            view(environ)
        try:
            raise RuntimeError("the app's own error")
        except RuntimeError:
            start_response("500 Internal Server Error", list(PLAIN))
        return [b"an error page of the app"]

    def crashing_in_the_handler(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            try:
                view(environ)
            except Unauthorised:
                raise RuntimeError("the app's own error") from None  # which keeps ours as its context
        except RuntimeError:
            start_response("500 Internal Server Error", list(PLAIN))
        return [b"an error page of the app"]

    for each in (crashing_later, crashing_in_the_handler):
        assert Client(st.wrap(each)).get("/").status_code == 500


def test_an_error_that_an_outer_request_handles_is_not_the_inner_ones(st: SuperTokens) -> None:
    """The app calls itself while it handles an error of ours, and the inner call crashes."""
    inner: list[tuple[int, str]] = []

    def crashing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("500 Internal Server Error", list(PLAIN))
        return [b"an error page of the app"]

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            view(environ)
        except Unauthorised:
            response = Client(st.wrap(crashing)).get("/")
            inner.append((response.status_code, response.text))
        start_response("200 OK", list(PLAIN))
        return [b"done"]

    assert Client(st.wrap(app)).get("/").text == "done"
    assert inner == [(500, "an error page of the app")]


def test_after_the_response_has_started_nothing_is_replaced(st: SuperTokens) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(PLAIN))
        answer_error(Unauthorised())
        return [b"the app's"]

    response = Client(st.wrap(app)).get("/")
    assert (response.status_code, response.text) == (200, "the app's")


@pytest.mark.parametrize("error", [None, RuntimeError("the app's own error"), Unauthorised()])
def test_outside_a_request_there_is_nothing_to_answer(error: Exception | None) -> None:
    answer_error(error)
    assert current.context() is None


def test_an_error_without_a_request_is_not_kept_for_the_next(st: SuperTokens) -> None:
    """A hook that was told of an error leaves nothing behind in the thread."""
    client = Client(st.wrap(starting_after_a_hook))
    assert client.get("/").status_code == 401
    assert client.get("/crash").status_code == 500


@pytest.fixture(autouse=True)
def no_error_is_left() -> Iterator[None]:
    yield
    assert sys.exc_info() == (None, None, None)
