"""
What it costs to verify one access token, beside one bare RSA-2048 signature check and other libraries.

The contenders take turns in short rounds, in another order each time; time is that of the processor, and ratios are to
the bare check of the same round. "cold" is a token that was not seen before, through the cache of verified tokens;
"warm" one that was seen in the last minute; "garbage" is text that is no token. The peers get what they need to check
signature, expiry and issuer, and their keys beforehand.
"""

from __future__ import annotations

import base64
import importlib
import itertools
import json
import random
import resource
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from benchmarks.report import Goal, Row, main, quotients, row
from st_verify import NoSession, RemoteKeys, SessionVerifier, StaticKeys, VerificationKey
from st_verify.jwk import KeySet

ISSUER = "https://api.example.com/auth"
BARE = "cryptography, the bare check"


@attrs.frozen
class Setting:
    """One key pair, its JWK set and tokens signed with it, all different."""

    public_key: rsa.RSAPublicKey
    kid: str
    jwks: bytes
    tokens: tuple[str, ...]

    @classmethod
    def of(cls, count: int) -> Setting:
        private_key = rsa.generate_private_key(65537, 2048)
        now = int(time.time())
        kid = f"d-{(now - 86_400) * 1000}"
        numbers = private_key.public_key().public_numbers()
        jwk = {"kty": "RSA", "kid": kid, "n": _number(numbers.n), "e": "AQAB", "alg": "RS256", "use": "sig"}
        head = _b64(json.dumps({"alg": "RS256", "typ": "JWT", "kid": kid, "version": "5"}).encode())
        tokens = []
        for _ in range(count):
            signing_input = f"{head}.{_b64(_payload(now))}"
            signature = private_key.sign(signing_input.encode(), padding.PKCS1v15(), hashes.SHA256())
            tokens.append(f"{signing_input}.{_b64(signature)}")
        return cls(private_key.public_key(), kid, json.dumps({"keys": [jwk]}).encode(), tuple(tokens))


def _payload(now: int) -> bytes:
    """What a session with a verified e-mail address and a role has."""
    user = str(uuid.uuid4())
    claims = {
        "iss": ISSUER,
        "sub": user,
        "rsub": user,
        "tId": "public",
        "sessionHandle": str(uuid.uuid4()),
        "refreshTokenHash1": uuid.uuid4().hex * 2,
        "parentRefreshTokenHash1": None,
        "antiCsrfToken": None,
        "iat": now - 10,
        "exp": now + 86_400,
        "st-ev": {"v": True, "t": now * 1000},
        "st-role": {"v": ["user"], "t": now * 1000},
    }
    return json.dumps(claims, separators=(",", ":")).encode()


def contenders(setting: Setting) -> dict[str, Callable[[], object]]:
    """Everybody, as a function that verifies one token; those whose library is missing are left out."""
    parts = [token.rpartition(".") for token in setting.tokens]
    checks = itertools.cycle([(_unb64(signature), data.encode()) for data, _, signature in parts])
    scheme, algorithm = padding.PKCS1v15(), hashes.SHA256()

    def bare() -> None:
        signature, data = next(checks)
        setting.public_key.verify(signature, data, scheme, algorithm)

    # Less cache than tokens in turn: each is evicted before it comes again, and so is new every time.
    assert len(setting.tokens) > 64
    cold, cold_tokens = _verifier(setting, cache_size=64), itertools.cycle(setting.tokens)
    uncached, uncached_tokens = _verifier(setting, cache_size=0), itertools.cycle(setting.tokens)
    warm = _verifier(setting)
    again = setting.tokens[0]
    garbage = "not-a-token-" * 80

    def refuse() -> None:
        try:
            warm.verify(garbage)
        except NoSession:
            return
        raise AssertionError("garbage was accepted")

    return {
        BARE: bare,
        "st_verify, cold": lambda: cold.verify(next(cold_tokens)),
        "st_verify, cold, no cache": lambda: uncached.verify(next(uncached_tokens)),
        "st_verify, warm": lambda: warm.verify(again),
        "st_verify, garbage": refuse,
        **_peers(setting, itertools.cycle(setting.tokens)),
    }


def _verifier(setting: Setting, **options: Any) -> SessionVerifier:
    keys = RemoteKeys(fetch=lambda: setting.jwks)
    keys.preload()
    return SessionVerifier(keys=keys, issuer=ISSUER, tenants="public", **options)


