"""Id tokens that are signed with keys on elliptic curves, and keys that are used for another algorithm."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from recipes.shop import Borrowed, Shop
from recipes.thirdparty.parts import FAILURE, only_method, outcome, settings, shop_with, sign_in, use_tokens
from recipes.thirdparty.provider_server import DIALECTS, KID, Grant, Person, ProviderServer, jwk

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
CURVES: dict[str, Callable[[], Key]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


@functools.cache
def key_for(algorithm: str) -> Key:
    return CURVES[algorithm]()


def published(algorithm: str, **members: Any) -> dict[str, Any]:
    """The public part, as a provider publishes it."""
    public = jwt.get_algorithm_by_name(algorithm).to_jwk(key_for(algorithm).public_key(), as_dict=True)
    return {**public, "kid": f"key-for-{algorithm}", "use": "sig", "alg": algorithm, **members}


@pytest.fixture
def google() -> Iterator[ProviderServer]:
    with ProviderServer(next(dialect for dialect in DIALECTS if dialect.id == "google")) as server:
        server.key_set += [published(algorithm) for algorithm in CURVES]
        yield server


@pytest.fixture
def shop(core: Borrowed, google: ProviderServer) -> Shop:
    return shop_with(core, settings(google))


def signed(google: ProviderServer, algorithm: str, *, kid: str | None = None, alg: str | None = None) -> str:
    """An id token, honest but for the key that its header names, and the algorithm."""
    header = {"kid": kid or f"key-for-{algorithm}", **({} if alg is None else {"alg": alg})}
    person = Grant(Person.of_its_own())
    return google.id_token(person, key=key_for(algorithm), algorithm=algorithm, header=header)


def with_algorithm(token: str, alg: str) -> str:
    """The token with another algorithm in its header."""
    head = token.partition(".")[0]
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    text = base64.urlsafe_b64encode(json.dumps({**header, "alg": alg}).encode()).rstrip(b"=").decode()
    return f"{text}.{token.partition('.')[2]}"


@pytest.mark.parametrize("algorithm", CURVES)
def test_an_id_token_that_is_signed_with_it(shop: Shop, google: ProviderServer, algorithm: str) -> None:
    answer = use_tokens(shop.visitor(), "google", {"id_token": signed(google, algorithm)})
    assert only_method(answer)["verified"] is True


def test_a_whole_sign_in(shop: Shop, google: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = functools.partial(google.id_token, key=key_for("ES256"), algorithm="ES256")
    monkeypatch.setattr(google, "id_token", functools.partial(honest, header={"kid": "key-for-ES256"}))
    person = Person.of_its_own()
    assert only_method(sign_in(shop.visitor(), google, person))["thirdParty"]["userId"] == person.id


@pytest.mark.parametrize("algorithm", CURVES)
def test_a_key_that_names_no_algorithm_has_that_of_its_curve(
    shop: Shop, google: ProviderServer, algorithm: str
) -> None:
    google.key_set = [{name: value for name, value in published(algorithm).items() if name != "alg"}]
    assert only_method(use_tokens(shop.visitor(), "google", {"id_token": signed(google, algorithm)}))["email"]


@pytest.mark.parametrize("kid", ["key-for-ES256", "key-for-ES384", "key-for-EdDSA", KID])
@pytest.mark.parametrize("algorithm", CURVES)
def test_a_token_by_one_key_that_names_another(shop: Shop, google: ProviderServer, algorithm: str, kid: str) -> None:
    token = signed(google, algorithm, kid=kid)
    assert (outcome(use_tokens(shop.visitor(), "google", {"id_token": token})) == FAILURE) is (
        kid != f"key-for-{algorithm}"
    )


@pytest.mark.parametrize("alg", ["RS256", "ES384", "ES512", "EdDSA", "ES256K", "HS256", "none", "es256", ""])
def test_a_token_whose_header_names_another_algorithm(shop: Shop, google: ProviderServer, alg: str) -> None:
    """Re-signed with the key that the kid names, so that nothing else is wrong."""
    token = with_algorithm(signed(google, "ES256"), alg).rpartition(".")[0]
    made = jwt.get_algorithm_by_name("ES256").sign(token.encode(), key_for("ES256"))
    signature = base64.urlsafe_b64encode(made).rstrip(b"=").decode()
    assert outcome(use_tokens(shop.visitor(), "google", {"id_token": f"{token}.{signature}"})) == FAILURE


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_what_everyone_can_read_is_no_secret(shop: Shop, google: ProviderServer, algorithm: str) -> None:
    """An HMAC whose key is the public key in one of its forms."""
    public, name = key_for(algorithm).public_key(), f"key-for-{algorithm}"
    forms = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(published(algorithm)).encode(),
        published(algorithm)["x"].encode(),
    ]
    for alg in ("HS256", algorithm):
        token = with_algorithm(signed(google, algorithm), alg).rpartition(".")[0]
        assert jwt.get_unverified_header(f"{token}.AA")["kid"] == name
        for form in forms:
            hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA512).sign(token.encode(), form)
            made = base64.urlsafe_b64encode(hmac).rstrip(b"=").decode()
            assert outcome(use_tokens(shop.visitor(), "google", {"id_token": f"{token}.{made}"})) == FAILURE


def test_unusable_keys_are_skipped(shop: Shop, google: ProviderServer) -> None:
    google.key_set = [
        published("ES256", kid="off the curve", x=published("ES256")["y"]),
        published("ES256", kid="for another algorithm", alg="ES384"),
        published("ES256", kid="to encrypt", use="enc"),
        published("EdDSA", kid="short", x="AAAA"),
        {"kty": "EC", "crv": "brainpool", "kid": "unknown curve"},
        {"kty": "oct", "k": "AAAA", "kid": "secret", "alg": "HS256"},
        jwk(n="AQAB", kid="weak"),
        published("ES256"),
    ]
    assert only_method(use_tokens(shop.visitor(), "google", {"id_token": signed(google, "ES256")}))["email"]
    for kid in ("off the curve", "for another algorithm", "to encrypt"):
        token = signed(google, "ES256", kid=kid)
        assert outcome(use_tokens(shop.visitor(), "google", {"id_token": token})) == FAILURE


def test_two_keys_of_one_id_are_used_for_neither(shop: Shop, google: ProviderServer) -> None:
    google.key_set = [jwk(), published("ES256", kid=KID), published("ES384")]
    assert outcome(use_tokens(shop.visitor(), "google", {"id_token": signed(google, "ES256", kid=KID)})) == FAILURE
    honest = google.id_token(Grant(Person.of_its_own()))
    assert outcome(use_tokens(shop.visitor(), "google", {"id_token": honest})) == FAILURE
    assert only_method(use_tokens(shop.visitor(), "google", {"id_token": signed(google, "ES384")}))["email"]
