"""Several instances in one process, and many requests at once, know nothing of each other."""

from __future__ import annotations

import contextvars
import gc
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest
from toy import Browser, NoCore, Toy, ToyFunctions, said_by, supertokens
from werkzeug.test import create_environ
from werkzeug.wrappers import Response

import st_wsgi
from st_wsgi import (
    AppInfo,
    Override,
    convert_to_recipe_user_id,
    get_request_from_user_context,
    is_recipe_initialized,
    replace,
)
from st_wsgi.errors import ConfigError, TryRefreshToken
from st_wsgi.recipe_kit.recipe import Functions, NoAPIs, Recipe
from st_wsgi.recipes import session
from st_wsgi.request import current
from st_wsgi.request.context import RequestContext
from st_wsgi.request.respond import json_response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LIMIT = 20  # seconds after which something that was to happen has failed


def saying(word: str) -> Override[ToyFunctions, Any]:
    return Override(functions=lambda original: replace(original, word=lambda *, name: f"{word} {name}"))


def asking(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """An app that calls a user-facing function, or fails."""
    if environ["PATH_INFO"] == "/fail":
        raise TryRefreshToken
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [said_by("app").encode()]


@pytest.fixture(autouse=True)
def default() -> Iterator[None]:
    yield
    current.set_default(None)


def test_an_instance_knows_its_recipes_by_name() -> None:
    with pytest.raises(ConfigError, match=r"call st_wsgi\.init"):
        is_recipe_initialized("toy")
    current.set_default(supertokens().services)
    assert [is_recipe_initialized(name) for name in ("toy", "emailpassword", "")] == [True, False, False]
    assert convert_to_recipe_user_id("ada").get_as_string() == "ada"


class Threads:
    """Something that the recipes of an instance share."""

    closed = False

    def close(self) -> None:
        self.closed = True


class TestTwoInstances:
    def test_each_serves_its_own_routes_with_its_own_overrides(self) -> None:
        first, second = (supertokens(Toy(override=saying(word))) for word in ("one", "two"))
        clients = [Browser(validator(st.wrap(asking))) for st in (first, second)]
        assert [client.get("/auth/greet").json for client in clients] == [
            {"word": "one public"},
            {"word": "two public"},
        ]

    def test_functions_called_in_a_view_are_those_of_the_instance_that_serves_the_request(self) -> None:
        first, second = (supertokens(Toy(override=saying(word))) for word in ("one", "two"))
        current.set_default(second.services)
        clients = [Browser(validator(st.wrap(asking))) for st in (first, second)]
        assert [client.get("/").text for client in clients] == ["one app", "two app"]
        assert said_by("outside") == "two outside"

    def test_each_answers_the_errors_below_it_in_its_own_words(self) -> None:
        clients = [Browser(validator(supertokens(Toy(word=word)).wrap(asking))) for word in ("one", "two")]
        assert [client.get("/fail").headers["X-Answered-By"] for client in clients] == ["one", "two"]

    def test_one_may_be_mounted_inside_the_app_of_another(self) -> None:
        outer = supertokens(Toy(override=saying("outer"), word="outer"))
        inner = supertokens(Toy(override=saying("inner"), word="inner"), base_path="/inner")
        client = Browser(validator(outer.wrap(inner.wrap(asking))))
        assert client.get("/auth/greet").json == {"word": "outer public"}
        assert client.get("/inner/greet").json == {"word": "inner public"}
        assert client.get("/").text == "inner app"
        assert client.get("/fail").headers.getlist("X-Answered-By") == ["inner"]

    def test_a_recipe_object_belongs_to_one_instance(self) -> None:
        toy = Toy()
        supertokens(toy)
        with pytest.raises(ConfigError, match="Toy belongs to another instance"):
            supertokens(toy)

    def test_the_last_init_is_the_default_of_the_process(self) -> None:
        app_info = AppInfo(app_name="Toys", api_domain="localhost", website_domain="localhost")
        for word in ("one", "two"):
            st_wsgi.init(app_info=app_info, core=NoCore(), recipes=[Toy(override=saying(word))])
            assert said_by("hello") == f"{word} hello"

    def test_closing_an_instance_closes_what_its_recipes_share_and_nothing_of_others(self) -> None:
        instances = [supertokens(Toy()) for _ in range(2)]
        threads = [instance.services.shared(Threads) for instance in instances]
        assert instances[0].services.shared(Threads) is threads[0]
        instances[0].close()
        assert [one.closed for one in threads] == [True, False]


class TestConstruction:
    """What an instance refuses."""

    def test_the_same_recipe_twice(self) -> None:
        with pytest.raises(ConfigError, match="toy is in the list twice"):
            supertokens(Toy(), Toy())

    @pytest.mark.parametrize("recipe", [Toy, "toy", None, object()])
    def test_what_is_no_recipe(self, recipe: Any) -> None:
        with pytest.raises(ConfigError, match=r"recipe objects such as Session\(\)"):
            supertokens(recipe)

    def test_two_recipes_that_claim_one_row(self) -> None:
        class Other(Toy):
            id = "other"

        with pytest.raises(ConfigError, match="toy and other both claim GET /greet"):
            supertokens(Toy(), Other())

    def test_an_override_with_a_typo(self) -> None:
        with pytest.raises(ConfigError, match="ToyFunctions has no method 'wrod'"):
            supertokens(Toy(override=Override(functions=lambda original: replace(original, wrod=lambda: None))))

    def test_a_core_that_was_opened_for_an_instance_that_is_refused_is_closed(self, tmp_path: Path) -> None:
        """Python 3.13 warns of connections that are not, and warnings are errors here."""
        app_info = AppInfo(app_name="Toys", api_domain="localhost", website_domain="localhost")
        typo = Override[ToyFunctions, Any](functions=lambda original: replace(original, wrod=lambda: None))
        for core in ("sqlite://", f"sqlite:///{tmp_path}/auth.db"):
            with pytest.raises(ConfigError, match="wrod"):
                st_wsgi.init(app_info=app_info, core=core, recipes=[Toy(override=typo)])
        gc.collect()
        opened = [link.readlink() for link in Path("/proc/self/fd").glob("*") if link.is_symlink()]
        assert tmp_path / "auth.db" not in opened

    def test_an_override_that_returns_nothing(self) -> None:
        broken: Any = lambda original: None  # noqa: E731 - the shortest way to be wrong
        with pytest.raises(ConfigError, match="override of ToyAPIs returned NoneType"):
            supertokens(Toy(override=Override(apis=broken)))

    def test_a_function_that_is_switched_off_since_only_routes_can_be(self) -> None:
        with pytest.raises(ConfigError, match="function 'word' of toy cannot be None"):
            supertokens(Toy(override=Override(functions=lambda original: replace(original, word=None))))

    def test_an_api_override_that_forgets_to_return_is_told_so_in_the_log(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        forgetful: Any = lambda original: replace(original, greet_get=lambda **_: None)  # noqa: E731 - a wrong one
        answer = Browser(validator(supertokens(Toy(override=Override(apis=forgetful))).wrap(asking))).get("/auth/greet")
        assert (answer.status_code, answer.json) == (500, {"message": "internal error"})
        assert "an override must return the original's result" in caplog.text

    def test_an_api_that_is_switched_off_is_the_apps_route_again(self) -> None:
        st = supertokens(Toy(override=Override(apis=lambda original: replace(original, greet_get=None))))
        assert Browser(validator(st.wrap(asking))).get("/auth/greet").text == "hello app"

    def test_a_recipe_that_is_not_there_is_named_when_it_is_asked_for(self) -> None:
        class Elsewhere(Recipe[Functions[Any], NoAPIs]):
            id = "elsewhere"

        with pytest.raises(ConfigError, match=r"Elsewhere is not initialised; add Elsewhere\(\) to recipes"):
            supertokens().services.get(Elsewhere)

    def test_a_session_without_the_session_recipe_is_asked_for_in_vain(self) -> None:
        with pytest.raises(ConfigError, match=r"the recipe Session is not initialised; add Session\(\) to recipes"):
            session.get_session(RequestContext(supertokens().services, {}))

    def test_needed_recipes_are_added_once_and_come_first(self) -> None:
        order: list[str] = []

        class Watched(Toy):
            routes = ()
            answers = ()

            def bind(self, services: Any) -> None:
                order.append(self.id)
                super().bind(services)

        class Low(Watched):
            id = "low"

        class Middle(Watched):
            id = "middle"
            requires = (Low,)

        class High(Watched):
            id = "high"
            requires = (Middle, Low)

        supertokens(High(), Low())
        assert order == ["low", "middle", "high"]


class TestThreads:
    """Requests that are in flight at the same time."""

    def test_each_of_many_requests_in_flight_has_its_own_context(self) -> None:
        """W-125: all views run at once, each between the others' halves."""
        together = threading.Barrier(8, timeout=LIMIT)

        def act(context: RequestContext) -> Response:
            mark = context.header("X-Mark")
            current.user_context()["mark"] = mark
            context.changes.set_header("X-Mark", str(mark))
            together.wait()
            seen = current.user_context()["mark"], current.context() is context, context.tenant_id
            together.wait()
            return json_response({"seen": list(seen)})

        client_app = supertokens(Toy(act=act)).wrap(asking)

        def ask(number: int) -> tuple[Any, str]:
            answer = Browser(validator(client_app)).post(f"/auth/t{number}/act", headers={"X-Mark": str(number)})
            return answer.json, answer.headers["X-Mark"]

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(8)))
        assert answers == [({"seen": [str(n), True, f"t{n}"]}, str(n)) for n in range(8)]

    def test_a_thread_that_serves_many_requests_carries_nothing_from_one_to_the_next(self) -> None:
        seen: list[Any] = []

        def act(context: RequestContext) -> Response:
            seen.append((dict(current.user_context()), dict(context.core_cache)))
            current.user_context()["secret"] = context.core_cache["secret"] = object()
            if context.header("X-Fail"):
                raise ValueError("in the middle")
            return json_response({})

        app = supertokens(Toy(act=act)).wrap(asking)
        with ThreadPoolExecutor(1) as pool:
            for headers in ({}, {"X-Fail": "yes"}, {}):
                pool.submit(Browser(validator(app)).post, "/auth/act", headers=headers).result(LIMIT)
            assert pool.submit(current.context).result(LIMIT) is None
        assert seen == [({}, {})] * 3

    def test_an_override_finds_the_request_by_its_user_context(self) -> None:
        seen: list[Any] = []

        def act(context: RequestContext) -> Response:
            mine = get_request_from_user_context(current.user_context())
            seen.append((mine is context.request, None if mine is None else mine.headers["X-Mark"]))
            seen.append(get_request_from_user_context({}))
            return json_response({})

        st = supertokens(Toy(act=act))
        Browser(st.wrap(asking)).post("/auth/act", headers={"X-Mark": "yes"})
        assert seen == [(True, "yes"), None]
        current.set_default(st.services)
        with current.open_user_context() as outside:
            assert get_request_from_user_context(outside) is None
        assert get_request_from_user_context({}) is None

    def test_half_read_lazy_answers_do_not_mix_their_contexts(self) -> None:
        """Two generator apps are read alternately in one thread, as an event-driven server does."""

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
            context = current.context_of(environ)
            context.user_context["mark"] = environ["PATH_INFO"]
            start_response("200 OK", [("Content-Type", "text/plain")])
            for _ in range(3):
                yield str(current.context_of(environ).user_context["mark"]).encode()

        wrapped: WSGIApplication = supertokens().wrap(app)
        start: Callable[..., Any] = lambda *_: lambda _data: None  # noqa: E731 - a server in one line
        bodies = [iter(wrapped(create_environ(path), start)) for path in ("/a", "/b")]
        assert [next(body) for _ in range(3) for body in bodies] == [b"/a", b"/b"] * 3
        assert current.context() is None

    def test_a_copied_context_of_a_background_task_does_not_keep_the_next_request_from_having_its_own(self) -> None:
        """What a view starts in the background with a copy of its context still points to its own request."""
        copies: list[contextvars.Context] = []

        def act(context: RequestContext) -> Response:
            copies.append(contextvars.copy_context())
            return json_response({})

        app = supertokens(Toy(act=act)).wrap(asking)
        for _ in range(2):
            Browser(validator(app)).post("/auth/act")
        first, second = (copy.run(current.context) for copy in copies)
        assert first is not second
        assert current.context() is None
