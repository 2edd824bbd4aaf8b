"""Catalogue 3.2: the header does not choose how it is treated."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from st_verify import base64url
from verify.minting import (
    DAY,
    KID,
    NOW,
    Bench,
    b64,
    compact,
    header,
    jwk,
    payload,
    private_key,
    sign,
    token,
    with_header,
)

BODY = json.dumps(payload()).encode()
PUBLIC = private_key().public_key()
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
SECRETS = {
    "PEM": PEM,
    "stripped PEM": PEM.strip(),
    "DER": PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "JWK text": json.dumps(jwk()).encode(),
    "modulus": PUBLIC.public_numbers().n.to_bytes(256, "big"),
    "empty": b"",
}


def unsigned(head: dict[str, Any], signature: bytes) -> str:
    return f"{b64(json.dumps(head).encode())}.{b64(BODY)}.{b64(signature)}"


def hs256(secret: bytes, length: int = 256) -> str:
    """An HMAC where a signature should be, filled up so that its length alone does not give it away."""
    signing_input = f"{b64(json.dumps(header(alg='HS256')).encode())}.{b64(BODY)}"
    mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{b64(mac.ljust(length, bytes(1)))}"


def by_ec_key() -> str:
    signing_input = f"{b64(json.dumps(header(alg='ES256')).encode())}.{b64(BODY)}"
    signature = ec.generate_private_key(ec.SECP256R1()).sign(signing_input.encode(), ec.ECDSA(hashes.SHA256()))
    return f"{signing_input}.{b64(signature.ljust(256, bytes(1)))}"


def by_pss() -> str:
    signing_input = f"{b64(json.dumps(header(alg='PS256')).encode())}.{b64(BODY)}"
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    return f"{signing_input}.{b64(private_key().sign(signing_input.encode(), pss, hashes.SHA256()))}"


def by_other_hash(alg: str, algorithm: hashes.HashAlgorithm) -> str:
    signing_input = f"{b64(json.dumps(header(alg=alg)).encode())}.{b64(BODY)}"
    return f"{signing_input}.{b64(sign(signing_input.encode(), algorithm=algorithm))}"


def raw(header_json: str | bytes) -> str:
    return compact(header_json.encode() if isinstance(header_json, str) else header_json, BODY)


def without(name: str) -> str:
    return token({member: value for member, value in header().items() if member != name})


ATTACKER = jwk("attacker", kid=KID)
GENUINE_SIGNATURE = base64url.decode(token().split(".")[2].encode())
START = '{"alg":"RS256","typ":"JWT","version":"5",'
WRONG_KIDS = ["../../dev/null", "d-' OR 1=1 --", "d-1\r\nx", KID + "\x00", KID + " ", KID.upper()]
WRONG_KIDS += ["d-" + "1" * 255, "", "d-", "x-1", "s-ü"]

WRONG_ALGS: list[Any] = ["rs256", "RS256 ", "RS256\x00", None, 256, ["RS256"], {}]
WRONG_TYPES: list[Any] = ["at+jwt", "JWE", "jwt", {}, 5, "JWT\n", "application/JWT"]
NO_KIDS: list[Any] = [None, 5, 1.0, True, [KID], {}]
WRONG_VERSIONS: list[Any] = [5, 5.9, True, "99", "-1", "05", " 5", "\uff15", "2", "1", "6", [], None, {}]
WRONG_JSON: dict[str, str | bytes] = {
    "array": json.dumps(["alg", "RS256", "typ", "JWT"]),
    "string": json.dumps("RS256 and some more letters"),
    "number": "1" * 20,
    "null": "null" + " " * 20,
    "empty object": "{}" + " " * 20,
    "trailing garbage": json.dumps(header()) + "x",
    "trailing value": json.dumps(header()) + "{}",
    "UTF-16": json.dumps(header()).encode("utf-16"),
    "UTF-8 with a mark": b"\xef\xbb\xbf" + json.dumps(header()).encode(),
    "invalid UTF-8": json.dumps(header()).encode() + b"\xff",
}

POLICY = [
    *[
        pytest.param(unsigned(header(alg=alg), bytes(256)), id=f"V-020 {alg}")
        for alg in ("none", None, "NONE", "nOnE")
    ],
    pytest.param(unsigned(header(alg="none"), b""), id="V-020 empty signature"),
    pytest.param(unsigned(header(alg="none"), GENUINE_SIGNATURE), id="V-021 none with the old signature"),
    *[pytest.param(hs256(secret), id=f"V-022 HS256 keyed with {name}") for name, secret in SECRETS.items()],
    *[pytest.param(hs256(secret, 32), id=f"V-022 HS256 of its own length, {name}") for name, secret in SECRETS.items()],
    pytest.param(by_other_hash("RS384", hashes.SHA384()), id="V-024 RS384"),
    pytest.param(by_other_hash("RS512", hashes.SHA512()), id="V-024 RS512"),
    pytest.param(by_pss(), id="V-024 PS256"),
    pytest.param(by_ec_key(), id="V-025 ES256"),
    *[
        pytest.param(with_header(alg=alg), id=f"V-026 {alg!r}")
        for alg in WRONG_ALGS
    ],
    pytest.param(without("alg"), id="V-026 no alg"),
    pytest.param(token(header(jwk=ATTACKER), key="attacker"), id="V-027 jwk of an attacker"),
    *[
        pytest.param(token(header(**{name: url}), key="attacker"), id=f"V-028 {name} {url}")
        for name in ("jku", "x5u")
        for url in ("https://evil.example/jwks", "file:///etc/passwd", "http://169.254.169.254/", "https://api.example.com/auth/jwt/jwks.json")
    ],
    *[
        pytest.param(with_header(**{name: value}), id=f"V-029 {name}")
        for name, value in {"x5c": ["MIIB"], "x5t": "AAAA", "x5t#S256": "AAAA"}.items()
    ],
    pytest.param(with_header(jwk=jwk()), id="V-030 its own genuine jwk"),
    *[
        pytest.param(with_header(crit=crit), id=f"V-031 crit {str(crit)[:20]}")
        for crit in (["exp"], [], "b64", ["b64"], ["alg"], [1], ["a", "a"], [f"n{i}" for i in range(100_000)])
    ],
    pytest.param(with_header(b64=False), id="V-032 b64 without crit"),
    pytest.param(with_header(b64=False, crit=["b64"]), id="V-032 b64 with crit"),
    pytest.param(f"{b64(json.dumps(header(b64=False)).encode())}..{b64(bytes(256))}", id="V-032 detached"),
    *[
        pytest.param(with_header(**{name: "x"}), id=f"V-033 {name}")
        for name in ("zip", "enc", "cty", "nonce", "ppt")
    ],
    pytest.param(without("typ"), id="V-034 no typ"),
    *[
        pytest.param(with_header(typ=typ), id=f"V-034 {typ!r}")
        for typ in WRONG_TYPES
    ],
    pytest.param(without("kid"), id="V-035 no kid"),
    *[pytest.param(with_header(kid=kid), id=f"V-035 {kid!r}") for kid in NO_KIDS],
    *[
        pytest.param(with_header(kid=kid), id=f"V-036 {kid[:20]!r}")
        for kid in WRONG_KIDS
    ],
    pytest.param(without("version"), id="V-040 no version"),
    *[
        pytest.param(with_header(version=version), id=f"V-041 {version!r}")
        for version in WRONG_VERSIONS
    ],
    pytest.param(raw('{"alg":"none",' + json.dumps(header())[1:]), id="V-043 alg twice"),
    pytest.param(raw(START + f'"kid":"d-1","kid":"{KID}"}}'), id="V-043 kid twice"),
    pytest.param(raw(START + f'"kid":"{KID}","\\u006bid":"{KID}"}}'), id="V-043 kid twice through an escape"),
    *[
        pytest.param(raw(text), id=f"V-044 {name}")
        for name, text in WRONG_JSON.items()
    ],
    pytest.param(raw('{"a":' * 100_000 + "1" + "}" * 100_000), id="V-045 100 000 deep"),
    pytest.param(raw("[" * 5000), id="V-045 5000 brackets"),
    pytest.param(raw("[" * 900), id="V-045 900 brackets, below the cap on the header"),
    *[
        pytest.param(raw(START + f'"kid":{value}}}'), id=f"V-046 {value[:10]}")
        for value in ("NaN", "Infinity", "-Infinity", "1e999", "1" * 4301, "1" * 900)
    ],
    pytest.param(with_header(**{f"m{i}": 1 for i in range(10_000)}), id="V-047 10 000 members"),
]  # fmt: skip


@pytest.mark.parametrize("text", POLICY)
def test_a_header_that_the_core_does_not_write_is_no_session_and_causes_no_fetch(bench: Bench, text: str) -> None:
    assert bench.outcome(text) == "401U"
    assert bench.verifier.parse(text) is None
    assert bench.extra_fetches == 0


def test_a_symmetric_key_in_the_set_is_never_used() -> None:
    """V-023: the published oct key has the token's kid, and the token is a right HMAC under it."""
    secret = b"k" * 32
    oct_key = {"kty": "oct", "kid": "d-1700000000000", "k": b64(secret), "alg": "HS256"}
    bench = Bench(jwk(), oct_key)
    assert bench.outcome(hs256(secret)) == "401U"
    assert "private_key_published" in bench.events
    assert bench.extra_fetches == 0


