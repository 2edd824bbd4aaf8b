"""Django with st_wsgi in front."""
# mypy: disable-error-code="import-untyped, no-any-unimported"
# (Django has no types)

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse

import st_wsgi
from benchmarks.apps import API, CORE
from benchmarks.apps.django_site import site
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session


def me(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"userId": session.get_session(request).get_user_id()})


st = st_wsgi.init(
    app_info=st_wsgi.AppInfo(app_name="bench", api_domain=API, website_domain=API),
    core=CORE,
    recipes=[EmailPassword(), Session()],
    rate_limit=None,  # one visitor signs in again and again
)
bare = site(me)
app = st.wrap(bare)
