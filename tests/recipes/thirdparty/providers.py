"""A provider on loopback: an authorisation server that does as it is told, also what it should not."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import jwt
from verify.minting import jwk, private_key
from werkzeug.test import TestResponse

from recipes.shop import WEBSITE, Borrowed, Shop, Visitor
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.thirdparty import ProviderClientConfig, ProviderConfig, ProviderInput, ThirdParty

CLIENT, SECRET = "client-1", "a-client-secret"
CALLBACK = f"{WEBSITE}/auth/callback/idp"

Json = dict[str, Any]
#: From the fields or parameters of a request, and its headers, to a status and a JSON value, or bytes.
Answer = Callable[["Asked"], "tuple[int, Any]"]


@attrs.frozen
class Asked:
    """A request that came to the provider."""

    method: str
    path: str
    fields: dict[str, str]
    headers: dict[str, str]
    body: bytes


@attrs.define
class Grant:
    """What the provider remembers of a code."""

    params: Json
    user: Json


class IdP:
    """
    A provider.

    :ivar answers: what paths are answered with in place of what the provider does by itself.
    :ivar asked: all requests that came.
    :ivar claims: of the next id tokens, over the usual ones; None leaves one out.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self.claims: Json = {}
        self.header: Json = {}
        self.key, self.kid = "provider", "key-1"
        self.grants: dict[str, Grant] = {}
        self.users: dict[str, Json] = {}
        self.discovery: Json = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.serve(self, b"")

            def do_POST(self) -> None:
                provider.serve(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [one.path for one in self.asked]

    def serve(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        address = urlsplit(request.path)
        headers = {name.lower(): value for name, value in request.headers.items()}
        text = body.decode() if headers.get("content-type", "").startswith("application/x-www") else address.query
        asked = Asked(request.command, address.path, dict(parse_qsl(text)), headers, body)
        self.asked.append(asked)
        own = {
            "/.well-known/openid-configuration": self._document,
            "/jwks": lambda _: (200, {"keys": [jwk(self.key, self.kid)]}),
            "/token": self._token,
            "/me": self._me,
        }
        answer = self.answers.get(address.path) or own.get(address.path) or (lambda _: (404, {}))
        status, value = answer(asked)
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        with contextlib.suppress(OSError):
            request.send_response(status)
            request.send_header("Content-Type", "application/json")
            request.send_header("Content-Length", str(len(content)))
            if status // 100 == 3:
                request.send_header("Location", f"{self.url}/elsewhere")
            request.end_headers()
            request.wfile.write(content)

    def log_in(self, address: str, user: Json) -> str:
        """Have a user log in on the page at this address, and return the code that the browser brings back."""
        params = dict(parse_qsl(urlsplit(address).query))
        assert params["response_type"] == "code"
        code = secrets.token_urlsafe(16)
        self.grants[code] = Grant(params, user)
        return code

    def id_token(self, user: Json, client_id: str = CLIENT) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": client_id, "iat": now, "exp": now + 300, **user, **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        key: Any = private_key(self.key)
        return jwt.encode(claims, key, "RS256", {"kid": self.kid, **self.header})

    def access_token(self, user: Json) -> str:
        token = secrets.token_urlsafe(16)
        self.users[token] = user
        return token

    def _document(self, _: Asked) -> tuple[int, Json]:
        document = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?theme=dark",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/me",
            "jwks_uri": f"{self.url}/jwks",
        }
        return 200, {name: value for name, value in {**document, **self.discovery}.items() if value is not None}

    def _token(self, asked: Asked) -> tuple[int, Json]:
        grant = self.grants.pop(asked.fields.get("code", ""), None)
        refused = 400, {"error": "invalid_grant", "error_description": f"bad {asked.fields.get('code')}"}
        if grant is None or asked.fields.get("redirect_uri") != grant.params["redirect_uri"]:
            return refused
        challenge = grant.params.get("code_challenge")
        if challenge is not None:
            digest = hashlib.sha256(asked.fields.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != challenge:
                return refused
        elif asked.fields.get("client_secret") != SECRET:
            return 401, {"error": "invalid_client"}
        tokens = {"access_token": self.access_token(grant.user), "token_type": "Bearer"}
        if "openid" in grant.params.get("scope", ""):
            tokens["id_token"] = self.id_token(grant.user, grant.params["client_id"])
        return 200, tokens

    def _me(self, asked: Asked) -> tuple[int, Json]:
        user = self.users.get(asked.headers.get("authorization", "").removeprefix("Bearer "))
        return (401, {"error": "invalid_token"}) if user is None else (200, user)


def client(**settings: Any) -> ProviderClientConfig:
    """Return a client with a secret and OpenID's scopes."""
    return ProviderClientConfig(**{"client_id": CLIENT, "client_secret": SECRET, "scope": ["openid"], **settings})


def openid(idp: IdP, **config: Any) -> ProviderConfig:
    """Return the configuration of a provider by its discovery document."""
    address = f"{idp.url}/.well-known/openid-configuration"
    settings: Json = {"third_party_id": "idp", "oidc_discovery_endpoint": address, "clients": [client()]}
    return ProviderConfig(**{**settings, **config})


def oauth(idp: IdP, **config: Any) -> ProviderConfig:
    """Return the configuration of a provider without OpenID."""
    settings: Json = {
        "third_party_id": "idp",
        "authorization_endpoint": f"{idp.url}/authorize",
        "token_endpoint": f"{idp.url}/token",
        "user_info_endpoint": f"{idp.url}/me",
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


@contextlib.contextmanager
def running() -> Iterator[IdP]:
    provider = IdP()
    try:
        yield provider
    finally:
        provider.close()
