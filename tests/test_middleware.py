"""
Ours? Answer. Not ours? Get out of the way.

Every app is called with wsgiref's validator on both sides, which watches over PEP 3333.
"""

from __future__ import annotations

import inspect
import io
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import bottle  # type: ignore[import-untyped]  # it has no types
import flask
import pytest
from toy import Browser, NoCore, Toy, said_by, supertokens
from werkzeug.test import create_environ, run_wsgi_app
from werkzeug.wrappers import Response

from st_wsgi import ErrorHandler, Middleware, SuperTokens
from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.errors import (
    BadInput,
    ConfigError,
    CoreRefused,
    CoreUnavailable,
    FieldErrors,
    TryRefreshToken,
    Unauthorised,
)
from st_wsgi.request import current
from st_wsgi.request.changes import ResponseStarted
from st_wsgi.request.context import RequestContext
from st_wsgi.request.respond import json_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

TRY_REFRESH = {"message": "try refresh token"}
PLAIN = [("Content-Type", "text/plain")]


def visit(app: WSGIApplication, st: SuperTokens | None = None) -> Browser:
    """A client of a wrapped app: what the app sees and what the server sees are both valid WSGI."""
    instance = supertokens() if st is None else st
    return Browser(validator(instance.wrap(validator(app))))


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", list(PLAIN))
    return [b"hello from the app"]


def served(app: WSGIApplication, environ: WSGIEnvironment) -> tuple[bytes, str]:
    """The body and the status of the answer to a request made by hand."""
    body, status, _ = run_wsgi_app(app, environ, buffered=True)
    return b"".join(body), status


class TestNotOurs:
    """Foreign requests."""

    def test_an_instance_without_an_app_has_nothing_but_its_routes(self) -> None:
        client = Browser(validator(supertokens().wrap()))
        assert client.post("/auth/echo", json={}).status_code == 200
        for path in ("/", "/auth", "/auth/unknown", "/page"):
            assert client.get(path).status_code == 404
            assert client.head(path).data == b""

    def test_the_app_gets_what_the_server_sent_and_its_body_is_returned_as_it_is(self) -> None:
        body = [b"a", b"b"]
        seen: list[Any] = []

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            seen.append(environ)
            start_response("200 OK", list(PLAIN))
            return body

        environ = create_environ("/page", method="POST", data=b"unread")
        stream = environ["wsgi.input"]
        assert supertokens().wrap(app)(environ, lambda *_: lambda _data: None) is body
        assert seen[0] is environ
        assert environ["wsgi.input"] is stream
        assert stream.tell() == 0

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/page"),
            ("POST", "/auth"),
            ("POST", "/auth/"),
            ("POST", "/auth/unknown"),
            ("POST", "/auth/t1/unknown"),
            ("POST", "/auth/greet"),
            ("DELETE", "/auth/echo"),
            ("OPTIONS", "/auth/echo"),
            ("POST", "/authentic"),
        ],
    )
    def test_the_bodies_of_foreign_requests_stay_unread(self, method: str, path: str) -> None:
        """W-121."""

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", list(PLAIN))
            return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]

        assert visit(app).open(path, method=method, data=b"for the app").data == b"for the app"

    @pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
    def test_a_method_override_header_does_not_make_a_request_ours(self, header: str) -> None:
        """W-032."""
        answer = visit(hello).get("/auth/echo", headers={header: "POST"})
        assert answer.text == "hello from the app"

    @pytest.mark.parametrize("host", ["localhost/auth/greet?x=", "evil#", "a@b", "", "x" * 10_000])
    def test_the_host_header_has_no_part_in_routing(self, host: str) -> None:
        """W-027."""
        environ = create_environ("/page") | {"HTTP_HOST": host}
        assert served(visit(hello).application, environ)[0] == b"hello from the app"
        environ = create_environ("/auth/greet") | {"HTTP_HOST": host}
        assert served(visit(hello).application, environ)[0] == b'{"word":"hello public"}'

    @pytest.mark.parametrize("left_out", ["PATH_INFO", "SCRIPT_NAME", "REQUEST_METHOD", "CONTENT_TYPE", "QUERY_STRING"])
    def test_an_environ_that_lacks_a_key_is_no_reason_to_fail(self, left_out: str) -> None:
        """W-030."""
        for path in ("/page", "/auth/greet", "/auth/echo"):
            environ = create_environ(path, method="POST" if path == "/auth/echo" else "GET")
            environ.pop(left_out, None)
            assert served(supertokens().wrap(hello), environ)[1] in ("200 OK", "400 BAD REQUEST")

    def test_a_mounted_app_is_routed_by_the_path_below_its_mount_point(self) -> None:
        """W-030."""
        mounted = create_environ("/auth/greet") | {"SCRIPT_NAME": "/shop"}
        assert served(visit(hello).application, mounted)[0] == b'{"word":"hello public"}'
        other = create_environ("/greet") | {"SCRIPT_NAME": "/auth"}
        assert served(visit(hello).application, other)[0] == b"hello from the app"

    @pytest.mark.parametrize("path", ["/auth/ä/greet", "/auth/greet\xff", "/\xff", "/auth/\xe4/greet"])
    def test_raw_bytes_in_the_path_are_the_apps_business(self, path: str) -> None:
        """W-122."""
        environ = create_environ("/") | {"PATH_INFO": path.encode().decode("latin-1")}
        assert served(visit(hello).application, environ)[0] == b"hello from the app"
        environ = create_environ("/") | {"PATH_INFO": path.encode("latin-1", "replace").decode("latin-1")}
        assert served(visit(hello).application, environ)[0] == b"hello from the app"

    def test_an_exception_of_the_app_is_the_apps_business(self) -> None:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            raise CoreRefused(status=400, text="no", method="GET", path="/x")

        with pytest.raises(CoreRefused):
            visit(app).get("/page")