@pytest.mark.parametrize(
    "kid",
    [
        pytest.param(f"d-{(NOW - 100 * DAY) * 1000}", id="V-037 older than any key"),
        pytest.param(f"d-{(NOW + 301) * 1000}", id="V-037 of the future"),
        pytest.param("d-" + "9" * 100, id="V-037 a number beyond all time"),
        pytest.param("d-abc", id="V-037 no time at all"),
    ],
)
def test_an_unknown_kid_that_no_fetch_could_bring_causes_none(bench: Bench, kid: str) -> None:
    assert bench.outcome(token(header(kid=kid), key="attacker")) == "401R"
    assert bench.outcome(token(header(kid=kid), {}, key="attacker")) == "401R"
    assert bench.extra_fetches == 0


@pytest.mark.parametrize(
    "kid",
    [
        pytest.param(f"d-{NOW * 1000}", id="V-038 made now"),
        pytest.param(f"d-{(NOW + 200) * 1000}", id="V-038 by a clock slightly ahead"),
        pytest.param("s-7c3b0a0e-93d8-4f6c-a3d3-7b7a1b6ed3a1", id="V-038 static"),
    ],
)
def test_an_unknown_plausible_kid_causes_one_fetch(bench: Bench, kid: str) -> None:
    forged = token(header(kid=kid), key="attacker")
    assert [bench.outcome(forged), bench.outcome(forged)] == ["401R", "401R"]
    assert bench.extra_fetches == 1


