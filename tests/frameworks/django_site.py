"""
The site in Django: view functions, a View class, middleware.

Django's settings are those of the process: they are made here once, and each site overrides what is its own while its
handler is built.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test.utils import override_settings
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from frameworks.sites import end_and_change, nothing, only_admin, user_in, user_of
from st_wsgi import RecipeUserId, SuperTokens
from st_wsgi.errors import Forbidden
from st_wsgi.recipes import session
from st_wsgi.recipes.session import current_session, get_session, verify_session

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ENTRY = "st_wsgi.frameworks.django.SuperTokensMiddleware"
NAME_THE_USER = "frameworks.django_site.NameTheUser"
CATCH_ALL = "frameworks.django_site.AnswerEverything"

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="only for these tests",
        ROOT_URLCONF="frameworks.django_site",
        INSTALLED_APPS=["corsheaders"],
        LOGGING_CONFIG=None,
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
    )
    django.setup()


class Account(View):
    @method_decorator(verify_session())
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(current_session(request).get_user_id())


@method_decorator(verify_session(), name="dispatch")
class Guarded(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(current_session(request).get_user_id())


def login(request: HttpRequest) -> HttpResponse:
    user, claims = user_in(request.META, request.body)
    return HttpResponse(
        session.create_new_session(
            request, recipe_user_id=RecipeUserId(user), access_token_payload=claims
        ).get_user_id()
    )


def with_session(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_session(request).get_user_id())


@verify_session()
def decorated(request: HttpRequest) -> HttpResponse:
    return HttpResponse(current_session(request).get_user_id())


@verify_session(session_required=False)
def optional(request: HttpRequest) -> HttpResponse:
    return HttpResponse(user_of(request))


@verify_session(check_database=True)
def checked(request: HttpRequest) -> HttpResponse:
    return HttpResponse(current_session(request).get_user_id())


@verify_session(override_global_claim_validators=only_admin)
def admin(request: HttpRequest) -> HttpResponse:
    return HttpResponse(current_session(request).get_user_id())


def relaxed(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_session(request, override_global_claim_validators=nothing).get_user_id())


def grow(request: HttpRequest) -> HttpResponse:
    found = get_session(request)
    found.merge_into_access_token_payload({"colour": "green"})
    return HttpResponse(found.get_user_id())


def data(request: HttpRequest) -> HttpResponse:
    return JsonResponse(get_session(request).get_session_data_from_database())


def ended(request: HttpRequest) -> HttpResponse:
    end_and_change(request)
    return HttpResponse("not reached")


def forbidden(request: HttpRequest) -> HttpResponse:
    raise Forbidden


def stream(request: HttpRequest) -> StreamingHttpResponse:
    found = get_session(request)
    found.merge_into_access_token_payload({"colour": "green"})

    def parts() -> Iterator[str]:
        yield from found.get_user_id()

    return StreamingHttpResponse(parts())


def crash(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the app's own error")


urlpatterns = [
    path("login", login),
    path("session", with_session),
    path("decorated", decorated),
    path("class", Account.as_view()),
    path("guarded", Guarded.as_view()),
    path("optional", optional),
    path("checked", checked),
    path("admin", admin),
    path("relaxed", relaxed),
    path("grow", grow),
    path("data", data),
    path("ended", ended),
    path("forbidden", forbidden),
    path("stream", stream),
    path("crash", crash),
]


class NameTheUser:
    """Later code: a middleware that adds to the answers of what is inside it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["X-User"] = user_of(request)
        return response


class AnswerEverything:
    """A middleware of the kind that turns every exception of a view into an answer of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse:
        return HttpResponse("caught", status=500)


def build(st: SuperTokens, *, catch_all: bool = False, **more: Any) -> WSGIApplication:
    middleware = [ENTRY, NAME_THE_USER, *([CATCH_ALL, ENTRY] if catch_all else [])]
    return handler(st, MIDDLEWARE=middleware, **more)


def build_wrapped(st: SuperTokens, *, catch_all: bool = False) -> WSGIApplication:
    """The same with SuperTokens around wsgi.py too."""
    return st.wrap(build(st, catch_all=catch_all))


def handler(st: SuperTokens, **site: Any) -> WSGIApplication:
    """Django's WSGI app under these settings. What is read for each request needs :func:`django_settings` besides."""
    with override_settings(SUPERTOKENS=st, **site):
        app: WSGIApplication = WSGIHandler()
        return app


django_settings: Callable[..., contextlib.AbstractContextManager[None]] = override_settings
