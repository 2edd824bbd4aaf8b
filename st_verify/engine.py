"""
The signature core that the three verifiers share: text, key, signature, payload, in this order.

What must stay true: the algorithm comes from the key and never from the token; the payload is parsed
once and, with one issuer, only after its signature (an unknown kid is the one exception: its payload is
looked at to spare the key server a fetch); a cached answer is never weaker than a fresh one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, TypeVar

from st_verify import base64url, strict_json
from st_verify.cache import TokenCache, Verified
from st_verify.clock import Clock
from st_verify.errors import NoSession, TryRefresh
from st_verify.jwk import KeySet, SigningKey
from st_verify.keys import KeySource
from st_verify.token import Gate, GatedToken, Parts, TokenHeader

_logger = logging.getLogger("st_verify")

T = TypeVar("T", bound=Verified)
_LOUD_SECONDS = 60.0
# Base64url lengths of signatures by keys of 2048, 3072, 4096 and 8192 bits: a new key is of one of them, or of a
# length that the set has already.
_USUAL_SIGNATURES = frozenset({342, 512, 683, 1366})
#: A payload as it was signed, and parsed.
_Parsed = tuple[bytes, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Source:
    """One key source and the issuers whose tokens it verifies (None: any)."""

    issuers: frozenset[str] | None
    keys: KeySource


#: Turns a parsed payload into a value, or raises `NoSession` or `TryRefresh`:
#: (header, payload as signed, payload, allowed issuers, wall time in seconds).
Judge = Callable[[TokenHeader, bytes, dict[str, Any], "frozenset[str] | None", float], T]


class Engine(Generic[T]):
    """
    :param sources: one, or several with disjoint issuers.
    :param dynamic_kid: True demands key ids ``d-…``, False others; None takes both.
    :param leeway: seconds after expiry in which a cached token still counts.
    :param cache_size: verified tokens to remember; 0 switches the cache off.
    """

    def __init__(
        self,
        *,
        sources: tuple[Source, ...],
        gate: Gate,
        judge: Judge[T],
        dynamic_kid: bool | None,
        leeway: float,
        cache_size: int,
        clock: Clock,
    ) -> None:
        self._sources = sources
        self._only_source = sources[0] if len(sources) == 1 else None
        self._gate = gate
        self._judge = judge
        self._dynamic_kid = dynamic_kid
        self._cache: TokenCache[T] | None = TokenCache(cache_size, leeway=leeway, clock=clock) if cache_size else None
        self._wall = clock.wall
        self._monotonic = clock.monotonic
        self._loud_again = float("-inf")

    def gate(self, text: str) -> GatedToken:
        """
        Judge text and header only. No I/O.

        :raises NoSession: not a token of this kind.
        :raises TryRefresh: a session token of version 1 or 2.
        :raises TypeError: no str.
        """
        return self._gate.gated(text)

    def verify(self, token: str | GatedToken) -> T | None:
        """
        The whole check. Waits for the network only if there is no usable key set.

        :returns: None for a text that cannot be a token at all. The caller refuses it: strangers decide how often that
            happens, and every function that an exception has to leave costs as much as looking at the text.
        :raises NoSession, TryRefresh, KeysUnavailable: see errors.py.
        :raises TypeError: neither str nor GatedToken.
        """
        gate, cache = self._gate, self._cache
        data = token.data if isinstance(token, GatedToken) else gate.candidate(token)
        if data is None:
            return None
        if cache is not None:
            # Only texts that passed the gate are in the cache, so a hit need not pass it again.
            digest = sha256(data).digest()
            cached = cache.get(digest)
            if cached is not None:
                return cached
        if not isinstance(token, GatedToken):
            parts = gate.parts(data)
        elif token.gate is gate:
            parts = token.parts
        else:
            parts = gate.gated(token.text).parts
        verified, key, keys = self._verify(parts)
        if cache is not None:
            cache.put(digest, verified, key, keys)
        return verified

    def _verify(self, parts: Parts) -> tuple[T, SigningKey, KeySource]:
        header, new_header_text, signing_input, payload_text, signature_text = parts
        kid = header.kid
        if self._dynamic_kid is not None and kid.startswith("d-") is not self._dynamic_kid:
            raise TryRefresh("kid_type")
        parsed: _Parsed | None = None
        try:
            source = self._only_source
            if source is None:
                # Keys are looked up only inside the set of the issuer that the token names.
                parsed = _parse(payload_text)
                source = self._source_of(parsed[1])
            keys = source.keys
            key_set = keys.snapshot()
            key = key_set.keys.get(kid)
            if key is None:
                self._refuse_pointless_search(parts, key_set)
                parsed = parsed or _parse(payload_text)
                self._judge(header, *parsed, source.issuers, self._wall())
                key = keys.search(kid).get(kid)
            if key is None:
                raise TryRefresh("unknown_kid")
            if len(signature_text) != key.signature_length:
                raise NoSession("signature_length")
            if not key.verifies(signing_input, base64url.decode(signature_text)):
                raise TryRefresh("bad_signature")
            payload_json, payload = parsed = parsed or _parse(payload_text)
            verified = self._judge(header, payload_json, payload, source.issuers, self._wall())
        except NoSession as refusal:
            if refusal.reason == "issuer" and parsed is not None:
                self._complain_about_issuer(parsed[1])
            raise
        if new_header_text is not None:
            self._gate.remember(new_header_text, header)
        return verified, key, keys

    def _refuse_pointless_search(self, parts: Parts, key_set: KeySet) -> None:
        """An unknown kid is worth a fetch only if its form and the signature's length could be those of a new key."""
        header, *_, signature_text = parts
        if len(signature_text) not in _USUAL_SIGNATURES | key_set.signature_lengths:
            raise NoSession("signature_length")
        if not key_set.may_be_newer(header.kid, self._wall()):
            raise TryRefresh("unknown_kid")

    def _source_of(self, payload: Mapping[str, Any]) -> Source:
        issuer = payload.get("iss")
        for source in self._sources:
            if isinstance(issuer, str) and source.issuers is not None and issuer in source.issuers:
                return source
        raise NoSession("issuer")

    def _complain_about_issuer(self, payload: Mapping[str, Any]) -> None:
        """Loud, since a mistyped issuer lets every browser loop through refresh; once a minute at most."""
        now = self._monotonic()
        if now < self._loud_again:
            return
        self._loud_again = now + _LOUD_SECONDS
        expected = sorted(issuer for source in self._sources for issuer in source.issuers or ())
        _logger.error("token of another issuer: expected one of %s, got %s", expected, ascii(payload.get("iss"))[:200])


def _parse(payload_text: bytes) -> _Parsed:
    payload_json = base64url.decode(payload_text)
    try:
        payload = strict_json.loads(payload_json)
    except strict_json.NotStrictJSON:
        raise NoSession("payload_json") from None
    if not isinstance(payload, dict):
        raise NoSession("payload_json")
    return payload_json, payload
