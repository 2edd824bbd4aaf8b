"""The site in CherryPy: exposed methods, tools, and the line of configuration that leaves our errors to us."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import cherrypy

from frameworks.sites import end_and_change, naming_the_user, nothing, only_admin, user_in, user_of
from st_wsgi import RecipeUserId, SuperTokens, answer_error
from st_wsgi.errors import Forbidden
from st_wsgi.recipes import session
from st_wsgi.recipes.session import current_session, get_session, verify_session

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment


def environ() -> WSGIEnvironment:
    """Return the environ of CherryPy's current request."""
    found: WSGIEnvironment = cherrypy.request.wsgi_environ
    return found


def protect() -> None:
    """Refuse visitors without a session: a tool, CherryPy's own way to run something before a handler."""
    get_session(environ())


cherrypy.tools.session_required = cherrypy.Tool("before_handler", protect)


class Root:
    @cherrypy.expose
    def login(self) -> str:
        user, claims = user_in(environ(), cherrypy.request.body.read())
        return session.create_new_session(
            environ(), recipe_user_id=RecipeUserId(user), access_token_payload=claims
        ).get_user_id()

    @cherrypy.expose
    def session(self) -> str:
        return get_session().get_user_id()

    @cherrypy.expose
    @verify_session()
    def decorated(self) -> str:
        return current_session().get_user_id()

    @cherrypy.expose("class")
    @cherrypy.tools.session_required()
    def with_tool(self) -> str:
        return current_session().get_user_id()

    @cherrypy.expose
    @verify_session(session_required=False)
    def optional(self) -> str:
        return user_of(environ())

    @cherrypy.expose
    @verify_session(check_database=True)
    def checked(self) -> str:
        return current_session().get_user_id()

    @cherrypy.expose
    @verify_session(override_global_claim_validators=only_admin)
    def admin(self) -> str:
        return current_session().get_user_id()

    @cherrypy.expose
    def relaxed(self) -> str:
        return get_session(environ(), override_global_claim_validators=nothing).get_user_id()

    @cherrypy.expose
    def grow(self) -> str:
        current = get_session()
        current.merge_into_access_token_payload({"colour": "green"})
        return current.get_user_id()

    @cherrypy.expose
    @cherrypy.tools.json_out()
    def data(self) -> dict[str, Any]:
        return get_session().get_session_data_from_database()

    @cherrypy.expose
    def ended(self) -> str:
        end_and_change(environ())
        return "not reached"

    @cherrypy.expose
    def forbidden(self) -> str:
        raise Forbidden

    @cherrypy.expose
    @cherrypy.config(**{"response.stream": True})
    def stream(self) -> Iterator[str]:
        current = get_session()
        current.merge_into_access_token_payload({"colour": "green"})

        def parts() -> Iterator[str]:
            yield from current.get_user_id()

        return parts()

    @cherrypy.expose
    def crash(self) -> str:
        raise RuntimeError("the app's own error")


def answer_everything() -> None:
    """What ``request.error_response`` may name: an app's own page for every error."""
    cherrypy.response.status = 500
    cherrypy.response.body = b"caught"


def build(st: SuperTokens, *, catch_all: bool = False) -> WSGIApplication:
    settings = {"hooks.before_error_response": answer_error, "tools.log_tracebacks.on": False}
    caught = {"request.error_response": answer_everything} if catch_all else {}
    app = cherrypy.Application(Root(), config={"/": {**settings, **caught}})
    return naming_the_user(st.wrap(app))
