"""
OpenID Connect: discovery documents, the keys of providers, and id tokens.

Keys and signatures are those of st_verify: the same engine that verifies sessions, with its rules for keys and their
ids, its cache, and its limits on what strangers can make it fetch. What differs is the header of the tokens, which each
provider writes in its own way, and the claims.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import attrs

from st_verify import ANY, FetchedKeys, FetchFailed, NotStrictJSON, Refused, RemoteKeys, base64url, strict_json
from st_verify.errors import NoSession, SettingError, TryRefresh
from st_verify.jwk import ALGORITHMS, KeySet
from st_verify.token import TokenHeader, TokenParser, VerifiedClaims
from st_verify.verification import Issuers, Parsed, TokenVerifier

from ....codec import present
from ....errors import ProviderFailed
from ....forks import renew_after_fork
from .calls import Calls

_SIZE = 1000  # providers of all tenants
_DOCUMENT_SECONDS = 3600.0
_FAILURE_SECONDS = 10.0
_LONGEST_KID = 256
_TYPES = ("JWT", None)
_TENANT_PLACEHOLDER = "{tenantid}"

T = TypeVar("T")


@attrs.frozen
class Discovery:
    """What a discovery document says (OpenID Connect Discovery 1.0, section 3); None where it says nothing."""

    issuer: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    jwks_uri: str | None = None


class Cache(Generic[T]):
    """A few values by address, the least recently used one dropped first."""

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make
        self._entries: OrderedDict[str, T] = OrderedDict()
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Take a lock of its own in a child: the parent's may have been held by another thread."""
        self._lock = threading.Lock()

    def get(self, address: str) -> T:
        """Return the value for an address, made when it is first asked for. Making one must be quick."""
        with self._lock:
            value = self._entries.get(address)
            if value is None:
                value = self._entries[address] = self._make(address)
            self._entries.move_to_end(address)
            while len(self._entries) > _SIZE:
                self._entries.popitem(last=False)
            return value


