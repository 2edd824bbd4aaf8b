"""
Signing keys, JWKS and the JWT recipe (CDI 1.2; ``signingkeys/SigningKeys.java`` of the official core).

Keys are RSA-2048 and made when first needed. The static key of an app never changes; a dynamic one is followed by a new
key at the end of its interval, a minute early so that caches of the JWKS see the new key before it signs.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

import attrs
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .cache import LeastRecentlyUsed
from .offload import offloaded
from .settings import CoreSettings
from .storage.database import Database, Store
from .tenancy import Tenant

_OVERLAP = 60_000
_STANDARD = bytes.maketrans(b"-_", b"+/")
_PADDING = padding.PKCS1v15()
_SHA256 = hashes.SHA256()
_APPS_CACHED = 2048
_SEAL = "refresh_token_key"


@attrs.frozen(eq=False)
class KeyPair:
    """One key pair, loaded."""

    key_id: str
    dynamic: bool
    created_at: int
    private: rsa.RSAPrivateKey = attrs.field(repr=False)
    public: rsa.RSAPublicKey = attrs.field(repr=False)

    def sign(self, header: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
        """Return a JWT with this key's algorithm, key id and type in its header."""
        full = {"alg": "RS256", "typ": "JWT", "kid": self.key_id, **header}
        signed = f"{_encode(_json(full))}.{_encode(_json(payload))}"
        return f"{signed}.{_encode(self.private.sign(signed.encode(), _PADDING, _SHA256))}"

    def jwk(self) -> dict[str, str]:
        """Return the public half for a JWKS."""
        public = self.public.public_numbers()
        n, e = (_encode(number.to_bytes((number.bit_length() + 7) // 8, "big")) for number in (public.n, public.e))
        return {"kty": "RSA", "kid": self.key_id, "n": n, "e": e, "alg": "RS256", "use": "sig"}


class TokenInvalid(Exception):
    """A JWT that none of our keys made."""


class _AppKeys:
    """What is loaded of one app's keys. Replaced as a whole, never changed."""

    def __init__(self, keys: list[KeyPair], seal: AESGCM | None) -> None:
        self.by_id = {key.key_id: key for key in keys}
        self.static = next((key for key in keys if not key.dynamic), None)
        self.dynamic = sorted((key for key in keys if key.dynamic), key=lambda key: key.created_at, reverse=True)
        self.seal = seal


@attrs.frozen
class Replacement:
    """
    What a replacement of an app's signing keys did.

    :param cached_until: until when the core allowed caches to keep the old key set, in milliseconds since 1970.
    """

    old_key_ids: tuple[str, ...]
    new_key_ids: tuple[str, ...]
    cached_until: int


class Keys:
    """
    The signing keys of all apps, and the keys that seal refresh tokens.

    What is loaded counts for one ``key_version`` of an app, which every call reads with its tenant. So each process
    notices at once that another one has replaced the keys.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._apps: LeastRecentlyUsed[tuple[int, int], _AppKeys] = LeastRecentlyUsed(_APPS_CACHED)

    def for_signing(self, tenant: Tenant, now: int, *, static: bool) -> KeyPair:
        """Return the key to sign with at *now*, making it if need be."""
        keys = self._loaded(tenant)
        if static:
            key = keys.static or self._make(tenant, now, dynamic=False).static
            assert key is not None, "it was just made"
            return key
        settings = tenant.settings
        if not keys.dynamic or _next_key_at(keys.dynamic[0], settings) < now:
            keys = self._make(tenant, now, dynamic=True)
        newest = keys.dynamic[0]
        if now - newest.created_at < _overlap(settings):
            for older in keys.dynamic:
                if older is not newest and older.created_at + settings.signing_key_interval > now:
                    return older
        return newest

    def jwks(self, tenant: Tenant, now: int) -> tuple[list[dict[str, str]], int]:
        """Return the public keys, newest dynamic one first, and the seconds until there will be another."""
        self._load(tenant)
        self.for_signing(tenant, now, static=False)
        static = self.for_signing(tenant, now, static=True)
        keys = self._load(tenant).dynamic
        alive = [key for key in keys if _verifies(key, tenant.settings, now)]
        wait = (_next_key_at(keys[0], tenant.settings) - now) // 1000
        return [key.jwk() for key in (*alive, static)], max(1, wait)

    def verify(self, tenant: Tenant, now: int, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """
        Return header and payload of a JWT that a key of the app signed. Its times are the caller's business.

        :raises TokenInvalid: for everything else.
        """
        header, payload, signature = split_token(token)
        key_id = header.get("kid")
        if header.get("alg") != "RS256" or not isinstance(key_id, str):
            raise TokenInvalid("Unsupported algorithm or no key id")
        keys = self._loaded(tenant)
        if key_id not in keys.by_id:
            keys = self._load(tenant)
        key = keys.by_id.get(key_id)
        if key is None or (key.dynamic and not _verifies(key, tenant.settings, now)):
            raise TokenInvalid("Key not found")
        try:
            key.public.verify(signature, token.rpartition(".")[0].encode(), _PADDING, _SHA256)
        except InvalidSignature:
            raise TokenInvalid("JWT verification failed") from None
        return header, payload

    def seal(self, tenant: Tenant) -> AESGCM:
        """Return the cipher that seals the refresh tokens of an app."""
        seal = self._loaded(tenant).seal
        if seal is None:
            new = base64.b64encode(secrets.token_bytes(32)).decode()
            self._store.written(lambda db: db.insert_new("key_values", app=tenant.app, name=_SEAL, value=new))
            seal = self._load(tenant).seal
        assert seal is not None, "it was just made"
        return seal

    def replace(self, tenant: Tenant, now: int, *, end_sessions: bool) -> Replacement:
        """
        Put new signing keys in place of all old ones. From then on no core accepts a token that an old one signed.

        :param end_sessions: also replace the key that seals refresh tokens, so that no session can be refreshed.
        """
        dynamic, static = _new_pem(), _new_pem()
        settings = tenant.settings

        def change(db: Database) -> Replacement:
            rows = db.select("signing_keys", "key_id, dynamic, created_at", app=tenant.app)
            newest = max((row[2] for row in rows if row[1]), default=0)
            created_at = max(now, newest + 1)  # the time is in the id, which must be a new one
            made = [(f"d-{created_at}", 1, dynamic), (f"s-{uuid.uuid4()}", 0, static)]
            db.delete("signing_keys", app=tenant.app)
            for key in made:
                db.change("INSERT INTO signing_keys VALUES (?, ?, ?, ?, ?)", tenant.app, *key, created_at)
            db.change("UPDATE apps SET key_version = key_version + 1 WHERE app = ?", tenant.app)
            if end_sessions:
                db.delete("key_values", app=tenant.app, name=_SEAL)
            return Replacement(
                old_key_ids=tuple(sorted(row[0] for row in rows)),
                new_key_ids=tuple(key[0] for key in made),
                cached_until=max(now, newest + settings.signing_key_interval - _overlap(settings)),
            )

        return self._store.written(change)

    def _loaded(self, tenant: Tenant) -> _AppKeys:
        return self._apps.get((tenant.app, tenant.key_version)) or self._load(tenant)

    def _load(self, tenant: Tenant) -> _AppKeys:
        with self._store.read() as db:
            rows = db.select("signing_keys", "key_id, dynamic, created_at, private_key", app=tenant.app)
            seal = db.value("SELECT value FROM key_values WHERE app = ? AND name = ?", tenant.app, _SEAL)
        place = (tenant.app, tenant.key_version)
        known = self._apps.get(place)
        keys = []
        for key_id, dynamic, created_at, pem in rows:
            key = known.by_id.get(key_id) if known is not None else None
            keys.append(key or _key_pair(key_id, bool(dynamic), created_at, pem))
        loaded = _AppKeys(keys, None if seal is None else AESGCM(base64.b64decode(seal)))
        self._apps.put(place, loaded)
        return loaded

    def _make(self, tenant: Tenant, now: int, *, dynamic: bool) -> _AppKeys:
        """Make a key unless another process was quicker. The slow part runs before the transaction starts."""
        app, settings = tenant.app, tenant.settings
        keys = self._load(tenant)
        found = keys.dynamic[0] if dynamic and keys.dynamic else None if dynamic else keys.static
        if found is not None and (not dynamic or _next_key_at(found, settings) >= now):
            return keys
        pem = _new_pem()
        oldest = now - settings.signing_key_interval - 2 * settings.access_token_validity

        def store(db: Database) -> None:
            query = "SELECT max(created_at) FROM signing_keys WHERE app = ? AND dynamic = ?"
            newest = db.value(query, app, int(dynamic))
            if newest is None or (dynamic and newest + settings.signing_key_interval - _overlap(settings) < now):
                key_id = f"d-{now}" if dynamic else f"s-{uuid.uuid4()}"
                db.change("INSERT INTO signing_keys VALUES (?, ?, ?, ?, ?)", app, key_id, int(dynamic), pem, now)
            if dynamic:
                db.change("DELETE FROM signing_keys WHERE app = ? AND dynamic = 1 AND created_at < ?", app, oldest)

        self._store.written(store)
        return self._load(tenant)


def _new_pem() -> str:
    private = offloaded(rsa.generate_private_key, 65537, 2048)
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _overlap(settings: CoreSettings) -> int:
    interval = settings.signing_key_interval
    return _OVERLAP if interval > _OVERLAP else interval // 5


def _next_key_at(newest: KeyPair, settings: CoreSettings) -> int:
    return newest.created_at + settings.signing_key_interval - _overlap(settings)


def _verifies(key: KeyPair, settings: CoreSettings, now: int) -> bool:
    return key.created_at + settings.signing_key_interval + 2 * settings.access_token_validity >= now


def _key_pair(key_id: str, dynamic: bool, created_at: int, pem: str) -> KeyPair:
    # Our own key from our own file: its consistency check would cost ten times the loading.
    private = serialization.load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(private, rsa.RSAPrivateKey)
    return KeyPair(key_id, dynamic, created_at, private, private.public_key())


def split_token(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Return header, payload and signature of a JWT, nothing checked. :raises TokenInvalid: when it is not one."""
    try:
        head, body, signature = map(_decode, token.split("."))
        header, payload = json.loads(head.decode()), json.loads(body.decode())
    except (ValueError, RecursionError):
        raise TokenInvalid("Invalid JWT") from None
    if not isinstance(header, dict) or not isinstance(payload, dict):
        raise TokenInvalid("Invalid JWT")
    return header, payload, signature


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    if "=" in text:
        raise binascii.Error("padding")
    standard = text.encode().translate(_STANDARD)
    return base64.b64decode(standard + b"=" * (-len(standard) % 4), validate=True)
