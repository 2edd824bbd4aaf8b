"""Random requests: any method, path, headers and body get a response of at most 4xx."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st
from recipes.shop import PASSWORD, REFRESH, Borrowed, Shop, Visitor, form, no_mail
from werkzeug.test import create_environ, run_wsgi_app

from st_wsgi import Cors
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multitenancy import Multitenancy
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.userroles import UserRoles
from st_wsgi.request import current


def recipes() -> list[Recipe[Any, Any]]:
    """Return new recipes, with every route that there is."""
    return [
        EmailPassword(email_delivery=no_mail),
        EmailVerification(mode="OPTIONAL", email_delivery=no_mail),
        Passwordless(
            contact_config=ContactEmailOrPhoneConfig(),
            flow_type="USER_INPUT_CODE_AND_MAGIC_LINK",
            email_delivery=no_mail,
            sms_delivery=no_mail,
        ),
        UserRoles(),
    ]


PATHS = sorted({route.path for recipe in (*recipes(), Multitenancy(), Session()) for route in recipe.routes})
ROUTES = [
    *(f"/auth{path}" for path in PATHS),
    "/auth/jwt/jwks.json",
    "/auth/.well-known/openid-configuration",
    "/auth/public/signin",
    "/auth/nope/signin",
    "/page",
]
NAMES = ["email", "phoneNumber", "deviceId", "preAuthSessionId", "userInputCode", "linkCode", "method", "token"]
LATIN = st.characters(max_codepoint=255, exclude_characters="\r\n\0")
TEXT = st.text(LATIN, max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from(["email", "password", "x"]) | JSON, "value": JSON | st.text(max_size=20)}
    ),
    max_size=3,
)
BODIES = st.one_of(
    st.binary(max_size=60),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries({"formFields": FIELDS, "shouldTryLinkingWithSessionUser": JSON}).map(
        lambda value: json.dumps(value).encode()
    ),
    st.dictionaries(st.sampled_from(NAMES), JSON | st.text(max_size=20)).map(lambda value: json.dumps(value).encode()),
    st.just(json.dumps(form(email="ada@example.com", password=PASSWORD)).encode()),
)
TOKENS = st.sampled_from(["good", "refresh", "cut", "swapped", "garbage", "none"])


def token(visitor: Visitor, kind: str, garbage: str) -> str:
    """A token that is good, nearly good, or nothing like one."""
    access = str(visitor.access_token)
    head, body, signature = access.split(".")
    return {
        "good": access,
        "refresh": str(visitor.refresh_token),
        "cut": access[: len(access) // 2],
        "swapped": f"{body}.{head}.{signature}",
        "garbage": garbage,
        "none": "",
    }[kind]


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "HTTP_RID": TEXT | st.sampled_from(["session", "emailpassword", "anti-csrf", ""]),
        "HTTP_FDI_VERSION": TEXT | st.sampled_from(["1.17", "2.0,3.0", "4.1"]),
        "HTTP_ST_AUTH_MODE": TEXT | st.sampled_from(["cookie", "header"]),
        "HTTP_ANTI_CSRF": TEXT,
        "HTTP_ORIGIN": TEXT | st.sampled_from(["https://shop.example", "null"]),
        "HTTP_HOST": TEXT,
        "HTTP_SEC_FETCH_SITE": TEXT | st.just("cross-site"),
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": TEXT,
        "HTTP_X_FORWARDED_FOR": TEXT,
        "CONTENT_TYPE": TEXT | st.sampled_from(["application/json", "application/json; charset=utf-8", "text/plain"]),
        "QUERY_STRING": TEXT | st.sampled_from(["email=a@b.example", "email=%00%ff", "email"]),
        "SCRIPT_NAME": st.sampled_from(["", "/mounted"]),
    },
)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "get", "X"])

MODES: list[dict[str, Any]] = [
    {},
    {"anti_csrf": "VIA_TOKEN", "check_request_origin": True},
    {"anti_csrf": "VIA_CUSTOM_HEADER", "csrf_safe_methods": (), "older_cookie_domain": ""},
]


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_request_gets_an_answer_below_500_and_leaves_nothing_behind(core: Borrowed, data: st.DataObject) -> None:
    core.answer = lambda _request: None
    about = data.draw(st.sampled_from(MODES))
    shop = Shop(
        core, recipes=recipes(), sessions=Session(**about), cors=Cors(origins=["https://shop.example"], whole_app=True)
    )
    app = shop.st.wrap(shop.plain_app)
    visitor = shop.signed_in(data.draw(st.sampled_from(["cookie", "header"])))
    path = data.draw(st.sampled_from(ROUTES) | TEXT.map(lambda text: "/auth/" + text))
    garbage = data.draw(TEXT)
    kinds = [data.draw(TOKENS) for _ in range(3)]
    sent = data.draw(HEADERS)
    access, refresh, bearer = (token(visitor, kind, garbage) for kind in kinds)
    if data.draw(st.booleans()):
        sent["HTTP_COOKIE"] = f"sAccessToken={access}; sRefreshToken={refresh}{data.draw(st.just('') | TEXT)}"
    if data.draw(st.booleans()):
        sent["HTTP_AUTHORIZATION"] = f"{data.draw(st.sampled_from(['Bearer', 'bearer', 'Basic']))} {bearer}"
    environ = create_environ("/", method="GET", data=data.draw(BODIES)) | {"PATH_INFO": path, **sent}
    environ["REQUEST_METHOD"] = data.draw(METHODS)
    body, status, headers = run_wsgi_app(app, environ, buffered=True)
    assert int(status[:3]) < 500, (status, path)
    text = b"".join(body)
    assert b"Traceback" not in text
    assert len(set(headers.getlist("Set-Cookie"))) == len(headers.getlist("Set-Cookie"))
    assert not (headers.get("st-access-token") and "sAccessToken=ey" in str(headers.getlist("Set-Cookie")))
    if path != REFRESH and int(status[:3]) >= 400:
        assert "sAccessToken=ey" not in str(headers.getlist("Set-Cookie"))
    assert current.context() is None
