"""Clients of the frameworks' own kinds, signed in as a fresh user."""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from email.message import Message
from http.cookies import SimpleCookie
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

import attrs
from werkzeug.datastructures import Headers
from werkzeug.test import Client, EnvironBuilder

from ..app import SuperTokens
from ..errors import CONTEXT_KEY, ConfigError
from ..recipes import (
    emailpassword,
    emailverification,
    multifactorauth,
    multitenancy,
    passwordless,
    thirdparty,
    userroles,
)
from ..recipes.session import SessionContainer, create_new_session
from ..request import current
from ..request.context import RequestContext
from ..users import PUBLIC_TENANT, RecipeUserId


@attrs.frozen(kw_only=True)
class SignedIn:
    """
    Who a client is signed in as: its attribute ``st_user``.

    :param password: only for apps with passwords.
    :param session: for reading, and for changes that need no request.
    """

    user_id: str
    recipe_user_id: RecipeUserId
    email: str
    password: str
    tenant_id: str
    session: SessionContainer


def signed_in(
    app: Any,
    st: SuperTokens,
    *,
    client: Callable[..., Any] | None = None,
    email: str | None = None,
    password: str = "a fresh password 1",
    verified: bool = True,
    tenant_id: str = PUBLIC_TENANT,
    roles: Iterable[str] | Mapping[str, Iterable[str]] = (),
    claims: Mapping[str, Any] | None = None,
    factors: Iterable[str] = (),
) -> Any:
    """
    Return a client of *app* that is signed in as a fresh user. Its attribute ``st_user`` says who that is.

    :param client: the class of the client: ``webtest.TestApp``, ``falcon.testing.TestClient`` or one of Django's. By
        default that of the app's framework where it has one (Flask, Django), else werkzeug's.
    :param email: of the user. By default one that no other user has.
    :param password: of the user, if the app has passwords.
    :param verified: whether the e-mail address is verified, if the app asks for that.
    :param tenant_id: of the user. A tenant that does not exist is made.
    :param roles: of the user. Those that do not exist are made. A mapping has the permissions of each role.
    :param claims: what the access token says beside its own claims.
    :param factors: that are complete in the session, such as ``["emailpassword", "totp"]``.
    :raises ConfigError: the app lacks the recipe that an argument is for.
    """
    asked = {"st-auth-mode": "cookie", "rid": "anti-csrf"}
    environ = EnvironBuilder(method="POST", base_url=st.app_info.api_domain, headers=[*asked.items()]).get_environ()
    context = environ[CONTEXT_KEY] = RequestContext(st.services, environ)
    email = email or f"{uuid.uuid4().hex}@example.com"
    with current.entered(context):
        if tenant_id != PUBLIC_TENANT and multitenancy.get_tenant(tenant_id=tenant_id) is None:
            everything = multitenancy.TenantConfigCreateOrUpdate(first_factors=None, required_secondary_factors=None)
            multitenancy.create_or_update_tenant(tenant_id=tenant_id, config=everything)
        recipe_user_id = _new_user(st, email, password, tenant_id)
        if verified and st.services.has("emailverification"):
            token = emailverification.create_email_verification_token(
                recipe_user_id=recipe_user_id, email=email, tenant_id=tenant_id
            )
            if token.status == "OK":
                emailverification.verify_email_using_token(token=token.token, tenant_id=tenant_id)
        for role in roles:
            permissions = roles[role] if isinstance(roles, Mapping) else ()
            userroles.create_new_role_or_add_permissions(role=role, permissions=permissions)
            userroles.add_role_to_user(user_id=recipe_user_id.value, role=role, tenant_id=tenant_id)
        session = create_new_session(recipe_user_id=recipe_user_id, tenant_id=tenant_id, access_token_payload=claims)
        for factor in factors:
            multifactorauth.mark_factor_as_complete_in_session(session=session, factor_id=factor)
    sent = [(name.lower(), value) for name, value in context.begin_response([])]
    cookies = [value for name, value in sent if name == "set-cookie" and "1970" not in value]
    headers = asked | {name: value for name, value in sent if name == "anti-csrf"}
    if not cookies:
        headers["authorization"] = "Bearer " + dict(sent)["st-access-token"]
    made = _made(app, client)
    put = next(put for kind, put in _KINDS.items() if kind in _names(type(made)))
    made = put(made, st.app_info.api_domain, cookies, headers)
    made.st_user = SignedIn(
        user_id=session.get_user_id(),
        recipe_user_id=recipe_user_id,
        email=email,
        password=password,
        tenant_id=tenant_id,
        session=session,
    )
    return made


