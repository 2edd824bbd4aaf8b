"""Catalogue 3.9, the documents: what a key server may publish, and what we make of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from st_verify import KeySet, KeySetRefused, SettingError, StaticKeys
from st_verify.jwk import MAX_DOCUMENT, read_key_set
from verify.minting import KID, Bench, b64, header, jwk, jwks, number, private_key, these, token

N = private_key().public_key().public_numbers().n
NUMBERS = private_key().private_numbers()


def read(*keys: Any) -> tuple[set[str], list[tuple[str, str]]]:
    """The key ids that are used beside that of a good key, and what was reported."""
    events: list[tuple[str, str]] = []
    key_set = read_key_set(jwks(jwk(kid="good"), *keys), report=lambda event, kid: events.append((event, kid)))
    return set(key_set.keys) - {"good"}, events


WHOLE = [
    pytest.param(b"<html>", id="V-184 HTML"),
    pytest.param(b"", id="V-184 empty"),
    pytest.param(b"[]", id="V-184 array"),
    pytest.param(b"{}", id="V-184 empty object"),
    pytest.param(b'{"keys":null}', id="V-184 keys null"),
    pytest.param(b'{"keys":{}}', id="V-184 keys object"),
    pytest.param(b'{"keys":[]}', id="V-184 no keys"),
    pytest.param(b'{"keys":[1,null,"x",[]]}', id="V-184 nothing that is a key"),
    pytest.param(b'{"keys":' + b"[" * 200_000, id="V-187 200 000 deep"),
    pytest.param(b'{"keys":' + b'[{"a":' * 200_000, id="V-187 objects 400 000 deep"),
    pytest.param(jwks(jwk())[:-1] + b',"a":NaN}', id="V-187 NaN"),
    pytest.param(jwks(jwk())[:-1] + b',"keys":[]}', id="V-187 duplicate keys"),
    pytest.param(jwks(jwk()).replace(b'"kty"', b'"kid":"d-1","kty"', 1), id="V-187 duplicate kid in a key"),
    pytest.param(jwks(jwk()).decode().encode("utf-16"), id="V-187 UTF-16"),
    pytest.param(jwks(*[jwk(kid=f"d-{i}") for i in range(65)]), id="V-188 65 keys"),
    pytest.param(jwks(*[{"kid": f"d-{i}"} for i in range(5000)]), id="V-188 5000 keys"),
    pytest.param(jwks(jwk(), jwk(kid="x" * MAX_DOCUMENT)), id="V-180 above 512 KiB"),
]


@pytest.mark.parametrize("document", WHOLE)
def test_a_document_that_is_no_key_set_is_refused_and_replaces_nothing(document: bytes) -> None:
    with pytest.raises(KeySetRefused):
        read_key_set(document)
    bench = Bench()
    bench.server.document = document
    bench.time.advance(1000)
    assert bench.outcome(token()) == "OK"
    assert bench.extra_fetches == 1
    assert bench.events[-1] == "fetch_failed"


def test_a_hundred_thousand_keys_are_refused() -> None:
    """V-188"""
    with pytest.raises(KeySetRefused):
        read_key_set(b'{"keys":[' + b"{}," * 100_000 + b"{}]}")


def test_sixty_four_keys_are_fine() -> None:
    """V-188: of one material, so that the check of the material is not what takes the time."""
    assert len(read_key_set(jwks(*[jwk(kid=f"d-{i}") for i in range(64)])).keys) == 64


def test_a_kid_with_two_keys_is_used_for_neither() -> None:
    """V-189"""
    twins = [jwk(kid="d-1"), jwk("other", kid="d-1"), jwk(kid="d-1")]
    assert read(*twins) == (set(), [("kid_with_two_keys", "d-1")])
    bench = Bench(jwk(kid="d-1799999999000"), jwk(), jwk("other"))
    assert [bench.outcome(token()), bench.outcome(token(key="other"))] == ["401R", "401R"]
    assert bench.extra_fetches == 0


def test_the_same_key_twice_is_one_key() -> None:
    """V-190"""
    assert read(jwk(kid="d-1"), jwk(kid="d-1")) == ({"d-1"}, [])


@pytest.mark.parametrize("kid", these(None, 5, "k" * 10_000, "", "\u00fc", ["d-1"]))
def test_a_key_without_a_usable_kid_is_ignored(kid: Any) -> None:
    """V-191"""
    assert read(jwk(kid=kid)) == (set(), [("key_without_usable_kid", "")])


def odd(bits: int) -> int:
    """A number of that length without small factors, so that only its length is wrong."""
    candidate = (1 << (bits - 1)) + 1
    while math.gcd(candidate, math.prod(range(3, 200, 2))) != 1 or pow(2, candidate - 1, candidate) == 1:
        candidate += 2
    return candidate


def prime_of_2048_bits() -> int:
    # The largest prime below 2^2048, which is 2^2048 - 1942289.
    return 2**2048 - 1942289


def roca() -> int:
    """A modulus in the form of CVE-2017-15361: both factors are k*M + (65537^a mod M)."""
    primorial = math.prod(p for p in range(2, 702) if all(p % q for q in range(2, p)))
    first, second = ((1 << 60) * primorial + pow(65537, a, primorial) for a in (123_457, 765_431))
    modulus = first * second
    while modulus.bit_length() < 2048:
        second += primorial << 60
        modulus = first * second
    return modulus


WEAK = [
    pytest.param({"n": number(odd(512))}, id="V-192 512 bits"),
    pytest.param({"n": number(odd(1024))}, id="V-192 1024 bits"),
    pytest.param({"n": number(odd(2047))}, id="V-192 2047 bits"),
    pytest.param({"n": number((1 << 16_383) + 1)}, id="V-192 16384 bits"),
    pytest.param({"n": number((1 << 8192) + 1)}, id="V-192 8193 bits"),
    pytest.param({"n": "AA"}, id="V-192 n zero"),
    pytest.param({"n": number(N - 1)}, id="V-192 n even"),
    pytest.param({"n": number(prime_of_2048_bits())}, id="V-192 n prime"),
    pytest.param({"n": number(3 * odd(2048))}, id="V-192 small factor"),
    pytest.param({"n": number(roca())}, id="V-192 ROCA"),
    *[pytest.param({"e": number(e)}, id=f"V-192 e {e}") for e in (1, 2, 3, 17, 65_535, 65_536, 2**32 + 1, 2**64 + 1)],
]


@pytest.mark.parametrize("members", WEAK)
def test_weak_keys_are_ignored(members: dict[str, Any]) -> None:
    used, events = read(jwk(kid="d-1", **members))
    assert used == set()
    assert events[0][0] in ("weak_key", "malformed_key")


def test_the_examples_of_weak_moduli_fail_for_the_reason_they_are_made_for() -> None:
    """V-192: the prime and the ROCA modulus have a right length and are odd."""
    for modulus in (prime_of_2048_bits(), roca()):
        assert 2048 <= modulus.bit_length() <= 8192
        assert all(modulus % small for small in range(2, 168))
    assert pow(2, prime_of_2048_bits() - 1, prime_of_2048_bits()) == 1
    assert pow(2, roca() - 1, roca()) != 1
    primes = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
    assert all(roca() % p in {pow(65537, i, p) for i in range(p)} for p in primes)
    assert not all(N % p in {pow(65537, i, p) for i in range(p)} for p in primes)  # one key in a hundred million


ENCODINGS = these(None, 5, "", "!!", "A", number(N) + "===", number(N)[:-1], " " + number(N), number(N) + "\n", [])


@pytest.mark.parametrize("n", ENCODINGS)
def test_malformed_numbers_are_ignored(n: Any) -> None:
    """V-192"""
    assert read(jwk(kid="d-1") | {"n": n})[0] == set()


ON_P256 = {"kty": "EC", "crv": "P-256", "x": b64(b"\x01" * 32), "y": b64(b"\x02" * 32)}


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(ON_P256, id="V-193 off curve"),
        pytest.param(ON_P256 | {"alg": "ES384"}, id="V-193 P-256 for ES384"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(32))}, id="V-193 OKP"),
        pytest.param(jwk(kty="rsa"), id="V-193 rsa in lower case"),
        pytest.param(jwk(kty=None), id="V-193 no kty"),
        pytest.param(jwk(kty="unknown"), id="V-193 unknown kty"),
        pytest.param(jwk(use="enc"), id="V-195 for encryption"),
        pytest.param(jwk(key_ops=["sign"]), id="V-195 to sign"),
        pytest.param(jwk(key_ops="verify"), id="V-195 key_ops no list"),
        pytest.param(jwk(alg="RSA-OAEP"), id="V-195 alg of encryption"),
        pytest.param(jwk(alg="RS512"), id="V-195 alg RS512"),
    ],
)  # fmt: skip
def test_keys_for_something_else_are_ignored(key: dict[str, Any]) -> None:
    used, events = read(key | {"kid": "d-1"})
    assert used == set()
    assert events[0][0] in ("key_of_other_algorithm", "key_not_for_signatures")


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_published_private_key_is_an_alarm_and_is_kept_nowhere(member: str, caplog: pytest.LogCaptureFixture) -> None:
    """V-194"""
    secret = number(NUMBERS.d)
    bench = Bench(jwk(), jwk("other", kid="d-1799999999000", **{member: secret}))
    assert bench.events == ["private_key_published"]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert secret not in caplog.text
    assert secret.encode() not in bench.keys.export()
    assert bench.outcome(token(header(kid="d-1799999999000"), key="other")) == "401R"


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(jwk(alg=None), id="V-195 no alg: it gets the only one there is"),
        pytest.param(jwk(use=None), id="V-195 no use"),
        pytest.param(jwk(key_ops=["sign", "verify"]), id="V-195 also to sign"),
        pytest.param(jwk(n=b64(b"\x00" + N.to_bytes(256, "big"))), id="V-196 leading zero byte"),
        pytest.param(jwk(n=b64(b"\x00" + N.to_bytes(256, "big")) + "="), id="V-196 and padding"),
        pytest.param(jwk(n=number(N) + "=="), id="V-196 padding"),
        pytest.param(jwk(x5c=["MIIB"], x5u="http://169.254.169.254/", x5t="x"), id="V-197 certificates"),
    ],
)
def test_harmless_deviations_are_accepted(key: dict[str, Any]) -> None:
    bench = Bench(key)
    assert bench.outcome(token()) == "OK"
    assert bench.extra_fetches == 0
    assert json.loads(bench.keys.export())["keys"] == [jwk()]


def test_unchanged_material_is_the_same_object_after_a_refresh() -> None:
    """So that a refresh empties no cache, and costs no second check of the material."""
    before = read_key_set(jwks(jwk()))
    after = read_key_set(jwks(jwk("other", kid="d-2"), jwk()), previous=before)
    assert after.keys[KID] is before.keys[KID]
    assert read_key_set(jwks(jwk("other")), previous=before).keys[KID] is not before.keys[KID]


def test_one_document_can_ask_for_bounded_work_only() -> None:
    """A modulus is tested in a time that grows with the cube of its length: two of 8192 bits are refused."""
    large = [jwk(kid=f"d-{i}", n=number((1 << 8191) + 2 * i + 1)) for i in range(2)]
    with pytest.raises(KeySetRefused, match="too_much_work"):
        read_key_set(jwks(jwk(), *large))


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    """The example of RFC 7638 3.1, whose key is long enough for us."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn6"
        "4tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9"
        "1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    (key,) = read_key_set(jwks({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})).keys.values()
    assert key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert n not in repr(key)


