"""The official Python SDK as a program: it serves the SDK's routes with Flask and calls its functions on request.

One JSON object a line comes in, ``{"call": name, "with": {...}}``; one goes out, ``{"result": ...}`` or
``{"error": {"type": ..., "message": ...}}``. The same calls and facts as in ``node_app.mjs``.
"""
# mypy: disable-error-code="import-not-found, import-untyped, no-any-unimported, untyped-decorator"
# (the SDK is installed in an environment of its own, where mypy does not look)

from __future__ import annotations

import json
import os
import re
import sys
import threading
from typing import Any

import peer_http  # noqa: F401  # before the SDK makes a client
from flask import Flask, g, jsonify
from supertokens_python import InputAppInfo, SupertokensConfig, convert_to_recipe_user_id, init, syncio as accounts
from supertokens_python.framework.flask import Middleware
from supertokens_python.ingredients.emaildelivery.types import EmailDeliveryConfig, EmailDeliveryInterface
from supertokens_python.ingredients.smsdelivery.types import SMSDeliveryConfig, SMSDeliveryInterface
from supertokens_python.recipe import (
    accountlinking,
    emailpassword,
    emailverification,
    multifactorauth,
    passwordless,
    session,
    thirdparty,
    totp,
    usermetadata,
    userroles,
    webauthn,
)
from supertokens_python.recipe.accountlinking import syncio as links
from supertokens_python.recipe.accountlinking.types import (
    AccountInfoWithRecipeId,
    ShouldAutomaticallyLink,
    ShouldNotAutomaticallyLink,
)
from supertokens_python.recipe.emailpassword import syncio as passwords
from supertokens_python.recipe.emailverification import syncio as verification
from supertokens_python.recipe.multitenancy import syncio as tenants
from supertokens_python.recipe.multitenancy.interfaces import TenantConfigCreateOrUpdate
from supertokens_python.recipe.passwordless import syncio as codes
from supertokens_python.recipe.session import SessionContainer, syncio as sessions
from supertokens_python.recipe.session.exceptions import TokenTheftError, TryRefreshTokenError, UnauthorisedError
from supertokens_python.recipe.session.framework.flask import verify_session
from supertokens_python.recipe.thirdparty.provider import ProviderConfig
from supertokens_python.recipe.usermetadata import syncio as metadata
from supertokens_python.recipe.userroles import syncio as roles
from supertokens_python.types.base import AccountInfoInput
from werkzeug.serving import make_server

#: The messages of this app: where each went, its link, and its code if it has one.
mails: list[dict[str, str | None]] = []


class Outbox(EmailDeliveryInterface[Any]):  # type: ignore[misc]
    """Keeps the mails that the SDK would send over the internet."""

    async def send_email(self, template_vars: Any, user_context: dict[str, Any]) -> None:
        names = ("email_verify_link", "password_reset_link", "recover_account_link")
        link = next(link for name in names if (link := getattr(template_vars, name, None)))
        mails.append({"to": template_vars.user.email, "link": link})


class CodeOutbox(EmailDeliveryInterface[Any], SMSDeliveryInterface[Any]):  # type: ignore[misc]
    """Keeps the messages with codes and links."""

    async def send_email(self, template_vars: Any, user_context: dict[str, Any]) -> None:
        self._keep(template_vars.email, template_vars)

    async def send_sms(self, template_vars: Any, user_context: dict[str, Any]) -> None:
        self._keep(template_vars.phone_number, template_vars)

    def _keep(self, to: str, template_vars: Any) -> None:
        mails.append({"to": to, "link": template_vars.url_with_link_code, "code": template_vars.user_input_code})


#: What this app says about linking accounts; the test changes it.
linking: dict[str, Any] = {"rule": ShouldNotAutomaticallyLink()}
RULES = {
    "none": ShouldNotAutomaticallyLink(),
    "link": ShouldAutomaticallyLink(should_require_verification=False),
    "verified": ShouldAutomaticallyLink(should_require_verification=True),
}


async def should_link(*_: Any) -> Any:
    return linking["rule"]


