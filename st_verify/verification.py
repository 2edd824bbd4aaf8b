"""
What the three verifiers share: text, key, signature and payload are checked, in this order.

Three laws:
* The algorithm comes from the key, never from the token, which must name the same one.
* The payload is parsed once, after the signature is checked. The two exceptions cannot make a token good: with several
  key sources the payload names the one to use, and a token with an unknown key id is judged before the key server is
  asked.
* A cached token is never accepted where a new one would be refused.
"""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Generic, TypeVar

from st_verify import base64url, strict_json
from st_verify.errors import NoSession, NotStrictJSON, TryRefresh
from st_verify.jwk import KeySet, VerificationKey
from st_verify.keys import KeySource
from st_verify.settings import AnyType, Clock, count, issuer_set, require, seconds, text_set
from st_verify.token import MAX_TOKEN, TokenHeader, TokenParser, UnverifiedToken, VerifiedToken

_logger = logging.getLogger("st_verify")

T = TypeVar("T", bound=VerifiedToken)
#: The core's own maximum for the life of an access token, in seconds.
MAX_LIFETIME = 86_400_000.0
_SECONDS_IN_CACHE = 60.0
_SECONDS_BETWEEN_ISSUER_LOGS = 60.0
# Base64url lengths of signatures by keys of 2048, 3072, 4096 and 8192 bits. A key that is not known yet has one of
# these, or a length that the set has already.
_USUAL_SIGNATURES = frozenset({342, 512, 683, 1366})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_TEXT = 1024
_PLAIN = bytes(range(0x20, 0x7F))
#: A payload as it was signed, and parsed.
Parsed = tuple[bytes, dict[str, Any]]
#: The allowed values of ``iss``; None for any.
Issuers = frozenset[str] | None