def pem() -> bytes:
    return private_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_static_keys_come_from_a_mapping_a_text_a_pem_or_a_file(tmp_path: Path) -> None:
    document = jwks(jwk())
    (tmp_path / "keys.json").write_bytes(document)
    (tmp_path / "key.pem").write_bytes(b"\n" + pem())
    for keys in (
        StaticKeys.from_jwks(document),
        StaticKeys.from_jwks(document.decode()),
        StaticKeys.from_jwks(json.loads(document)),
        StaticKeys.from_pem(pem(), kid=KID),
        StaticKeys.from_pem(pem().decode(), kid=KID),
        StaticKeys.from_file(tmp_path / "keys.json"),
        StaticKeys.from_file(str(tmp_path / "key.pem"), kid=KID),
    ):
        assert keys.snapshot().keys[KID].to_jwk() == jwk()
        assert keys.search("d-1") is keys.snapshot()


def test_static_keys_that_are_not_usable_are_refused_at_construction(tmp_path: Path) -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    curve_pem = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem())
    wrong: list[Callable[[], StaticKeys]] = [
        lambda: StaticKeys([]),
        lambda: StaticKeys([*KeySet.of([]).keys.values()]),
        lambda: StaticKeys.from_jwks(b"{}"),
        lambda: StaticKeys.from_jwks(jwks(jwk(), jwk(kid="d-2", d="AA"))),
        lambda: StaticKeys.from_jwks(jwks(jwk()), pins=["other"]),
        lambda: StaticKeys.from_pem(b"nothing", kid=KID),
        lambda: StaticKeys.from_pem(curve_pem, kid=KID),
        lambda: StaticKeys.from_pem(pem(), kid=""),
        lambda: StaticKeys.from_file(tmp_path / "key.pem"),
        lambda: StaticKeys.from_file(tmp_path / "missing.json"),
    ]
    for make in wrong:
        with pytest.raises(SettingError):
            make()
