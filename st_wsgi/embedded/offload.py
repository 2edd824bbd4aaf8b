"""
Running slow computations (hashes, key generation) where they do not stop everything else.

Under threads a computation that releases the interpreter lock is fine where it is. Under gevent it would stop every
greenlet of the process for its whole length, so that it goes to the hub's pool of real threads.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def under_gevent() -> bool:
    """Tell whether gevent patched this process's threads. Never imports gevent."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def offloaded(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call *function* and return its result; under gevent while other greenlets run."""
    if not under_gevent():
        return function(*args, **kwargs)
    pool = sys.modules["gevent"].get_hub().threadpool
    result: T = pool.apply(function, args, kwargs)
    return result
