"""The site in Pyramid: view functions, a view class, a tween."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from frameworks.sites import end_and_change, nothing, only_admin, user_in, user_of
from st_wsgi import RecipeUserId, SuperTokens
from st_wsgi.errors import Forbidden
from st_wsgi.recipes import session
from st_wsgi.recipes.session import current_session, get_session, verify_session

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Account:
    def __init__(self, request: Request) -> None:
        self.request = request

    @verify_session()
    def get(self) -> str:
        return current_session(self.request).get_user_id()


def login(request: Request) -> str:
    user, claims = user_in(request.environ, request.body)
    return session.create_new_session(
        request, recipe_user_id=RecipeUserId(user), access_token_payload=claims
    ).get_user_id()


def with_session(request: Request) -> str:
    return get_session(request).get_user_id()


@verify_session()
def decorated(request: Request) -> str:
    return current_session(request).get_user_id()


def with_context(_context: object, request: Request) -> str:
    """A view of the longer kind, protected where it is registered."""
    return current_session(request).get_user_id()


@verify_session(session_required=False)
def optional(request: Request) -> str:
    return user_of(request)


@verify_session(check_database=True)
def checked(request: Request) -> str:
    return current_session(request).get_user_id()


@verify_session(override_global_claim_validators=only_admin)
def admin(request: Request) -> str:
    return current_session(request).get_user_id()


def relaxed(request: Request) -> str:
    return get_session(request, override_global_claim_validators=nothing).get_user_id()


def grow(request: Request) -> str:
    found = get_session(request)
    found.merge_into_access_token_payload({"colour": "green"})
    return found.get_user_id()


def data(request: Request) -> Response:
    return Response(json_body=get_session(request).get_session_data_from_database())


def ended(request: Request) -> str:
    end_and_change(request)
    return "not reached"


def forbidden(request: Request) -> str:
    raise Forbidden


def stream(request: Request) -> Response:
    found = get_session(request)
    found.merge_into_access_token_payload({"colour": "green"})

    def parts() -> Iterator[bytes]:
        yield from (letter.encode() for letter in found.get_user_id())

    return Response(app_iter=parts())


def crash(request: Request) -> str:
    raise RuntimeError("the app's own error")


def any_error(error: Exception, request: Request) -> Response:
    return Response("caught", status=500)


def name_the_user(handler: Callable[[Request], Response], registry: Any) -> Callable[[Request], Response]:
    def tween(request: Request) -> Response:
        response = handler(request)
        response.headers["X-User"] = user_of(request)
        return response

    return tween


VIEWS = (with_session, decorated, optional, checked, admin, relaxed, grow, data, ended, forbidden, stream, crash, login)


def build(st: SuperTokens, *, catch_all: bool = False) -> WSGIApplication:
    with Configurator() as config:
        config.include("st_wsgi.frameworks.pyramid")
        config.add_tween("frameworks.pyramid_site.name_the_user")
        for view in VIEWS:
            name = "session" if view is with_session else view.__name__
            config.add_route(name, f"/{name}")
            config.add_view(view, route_name=name, renderer="string")
        config.add_route("class", "/class")
        config.add_view(Account, attr="get", route_name="class", renderer="string")
        config.add_route("with_context", "/with_context")
        config.add_view(with_context, route_name="with_context", renderer="string", decorator=verify_session())
        if catch_all:
            config.add_exception_view(any_error, context=Exception)
        return st.wrap(config.make_wsgi_app())
