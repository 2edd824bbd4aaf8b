"""Django: the entry of MIDDLEWARE, with Django's own test client, which never passes ``wsgi.py``."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.utils import override_settings
from django.urls import path
from memory import outlives_its_answer
from rest_framework.response import Response as RestResponse
from rest_framework.views import APIView
from werkzeug.test import Client as WSGIClient, create_environ, run_wsgi_app

from frameworks.conftest import SharedCore
from frameworks.django_site import CATCH_ALL, ENTRY, handler, urlpatterns
from st_wsgi import AppInfo, Cors, RecipeUserId, SuperTokens
from st_wsgi.errors import Answerable, ConfigError
from st_wsgi.recipes import session
from st_wsgi.recipes.session import Session, current_session, get_session

UNAUTHORISED = {"message": "unauthorised"}
HERE = "frameworks.test_django"
COOKIES = {"st-auth-mode": "cookie"}


class Refusing:
    """A middleware that protects all that is inside it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        get_session(request)
        return self.get_response(request)


class RefusingLate(Refusing):
    """A middleware that protects what it has the answer of already."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        get_session(request)
        return response


class ReadingBodies:
    """A middleware that reads every body first, to log it, for instance."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        assert isinstance(request.body, bytes)
        return self.get_response(request)


class RestView(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Any) -> RestResponse:
        return RestResponse({"user": get_session(request).get_user_id()})


def answer_everything(error: Exception, context: object) -> RestResponse:
    return RestResponse({"caught": True}, status=500)


def answer_everything_else(error: Exception, context: object) -> RestResponse | None:
    return None if isinstance(error, Answerable) else answer_everything(error, context)


def with_cookie(request: HttpRequest) -> HttpResponse:
    """A view whose own cookies and headers meet ours."""
    response = HttpResponse(session.create_new_session(request, recipe_user_id=RecipeUserId("ada")).get_user_id())
    response.set_cookie("theme", "dark")
    response["Access-Control-Expose-Headers"] = "X-Mine, front-token"
    response["Cache-Control"] = "max-age=60"
    return response


def the_body(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body)


urlpatterns = [
    *urlpatterns,
    path("rest", RestView.as_view()),
    path("cookie", with_cookie),
    path("auth/body", the_body),
]


def client(st: SuperTokens, *middleware: str, **more: Any) -> Client:
    """A client of Django under these middlewares; it reads the settings while it makes its handler."""
    site = {"MIDDLEWARE": list(middleware) or [ENTRY], **more}
    made = Client(raise_request_exception=more.get("raise_request_exception", True))
    made.handler._middleware_chain = None
    with override_settings(SUPERTOKENS=st, **site):
        made.handler.load_middleware()
    return made


@pytest.fixture(autouse=True)
def own_urls() -> Any:
    with override_settings(ROOT_URLCONF=HERE):
        yield


def sign_up(site: Client) -> str:
    """Sign a new user in, whose cookies the client keeps, and return their id."""
    fields = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse 1"}
    form = {"formFields": [{"id": name, "value": value} for name, value in fields.items()]}
    answer = site.post("/auth/signup", json.dumps(form), content_type="application/json", headers=COOKIES)
    user_id: str = answer.json()["user"]["id"]
    return user_id


def test_djangos_test_client_signs_up_keeps_the_cookies_refreshes_and_signs_out(st: SuperTokens) -> None:
    site = client(st)
    assert site.get("/session").status_code == 401
    user_id = sign_up(site)
    assert site.get("/session").content.decode() == user_id
    assert site.post("/auth/session/refresh", headers=COOKIES).json() == {}
    assert site.get("/session").content.decode() == user_id
    assert site.post("/auth/signout", headers=COOKIES).json() == {"status": "OK"}
    assert site.get("/session").status_code == 401


