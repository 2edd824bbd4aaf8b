"""
Verified tokens, remembered so that a repeated token costs a hash instead of a signature check.

An entry says only "signature and static claims were good". It counts while the token has not expired
(wall clock), for at most a minute (monotonic clock), and while its kid still maps to the very key object
that verified it. The token's text is not kept.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

from st_verify.jwk import SigningKey
from st_verify.keys import KeySource

_SECONDS = 60.0


class Verified(Protocol):
    """What the cache must know of a verified token."""

    @property
    def expires_at(self) -> int:
        """Seconds since the epoch."""
        ...


T = TypeVar("T", bound=Verified)


class TokenCache(Generic[T]):
    """
    Least recently used first out; safe for threads without a lock, since each step is one dict operation.

    The key of a token is its SHA-256.

    :param size: how many tokens.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        # Token, its expiry, the key that verified it, where that key came from, and until when (monotonic) this counts.
        self._entries: OrderedDict[bytes, tuple[T, int, SigningKey, KeySource, float]] = OrderedDict()

    def get(self, digest: bytes, now: float, monotonic: float) -> T | None:
        """
        :param now: wall time minus leeway, in seconds.
        :raises KeysUnavailable: the key source has no usable keys any more.
        """
        entry = self._entries.get(digest)
        if entry is None:
            return None
        token, expires, key, keys, until = entry
        if monotonic >= until or expires <= now or keys.snapshot().keys.get(key.kid) is not key:
            self._entries.pop(digest, None)
            return None
        try:  # noqa: SIM105  a context manager would cost a fifth of the whole look-up
            self._entries.move_to_end(digest)
        except KeyError:
            pass  # another thread removed it meanwhile
        return token

    def put(self, digest: bytes, token: T, key: SigningKey, keys: KeySource, monotonic: float) -> None:
        """Remember a token that was verified with `key` of `keys` at `monotonic`."""
        self._entries[digest] = (token, token.expires_at, key, keys, monotonic + _SECONDS)
        if len(self._entries) > self._size:
            try:  # noqa: SIM105  as above
                self._entries.popitem(last=False)
            except KeyError:
                pass  # another thread emptied it meanwhile

    def __len__(self) -> int:
        return len(self._entries)
