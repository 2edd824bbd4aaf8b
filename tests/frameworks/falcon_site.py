"""The site in Falcon: resources, a middleware component, an error handler for every exception."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import falcon
from falcon import Request, Response

from frameworks.sites import end_and_change, nothing, only_admin, user_in, user_of
from st_wsgi import RecipeUserId, SuperTokens
from st_wsgi.errors import Forbidden
from st_wsgi.frameworks.falcon import init_app
from st_wsgi.recipes import session
from st_wsgi.recipes.session import current_session, get_session, verify_session

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Login:
    def on_post(self, request: Request, response: Response) -> None:
        user, claims = user_in(request.env, request.bounded_stream.read())
        response.text = session.create_new_session(
            request, recipe_user_id=RecipeUserId(user), access_token_payload=claims
        ).get_user_id()


class WithSession:
    def on_get(self, request: Request, response: Response) -> None:
        response.text = get_session(request).get_user_id()

    on_head = on_post = on_get


class Decorated:
    @verify_session()
    def on_get(self, request: Request, response: Response) -> None:
        response.text = current_session(request).get_user_id()


def protect(request: Request, response: Response, resource: object, params: object) -> None:
    """A hook, Falcon's own way to run something before a responder."""
    get_session(request)


@falcon.before(protect)
class Account:
    def on_get(self, request: Request, response: Response) -> None:
        response.text = current_session(request).get_user_id()


class Optional:
    @verify_session(session_required=False)
    def on_get(self, request: Request, response: Response) -> None:
        response.text = user_of(request)


class Checked:
    @verify_session(check_database=True)
    def on_get(self, request: Request, response: Response) -> None:
        response.text = current_session(request).get_user_id()


class Admin:
    @verify_session(override_global_claim_validators=only_admin)
    def on_get(self, request: Request, response: Response) -> None:
        response.text = current_session(request).get_user_id()


class Relaxed:
    def on_get(self, request: Request, response: Response) -> None:
        response.text = get_session(request, override_global_claim_validators=nothing).get_user_id()


class Grow:
    def on_get(self, request: Request, response: Response) -> None:
        found = get_session(request)
        found.merge_into_access_token_payload({"colour": "green"})
        response.text = found.get_user_id()


class Data:
    def on_get(self, request: Request, response: Response) -> None:
        response.media = get_session(request).get_session_data_from_database()


class Ended:
    def on_get(self, request: Request, response: Response) -> None:
        response.text = "half an answer"
        end_and_change(request)


class Denied:
    def on_get(self, request: Request, response: Response) -> None:
        raise Forbidden


class Stream:
    def on_get(self, request: Request, response: Response) -> None:
        found = get_session(request)
        found.merge_into_access_token_payload({"colour": "green"})

        def parts() -> Iterator[bytes]:
            yield from (letter.encode() for letter in found.get_user_id())

        response.stream = parts()


class Crash:
    def on_get(self, request: Request, response: Response) -> None:
        raise RuntimeError("the app's own error")


class NameTheUser:
    def process_response(self, request: Request, response: Response, resource: object, req_succeeded: bool) -> None:
        response.set_header("X-User", user_of(request))


RESOURCES = {
    "/login": Login,
    "/session": WithSession,
    "/decorated": Decorated,
    "/class": Account,
    "/optional": Optional,
    "/checked": Checked,
    "/admin": Admin,
    "/relaxed": Relaxed,
    "/grow": Grow,
    "/data": Data,
    "/ended": Ended,
    "/forbidden": Denied,
    "/stream": Stream,
    "/crash": Crash,
}


def any_error(request: Request, response: Response, error: Exception, params: dict[str, Any]) -> None:
    response.status = 500
    response.text = "caught"


def build(st: SuperTokens, *, catch_all: bool = False) -> WSGIApplication:
    app = falcon.App(middleware=[NameTheUser()])
    for path, resource in RESOURCES.items():
        app.add_route(path, resource())
    wrapped = init_app(app, st)
    if catch_all:
        app.add_error_handler(Exception, any_error)
    return wrapped
