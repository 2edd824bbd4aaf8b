"""JWTs that the core signs, and the public keys that verify them."""

from __future__ import annotations

import json
import re
from typing import Any

import jwt
import pytest

from recipes.shop import Borrowed, Clock, Shop, header_of, payload_of
from st_wsgi import Override, like, replace
from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import jwt as jwts
from st_wsgi.recipes.jwt import Jwks, Jwt, JwtAPIs, JwtCreated, JwtFunctions
from st_wsgi.recipes.session import Session

KEYS = "/auth/jwt/jwks.json"


def made(**given: Any) -> str:
    result = jwts.create_jwt(**given)
    assert isinstance(result, JwtCreated)
    return result.jwt


def verified(token: str, key_set: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The claims, by another library and the published keys."""
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(key_set).keys}
    claims: dict[str, Any] = jwt.decode(
        token, keys[header_of(token)["kid"]], algorithms=["RS256"], options={"verify_aud": False}, **options
    )
    return claims


def test_the_keys_are_there_for_every_app_and_for_everyone(core: Borrowed) -> None:
    shop = Shop(core, recipes=[])
    answer = shop.visitor().call("GET", KEYS, headers={"Origin": "https://anyone.example"})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    for key in (answer.json or {})["keys"]:
        assert key.keys() >= {"kty", "kid", "n", "e", "alg", "use"}
        assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
        assert not key.keys() & {"d", "p", "q"}


def test_caches_may_keep_the_keys_as_long_as_the_core_says(core: Borrowed) -> None:
    answer = Shop(core).visitor().call("GET", KEYS)
    control = re.fullmatch(r"max-age=([0-9]+), must-revalidate", answer.headers["Cache-Control"])
    assert control is not None
    found = jwts.get_jwks()
    assert abs(found.validity_in_secs - int(control[1])) <= 1
    told = core.core.send(CoreRequest("GET", "/.well-known/jwks.json")).headers["cache-control"]
    assert abs(found.validity_in_secs - int(told.partition("max-age=")[2].partition(",")[0])) <= 1
    assert list(found.keys) == (answer.json or {})["keys"]


def test_a_jwt_verifies_with_them(shop: Shop) -> None:
    key_set = shop.visitor().call("GET", KEYS).json or {}
    token = made(payload={"machine": "printer", "list": [1]}, validity_seconds=60)
    claims = verified(token, key_set)
    assert (claims["machine"], claims["list"]) == ("printer", [1])
    assert claims["iss"] == "https://api.shop.example"
    assert claims["exp"] - claims["iat"] == 60


def test_a_session_verifies_with_them_too(shop: Shop) -> None:
    visitor = shop.signed_in()
    key_set = visitor.call("GET", KEYS).json or {}
    assert verified(str(visitor.access_token), key_set)["sub"] == visitor.user_id


@pytest.mark.parametrize(("static", "prefix"), [(True, "s-"), (False, "d-")])
def test_either_kind_of_key_can_sign(shop: Shop, static: bool, prefix: str) -> None:
    token = made(payload={}, use_static_signing_key=static)
    assert header_of(token)["kid"].startswith(prefix)
    assert "version" not in header_of(token)


def test_it_is_good_for_a_hundred_years_unless_the_app_says_otherwise(core: Borrowed) -> None:
    Shop(core)
    claims = payload_of(made(payload={}))
    assert claims["exp"] - claims["iat"] == 3_153_600_000
    Shop(core, recipes=[Jwt(jwt_validity_seconds=30)])
    claims = payload_of(made(payload={"iss": "me"}))
    assert (claims["exp"] - claims["iat"], claims["iss"]) == (30, "me")
    with pytest.raises(ConfigError, match="jwt_validity_seconds must be a number of seconds from 1 to"):
        Jwt(jwt_validity_seconds=0)


def test_it_is_no_session(shop: Shop) -> None:
    """Not even one that has all the claims of a session."""
    visitor = shop.signed_in("header")
    claims = payload_of(str(visitor.access_token))
    forged = made(payload=claims, use_static_signing_key=False)
    answer = visitor.visit(headers={"Authorization": f"Bearer {forged}"})
    assert (answer.status_code, answer.json) == (401, {"message": "unauthorised"})


def test_it_does_not_show_in_a_repr(shop: Shop) -> None:
    assert "eyJ" not in repr(jwts.create_jwt(payload={}))


def test_overrides_hold_for_the_route_and_for_the_function(core: Borrowed) -> None:
    def fewer(original: JwtFunctions) -> JwtFunctions:
        @like(original.get_jwks)
        def get_jwks() -> Jwks:
            return Jwks(original.get_jwks().keys[:1], 5)

        return replace(original, get_jwks=get_jwks)

    shop = Shop(core, recipes=[Jwt(override=Override(functions=fewer))])
    answer = shop.visitor().call("GET", KEYS)
    assert len((answer.json or {})["keys"]) == len(jwts.get_jwks().keys) == 1
    assert answer.headers["Cache-Control"] == "max-age=5, must-revalidate"


def test_the_route_can_be_switched_off(core: Borrowed) -> None:
    def off(original: JwtAPIs) -> JwtAPIs:
        return replace(original, get_jwks_get=None)

    shop = Shop(core, recipes=[Jwt(override=Override(apis=off))], view=lambda environ: "the app's own")
    assert shop.visitor().call("GET", KEYS).json == "the app's own"


def test_rotated_keys_are_published(timed_core: Borrowed, clock: Clock) -> None:
    shop = Shop(timed_core, clock=clock)
    before = json.dumps(shop.visitor().call("GET", KEYS).json)
    clock.wait(10 * 24 * 3600)
    shop.signed_in()
    assert json.dumps(shop.visitor().call("GET", KEYS).json) != before


def test_sessions_with_a_static_key_need_no_other(core: Borrowed) -> None:
    shop = Shop(core, sessions=Session(use_dynamic_access_token_signing_key=False))
    visitor = shop.signed_in()
    static = [key for key in jwts.get_jwks().keys if key["kid"].startswith("s-")]
    assert verified(str(visitor.access_token), {"keys": static})["sub"] == visitor.user_id
