"""The site in Bottle: view functions, an ``after_request`` hook, a plugin that answers every exception."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from bottle import Bottle, HTTPError, HTTPResponse, request, response

from frameworks.sites import end_and_change, nothing, only_admin, user_in, user_of
from st_wsgi import RecipeUserId, SuperTokens
from st_wsgi.errors import Forbidden
from st_wsgi.frameworks.bottle import init_app
from st_wsgi.recipes import session
from st_wsgi.recipes.session import current_session, get_session, verify_session

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Account:
    """What comes nearest to a class-based view: methods bound to an object."""

    @verify_session()
    def get(self) -> str:
        return current_session(request).get_user_id()


def build(st: SuperTokens, *, catch_all: bool = False) -> WSGIApplication:
    app = Bottle()
    _add_views(app)

    @app.hook("after_request")
    def name_the_user() -> None:
        response.set_header("X-User", user_of(request))

    if catch_all:
        app.install(_answer_everything)

        @app.error(500)
        def any_error(error: HTTPError) -> str:
            return "caught"

    return init_app(app, st)


def _answer_everything(view: Callable[..., Any]) -> Callable[..., Any]:
    def answering(*args: Any, **kwargs: Any) -> Any:
        try:
            return view(*args, **kwargs)
        except HTTPResponse:
            raise
        except Exception as error:
            raise HTTPError(500, "caught") from error

    return answering


def _add_views(app: Bottle) -> None:
    @app.post("/login")
    def login() -> str:
        user, claims = user_in(request.environ, request.body.read())
        return session.create_new_session(
            request, recipe_user_id=RecipeUserId(user), access_token_payload=claims
        ).get_user_id()

    @app.route("/session", method=["GET", "POST"])
    def with_session() -> str:
        return get_session(request).get_user_id()

    @app.get("/decorated")
    @verify_session()
    def decorated() -> str:
        return current_session().get_user_id()

    app.get("/class", callback=Account().get)

    @app.get("/optional")
    @verify_session(session_required=False)
    def optional() -> str:
        return user_of(request)

    @app.get("/checked")
    @verify_session(check_database=True)
    def checked() -> str:
        return current_session().get_user_id()

    @app.get("/admin")
    @verify_session(override_global_claim_validators=only_admin)
    def admin() -> str:
        return current_session().get_user_id()

    @app.get("/relaxed")
    def relaxed() -> str:
        return get_session(request, override_global_claim_validators=nothing).get_user_id()

    @app.get("/grow")
    def grow() -> str:
        found = get_session(request)
        found.merge_into_access_token_payload({"colour": "green"})
        return found.get_user_id()

    @app.get("/data")
    def data() -> dict[str, Any]:
        return get_session(request).get_session_data_from_database()

    @app.get("/ended")
    def ended() -> str:
        end_and_change(request)
        return "not reached"

    @app.get("/forbidden")
    def forbidden() -> str:
        raise Forbidden

    @app.get("/stream")
    def stream() -> Iterator[str]:
        # A generator: nothing of it runs before Bottle asks for the first part.
        found = get_session(request)
        found.merge_into_access_token_payload({"colour": "green"})
        yield ""
        yield from found.get_user_id()

    @app.get("/crash")
    def crash() -> str:
        raise RuntimeError("the app's own error")
