"""Where keys come from: the protocol that verifiers need, and keys that never change."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from st_verify.errors import KeySetRefused, SettingError
from st_verify.jwk import KeySet, VerificationKey, read_key_set
from st_verify.settings import require, text_list

#: The setting ``pins``: SHA-256 hashes of keys (RFC 7638) in base64url, and what to say if it has something else.
THUMBPRINTS = ("[A-Za-z0-9_-]{43}", "pass RFC 7638 thumbprints of 43 characters")


class KeySource(Protocol):
    """What a verifier needs of a source of keys. Both methods are called by many threads."""

    def snapshot(self) -> KeySet:
        """
        Return the current keys, without waiting while there are usable ones.

        :raises KeysUnavailable: there are none.
        """

    def search(self, kid: str) -> KeySet:
        """
        Look for a plausible key id that `snapshot` lacks, for instance by a fetch within a budget.

        :returns: the keys to look into again.
        :raises KeysUnavailable: the key server could not be asked.
        """


class StaticKeys:
    """
    Keys that never change. Usually made by `from_jwks`, `from_pem` or `from_file`.

    >>> StaticKeys.from_file("no/such/file.json")
    Traceback (most recent call last):
    st_verify.errors.SettingError: keys: cannot read no/such/file.json: No such file or directory

    :param keys: at least one key.
    :raises SettingError: no key, or two keys with the same id.
    """

    def __init__(self, keys: Collection[VerificationKey]) -> None:
        is_list = isinstance(keys, Collection) and all(isinstance(key, VerificationKey) for key in keys)
        require(is_list, "keys: pass a list of VerificationKey, or use StaticKeys.from_jwks, from_pem or from_file")
        different = {key.kid for key in keys}
        require(0 < len(different) == len(keys), "keys: pass at least one key, and one key for each key id")
        self._keys = KeySet.of(keys)

    def __repr__(self) -> str:
        return f"StaticKeys({', '.join(sorted(map(ascii, self._keys.keys)))})"

    @classmethod
    def from_jwks(cls, jwks: bytes | str | Mapping[str, Any], *, pins: Collection[str] = ()) -> StaticKeys:
        """
        Make them from a JWK set, as JSON or as a mapping. Every key in it must be usable.

        :param pins: RFC 7638 thumbprints; other keys are an error.
        :raises SettingError: the document or one of its keys breaks the key policy.
        """
        require(isinstance(jwks, (bytes, str, Mapping)), "jwks: pass a JWK set, as JSON text or as a mapping")
        return cls._read("jwks", jwks, text_list("pins", pins, *THUMBPRINTS))

    @classmethod
    def _read(cls, name: str, jwks: bytes | str | Mapping[str, Any], pins: Collection[str] = ()) -> StaticKeys:
        unused: list[str] = []
        try:
            document = json.dumps(dict(jwks)) if isinstance(jwks, Mapping) else jwks
            key_set = read_key_set(
                document.encode() if isinstance(document, str) else document,
                pins=pins,
                report=lambda event, kid: unused.append(f"{event} ({kid!a})"),
            )
        except (KeySetRefused, TypeError) as refusal:
            reason = refusal.reason if isinstance(refusal, KeySetRefused) else "not_json"
            raise SettingError(f"{name}: cannot be used: {', '.join([reason, *unused])}") from None
        require(not unused, f"{name}: remove the keys that cannot be used: {', '.join(unused)}")
        return cls(list(key_set.keys.values()))

    @classmethod
    def from_pem(cls, pem: bytes | str, *, kid: str) -> StaticKeys:
        """
        Make them from one PEM public key.

        :param kid: the key id in the headers of the tokens, such as ``s-1``; PEM has none.
        :raises SettingError: not an RSA public key, or one that breaks the key policy.
        """
        # Imported here for the reason in jwk.py.
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
        from jwt.algorithms import RSAAlgorithm

        require(isinstance(pem, (bytes, str)), "pem: pass the text of a PEM file")
        try:
            public_key = load_pem_public_key(pem.encode() if isinstance(pem, str) else pem)
        except (ValueError, UnsupportedAlgorithm):
            raise SettingError("pem: not a PEM public key; it starts with -----BEGIN PUBLIC KEY-----") from None
        if not isinstance(public_key, RSAPublicKey):
            raise SettingError("pem: not an RSA key; SuperTokens signs with RS256")
        jwk = {**RSAAlgorithm.to_jwk(public_key, as_dict=True), "key_ops": ["verify"], "kid": kid}
        return cls._read("pem", {"keys": [jwk]})

    @classmethod
    def from_file(cls, path: str | Path, *, kid: str | None = None) -> StaticKeys:
        """
        Make them from a file: PEM if it starts like one (then pass `kid`), else a JWK set.

        :raises SettingError: the file cannot be read, or as above.
        """
        require(isinstance(path, (str, Path)), "path: pass the path of a file")
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise SettingError(f"keys: cannot read {path}: {error.strerror}") from None
        if not content.lstrip().startswith(b"-----BEGIN"):
            return cls.from_jwks(content)
        if kid is None:
            raise SettingError("kid: a PEM file has none; pass the kid of the tokens' headers")
        return cls.from_pem(content, kid=kid)

    def snapshot(self) -> KeySet:
        """Return the keys."""
        return self._keys

    def search(self, kid: str) -> KeySet:
        """Return the keys: there are no others."""
        return self._keys
