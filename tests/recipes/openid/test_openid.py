"""Discovery: who issues this app's tokens, and where its keys and endpoints are."""

from __future__ import annotations

from typing import Any

import pytest

from recipes.shop import Borrowed, Shop, payload_of
from st_wsgi import Override, replace
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import openid
from st_wsgi.recipes.openid import OpenId

DISCOVERY = "/auth/.well-known/openid-configuration"
BASE = "https://api.shop.example/auth"


def test_the_document_is_there_for_every_app_and_for_everyone(core: Borrowed) -> None:
    answer = Shop(core, recipes=[]).visitor().call("GET", DISCOVERY)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.json == {
        "issuer": BASE,
        "jwks_uri": f"{BASE}/jwt/jwks.json",
        "authorization_endpoint": f"{BASE}/oauth/auth",
        "token_endpoint": f"{BASE}/oauth/token",
        "userinfo_endpoint": f"{BASE}/oauth/userinfo",
        "revocation_endpoint": f"{BASE}/oauth/revoke",
        "token_introspection_endpoint": f"{BASE}/oauth/introspect",
        "end_session_endpoint": f"{BASE}/oauth/end_session",
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "id_token token"],
    }


def test_the_function_says_the_same(shop: Shop) -> None:
    found = openid.get_open_id_discovery_configuration()
    assert (found.issuer, found.jwks_uri) == (BASE, f"{BASE}/jwt/jwks.json")


@pytest.mark.parametrize(
    ("app_info", "base"),
    [
        ({"api_base_path": "/login"}, "https://api.shop.example/login"),
        ({"api_base_path": "/"}, "https://api.shop.example"),
        ({"api_gateway_path": "/gate"}, "https://api.shop.example/gate/auth"),
        ({"api_domain": "http://localhost:3000", "website_domain": "http://localhost"}, "http://localhost:3000/auth"),
    ],
)
def test_the_issuer_is_where_the_routes_are(core: Borrowed, app_info: dict[str, Any], base: str) -> None:
    shop = Shop(core, app_info=app_info)
    visitor = shop.signed_in("header")
    assert payload_of(str(visitor.access_token))["iss"] == base
    assert openid.get_open_id_discovery_configuration().jwks_uri == f"{base}/jwt/jwks.json"
    assert visitor.visit().status_code == 200


def test_another_issuer_can_be_named_if_its_path_fits(core: Borrowed) -> None:
    shop = Shop(core, recipes=[OpenId(issuer="https://ID.example/auth/")])
    answer = shop.visitor().call("GET", DISCOVERY)
    assert (answer.json or {})["issuer"] == "https://id.example/auth"
    visitor = shop.signed_in()
    assert payload_of(str(visitor.access_token))["iss"] == "https://id.example/auth"
    assert visitor.visit().status_code == 200


@pytest.mark.parametrize(
    ("issuer", "says"),
    [
        ("https://id.example", "must be the API's base path '/auth'"),
        ("https://id.example/other", "must be the API's base path '/auth'"),
        ("ftp://id.example/auth", "issuer"),
        ("https://id.example/auth/../x", "issuer"),
    ],
)
def test_an_issuer_that_verifiers_would_not_find_is_refused(core: Borrowed, issuer: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Shop(core, recipes=[OpenId(issuer=issuer)])


def test_the_route_can_be_switched_off(core: Borrowed) -> None:
    off = Override[Any, Any](apis=lambda original: replace(original, open_id_discovery_configuration_get=None))
    shop = Shop(core, recipes=[OpenId(override=off)], view=lambda environ: "the app's own")
    assert shop.visitor().call("GET", DISCOVERY).json == "the app's own"
    assert shop.signed_in().visit().json == "the app's own"