def test_a_new_key_is_fetched_at_once(bench: Bench) -> None:
    """V-038: the key behind an unknown kid was published since; the very request that brings it succeeds."""
    kid = f"d-{NOW * 1000}"
    bench.server.publish(jwk(), jwk("next", kid=kid))
    assert bench.outcome(token(header(kid=kid), key="next")) == "OK"
    assert bench.extra_fetches == 1


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"use": "enc"}, id="V-039 for encryption"),
        pytest.param({"alg": "RS384"}, id="V-039 of another algorithm"),
        pytest.param({"key_ops": ["sign"]}, id="V-039 not to verify"),
    ],
)
def test_a_published_key_that_is_not_for_this_does_not_verify(members: dict[str, Any]) -> None:
    other = "d-1799999999000"
    bench = Bench(jwk(), jwk("other", kid=other, **members))
    assert bench.outcome(token(header(kid=other), key="other")) == "401R"
    assert bench.extra_fetches == 0


def test_legacy_headers_ask_for_a_refresh(bench: Bench) -> None:
    """V-042: versions 1 and 2 have a constant header in padded base64, and no kid."""
    for head in (b'{"alg":"RS256","typ":"JWT","version":"1"}', b'{"alg":"RS256","typ":"JWT","version":"2"}'):
        constant = base64.b64encode(head).decode()
        body = base64.b64encode(b'{"userId":"u","x":"???>>>"}').decode()
        signature = base64.b64encode(bytes(range(256))).decode()
        text = f"{constant}.{body}.{signature}"
        assert "+" in text or "/" in text
        assert bench.outcome(text) == "401R"
        assert bench.outcome(f"{constant}.{body}.short") == "401U"
    assert bench.extra_fetches == 0


@pytest.mark.parametrize(
    ("dynamic", "kid"),
    [
        pytest.param(False, KID, id="V-048 dynamic key in static mode"),
        pytest.param(True, "s-1", id="V-048 static key in dynamic mode"),
    ],
)
def test_the_kind_of_key_must_be_the_configured_one(dynamic: bool, kid: str) -> None:
    bench = Bench(jwk(kid=kid), use_dynamic_signing_key=dynamic)
    assert bench.outcome(with_header(kid=kid)) == "401R"
    assert bench.extra_fetches == 0
    assert Bench(jwk(kid=kid), use_dynamic_signing_key=not dynamic).outcome(with_header(kid=kid)) == "OK"
    assert Bench(jwk(kid=kid)).outcome(with_header(kid=kid)) == "OK"


def test_a_pinned_verifier_uses_no_other_key(caplog: pytest.LogCaptureFixture) -> None:
    """V-049: the kid is right and published, the material is not one of those pinned."""
    pinned = Bench().keys.snapshot().keys[KID].thumbprint
    other = "d-1799999999000"
    bench = Bench(jwk(), jwk("other", kid=other), remote={"pins": [pinned]})
    assert bench.outcome(token()) == "OK"
    assert bench.outcome(token(header(kid=other), key="other")) == "401R"
    assert bench.events == ["key_not_pinned"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert bench.extra_fetches == 0


def test_a_pinned_verifier_keeps_its_key_when_the_server_replaces_it() -> None:
    """V-049: nothing usable is left in the new document, so it replaces nothing."""
    pinned = Bench().keys.snapshot().keys[KID].thumbprint
    bench = Bench(remote={"pins": [pinned]})
    bench.server.publish(jwk("attacker"))
    bench.time.advance(1000)
    assert bench.outcome(token(key="attacker")) == "401R"
    assert bench.outcome(token()) == "OK"
    assert bench.events == ["key_not_pinned", "fetch_failed"]


def test_kids_without_prefix_are_accepted_only_when_configured() -> None:
    """V-036: static keys of cores below 5.0."""
    legacy = "a1b2c3"
    assert Bench(jwk(kid=legacy)).outcome(with_header(kid=legacy)) == "401U"
    assert Bench(jwk(kid=legacy), legacy_kids=[legacy]).outcome(with_header(kid=legacy)) == "OK"


def test_newer_versions_are_an_option() -> None:
    """V-041"""
    assert Bench(versions=["5", "6"]).outcome(with_header(version="6")) == "OK"
    assert Bench(versions=["5", "6"]).outcome(with_header(version="4")) == "401U"