init(
    supertokens_config=SupertokensConfig(connection_uri=sys.argv[1], api_key=os.environ.get("CORE_API_KEY")),
    app_info=InputAppInfo(app_name="peer", api_domain="http://127.0.0.1:3000", website_domain="http://127.0.0.1:3000"),
    framework="flask",
    recipe_list=[
        *([accountlinking.init(should_do_automatic_account_linking=should_link)] if "links" in sys.argv else []),
        emailpassword.init(email_delivery=EmailDeliveryConfig(service=Outbox())),
        emailverification.init(mode="OPTIONAL", email_delivery=EmailDeliveryConfig(service=Outbox())),
        passwordless.init(
            contact_config=passwordless.ContactEmailOrPhoneConfig(),
            flow_type="USER_INPUT_CODE_AND_MAGIC_LINK",
            email_delivery=EmailDeliveryConfig(service=CodeOutbox()),
            sms_delivery=SMSDeliveryConfig(service=CodeOutbox()),
        ),
        thirdparty.init(),
        usermetadata.init(),
        userroles.init(),
        webauthn.init(webauthn.WebauthnConfig(email_delivery=EmailDeliveryConfig(service=Outbox()))),
        session.init(),
        *([multifactorauth.init(), totp.init()] if "factors" in sys.argv else []),
    ],
    telemetry=False,
)

#: The names that the Node SDK has for these errors.
ERRORS = {
    TokenTheftError: "TOKEN_THEFT_DETECTED",
    TryRefreshTokenError: "TRY_REFRESH_TOKEN",
    UnauthorisedError: "UNAUTHORISED",
}

#: Classes without a status whose name does not spell it either.
STATUSES = {
    "VerifyEmailUsingTokenInvalidTokenError": "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR",
    "UnknownSupertokensUserIDError": "UNKNOWN_SUPERTOKENS_USER_ID_ERROR",
}


def answer(value: object) -> None:
    print(json.dumps(value), flush=True)


def status(result: object) -> str:
    """The wire status of a result; most classes of the SDK carry it in their name only."""
    name = type(result).__name__
    if isinstance(spelled := getattr(result, "status", None), str):
        return spelled
    if name.endswith("Error"):
        return STATUSES.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
    return "OK"


def outcome(result: object) -> dict[str, Any]:
    return {**vars(result), "status": status(result)}


def account(result: Any) -> dict[str, Any]:
    user = getattr(result, "user", None)
    return {
        "status": status(result),
        "user": None if user is None else user.to_json(),
        "recipe_user_id": None if user is None else result.recipe_user_id.get_as_string(),
    }


def session_facts(found: SessionContainer) -> dict[str, Any]:
    tokens = found.get_all_session_tokens_dangerously()
    return {
        "user_id": found.get_user_id(),
        "handle": found.get_handle(),
        "tenant_id": found.get_tenant_id(),
        "payload": found.get_access_token_payload(),
        "access_token": tokens["accessToken"],
        "refresh_token": tokens["refreshToken"],
        "updated": tokens["accessAndFrontTokenUpdated"],
    }


def session_information(session_handle: str) -> dict[str, Any] | None:
    found = sessions.get_session_information(session_handle)
    if found is None:
        return None
    return {
        "user_id": found.user_id,
        "data": found.session_data_in_database,
        "payload": found.custom_claims_in_access_token_payload,
        "expiry": found.expiry,
        "created": found.time_created,
    }


