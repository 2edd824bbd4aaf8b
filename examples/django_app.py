"""
Django with ready pages for signing in: ``python examples/django_app.py``, then open http://127.0.0.1:3000.

Mails are printed on the console: open their links.

This is a whole Django site in one file. In your project, settings, views and URLs are in their usual files.
"""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path
from werkzeug.serving import run_simple

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.session import Session, SessionContainer

PORT = int(os.environ.get("PORT", "3000"))
HERE = os.environ.get("ST_API_DOMAIN", f"http://127.0.0.1:{PORT}")
LINKS = [("/", "Home"), ("/orders", "Your orders")]

st = st_wsgi.init(
    app_info=AppInfo(app_name="Django example", api_domain=HERE, website_domain=HERE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[EmailPassword(), EmailVerification(mode="OPTIONAL"), Session(record_sign_in=True), Pages()],
)

settings.configure(
    SUPERTOKENS=st,
    MIDDLEWARE=["st_wsgi.frameworks.django.SuperTokensMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [Path(__file__).parent]}],
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1"],
)


def page(request: HttpRequest, title: str, current: SessionContainer | None) -> HttpResponse:
    user = None if current is None else st_wsgi.get_user(user_id=current.get_user_id())
    return render(request, "home.html", {"title": title, "user": user, "links": LINKS})


def home(request: HttpRequest) -> HttpResponse:
    return page(request, "Django example", session.get_session(request, session_required=False))


def orders(request: HttpRequest) -> HttpResponse:
    # check_database: a session that was ended on another device is refused at once, not when its token expires.
    return page(request, "Your orders", session.get_session(request, check_database=True))


def session_info(request: HttpRequest) -> HttpResponse:
    current = session.get_session(request)
    return JsonResponse(
        {
            "userId": current.get_user_id(),
            "sessionHandle": current.get_handle(),
            "accessTokenPayload": current.get_access_token_payload(),
        }
    )


urlpatterns = [path("", home), path("orders", orders), path("sessioninfo", session_info)]
app = get_wsgi_application()


if __name__ == "__main__":
    run_simple("127.0.0.1", PORT, app, threaded=True)
