"""
Keys from a key server, kept so that neither a rotation nor an outage costs a good request.

What must stay true:
* A reader of a usable set takes no lock and waits for nobody, whatever the key server does.
* A failed fetch never replaces a good set; only age (`max_stale`) makes it unusable.
* Strangers cannot make us fetch: unknown key ids have a budget, failures have a back-off, one fetch runs at a time.

There is no standing thread. The first reader after the refresh time starts a short-lived daemon thread
and goes on with the keys it has; only where there are no usable keys does anybody wait, at most `timeout`.
"""

from __future__ import annotations

import importlib
import logging
import math
import os
import random
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from st_verify.clock import Clock
from st_verify.errors import ConfigError, KeysUnavailable
from st_verify.fetch import FetchedKeys, FetchFailed, HttpFetcher
from st_verify.jwk import KeySet, KeySetRefused, read_key_set
from st_verify.settings import count, seconds

if TYPE_CHECKING:
    import ssl

_logger = logging.getLogger("st_verify.keys")

# What a fetch imports, imported in the thread that sets a source up and not in the one that fetches: a fork while that
# one imports would leave the child an import lock that nobody releases.
_NEEDED_TO_FETCH = ("encodings.idna", "http.client", "jwt.algorithms", "ssl")
_FIRST_BACK_OFF = 0.5
_MAX_BACK_OFF = 30.0
# The core publishes a key 60 s before it signs with it, so the second look comes in time.
_SECOND_LOOK = 30.0
_UNKNOWN_KIDS = 256
_UNKNOWN_KID_SECONDS = 300.0
# Requests that may wait for the look-up of a key id at the same time: strangers choose the ids, the server its speed.
_MAX_LOOKUPS = 4
_DAY = 86_400.0

#: Returns a JWK set document: bytes, or bytes with the max-age that its server gave.
Fetcher = Callable[[], "FetchedKeys | bytes"]


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """
    Something an operator may want to count.

    `name` is ``fetch_failed`` (`detail` says why) or ``all_keys_replaced`` (no key of the set before is left), or says
    why a published key is not used: ``key_without_usable_kid``, ``kid_with_two_keys``, ``key_of_other_algorithm``,
    ``key_not_for_signatures``, ``malformed_key``, ``weak_key``, ``key_not_pinned``, ``private_key_published``. `kid` is
    truncated ASCII, or empty.
    """

    name: str
    kid: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _State:
    keys: KeySet
    due: float
    usable_until: float
    second_look: bool


class _Flight:
    """A fetch that is under way."""

    def __init__(self, *, lost_at: float, scheduled: bool) -> None:
        self.done = threading.Event()
        self.lost_at = lost_at
        self.scheduled = scheduled
        self.succeeded = False


