"""A bounded cache, for any number of threads."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LeastRecentlyUsed(Generic[K, V]):
    """
    Keeps up to *size* values. A new one takes the place of the one whose last use is longest ago.

    Each step on the dictionary is atomic. Threads that come in between may at worst miss a value.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value of a key, None when there is none."""
        with suppress(KeyError):
            self._values.move_to_end(key)
            return self._values[key]
        return None

    def put(self, key: K, value: V) -> None:
        """Keep a value."""
        self._values[key] = value
        with suppress(KeyError):
            self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)