@pytest.mark.parametrize("wrapped", [False, True])
def test_cookies_and_headers_of_the_app_and_ours_are_each_there_once(st: SuperTokens, wrapped: bool) -> None:
    app = handler(st, MIDDLEWARE=[ENTRY])
    answer = WSGIClient(st.wrap(app) if wrapped else app).get("/cookie", headers=COOKIES)
    cookies = sorted(line.strip().partition("=")[0] for line in answer.headers.getlist("Set-Cookie"))
    assert cookies == ["sAccessToken", "sRefreshToken", "theme"]
    assert answer.headers.getlist("front-token") != []
    assert answer.headers.getlist("Access-Control-Expose-Headers") == ["X-Mine, front-token"]
    assert answer.headers.getlist("Cache-Control") == ["no-store"]


def test_cookies_of_one_name_for_two_domains_are_both_sent() -> None:
    """A refresh that clears the host's own cookies and those of the domain sets the same names twice."""
    info = AppInfo(app_name="Shop", api_domain="https://api.shop.example", website_domain="https://shop.example")
    recipe = Session(cookie_domain=".shop.example")
    st = SuperTokens(app_info=info, core="sqlite://", allow_in_memory_core=True, recipes=[recipe])
    cookies = "sRefreshToken=a; sRefreshToken=b"
    answer = WSGIClient(handler(st, MIDDLEWARE=[ENTRY]), use_cookies=False).post(
        "/auth/session/refresh", headers={"Cookie": cookies, "Host": "api.shop.example"}
    )
    st.close()
    assert answer.status_code == 401
    lines = [line.lower() for line in answer.headers.getlist("Set-Cookie")]
    for name, place in (("saccesstoken", "/"), ("srefreshtoken", "/auth/session/refresh")):
        cleared = [line for line in lines if line.strip().startswith(f"{name}=;") and f" path={place};" in f"{line};"]
        assert sum("domain=.shop.example" in line for line in cleared) == 1
        assert sum("domain=" not in line for line in cleared) == 1


def test_our_routes_need_no_csrf_token_and_the_apps_own_still_do(st: SuperTokens) -> None:
    site = client(st, "django.middleware.csrf.CsrfViewMiddleware", ENTRY)
    site.handler.enforce_csrf_checks = True
    user_id = sign_up(site)
    assert site.get("/session").content.decode() == user_id
    assert site.post("/session").status_code == 403


@pytest.mark.parametrize("order", [[f"{HERE}.ReadingBodies", ENTRY], [ENTRY, f"{HERE}.ReadingBodies"]])
def test_a_middleware_that_reads_bodies_first_takes_nothing_away(st: SuperTokens, order: list[str]) -> None:
    site = client(st, *order)
    assert sign_up(site)
    assert site.post("/auth/body", b"the app's", content_type="text/plain").content == b"the app's"


@pytest.mark.parametrize("reads_first", [False, True])
def test_a_chunked_body_to_our_routes_is_read(st: SuperTokens, reads_first: bool) -> None:
    """
    Servers that decode chunked bodies set ``wsgi.input_terminated`` and no length. Django takes such a body for empty:
    a middleware of the app that reads bodies first leaves it unread.
    """
    fields = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse 1"}
    form = json.dumps({"formFields": [{"id": name, "value": value} for name, value in fields.items()]}).encode()
    app = handler(st, MIDDLEWARE=[f"{HERE}.ReadingBodies", ENTRY] if reads_first else [ENTRY])
    environ = create_environ("/auth/signup", method="POST", data=form, content_type="application/json")
    del environ["CONTENT_LENGTH"]
    body, status, _ = run_wsgi_app(app, environ | {"wsgi.input_terminated": True})
    assert (status, json.loads(b"".join(body))["status"]) == ("200 OK", "OK")


def test_a_body_that_is_not_ours_is_left_to_the_app(st: SuperTokens) -> None:
    assert client(st).post("/auth/body", b"x" * 200_000, content_type="text/plain").content == b"x" * 200_000


