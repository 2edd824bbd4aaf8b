"""Pyramid: what the exception view is for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from pyramid.config import Configurator
from pyramid.events import NewResponse
from pyramid.request import Request
from pyramid.response import Response
from werkzeug.test import Client

from st_wsgi import AppInfo, SuperTokens
from st_wsgi.errors import Answerable, SessionError
from st_wsgi.frameworks.pyramid import answer_error
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword

UNAUTHORISED = {"message": "unauthorised"}


def gone(request: Request) -> Response:
    """What a view does whose session has ended: the answer must clear the cookies."""
    raise session.Unauthorised


def any_error(error: Exception, request: Request) -> Response:
    return Response("caught", status=500)


def client(st: SuperTokens, *settings: Callable[[Configurator], object]) -> Client:
    with Configurator() as config:
        config.add_route("gone", "/gone")
        config.add_view(gone, route_name="gone")
        for setting in settings:
            setting(config)
        return Client(st.wrap(config.make_wsgi_app()))


def adapted(config: Configurator) -> None:
    config.include("st_wsgi.frameworks.pyramid")


def with_catch_all(config: Configurator) -> None:
    config.add_exception_view(any_error, context=Exception)


def cleared(site: Client) -> bool:
    """Whether the answer is the protocol's, with the cookies cleared."""
    answer = site.get("/gone")
    return (answer.status_code, answer.text, len(answer.headers.getlist("Set-Cookie"))) == (
        401,
        '{"message":"unauthorised"}',
        2,
    )


def test_a_redirect_is_a_path_whatever_the_proxy_says() -> None:
    """WebOb would make a whole address of it: http, where a proxy with TLS says nothing of https."""
    info = AppInfo(app_name="Shop", api_domain="https://shop.example", website_domain="https://shop.example")
    mails = EmailPassword(email_delivery=print)
    with closing(
        SuperTokens(app_info=info, core="sqlite://", recipes=[mails, Pages()], allow_in_memory_core=True)
    ) as st:
        for method in ("GET", "HEAD"):
            led = client(st, adapted).open("/gone", method=method, headers={"Accept": "text/html"})
            assert (led.status_code, led.headers["Location"], led.data) == (303, "/auth?redirectToPath=%2Fgone", b"")


def test_without_a_catch_all_nothing_is_needed(st: SuperTokens) -> None:
    assert cleared(client(st))
    assert cleared(client(st, adapted))


@pytest.mark.parametrize("settings", [(adapted, with_catch_all), (with_catch_all, adapted)])
def test_a_view_of_every_exception_does_not_get_ours(
    st: SuperTokens, settings: tuple[Callable[[Configurator], object], ...]
) -> None:
    assert not cleared(client(st, with_catch_all))
    assert cleared(client(st, *settings))


def test_a_view_of_every_exception_of_one_route_needs_ours_beside_it(st: SuperTokens) -> None:
    """Pyramid looks for views of the route first, whatever kind of error they are for."""

    def catch_all_of_the_route(config: Configurator) -> None:
        config.add_exception_view(any_error, context=Exception, route_name="gone")

    def ours_beside_it(config: Configurator) -> None:
        config.add_exception_view(answer_error, context=Answerable, route_name="gone")

    assert client(st, adapted, catch_all_of_the_route).get("/gone").text == "caught"
    assert cleared(client(st, adapted, catch_all_of_the_route, ours_beside_it))


def test_subscribers_see_the_answer(st: SuperTokens) -> None:
    """A subscriber that adds the app's own CORS headers is how many Pyramid apps do it."""

    def cross_origin(event: NewResponse) -> None:
        event.response.headers["Access-Control-Allow-Origin"] = "http://shop.example"

    answer = client(st, adapted, lambda config: config.add_subscriber(cross_origin, NewResponse)).get("/gone")
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == "http://shop.example"


def test_csrf_rules_and_permissions_of_the_app_do_not_stand_before_the_answer(st: SuperTokens) -> None:
    def strict(config: Configurator) -> None:
        config.set_default_csrf_options(require_csrf=True)

    assert cleared(client(st, adapted, strict))


def test_a_view_of_the_app_for_one_of_our_errors_is_the_apps_choice(st: SuperTokens) -> None:
    def sign_in_first(config: Configurator) -> None:
        config.add_exception_view(lambda error, request: Response("please sign in", status=401), context=SessionError)

    assert client(st, adapted, sign_in_first).get("/gone").text == "please sign in"


def test_an_error_in_a_tween_is_answered_too(st: SuperTokens) -> None:
    def with_tween(config: Configurator) -> None:
        config.add_tween("frameworks.test_pyramid.refusing")

    assert cleared(client(st, adapted, with_catch_all, with_tween))


def refusing(handler: Callable[[Request], Response], registry: object) -> Callable[[Request], Response]:
    def tween(request: Request) -> Response:
        raise session.Unauthorised

    return tween
