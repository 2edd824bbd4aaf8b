"""Catalogue 3.3: the signature, and the key that it must be by."""

from __future__ import annotations

import hashlib
import json
import tracemalloc

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from st_verify import KeySet, RemoteKeys, SessionVerifier
from st_verify.errors import KeySetRefused
from st_verify.jwk import read_key_set
from verify.minting import (
    DAY,
    ISSUER,
    KID,
    NOW,
    Bench,
    b64,
    compact,
    header,
    jwk,
    jwks,
    number as to_number,
    outcome,
    payload,
    private_key,
    token,
    with_claims,
)

GOOD = token()
HEAD, BODY, SIGNATURE = GOOD.split(".")
SIGNING_INPUT = f"{HEAD}.{BODY}".encode()
NUMBERS = private_key().private_numbers()
N = NUMBERS.public_numbers.n

# DigestInfo of SHA-256, RFC 8017 9.2 note 1.
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
HASH = hashlib.sha256(SIGNING_INPUT).digest()


def signed_as(encoded: bytes) -> str:
    """The good token with whatever the private key makes of 256 chosen bytes."""
    assert len(encoded) == 256
    return f"{HEAD}.{BODY}.{b64(raised(encoded))}"


def raised(encoded: bytes) -> bytes:
    """256 bytes to the power of the private exponent, by the Chinese remainder theorem."""
    value, p, q = int.from_bytes(encoded, "big"), NUMBERS.p, NUMBERS.q
    modulo_p, modulo_q = pow(value, NUMBERS.dmp1, p), pow(value, NUMBERS.dmq1, q)
    return (modulo_q + (modulo_p - modulo_q) * NUMBERS.iqmp % p * q).to_bytes(256, "big")


def encoded(info: bytes, *, tail: bytes = b"", start: bytes = b"\x00\x01", fill: bytes = b"\xff") -> bytes:
    """PKCS #1 v1.5 padding around `info`, with anything in it to be chosen."""
    space = 256 - len(start) - 1 - len(info) - len(tail)
    return start + fill * space + b"\x00" + info + tail


def number(value: int) -> str:
    return f"{HEAD}.{BODY}.{b64(value.to_bytes(256, 'big'))}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"{HEAD}.{BODY}.", "401U", id="V-050 empty"),
        pytest.param(f"{HEAD}.{BODY}.{b64(bytes(255))}", "401U", id="V-050 one byte short"),
        pytest.param(f"{HEAD}.{BODY}.{b64(bytes(257))}", "401U", id="V-050 one byte long"),
        pytest.param(f"{HEAD}.{BODY}.{'AAAA'}{SIGNATURE}", "401U", id="V-050 leading zero bytes"),
        pytest.param(f"{HEAD}.{BODY}.{b64(bytes(512))}", "401U", id="V-050 of a 4096 bit key"),
        pytest.param(number(0), "401R", id="V-050 zero"),
        pytest.param(number(1), "401R", id="V-050 one"),
        pytest.param(number(2**2048 - 1), "401R", id="V-050 all ones"),
        pytest.param(number(N), "401R", id="V-050 the modulus"),
        pytest.param(number(N - 1), "401R", id="V-050 the modulus less one"),
    ],
)
def test_signatures_that_are_no_signatures(bench: Bench, text: str, expected: str) -> None:
    assert bench.outcome(text) == expected
    assert bench.extra_fetches == 0


