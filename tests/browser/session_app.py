"""An API with more session rules than the examples have: claims, other sites, shared cookie domains.

Settings from the environment: ``API`` and ``WEBSITES`` (origins, the first one is where users see pages), ``CORE``, and
``SESSION``, a JSON object with parameters of the session recipe. With ``OWN_CORS`` the app's own routes are left to
flask-cors.
"""

from __future__ import annotations

import json
import os
from typing import Any

from flask import Flask, request
from flask_cors import CORS

import st_wsgi
from st_wsgi import AppInfo, Cors
from st_wsgi.delivery import Console
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import BooleanClaim, Session

WEBSITES = os.environ["WEBSITES"].split()
PREMIUM = BooleanClaim("premium")

st = st_wsgi.init(
    app_info=AppInfo(app_name="Sessions", api_domain=os.environ["API"], website_domain=WEBSITES[0]),
    core=os.environ["CORE"],
    recipes=[EmailPassword(email_delivery=Console(allow_https=True)), Session(**json.loads(os.environ["SESSION"]))],
    cors=Cors(origins=WEBSITES, whole_app="OWN_CORS" not in os.environ),
)
app = Flask(__name__)
if "OWN_CORS" in os.environ:
    headers = ["content-type", *st_wsgi.get_all_cors_headers()]
    CORS(app, origins=WEBSITES, supports_credentials=True, allow_headers=headers, expose_headers=["X-Request-Id"])
app.wsgi_app = st.wrap(app.wsgi_app)  # type: ignore[assignment,method-assign]  # Flask's own way to put something in front


@app.get("/sessioninfo")
def session_info() -> dict[str, Any]:
    found = session.get_session(request)
    return {"userId": found.get_user_id(), "sessionHandle": found.get_handle()}


@app.get("/checked")
def checked() -> dict[str, Any]:
    """Protected, with a look into the core: a revoked session is noticed at once."""
    return {"userId": session.get_session(request, check_database=True).get_user_id()}


@app.post("/change")
def change() -> dict[str, Any]:
    """What another site must not be able to trigger."""
    session.get_session(request)
    return {"changed": True}


@app.post("/unprotected")
def unprotected() -> dict[str, Any]:
    """The same with the protection switched off, to show what it protects from."""
    session.get_session(request, anti_csrf_check=False)
    return {"changed": True}


@app.get("/premium")
@session.verify_session(override_global_claim_validators=lambda given, _: [*given, PREMIUM.is_true()])
def premium() -> dict[str, Any]:
    return {"premium": True}


@app.post("/upgrade")
@session.verify_session()
def upgrade() -> dict[str, Any]:
    session.current_session().set_claim_value(PREMIUM, True)
    return {"upgraded": True}


@app.post("/sign-out-everywhere")
@session.verify_session()
def sign_out_everywhere() -> dict[str, Any]:
    user_id = session.current_session().get_user_id()
    return {"ended": len(session.revoke_all_sessions_for_user(user_id=user_id))}
