"""A recipe that is small enough to see through, and an instance of SuperTokens that has nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import attrs
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

from st_wsgi import AppInfo, Cors, SuperTokens
from st_wsgi.core_client.transport import CoreReply, CoreRequest, Transport
from st_wsgi.errors import Answerable, CoreUnavailable, TryRefreshToken
from st_wsgi.recipe_kit.recipe import APIs, Functions, Recipe, Settings
from st_wsgi.request import current
from st_wsgi.request.context import RequestContext
from st_wsgi.request.respond import json_response
from st_wsgi.request.routing import Route


class Browser(Client):
    """A client that reads every answer to its end and closes it, as a server does."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        answer = super().open(*args, **kwargs)
        answer.make_sequence()
        answer.close()
        return answer


class NoCore(Transport):
    """A core that no test should need."""

    def send(self, request: CoreRequest, /) -> CoreReply:
        raise CoreUnavailable(f"nothing was to be asked of the core, but there came {request.path}")

    def close(self) -> None: ...


def _ok(_context: RequestContext) -> Response:
    return json_response({"status": "OK"})


@attrs.define(kw_only=True, eq=False, slots=False)
class ToySettings(Settings):
    act: Callable[[RequestContext], Response] = _ok
    word: str = "toy"
    answered: int = attrs.field(init=False, default=0)


class ToyFunctions(Functions[ToySettings]):
    def word(self, *, name: str) -> str:
        return f"hello {name}"


class ToyAPIs(APIs[ToySettings, ToyFunctions]):
    def greet_get(self, *, context: RequestContext) -> dict[str, str]:
        return {"word": self.functions.word(name=context.tenant_id)}

    def echo_post(self, *, context: RequestContext) -> dict[str, Any]:
        return context.read_json()

    def act_post(self, *, context: RequestContext) -> Response:
        context.changes.set_header("front-token", "made by a route", expose=True)
        return self.recipe.act(context)


def greet(apis: ToyAPIs, context: RequestContext) -> Response:
    return json_response(apis.greet_get(context=context))


def echo(apis: ToyAPIs, context: RequestContext) -> Response:
    return json_response(apis.echo_post(context=context))


def act(apis: ToyAPIs, context: RequestContext) -> Response:
    return apis.act_post(context=context)


@attrs.define(kw_only=True, eq=False, slots=False)
class Toy(ToySettings, Recipe[ToyFunctions, ToyAPIs]):
    """
    GET /greet answers by itself, POST /echo gives the JSON body back, POST /act does what the test wants.

    It answers TryRefreshToken with 401 and a word of its own, and counts how often it is asked to.
    """

    id: ClassVar[str] = "toy"
    routes: ClassVar[tuple[Route, ...]] = (
        Route("GET", "/greet", "greet_get", greet),
        Route("POST", "/echo", "echo_post", echo),
        Route("POST", "/act", "act_post", act),
    )
    answers: ClassVar[tuple[type[Answerable], ...]] = (TryRefreshToken,)

    def answer(self, error: Answerable, context: RequestContext) -> Response:
        self.answered += 1
        context.changes.set_header("X-Answered-By", self.word)
        return error.plain_response()


def said_by(word: str) -> str:
    """Return what the instance of the request in flight makes of a word: what a user-facing function does."""
    return current.services().get(Toy).functions.word(name=word)


def supertokens(*recipes: Recipe[Any, Any], cors: Cors | None = None, base_path: str = "/auth") -> SuperTokens:
    """Return an instance with these recipes, or with a plain toy."""
    app_info = AppInfo(
        app_name="Toys", api_domain="http://localhost", website_domain="http://localhost", api_base_path=base_path
    )
    return SuperTokens(app_info=app_info, core=NoCore(), recipes=recipes or (Toy(),), cors=cors)
