"""The official Python SDK's recipes for ways in, factors, linked accounts and tenants: it calls functions on request.

One JSON object a line comes in, ``{"call": "totp.create_device", "with": {"user_id": ...}}``; one goes out, as from
``python_app.py``. A result is its fields, with the name of its class as ``status`` where the SDK has none.
"""
# mypy: disable-error-code="import-not-found, import-untyped, no-any-unimported, untyped-decorator"
# (the SDK is installed in an environment of its own, where mypy does not look)

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import peer_http  # noqa: F401  # before the SDK makes a client
from supertokens_python import InputAppInfo, SupertokensConfig, convert_to_recipe_user_id, init
from supertokens_python.ingredients.emaildelivery.types import EmailDeliveryConfig, EmailDeliveryInterface
from supertokens_python.recipe import (
    accountlinking,
    multifactorauth,
    multitenancy,
    passwordless,
    session,
    thirdparty,
    totp,
    usermetadata,
    webauthn,
)
from supertokens_python.recipe.accountlinking import syncio as linking
from supertokens_python.recipe.accountlinking.types import AccountInfoWithRecipeId
from supertokens_python.recipe.multifactorauth import syncio as factors
from supertokens_python.recipe.multitenancy import syncio as tenants
from supertokens_python.recipe.multitenancy.interfaces import TenantConfigCreateOrUpdate
from supertokens_python.recipe.passwordless import syncio as codes
from supertokens_python.recipe.thirdparty import syncio as providers
from supertokens_python.recipe.thirdparty.provider import ProviderClientConfig, ProviderConfig
from supertokens_python.recipe.totp import syncio as devices
from supertokens_python.recipe.webauthn import functions as passkeys
from supertokens_python.recipe.webauthn.interfaces.recipe import AuthenticationPayload, RegistrationPayload
from supertokens_python.types import RecipeUserId, User

#: The links of the mails that the SDK would send over the internet.
links: list[str] = []


class Outbox(EmailDeliveryInterface[Any]):  # type: ignore[misc]
    """Keeps the mails that the SDK would send over the internet."""

    async def send_email(self, template_vars: Any, user_context: dict[str, Any]) -> None:
        links.append(template_vars.recover_account_link)


async def link_by_address(new_account: Any, *_: object) -> Any:
    """Link accounts with the same verified address, if it starts with ``auto-``."""
    if (new_account.email or "").startswith("auto-"):
        return accountlinking.ShouldAutomaticallyLink(should_require_verification=True)
    return accountlinking.ShouldNotAutomaticallyLink()


init(
    supertokens_config=SupertokensConfig(connection_uri=sys.argv[1], api_key=os.environ.get("CORE_API_KEY")),
    app_info=InputAppInfo(app_name="peer", api_domain="http://127.0.0.1:3000", website_domain="http://127.0.0.1:3000"),
    framework="flask",
    recipe_list=[
        accountlinking.init(should_do_automatic_account_linking=link_by_address),
        multifactorauth.init(),
        multitenancy.init(),
        passwordless.init(passwordless.ContactEmailOrPhoneConfig(), "USER_INPUT_CODE_AND_MAGIC_LINK"),
        thirdparty.init(),
        totp.init(),
        webauthn.init(webauthn.WebauthnConfig(email_delivery=EmailDeliveryConfig(service=Outbox()))),
        usermetadata.init(),
        session.init(),
    ],
    telemetry=False,
)

RECIPES = {
    "accountlinking": linking,
    "multifactorauth": factors,
    "multitenancy": tenants,
    "passwordless": codes,
    "thirdparty": providers,
    "totp": devices,
    "webauthn": passkeys,
}

#: The arguments that the SDK wants as objects, by recipe and name.
OBJECTS: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("accountlinking", "recipe_user_id"): convert_to_recipe_user_id,
    ("accountlinking", "new_user"): lambda fields: AccountInfoWithRecipeId(**fields),
    ("multitenancy", "recipe_user_id"): convert_to_recipe_user_id,
    ("passwordless", "recipe_user_id"): convert_to_recipe_user_id,
    ("webauthn", "credential"): lambda sent: (
        AuthenticationPayload if "signature" in sent["response"] else RegistrationPayload
    ).from_json(sent),
}


def tenant_config(fields: dict[str, Any]) -> Any:
    return TenantConfigCreateOrUpdate(**fields)


def provider_config(fields: dict[str, Any]) -> Any:
    clients = [ProviderClientConfig(**client) for client in fields.pop("clients")]
    return ProviderConfig(**fields, clients=clients)


def plain(value: Any) -> Any:
    """Return a result as JSON."""
    if isinstance(value, User):
        return value.to_json()
    if isinstance(value, RecipeUserId):
        return value.get_as_string()
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if hasattr(value, "__dict__"):
        status = getattr(value, "status", type(value).__name__)
        return {"status": status, **{name: plain(part) for name, part in vars(value).items()}}
    return value


def call(name: str, arguments: dict[str, Any]) -> Any:
    if name == "links":
        return links
    recipe, _, function = name.partition(".")
    given = {key: OBJECTS.get((recipe, key), lambda same: same)(value) for key, value in arguments.items()}
    if "config" in given:
        given["config"] = (tenant_config if function == "create_or_update_tenant" else provider_config)(given["config"])
    found = getattr(RECIPES[recipe], function)
    result = getattr(found, "sync", found)(**given)
    if function == "get_provider":
        return None if result is None else {"id": result.id, "client_id": result.config.client_id}
    return plain(result)


def main() -> None:
    print(json.dumps({"port": 0}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": call(request["call"], request["with"])}
        except Exception as error:  # whatever the SDK raises is a fact for the test to judge
            answer = {"error": {"type": type(error).__name__, "message": str(error)}}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
