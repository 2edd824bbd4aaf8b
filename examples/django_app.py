"""
Django with SuperTokens: ``python examples/django_app.py``, then open http://127.0.0.1:3000.

This is a whole Django site in one file. In your project, settings, views and URLs are in their usual files.
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
    ALLOWED_HOSTS=["127.0.0.1"],
)


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


def session_info(request: HttpRequest) -> HttpResponse:
    current = session.get_session(request)
    return JsonResponse(
        {
            "userId": current.get_user_id(),
            "sessionHandle": current.get_handle(),
            "accessTokenPayload": current.get_access_token_payload(),
        }
    )


urlpatterns = [path("", page), path("sessioninfo", session_info)]
app = get_wsgi_application()


if __name__ == "__main__":
    run_simple("127.0.0.1", PORT, app, threaded=True)
