"""A provider on loopback: an authorisation server that does as it is told, also what it should not."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import jwt
from verify.minting import b64, jwk, private_key
from werkzeug.test import TestResponse

from recipes.shop import WEBSITE, Borrowed, Shop, Visitor
from recipes.thirdparty.provider_server import Dialect, ProviderServer, Request, without_none
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.thirdparty import ProviderClientConfig, ProviderConfig, ProviderInput, ThirdParty

CLIENT, SECRET = "client-1", "a-client-secret"
CALLBACK = f"{WEBSITE}/auth/callback/idp"

Json = dict[str, Any]


@attrs.define
class Asked:
    """What the provider remembers of a code."""

    params: Json
    user: Json


class IdP(ProviderServer):
    """
    A provider that also does what a provider must not do, if a test asks for it.

    :ivar claims: of the next id tokens, over the usual ones; None leaves one out.
    :ivar document: members of the discovery document, in the same way.
    """

    def __init__(self) -> None:
        super().__init__(
            Dialect(
                id="idp",
                authorization="/authorize",
                token="/token",
                scope="openid",
                user_info="/me",
                discovery="/.well-known/openid-configuration",
                keys="/jwks",
            )
        )
        self.claims: Json = {}
        self.document: Json = {}
        self.key, self.kid = "provider", "key-1"
        private_key(self.key)  # made now: several threads that first ask for it together would each make one
        self.logins: dict[str, Asked] = {}
        self.users: dict[str, Json] = {}

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [one.path for one in self.requests]

    def log_in(self, address: str, user: Json) -> str:
        """Have a user log in on the page at this address, and return the code that the browser brings back."""
        params = dict(parse_qsl(urlsplit(address).query))
        assert params["response_type"] == "code"
        code = secrets.token_urlsafe(16)
        self.logins[code] = Asked(params, user)
        return code

    def signed(self, user: Json, client_id: str = CLIENT) -> str:
        """Return an id token."""
        now = int(time.time())
        claims = {"iss": self.origin, "aud": client_id, "iat": now, "exp": now + 300, **user, **self.claims}
        key: Any = private_key(self.key)
        return jwt.encode(without_none(**claims), key, "RS256", {"kid": self.kid})

    def access_token(self, user: Json) -> str:
        token = secrets.token_urlsafe(16)
        self.users[token] = user
        return token

    def discovery(self) -> Json:
        own = {"issuer": self.origin, "authorization_endpoint": f"{self.origin}/authorize?theme=dark"}
        return without_none(**{**super().discovery(), **own, **self.document})

    def _answer(self, name: str, request: Request) -> tuple[int, Any]:
        if name == "keys":
            return 200, {"keys": [jwk(self.key, self.kid)]}
        if name == "user":
            user = self.users.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
            return (401, {"error": "invalid_token"}) if user is None else (200, user)
        return super()._answer(name, request)

    def _exchange(self, request: Request) -> tuple[int, Any]:
        fields = request.form
        login = self.logins.pop(fields.get("code", ""), None)
        refused = 400, {"error": "invalid_grant", "error_description": f"bad {fields.get('code')}"}
        if login is None or fields.get("redirect_uri") != login.params["redirect_uri"]:
            return refused
        challenge = login.params.get("code_challenge")
        if challenge is not None:
            if b64(hashlib.sha256(fields.get("code_verifier", "").encode()).digest()) != challenge:
                return refused
        elif fields.get("client_secret") != SECRET:
            return 401, {"error": "invalid_client"}
        tokens = {"access_token": self.access_token(login.user), "token_type": "Bearer"}
        if "openid" in login.params.get("scope", ""):
            tokens["id_token"] = self.signed(login.user, login.params["client_id"])
        return 200, tokens


def client(**settings: Any) -> ProviderClientConfig:
    """Return a client with a secret and OpenID's scopes."""
    return ProviderClientConfig(**{"client_id": CLIENT, "client_secret": SECRET, "scope": ["openid"], **settings})


def openid(idp: IdP, **config: Any) -> ProviderConfig:
    """Return the configuration of a provider by its discovery document."""
    address = f"{idp.origin}/.well-known/openid-configuration"
    settings: Json = {"third_party_id": "idp", "oidc_discovery_endpoint": address, "clients": [client()]}
    return ProviderConfig(**{**settings, **config})


def oauth(idp: IdP, **config: Any) -> ProviderConfig:
    """Return the configuration of a provider without OpenID."""
    settings: Json = {
        "third_party_id": "idp",
        "authorization_endpoint": f"{idp.origin}/authorize",
        "token_endpoint": f"{idp.origin}/token",
        "user_info_endpoint": f"{idp.origin}/me",
        "clients": [client(scope=["email"])],
    }
    return ProviderConfig(**{**settings, **config})


def shop_with(
    core: Borrowed,
    *configs: ProviderConfig,
    recipes: tuple[Recipe[Any, Any], ...] = (),
    shop: Json | None = None,
    override: Any = None,
    **settings: Any,
) -> Shop:
    """Return a shop whose users sign in with these providers."""
    inputs = [ProviderInput(config=config, override=override) for config in configs]
    third_party = ThirdParty(**{"providers": inputs, "allow_private_networks": True, **settings})
    return Shop(core, recipes=[third_party, *recipes], **(shop or {}))


def begin(visitor: Visitor, *, third_party_id: str = "idp", tenant: str = "", **query: str) -> Any:
    """Ask for the address of the provider's page."""
    path = f"/auth/{tenant}/authorisationurl" if tenant else "/auth/authorisationurl"
    given = {"thirdPartyId": third_party_id, "redirectURIOnProviderDashboard": CALLBACK, **query}
    return visitor.call("GET", path, query_string=given)


def come_back(
    visitor: Visitor, code: str | None, started: Json, *, third_party_id: str = "idp", tenant: str = "", **more: Any
) -> TestResponse:
    """Bring a code back from the provider."""
    info: Json = {"redirectURIOnProviderDashboard": CALLBACK, "redirectURIQueryParams": {"code": code, "state": "s"}}
    if "pkceCodeVerifier" in started:
        info["pkceCodeVerifier"] = started["pkceCodeVerifier"]
    path = f"/auth/{tenant}/signinup" if tenant else "/auth/signinup"
    return visitor.call("POST", path, {"thirdPartyId": third_party_id, "redirectURIInfo": info, **more})


def sign_in(idp: IdP, visitor: Visitor, user: Json, *, tenant: str = "", **query: str) -> TestResponse:
    """Sign in with a provider, from the first request to the last."""
    started = begin(visitor, tenant=tenant, **query).get_json()
    assert started["status"] == "OK", started
    code = idp.log_in(started["urlWithQueryParams"], user)
    more = {name: value for name, value in query.items() if name == "clientType"}
    return come_back(visitor, code, started, tenant=tenant, third_party_id=query.get("third_party_id", "idp"), **more)


def send_tokens(visitor: Visitor, *, third_party_id: str = "idp", **tokens: Any) -> TestResponse:
    """Sign in with tokens that the client has got by itself."""
    return visitor.call("POST", "/auth/signinup", {"thirdPartyId": third_party_id, "oAuthTokens": tokens})
