"""
The app that every server serves for the survey: a Flask app in front of which SuperTokens is, and a Django site below
``/django``. Both have ``/session`` and ``/body``; the rest is Flask's.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from flask import Flask, request

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session, get_session

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ORIGIN = os.environ["ST_API_DOMAIN"]
MEETING = Path(os.environ["MEETING"])
PATIENCE = 8  # seconds

st = st_wsgi.init(
    app_info=AppInfo(app_name="Survey", api_domain=ORIGIN, website_domain=ORIGIN),
    core=os.environ["ST_CORE"],
    recipes=[EmailPassword(), Session()],
)
site = Flask(__name__)


@site.route("/session")
def session_of_flask() -> str:
    return get_session(request).get_user_id()


@site.post("/body")
def body_of_flask() -> bytes:
    return request.get_data()


@site.get("/environ")
def environ() -> dict[str, Any]:
    return {name: value for name, value in request.environ.items() if isinstance(value, str)}


@site.get("/wait")
def wait() -> str:
    """Return whether the other request came while this one was being answered, in another thread or process."""
    end = time.monotonic() + PATIENCE
    while not MEETING.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return "met" if MEETING.exists() else "alone"


@site.get("/come")
def come() -> str:
    MEETING.touch()
    return "came"


ticks: list[float] = []


def tick() -> None:
    """Note the time again and again, in a thread of the app."""
    while True:
        ticks.append(time.monotonic())
        time.sleep(0.05)


@site.get("/thread")
def thread() -> str:
    """Return how often the thread has run; the first request starts it."""
    if not ticks:
        threading.Thread(target=tick, daemon=True).start()
    return str(len(ticks))


settings.configure(
    SUPERTOKENS=st,
    MIDDLEWARE=["st_wsgi.frameworks.django.SuperTokensMiddleware"],
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1"],
)


def session_of_django(asked: HttpRequest) -> HttpResponse:
    return HttpResponse(get_session(asked).get_user_id())


def body_of_django(asked: HttpRequest) -> HttpResponse:
    return HttpResponse(asked.body)


urlpatterns = [path("session", session_of_django), path("body", body_of_django)]

flask_app = st.wrap(site.wsgi_app)
django_app = get_wsgi_application()


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    mount, _, rest = environ["PATH_INFO"].removeprefix("/").partition("/")
    if mount != "django":
        return flask_app(environ, start_response)
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = "/django", f"/{rest}"
    answer: Iterable[bytes] = django_app(environ, start_response)
    return answer


application = app  # the name that mod_wsgi looks for
