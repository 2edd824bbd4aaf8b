"""
A server on loopback that answers as the named providers document it: one table of dialects, one server for all.

The paths are those of the documentation, only the origin is another one. A test sends the authorisation URL through
:meth:`ProviderServer.consent`, as the visitor's browser would, and may break any answer with
:attr:`ProviderServer.faults`. The server is strict: codes work once, and only for the client, the redirect URI and the
PKCE challenge that asked for them.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import json
import secrets
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from typing_extensions import Self

CLIENT_ID = "client-of-the-shop"
CLIENT_SECRET = "secret-of-the-shop"
REDIRECT = "https://shop.example/auth/callback/"
TEAM = "TEAM000001"
APPLE_KEY = "APPLEKEY01"


Json = Any
Answer = tuple[int, Json]


@attrs.frozen(kw_only=True)
class Person:
    """
    Who signs in at a provider.

    :ivar verified: what the provider says of the address. Providers have no member for it if it is None.
    :ivar domain: of the organisation, for Google Workspaces.
    """

    number: int = 583231
    email: str | None = "ada@example.com"
    verified: object = True
    domain: str | None = None

    @classmethod
    def of_its_own(cls, **said: Json) -> Person:
        """Return a person whom no other test has."""
        number = uuid.uuid4().int % 10**15
        return cls(**{"number": number, "email": f"ada.{number}@example.com", **said})

    @property
    def id(self) -> str:
        return str(self.number)


def without_none(**members: Json) -> dict[str, Json]:
    return {name: value for name, value in members.items() if value is not None}


def address(person: Person, verified: str = "email_verified") -> dict[str, Json]:
    """What OpenID providers say of an address; nothing of one that they do not have."""
    return {} if person.email is None else without_none(email=person.email, **{verified: person.verified})


def refused(error: str, text: str, status: int = 400, **more: Json) -> Answer:
    """The form that OAuth 2 has for errors (RFC 6749, 5.2)."""
    return status, {"error": error, "error_description": text, **more}


WRONG_CODE = refused("invalid_grant", "The authorization code is invalid or has expired.")
WRONG_TOKEN = refused("invalid_token", "The access token is invalid.", 401)


@attrs.frozen(kw_only=True)
class Dialect:
    """
    What the documentation of a provider says.

    :ivar authorization: and the other addresses, as they are documented. A provider with a discovery document has its
        addresses from there.
    :ivar user: what the user-info endpoint says of a person; *more* has the other endpoints by path.
    :ivar claims: what the id token says of a person; None if there is no id token that says who a user is.
    :ivar asked: parameters that the authorisation URL must have.
    :ivar wrong_code: the answer for a code that is expired, used or unknown.
    :ivar wrong_token: the answer for an access token that is.
    :ivar denied: what the callback gets when the user does not consent.
    :ivar verifies: whether the provider says that an address is verified.
    :ivar user_id: of a person, as the recipe has it.
    """

    id: str
    authorization: str
    token: str
    scope: str
    user_info: str | None = None
    discovery: str | None = None
    issuer: str | None = None
    keys: str | None = None
    check: str | None = None
    user: Callable[[Person], Json] = lambda person: {"sub": person.id, **address(person)}
    more: Mapping[str, Callable[[Person], Json]] = attrs.field(factory=dict)
    claims: Callable[[Person], dict[str, Json]] | None = None
    asked: Mapping[str, str] = attrs.field(factory=dict)
    client_by: Literal["body", "basic", "apple"] = "body"
    tokens: Mapping[str, Json] = attrs.field(factory=lambda: {"expires_in": 3600, "token_type": "Bearer"})
    wrong_code: Answer = WRONG_CODE
    wrong_token: Answer = WRONG_TOKEN
    denied: Mapping[str, str] = attrs.field(factory=lambda: {"error": "access_denied"})
    verifies: bool = True
    user_id: Callable[[Person], str] = lambda person: person.id
    pkce: bool = False


def google(name: str, **more: Json) -> Dialect:
    """https://developers.google.com/identity/openid-connect/openid-connect"""

    def claims(person: Person) -> dict[str, Json]:
        return {"azp": CLIENT_ID, "at_hash": "x", "hd": person.domain, "sub": person.id, **address(person)}

    return Dialect(
        id=name,
        authorization="https://accounts.google.com/o/oauth2/v2/auth",
        token="https://oauth2.googleapis.com/token",
        user_info="https://openidconnect.googleapis.com/v1/userinfo",
        discovery="https://accounts.google.com/.well-known/openid-configuration",
        issuer="https://accounts.google.com",
        keys="https://www.googleapis.com/oauth2/v3/certs",
        check="https://oauth2.googleapis.com/tokeninfo",
        scope="openid email",
        user=lambda person: without_none(
            sub=person.id, picture="https://lh3.example/a", hd=person.domain, **address(person)
        ),
        claims=lambda person: without_none(**claims(person)),
        asked={"access_type": "offline", **more},
        tokens={"expires_in": 3599, "scope": "openid email", "token_type": "Bearer", "refresh_token": "1//refresh"},
        wrong_code=refused("invalid_grant", "Bad Request"),
        wrong_token=refused("invalid_request", "Invalid Credentials", 401),
    )