def create_session(user_id: str, payload: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    recipe_user_id = convert_to_recipe_user_id(user_id)
    return session_facts(sessions.create_new_session_without_request_response("public", recipe_user_id, payload, data))


def get_session(access_token: str, check_database: bool) -> dict[str, Any]:
    found = sessions.get_session_without_request_response(
        access_token, anti_csrf_check=False, check_database=check_database
    )
    assert found is not None, "a session is required by default"
    return session_facts(found)


def users(newest_first: bool, limit: int, pagination_token: str | None) -> dict[str, Any]:
    listed = accounts.get_users_newest_first if newest_first else accounts.get_users_oldest_first
    page = listed("public", limit, pagination_token)
    return {"ids": [user.id for user in page.users], "next": page.next_pagination_token}


def get_user(user_id: str) -> dict[str, Any] | None:
    found = accounts.get_user(user_id)
    return None if found is None else found.to_json()


def map_user(user_id: str, external_user_id: str, external_user_id_info: str | None, force: bool) -> dict[str, Any]:
    return outcome(accounts.create_user_id_mapping(user_id, external_user_id, external_user_id_info, force))


def mapping_of(user_id: str) -> dict[str, Any]:
    found = accounts.get_user_id_mapping(user_id)
    if status(found) != "OK":
        return {"status": status(found)}
    return {
        "status": "OK",
        "user_id": found.supertokens_user_id,
        "external_user_id": found.external_user_id,
        "info": found.external_user_info,
    }


def update_account(user_id: str, email: str | None, password: str | None) -> str:
    return status(passwords.update_email_or_password(convert_to_recipe_user_id(user_id), email, password))


def create_tenant(tenant_id: str, first_factors: list[str] | None) -> dict[str, Any]:
    config = TenantConfigCreateOrUpdate(first_factors=first_factors)
    return outcome(tenants.create_or_update_tenant(tenant_id, config))


def first_factors(tenant_id: str) -> list[str] | None:
    found = tenants.get_tenant(tenant_id)
    return None if found is None else found.first_factors


def associate(tenant_id: str, user_id: str) -> dict[str, Any]:
    return outcome(tenants.associate_user_to_tenant(tenant_id, convert_to_recipe_user_id(user_id)))


def disassociate(tenant_id: str, user_id: str) -> dict[str, Any]:
    return outcome(tenants.disassociate_user_from_tenant(tenant_id, convert_to_recipe_user_id(user_id)))


def set_provider(tenant_id: str, config: dict[str, Any]) -> dict[str, Any]:
    return outcome(tenants.create_or_update_third_party_config(tenant_id, ProviderConfig.from_json(config)))


def providers(tenant_id: str) -> list[dict[str, Any]]:
    found = tenants.get_tenant(tenant_id)
    return [] if found is None else [provider.to_json() for provider in found.third_party_providers]


def linking_function(
    *,
    function: str,
    user_id: str | None = None,
    primary_user_id: str | None = None,
    email: str | None = None,
    is_verified: bool = False,
    access_token: str | None = None,
) -> Any:
    found = None
    if access_token is not None:
        found = sessions.get_session_without_request_response(
            access_token, anti_csrf_check=False, override_global_claim_validators=lambda *_: []
        )
    method = convert_to_recipe_user_id(user_id or "")
    new = AccountInfoWithRecipeId("emailpassword", email=email)
    functions = {
        "can_create_primary_user": lambda: links.can_create_primary_user(method),
        "create_primary_user": lambda: links.create_primary_user(method),
        "can_link_accounts": lambda: links.can_link_accounts(method, primary_user_id or ""),
        "link_accounts": lambda: links.link_accounts(method, primary_user_id or ""),
        "unlink_account": lambda: links.unlink_account(method),
        "is_sign_up_allowed": lambda: links.is_sign_up_allowed("public", new, is_verified, found),
        "is_sign_in_allowed": lambda: links.is_sign_in_allowed("public", method, found),
        "is_email_change_allowed": lambda: links.is_email_change_allowed(method, email or "", is_verified, found),
        "create_primary_user_id_or_link_accounts": lambda: links.create_primary_user_id_or_link_accounts(
            "public", method, found
        ),
        "get_primary_user_that_can_be_linked_to_recipe_user_id": lambda: (
            links.get_primary_user_that_can_be_linked_to_recipe_user_id("public", method)
        ),
    }
    result = functions[function]()
    if result is None or isinstance(result, bool):
        return result
    if hasattr(result, "login_methods"):
        return {"user": result.to_json()}
    facts = {
        name: getattr(result, name)
        for name in (
            "status",
            "primary_user_id",
            "was_already_a_primary_user",
            "accounts_already_linked",
            "was_linked",
            "was_recipe_user_deleted",
        )
        if hasattr(result, name)
    }
    user = getattr(result, "user", None)
    return facts if user is None else {**facts, "user": user.to_json()}


def by_recipe_user_id(function: Any) -> Any:
    """The function with a plain user id where it wants a RecipeUserId."""
    return lambda user_id: function(convert_to_recipe_user_id(user_id))


def in_public_by_recipe_user_id(function: Any) -> Any:
    return lambda user_id: function("public", convert_to_recipe_user_id(user_id))


VERIFICATION_TOKEN = in_public_by_recipe_user_id(verification.create_email_verification_token)
REVOKE_VERIFICATION_TOKENS = in_public_by_recipe_user_id(verification.revoke_email_verification_tokens)
UNVERIFY = by_recipe_user_id(verification.unverify_email)

CALLS: dict[str, Any] = {
    "mails": lambda after: mails[after:],
    "linking": linking_function,
    "linking_rule": lambda rule: linking.update(rule=RULES[rule]),
    "create_code": lambda email, tenant_id: outcome(codes.create_code(tenant_id, email=email)),
    "passwordless_sign_in_up": lambda email, tenant_id: account(codes.signinup(tenant_id, email, None)),
    "create_tenant": create_tenant,
    "first_factors": first_factors,
    "delete_tenant": lambda tenant_id: outcome(tenants.delete_tenant(tenant_id)),
    "associate": associate,
    "disassociate": disassociate,
    "set_provider": set_provider,
    "providers": providers,
    "delete_provider": lambda tenant_id, third_party_id: outcome(
        tenants.delete_third_party_config(tenant_id, third_party_id)
    ),
    "sign_up": lambda email, password: account(passwords.sign_up("public", email, password)),
    "sign_in": lambda email, password: account(passwords.sign_in("public", email, password)),
    "create_session": create_session,
    "get_session": get_session,
    "refresh": lambda refresh_token: session_facts(
        sessions.refresh_session_without_request_response(refresh_token, disable_anti_csrf=True)
    ),
    "revoke": sessions.revoke_session,
    "revoke_all": sessions.revoke_all_sessions_for_user,
    "handles": sessions.get_all_session_handles_for_user,
    "session_information": session_information,
    "update_data": sessions.update_session_data_in_database,
    "merge_payload": sessions.merge_into_access_token_payload,
    "jwks": lambda: [vars(key) for key in sessions.get_jwks().keys],
    "create_jwt": lambda payload, validity_seconds, use_static_key: outcome(
        sessions.create_jwt(payload, validity_seconds, use_static_key)
    ),
    "get_user": get_user,
    "users_by_email": lambda email: [
        user.to_json() for user in accounts.list_users_by_account_info("public", AccountInfoInput(email=email))
    ],
    "users": users,
    "count_users": lambda: accounts.get_user_count(tenant_id="public"),
    "delete_user": lambda user_id: status(accounts.delete_user(user_id)),
    "map_user": map_user,
    "mapping_of": mapping_of,
    "unmap_user": lambda user_id, force: accounts.delete_user_id_mapping(user_id, "ANY", force).did_mapping_exist,
    "reset_token": lambda user_id, email: outcome(passwords.create_reset_password_token("public", user_id, email)),
    "reset_password": lambda token, new_password: status(
        passwords.reset_password_using_token("public", token, new_password)
    ),
    "consume_reset_token": lambda token: outcome(passwords.consume_password_reset_token("public", token)),
    "update_account": update_account,
    "verification_token": lambda user_id: outcome(VERIFICATION_TOKEN(user_id)),
    "verify_email": lambda token: status(verification.verify_email_using_token("public", token)),
    "is_verified": by_recipe_user_id(verification.is_email_verified),
    "unverify": lambda user_id: status(UNVERIFY(user_id)),
    "revoke_verification_tokens": lambda user_id: status(REVOKE_VERIFICATION_TOKENS(user_id)),
    "get_metadata": lambda user_id: metadata.get_user_metadata(user_id).metadata,
    "update_metadata": lambda user_id, change: metadata.update_user_metadata(user_id, change).metadata,
    "clear_metadata": lambda user_id: status(metadata.clear_user_metadata(user_id)),
    "create_role": lambda role, permissions: outcome(roles.create_new_role_or_add_permissions(role, permissions)),
    "add_role": lambda user_id, role: outcome(roles.add_role_to_user("public", user_id, role)),
    "remove_role": lambda user_id, role: outcome(roles.remove_user_role("public", user_id, role)),
    "roles_of": lambda user_id: roles.get_roles_for_user("public", user_id).roles,
    "users_with_role": lambda role: outcome(roles.get_users_that_have_role("public", role)),
    "permissions_of": lambda role: outcome(roles.get_permissions_for_role(role)),
    "remove_permissions": lambda role, permissions: outcome(roles.remove_permissions_from_role(role, permissions)),
    "roles_with_permission": lambda permission: roles.get_roles_that_have_permission(permission).roles,
    "delete_role": lambda role: roles.delete_role(role).did_role_exist,
    "all_roles": lambda: roles.get_all_roles().roles,
}

app = Flask(__name__)
Middleware(app)


@app.get("/sessioninfo")
@verify_session()
def session_info() -> Any:
    found: SessionContainer = g.supertokens
    payload = found.get_access_token_payload()
    claims = {name: payload.get(name) for name in ("st-ev", "st-role", "st-perm", "tId")}
    return jsonify(userId=found.get_user_id(), sessionHandle=found.get_handle(), claims=claims)


def main() -> None:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answer({"port": server.server_port})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer({"result": CALLS[request["call"]](**request["with"])})
        except Exception as error:  # whatever the SDK raises is a fact for the test to judge
            kind = ERRORS.get(type(error), type(error).__name__)
            answer({"error": {"type": kind, "message": str(error)}})
    server.shutdown()


if __name__ == "__main__":
    main()
