"""
A second factor after the password: ``python examples/second_factor.py``, then open http://127.0.0.1:3000.

The second factor is a code of an authenticator app, or a code by mail. The mails are printed on the console.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from flask import Flask, render_template_string, request

import st_wsgi
from st_wsgi import AppInfo, Override, replace
from st_wsgi.frameworks.flask import init_app
from st_wsgi.pages import Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.accountlinking import AccountLinking, ShouldAutomaticallyLink
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multifactorauth import MultiFactorAuth, MultiFactorAuthFunctions, Requirements, require_factors
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.session import Session, SessionContainer
from st_wsgi.recipes.totp import Totp

PORT = int(os.environ.get("PORT", "3000"))
HERE = os.environ.get("ST_API_DOMAIN", f"http://127.0.0.1:{PORT}")
HOME = Path(__file__).with_name("home.html").read_text()
LINKS = [("/", "Home"), ("/orders", "Your orders"), ("/transfer", "Transfer money")]


def for_everybody(original: MultiFactorAuthFunctions) -> MultiFactorAuthFunctions:
    """Require a second factor of all users."""

    def get_mfa_requirements_for_auth(**_: Any) -> Requirements:
        return [{"oneOf": ["totp", "otp-email"]}]

    return replace(original, get_mfa_requirements_for_auth=get_mfa_requirements_for_auth)


st = st_wsgi.init(
    app_info=AppInfo(app_name="Second factors example", api_domain=HERE, website_domain=HERE),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[
        EmailPassword(),
        Passwordless(contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE"),
        Totp(),
        MultiFactorAuth(first_factors=["emailpassword"], override=Override(functions=for_everybody)),
        # A code by mail becomes a second login method of the user, if the address is verified.
        AccountLinking(should_do_automatic_account_linking=lambda *_: ShouldAutomaticallyLink()),
        EmailVerification(mode="OPTIONAL"),
        Session(record_sign_in=True),
        Pages(),
    ],
)
app = Flask(__name__)
init_app(app, st)


def page(title: str, current: SessionContainer | None) -> str:
    user = None if current is None else st_wsgi.get_user(user_id=current.get_user_id())
    return render_template_string(HOME, title=title, user=user, links=LINKS)


@app.get("/")
def home() -> str:
    return page("Second factors example", session.get_session(request, session_required=False))


@app.get("/orders")
def orders() -> str:
    return page("Your orders", session.get_session(request))


@app.get("/transfer")
def transfer() -> str:
    current = session.get_session(request, override_global_claim_validators=require_factors(requirement_list=["totp"]))
    return page("The money is on its way", current)


if __name__ == "__main__":
    app.run(port=PORT)
