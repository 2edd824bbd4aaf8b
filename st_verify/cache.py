"""
Verified tokens, cached so that a repeated token costs a hash instead of a signature check.

An entry means only that signature and static claims were good. It counts until the token expires (wall clock), for at
most a minute (monotonic clock), and while the token's key id still stands for the very key that verified it. Its key is
the SHA-256 of the token, whose text is not kept.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from st_verify.jwk import VerificationKey
from st_verify.keys import KeySource
from st_verify.settings import Clock
from st_verify.token import VerifiedToken

_SECONDS = 60.0
T = TypeVar("T", bound=VerifiedToken)


class TokenCache(Generic[T]):
    """
    A cache that drops the least recently used token first. Each step is one operation of a dict, so it needs no lock.

    :param size: number of tokens.
    :param leeway: seconds after its expiry in which a token still counts.
    """

    def __init__(self, size: int, *, leeway: float, clock: Clock) -> None:
        self._size = size
        self._leeway = leeway
        self._wall = clock.wall
        self._monotonic = clock.monotonic
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
        self._entries[digest] = (token, token.expires_at + self._leeway, key, keys, self._monotonic() + _SECONDS)
        if len(self._entries) > self._size:
            try:  # noqa: SIM105  as above
                self._entries.popitem(last=False)
            except KeyError:
                pass  # another thread has emptied the cache

    def __len__(self) -> int:
        return len(self._entries)