@pytest.mark.parametrize("debug", [True, False])
def test_an_error_in_a_middleware_of_the_app_is_answered_too(
    st: SuperTokens, debug: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Django alone makes 500 of it, and writes to its administrators."""
    with override_settings(DEBUG=debug), caplog.at_level(logging.ERROR):
        for middleware in ([ENTRY, f"{HERE}.Refusing"], [ENTRY, CATCH_ALL, f"{HERE}.Refusing"]):
            answer = client(st, *middleware).get("/optional")
            assert (answer.status_code, answer.json()) == (401, UNAUTHORISED)
    assert caplog.records == []


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_error_above_the_middleware_does_not_leave_django(
    st: SuperTokens, wrapped: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """No layer is left to answer it, unless there is ``wrap`` too: it is a crash like any other."""
    app = handler(st, MIDDLEWARE=[f"{HERE}.RefusingLate", ENTRY])
    with caplog.at_level(logging.CRITICAL):
        answer = WSGIClient(st.wrap(app) if wrapped else app).get("/optional")
    assert answer.status_code == (401 if wrapped else 500)


FIRST_REQUEST = """
import django
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from st_wsgi import AppInfo, SuperTokens
from st_wsgi.recipes.session import Session, get_session

def refusing(get_response):
    return lambda request: get_session(request) and get_response(request)

info = AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost")
st = SuperTokens(app_info=info, core="sqlite://", allow_in_memory_core=True, recipes=[Session()])
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"], SUPERTOKENS=st,
                   MIDDLEWARE=["st_wsgi.frameworks.django.SuperTokensMiddleware", __name__ + ".refusing"])
django.setup()
urlpatterns = [path("open", lambda request: HttpResponse("open"))]
for client in (Client(), Client()):
    print(client.get("/open").status_code)
