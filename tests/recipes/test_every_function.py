"""Every function of every recipe: an app's override takes its place, for the app's own code and for the recipes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from recipes.shop import PASSWORD, Borrowed, Shop, no_mail
from st_wsgi import Override, RecipeUserId, recipes, replace
from st_wsgi.delivery import Message
from st_wsgi.recipe_kit.recipe import Functions, Recipe
from st_wsgi.recipes import emailpassword, multifactorauth, session
from st_wsgi.recipes.accountlinking import AccountInfoWithRecipeId, AccountLinking
from st_wsgi.recipes.emailpassword import EmailPassword, SignUpOk
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.jwt import Jwt
from st_wsgi.recipes.multifactorauth import MultiFactorAuth
from st_wsgi.recipes.multitenancy import Multitenancy, ProviderConfig
from st_wsgi.recipes.openid import OpenId
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.saml import Saml
from st_wsgi.recipes.session import BooleanClaim, Session
from st_wsgi.recipes.thirdparty import (
    Provider,
    ProviderClientConfig,
    ProviderInput,
    RawUserInfoFromProvider,
    ThirdParty,
    UserInfo,
    UserInfoEmail,
)
from st_wsgi.recipes.totp import Totp
from st_wsgi.recipes.usermetadata import UserMetadata
from st_wsgi.recipes.userroles import UserRoles
from st_wsgi.recipes.webauthn import Webauthn
from st_wsgi.request import current
from st_wsgi.request.context import RequestContext

RAW = RawUserInfoFromProvider()


def only_ada(original: Provider) -> Provider:
    """Return a provider that needs no network."""
    ada = UserInfo(
        third_party_user_id="ada",
        email=UserInfoEmail(id="ada@example.com", is_verified=True),
        raw_user_info_from_provider=RAW,
    )
    return replace(original, get_user_info=lambda **_: ada)


GITHUB = ProviderConfig(third_party_id="github", clients=[ProviderClientConfig(client_id="c1", client_secret="s1")])

#: Every recipe with the settings that it needs.
SETTINGS: dict[type[Recipe[Any, Any]], dict[str, Any]] = {
    AccountLinking: {},
    EmailPassword: {"email_delivery": no_mail},
    EmailVerification: {"mode": "OPTIONAL", "email_delivery": no_mail},
    Jwt: {},
    MultiFactorAuth: {},
    Multitenancy: {},
    OpenId: {},
    Passwordless: {
        "contact_config": ContactEmailOrPhoneConfig(),
        "flow_type": "USER_INPUT_CODE_AND_MAGIC_LINK",
        "email_delivery": no_mail,
        "sms_delivery": no_mail,
    },
    Saml: {},
    Session: {},
    ThirdParty: {"providers": [ProviderInput(config=GITHUB, override=only_ada)]},
    Totp: {},
    UserMetadata: {},
    UserRoles: {},
    Webauthn: {"get_relying_party_id": "shop.example", "email_delivery": no_mail},
}

#: A value for each parameter that a function needs.
VALUES: dict[str, Any] = {
    "access_token": "none",
    "access_token_payload_update": {"plan": "free"},
    "acs_url": "https://api.shop.example/auth/public/saml/callback",
    "claim": BooleanClaim("adult"),
    "client_id": "none",
    "code_id": "none",
    "config": ProviderConfig(third_party_id="google"),
    "credential": {"id": "AAAA", "type": "public-key", "response": {}},
    "default_redirect_uri": "https://shop.example/x",
    "device_id": "none",
    "device_name": "phone",
    "email": "ada@example.com",
    "existing_device_name": "phone",
    "factor_id": "totp",
    "message": Message(kind="PASSWORD_RESET", to="ada@example.com", tenant_id="public", link="https://shop.example/x"),
    "is_verified": True,
    "metadata_update": {"plan": "free"},
    "metadata_xml": "<xml/>",
    "new_device_name": "tablet",
    "new_email": "ada@example.com",
    "new_session_data": {"plan": "free"},
    "oauth_tokens": {},
    "new_user": AccountInfoWithRecipeId(recipe_id="emailpassword", email="ada@example.com"),
    "password": PASSWORD,
    "payload": {"plan": "free"},
    "permission": "read",
    "permissions": ["read"],
    "phone_number": "+4930123456",
    "pre_auth_session_id": "none",
    "raw_user_info_from_provider": RAW,
    "primary_user_id": "ada",
    "recipe_user_id": RecipeUserId("ada"),
    "redirect_uri": "https://shop.example/x",
    "redirect_uris": ["https://shop.example/x"],
    "refresh_token": "none",
    "role": "editor",
    "saml_response": "AAAA",
    "session_handle": "none",
    "session_handles": ["none"],
    "tenant_id": "acme",
    "third_party_id": "google",
    "third_party_user_id": "ada",
    "token": "none",
    "totp": "000000",
    "user_id": "ada",
    "value": True,
    "webauthn_credential_id": "none",
    "webauthn_generated_options_id": "none",
}


def new_session() -> session.SessionContainer:
    return session.create_new_session_without_request_response(recipe_user_id=RecipeUserId("ada"))


def session_of_user() -> session.SessionContainer:
    """Return a session of a user whom the core knows."""
    made = emailpassword.sign_up(email=f"{uuid.uuid4()}@example.com", password=PASSWORD)
    assert isinstance(made, SignUpOk)
    return session.create_new_session_without_request_response(recipe_user_id=made.recipe_user_id)


def show_session() -> None:
    token = new_session().get_access_token()
    session.get_session_without_request_response(access_token=token, override_global_claim_validators=adults)


def adults(validators: list[Any], _session: session.SessionContainer) -> list[Any]:
    return [*validators, BooleanClaim("adult").is_true()]


def ask_for_login_methods() -> None:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/auth/loginmethods"}
    services = current.services()
    services.get(Multitenancy).tenant_of(RequestContext(services, environ))


#: The functions that are for overrides only, and what the app's code calls that comes to them.
UNDER_ANOTHER_NAME: dict[str, Callable[[], Any]] = {
    "emailpassword.create_new_recipe_user": lambda: emailpassword.sign_up(email="new@example.com", password=PASSWORD),
    "multifactorauth.assert_allowed_to_setup_factor_else_throw_invalid_claim_error": lambda: (
        multifactorauth.assert_allowed_to_setup_factor_else_throw_invalid_claim_error(
            session=session_of_user(), factor_id="totp"
        )
    ),
    "multifactorauth.get_factors_setup_for_user": lambda: multifactorauth.get_factors_setup_for_user(
        user_id=session_of_user().get_user_id()
    ),
    "multifactorauth.get_mfa_requirements_for_auth": lambda: multifactorauth.get_mfa_requirements_for_auth(
        session=session_of_user()
    ),
    "multifactorauth.mark_factor_as_complete_in_session": lambda: multifactorauth.mark_factor_as_complete_in_session(
        session=session_of_user(), factor_id="totp"
    ),
    "multitenancy.get_tenant_id": ask_for_login_methods,
    "session.create_new_session": new_session,
    "session.get_session": show_session,
    "session.refresh_session": lambda: session.refresh_session_without_request_response(refresh_token="none"),
    "session.get_global_claim_validators": show_session,
    "session.validate_claims": show_session,
    "session.regenerate_access_token": lambda: new_session().merge_into_access_token_payload({"plan": "free"}),
}


def functions_of(kind: type[Recipe[Any, Any]]) -> list[str]:
    names = set(dir(kind.functions_class)) - set(dir(Functions))
    return sorted(name for name in names if not name.startswith("_"))


ALL = {f"{kind.id}.{name}": (kind, name) for kind in SETTINGS for name in functions_of(kind)}


def with_values(function: Callable[..., Any]) -> Callable[[], Any]:
    """Return the call of a function with a value for everything that it needs. An address is always given."""
    parameters = inspect.signature(function).parameters.values()
    needed = [one.name for one in parameters if one.default is one.empty or one.name == "email"]
    return lambda: function(**{name: VALUES[name] for name in needed})


class Reached(Exception):
    """Raised by an override."""


def test_no_recipe_is_left_out() -> None:
    modules = [
        importlib.import_module(f"{recipes.__name__}.{one.name}") for one in pkgutil.iter_modules(recipes.__path__)
    ]
    found = {value for module in modules for value in vars(module).values() if inspect.isclass(value)}
    assert {one for one in found if issubclass(one, Recipe) and "functions_class" in vars(one)} == SETTINGS.keys()
    assert UNDER_ANOTHER_NAME.keys() <= ALL.keys()


@pytest.mark.parametrize("name", ALL)
def test_an_override_takes_the_place_of_a_function(core: Borrowed, name: str) -> None:
    kind, method = ALL[name]
    is_open = False

    def override(original: Any) -> Any:
        def reached(**given: Any) -> Any:
            if is_open:
                raise Reached
            return getattr(original, method)(**given)  # the instance asks for the issuer at its start

        return replace(original, **{method: reached})

    listed = [
        one(**given, override=Override(functions=override if one is kind else ())) for one, given in SETTINGS.items()
    ]
    sessions = next(one for one in listed if isinstance(one, Session))
    Shop(core, recipes=[one for one in listed if one is not sessions], sessions=sessions)
    is_open = True
    module = importlib.import_module(f"{recipes.__name__}.{kind.id}")
    call = UNDER_ANOTHER_NAME.get(name) or with_values(getattr(module, method))
    with pytest.raises(Reached):
        call()


@pytest.mark.parametrize("kind", [EmailPassword, EmailVerification, Webauthn])
def test_the_apps_own_mails_go_to_the_same_service(
    core: Borrowed, kind: type[EmailPassword | EmailVerification | Webauthn]
) -> None:
    mails: list[Message] = []
    settings = {**SETTINGS[kind], "email_delivery": mails.append}
    Shop(core, recipes=[kind(**settings)])
    module = importlib.import_module(f"{recipes.__name__}.{kind.id}")
    assert module.send_email(message=VALUES["message"]) is True
    assert [(mail.kind, mail.to, mail.link) for mail in mails] == [
        ("PASSWORD_RESET", "ada@example.com", "https://shop.example/x")
    ]