def _peers(setting: Setting, tokens: Iterator[str]) -> dict[str, Callable[[], object]]:
    document = json.loads(setting.jwks)

    class Client(jwt.PyJWKClient):
        def fetch_data(self) -> Any:
            self.jwk_set_cache.put(document)  # type: ignore[union-attr]  # it has a cache by default
            return document

    client = Client("https://api.example.com/jwks.json", lifespan=86_400)

    def pyjwt() -> object:
        return jwt.decode(next(tokens), setting.public_key, algorithms=["RS256"], issuer=ISSUER)

    def pyjwt_client() -> object:
        token = next(tokens)
        return jwt.decode(token, client.get_signing_key_from_jwt(token), algorithms=["RS256"], issuer=ISSUER)

    found: dict[str, Callable[[], object]] = {"PyJWT": pyjwt, "PyJWT, PyJWKClient": pyjwt_client}
    for name, make in {"joserfc": _joserfc, "Authlib": _authlib, "supertokens-python": _official}.items():
        try:
            found[name] = make(setting, tokens)
        except ImportError:
            continue
    return found


def _joserfc(setting: Setting, tokens: Iterator[str]) -> Callable[[], object]:
    joserfc_jwt = importlib.import_module("joserfc.jwt")
    keys = importlib.import_module("joserfc.jwk").KeySet.import_key_set(json.loads(setting.jwks))
    registry = importlib.import_module("joserfc.jws").JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    claims = joserfc_jwt.JWTClaimsRegistry(iss={"essential": True, "value": ISSUER})

    def verify() -> object:
        token = joserfc_jwt.decode(next(tokens), keys, registry=registry)
        claims.validate(token.claims)
        return token

    return verify


def _authlib(setting: Setting, tokens: Iterator[str]) -> Callable[[], object]:
    jose = importlib.import_module("authlib.jose")
    decoder = jose.JsonWebToken(["RS256"])
    keys = jose.JsonWebKey.import_key_set(json.loads(setting.jwks))
    options = {"iss": {"essential": True, "value": ISSUER}}

    def verify() -> object:
        claims = decoder.decode(next(tokens), keys, claims_options=options)
        claims.validate()
        return claims

    return verify


def _official(setting: Setting, tokens: Iterator[str]) -> Callable[[], object]:
    """The calls by which its ``get_session`` verifies a token."""
    access_token = importlib.import_module("supertokens_python.recipe.session.access_token")
    parsing = importlib.import_module("supertokens_python.recipe.session.jwt")
    keys: Any = importlib.import_module("supertokens_python.recipe.session.jwks")
    keys.cached_keys = keys.CachedKeys(jwt.PyJWKSet.from_dict(json.loads(setting.jwks)).keys, 86_400)

    def verify() -> object:
        parsed = parsing.parse_jwt_without_signature_verification(next(tokens))
        return access_token.get_info_from_access_token(None, parsed, False)

    return verify


GOALS = {
    "st_verify, cold": Goal(of="ratio", at_most=1.8),
    "st_verify, warm": Goal(of="value", at_most=3),
    "st_verify, garbage": Goal(of="value", at_most=1),
}


def measure(quick: bool) -> list[Row]:
    rounds, calls = (15, 50) if quick else (200, 100)
    everybody = contenders(Setting.of(128))
    taken: dict[str, list[float]] = {name: [] for name in everybody}
    order = list(everybody.items())
    for number in range(-2, rounds):
        random.Random(number).shuffle(order)  # the first one warms the processor's caches for the rest
        for name, verify in order:
            began = time.process_time()
            for _ in range(calls):
                verify()
            if number >= 0:
                taken[name].append((time.process_time() - began) / calls * 1e6)
    bare = taken[BARE]
    rows = [
        row(
            "one token",
            name,
            spent,
            "us",
            ratios=None if name == BARE else quotients(spent, bare),
            goal=GOALS.get(name),
        )
        for name, spent in taken.items()
    ]
    return [*rows, _memory(20_000 if quick else 1_000_000)]


class _AlwaysGood(VerificationKey):
    """Spares the memory measurement a million real signatures: memory does not depend on them."""

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        return True


def _memory(count: int) -> Row:
    """How far the peak of the process grows over distinct tokens, once the cache is full."""
    setting = Setting.of(1)
    (key,) = StaticKeys.from_jwks(setting.jwks).snapshot().keys.values()
    good = _AlwaysGood(key.kid, key.thumbprint, key.signature_length, key.members, key.public_key)
    verifier = SessionVerifier(keys=StaticKeys(list(KeySet.of([good]).keys.values())), issuer=ISSUER, tenants="public")
    head, _, signature = setting.tokens[0].split(".")
    now = int(time.time())

    def verify(times: int) -> None:
        for _ in range(times):
            verifier.verify(f"{head}.{_b64(_payload(now))}.{signature}")

    verify(10_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    verify(count)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return row(f"memory over {count:,} tokens", "st_verify", [grown / 1024], "MB", goal=Goal(of="value", at_most=2))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


def _number(value: int) -> str:
    return _b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


if __name__ == "__main__":
    main(__doc__ or "", measure)
