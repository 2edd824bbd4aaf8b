"""Wrong calls of functions for users, and wrong settings. Each line that is refused says with which error."""

from __future__ import annotations

import st_wsgi
from st_wsgi import AppInfo, Cors, RecipeUserId
from st_wsgi.recipes import emailpassword, session
from st_wsgi.recipes.emailpassword import FormField, SignInOk
from st_wsgi.recipes.session import ErrorHandlers, Session, SessionContainer

emailpassword.sign_in(email="a")  # expect: call-arg
emailpassword.sign_in(email="a", password="b", tenant="public")  # expect: call-arg
emailpassword.sign_in("a", "b", "public")  # expect: call-arg,arg-type
emailpassword.sign_in(email="a", password=5, tenant_id="public")  # expect: arg-type
ok: SignInOk = emailpassword.sign_in(email="a", password="b", tenant_id="public")  # expect: assignment

session.revoke_session("x")  # expect: call-arg
session.revoke_multiple_sessions(session_handles="x")  # expect: arg-type
session.create_new_session_without_request_response(recipe_user_id="user")  # expect: arg-type
session.create_new_session(None, tenant_id="public", recipe_user_id=RecipeUserId("x"), access_token_payload=["a"])  # expect: arg-type
found: SessionContainer = session.get_session_without_request_response(access_token="x")  # expect: assignment
session.set_claim_value(session_handle="x", claim=session.BooleanClaim("b"))  # expect: call-arg
session.get_session_information(session_handle="x").expiry  # expect: union-attr


@session.verify_session()
def view(name: str) -> str:
    return name


view(5)  # expect: arg-type

AppInfo(app_name="Shop")  # expect: call-arg
AppInfo(app_name="Shop", api_domain="x", website_domain="y", base_path="/auth")  # expect: call-arg
Session(anti_csrf="VIA_TOKENS")  # expect: arg-type
Session(cookie_same_site="Lax")  # expect: arg-type
Session(get_token_transfer_method=lambda request: "cookie")  # expect: arg-type,misc
ErrorHandlers(on_unauthorised=lambda error: None)  # expect: arg-type,misc
FormField(id="age", validate=lambda value: None)  # expect: arg-type,misc
Cors()  # expect: call-arg
st_wsgi.init(app_info={}, core="sqlite://", recipes=[Session()])  # expect: arg-type
st_wsgi.init(app_info=AppInfo(app_name="x", api_domain="y"), recipes=[Session()])  # expect: call-arg