class TokenCache(Generic[T]):
    """
    Verified tokens, so that a repeated token costs a hash instead of a signature check.

    An entry means only that signature and static claims were good. It counts until the token expires (wall clock), for
    at most a minute (monotonic clock), and while the token's key id still stands for the very key that verified it. Its
    key is the SHA-256 of the token, whose text is not kept. The least recently used entry is dropped first. Each step
    is one operation of a dict, so it needs no lock.
    """

    def __init__(self, size: int, *, leeway: float, clock: Clock) -> None:
        self._size, self._leeway = size, leeway
        self._wall, self._monotonic = clock.wall, clock.monotonic
        # Token, end of its life (wall clock), the key that verified it, the source of that key, end of the entry's own
        # life (monotonic clock).
        self._entries: OrderedDict[bytes, tuple[T, float, VerificationKey, KeySource, float]] = OrderedDict()

    def get(self, digest: bytes) -> T | None:
        """Return the token of this hash, or None. Raises `KeysUnavailable` if its key source has no usable keys."""
        entry = self._entries.get(digest)
        if entry is None:
            return None
        token, expires, key, keys, until = entry
        if self._monotonic() >= until or expires <= self._wall() or keys.snapshot().keys.get(key.kid) is not key:
            self._entries.pop(digest, None)
            return None
        try:  # noqa: SIM105  a context manager would cost a fifth of the look-up
            self._entries.move_to_end(digest)
        except KeyError:
            pass  # another thread has removed it
        return token

    def put(self, digest: bytes, token: T, key: VerificationKey, keys: KeySource) -> None:
        """Cache a token that `key` of `keys` has just verified."""
        until = self._monotonic() + _SECONDS_IN_CACHE
        self._entries[digest] = (token, token.expires_at + self._leeway, key, keys, until)
        if len(self._entries) > self._size:
            try:  # noqa: SIM105  as above
                self._entries.popitem(last=False)
            except KeyError:
                pass  # another thread has emptied the cache

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(kw_only=True, eq=False)
class TokenVerifier(ABC, Generic[T]):
    """The base of the verifiers. `SessionVerifier` describes the settings, which are read once, at construction."""

    keys: KeySource | Mapping[str, KeySource]
    issuer: str | Collection[str] | AnyType | None = None
    audience: str | Collection[str] | AnyType | None
    leeway: float = 0.0
    clock_skew: float = 60.0
    max_lifetime: float = MAX_LIFETIME
    max_token: int = MAX_TOKEN
    cache_size: int = 4096
    clock: Clock = field(default=Clock(), repr=False)

    def __post_init__(self) -> None:
        require(isinstance(self.clock, Clock), "clock: pass a st_verify.Clock")
        self._sources = _key_sources(self.keys, self.issuer)
        self._only_source = self._sources[0] if len(self._sources) == 1 else None
        # None refuses every token with an audience, an empty set accepts any.
        self._audiences = None if self.audience is None else text_set("audience", self.audience) or frozenset()
        self._leeway = seconds("leeway", self.leeway, low=0, high=300)
        self._skew = seconds("clock_skew", self.clock_skew, low=0, high=300)
        self._max_lifetime = seconds("max_lifetime", self.max_lifetime, low=1, high=MAX_LIFETIME)
        self._parser = self._make_parser()
        size = count("cache_size", self.cache_size, low=0)
        self._cache: TokenCache[T] | None = TokenCache(size, leeway=self.leeway, clock=self.clock) if size else None
        self._wall = self.clock.wall
        # True accepts only key ids d-..., False only others, None both.
        self._dynamic_kid: bool | None = None
        self._next_issuer_log = float("-inf")

    def _make_parser(self) -> TokenParser:
        return TokenParser(versions=None, max_token=self.max_token)

    @abstractmethod
    def _judge(self, header: TokenHeader, parsed: Parsed, issuers: Issuers, now: float) -> T:
        """Return the token, or refuse its payload: another kind, or outside of its time (`now`, in seconds)."""

    def _registered(self, payload: Mapping[str, Any], issuers: Issuers, now: float) -> tuple[str | None, int, int]:
        """
        Check ``iss`` and ``aud``, then the types of ``iat``, ``exp`` and ``nbf``, then what they say.

        :param now: wall time in seconds. A token whose ``exp`` is `now` is expired.
        :returns: ``iss``, ``iat`` and ``exp``, the times in whole seconds.
        """
        issuer = payload.get("iss")
        if issuers is None:
            if issuer is not None or "iss" in payload:
                text(payload, "iss")
        elif not isinstance(issuer, str) or issuer not in issuers:
            raise NoSession("issuer")
        if self._audiences is None:
            if "aud" in payload:
                raise NoSession("audience")
        elif self._audiences:
            _check_audience(payload.get("aud"), self._audiences)
        issued, expires = payload.get("iat"), payload.get("exp")
        if type(issued) is not int or issued < 0:
            raise NoSession("iat_form")
        if type(expires) is not int:
            raise NoSession("exp_form")
        not_before = payload.get("nbf", issued)
        if type(not_before) is not int:
            raise NoSession("nbf_form")
        if expires - issued > self._max_lifetime:
            raise NoSession("lifetime")
        if expires <= now - self._leeway:
            raise TryRefresh("expired")
        if issued > now + self._skew or issued > expires:
            raise TryRefresh("issued_in_future")
        if not_before > now + self._skew:
            raise TryRefresh("not_yet_valid")
        return issuer, issued, expires

    def _verified(self, token: str | UnverifiedToken) -> T | None:
        """
        Check everything about a token. Waits for the network only while there is no usable key set.

        :returns: None for a text that cannot be a token; the caller raises `NoSession`. This must be cheap, since
            strangers can cause it as often as they like, and an exception costs more with each function that it passes.
        """
        parser, cache, parts = self._parser, self._cache, None
        if not isinstance(token, UnverifiedToken):
            data = parser.candidate(token)
        elif token.parser is parser:
            data, parts = token.data, token.parts
        else:
            data = parser.candidate(token.text)
        if data is None:
            return None
        if cache is not None:
            # Only texts that the parser accepted are in the cache, so a cached one need not be parsed again.
            digest = sha256(data).digest()
            cached = cache.get(digest)
            if cached is not None:
                return cached
        if parts is None:
            parts = parser.parts(data)
        header, new_header_text, signing_input, payload_text, signature_text = parts
        kid = header.kid
        if self._dynamic_kid is not None and kid.startswith("d-") is not self._dynamic_kid:
            raise TryRefresh("kid_type")
        parsed: Parsed | None = None
        try:
            source = self._only_source
            if source is None:
                # Keys are looked up only in the set of the issuer that the token names.
                parsed = read_payload(payload_text)
                source = self._source_of(parsed[1])
            issuers, keys = source
            key_set = keys.snapshot()
            key = key_set.keys.get(kid)
            if key is None:
                self._refuse_pointless_search(kid, len(signature_text), key_set)
                parsed = parsed or read_payload(payload_text)
                self._judge(header, parsed, issuers, self._wall())
                key = keys.search(kid).get(kid)
            if key is None:
                raise TryRefresh("unknown_kid")
            if key.alg != header.alg or len(signature_text) != key.signature_length:
                raise NoSession("signature_length" if key.alg == header.alg else "algorithm")
            if not key.verifies(signing_input, base64url.decode(signature_text)):
                raise TryRefresh("bad_signature")
            parsed = parsed or read_payload(payload_text)
            verified = self._judge(header, parsed, issuers, self._wall())
        except NoSession as refusal:
            if refusal.reason == "issuer" and parsed is not None:
                self._log_issuer(parsed[1])
            raise
        if new_header_text is not None:
            parser.remember(new_header_text, header)
        if cache is not None:
            cache.put(digest, verified, key, keys)
        return verified

    def _refuse_pointless_search(self, kid: str, signature_length: int, known: KeySet) -> None:
        """Refuse an unknown key id for which no key server can have a new key."""
        if signature_length not in _USUAL_SIGNATURES | {key.signature_length for key in known.keys.values()}:
            raise NoSession("signature_length")
        if not known.may_be_newer(kid, self._wall()):
            raise TryRefresh("unknown_kid")

    def _source_of(self, payload: Mapping[str, Any]) -> tuple[Issuers, KeySource]:
        issuer = payload.get("iss")
        for source in self._sources:
            if isinstance(issuer, str) and issuer in (source[0] or ()):
                return source
        raise NoSession("issuer")

    def _log_issuer(self, payload: Mapping[str, Any]) -> None:
        """Log a refused issuer, once a minute at most: a mistyped one makes every browser refresh again and again."""
        now = self.clock.monotonic()
        if now < self._next_issuer_log:
            return
        self._next_issuer_log = now + _SECONDS_BETWEEN_ISSUER_LOGS
        allowed = ", ".join(sorted(repr(issuer) for issuers, _ in self._sources for issuer in issuers or ()))
        line = "%s refuses a token with iss %s: its setting issuer allows only %s. Add the issuer there to accept it."
        _logger.error(line, type(self).__name__, ascii(payload.get("iss"))[:200], allowed)


