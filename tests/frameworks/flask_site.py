"""The site in Flask: view functions, a MethodView, an ``after_request`` function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from flask.views import MethodView
from werkzeug.exceptions import HTTPException

from frameworks.sites import end_and_change, nothing, only_admin, user_in, user_of
from st_wsgi import RecipeUserId, SuperTokens
from st_wsgi.errors import Forbidden
from st_wsgi.frameworks.flask import init_app
from st_wsgi.recipes import session
from st_wsgi.recipes.session import current_session, get_session, verify_session

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Account(MethodView):
    @verify_session()
    def get(self) -> str:
        return current_session(request).get_user_id()


class Guarded(MethodView):
    decorators = [verify_session()]  # noqa: RUF012  # that is how Flask decorates every method

    def get(self) -> str:
        return current_session().get_user_id()


def make() -> Flask:
    """The site without SuperTokens."""
    app = Flask(__name__)
    _add_views(app)

    @app.after_request
    def name_the_user(response: Response) -> Response:
        response.headers["X-User"] = user_of(request)
        return response

    return app


def build(st: SuperTokens, *, catch_all: bool = False) -> WSGIApplication:
    app = make()
    if catch_all:

        @app.errorhandler(HTTPException)
        def any_http_error(error: HTTPException) -> tuple[dict[str, Any], int]:
            return {"caught": error.description}, 500

        @app.errorhandler(Exception)
        def any_error(error: Exception) -> tuple[dict[str, Any], int]:
            return {"caught": "crash"}, 500

    init_app(app, st)
    return app


def _add_views(app: Flask) -> None:
    @app.post("/login")
    def login() -> str:
        user, claims = user_in(request.environ, request.get_data())
        return session.create_new_session(
            request, recipe_user_id=RecipeUserId(user), access_token_payload=claims
        ).get_user_id()

    @app.route("/session", methods=["GET", "POST"])
    def with_session() -> str:
        return get_session(request).get_user_id()

    @app.get("/decorated")
    @verify_session()
    def decorated() -> str:
        return current_session().get_user_id()

    app.add_url_rule("/class", view_func=Account.as_view("account"))
    app.add_url_rule("/guarded", view_func=Guarded.as_view("guarded"))

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
    def stream() -> Response:
        found = get_session(request)
        found.merge_into_access_token_payload({"colour": "green"})

        def parts() -> Iterator[str]:
            yield from found.get_user_id()

        return Response(parts())

    @app.get("/crash")
    def crash() -> str:
        raise RuntimeError("the app's own error")