st.close()
"""


def test_djangos_test_client_takes_no_error_of_ours_for_a_crash_either(tmp_path: Path) -> None:
    """In a new process: the client listens to Django's signal before its first request has loaded our middleware."""
    file = tmp_path / "first_request.py"
    file.write_text(FIRST_REQUEST)
    run = subprocess.run(
        [sys.executable, "-W", "error", str(file)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.stdout.split() == ["401", "401"], run.stderr


def test_with_wrap_around_it_an_error_in_a_middleware_is_answered_too(st: SuperTokens) -> None:
    app = st.wrap(handler(st, MIDDLEWARE=[ENTRY, f"{HERE}.Refusing"]))
    answer = WSGIClient(app).get("/optional")
    assert (answer.status_code, answer.json) == (401, UNAUTHORISED)


def test_named_twice_it_comes_before_a_middleware_that_answers_everything(st: SuperTokens) -> None:
    assert client(st, ENTRY, CATCH_ALL).get("/session").content == b"caught"
    answer = client(st, ENTRY, CATCH_ALL, ENTRY).get("/session")
    assert (answer.status_code, answer.json()) == (401, UNAUTHORISED)


def test_an_error_of_the_app_is_the_apps_own(st: SuperTokens) -> None:
    with pytest.raises(RuntimeError, match="the app's own"):
        client(st).get("/crash")
    assert client(st, raise_request_exception=False).get("/crash").status_code == 500


def test_a_rest_framework_view_needs_nothing(st: SuperTokens) -> None:
    site = client(st)
    answer = site.get("/rest")
    assert (answer.status_code, answer.json()) == (401, UNAUTHORISED)
    user_id = sign_up(site)
    assert site.get("/rest").json() == {"user": user_id}


@pytest.mark.parametrize(("name", "status"), [("answer_everything", 500), ("answer_everything_else", 401)])
def test_an_exception_handler_of_the_rest_framework_has_to_let_ours_go(st: SuperTokens, name: str, status: int) -> None:
    with override_settings(REST_FRAMEWORK={"EXCEPTION_HANDLER": f"{HERE}.{name}", "UNAUTHENTICATED_USER": None}):
        assert client(st).get("/rest").status_code == status


def test_the_instance_may_be_named_by_its_path(st: SuperTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "named", st)
    assert client(f"{HERE}.named").get("/session").status_code == 401  # type: ignore[arg-type]  # the other form


@pytest.mark.parametrize("value", [None, 3])
def test_a_setting_that_names_no_instance_is_refused_with_the_remedy(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"settings\.SUPERTOKENS must be what st_wsgi\.init"):
        client(value)


def test_a_view_outside_the_middleware_says_what_is_missing(st: SuperTokens) -> None:
    with pytest.raises(ConfigError, match="did not come through"):
        client(st, CATCH_ALL.replace("AnswerEverything", "NameTheUser")).get("/session")


def test_the_session_does_not_outlive_its_request(st: SuperTokens) -> None:
    site = client(st)
    sign_up(site)
    site.get("/session")
    with pytest.raises(ConfigError):
        current_session()


@pytest.mark.parametrize("url", ["/cookie", "/session", "/optional", "/auth/jwt/jwks.json"])
def test_a_request_is_freed_with_its_answer(st: SuperTokens, url: str) -> None:
    """None of its memory waits for the garbage collector, unless Django alone has it wait (on Python 3.10)."""
    site = client(st)
    sign_up(site)
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in site.cookies.items())
    with override_settings(SUPERTOKENS=st):
        alone = outlives_its_answer(handler(st, MIDDLEWARE=[]), create_environ("/auth/body"))
        app = handler(st, MIDDLEWARE=[ENTRY])
        assert outlives_its_answer(app, create_environ(url, headers={"Cookie": cookies})) <= alone


def test_a_refusal_can_be_read_across_origins_where_django_answers_for_us(core: SharedCore) -> None:
    """The rules are for our own answers only, and this is one."""
    website = "http://localhost:3000"
    st = SuperTokens(
        app_info=AppInfo(app_name="Shop", api_domain="http://localhost", website_domain=website),
        core=core,
        recipes=[Session()],
        cors=Cors(origins=[website]),
    )
    with closing(st):
        site = client(st)
        answer = site.get("/session", headers={"Origin": website})
        assert (answer.status_code, answer.get("Access-Control-Allow-Origin")) == (401, website)
        assert "Access-Control-Allow-Origin" not in site.get("/optional", headers={"Origin": website})


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_request_keeps_its_context_and_its_body_on_the_way_to_the_view(st: SuperTokens, wrapped: bool) -> None:
    """Below our prefix too, where we have looked whether it is ours."""
    app = handler(st, MIDDLEWARE=[ENTRY])
    seen: list[Any] = []

    def noting(environ: Any, start_response: Any) -> Any:
        stream = environ["wsgi.input"]
        before = environ.get("st_wsgi.context")
        answer = app(environ, start_response)
        seen.append((environ["wsgi.input"] is stream, environ["st_wsgi.context"] is before))
        return answer

    with override_settings(SUPERTOKENS=st):
        answer = WSGIClient(st.wrap(noting) if wrapped else noting).post("/auth/body", data=b"for the view")
    assert (answer.status_code, answer.data) == (200, b"for the view")
    assert seen == [(True, wrapped)]


TWO_THREADS = """
import importlib, sys, threading
import django.core.signals, django.http, django.utils.module_loading
import st_wsgi

failed = []

def load(name):
    try:
        importlib.import_module(name)
    except BaseException as error:
        failed.append(repr(error))

threads = [threading.Thread(target=load, args=(name,)) for name in sys.argv[1:]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(failed)
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "names",
    [
        ("st_wsgi.recipes.session", "st_wsgi.frameworks.django"),
        ("st_wsgi.frameworks.django", "st_wsgi.recipes.session"),
        ("st_wsgi.recipes.emailpassword", "st_wsgi.pages"),
    ],
    ids=str,
)
def test_two_threads_may_import_when_the_package_is_there(names: tuple[str, str]) -> None:
    """As Django's runserver does. Without the package, some of these fail before Python 3.12, in both threads."""
    command = [sys.executable, "-W", "error", "-c", TWO_THREADS, *names]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (run.stdout, run.stderr) == ("[]\n", "")