def _key_sources(
    keys: KeySource | Mapping[str, KeySource], issuer: str | Collection[str] | AnyType | None
) -> tuple[tuple[Issuers, KeySource], ...]:
    """Return the key sources, each with the issuers whose tokens it verifies."""
    if isinstance(keys, Mapping):
        require(issuer is None, "issuer: leave it out; the keys of the mapping `keys` are the issuers")
        require(bool(keys), "keys: the mapping is empty; pass {issuer: key source}")
        sources = [(issuer_set(name), source) for name, source in keys.items()]
    else:
        cure = "pass the exact iss of the tokens, such as https://api.example.com/auth, a list, or ANY"
        require(issuer is not None, f"issuer: {cure}")
        sources = [(issuer_set(issuer or ()), keys)]
    for _, source in sources:
        is_source = all(callable(getattr(source, method, None)) for method in ("snapshot", "search"))
        cure = "pass a key source such as RemoteKeys(url), StaticKeys.from_jwks(document) or StaticKeys.from_file(path)"
        require(is_source and not isinstance(source, type), f"keys: {cure}, not a {type(source).__name__}")
    return tuple(sources)


def _check_audience(value: Any, audiences: frozenset[str]) -> None:
    members = [value] if isinstance(value, str) else value
    is_list = isinstance(members, list) and all(isinstance(member, str) for member in members)
    if not is_list or audiences.isdisjoint(members):
        raise NoSession("audience")


def read_payload(payload_text: bytes) -> Parsed:
    """Decode and parse a payload. Raises `NoSession` if it is not a JSON object with exactly one meaning."""
    payload_json = base64url.decode(payload_text)
    try:
        payload = strict_json.loads(payload_json)
    except NotStrictJSON:
        raise NoSession("payload_json") from None
    if not isinstance(payload, dict):
        raise NoSession("payload_json")
    return payload_json, payload


def are_plain_texts(*values: object) -> bool:
    """
    Return whether all are non-empty strings of visible ASCII, together no longer than one `text` may be.

    This is one fast check for every token instead of a call of `text` for each claim. If it says no, `text` decides.
    """
    try:
        together = "".join(values)  # type: ignore[arg-type]  # raises TypeError for anything but strings
    except TypeError:
        return False
    if "" in values or len(together) > _MAX_TEXT or not together.isascii():
        return False
    return not together.encode().translate(None, _PLAIN)


def text(payload: Mapping[str, Any], name: str) -> str:
    """Return a claim that is a non-empty string without control characters. Raises `NoSession` for anything else."""
    value = payload.get(name)
    if not isinstance(value, str) or not value or len(value) > _MAX_TEXT:
        raise NoSession(f"{name}_form")
    if not (value.isascii() and value.isprintable()) and _CONTROL.search(value):
        raise NoSession(f"{name}_form")
    return value


def text_or_null(payload: Mapping[str, Any], name: str) -> str | None:
    """Return such a claim; None if it is null or absent."""
    return None if payload.get(name) is None else text(payload, name)
