"""Django with the official SDK, as its documentation sets it up."""
# mypy: disable-error-code="import-not-found, import-untyped, no-any-unimported, untyped-decorator"
# (the SDK is installed in an environment of its own, where mypy does not look)

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse
from supertokens_python import InputAppInfo, SupertokensConfig, init
from supertokens_python.recipe import emailpassword, session
from supertokens_python.recipe.session.framework.django.syncio import verify_session

from benchmarks.apps import API, CORE
from benchmarks.apps.django_site import nobody, site


@verify_session()
def me(request: Any) -> HttpResponse:
    return JsonResponse({"userId": request.supertokens.get_user_id()})


init(
    supertokens_config=SupertokensConfig(connection_uri=CORE),
    app_info=InputAppInfo(app_name="bench", api_domain=API, website_domain=API),
    framework="django",
    mode="wsgi",
    recipe_list=[emailpassword.init(), session.init()],
    telemetry=False,
)
bare = site(nobody)
app = site(me, "supertokens_python.framework.django.django_middleware.middleware")