class TestOurs:
    """Requests to our routes."""

    def test_a_route_answers_and_the_app_is_not_called(self) -> None:
        def never(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            raise AssertionError("the app was called")

        answer = visit(never).get("/auth/greet")
        assert (answer.status_code, answer.mimetype, answer.json) == (
            200,
            "application/json",
            {"word": "hello public"},
        )

    def test_the_tenant_of_the_path_reaches_the_recipe(self) -> None:
        assert visit(hello).get("/auth/t1/greet").json == {"word": "hello t1"}

    def test_head_has_the_headers_of_get_and_no_body(self) -> None:
        """W-126."""
        get, head = visit(hello).get("/auth/greet"), visit(hello).head("/auth/greet")
        assert head.data == b""
        assert dict(head.headers) == dict(get.headers)

    def test_what_a_route_recorded_is_in_its_answer(self) -> None:
        answer = visit(hello).post("/auth/act")
        assert answer.headers["front-token"] == "made by a route"
        assert answer.headers["Access-Control-Expose-Headers"] == "front-token"

    def test_a_route_that_fails_says_nothing_about_it_and_takes_back_what_it_recorded(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """W-124 and W-092: no half session, no traceback in a response; the log has it."""

        def fail(_context: RequestContext) -> Response:
            raise RuntimeError("the inner life of a secret")

        with caplog.at_level(logging.ERROR, "st_wsgi"):
            answer = visit(hello, supertokens(Toy(act=fail))).post("/auth/act")
        assert (answer.status_code, answer.json) == (500, {"message": "internal error"})
        assert "front-token" not in answer.headers
        assert "the inner life" in caplog.text

    @pytest.mark.parametrize(
        ("error", "status", "body"),
        [
            (BadInput("say it otherwise"), 400, {"message": "say it otherwise"}),
            (
                FieldErrors([("email", "Email is invalid")]),
                200,
                {"status": "FIELD_ERROR", "formFields": [{"id": "email", "error": "Email is invalid"}]},
            ),
            (CoreUnavailable("http://core:3567 is down"), 503, {"message": "service unavailable"}),
            (
                CoreRefused(status=500, text="a core's stack trace", method="POST", path="/recipe/signin"),
                500,
                {"message": "internal error"},
            ),
            (ConfigError("a wrong setting"), 500, {"message": "internal error"}),
        ],
    )
    def test_an_error_in_a_route_is_answered_in_the_protocols_form(
        self, error: Exception, status: int, body: dict[str, Any]
    ) -> None:
        def fail(_context: RequestContext) -> Response:
            raise error

        answer = visit(hello, supertokens(Toy(act=fail))).post("/auth/act")
        assert (answer.status_code, answer.json) == (status, body)
        assert "front-token" not in answer.headers

    def test_an_outage_says_when_to_come_back(self) -> None:
        def fail(_context: RequestContext) -> Response:
            raise CoreUnavailable

        answer = visit(hello, supertokens(Toy(act=fail))).post("/auth/act")
        assert answer.headers["Retry-After"].isdigit()
        assert answer.headers["Cache-Control"] == "no-store"

    def test_a_session_error_in_a_route_is_answered_by_its_recipe_and_keeps_what_was_recorded(self) -> None:
        def fail(_context: RequestContext) -> Response:
            raise TryRefreshToken

        toy = Toy(act=fail)
        answer = visit(hello, supertokens(toy)).post("/auth/act")
        assert (answer.status_code, answer.json) == (401, TRY_REFRESH)
        assert answer.headers["front-token"] == "made by a route"
        assert answer.headers["X-Answered-By"] == "toy"
        assert answer.headers["Cache-Control"] == "no-store"

    def test_an_error_handler_that_fails_is_an_internal_error_too(self) -> None:
        """The last word of a recipe may itself need a core that refuses."""

        class Clumsy(Toy):
            def answer(self, error: Any, context: RequestContext) -> Response:
                raise CoreRefused(status=400, text="no", method="POST", path="/recipe/session/remove")

        def fail(_context: RequestContext) -> Response:
            raise TryRefreshToken

        answer = visit(hello, supertokens(Clumsy(act=fail))).post("/auth/act")
        assert (answer.status_code, answer.json) == (500, {"message": "internal error"})

    def test_a_body_of_ours_is_read_and_answered(self) -> None:
        assert visit(hello).post("/auth/echo", json={"a": ["ä"]}).json == {"a": ["ä"]}
        assert visit(hello).post("/auth/echo", data="a=1").status_code == 400

    def test_a_header_with_raw_bytes_is_no_reason_to_fail(self) -> None:
        """W-122."""
        environ = create_environ("/auth/greet") | {
            "HTTP_RID": "\xff\xfe",
            "HTTP_FDI_VERSION": "\xff",
            "HTTP_COOKIE": "a=\xff",
            "HTTP_AUTHORIZATION": "Bearer \xff",
        }
        assert served(visit(hello).application, environ)[1] == "200 OK"


def raising_at_once(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    raise TryRefreshToken


def raising_in_the_first_chunk(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    if environ:
        raise TryRefreshToken
    yield b"never"


def raising_after_empty_chunks(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    yield b""
    yield b""
    raise TryRefreshToken


def telling_by_exc_info(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """What frameworks do that turn every exception into a page of their own."""
    try:
        raise TryRefreshToken
    except TryRefreshToken:
        start_response("500 Internal Server Error", list(PLAIN), sys.exc_info())
    return [b"an error page of the app"]


def telling_by_exc_info_and_write(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    try:
        raise TryRefreshToken
    except TryRefreshToken:
        write = start_response(
            "500 Internal Server Error",
            list(PLAIN),
            sys.exc_info(),
        )
        write(b"an error page of the app")
    return []


def telling_by_exc_info_in_a_generator(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    yield from telling_by_exc_info(environ, start_response)


def flask_app() -> WSGIApplication:
    app = flask.Flask(__name__)

    @app.get("/page")
    def page() -> str:
        raise TryRefreshToken

    return app.wsgi_app


def bottle_app() -> WSGIApplication:
    app = bottle.Bottle()

    @app.get("/page")  # type: ignore[untyped-decorator]  # bottle has no types
    def page() -> str:
        raise TryRefreshToken

    result: WSGIApplication = app
    return result


RAISING = {
    "at once": raising_at_once,
    "first chunk": raising_in_the_first_chunk,
    "after empty chunks": raising_after_empty_chunks,
    "exc_info": telling_by_exc_info,
    "exc_info and write": telling_by_exc_info_and_write,
    "exc_info in a generator": telling_by_exc_info_in_a_generator,
    "flask": flask_app(),
    "bottle": bottle_app(),
}


@pytest.mark.filterwarnings("error")
class TestErrorsOfOursInTheApp:
    """An answerable error may be raised anywhere below."""

    @pytest.mark.parametrize("app", RAISING.values(), ids=RAISING)
    def test_it_is_answered_before_the_response_started_and_only_once(self, app: WSGIApplication) -> None:
        toy = Toy()
        # No validator inside: apps that are answered for do not call start_response, which it would point out.
        st = supertokens(toy)
        answer = Browser(validator(st.wrap(app))).get("/page")
        assert (answer.status_code, answer.json) == (401, TRY_REFRESH)
        assert answer.headers.getlist("X-Answered-By") == ["toy"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert toy.answered == 1
        assert current.context() is None

    @pytest.mark.parametrize("app", RAISING.values(), ids=RAISING)
    def test_head_gets_the_same_status_without_a_body(self, app: WSGIApplication) -> None:
        answer = Browser(validator(supertokens().wrap(app))).head("/page")
        assert (answer.status_code, answer.data) == (401, b"")

    def test_after_the_response_started_it_is_raised_again(self) -> None:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", list(PLAIN))
            raise TryRefreshToken

        with pytest.raises(TryRefreshToken):
            Browser(supertokens().wrap(app)).get("/page")
        assert current.context() is None

    def test_in_a_later_chunk_it_is_raised_again(self) -> None:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
            start_response("200 OK", list(PLAIN))
            yield b"first"
            raise TryRefreshToken

        body, status, _ = run_wsgi_app(supertokens().wrap(app), create_environ("/page"))
        parts = iter(body)
        assert (status, next(parts)) == ("200 OK", b"first")
        with pytest.raises(TryRefreshToken):
            next(parts)

    def test_a_foreign_exc_info_reaches_the_server(self) -> None:
        given: list[Any] = []

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            try:
                raise KeyError("x")
            except KeyError:
                start_response("500 Oh", list(PLAIN), sys.exc_info())
            return [b"page"]

        def start(*arguments: Any) -> Callable[[bytes], object]:
            given.extend(arguments)
            return lambda _data: None

        assert list(supertokens().wrap(app)(create_environ("/page"), start)) == [b"page"]
        assert given[0] == "500 Oh"
        assert isinstance(given[2][1], KeyError)

    def test_an_error_page_may_replace_a_response_that_was_announced_but_not_sent(self) -> None:
        """PEP 3333: start_response may be called again with exc_info."""

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", list(PLAIN))
            try:
                raise KeyError("x")
            except KeyError:
                start_response("500 Oh", list(PLAIN), sys.exc_info())
            return [b"page"]

        started: list[str] = []

        def start(status: str, *_: Any) -> Callable[[bytes], object]:
            started.append(status)
            return lambda _data: None

        assert list(supertokens().wrap(app)(create_environ("/page"), start)) == [b"page"]
        assert started == ["200 OK", "500 Oh"]

    def test_what_the_session_changed_is_in_that_error_page_too(self) -> None:
        """A renewed token is not lost because something else failed."""
        given: list[Any] = []

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            current.context_of(environ).changes.set_header("front-token", "renewed")
            try:
                raise KeyError("x")
            except KeyError:
                start_response("500 Oh", list(PLAIN), sys.exc_info())
            return [b"page"]

        def start(_status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
            given.extend(headers)
            return lambda _data: None

        list(supertokens().wrap(app)(create_environ("/page"), start))
        assert ("front-token", "renewed") in given

    def test_one_of_ours_after_the_start_reaches_the_server(self) -> None:
        """It is too late to answer it, and only the server can tell whether anything was sent."""
        given: list[Any] = []

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", list(PLAIN))
            try:
                raise TryRefreshToken
            except TryRefreshToken:
                start_response("401 Oh", list(PLAIN), sys.exc_info())
            return [b"page"]

        def start(*arguments: Any) -> Callable[[bytes], object]:
            given.append(arguments)
            return lambda _data: None

        assert list(supertokens().wrap(app)(create_environ("/page"), start)) == [b"page"]
        assert [arguments[0] for arguments in given] == ["200 OK", "401 Oh"]
        assert isinstance(given[1][2][1], TryRefreshToken)

    def test_a_change_recorded_before_but_kept_until_after_the_start_is_refused(self) -> None:
        """Who holds on to the changes is told as well."""

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            changes = current.context_of(environ).changes
            start_response("200 OK", list(PLAIN))
            with pytest.raises(ResponseStarted):
                changes.set_header("front-token", "too late")
            return [b"page"]

        assert Browser(supertokens().wrap(app)).get("/page").text == "page"

    def test_a_body_is_read_ahead_only_until_the_response_starts(self) -> None:
        pulled: list[int] = []

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
            for number in range(5):
                pulled.append(number)
                if number == 1:
                    start_response("200 OK", list(PLAIN))
                yield b""

        body = supertokens().wrap(app)(create_environ("/page"), lambda *_: lambda _data: None)
        assert pulled == [0, 1]
        assert list(body) == [b""] * 3

    def test_what_the_session_changed_is_in_the_answer_to_the_error(self) -> None:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            current.context_of(environ).changes.set_header("front-token", "remove", expose=True)
            raise TryRefreshToken

        assert visit(app).get("/page").headers["front-token"] == "remove"

    def test_an_error_that_no_recipe_answers_answers_itself(self) -> None:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            raise Unauthorised

        answer = Browser(validator(supertokens().wrap(app))).get("/page")
        assert (answer.status_code, answer.json) == (401, {"message": "unauthorised"})

    def test_an_outage_while_the_app_runs_is_a_503(self) -> None:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            NoCore().send(CoreRequest("GET", "/users"))
            return []

        answer = Browser(validator(supertokens().wrap(app))).get("/page")
        assert (answer.status_code, answer.json) == (503, {"message": "service unavailable"})


class Body:
    """A response body that counts what is done with it."""

    def __init__(self, chunks: Iterable[bytes] = (b"a", b"b"), before: Callable[[], None] = lambda: None) -> None:
        self._chunks = chunks
        self._before = before
        self.taken = 0
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        self._before()
        for chunk in self._chunks:
            self.taken += 1
            yield chunk

    def close(self) -> None:
        self.closed += 1


def fail_with(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


class TestBodies:
    """The app's body is passed on, piece by piece, and always closed."""

    def lazily(self, body: Body, started: list[Any] | None = None) -> WSGIApplication:
        """An app that starts its response when its body is read, as generator apps do."""

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            def begin() -> None:
                current.context_of(environ).changes.set_header("front-token", "late but in time")
                start_response("200 OK", list(PLAIN))

            body._before = begin
            return body

        return app

    def test_a_lazy_app_runs_inside_the_seam_and_what_it_changes_is_not_lost(self) -> None:
        body = Body()
        answer = visit(self.lazily(body)).get("/page")
        assert (answer.text, answer.headers["front-token"]) == ("ab", "late but in time")

    def test_only_the_first_bytes_of_a_lazy_app_are_read_ahead(self) -> None:
        body = Body([b"", b"", b"a", b"b", b"c"])
        given = supertokens().wrap(self.lazily(body))(create_environ("/page"), lambda *_: lambda _data: None)
        assert body.taken <= 3
        parts = iter(given)
        assert b"".join([next(parts), next(parts)]).strip(b"") in (b"a", b"ab")
        assert body.taken < 5
        assert b"".join(parts).endswith(b"c")

    @pytest.mark.parametrize("chunks", [[], [b""], [b"", b""]])
    def test_an_empty_body_stays_empty(self, chunks: list[bytes]) -> None:
        body = Body(chunks)
        answer = visit(self.lazily(body)).get("/page")
        assert (answer.status_code, answer.data) == (200, b"")
        assert body.closed == 1

    def test_a_lazy_body_is_closed_once_after_it_was_read(self) -> None:
        body = Body()
        visit(self.lazily(body)).get("/page")
        assert body.closed == 1

    def test_a_body_is_closed_when_the_client_goes_away_early(self) -> None:
        body = Body([b"a", b"b", b"c"])
        given = supertokens().wrap(self.lazily(body))(create_environ("/page"), lambda *_: lambda _data: None)
        next(iter(given))
        given.close()  # type: ignore[attr-defined]  # what PEP 3333 calls it
        assert body.closed == 1
        assert body.taken < 3

    @pytest.mark.parametrize("error", [TryRefreshToken(), ValueError("the app's")], ids=["ours", "the app's"])
    def test_a_body_that_fails_when_it_is_first_read_is_closed(self, error: Exception) -> None:
        body = Body(before=fail_with(error))

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            return body

        client = Browser(supertokens().wrap(app))
        if isinstance(error, ValueError):
            with pytest.raises(ValueError, match="the app's"):
                client.get("/page")
        else:
            assert client.get("/page").status_code == 401
        assert body.closed == 1

    def test_a_body_that_is_replaced_by_our_answer_is_closed_and_not_read(self) -> None:
        body = Body()

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            telling_by_exc_info(environ, start_response)
            return body

        assert Browser(supertokens().wrap(app)).get("/page").status_code == 401
        assert (body.closed, body.taken) == (1, 0)

    def test_a_generator_without_close_after_start_is_passed_on(self) -> None:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
            start_response("200 OK", list(PLAIN))
            yield b"a"
            yield b"b"

        assert visit(app).get("/page").text == "ab"

    def test_an_app_may_use_write(self) -> None:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            current.context_of(environ).changes.set_header("front-token", "in time")
            write = start_response("200 OK", list(PLAIN))
            write(b"a")
            write(b"b")
            return [b"c"]

        answer = visit(app).get("/page")
        assert (answer.text, answer.headers["front-token"]) == ("abc", "in time")

    def test_an_error_of_ours_before_write_is_answered_and_after_it_raised_again(self) -> None:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/before":
                raise TryRefreshToken
            start_response("200 OK", list(PLAIN))(b"a")
            raise TryRefreshToken

        client = Browser(supertokens().wrap(app))
        assert client.get("/before").status_code == 401
        with pytest.raises(TryRefreshToken):
            client.get("/after")

    def test_a_file_from_the_servers_file_wrapper_reaches_the_server_as_it_is(self) -> None:
        class FileWrapper:
            def __init__(self, file: Any, size: int = 8192) -> None:
                self.file = file

            def __iter__(self) -> Iterator[bytes]:
                return iter(self.file)

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", list(PLAIN))
            wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(b"file"))
            return wrapped

        environ = create_environ("/page") | {"wsgi.file_wrapper": FileWrapper}
        assert isinstance(supertokens().wrap(app)(environ, lambda *_: lambda _data: None), FileWrapper)

    def test_a_change_after_the_response_started_is_refused_with_the_reason(self) -> None:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", list(PLAIN))
            current.context_of(environ).changes.set_header("front-token", "too late")
            return []

        with pytest.raises(ResponseStarted, match="before the first byte"):
            Browser(supertokens().wrap(app)).get("/page")


class TestContext:
    """A request's context lives in its environ and ends with it."""

    def test_it_is_in_flight_while_the_app_runs_and_not_afterwards(self) -> None:
        """W-125."""
        seen: list[Any] = []

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            seen.append(current.context())
            assert current.context_of(environ) is current.context()
            return hello(environ, start_response)

        assert current.context() is None
        visit(app).get("/page")
        assert isinstance(seen[0], RequestContext)
        assert current.context() is None

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
    def test_it_ends_with_an_exception_too(self, error: type[BaseException]) -> None:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            raise error

        with pytest.raises(error):
            supertokens().wrap(app)(create_environ("/page"), lambda *_: lambda _data: None)
        assert current.context() is None

    def test_a_request_inside_a_request_has_its_own_and_the_outer_one_comes_back(self) -> None:
        """An app that calls itself, or another wrapped app, through a WSGI client."""
        st = supertokens()
        inner = Browser(st.wrap(hello))
        same: list[bool] = []

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            before = current.context()
            inner.get("/page")
            same.append(current.context() is before)
            return hello(environ, start_response)

        Browser(st.wrap(app)).get("/page")
        assert same == [True]

    def test_the_user_context_of_a_request_is_the_same_everywhere_in_it_and_in_no_other(self) -> None:
        seen: list[Any] = []

        def act(context: RequestContext) -> Response:
            seen.append(current.user_context())
            current.user_context()["mark"] = len(seen)
            assert context.user_context is current.user_context()
            return json_response({})

        client = visit(hello, supertokens(Toy(act=act)))
        client.post("/auth/act")
        client.post("/auth/act")
        assert seen == [{"mark": 1}, {"mark": 2}]

    def test_outside_a_request_a_user_context_is_empty_unless_one_is_opened(self) -> None:
        st = supertokens()
        current.set_default(st.services)
        try:
            current.user_context()["lost"] = 1
            assert current.user_context() == {}
            with current.open_user_context({"a": 1}) as notes:
                current.user_context()["b"] = 2
                assert notes == {"a": 1, "b": 2}
            assert current.user_context() == {}
        finally:
            current.set_default(None)

    def test_an_error_that_is_asked_for_its_answer_again_gives_the_same(self) -> None:
        """Some frameworks ask for a preview before they send the answer."""
        toy = Toy()
        environ = create_environ("/page")
        context = RequestContext(supertokens(toy).services, environ)
        error = TryRefreshToken()
        assert context.answer(error) is context.answer(error)
        assert toy.answered == 1
        assert context.answer(TryRefreshToken()) is not context.answer(error)

    def test_a_request_that_did_not_come_through_says_what_to_do(self) -> None:
        with pytest.raises(ConfigError, match=r"wrap the app, such as app\.wsgi_app = st\.wrap\(app\.wsgi_app\)"):
            current.context_of(create_environ("/page"))
        with pytest.raises(ConfigError, match="no request is in flight here"):
            current.context_of()
        with pytest.raises(TypeError, match="a WSGI environ or a request is needed, not int"):
            current.context_of(5)

    def test_without_an_instance_the_functions_say_what_to_do(self) -> None:
        assert current.context() is None
        with pytest.raises(ConfigError, match=r"call st_wsgi\.init"):
            said_by("x")

    @pytest.mark.parametrize("attribute", ["environ", "META", "env"])
    def test_any_frameworks_request_object_leads_to_it(self, attribute: str) -> None:
        """Flask, Werkzeug, Bottle and Pyramid; Django; Falcon."""

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            request = type("Request", (), {attribute: environ})()
            assert current.context_of(request) is current.context()
            return hello(environ, start_response)

        assert visit(app).get("/page").status_code == 200


class TestTheCallables:
    """ErrorHandler is the seam alone, Middleware the routing alone, wrap both."""

    def test_the_error_handler_alone_serves_no_route(self) -> None:
        client = Browser(validator(ErrorHandler(hello, supertokens())))
        assert client.get("/auth/greet").text == "hello from the app"
        assert Browser(validator(ErrorHandler(raising_at_once, supertokens()))).get("/x").status_code == 401

    def test_the_middleware_alone_serves_routes_with_all_that_belongs_to_them(self) -> None:
        client = Browser(validator(Middleware(hello, supertokens())))
        assert client.get("/page").text == "hello from the app"
        assert client.post("/auth/act").headers["front-token"] == "made by a route"
        assert current.context() is None

    def test_the_middleware_alone_leaves_the_errors_of_the_app_alone(self) -> None:
        with pytest.raises(TryRefreshToken):
            Browser(Middleware(raising_at_once, supertokens())).get("/page")

    def test_the_two_can_be_put_together_by_hand_with_something_in_between(self) -> None:
        st = supertokens()
        inner = Middleware(raising_at_once, st)

        def between(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            current.context_of(environ).changes.set_header("X-Between", "yes")
            return inner(environ, start_response)

        client = Browser(validator(ErrorHandler(between, st)))
        assert client.get("/page").status_code == 401
        for path in ("/page", "/auth/greet"):
            assert client.get(path).headers["X-Between"] == "yes"

    def test_the_callables_show_the_two_parameters_of_a_wsgi_app(self) -> None:
        """Falcon's test client counts them, and takes an app with a third one, such as self, for another kind."""
        for app in (supertokens().wrap(hello), ErrorHandler(hello, supertokens())):
            assert inspect.getfullargspec(app).args == ["environ", "start_response"]

    def test_wrapping_twice_serves_once(self) -> None:
        st = supertokens()
        client = Browser(validator(st.wrap(st.wrap(raising_at_once))))
        assert client.get("/auth/greet").json == {"word": "hello public"}
        assert client.get("/page").headers.getlist("X-Answered-By") == ["toy"]
