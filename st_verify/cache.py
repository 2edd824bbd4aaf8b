"""
Verified tokens, remembered so that a repeated token costs a hash instead of a signature check.

An entry says only "signature and static claims were good". It counts while the token has not expired
(wall clock), for at most a minute (monotonic clock), and while its kid still maps to the very key object
that verified it. The token's text is not kept.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

from st_verify.clock import Clock
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
    :param leeway: seconds after expiry in which a token still counts.
    """

    def __init__(self, size: int, *, leeway: float, clock: Clock) -> None:
        self._size = size
        self._leeway = leeway
        self._wall = clock.wall
        self._monotonic = clock.monotonic
        # Token, its expiry, the key that verified it, where that key came from, and until when (monotonic) this counts.
        self._entries: OrderedDict[bytes, tuple[T, float, SigningKey, KeySource, float]] = OrderedDict()

    def get(self, digest: bytes) -> T | None:
        """
        :raises KeysUnavailable: the key source has no usable keys any more.
        """
        entry = self._entries.get(digest)
        if entry is None:
            return None
        token, expires, key, keys, until = entry
        if self._monotonic() >= until or expires <= self._wall() or keys.snapshot().keys.get(key.kid) is not key:
            self._entries.pop(digest, None)
            return None
        try:  # noqa: SIM105  a context manager would cost a fifth of the whole look-up
            self._entries.move_to_end(digest)
        except KeyError:
            pass  # another thread removed it meanwhile
        return token

    def put(self, digest: bytes, token: T, key: SigningKey, keys: KeySource) -> None:
        """Remember a token that was just verified with `key` of `keys`."""
        usable = token.expires_at + self._leeway
        self._entries[digest] = (token, usable, key, keys, self._monotonic() + _SECONDS)
        if len(self._entries) > self._size:
            try:  # noqa: SIM105  as above
                self._entries.popitem(last=False)
            except KeyError:
                pass  # another thread emptied it meanwhile

    def __len__(self) -> int:
        return len(self._entries)