class RemoteKeys:
    """
    :param urls: JWKS URL or several of one app, tried in order: ``https://api.example.com/auth/jwt/jwks.json``
        of an SDK, or ``/.well-known/jwks.json`` of the core. Not together with `fetch`.
    :param fetch: gets the document by other means. Called by one thread at a time.
    :param timeout: deadline in seconds of one fetch, and of everybody who has to wait for one.
    :param max_stale: seconds for which the last good set is used while the server fails. Default 24 h.
    :param min_refresh: lower bound in seconds for the server's max-age, `max_refresh` the upper one,
        `default_refresh` is taken when it gives none.
    :param background: True refreshes in a short-lived daemon thread; False in the thread of the reader that
        finds the set due, for fetchers that take microseconds.
    :param pins: RFC 7638 thumbprints; no other key is used.
    :param lookup_burst: fetches that unknown key ids may cause at once; then one each `lookup_interval` seconds
        (0: no limit, also on the requests that wait for one).
    :param ssl_context: see `HttpFetcher`, like `insecure_http_hosts`.
    :param on_event: told about every `KeyEvent`; must return quickly. Events are also logged.
    :param clock: see `Clock`.
    :param jitter: returns seconds that are added to each refresh time, so that workers do not fetch together.
    :raises ConfigError: for contradictory or out-of-range settings. Nothing is fetched here.
    """

    def __init__(
        self,
        urls: str | Sequence[str] | None = None,
        *,
        fetch: Fetcher | None = None,
        timeout: float = 3.0,
        max_stale: float = _DAY,
        min_refresh: float = 60.0,
        max_refresh: float = 14_400.0,
        default_refresh: float = 900.0,
        background: bool = True,
        pins: Collection[str] = (),
        lookup_burst: int = 2,
        lookup_interval: float = 10.0,
        ssl_context: ssl.SSLContext | None = None,
        insecure_http_hosts: Collection[str] = (),
        on_event: Callable[[KeyEvent], None] | None = None,
        clock: Clock | None = None,
        jitter: Callable[[], float] = lambda: random.uniform(0, 5),
    ) -> None:
        for name in _NEEDED_TO_FETCH:
            importlib.import_module(name)
        if (urls is None) == (fetch is None):
            raise ConfigError("RemoteKeys: give JWKS URLs, or fetch=, and not both")
        if isinstance(pins, str):
            raise ConfigError("pins: give a list of thumbprints")
        self._timeout = seconds("timeout", timeout, low=0.05, high=60)
        self._fetch: Fetcher
        if fetch is not None:
            if ssl_context is not None or insecure_http_hosts:
                raise ConfigError("RemoteKeys: ssl_context and insecure_http_hosts belong to URLs, not to fetch=")
            self._fetch = fetch
        else:
            self._fetch = HttpFetcher(
                urls or (), timeout=timeout, ssl_context=ssl_context, insecure_http_hosts=insecure_http_hosts
            )
        self._max_stale = seconds("max_stale", max_stale, low=0, high=30 * _DAY)
        self._max_refresh = seconds("max_refresh", max_refresh, low=0, high=_DAY)
        self._min_refresh = seconds("min_refresh", min_refresh, low=0, high=self._max_refresh)
        self._default_refresh = seconds("default_refresh", default_refresh, low=0, high=_DAY)
        self._lookup_burst = count("lookup_burst", lookup_burst, low=0)
        self._lookup_interval = seconds("lookup_interval", lookup_interval, low=0, high=_DAY)
        self._background = background
        self._pins = frozenset(pins)
        self._on_event = on_event
        self._monotonic = (clock or Clock()).monotonic
        self._jitter = jitter
        self._state: _State | None = None
        self._failures = 0
        self._retry_at = float("-inf")
        self._budget = float(self._lookup_burst)
        self._budget_at = self._monotonic()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()
        self._lookups = threading.Semaphore(_MAX_LOOKUPS)
        self._flight: _Flight | None = None
        _sources.add(self)

    # Reading

    def snapshot(self) -> KeySet:
        """
        The current keys. Waits (at most `timeout`) only if there are no usable ones.

        :raises KeysUnavailable: there are none, and none could be fetched.
        """
        state = self._state
        now = self._monotonic()
        if state is not None and now < state.due:
            return state.keys
        usable = state is not None and now < state.usable_until
        flight = self._flight
        idle = flight is None or now >= flight.lost_at
        if not usable or (idle and now >= self._retry_at):
            self._refresh(wait=not usable)
            state = self._state
        if state is None or now >= state.usable_until:
            raise KeysUnavailable("no_keys", retry_after=max(1.0, self._retry_at - now))
        return state.keys

    def search(self, kid: str) -> KeySet:
        """
        Look for a key id that `snapshot` lacks: joins a fetch that is under way, else spends the budget on one.

        At most four callers wait for this at the same time. The others get the current keys at once, as they do when
        the budget is spent.

        :raises KeysUnavailable: the key server could not be asked.
        """
        if self._is_known_as_unknown(kid):
            return self.snapshot()
        if self._lookup_interval == 0:
            return self._look_up(kid)
        lookups = self._lookups
        if not lookups.acquire(blocking=False):
            return self.snapshot()
        try:
            return self._look_up(kid)
        finally:
            lookups.release()

    def _look_up(self, kid: str) -> KeySet:
        running = self._flight
        if running is not None:
            running.done.wait(self._timeout)
            if self._state is not None and kid in self._state.keys.keys:
                return self._state.keys
        now = self._monotonic()
        if now < self._retry_at:
            raise KeysUnavailable("key_server", retry_after=max(1.0, self._retry_at - now))
        if not self._spend_budget(now):
            return self.snapshot()
        if not self._refresh(wait=True):
            raise KeysUnavailable("key_server", retry_after=max(1.0, self._retry_at - self._monotonic()))
        keys = self.snapshot()
        if kid not in keys.keys:
            self._remember_unknown(kid)
        return keys

    def preload(self) -> None:
        """
        Fetch now and wait, for instance at start-up.

        :raises KeysUnavailable: it failed.
        """
        if not self._refresh(wait=True):
            raise KeysUnavailable("no_keys", retry_after=max(1.0, self._retry_at - self._monotonic()))

    def export(self) -> bytes:
        """
        The current keys as a JWK set document, without fetching.

        :raises KeysUnavailable: there are none yet.
        """
        state = self._state
        if state is None:
            raise KeysUnavailable("no_keys")
        return state.keys.to_json()

    def load(self, document: bytes) -> None:
        """
        Start with keys that were exported before. They are used at once and refreshed at the first occasion.

        :raises ConfigError: the document is no usable JWK set.
        """
        try:
            keys = read_key_set(document, pins=self._pins, report=self._report_key)
        except KeySetRefused as refusal:
            raise ConfigError(f"load: {refusal.reason}") from None
        now = self._monotonic()
        self._state = _State(keys, due=now, usable_until=now + self._max_stale, second_look=False)

    # Fetching

    def _refresh(self, *, wait: bool) -> bool:
        """Make sure that a fetch is under way unless the back-off forbids it; True if one was seen to succeed."""
        with self._lock:
            now = self._monotonic()
            flight = self._flight
            if flight is not None and now >= flight.lost_at:
                flight = None
            lead = flight is None
            if flight is None:
                if now < self._retry_at:
                    return False
                # A fetcher that hangs for ever is given up, so that the next one may try.
                flight = _Flight(lost_at=now + 10 * self._timeout, scheduled=self._state is not None)
                self._flight = flight
        if lead and not self._background:
            self._fly(flight)
        elif lead:
            try:
                threading.Thread(target=self._fly, args=(flight,), name="st_verify-keys", daemon=True).start()
            except RuntimeError:  # no more threads, or the interpreter is shutting down
                self._failed("no_thread", 0.0)
                self._land(flight)
        if wait:
            # A little longer than the fetch itself may take, to see its end.
            flight.done.wait(self._timeout + 0.25)
        return flight.succeeded

    def _fly(self, flight: _Flight) -> None:
        try:
            fetched = self._fetch()
            if isinstance(fetched, bytes):
                fetched = FetchedKeys(fetched)
            previous = None if self._state is None else self._state.keys
            keys = read_key_set(fetched.body, previous=previous, pins=self._pins, report=self._report_key)
            self._succeeded(flight, keys, fetched.max_age)
        except FetchFailed as failure:
            self._failed(failure.reason, failure.retry_after)
        except KeySetRefused as refusal:
            self._failed(refusal.reason, 0.0)
        except Exception as error:  # the fetcher may be anybody's code, and nobody above us would see it
            self._failed(f"fetcher_{type(error).__name__}", 0.0)
        finally:
            self._land(flight)

    def _land(self, flight: _Flight) -> None:
        with self._lock:
            if self._flight is flight:
                self._flight = None
        flight.done.set()

    def _succeeded(self, flight: _Flight, keys: KeySet, max_age: float | None) -> None:
        now = self._monotonic()
        state = self._state
        said = self._default_refresh if max_age is None or math.isnan(max_age) else max_age
        period = min(max(said, self._min_refresh), self._max_refresh)
        second_look = flight.scheduled and state is not None and not state.second_look and now >= state.due
        due = now + (min(_SECOND_LOOK, period) if second_look else period + self._jitter())
        if state is not None and state.keys.keys.keys().isdisjoint(keys.keys):
            self._report("all_keys_replaced")
        with self._lock:
            if self._flight is not flight:
                return  # given up long ago; a later fetch knows better
            self._state = _State(keys, due=due, usable_until=now + self._max_stale, second_look=second_look)
            self._failures = 0
            self._retry_at = float("-inf")
        flight.succeeded = True

    def _failed(self, reason: str, retry_after: float) -> None:
        with self._lock:
            back_off = min(_FIRST_BACK_OFF * 2 ** min(self._failures, 10), _MAX_BACK_OFF)
            self._failures += 1
            self._retry_at = self._monotonic() + max(back_off, min(retry_after, 300.0))
        self._report("fetch_failed", detail=reason)

    # Unknown key ids

    def _is_known_as_unknown(self, kid: str) -> bool:
        with self._lock:
            until = self._unknown.get(kid)
            return until is not None and self._monotonic() < until

    def _remember_unknown(self, kid: str) -> None:
        with self._lock:
            self._unknown[kid] = self._monotonic() + _UNKNOWN_KID_SECONDS
            while len(self._unknown) > _UNKNOWN_KIDS:
                self._unknown.popitem(last=False)

    def _spend_budget(self, now: float) -> bool:
        if self._lookup_interval == 0:
            return True
        with self._lock:
            gained = (now - self._budget_at) / self._lookup_interval
            self._budget = min(float(self._lookup_burst), self._budget + gained)
            self._budget_at = now
            if self._budget < 1:
                return False
            self._budget -= 1
            return True

    # Events and forks

    def _report_key(self, event: str, kid: str) -> None:
        self._report(event, kid=ascii(kid[:64])[1:-1])

    def _report(self, name: str, *, kid: str = "", detail: str = "") -> None:
        level = logging.ERROR if name in ("private_key_published", "key_not_pinned") else logging.WARNING
        _logger.log(level, "%s%s%s", name, f" kid={kid}" if kid else "", f" ({detail})" if detail else "")
        if self._on_event is not None:
            try:
                self._on_event(KeyEvent(name, kid, detail))
            except Exception:  # the operator's callback must not cost us the keys
                _logger.exception("on_event raised")

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._lookups = threading.Semaphore(_MAX_LOOKUPS)
        self._flight = None


# A child of fork() has the keys, but not the thread that was fetching nor the one that held the lock.
_sources: weakref.WeakSet[RemoteKeys] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for source in _sources:
        source._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