#: Facebook says of an error more than a word.
FACEBOOK_ERROR: Json = {
    "error": {"message": "Not valid.", "type": "OAuthException", "code": 100, "error_subcode": 36009, "fbtrace_id": "A"}
}

DIALECTS = [
    # https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference: nothing says that an address
    # is verified. The keys have no "alg".
    Dialect(
        id="active-directory",
        authorization="https://login.microsoftonline.com/dir/oauth2/v2.0/authorize",
        token="https://login.microsoftonline.com/dir/oauth2/v2.0/token",
        user_info="https://graph.microsoft.com/oidc/userinfo",
        discovery="https://login.microsoftonline.com/dir/v2.0/.well-known/openid-configuration",
        issuer="https://login.microsoftonline.com/dir/v2.0",
        keys="https://login.microsoftonline.com/dir/discovery/v2.0/keys",
        scope="openid email",
        user=lambda person: without_none(sub=person.id, name="Ada", email=person.email),
        claims=lambda person: without_none(
            sub=person.id, oid="0000-1", tid="dir", ver="2.0", nbf=0, email=person.email, preferred_username="ada"
        ),
        tokens={"expires_in": 3599, "ext_expires_in": 3599, "scope": "openid email", "token_type": "Bearer"},
        wrong_code=refused("invalid_grant", "AADSTS70008: expired", error_codes=[70008], trace_id="t"),
        denied={"error": "access_denied", "error_description": "AADSTS65004: User declined to consent"},
        verifies=False,
    ),
    # https://developer.apple.com/documentation/signinwithapplerestapi: the id token says who a user is.
    Dialect(
        id="apple",
        authorization="https://appleid.apple.com/auth/authorize",
        token="https://appleid.apple.com/auth/token",
        discovery="https://appleid.apple.com/.well-known/openid-configuration",
        issuer="https://appleid.apple.com",
        keys="https://appleid.apple.com/auth/keys",
        scope="openid email",
        claims=lambda person: {"sub": person.id, "nonce_supported": True, "auth_time": 0, **address(person)},
        asked={"response_mode": "form_post"},
        client_by="apple",
        wrong_code=refused("invalid_grant", "The code has expired or has been revoked."),
        denied={"error": "user_cancelled_authorize"},
    ),
    # https://developer.atlassian.com/cloud/bitbucket/rest/api-group-users
    Dialect(
        id="bitbucket",
        authorization="https://bitbucket.org/site/oauth2/authorize",
        token="https://bitbucket.org/site/oauth2/access_token",
        user_info="https://api.bitbucket.org/2.0/user",
        scope="account email",
        user=lambda person: {"type": "user", "uuid": f"{{{person.id}}}", "username": "ada", "account_id": "1:2"},
        more={
            "/2.0/user/emails": lambda person: {
                "pagelen": 10,
                "page": 1,
                "values": [
                    {"type": "email", "email": "old@example.com", "is_primary": False, "is_confirmed": True},
                    *(
                        []
                        if person.email is None
                        else [
                            without_none(
                                type="email", email=person.email, is_primary=True, is_confirmed=person.verified
                            )
                        ]
                    ),
                ],
            }
        },
        asked={"audience": "api.atlassian.com"},
        tokens={"scopes": "account email", "expires_in": 7200, "token_type": "bearer", "state": "authorization_code"},
        wrong_code=refused("invalid_grant", "The specified code is not valid"),
        wrong_token=(401, {"type": "error", "error": {"message": "Access token expired."}}),
        user_id=lambda person: f"{{{person.id}}}",
    ),
    # https://boxyhq.com/docs/jackson/saml-flow
    Dialect(
        id="boxy-saml",
        authorization="https://boxy.example/api/oauth/authorize",
        token="https://boxy.example/api/oauth/token",
        user_info="https://boxy.example/api/oauth/userinfo",
        scope="",
        user=lambda person: without_none(
            id=person.id, email=person.email, firstName="Ada", raw={"groups": []}, requested={"tenant": "t"}
        ),
        tokens={"expires_in": 300, "token_type": "bearer"},
        wrong_code=(403, {"error": {"message": "Invalid code"}}),
        wrong_token=(403, {"error": {"message": "Invalid token"}}),
        verifies=False,
    ),
    # https://discord.com/developers/docs/topics/oauth2
    Dialect(
        id="discord",
        authorization="https://discord.com/oauth2/authorize",
        token="https://discord.com/api/oauth2/token",
        user_info="https://discord.com/api/users/@me",
        check="https://discord.com/api/oauth2/@me",
        scope="identify email",
        user=lambda person: {"id": person.id, "username": "ada", "email": None, **address(person, "verified")},
        tokens={"expires_in": 604800, "scope": "identify email", "token_type": "Bearer", "refresh_token": "r"},
        wrong_code=refused("invalid_grant", 'Invalid "code" in request.'),
        wrong_token=(401, {"message": "401: Unauthorized", "code": 0}),
        denied={"error": "access_denied", "error_description": "The resource owner or authorization server denied it"},
    ),
    # https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow
    Dialect(
        id="facebook",
        authorization="https://www.facebook.com/v12.0/dialog/oauth",
        token="https://graph.facebook.com/v12.0/oauth/access_token",
        user_info="https://graph.facebook.com/me",
        check="https://graph.facebook.com/debug_token",
        scope="email",
        user=lambda person: without_none(id=person.id, email=person.email),
        tokens={"expires_in": 5183944, "token_type": "bearer"},
        wrong_code=(400, FACEBOOK_ERROR),
        wrong_token=(400, FACEBOOK_ERROR),
        denied={"error": "access_denied", "error_code": "200", "error_reason": "user_denied"},
        verifies=False,
    ),
    # https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps: errors have status 200.
    Dialect(
        id="github",
        authorization="https://github.com/login/oauth/authorize",
        token="https://github.com/login/oauth/access_token",
        user_info="https://api.github.com/user",
        check=f"https://api.github.com/applications/{CLIENT_ID}/token",
        scope="read:user user:email",
        user=lambda person: {"login": "ada", "id": person.number, "node_id": "MDQ6", "email": None, "type": "User"},
        more={
            "/user/emails": lambda person: [
                {"email": "old@example.com", "verified": True, "primary": False, "visibility": None},
                *(
                    []
                    if person.email is None
                    else [
                        without_none(email=person.email, verified=person.verified, primary=True, visibility="private")
                    ]
                ),
            ]
        },
        tokens={"scope": "read:user,user:email", "token_type": "bearer"},
        wrong_code=refused("bad_verification_code", "The code passed is incorrect or expired.", 200),
        wrong_token=(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"}),
        denied={"error": "access_denied", "error_description": "The user has denied your application access."},
    ),
    # https://docs.gitlab.com/integration/openid_connect_provider
    Dialect(
        id="gitlab",
        authorization="https://gitlab.com/oauth/authorize",
        token="https://gitlab.com/oauth/token",
        user_info="https://gitlab.com/oauth/userinfo",
        discovery="https://gitlab.com/.well-known/openid-configuration",
        issuer="https://gitlab.com",
        keys="https://gitlab.com/oauth/discovery/keys",
        check="https://gitlab.com/oauth/token/info",
        scope="openid email",
        claims=lambda person: {"sub": person.id, "sub_legacy": "a1b2", "auth_time": 0, **address(person)},
        tokens={"expires_in": 7200, "scope": "openid email", "token_type": "Bearer", "created_at": 1},
    ),
    google("google"),
    google("google-workspaces", hd="*"),
    # https://learn.microsoft.com/en-us/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2
    Dialect(
        id="linkedin",
        authorization="https://www.linkedin.com/oauth/v2/authorization",
        token="https://www.linkedin.com/oauth/v2/accessToken",
        user_info="https://api.linkedin.com/v2/userinfo",
        scope="openid profile email",
        user=lambda person: {
            "sub": person.id,
            "name": "Ada",
            "locale": {"country": "US", "language": "en"},
            **address(person),
        },
        tokens={"expires_in": 5184000, "scope": "email,openid,profile", "token_type": "Bearer"},
        wrong_code=refused("invalid_request", "Unable to retrieve access token: authorization code expired"),
        wrong_token=(401, {"status": 401, "serviceErrorCode": 65600, "code": "INVALID_ACCESS_TOKEN", "message": "x"}),
        denied={"error": "user_cancelled_login", "error_description": "The user cancelled LinkedIn login"},
    ),
    # https://developer.okta.com/docs/reference/api/oidc
    Dialect(
        id="okta",
        authorization="https://okta.example/oauth2/v1/authorize",
        token="https://okta.example/oauth2/v1/token",
        user_info="https://okta.example/oauth2/v1/userinfo",
        discovery="https://okta.example/.well-known/openid-configuration",
        issuer="https://okta.example",
        keys="https://okta.example/oauth2/v1/keys",
        scope="openid email",
        claims=lambda person: {"sub": person.id, "ver": 1, "amr": ["pwd"], "idp": "00o1", **address(person)},
        denied={"error": "access_denied", "error_description": "The resource owner denied the request."},
    ),
    # https://docs.x.com/resources/fundamentals/authentication/oauth-2-0/authorization-code: no e-mail addresses.
    Dialect(
        id="twitter",
        authorization="https://twitter.com/i/oauth2/authorize",
        token="https://api.twitter.com/2/oauth2/token",
        user_info="https://api.twitter.com/2/users/me",
        scope="users.read tweet.read",
        user=lambda person: {"data": {"id": person.id, "name": "Ada", "username": "ada"}},
        client_by="basic",
        tokens={"expires_in": 7200, "scope": "users.read tweet.read", "token_type": "bearer"},
        wrong_code=refused("invalid_request", "Value passed for the authorization code was invalid."),
        wrong_token=(401, {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}),
        verifies=False,
        pkce=True,
    ),
]


@functools.cache
def signing_key() -> rsa.RSAPrivateKey:
    """The key of every provider's id tokens, made once."""
    return rsa.generate_private_key(65537, 2048)


@functools.cache
def apple_key() -> ec.EllipticCurvePrivateKey:
    """The key that Apple gives to its developers."""
    return ec.generate_private_key(ec.SECP256R1())


def apple_key_text() -> str:
    """The key as developers paste it into settings: with literal ``\\n``."""
    form = serialization.PrivateFormat.PKCS8
    pem = apple_key().private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return pem.decode().replace("\n", "\\n")


KID = "key-of-the-provider"


def jwk(key: rsa.RSAPrivateKey | None = None, **members: Json) -> dict[str, Json]:
    """The public part of a key as providers publish it; a member that is None is left out."""
    public: dict[str, Json] = jwt.algorithms.RSAAlgorithm.to_jwk((key or signing_key()).public_key(), as_dict=True)
    return without_none(**{**public, "kid": KID, "use": "sig", "alg": "RS256", "key_ops": None, **members})


@attrs.frozen
class Grant:
    """What a code or an access token stands for."""

    person: Person
    client_id: str = CLIENT_ID
    redirect_uri: str = ""
    challenge: str = ""
    nonce: str | None = None


@attrs.frozen(kw_only=True)
class Request:
    """A request that the provider got."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@attrs.frozen(kw_only=True)
class Fault:
    """
    How an endpoint is broken.

    :ivar status: with *body* in place of the answer.
    :ivar how: ``silent`` says nothing, ``dripping`` sends a byte now and then, ``endless`` sends without an end.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    how: Literal["silent", "dripping", "endless"] | None = None


class ProviderServer:
    """
    A provider on loopback. ``with ProviderServer(dialect) as provider`` runs it.

    :param host: the name of this machine that its addresses have.
    """

    def __init__(self, dialect: Dialect, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.dialect = dialect
        self.requests: list[Request] = []
        self.faults: dict[str, Fault] = {}
        #: What paths are answered with in place of what the provider does by itself: a JSON value, or bytes.
        self.answers: dict[str, Callable[[Request], Answer]] = {}
        self.codes: dict[str, Grant] = {}
        self.access_tokens: dict[str, Grant] = {}
        #: What may stand in no log.
        self.secrets: set[str] = {CLIENT_SECRET}
        self.key_set: list[Json] = [jwk(alg=None if dialect.id == "active-directory" else "RS256")]
        self._ends = threading.Event()
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.serve(self)

            def do_POST(self) -> None:
                provider.serve(self)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.origin = f"{'http' if tls is None else 'https'}://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._ends.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def here(self, documented: str | None) -> str:
        """The documented address, at this server."""
        return "" if documented is None else self.origin + urlsplit(documented).path

    # What visitors do.

    def consent(self, url: str, person: Person, **state: str) -> dict[str, str]:
        """Follow the authorisation URL and consent; returns the query of the callback, or Apple's form."""
        asked = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
        dialect = self.dialect
        assert url.partition("?")[0] == self.here(dialect.authorization)
        assert (asked["client_id"], asked["response_type"]) == (CLIENT_ID, "code")
        assert asked.get("scope", "") == dialect.scope
        assert asked.items() >= dialect.asked.items()
        assert asked.get("code_challenge_method", "S256") == "S256"
        assert CLIENT_SECRET not in url
        challenge = asked.get("code_challenge", "")
        assert challenge or not dialect.pkce
        grant = Grant(person, CLIENT_ID, asked["redirect_uri"], challenge, asked.get("nonce"))
        return {"code": self.code(grant), **state}

    def code(self, grant: Grant) -> str:
        code = f"code-{secrets.token_urlsafe(16)}"
        self.secrets.add(code)
        self.codes[code] = grant
        return code

    def tokens(self, grant: Grant) -> dict[str, Json]:
        """What the token endpoint gives, and what an app on a phone gets from the provider's own library."""
        token = f"token-{secrets.token_urlsafe(16)}"
        self.access_tokens[token] = grant
        given = {"access_token": token, **self.dialect.tokens}
        if self.dialect.claims is not None:
            given["id_token"] = self.id_token(grant)
        self.secrets |= {token, given.get("id_token", token)}
        return given

    def id_token(
        self,
        grant: Grant,
        *,
        key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | None = None,
        algorithm: str = "RS256",
        header: Mapping[str, Json] | None = None,
        **claims: Json,
    ) -> str:
        """Sign an id token, honest by default; a claim that is None is left out."""
        now = int(time.time())
        assert self.dialect.claims is not None
        standard = {"iss": self.here(self.dialect.issuer), "aud": grant.client_id, "iat": now, "exp": now + 3600}
        said = {**standard, "nonce": grant.nonce, **self.dialect.claims(grant.person), **claims}
        return jwt.encode(
            without_none(**said), key or signing_key(), algorithm=algorithm, headers={"kid": KID, **(header or {})}
        )

    # What the server answers.

    def serve(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        address = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        request = Request(
            method=handler.command,
            path=address.path,
            query=dict(parse_qsl(address.query)),
            headers=dict(handler.headers.items()),
            body=handler.rfile.read(length),
        )
        self.requests.append(request)
        name = self.endpoint(request.path)
        try:
            if fault := self.faults.get(name):
                self._fail(handler, fault)
                return
            status, answer = self.answers.get(request.path, functools.partial(self._answer, name))(request)
            kind, body = "application/json", answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            if self.dialect.id == "github" and name == "token" and "json" not in request.headers.get("Accept", ""):
                kind, body = "application/x-www-form-urlencoded", urlencode(answer).encode()
            away = {"Location": f"{self.origin}/elsewhere"} if status // 100 == 3 else {}
            self._send(handler, status, body, {"Content-Type": f"{kind}; charset=utf-8", **away})
        except ConnectionError:  # the client had enough
            handler.close_connection = True

    def endpoint(self, path: str) -> str:
        """The name that faults have for a path: discovery, keys, token, user, more or check."""
        dialect = self.dialect
        named = {
            "discovery": dialect.discovery,
            "keys": dialect.keys,
            "token": dialect.token,
            "user": dialect.user_info,
            "check": dialect.check,
        }
        for name, documented in named.items():
            if documented is not None and path == urlsplit(documented).path:
                return name
        return "more" if path in dialect.more else "nothing"

    def _answer(self, name: str, request: Request) -> Answer:
        dialect = self.dialect
        if name == "discovery":
            return 200, self.discovery()
        if name == "keys":
            return 200, {"keys": self.key_set}
        if name == "token":
            return self._exchange(request)
        if name == "check":
            return self._checked(request)
        if name == "nothing":
            return 404, {"message": "Not Found"}
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if dialect.id == "facebook":
            sent = request.query.get("access_token", "") if "Authorization" not in request.headers else ""
        grant = self.access_tokens.get(sent)
        if grant is None or request.method != "GET":
            return dialect.wrong_token
        if dialect.id == "github" and "User-Agent" not in request.headers:
            return 403, {"message": "Request forbidden by administrative rules."}
        told = dialect.user(grant.person) if name == "user" else dialect.more[request.path](grant.person)
        if dialect.id == "facebook":
            fields = request.query.get("fields", "id,name").split(",")
            told = {name: value for name, value in told.items() if name in fields}
        return 200, told

    def discovery(self) -> dict[str, Json]:
        """The discovery document."""
        dialect = self.dialect
        return {
            "issuer": self.here(dialect.issuer),
            "authorization_endpoint": self.here(dialect.authorization),
            "token_endpoint": self.here(dialect.token),
            "jwks_uri": self.here(dialect.keys),
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            **({"userinfo_endpoint": self.here(dialect.user_info)} if dialect.user_info else {}),
        }

    def _exchange(self, request: Request) -> Answer:
        form = request.form
        if request.method != "POST" or not self._knows_client(request, form):
            return refused("invalid_client", "The client is not known.", 401)
        if "code_verifier" in form:
            self.secrets.add(form["code_verifier"])
        grant = self.codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if (
            grant is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != grant.redirect_uri
            or (grant.challenge and base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() != grant.challenge)
        ):
            return self.dialect.wrong_code
        return 200, self.tokens(grant)

    def _knows_client(self, request: Request, form: Mapping[str, str]) -> bool:
        if self.dialect.client_by == "basic":
            return request.headers.get("Authorization") == basic(CLIENT_ID, CLIENT_SECRET) and bool(form)
        if form.get("client_id") != CLIENT_ID:
            return False
        secret = form.get("client_secret", "")
        if self.dialect.client_by == "body":
            return secret == CLIENT_SECRET
        self.secrets.add(secret)
        try:
            claims = jwt.decode(secret, apple_key().public_key(), ["ES256"], audience="https://appleid.apple.com")
        except jwt.InvalidTokenError:
            return False
        half_a_year = 15_777_000
        return bool(
            (claims["iss"], claims["sub"]) == (TEAM, CLIENT_ID)
            and claims["exp"] - claims["iat"] <= half_a_year
            and jwt.get_unverified_header(secret)["kid"] == APPLE_KEY
        )

    def _checked(self, request: Request) -> Answer:
        """To whom an access token was given, in each provider's words."""
        kind = self.dialect.id
        authorization = request.headers.get("Authorization", "")
        if kind == "github":
            if authorization != basic(CLIENT_ID, CLIENT_SECRET):
                return 401, {"message": "Requires authentication"}
            grant = self.access_tokens.get(json.loads(request.body)["access_token"])
            if grant is None or grant.client_id != CLIENT_ID:
                return 404, {"message": "Not Found"}
            return 200, {"id": 1, "app": {"client_id": grant.client_id, "name": "Shop"}, "user": {"id": 1}}
        if kind == "facebook":
            if request.query.get("access_token") != f"{CLIENT_ID}|{CLIENT_SECRET}":
                return 400, FACEBOOK_ERROR
            grant = self.access_tokens.get(request.query.get("input_token", ""))
            if grant is None:
                return 200, {"data": {"is_valid": False, "scopes": [], "error": {"code": 190, "message": "Malformed"}}}
            return 200, {"data": {"app_id": grant.client_id, "type": "USER", "is_valid": True, "user_id": "1"}}
        sent = {**request.query, **(request.form if request.method == "POST" else {})}
        grant = self.access_tokens.get(sent.get("access_token") or authorization.removeprefix("Bearer "))
        if grant is None:
            return self.dialect.wrong_token if kind != "google" else refused("invalid_token", "Invalid Value")
        if kind == "discord":
            return 200, {"application": {"id": grant.client_id, "name": "Shop"}, "scopes": ["identify", "email"]}
        if kind == "gitlab":
            return 200, {"resource_owner_id": 1, "scope": ["openid"], "application": {"uid": grant.client_id}}
        return 200, {"azp": grant.client_id, "aud": grant.client_id, "sub": grant.person.id, "expires_in": "3599"}

    def _send(
        self, handler: http.server.BaseHTTPRequestHandler, status: int, body: bytes, headers: Mapping[str, str]
    ) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def _fail(self, handler: http.server.BaseHTTPRequestHandler, fault: Fault) -> None:
        if fault.how is None:
            self._send(handler, fault.status, fault.body, {"Content-Type": "application/json", **fault.headers})
            return
        handler.close_connection = True
        if fault.how == "silent":
            self._ends.wait()
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        part = b" " if fault.how == "dripping" else b" " * 65536
        while not self._ends.wait(0.02 if fault.how == "dripping" else 0):
            handler.wfile.write(part)


def basic(client_id: str, secret: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()
