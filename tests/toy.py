"""A recipe that is small enough to see through, and an instance of SuperTokens that has nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

from st_wsgi import AppInfo, Cors, Override, SuperTokens
from st_wsgi.core_client.transport import CoreRequest, CoreResponse
from st_wsgi.errors import Answerable, CoreUnavailable, TryRefreshToken
from st_wsgi.recipe_kit.recipe import Recipe
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


class NoCore:
    """A core that nobody should need."""

    def send(self, request: CoreRequest, /) -> CoreResponse:
        raise CoreUnavailable(f"nothing was to be asked of the core, but there came {request.path}")

    def close(self) -> None: ...


class ToyFunctions:
    def __init__(self, recipe: Toy) -> None:
        self.recipe = recipe

    def word(self, *, name: str) -> str:
        return f"hello {name}"


class ToyAPIs:
    def __init__(self, recipe: Toy) -> None:
        self.recipe = recipe

    def greet_get(self, *, context: RequestContext) -> dict[str, str]:
        return {"word": self.recipe.functions.word(name=context.tenant_id)}

    def echo_post(self, *, context: RequestContext) -> dict[str, Any]:
        return context.read_json()

    def act_post(self, *, context: RequestContext) -> Response:
        context.changes.set_header("front-token", "made by a route", expose=True)
        return self.recipe.act(context)


def greet(recipe: Toy, context: RequestContext) -> Response:
    return json_response(recipe.apis.greet_get(context=context))


def echo(recipe: Toy, context: RequestContext) -> Response:
    return json_response(recipe.apis.echo_post(context=context))


def act(recipe: Toy, context: RequestContext) -> Response:
    return recipe.apis.act_post(context=context)


class Toy(Recipe[None, ToyFunctions, ToyAPIs]):
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
    functions_class = ToyFunctions
    apis_class = ToyAPIs

    def __init__(
        self,
        *,
        act: Callable[[RequestContext], Response] = lambda _context: json_response({"status": "OK"}),
        word: str = "toy",
        override: Override[ToyFunctions, ToyAPIs] | None = None,
    ) -> None:
        super().__init__(None, override)
        self.act = act
        self.word = word
        self.answered = 0
        self.closed = False

    def answer(self, error: Answerable, context: RequestContext) -> Response:
        self.answered += 1
        context.changes.set_header("X-Answered-By", self.word)
        return error.plain_response()

    def close(self) -> None:
        self.closed = True


def said_by(word: str) -> str:
    """Return what the instance of the request in flight makes of a word: what a user-facing function does."""
    return current.services().get(Toy).functions.word(name=word)


def supertokens(*recipes: Recipe[Any, Any, Any], cors: Cors | None = None, base_path: str = "/auth") -> SuperTokens:
    """Return an instance with these recipes, or with a plain toy."""
    app_info = AppInfo(
        app_name="Toys", api_domain="http://localhost", website_domain="http://localhost", api_base_path=base_path
    )
    return SuperTokens(app_info=app_info, core=NoCore(), recipes=recipes or (Toy(),), cors=cors)
