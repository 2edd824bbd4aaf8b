"""Where keys come from: the protocol that verifiers need, and keys that never change."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from st_verify.errors import ConfigError
from st_verify.jwk import KeySet, KeySetRefused, SigningKey, make_key, read_key_set


class KeySource(Protocol):
    """What a verifier needs to know about keys."""

    def snapshot(self) -> KeySet:
        """
        The current keys, without waiting as long as there are usable ones.

        :raises KeysUnavailable: there are none.
        """
        ...

    def search(self, kid: str) -> KeySet:
        """
        Called for a plausible key id that `snapshot` lacks; may fetch, within a budget.

        :returns: the keys to look into again.
        :raises KeysUnavailable: the key server could not be asked.
        """
        ...


class StaticKeys:
    """
    Keys that are given once and never fetched.

    :param keys: at least one key.
    :raises ConfigError: no key, or two of one id.
    """

    def __init__(self, keys: Collection[SigningKey]) -> None:
        if not keys or len({key.kid for key in keys}) != len(keys):
            raise ConfigError("keys: give at least one key, and one key for each kid")
        self._keys = KeySet.of(keys)

    @classmethod
    def from_jwks(cls, jwks: bytes | str | Mapping[str, Any], *, pins: Collection[str] = ()) -> StaticKeys:
        """
        From a JWK set, as JSON text or as a mapping. Every key in it must be usable.

        :param pins: RFC 7638 thumbprints; other keys are an error.
        :raises ConfigError: the document or one of its keys breaks the key policy.
        """
        document = json.dumps(dict(jwks)) if isinstance(jwks, Mapping) else jwks
        broken: list[str] = []
        try:
            key_set = read_key_set(
                document.encode() if isinstance(document, str) else document,
                pins=pins,
                report=lambda event, kid: broken.append(f"{event} ({kid!a})"),
            )
        except KeySetRefused as refusal:
            raise ConfigError(f"keys: {', '.join([refusal.reason, *broken])}") from None
        if broken:
            raise ConfigError(f"keys: {', '.join(broken)}")
        return cls(list(key_set.keys.values()))

    @classmethod
    def from_pem(cls, pem: bytes | str, *, kid: str) -> StaticKeys:
        """
        From a PEM public key; its id must be said, since PEM has none.

        :raises ConfigError: not an RSA public key, or one that breaks the key policy.
        """
        # With the first key and not with the package: see jwk.py.
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
        from jwt.algorithms import RSAAlgorithm

        try:
            public_key = load_pem_public_key(pem.encode() if isinstance(pem, str) else pem)
        except (ValueError, UnsupportedAlgorithm):
            raise ConfigError("pem: not a PEM public key") from None
        if not isinstance(public_key, RSAPublicKey):
            raise ConfigError("pem: not an RSA key")
        try:
            return cls([make_key({**RSAAlgorithm.to_jwk(public_key, as_dict=True), "key_ops": ["verify"], "kid": kid})])
        except KeySetRefused as refusal:
            raise ConfigError(f"pem: {refusal.reason}") from None

    @classmethod
    def from_file(cls, path: str | Path, *, kid: str | None = None) -> StaticKeys:
        """
        From a file: PEM if it starts like one (then `kid` is needed), else a JWK set.

        :raises ConfigError: unreadable, or refused as above.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(f"keys: cannot read {path}: {error.strerror}") from None
        if not content.lstrip().startswith(b"-----BEGIN"):
            return cls.from_jwks(content)
        if kid is None:
            raise ConfigError("keys: a PEM file needs kid=")
        return cls.from_pem(content, kid=kid)

    def snapshot(self) -> KeySet:
        """The keys."""
        return self._keys

    def search(self, kid: str) -> KeySet:
        """The keys: there is nowhere else to look."""
        return self._keys