WITHOUT_NULL = bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20"
SHA1_INFO = bytes.fromhex("3021300906052b0e03021a05000414")


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(encoded(HASH), id="V-051 no digest info"),
        pytest.param(encoded(SHA1_INFO + HASH[:20]), id="V-051 digest info of another hash"),
        pytest.param(encoded(WITHOUT_NULL + HASH), id="V-051 missing NULL"),
        pytest.param(encoded(DIGEST_INFO[:-1] + b"\x21" + HASH + b"\x00"), id="V-051 longer octet string"),
        pytest.param(encoded(b"\x30\x81\x31" + DIGEST_INFO[2:] + HASH), id="V-051 length in long form"),
        pytest.param(encoded(DIGEST_INFO + HASH, tail=b"\x00"), id="V-051 a byte after the hash"),
        pytest.param(encoded(DIGEST_INFO + HASH, tail=bytes(100)), id="V-051 many bytes after the hash"),
        pytest.param(
            b"\x00\x01" + b"\xff" * 8 + b"\x00" + DIGEST_INFO + HASH + bytes(256 - 11 - 51), id="V-051 short padding"
        ),
        pytest.param(encoded(DIGEST_INFO + HASH, fill=b"\xfe"), id="V-051 odd padding"),
        pytest.param(encoded(DIGEST_INFO + HASH, start=b"\x00\x02"), id="V-051 padding of encryption"),
        pytest.param(encoded(DIGEST_INFO + HASH, start=b"\x00\x00"), id="V-051 padding type zero"),
        pytest.param(encoded(DIGEST_INFO + HASH[:-1] + bytes([HASH[-1] ^ 1])), id="V-051 wrong hash"),
        pytest.param(encoded(DIGEST_INFO + hashlib.sha256(b"").digest()), id="V-051 hash of nothing"),
        pytest.param(encoded(DIGEST_INFO), id="V-051 no hash after the digest info"),
        pytest.param(encoded(b""), id="V-051 nothing but padding"),
        pytest.param(encoded(DIGEST_INFO + HASH[:-1]), id="V-051 hash without its last byte"),
        pytest.param(encoded(DIGEST_INFO + HASH[1:]), id="V-051 hash without its first byte"),
        pytest.param(encoded(DIGEST_INFO + HASH + HASH), id="V-051 hash twice"),
        pytest.param(encoded(HASH + DIGEST_INFO), id="V-051 hash before the digest info"),
        pytest.param(encoded(b"\x00" + DIGEST_INFO + HASH), id="V-051 second zero before the digest info"),
        pytest.param(encoded(b"\x30\x80" + DIGEST_INFO[2:] + HASH + bytes(2)), id="V-051 indefinite length"),
        pytest.param(encoded(b"\x30\x82\x00\x31" + DIGEST_INFO[2:] + HASH), id="V-051 length of two bytes"),
        pytest.param(encoded(b"\x31" + DIGEST_INFO[1:] + HASH), id="V-051 set instead of sequence"),
        pytest.param(
            encoded(bytes.fromhex("3032300e0609608648016503040201050100") + b"\x04\x20" + HASH),
            id="V-051 parameters of another length",
        ),
        pytest.param(
            encoded(bytes.fromhex("3033300f0609608648016503040201") + b"\x04\x02AB\x04\x20" + HASH),
            id="V-051 room for a forger in the parameters",
        ),
        pytest.param(
            encoded(bytes.fromhex("3031300d060960864801650304020205000420") + HASH), id="V-051 object id of SHA-384"
        ),
        pytest.param(
            encoded(bytes.fromhex("3031300d060960864801650304020605000420") + HASH), id="V-051 object id of SHA-512/256"
        ),
        pytest.param(encoded(DIGEST_INFO[:-2] + b"\x24\x20" + HASH), id="V-051 constructed octet string"),
        pytest.param(encoded(DIGEST_INFO[:-2] + b"\x03\x20" + HASH), id="V-051 bit string instead of octet string"),
        pytest.param(bytes(2) + encoded(DIGEST_INFO + HASH)[2:], id="V-051 no padding type"),
        pytest.param(encoded(DIGEST_INFO + HASH, start=b"\x00\x01\x00"), id="V-051 a zero ends the padding at once"),
        pytest.param(
            encoded(DIGEST_INFO + HASH)[:120] + b"\x00" + encoded(DIGEST_INFO + HASH)[121:],
            id="V-051 zero in the padding",
        ),
        pytest.param(
            encoded(DIGEST_INFO + HASH)[:204] + b"\xff" + DIGEST_INFO + HASH, id="V-051 no zero after the padding"
        ),
    ],
)
def test_malformed_padding_is_refused_though_made_with_the_private_key(bench: Bench, block: bytes) -> None:
    assert bench.outcome(signed_as(block)) == "401R"


