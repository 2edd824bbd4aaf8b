"""
Django with SuperTokens: ``python examples/django_app.py``, then open http://127.0.0.1:3000.

A whole Django site in one file; in a project of yours the settings, views and URLs are where they always are.
"""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from werkzeug.serving import run_simple

import st_wsgi
from st_wsgi import AppInfo, Cors
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session

PORT = int(os.environ.get("PORT", "3000"))
API = os.environ.get("ST_API_DOMAIN", f"http://127.0.0.1:{PORT}")
WEBSITE = os.environ.get("ST_WEBSITE_DOMAIN", API)
PAGE = Path(__file__).with_name("page.html").read_text()

st = st_wsgi.init(
    app_info=AppInfo(app_name="Django example", api_domain=API, website_domain=WEBSITE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[EmailPassword(), Session()],
    cors=None if WEBSITE == API else Cors(origins=[WEBSITE], whole_app=True),
)

settings.configure(
    SUPERTOKENS=st,
    MIDDLEWARE=["st_wsgi.frameworks.django.SuperTokensMiddleware"],
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
)


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


def session_info(request: HttpRequest) -> HttpResponse:
    s = session.get_session(request)
    return JsonResponse(
        {
            "userId": s.get_user_id(),
            "sessionHandle": s.get_handle(),
            "accessTokenPayload": s.get_access_token_payload(),
        }
    )


urlpatterns = [path("", page), path("sessioninfo", session_info)]
app = get_wsgi_application()


if __name__ == "__main__":
    run_simple("127.0.0.1", PORT, app, threaded=True)
