"""What type checkers and editors see of the functions for users: the signatures of the recipes' own functions."""

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

import st_wsgi
from st_wsgi import AppInfo, Cors, RecipeUserId, SuperTokens, User
from st_wsgi.recipes import emailpassword, jwt, openid, session
from st_wsgi.recipes.emailpassword import (
    EmailAlreadyExists,
    EmailPassword,
    LinkingToSessionUserFailed,
    SignInOk,
    SignUpOk,
    WrongCredentials,
)
from st_wsgi.recipes.session import Session, SessionContainer

st = st_wsgi.init(
    app_info=AppInfo(app_name="Shop", api_domain="https://api.shop.example", website_domain="https://shop.example"),
    core="sqlite:///auth.db",
    recipes=[EmailPassword(), Session()],
    cors=Cors(origins="https://shop.example"),
)
assert_type(st, SuperTokens)

assert_type(emailpassword.sign_in(email="a", password="b"), SignInOk | WrongCredentials | LinkingToSessionUserFailed)
signed_up = emailpassword.sign_up(email="a", password="b", tenant_id="public")
assert_type(signed_up, SignUpOk | EmailAlreadyExists | LinkingToSessionUserFailed)
if isinstance(signed_up, SignUpOk):
    assert_type(signed_up.user, User)
    assert_type(signed_up.recipe_user_id, RecipeUserId)

assert_type(session.revoke_session(session_handle="x"), bool)
assert_type(session.revoke_multiple_sessions(session_handles=["x"]), list[str])
assert_type(session.get_all_session_handles_for_user(user_id="x"), list[str])
information = session.get_session_information(session_handle="x")
if information is not None:
    assert_type(information.expiry, int)
assert_type(
    session.create_new_session_without_request_response(recipe_user_id=RecipeUserId("x")),
    SessionContainer,
)
assert_type(session.get_session_without_request_response(access_token="x"), SessionContainer | None)

adult = session.BooleanClaim("adult", fetch_value=lambda user_id, recipe_user_id, tenant_id, payload: True)
assert_type(session.fetch_and_set_claim(session_handle="x", claim=adult), bool)
assert_type(session.set_claim_value(session_handle="x", claim=adult, value=True), bool)

assert_type(jwt.get_jwks().keys, tuple[dict[str, Any], ...])
assert_type(openid.get_open_id_discovery_configuration().issuer, str)


@session.verify_session()
def view(name: str, *, size: int = 1) -> str:
    assert_type(session.current_session(), SessionContainer)
    assert_type(session.get_session().get_claim_value(adult), bool | None)
    assert_type(session.get_session(session_required=False), SessionContainer | None)
    return name * size


assert_type(view("x", size=2), str)