def test_a_key_agrees_with_the_verification_of_cryptography_about_every_changed_byte() -> None:
    """
    V-051: `VerificationKey.verifies` recovers the signed hash. That must accept what a plain verification accepts, and
    nothing else: bytes of the padded block are changed, and each byte of the signature.
    """
    (key,) = read_key_set(jwks(jwk())).keys.values()
    good = encoded(DIGEST_INFO + HASH)
    public_key = key.public_key
    assert isinstance(public_key, rsa.RSAPublicKey)

    def both(signature: bytes) -> bool:
        try:
            public_key.verify(signature, SIGNING_INPUT, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            assert not key.verifies(SIGNING_INPUT, signature)
            return False
        assert key.verifies(SIGNING_INPUT, signature)
        return True

    signature = raised(good)
    assert both(signature)
    assert not key.verifies(SIGNING_INPUT + b"x", signature)
    for position in range(256):
        other = good[position] ^ (1 << position % 8)
        changed = good[:position] + bytes([other]) + good[position + 1 :]
        if position < 12 or position > 192 or position % 16 == 0:
            assert not both(raised(changed))
        other = signature[position] ^ (1 << position % 8)
        assert not both(signature[:position] + bytes([other]) + signature[position + 1 :])


@pytest.mark.parametrize("length", [0, 1, 19, 51, 255, 257, 512])
def test_a_signature_of_another_length_than_the_modulus_verifies_nothing(length: int) -> None:
    """V-050: also below the check of the text's length, with the good signature cut or padded."""
    (key,) = read_key_set(jwks(jwk())).keys.values()
    signature = private_key().sign(SIGNING_INPUT, padding.PKCS1v15(), hashes.SHA256())
    assert key.verifies(SIGNING_INPUT, signature)
    assert not key.verifies(SIGNING_INPUT, signature[:length].rjust(length, b"\0"))
    assert not key.verifies(SIGNING_INPUT, signature[max(0, 256 - length) :].ljust(length, b"\0"))


def test_the_signature_plus_the_modulus_is_no_second_signature() -> None:
    """V-050: it is the same number modulo n, and for a small signature it has the same length."""
    # A modulus below three quarters of 2^2048 leaves room for the sum of every third signature.
    name = next(f"low {i}" for i in range(1000) if private_key(f"low {i}").public_key().public_numbers().n < 3 << 2046)
    modulus = private_key(name).public_key().public_numbers().n
    (key,) = read_key_set(jwks(jwk(name))).keys.values()
    for counter in range(1000):
        signing_input = SIGNING_INPUT + str(counter).encode()
        signature = private_key(name).sign(signing_input, padding.PKCS1v15(), hashes.SHA256())
        doubled = int.from_bytes(signature, "big") + modulus
        if doubled < 2**2048:
            break
    else:
        pytest.fail("no signature of 1,000 was small enough")
    assert key.verifies(signing_input, signature)
    assert not key.verifies(signing_input, doubled.to_bytes(256, "big"))


def test_the_right_padding_made_by_hand_is_accepted(bench: Bench) -> None:
    """V-051: what the cases above deviate from."""
    assert signed_as(encoded(DIGEST_INFO + HASH)) == GOOD
    assert bench.outcome(GOOD) == "OK"


def test_an_empty_payload_is_never_a_token_however_well_signed(bench: Bench) -> None:
    """V-051"""
    text = compact(json.dumps(header()).encode(), b"")
    assert bench.outcome(text) == "401U"


def test_a_cube_root_forgery_needs_a_key_that_the_policy_refuses() -> None:
    """V-051: with exponent 3, padding and hash can be forged as the top of a perfect cube."""
    with pytest.raises(KeySetRefused):
        read_key_set(jwks(jwk(e="Aw")))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(token(key="other app"), id="V-052 another app's key under this kid"),
        pytest.param(f"{HEAD}.{with_claims(sub='victim').split('.')[1]}.{SIGNATURE}", id="V-054 payload swapped"),
        pytest.param(
            f"{token(header(version='4')).split('.')[0]}.{BODY}.{SIGNATURE}", id="V-054 header of another token"
        ),
        pytest.param(f"{HEAD}.{BODY}.{with_claims(sub='victim').split('.')[2]}", id="V-054 signature of another token"),
    ],
)
def test_a_signature_over_something_else_asks_for_a_refresh(bench: Bench, text: str) -> None:
    assert bench.outcome(text) == "401R"
    assert bench.extra_fetches == 0


def test_a_key_that_left_the_set_verifies_no_longer_not_even_from_the_cache(bench: Bench) -> None:
    """V-053"""
    assert bench.outcome(GOOD) == "OK"
    bench.server.publish(jwk("next", kid=f"d-{NOW * 1000}"))
    assert bench.outcome(GOOD) == "OK"
    bench.time.advance(901)
    assert bench.outcome(GOOD) == "401R"


def test_new_material_under_the_same_kid_replaces_the_old_one(bench: Bench) -> None:
    """V-056"""
    assert bench.outcome(GOOD) == "OK"
    bench.server.publish(jwk("next"))
    bench.time.advance(901)
    assert bench.outcome(GOOD) == "401R"
    assert bench.outcome(token(key="next")) == "OK"


