"""What is left of a request when its app has returned: all of it for who still has the request, else nothing."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from memory import outlives_its_answer, serve
from toy import Browser
from werkzeug.test import create_environ
from werkzeug.wrappers import Request

import st_wsgi
from recipes.shop import REFRESH, WEBSITE, Borrowed, Shop, Visitor, form, no_mail
from st_wsgi import Cors, Middleware, RecipeUserId
from st_wsgi.errors import ConfigError, Unauthorised
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.userroles import UserRoles
from st_wsgi.request import current
from st_wsgi.request.changes import ResponseStarted

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def environ_of(visitor: Visitor, path: str, **more: Any) -> WSGIEnvironment:
    headers = {"Cookie": visitor.cookie_header(path), "rid": "anti-csrf", "Origin": WEBSITE}
    return create_environ(path, headers=headers, **more)


def some_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/lazy":
        return some_lazy_app(environ, start_response)
    if path == "/refused":
        raise Unauthorised
    if path == "/error-page":
        try:
            raise Unauthorised
        except Unauthorised:
            start_response("500 OH NO", [], sys.exc_info())
            return [b"oh no"]
    if path != "/plain":
        found = session.get_session(environ)
        if path == "/renewed":
            found.merge_into_access_token_payload({"seen": 1})
    start_response("200 OK", [])
    return [b"hello"]


def some_lazy_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    found = session.get_session(environ)
    start_response("200 OK", [])
    yield b"hello "
    yield found.get_user_id().encode()


def origin_of(request: Request | None, _user_context: Any) -> str:
    assert request is not None
    return request.headers["Origin"]


NO_FORM: dict[str, Any] = {}
NOBODY = form(email="nobody@example.com", password="no horse 1")


class TestMemory:
    """
    A request leaves no cycle of objects behind, so that all that came with it is freed with its answer.

    A process that switches the collector off would grow with every request, another one holds uploads for a while.
    """

    @pytest.mark.parametrize("cors", [None, Cors(origins=[WEBSITE], whole_app=True)], ids=["no cors", "cors"])
    @pytest.mark.parametrize("by_request", [False, True], ids=["fixed origin", "origin by request"])
    @pytest.mark.parametrize(
        ("path", "more"),
        [
            pytest.param("/plain", {}, id="not ours"),
            pytest.param("/page", {}, id="a protected view"),
            pytest.param("/page", {"method": "POST"}, id="a protected view that changes something"),
            pytest.param("/lazy", {}, id="a lazy view"),
            pytest.param("/refused", {}, id="a view that refuses"),
            pytest.param("/error-page", {}, id="a framework that hands a refusal to start_response"),
            pytest.param("/renewed", {}, id="a view that renews the token"),
            pytest.param("/auth/signin", {"method": "POST", "json": NOBODY}, id="a route of ours"),
            pytest.param("/auth/signup", {"method": "POST", "json": NO_FORM}, id="a bad form"),
            pytest.param("/auth/signout", {"method": "POST"}, id="signing out"),
            pytest.param(REFRESH, {"method": "POST"}, id="a refresh"),
        ],
    )
    def test_a_request_goes_with_its_answer(
        self, core: Borrowed, path: str, more: dict[str, Any], by_request: bool, cors: Cors | None
    ) -> None:
        info = {"website_domain": None, "origin": origin_of, "allowed_origins": [WEBSITE]} if by_request else {}
        shop = Shop(core, app_info=info, cors=cors)
        visitor = Visitor(shop)
        start: dict[str, str | None] = {"Origin": WEBSITE}
        shop.during(
            visitor,
            lambda environ: bool(session.create_new_session(environ, recipe_user_id=RecipeUserId("ada"))),
            headers=start,
        )
        assert not outlives_its_answer(shop.st.wrap(some_app), environ_of(visitor, path, **more))

    def test_the_measure_sees_a_cycle(self) -> None:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            environ["itself"] = environ
            start_response("200 OK", [])
            return []

        assert outlives_its_answer(app, create_environ("/"))


class TestStreams:
    """What goes on after the app has returned names its request, and finds all of it."""

    def test_a_stream_reads_the_session_of_its_request(self, shop: Shop) -> None:
        visitor = shop.signed_in()

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
            session.get_session(environ)
            current.context_of(environ).user_context["note"] = "!"
            start_response("200 OK", [])
            yield b"hello "
            yield session.current_session(environ).get_user_id().encode()
            yield session.get_session(environ).get_tenant_id().encode()
            yield current.context_of(environ).user_context["note"].encode()

        answer = Browser(shop.st.wrap(app), use_cookies=False).get(
            "/page", headers={"Cookie": visitor.cookie_header("/page")}
        )
        assert answer.text == f"hello {visitor.user_id}public!"

    @pytest.mark.parametrize(
        "change", [lambda s: s.merge_into_access_token_payload({"a": 1}), lambda s: s.revoke_session()]
    )
    def test_and_is_told_when_it_changes_it_too_late(self, core: Borrowed, change: Callable[[Any], object]) -> None:
        """Also where the attributes of cookies depend on a request that is not there any more."""
        info = {"website_domain": None, "origin": origin_of, "allowed_origins": [WEBSITE]}
        shop = Shop(core, app_info=info, origin=WEBSITE)
        visitor = shop.signed_in()
        seen: list[BaseException] = []

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
            found = session.get_session(environ)
            start_response("200 OK", [])
            yield b"hello "
            with pytest.raises(ResponseStarted) as refusal:
                change(found)
            seen.append(refusal.value)

        headers = {"Cookie": visitor.cookie_header("/page"), "Origin": WEBSITE}
        assert Browser(shop.st.wrap(app), use_cookies=False).get("/page", headers=headers).text == "hello "
        assert len(seen) == 1

    @pytest.mark.parametrize("refreshes", [False, True])
    def test_and_when_it_creates_or_refreshes_one_too_late(self, core: Borrowed, refreshes: bool) -> None:
        """The core is not asked, since the client would never get the tokens."""
        shop = Shop(core, recipes=[EmailPassword(email_delivery=no_mail), UserRoles()])
        visitor = shop.visitor()
        user_id = (visitor.sign_up().json or {})["user"]["id"]
        current.set_default(None)

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
            start_response("200 OK", [])
            yield b"hello "
            with pytest.raises(ResponseStarted):
                if refreshes:
                    session.refresh_session(environ)
                else:
                    session.create_new_session(environ, recipe_user_id=RecipeUserId(user_id))
            yield b"all"

        core.calls.clear()
        headers = {"Cookie": visitor.cookie_header("/auth/session/refresh"), "rid": "session"}
        assert Browser(shop.st.wrap(app), use_cookies=False).get("/page", headers=headers).text == "hello all"
        assert [call for call in core.calls if call.startswith("POST")] == []
        assert visitor.refresh().status_code == 200

    def test_an_error_page_after_the_app_has_returned_can_be_read_across_origins(self, core: Borrowed) -> None:
        shop = Shop(core, cors=Cors(origins=[WEBSITE], whole_app=True))
        started: list[tuple[str, dict[str, str]]] = []

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", [])
            return parts(start_response)

        def parts(start_response: StartResponse) -> Iterator[bytes]:
            try:
                raise ValueError
            except ValueError:
                start_response("500 OH NO", [], sys.exc_info())
            yield b"oh no"

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            started.append((status, dict(headers)))
            return lambda _data: None

        environ = create_environ("/page", headers={"Origin": WEBSITE})
        assert b"".join(shop.st.wrap(app)(environ, start)) == b"oh no"
        assert [status for status, _ in started] == ["200 OK", "500 OH NO"]
        assert [headers["Access-Control-Allow-Origin"] for _, headers in started] == [WEBSITE] * 2


class TestAfterwards:
    """A request that is over has no session."""

    def test_work_that_a_view_leaves_behind_is_told_that_its_request_has_ended(self, shop: Shop) -> None:
        left: list[contextvars.Context] = []
        visitor = shop.signed_in()
        shop.with_session(visitor, lambda _session: left.append(contextvars.copy_context()))
        for ask in (
            session.get_session,
            session.get_session_or_none,
            session.current_session,
            session.current_session_or_none,
            session.refresh_session,
        ):
            with pytest.raises(ConfigError, match="it has ended"):
                left[0].run(ask)

    def test_work_outside_a_request_is_told_what_to_use(self, shop: Shop) -> None:
        with pytest.raises(ConfigError, match="pass the request, or use a function"):
            session.get_session()
        with st_wsgi.open_user_context():
            for ask in (session.get_session, session.current_session, session.get_session_or_none):
                with pytest.raises(ConfigError, match="_without_request_response"):
                    ask()
            with pytest.raises(ConfigError, match="_without_request_response"):
                session.create_new_session(None, tenant_id="public", recipe_user_id=RecipeUserId("ada"))

    def test_a_session_is_not_that_of_the_next_request_with_the_same_environ(self, shop: Shop) -> None:
        """As servers and test clients have it that keep the dictionary."""
        seen: list[str | None] = []

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            try:
                seen.append(session.current_session(environ).get_user_id())
            except Unauthorised:
                seen.append(None)
            if "HTTP_COOKIE" in environ:
                session.get_session(environ)
                seen.append(session.current_session(environ).get_user_id())
            start_response("200 OK", [])
            return []

        visitor = shop.signed_in()
        environ = environ_of(visitor, "/page")
        wrapped = shop.st.wrap(app)
        serve(wrapped, [environ])
        del environ["HTTP_COOKIE"]
        serve(wrapped, [environ])
        assert seen == [None, visitor.user_id, None]

    def test_nor_is_its_token_verified_in_the_place_of_the_one_that_was_sent(self, shop: Shop) -> None:
        seen: list[Any] = []

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            found = session.get_session(environ)
            seen.append(found.get_access_token_payload().get("n"))
            found.merge_into_access_token_payload({"n": 1})
            start_response("200 OK", [])
            return []

        environ = environ_of(shop.signed_in(), "/page")
        wrapped = shop.st.wrap(app)
        for _ in range(2):
            serve(wrapped, [environ])
        assert seen == [None, None]

    def test_one_instance_does_not_take_the_session_of_another_for_its_own(self, core: Borrowed) -> None:
        inner = Shop(core)
        visitor = inner.signed_in()
        elsewhere = {"api_domain": "https://other.example"}
        outer = Shop(core, app_info=elsewhere, sessions=session.Session(accepted_issuers=[]))
        seen: list[str] = []

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            seen.append(session.get_session(environ).get_user_id())
            start_response("200 OK", [])
            return []

        wrapped = inner.st.wrap(app)

        def between(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            body = wrapped(environ, start_response)
            for request in (None, environ):  # of the outer instance, whose layer this is
                assert session.current_session_or_none(request) is None
                with pytest.raises(Unauthorised, match="issuer"):
                    session.get_session(request)
            return body

        serve(outer.st.wrap(between), [environ_of(visitor, "/page")])
        assert seen == [visitor.user_id]

    def test_a_request_that_is_sent_through_again_is_answered_again(self, shop: Shop) -> None:
        """By a layer above that tries once more, with the environ that it has."""
        routes = Middleware(shop.plain_app, shop.st)
        environ = environ_of(shop.signed_in(), REFRESH, method="POST")
        statuses = [serve(routes, [environ]) for _ in range(2)]
        assert statuses == ["200 OK", "200 OK"]
