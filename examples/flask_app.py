"""
Flask with SuperTokens in front: ``python examples/flask_app.py``, then open http://127.0.0.1:3000.

The links of mails are printed on the console. The page for administrators opens to users with the role ``admin``:
``python -m st_wsgi user roles ada@example.com --add admin``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from flask import Flask, request

import st_wsgi
from st_wsgi import AppInfo, Cors
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification, EmailVerificationClaim
from st_wsgi.recipes.session import Session, SessionClaimValidator, SessionContainer
from st_wsgi.recipes.userroles import UserRoleClaim, UserRoles

PORT = int(os.environ.get("PORT", "3000"))
API = os.environ.get("ST_API_DOMAIN", f"http://127.0.0.1:{PORT}")
WEBSITE = os.environ.get("ST_WEBSITE_DOMAIN", API)
PAGE = Path(__file__).with_name("page.html").read_text().replace("<html ", '<html data-mails="yes" ', 1)

st = st_wsgi.init(
    app_info=AppInfo(app_name="Flask example", api_domain=API, website_domain=WEBSITE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[EmailPassword(), EmailVerification(mode="OPTIONAL"), UserRoles(), Session()],
    cors=None if WEBSITE == API else Cors(origins=[WEBSITE], whole_app=True),
)
app = Flask(__name__)
app.wsgi_app = st.wrap(app.wsgi_app)  # type: ignore[assignment]  # Flask documents this


@app.get("/")
@app.get("/auth/reset-password")  # the links of mails lead to these two
@app.get("/auth/verify-email")
def page() -> str:
    return PAGE


@app.get("/sessioninfo")
def session_info() -> dict[str, Any]:
    current = session.get_session(request)
    return {
        "userId": current.get_user_id(),
        "sessionHandle": current.get_handle(),
        "accessTokenPayload": current.get_access_token_payload(),
    }


def administrators(validators: list[SessionClaimValidator], _session: SessionContainer) -> list[SessionClaimValidator]:
    return [*validators, EmailVerificationClaim.is_verified(), UserRoleClaim.includes("admin", max_age_in_seconds=1)]


@app.get("/admin")
def admin() -> dict[str, str]:
    current = session.get_session(request, override_global_claim_validators=administrators)
    return {"message": f"You are an administrator, {current.get_user_id()}."}


if __name__ == "__main__":
    app.run(port=PORT)