def test_elliptic_curve_tokens_are_not_a_mode_at_all() -> None:
    """V-055: with no such mode, neither the keys nor the tokens get in, whatever their r and s."""
    curve = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    x, y = (value.to_bytes(32, "big") for value in (curve.x, curve.y))
    okp = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    bench = Bench(
        jwk(),
        {"kty": "EC", "crv": "P-256", "kid": "d-1799999999001", "alg": "ES256", "use": "sig", "x": b64(x), "y": b64(y)},
        {"kty": "OKP", "crv": "Ed25519", "kid": "d-1799999999002", "alg": "EdDSA", "use": "sig", "x": b64(okp)},
    )
    assert set(bench.keys.snapshot().keys) == {KID}
    for alg, kid in (("ES256", "d-1799999999001"), ("EdDSA", "d-1799999999002")):
        head = b64(json.dumps(header(alg=alg, kid=kid)).encode())
        for size in (63, 64, 65, 256):
            assert bench.outcome(f"{head}.{BODY}.{b64(bytes(size))}") == "401U"
    assert bench.extra_fetches == 0


def test_a_flood_of_bad_signatures_costs_neither_fetches_nor_memory(bench: Bench) -> None:
    """V-057"""

    def flood(first: int, last: int) -> None:
        for i in range(first, last):
            assert bench.outcome(f"{HEAD}.{BODY}.{b64(i.to_bytes(256, 'big'))}") == "401R"

    flood(1, 50)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        flood(50, 2000)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 20_000
    assert bench.extra_fetches == 0


def test_a_longer_key_verifies_longer_signatures() -> None:
    """R1: the lengths of signatures follow from the key sizes in the set."""
    bench = Bench(jwk() | {"n": to_number(private_key("long", 2304).public_key().public_numbers().n)})
    signature = private_key("long", 2304).sign(SIGNING_INPUT, padding.PKCS1v15(), hashes.SHA256())
    assert bench.outcome(f"{HEAD}.{BODY}.{b64(signature)}") == "OK"
    assert bench.outcome(f"{HEAD}.{BODY}.{SIGNATURE}") == "401U"


def test_keys_are_looked_up_only_in_the_set_of_the_issuer_that_the_token_names() -> None:
    """V-111, V-112: two auth servers, two key sets."""
    other_issuer = "https://other.example/auth"
    other_kid = f"d-{(NOW - DAY) * 1000 + 1}"
    mine, other = Bench(), Bench(jwk("other", kid=other_kid))
    verifier = SessionVerifier(
        keys={ISSUER: mine.keys, other_issuer: other.keys}, tenants="public", clock=mine.time.clock
    )

    def judged(text: str) -> str:
        return outcome(lambda: verifier.verify(text))

    assert judged(GOOD) == "OK"
    assert judged(token(header(kid=other_kid), payload(iss=other_issuer), key="other")) == "OK"
    assert judged(token(header(), payload(iss=other_issuer))) == "401R"
    assert judged(token(header(kid=other_kid), key="other")) == "401R"
    fetched = mine.server.fetches + other.server.fetches
    assert judged(token(header(kid=f"d-{NOW * 1000}"), payload(iss="https://evil.example/auth"))) == "401U"
    assert judged(with_claims(iss=["a"])) == "401U"
    assert mine.server.fetches + other.server.fetches == fetched


def test_the_key_source_is_any_object_with_the_two_methods(bench: Bench) -> None:
    """A verifier asks `snapshot` and, for a new kid, `search`; nothing else."""

    class Logged:
        def __init__(self, keys: RemoteKeys) -> None:
            self.keys = keys
            self.asked: list[str] = []

        def snapshot(self) -> KeySet:
            self.asked.append("snapshot")
            return self.keys.snapshot()

        def search(self, kid: str) -> KeySet:
            self.asked.append(kid)
            return self.keys.search(kid)

    logged = Logged(bench.keys)
    verifier = SessionVerifier(keys=logged, issuer=ISSUER, tenants="public", clock=bench.time.clock)
    new = f"d-{NOW * 1000}"
    assert outcome(lambda: verifier.verify(GOOD)) == "OK"
    assert outcome(lambda: verifier.verify(token(header(kid=new)))) == "401R"
    assert logged.asked == ["snapshot", "snapshot", new]