class Document:
    """
    A discovery document. It is fetched when it is needed, and again after an hour, by one reader at a time.

    A failure counts for some seconds, so that strangers cannot make us ask a provider that is down again and again. It
    does not replace a good document.
    """

    def __init__(self, calls: Calls, address: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._calls, self._address, self._clock = calls, address, clock
        self._good: Discovery | None = None
        self._failure = ProviderFailed()
        self._until = float("-inf")
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Take a lock of its own in a child: the parent's may have been held by another thread."""
        self._lock = threading.Lock()

    def read(self) -> Discovery:
        """
        Return what the document says.

        :raises ProviderFailed: there is none, or what it says is not usable.
        """
        if self._clock() >= self._until and self._lock.acquire(blocking=self._good is None):
            try:
                if self._clock() >= self._until:
                    self._renew()
            finally:
                self._lock.release()
        if self._good is None:
            raise ProviderFailed(self._failure.detail)
        return self._good

    def _renew(self) -> None:
        try:
            self._good, lifetime = self._fetch(), _DOCUMENT_SECONDS
        except ProviderFailed as failure:
            self._failure, lifetime = failure, _FAILURE_SECONDS
        self._until = self._clock() + lifetime

    def _fetch(self) -> Discovery:
        members = self._calls.get(self._address).object()
        said = present({field.name: members.get(field.name) for field in attrs.fields(Discovery)})
        for name, value in {"issuer": None, **said}.items():
            if not isinstance(value, str) or not value:
                raise ProviderFailed(f"{name} in a discovery document is no text")
            if name != "issuer":
                self._calls.checked(value)
        return Discovery(**said)


class OpenIdProviders:
    """The discovery documents and keys of all providers of an app, as far as they are in use."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._documents: Cache[Document] = Cache(lambda address: Document(calls, address))
        self._keys: Cache[RemoteKeys] = Cache(self._keys_of)

    def discover(self, address: str) -> Discovery:
        """
        Return what a discovery document says.

        :raises ProviderFailed: there is none, or what it says is not usable.
        """
        return self._documents.get(address).read()

    def claims_of(
        self, id_token: str, *, jwks_uri: str, issuer: str | None, client_ids: Collection[str]
    ) -> dict[str, Any]:
        """
        Return the claims of an id token.

        :param issuer: who must have issued it; None if that is not known.
        :param client_ids: those of this app; it must have been issued to one of them, and for one of them.
        :raises ProviderFailed: it is not genuine, not for this app, or too old; or there are no keys.
        """
        keys = self._keys.get(jwks_uri)
        try:
            verifier = _IdTokenVerifier(keys=keys, issuer_of_provider=issuer, client_ids=client_ids)
            return dict(verifier.verify(id_token).claims)
        except Refused as refusal:
            raise ProviderFailed(f"the id token was refused: {refusal.reason}") from None
        except SettingError:
            raise ProviderFailed("a client_id is empty or has white space") from None

    def _keys_of(self, address: str) -> RemoteKeys:
        def fetch() -> FetchedKeys:
            try:
                reply = self._calls.get(address)
            except ProviderFailed as failure:
                raise FetchFailed(failure.detail) from None
            if reply.status != 200:
                raise FetchFailed(f"status_{reply.status}")
            return FetchedKeys(reply.body)

        timeout = min(max(self._calls.timeout, 0.05), 60)
        return _ProviderKeys(fetch=fetch, timeout=timeout, name=address.partition("?")[0])


class _ProviderKeys(RemoteKeys):
    _algorithms = ALGORITHMS


class _IdTokenParser(TokenParser):
    """Id tokens have any header members that do not change what the signature means; none of these is read."""

    min_signature = 86  # of a key on the curve P-256 or Ed25519

    def _read_header(self, header_text: bytes) -> TokenHeader:
        if not base64url.is_canonical(header_text):
            raise NoSession("base64_form")
        try:
            header = strict_json.loads(base64url.decode(header_text))
        except NotStrictJSON:
            raise NoSession("header_json") from None
        if not isinstance(header, dict):
            raise NoSession("header_json")
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise NoSession("algorithm")
        if header.get("typ") not in _TYPES:
            raise NoSession("type")
        if not {"crit", "b64", "enc", "zip"}.isdisjoint(header):
            raise NoSession("header_members")
        kid = header.get("kid")
        if not isinstance(kid, str) or not 0 < len(kid) <= _LONGEST_KID or not kid.isascii():
            raise NoSession("kid_form")
        return TokenHeader(kid, None, algorithm)


@dataclass(kw_only=True, eq=False)
class _IdTokenVerifier(TokenVerifier[VerifiedClaims]):
    """
    Verifies an id token (OpenID Connect Core 1.0, section 3.1.3.7).

    :param issuer_of_provider: in the place of the setting ``issuer``, which must not end with a slash; the issuers of
        some providers do.
    """

    issuer_of_provider: str | None
    client_ids: Collection[str]
    audience: Any = None
    issuer: Any = ANY
    leeway: float = 60.0
    cache_size: int = 0  # an id token is used once

    def __post_init__(self) -> None:
        self.audience = frozenset(self.client_ids)
        super().__post_init__()

    def verify(self, token: str) -> VerifiedClaims:
        verified = self._verified(token)
        if verified is None:
            raise NoSession("token_form")
        return verified

    def _make_parser(self) -> TokenParser:
        return _IdTokenParser(versions=None, max_token=self.max_token)

    def _judge(self, header: TokenHeader, parsed: Parsed, issuers: Issuers, now: float) -> VerifiedClaims:
        payload_json, payload = parsed
        if payload.get("sub") is None:
            raise NoSession("sub_form")
        if self.issuer_of_provider is not None and payload.get("iss") not in self._issuers(payload):
            raise NoSession("issuer")
        issuer, issued, expires = self._registered(payload, issuers, now)
        has_several = isinstance(payload["aud"], list) and len(payload["aud"]) > 1
        if (has_several or "azp" in payload) and payload.get("azp") not in tuple(self.client_ids):
            raise NoSession("audience")
        return VerifiedClaims(issued, expires, issuer, header.kid, payload_json)

    def _refuse_pointless_search(self, kid: str, signature_length: int, known: KeySet) -> None:
        """Refuse a key id that the provider publishes, but with a key that is not usable."""
        if kid in known.refused:
            raise TryRefresh("unknown_kid")

    def _log_issuer(self, payload: Mapping[str, Any]) -> None:
        """Log nothing: strangers send such tokens, and no setting is wrong."""

    def _issuers(self, payload: Mapping[str, Any]) -> list[str]:
        """Return the issuer; also without its scheme, as Google may write it, and of the user's Microsoft tenant."""
        issuer = self.issuer_of_provider or ""
        if _TENANT_PLACEHOLDER in issuer and isinstance(payload.get("tid"), str):
            issuer = issuer.replace(_TENANT_PLACEHOLDER, payload["tid"])
        return [issuer, issuer.removeprefix("https://")]