def _new_user(st: SuperTokens, email: str, password: str, tenant_id: str) -> RecipeUserId:
    """Return the login method of a new user. If no recipe can make one, only the session knows the id."""
    outcome: Any
    if st.services.has("emailpassword"):
        outcome = emailpassword.sign_up(email=email, password=password, tenant_id=tenant_id)
    elif st.services.has("passwordless"):
        outcome = passwordless.signinup(email=email, tenant_id=tenant_id)
    elif st.services.has("thirdparty"):
        outcome = thirdparty.manually_create_or_update_user(
            third_party_id="google", third_party_user_id=email, email=email, is_verified=True, tenant_id=tenant_id
        )
    else:
        return RecipeUserId(str(uuid.uuid4()))
    if outcome.status != "OK":
        raise ConfigError(f"the user {email} of the test was not made: {outcome.status}")
    recipe_user_id: RecipeUserId = outcome.recipe_user_id
    return recipe_user_id


def _names(kind: Any) -> list[str]:
    return [f"{base.__module__}.{base.__name__}" for base in getattr(kind, "__mro__", ())]


def _made(app: Any, client: Callable[..., Any] | None) -> Any:
    if client is None and hasattr(app, "test_client"):
        return app.test_client()
    if client is None and "django.core.handlers.wsgi.WSGIHandler" in _names(type(app)):
        client = importlib.import_module(type(app).__module__.partition(".")[0] + ".test").Client
    if client is not None and "django.test.client.Client" in _names(client):
        return client()  # it finds the app in Django's settings
    return (client or Client)(app)


def _to_werkzeug(client: Any, address: str, cookies: list[str], headers: dict[str, str]) -> Any:
    """Have a client send the headers, and every request to the app's address. Flask's client has a host of its own."""
    send = client.open
    has_own_host = hasattr(client, "session_transaction") and not any("domain=" in line.lower() for line in cookies)

    def open_(*args: Any, **kwargs: Any) -> Any:
        if not args or isinstance(args[0], str):
            kwargs["headers"], given = Headers(headers), kwargs.get("headers")
            kwargs["headers"].update(given or {})
            kwargs.setdefault("base_url", None if has_own_host else address)
        return send(*args, **kwargs)

    client.open = open_
    host = client.application.config["SERVER_NAME"] or "localhost" if has_own_host else urlsplit(address).netloc
    for line in cookies:
        for name, one in SimpleCookie(line).items():
            client.set_cookie(name, one.value, domain=one["domain"] or host.partition(":")[0], path=one["path"])
    return client


def _to_django(client: Any, address: str, cookies: list[str], headers: dict[str, str]) -> Any:
    client.defaults.update(_environ(headers))
    for line in cookies:
        client.cookies.load(line)
    return client


def _to_webtest(client: Any, address: str, cookies: list[str], headers: dict[str, str]) -> Any:
    parts = urlsplit(address)
    client.extra_environ |= {**_environ(headers), "HTTP_HOST": parts.netloc, "wsgi.url_scheme": parts.scheme}
    response = Message()
    for line in cookies:
        response["Set-Cookie"] = line
    client.cookiejar.extract_cookies(SimpleNamespace(info=lambda: response), Request(address))
    return client


def _to_falcon(client: Any, address: str, cookies: list[str], headers: dict[str, str]) -> Any:
    """Return a client with the cookies in a header, because Falcon's client keeps none."""
    header = "; ".join(line.partition(";")[0] for line in cookies)
    return type(client)(client.app, headers={**headers, **({"cookie": header} if header else {})})


def _environ(headers: Mapping[str, str]) -> dict[str, str]:
    return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}


_KINDS: dict[str, Callable[[Any, str, list[str], dict[str, str]], Any]] = {
    "django.test.client.Client": _to_django,
    "webtest.app.TestApp": _to_webtest,
    "falcon.testing.client.TestClient": _to_falcon,
    "werkzeug.test.Client": _to_werkzeug,  # Flask's too
}
