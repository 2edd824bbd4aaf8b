"""Keys on elliptic curves, which id tokens of providers may be signed with. Access tokens are always RS256."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from st_verify import SettingError, StaticKeys, VerificationKey, base64url
from st_verify.jwk import ALGORITHMS, read_key_set
from verify.minting import Bench, b64, compact, header, jwk, jwks, payload, token

# RFC 7515, A.3, and RFC 8037, A.2 to A.4: a key, what was signed, and the signature.
P256 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
P256_SIGNED = (
    b"eyJhbGciOiJFUzI1NiJ9."
    b"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
P256_SIGNATURE = b"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
ED25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
ED25519_SIGNED = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
ED25519_SIGNATURE = b"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

# The order of the group of P-256.
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def read(*keys: dict[str, Any], algorithms: frozenset[str] = ALGORITHMS) -> tuple[list[VerificationKey], list[str]]:
    """The keys that are used beside a good one, and why others are not."""
    events: list[str] = []
    published = jwks(jwk(kid="good"), *[{"kid": f"k-{number}", **key} for number, key in enumerate(keys)])
    key_set = read_key_set(published, algorithms=algorithms, report=lambda event, kid: events.append(event))
    return [key for kid, key in key_set.keys.items() if kid != "good"], events


def point(curve: ec.EllipticCurve, name: str, size: int) -> dict[str, Any]:
    numbers = ec.generate_private_key(curve).public_key().public_numbers()
    return {
        "kty": "EC",
        "crv": name,
        "x": b64(numbers.x.to_bytes(size, "big")),
        "y": b64(numbers.y.to_bytes(size, "big")),
    }


def test_the_examples_of_the_standards_verify() -> None:
    [key], events = read(P256)
    assert (key.alg, key.signature_length, events) == ("ES256", len(P256_SIGNATURE), [])
    assert key.verifies(P256_SIGNED, base64url.decode(P256_SIGNATURE))
    assert not key.verifies(P256_SIGNED + b"A", base64url.decode(P256_SIGNATURE))
    [key], events = read(ED25519)
    assert (key.alg, key.signature_length, events) == ("EdDSA", len(ED25519_SIGNATURE), [])
    assert key.thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert key.verifies(ED25519_SIGNED, base64url.decode(ED25519_SIGNATURE))
    assert not key.verifies(ED25519_SIGNED + b"A", base64url.decode(ED25519_SIGNATURE))


@pytest.mark.parametrize(
    ("curve", "name", "size", "alg", "length"),
    [
        (ec.SECP256R1(), "P-256", 32, "ES256", 86),
        (ec.SECP384R1(), "P-384", 48, "ES384", 128),
        (ec.SECP521R1(), "P-521", 66, "ES512", 176),
    ],
)
def test_a_curve_has_one_algorithm(curve: ec.EllipticCurve, name: str, size: int, alg: str, length: int) -> None:
    public = point(curve, name, size)
    [key], _ = read(public)
    assert (key.alg, key.signature_length) == (alg, length)
    assert key.to_jwk() == {**public, "kid": "k-0", "alg": alg, "use": "sig"}
    assert read({**public, "alg": alg})[1] == []
    for other in ALGORITHMS - {alg} | {"HS256", "none", "ES256K"}:
        assert read({**public, "alg": other}) == ([], ["key_of_other_algorithm"])


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(P256 | {"x": b64(b"\x01" * 32)}, id="V-193 off curve"),
        pytest.param(P256 | {"x": b64(bytes(32)), "y": b64(bytes(32))}, id="zero"),
        pytest.param(P256 | {"x": P256["x"][:-2]}, id="a short coordinate"),
        pytest.param(P256 | {"x": b64(bytes(1) + base64url.decode(P256["x"].encode()))}, id="a long coordinate"),
        pytest.param(P256 | {"y": None}, id="no y"),
        pytest.param(P256 | {"y": 5}, id="y a number"),
        pytest.param(P256 | {"y": P256["y"][:-1] + "1"}, id="unused bits"),
        pytest.param(P256 | {"crv": "P-384"}, id="the coordinates of another curve"),
        pytest.param(ED25519 | {"x": "AAAA"}, id="a short Ed25519 key"),
        pytest.param(ED25519 | {"x": None}, id="no Ed25519 key"),
    ],
)
def test_malformed_points_are_skipped(key: dict[str, Any]) -> None:
    assert read(key) == ([], ["malformed_key"])


@pytest.mark.parametrize(
    "key",
    [
        P256 | {"crv": "secp256k1"},
        P256 | {"crv": None},
        P256 | {"crv": ["P-256"]},
        P256 | {"kty": "RSA"},
        P256 | {"kty": "OKP"},
        P256 | {"kty": "oct"},
        ED25519 | {"kty": "EC"},
        ED25519 | {"crv": "Ed448"},
        ED25519 | {"crv": "X25519"},
        jwk(alg="ES256"),
        jwk(kty="EC"),
    ],
)
def test_other_kinds_of_keys_are_skipped(key: dict[str, Any]) -> None:
    used, [event] = read(key | {"kid": "k-0"})
    assert (used, event in ("key_of_other_algorithm", "malformed_key")) == ([], True)


def test_a_private_key_is_an_alarm_for_curves_too() -> None:
    assert read(P256 | {"d": P256["x"]}, ED25519 | {"d": P256["x"]}) == ([], ["private_key_published"] * 2)


@pytest.mark.parametrize(
    "changed",
    [
        lambda r, s: (0, s),
        lambda r, s: (r, 0),
        lambda r, s: (ORDER, s),
        lambda r, s: (r, ORDER),
        lambda r, s: (r, s + 1),
        lambda r, s: (s, r),
        lambda r, s: (0, 0),
        lambda r, s: (2**256 - 1, 2**256 - 1),
    ],
)
def test_wrong_numbers_in_a_signature(changed: Callable[[int, int], tuple[int, int]]) -> None:
    """V-055"""
    [key], _ = read(P256)
    signature = base64url.decode(P256_SIGNATURE)
    r, s = changed(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    assert not key.verifies(P256_SIGNED, r.to_bytes(32, "big") + s.to_bytes(32, "big"))


@pytest.mark.parametrize("form", [lambda s: b"", lambda s: s[:-1], lambda s: s + b"\0", lambda s: b"\0" + s])
def test_wrong_lengths_of_a_signature(form: Callable[[bytes], bytes]) -> None:
    """V-055"""
    for public, signed, signature in (
        (P256, P256_SIGNED, P256_SIGNATURE),
        (ED25519, ED25519_SIGNED, ED25519_SIGNATURE),
    ):
        [key], _ = read(public)
        assert not key.verifies(signed, form(base64url.decode(signature)))


def test_a_signature_in_der() -> None:
    """V-055"""
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    public = {"x": b64(numbers.x.to_bytes(32, "big")), "y": b64(numbers.y.to_bytes(32, "big"))}
    [key], _ = read({"kty": "EC", "crv": "P-256", **public})
    assert not key.verifies(P256_SIGNED, private.sign(P256_SIGNED, ec.ECDSA(hashes.SHA256())))


@pytest.mark.parametrize("public", [P256, ED25519])
def test_sources_of_access_tokens_use_no_such_key(public: dict[str, Any]) -> None:
    assert read(public, algorithms=frozenset({"RS256"})) == ([], ["key_of_other_algorithm"])
    with pytest.raises(SettingError, match="key_of_other_algorithm"):
        StaticKeys.from_jwks({"keys": [jwk(), {**public, "kid": "s-2"}]})
    bench = Bench(jwk(), {**public, "kid": "s-2"})
    assert bench.events == ["key_of_other_algorithm"]
    assert bench.outcome(token()) == "OK"


def test_an_access_token_by_a_key_on_a_curve_is_refused_even_if_an_app_makes_the_key_itself() -> None:
    """A token's algorithm must be that of its key, even if the source of keys has not checked it."""
    private = ed25519.Ed25519PrivateKey.generate()
    [key], _ = read({"kty": "OKP", "crv": "Ed25519", "x": b64(private.public_key().public_bytes_raw())})
    own = VerificationKey("s-2", key.thumbprint, 342, key.members, key.public_key, key.alg)
    bench = Bench()
    bench.verifier = type(bench.verifier)(
        keys=StaticKeys([own]), issuer="https://api.example.com/auth", tenants="public", clock=bench.time.clock
    )
    assert bench.outcome(token(header(kid="s-2"))) == "401U"
    signed = compact(b'{"alg":"EdDSA","typ":"JWT","kid":"s-2","version":"5"}', json.dumps(payload()).encode())
    assert bench.outcome(signed) == "401U"
