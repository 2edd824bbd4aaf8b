"""Flask with the official SDK, as its documentation sets it up."""
# mypy: disable-error-code="import-not-found, import-untyped, no-any-unimported, untyped-decorator"
# (the SDK is installed in an environment of its own, where mypy does not look)

from __future__ import annotations

from flask import g
from supertokens_python import InputAppInfo, SupertokensConfig, init
from supertokens_python.framework.flask import Middleware
from supertokens_python.recipe import emailpassword, session
from supertokens_python.recipe.session.framework.flask import verify_session

from benchmarks.apps import API, CORE
from benchmarks.apps.flask_site import nobody, site


@verify_session()
def me() -> dict[str, str]:
    return {"userId": g.supertokens.get_user_id()}


init(
    supertokens_config=SupertokensConfig(connection_uri=CORE),
    app_info=InputAppInfo(app_name="bench", api_domain=API, website_domain=API),
    framework="flask",
    recipe_list=[emailpassword.init(), session.init()],
    telemetry=False,
)
bare = site(nobody)
app = site(me)
Middleware(app)
