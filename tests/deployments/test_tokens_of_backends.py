"""
What the examples in Node.js, PHP and Go do with every kind of token: what st-verify does, which has tests of its own.

The key server is one of these tests, so the tokens can be such as no auth server makes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import os
import random
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from sampling import exhaustive_but
from sdks.installs import missing, node as node_js
from threads import answering
from verify import minting

from deployments.backends import EXAMPLES, LIMIT, Deployment, Response, fetch, go, go_program
from deployments.nginx import program
from st_verify import ClaimValidator, Refused, SessionVerifier, StaticKeys, UserRoleClaim
from st_verify.wsgi import CsrfMode, SessionGuard, refusal_response

KID, UNKNOWN = minting.KID, "d-1799999999999"
COOKIE = "sAccessToken={}"


@attrs.define
class KeyServer:
    """A key server whose answer is as the test wants it."""

    status: int = 200
    body: bytes = attrs.field(factory=lambda: minting.jwks(minting.jwk()))
    fetches: int = 0
    #: Cleared, it lets every fetch wait.
    goes_on: threading.Event = attrs.field(factory=threading.Event)

    def __attrs_post_init__(self) -> None:
        self.goes_on.set()

    @contextmanager
    def listening(self, port: int) -> Iterator[None]:
        keys = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                keys.fetches += 1
                keys.goes_on.wait(LIMIT)
                self.send_response(keys.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(keys.body)

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        with answering(http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)):
            yield


@attrs.define
class Backends:
    """Node.js and PHP, whose requests go through nginx, and Go, which is asked directly."""

    deployment: Deployment
    keys: KeyServer

    def addresses(self, path: str) -> list[tuple[str, str]]:
        """Origins and paths of a route in Node.js, PHP and Go."""
        here = self.deployment
        return [(here.shop, f"/api{path}"), (here.shop, path), (here.go, f"/api{path}")]

    def ask(
        self, path: str = "/me", *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> tuple[Response, Response, Response]:
        """The responses of Node.js, PHP and Go."""
        node, php, golang = (fetch(*address, method=method, headers=headers) for address in self.addresses(path))
        return node, php, golang


@contextmanager
def backends(folder: Path, keys: KeyServer) -> Iterator[Backends]:
    deployment = Deployment("one_domain", folder, folder, token_seconds=3600)
    with keys.listening(deployment.ports["auth"]), deployment.running("nginx", "php", "node", "go"):
        yield Backends(deployment, keys)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    with backends(tmp_path_factory.mktemp("tokens"), KeyServer()) as running:
        yield running


def payload(issuer: str, **claims: Any) -> dict[str, Any]:
    """What a good token says now."""
    now = int(time.time())
    return minting.payload(**{"iss": issuer, "iat": now - 10, "exp": now + 600, **claims})


def good(issuer: str, **claims: Any) -> str:
    return minting.token(body=payload(issuer, **claims))


def with_header(**members: Any) -> Callable[[str], str]:
    """A good token apart from its header. Members that are ... are left out."""
    full = minting.header(**members)
    header = {name: value for name, value in full.items() if value is not ...}
    return lambda issuer: minting.token(header, payload(issuer))


def claiming(**claims: Any) -> Callable[[str], str]:
    return lambda issuer: good(issuer, **claims)


def relative(**seconds: int) -> Callable[[str], str]:
    """A token with times that many seconds from now."""
    return lambda issuer: good(issuer, **{name: int(time.time()) + value for name, value in seconds.items()})


def without_signature(algorithm: str) -> Callable[[str], str]:
    return lambda issuer: (
        minting.token({**minting.header(), "alg": algorithm}, payload(issuer)).rpartition(".")[0] + "."
    )


def with_old_signature(issuer: str) -> str:
    """The algorithm is none, the signature that of a good token."""
    return minting.token({**minting.header(), "alg": "none"}, payload(issuer))


def signed_with_the_public_key(issuer: str) -> str:
    """HMAC by the PEM of the public key, which a library that trusts ``alg`` accepts."""
    public = minting.private_key().public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head, body = ({**minting.header(), "alg": "HS256"}, payload(issuer))
    signing_input = ".".join(minting.b64(json.dumps(part).encode()) for part in (head, body))
    return f"{signing_input}.{minting.b64(hmac.new(pem, signing_input.encode(), hashlib.sha256).digest())}"


def signed_with_sha384(issuer: str) -> str:
    text = minting.token(body=payload(issuer)).rpartition(".")[0]
    return f"{text}.{minting.b64(minting.sign(text.encode(), algorithm=hashes.SHA384()))}"


def changed(part: int) -> Callable[[str], str]:
    """A good token of which one part is that of another one."""

    def make(issuer: str) -> str:
        one, other = (good(issuer, sub=sub).split(".") for sub in ("user-1", "user-2"))
        return ".".join(other[i] if i == part else text for i, text in enumerate(one))

    return make


def other_spelling(issuer: str) -> str:
    """The last character of the signature has bits that mean nothing: here they are not 0."""
    token = good(issuer)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) + 1]


def of_another_kind(**claims: Any) -> Callable[[str], str]:
    """What the core signs with the same keys for others: no version in the header."""
    return lambda issuer: minting.token({"alg": "RS256", "typ": "JWT", "kid": KID}, {**payload(issuer), **claims})


def serialised(issuer: str) -> str:
    """A good token in the JSON serialisation of RFC 7515, in base64."""
    protected, body, signature = good(issuer).split(".")
    text = json.dumps({"protected": protected, "payload": body, "signature": signature})
    return base64.urlsafe_b64encode(text.encode()).decode()


TOKENS: dict[str, Callable[[str], str]] = {
    "good": good,
    "of a refreshed session": claiming(parentRefreshTokenHash1="b2" * 32),
    "of a user whose id is not English": claiming(sub="Jörg ✓", rsub="Jörg ✓"),
    "with spaces around the id": claiming(sub=" user-1 "),
    "nothing": lambda issuer: "",
    "a word": lambda issuer: "token",
    "dots": lambda issuer: "..",
    "four parts": lambda issuer: good(issuer) + ".",
    "five parts": lambda issuer: good(issuer) + ".a.b",
    "padding": lambda issuer: good(issuer) + "==",
    "two words": lambda issuer: good(issuer) + " more",
    "two tokens": lambda issuer: f"{good(issuer)}, {good(issuer)}",
    "another alphabet": lambda issuer: good(issuer).replace("-", "+").replace("_", "/"),
    "another spelling": other_spelling,
    "json": serialised,
    "a large one": claiming(more="a" * 5_000),
    "alg none": without_signature("none"),
    "alg None": without_signature("None"),
    "alg none with a signature": with_old_signature,
    "no signature": without_signature("RS256"),
    "hmac by the public key": signed_with_the_public_key,
    "sha384": signed_with_sha384,
    "alg RS384": with_header(alg="RS384"),
    "alg in lower case": with_header(alg="rs256"),
    "no alg": with_header(alg=...),
    "typ of another kind": with_header(typ="at+jwt"),
    "no typ": with_header(typ=...),
    "kid without a prefix": with_header(kid="0123456789"),
    "no kid": with_header(kid=...),
    "kid is a number": with_header(kid=5),
    "kid is a list": with_header(kid=[KID]),
    "kid of nothing": with_header(kid="constructor"),
    "kid unknown": with_header(kid=UNKNOWN),
    "version is a number": with_header(version=5),
    "version 2": with_header(version="2"),
    "version of the future": with_header(version="99"),
    "jku": with_header(jku="https://evil.example/keys"),
    "jwk": with_header(jwk=minting.jwk("evil")),
    "crit": with_header(crit=["exp"]),
    "header is a list": lambda issuer: minting.compact(b'["alg","kid","typ","version"]', b"{}"),
    "header is null": lambda issuer: minting.compact(b"null", b"{}"),
    "claims are a list": lambda issuer: minting.token(body=[]),  # type: ignore[arg-type]  # what no auth server makes
    "claims are null": lambda issuer: minting.compact(json.dumps(minting.header()).encode(), b"null"),
    "claims are no json": lambda issuer: minting.compact(json.dumps(minting.header()).encode(), b"{"),
    "signed by another key": lambda issuer: minting.token(body=payload(issuer), key="evil"),
    "another payload": changed(1),
    "another signature": changed(2),
    "expired": relative(exp=-1),
    "expires at this second": relative(exp=0),
    "exp is a text": claiming(exp="9999999999"),
    "exp is no whole number": lambda issuer: good(issuer, exp=time.time() + 600.5),
    "exp is true": claiming(exp=True),
    "no exp": claiming(exp=...),
    "no iat": claiming(iat=...),
    "clock ahead": relative(iat=5),
    "from the future": relative(iat=3600, exp=7200),
    "not valid yet": relative(nbf=3600),
    "nbf is null": claiming(nbf=None),
    "another issuer": claiming(iss="https://evil.example/auth"),
    "issuer with a slash": lambda issuer: good(issuer, iss=issuer + "/"),
    "issuer in a list": lambda issuer: good(issuer, iss=[issuer]),
    "no issuer": claiming(iss=...),
    "audience": claiming(aud="shop"),
    "access token of OAuth2": claiming(stt=1),
    "id token": claiming(stt=2),
    "stt is a text": claiming(stt="0"),
    "stt is null": claiming(stt=None),
    "stt is false": claiming(stt=False),
    "token of the jwt recipe": of_another_kind(source="microservice"),
    "id token with an audience": of_another_kind(stt=2, aud="client-1"),
    "no user": claiming(sub=...),
    "empty user": claiming(sub=""),
    "user is a number": claiming(sub=123),
    "no recipe user": claiming(rsub=...),
    "no tenant": claiming(tId=...),
    "another tenant": claiming(tId="acme", sessionHandle="5d0b3b3e-8f43-4d9c-9b5c-3f5a4f2c1e11_acme"),
    "no handle": claiming(sessionHandle=...),
    "no hash": claiming(refreshTokenHash1=...),
    "user in capitals": lambda issuer: good(issuer, sub=..., SUB="user-1"),
    "issuer in capitals": lambda issuer: good(issuer, iss=..., ISS=issuer),
    "header in capitals": with_header(alg=..., ALG="RS256"),
}


def verdict(
    issuer: str,
    headers: Mapping[str, str],
    method: str = "GET",
    *conditions: ClaimValidator,
    csrf: CsrfMode = CsrfMode.VIA_CUSTOM_HEADER,
) -> tuple[int, Any]:
    """Status of st-verify, and its body or the user."""
    keys = StaticKeys.from_jwks(minting.jwks(minting.jwk()))
    verifier = SessionVerifier(keys=keys, issuer=issuer, tenants="public")
    guard = SessionGuard(verifier, csrf=csrf, transport="any")
    environ = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}
    try:
        return 200, guard.session({"REQUEST_METHOD": method, **environ}, *conditions).user_id
    except Refused as refused:
        response = refusal_response(refused)
        return response.status, json.loads(response.body)


def seen(response: Response) -> tuple[int, Any]:
    """The same of a backend."""
    if response.status == 200:
        return 200, next(iter(response.json.values()))
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    return response.status, response.json


#: One of each kind of refusal, and the two that are accepted for what they are.
CHOSEN = {
    "good",
    "alg none",
    "hmac by the public key",
    "another payload",
    "kid unknown",
    "expired",
    "another issuer",
    "id token",
    "token of the jwt recipe",
    "another tenant",
}


@pytest.mark.parametrize("place", ["header", "cookie"])
@pytest.mark.parametrize("kind", exhaustive_but(sorted(TOKENS), CHOSEN))
def test_every_backend_does_what_st_verify_does(three: Backends, kind: str, place: str) -> None:
    issuer = three.deployment.issuer
    token = TOKENS[kind](issuer)
    headers = {"Authorization": f"Bearer {token}"} if place == "header" else {"Cookie": COOKIE.format(token)}
    node, php, golang = (seen(response) for response in three.ask(headers=headers))
    assert node == php == golang == verdict(issuer, headers)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.exhaustive
def test_a_token_that_was_changed_anywhere_is_refused(three: Backends) -> None:
    """Characters replaced, added and removed, the same ones in every run."""
    issuer, choice = three.deployment.issuer, random.Random(7)
    token = good(issuer, **{"st-role": {"v": ["user"], "t": 1}})
    assert verdict(issuer, bearer(token))[0] == 200
    for _ in range(300):
        at = choice.randrange(len(token))
        new = choice.choice("ABCxyz019-_.=+/~ \t\xe9")
        changed_token = token[:at] + choice.choice(["", new, token[at] + new]) + token[at + 1 :]
        if changed_token.strip(" \t") == token:
            continue
        node, php, golang = (seen(response) for response in three.ask(headers=bearer(changed_token)))
        assert {node[0], php[0], golang[0], verdict(issuer, bearer(changed_token))[0]} == {401}, changed_token


def test_the_header_wins_and_a_cookie_counts_once(three: Backends) -> None:
    issuer = three.deployment.issuer
    one, other, old = good(issuer), good(issuer, sub="user-2", rsub="user-2"), relative(exp=-1)(issuer)
    for headers, expected in (
        ({**bearer(one), "Cookie": f"sAccessToken={other}"}, (200, "user-1")),
        ({**bearer(old), "Cookie": f"sAccessToken={one}"}, (401, {"message": "try refresh token"})),
        ({"Authorization": "Bearer key-of-something", "Cookie": f"a=b; sAccessToken={one}"}, (200, "user-1")),
        ({"Authorization": f"Basic {one}", "Cookie": f"sAccessToken={one}"}, (200, "user-1")),
        ({"Authorization": f"bearer  {one}"}, (200, "user-1")),
        ({"Authorization": f"Bearer {one} {other}"}, (401, {"message": "unauthorised"})),
        ({"Cookie": f"sAccessToken={one}; sAccessToken={other}"}, (401, {"message": "try refresh token"})),
        ({"Cookie": f"sAccessToken={one}; sAccessToken=x=y"}, (401, {"message": "try refresh token"})),
        ({"Cookie": f"sAccessToken={one}; sIdRefreshToken=x"}, (401, {"message": "try refresh token"})),
        (
            {"Cookie": f"SACCESSTOKEN={one}; xsAccessToken={one}; =sAccessToken={one}"},
            (401, {"message": "unauthorised"}),
        ),
        ({"X-User-Id": "user-1", "st-auth-mode": "header"}, (401, {"message": "unauthorised"})),
        ({}, (401, {"message": "unauthorised"})),
    ):
        node, php, golang = (seen(response) for response in three.ask(headers=headers))
        assert node == php == golang == verdict(issuer, headers) == expected, headers


def test_another_website_cannot_make_changes_with_the_cookies(three: Backends) -> None:
    """A header of a script, or the origin of the own website. A session with a token of its own needs that token."""
    here, refused = three.deployment, (401, {"message": "try refresh token"})
    token = good(here.issuer)
    cookie, passes = {"Cookie": f"sAccessToken={token}"}, (200, "user-1")
    special = {"Cookie": f"sAccessToken={good(here.issuer, antiCsrfToken='secret')}"}
    for headers, expected in (
        (bearer(token), passes),
        (cookie, refused),
        ({**cookie, "rid": ""}, refused),
        ({**cookie, "rid": "anti-csrf"}, passes),
        ({**cookie, "Origin": here.shop}, passes),
        ({**cookie, "Origin": here.shop + ".evil.test"}, refused),
        ({**cookie, "Origin": "null"}, refused),
        ({**special, "rid": "anti-csrf", "Origin": here.shop}, refused),
        ({**special, "anti-csrf": "Secret"}, refused),
        ({**special, "anti-csrf": ""}, refused),
        ({**special, "anti-csrf": "secret"}, passes),
    ):
        node, php, golang = (seen(response) for response in three.ask("/notes", method="POST", headers=headers))
        assert node == php == golang == expected, headers
        mode = CsrfMode.VIA_TOKEN if headers.get("Cookie") == special["Cookie"] else CsrfMode.VIA_CUSTOM_HEADER
        if "Origin" not in headers:
            assert verdict(here.issuer, headers, "POST", csrf=mode) == expected
    empty = {"Cookie": f"sAccessToken={good(here.issuer, antiCsrfToken='')}"}
    for headers in (empty, {**empty, "anti-csrf": ""}, {**empty, "rid": "anti-csrf"}):
        assert statuses(three, headers, "/notes", "POST") == [401] * 3


def test_only_the_website_may_read_what_an_api_answers(three: Backends) -> None:
    """A preflight, a session and refusals. For the website, the browser shows all of them to its scripts."""
    here = three.deployment
    for method, headers, status in (
        ("OPTIONS", {"Access-Control-Request-Method": "GET"}, 204),
        ("GET", bearer(good(here.issuer)), 200),
        ("GET", {}, 401),
        ("GET", bearer(good(here.issuer, tId="acme")), 403),
    ):
        for origin, allowed in ((here.shop, here.shop), ("https://evil.test", None)):
            sent = {**headers, "Origin": origin}
            node, golang = (fetch(api, "/api/me", method=method, headers=sent) for api in (here.api, here.go))
            assert node.status == golang.status == status
            assert node.headers.get("Access-Control-Allow-Origin") == allowed
            assert node.headers.get("Access-Control-Allow-Credentials") == (allowed and "true")
            names = {name for name in (*node.headers, *golang.headers) if name.startswith("Access-Control-")}
            assert len(names) == (5 if allowed else 0)
            for name in (*names, "Vary"):
                assert golang.headers.get(name) == node.headers.get(name)


@pytest.mark.parametrize(
    "claim",
    [
        {"v": ["user", "admin"], "t": 1},
        {"v": ["user"], "t": 1},
        {"v": [], "t": 1},
        {"v": "admin", "t": 1},
        {"v": {"role": "admin"}, "t": 1},
        {"v": [["admin"]], "t": 1},
        {"v": None, "t": 1},
        {},
        [],
        "admin",
        None,
    ],
    ids=json.dumps,
)
def test_a_role_is_an_entry_of_a_list(three: Backends, claim: Any) -> None:
    issuer = three.deployment.issuer
    token = good(issuer, **{"st-role": claim})
    node, php, golang = (seen(response) for response in three.ask("/admin", headers=bearer(token)))
    assert node == php == golang == verdict(issuer, bearer(token), "GET", UserRoleClaim.includes("admin"))


def test_strangers_cause_few_fetches(tmp_path: Path) -> None:
    """Each backend asks twice in 20 seconds at most, and an expired token or one of another issuer costs nothing."""
    keys = KeyServer()
    with backends(tmp_path, keys) as three:
        issuer = three.deployment.issuer
        for make in (relative(exp=-1), claiming(iss="https://evil.example/auth"), of_another_kind()):
            three.ask(headers=bearer(make(issuer)))
        assert keys.fetches == 0
        for number in range(10):
            for response in three.ask(headers=bearer(with_header(kid=f"d-{number}")(issuer))):
                assert seen(response) == (401, {"message": "try refresh token"})
        assert keys.fetches == 6
        assert [seen(response) for response in three.ask(headers=bearer(good(issuer)))] == [(200, "user-1")] * 3
        assert keys.fetches == 6


def statuses(three: Backends, headers: Mapping[str, str], path: str = "/me", method: str = "GET") -> list[int]:
    """Those of Node.js, PHP and Go. What cannot be known now comes with the time to ask again."""
    responses = three.ask(path, method=method, headers=headers)
    assert all(("Retry-After" in response.headers) == (response.status == 503) for response in responses)
    return [response.status for response in responses]


def test_the_life_of_keys(tmp_path: Path) -> None:
    """A key server that begins late, makes a new key, removes the old one, and is gone for more than a day."""
    keys = KeyServer(status=500)
    with backends(tmp_path, keys) as three:
        here = three.deployment
        old, new = (bearer(make(here.issuer)) for make in (good, with_header(kid="d-1800000000000")))
        assert statuses(three, old) == [503] * 3
        keys.status, keys.body = 200, minting.jwks(minting.jwk(n=5), minting.jwk(kid=None), minting.jwk())
        assert statuses(three, old) == [200] * 3
        here.age_keys(60)
        assert statuses(three, new) == [401] * 3
        keys.body = minting.jwks(minting.jwk(), minting.jwk(kid="d-1800000000000"))
        here.age_keys(60)
        assert statuses(three, new) == [200] * 3
        assert statuses(three, old) == [200] * 3
        keys.body = minting.jwks(minting.jwk(kid="d-1800000000000"))
        assert statuses(three, old) == [200] * 3
        here.age_keys(16 * 60)
        for _ in range(100):  # Node.js and Go fetch while they answer with what they have
            if statuses(three, old) == [401] * 3:
                break
        assert statuses(three, old) == [401] * 3
        keys.status = 302
        here.age_keys(23 * 3600)
        assert statuses(three, new) == [200] * 3
        assert statuses(three, bearer(with_header(kid="d-1800000000001")(here.issuer))) == [503] * 3
        here.age_keys(2 * 3600)
        assert statuses(three, new) == [503] * 3
        keys.status = 200
        here.age_keys(60)
        assert statuses(three, new) == [200] * 3


def wait_for_fetches(keys: KeyServer, number: int) -> None:
    """Return when the key server has been asked that often."""
    limit = time.monotonic() + LIMIT
    while keys.fetches < number and time.monotonic() < limit:
        threading.Event().wait(0.05)
    assert keys.fetches == number


def test_one_request_fetches_the_keys_for_all(tmp_path: Path) -> None:
    """While the key server takes its time, requests wait only if there are no keys at all."""
    keys = KeyServer()
    with backends(tmp_path, keys) as three, ThreadPoolExecutor(12) as pool:
        here, headers = three.deployment, bearer(good(three.deployment.issuer))
        unknown = bearer(with_header(kid=UNKNOWN)(here.issuer))
        keys.goes_on.clear()
        waiting = [pool.submit(fetch, *address, headers=headers) for address in three.addresses("/me") * 3]
        wait_for_fetches(keys, 3)
        keys.goes_on.set()
        assert [response.result().status for response in waiting] == [200] * 9
        assert keys.fetches == 3
        here.age_keys(16 * 60)
        keys.goes_on.clear()
        late = [pool.submit(fetch, *address, headers=headers) for address in three.addresses("/me")]
        wait_for_fetches(keys, 6)
        assert statuses(three, headers) == [200] * 3
        stranger = pool.submit(fetch, here.shop, "/me", headers=unknown)
        assert stranger.result().status == 401
        assert not late[1].done()  # PHP has nobody else who could fetch
        assert all("gave no keys" not in here.log(name) for name in ("node", "go"))  # nobody has waited for a timeout
        keys.goes_on.set()
        assert [response.result().status for response in late] == [200] * 3
        assert keys.fetches == 6


#: Answers of a key server without a usable key.
NO_KEYS = [
    b"",
    b"<html>",
    b"[]",
    b"{}",
    b"5",
    b'{"keys": null}',
    b'{"keys": "all"}',
    b'{"keys": []}',
    b'{"keys": [5]}',
    minting.jwks(minting.jwk(kty="oct", k="c2VjcmV0")),
    minting.jwks(minting.jwk(alg="RS384")),
    minting.jwks(minting.jwk(use="enc")),
    minting.jwks(minting.jwk(e="Aw")),
    minting.jwks(minting.jwk(kid=None)),
    minting.jwks(minting.jwk(n=5)),
    minting.jwks(minting.jwk(n=minting.number(2**1024 + 1))),
    minting.jwks(minting.jwk()) + b" " * 600_000,
]


@pytest.mark.exhaustive
def test_key_sets_without_a_usable_key_are_none(three: Backends) -> None:
    here, token = three.deployment, bearer(good(three.deployment.issuer))
    assert statuses(three, token) == [200] * 3
    try:
        for body in NO_KEYS:
            three.keys.body = body
            here.age_keys(25 * 3600)
            assert statuses(three, token) == [503] * 3, body[:40]
    finally:
        three.keys.body = minting.jwks(minting.jwk())
        here.age_keys(60)
    assert statuses(three, token) == [200] * 3


def test_a_file_of_keys_that_was_cut_off_is_fetched_again(tmp_path: Path) -> None:
    """A disk that is full leaves half a file. PHP must not stay broken when there is room again."""
    with backends(tmp_path, KeyServer()) as three:
        headers = bearer(good(three.deployment.issuer))
        assert statuses(three, headers) == [200] * 3
        (kept,) = three.deployment.folder.rglob("keys.json")
        for text in (kept.read_text()[:100], "", "7"):
            kept.write_text(text)
            assert statuses(three, headers) == [200] * 3


def test_a_session_with_large_claims_gets_through(three: Backends) -> None:
    """A cookie with 12 kB of claims is beyond what nginx takes by default."""
    token = claiming(plan="a" * 9000)(three.deployment.issuer)
    assert len(token) > 12_000
    assert statuses(three, {"Cookie": f"sAccessToken={token}"}) == [200] * 3


def test_go_reads_json_as_strictly_as_st_verify(three: Backends) -> None:
    """Two members with one name, numbers in another spelling, text that is no UTF-8, and what is nested too deeply."""
    here = three.deployment
    head, body = (json.dumps(part).encode() for part in (minting.header(), payload(here.issuer)))
    late = b'"exp": 9e9, '
    for changed_head, changed_body in (
        (head, b'{"sub": "root", ' + body[1:]),
        (head, b'{"st-role": {"v": [], "v": ["admin"]}, ' + body[1:]),
        (b'{"alg": "none", ' + head[1:], body),
        (head, b"{" + late + re.sub(rb'"exp": \d+, ', b"", body)[1:]),
        (head, re.sub(rb'("exp": \d+)', rb"\1.0", body)),
        (head, body.replace(b"user-1", b"user-\xff")),
        (head, body + b"{}"),
        (head, b'{"more": ' + b"[" * 1000 + b"]" * 1000 + b", " + body[1:]),
    ):
        assert (changed_head, changed_body) != (head, body)
        headers = bearer(minting.compact(changed_head, changed_body))
        response = fetch(here.go, "/api/me", headers=headers)
        assert seen(response) == verdict(here.issuer, headers) == (401, {"message": "unauthorised"}), changed_body
    headers = bearer(minting.compact(head, body))
    assert seen(fetch(here.go, "/api/me", headers=headers)) == (200, "user-1")


@pytest.mark.parametrize("wrong", [{"KEYS_URL": ""}, {"KEYS_URL": "shop.test/keys"}, {"ISSUER": ""}, {"WEBSITE": ""}])
def test_a_backend_without_its_settings_says_so(wrong: dict[str, str], tmp_path: Path) -> None:
    """Node.js and Go do not start. PHP, which has no start, answers 500 to everything and logs why."""
    settings = {"KEYS_URL": "http://127.0.0.1:9/keys", "ISSUER": "https://a.test/auth", "WEBSITE": "https://a.test"}
    env = {**os.environ, **settings, **wrong, "PORT": "0"}
    reason = "must begin with https" if "KEYS_URL" in wrong else "are needed"
    for command in ([node_js(), str(EXAMPLES / "node" / "server.mjs")], [str(go_program())]):
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=LIMIT)
        assert done.returncode == 1
        assert reason in done.stderr
    php = program("php")
    if php is None:
        missing("PHP (on Debian: apt-get install php-fpm)")
    request = {"REQUEST_METHOD": "GET", "REQUEST_URI": "/", "KEYS_FOLDER": str(tmp_path)}
    command = [php, "-d", "variables_order=EGPCS", str(EXAMPLES / "php" / "index.php")]
    done = subprocess.run(command, env=env | request, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert json.loads(done.stdout) == {"message": "internal error"}
    assert reason in done.stderr


@pytest.mark.exhaustive
def test_go_has_nothing_to_say_about_the_example(tmp_path: Path) -> None:
    """Its formatter and its examination. The program needs no module."""
    source = shutil.copytree(EXAMPLES / "go", tmp_path / "source")
    assert go("vet", ".", folder=source, scratch=tmp_path) == ""
    assert go("fmt", ".", folder=source, scratch=tmp_path) == ""
    assert "require" not in (source / "go.mod").read_text()
