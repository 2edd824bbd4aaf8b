"""
Keys of a key server. Good requests are served during a rotation of the keys and during an outage.

Three laws:
* A request that finds usable keys takes no lock and does not wait, even if the key server hangs.
* A failed fetch never replaces a good key set. Only its age (`max_stale`) makes it unusable.
* Strangers cannot make us fetch: unknown key ids have a budget, failures have a back-off, one fetch runs at a time, and
  few requests wait for it.

No thread runs all the time. The first request after the refresh time starts a short-lived daemon thread and goes on
with the keys that it has. A request waits, at most `timeout`, only without usable keys or with an unknown key id.
"""

from __future__ import annotations

import functools
import importlib
import logging
import math
import os
import random
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

from st_verify.errors import EVENTS, FetchFailed, KeySetRefused, KeysUnavailable, SettingError
from st_verify.fetch import FetchedKeys, HttpFetcher
from st_verify.jwk import RS256, KeySet, read_key_set
from st_verify.keys import THUMBPRINTS
from st_verify.settings import Clock, count, flag, function, require, seconds, text_list

if TYPE_CHECKING:
    import ssl

_logger = logging.getLogger("st_verify.keys")

# What a fetch imports. The first source imports it, not the thread that fetches: after a fork during such an import,
# the child would have an import lock that is never released.
_NEEDED_TO_FETCH = ("encodings.idna", "http.client", "jwt.algorithms", "ssl")
_FIRST_BACK_OFF = 0.5
_MAX_BACK_OFF = 30.0
# The core publishes a key 60 s before it signs with it, so the second look comes in time.
_SECOND_LOOK = 30.0
_UNKNOWN_KIDS = 256
_UNKNOWN_KID_SECONDS = 300.0
# Requests that may wait for the look-up of a key id at the same time: strangers choose the ids, and a server may hang.
_MAX_LOOKUPS = 4
_DAY = 86_400.0

#: Returns a JWK set document, alone or with the max-age that its server named. Raises `FetchFailed` or anything else.
Fetcher = Callable[[], "FetchedKeys | bytes"]


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """An event about keys that an operator may want to count."""

    #: A fixed word; `st_verify.EVENTS` explains each.
    name: str
    #: The key id of the event, in ASCII and cut to 64 characters; empty if it has none.
    kid: str = ""
    #: Why a fetch failed: a fixed word for each URL that was tried.
    detail: str = ""
    #: The key source: its name, or its URLs.
    source: str = ""


@dataclass(frozen=True, slots=True)
class _State:
    keys: KeySet
    due: float
    usable_until: float
    second_look: bool


class _Flight:
    """A fetch that is under way."""

    def __init__(self, *, lost_at: float, scheduled: bool) -> None:
        self.lost_at, self.scheduled, self.succeeded = lost_at, scheduled, False
        self.done = threading.Event()


@dataclass(eq=False, repr=False)
class RemoteKeys:
    """
    Keys of a key server.

    >>> keys = RemoteKeys("https://api.example.com/auth/jwt/jwks.json", max_stale=6 * 3600)
    >>> keys
    RemoteKeys(https://api.example.com/auth/jwt/jwks.json, not fetched yet)

    :param urls: the JWKS URL of an SDK (``<API domain><API base path>/jwt/jwks.json``) or of a core
        (``/.well-known/jwks.json``); or several of one app, tried in order. https, or http on a loopback host.
    :param fetch: instead of URLs, a function that gets the document. It is called by one thread at a time.
    :param timeout: seconds that a fetch may take in all, and that a request waits for one; 0.05 to 60.
    :param max_stale: seconds for which the last good keys are used while the server fails.
    :param min_refresh: smallest number of seconds between refreshes, even if the server names a smaller max-age.
    :param max_refresh: largest number of seconds between refreshes, even if the server names a larger max-age.
    :param default_refresh: seconds between refreshes if the server names no max-age.
    :param background: True refreshes in a short-lived daemon thread. False does it in the request that finds the keys
        due, for fetchers that take microseconds.
    :param pins: RFC 7638 thumbprints; no other key is used.
    :param lookup_burst: fetches that unknown key ids may cause at once; then one each `lookup_interval` seconds.
    :param lookup_interval: seconds, see `lookup_burst`; 0 means no limit, also on the requests that wait.
    :param ssl_context: TLS settings, for instance for a private certificate authority. It must verify.
    :param insecure_http_hosts: hosts that are asked over plain http, such as the service name of a core in a private
        network. A machine in that network that answers in its place can make tokens of its own.
    :param name: what logs and events call these keys; by default the URLs.
    :param on_event: called with every `KeyEvent`; must return quickly. Events are also logged.
    :param clock: see `Clock`.
    :param jitter: returns seconds that are added to each refresh time, so that workers do not fetch together.
    :raises SettingError: a setting is contradictory or out of range. Nothing is fetched here.
    """

    urls: str | Sequence[str] | None = None
    _: KW_ONLY
    fetch: Fetcher | None = None
    timeout: float = 3.0
    max_stale: float = _DAY
    min_refresh: float = 60.0
    max_refresh: float = 14_400.0
    default_refresh: float = 900.0
    background: bool = True
    pins: Collection[str] = ()
    lookup_burst: int = 2
    lookup_interval: float = 10.0
    ssl_context: ssl.SSLContext | None = None
    insecure_http_hosts: Collection[str] = ()
    name: str | None = None
    on_event: Callable[[KeyEvent], None] | None = None
    clock: Clock | None = None
    jitter: Callable[[], float] = lambda: random.uniform(0, 5)

    # Keys of providers of id tokens may be for others.
    _algorithms: ClassVar[Collection[str]] = (RS256,)

    def __post_init__(self) -> None:
        for module in _NEEDED_TO_FETCH:
            importlib.import_module(module)
        require((self.urls is None) != (self.fetch is None), "urls: pass JWKS URLs, or fetch=, and not both")
        has_no_extras = self.ssl_context is None and not self.insecure_http_hosts
        cure = "ssl_context and insecure_http_hosts are for URLs; leave them out"
        require(self.fetch is None or has_no_extras, f"fetch: {cure}")
        require(self.clock is None or isinstance(self.clock, Clock), "clock: pass a st_verify.Clock")
        require(self.name is None or isinstance(self.name, str), "name: pass a str")
        function("jitter", self.jitter)
        function("on_event", self.on_event, or_none=True)
        function("fetch", self.fetch, or_none=True)
        flag("background", self.background)
        seconds("timeout", self.timeout, low=0.05, high=60)
        seconds("max_stale", self.max_stale, low=0, high=30 * _DAY)
        seconds("max_refresh", self.max_refresh, low=0, high=_DAY)
        seconds("min_refresh", self.min_refresh, low=0, high=self.max_refresh)
        seconds("default_refresh", self.default_refresh, low=0, high=_DAY)
        count("lookup_burst", self.lookup_burst, low=0)
        seconds("lookup_interval", self.lookup_interval, low=0, high=_DAY)
        pins, algorithms = text_list("pins", self.pins, *THUMBPRINTS), self._algorithms
        self._read = functools.partial(read_key_set, pins=pins, algorithms=algorithms, report=self._report_key)
        self._fetch: Fetcher = self.fetch or HttpFetcher(
            self.urls or (), self.timeout, self.ssl_context, self.insecure_http_hosts
        )
        self._name: str = self.name or str(getattr(self.fetch, "__qualname__", self._fetch))
        self._monotonic = (self.clock or Clock()).monotonic
        self._state: _State | None = None
        self._failures = 0
        self._retry_at = float("-inf")
        self._budget = float(self.lookup_burst)
        self._budget_at = self._monotonic()
        # Key ids that the server does not have, and until when we do not ask for them again.
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._flight: _Flight | None = None
        self._after_fork()
        _sources.add(self)

    def __repr__(self) -> str:
        state = self._state
        keys = "not fetched yet" if state is None else f"{len(state.keys.keys)} keys"
        return f"RemoteKeys({self._name}, {keys})"

    def snapshot(self) -> KeySet:
        """
        Return the current keys. This waits, at most `timeout`, only if there are no usable ones.

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
            self._refresh(wait=0.0 if usable else self.timeout)
            state = self._state
        if state is None or now >= state.usable_until:
            raise self._unavailable("no_keys")
        return state.keys

    def search(self, kid: str) -> KeySet:
        """
        Look for a key id that `snapshot` lacks: join a fetch that is under way, or start one within the budget.

        At most four callers wait at the same time. The others get the current keys at once, like those that come when
        the budget is spent.

        :raises KeysUnavailable: the key server could not be asked.
        """
        lookups = self._lookups
        if self._monotonic() < self._unknown.get(kid, float("-inf")):
            return self.snapshot()
        if self.lookup_interval == 0:
            return self._look_up(kid)
        if not lookups.acquire(blocking=False):
            return self.snapshot()
        try:
            return self._look_up(kid)
        finally:
            lookups.release()

    def _look_up(self, kid: str) -> KeySet:
        deadline = time.monotonic() + self.timeout
        running = self._flight
        if running is not None:
            running.done.wait(self.timeout)
            if self._state is not None and kid in self._state.keys.keys:
                return self._state.keys
        now = self._monotonic()
        if now < self._retry_at:
            raise self._unavailable("key_server")
        if not self._spend_budget(now):
            return self.snapshot()
        if not self._refresh(wait=max(0.0, deadline - time.monotonic())):
            raise self._unavailable("key_server")
        keys = self.snapshot()
        if kid not in keys.keys:
            with self._lock:
                self._unknown[kid] = self._monotonic() + _UNKNOWN_KID_SECONDS
                while len(self._unknown) > _UNKNOWN_KIDS:
                    self._unknown.popitem(last=False)
        return keys

    def preload(self) -> None:
        """
        Fetch now and wait, for instance at start-up.

        :raises KeysUnavailable: the fetch failed; the log says why.
        """
        if not self._refresh(wait=self.timeout):
            raise self._unavailable("no_keys")

    def export(self) -> bytes:
        """
        Return the current keys as a JWK set document, without a fetch.

        :raises KeysUnavailable: there are none yet.
        """
        state = self._state
        if state is None:
            raise KeysUnavailable("no_keys")
        return state.keys.to_json()

    def load(self, document: bytes) -> None:
        """
        Start with keys that `export` returned before. They are used at once and refreshed with the first request.

        :raises SettingError: the document is no usable JWK set.
        """
        require(isinstance(document, bytes), "document: pass the bytes that export() returned")
        try:
            keys = self._read(document)
        except KeySetRefused as refusal:
            raise SettingError(f"document: pass what export() returned; {refusal.reason}") from None
        now = self._monotonic()
        self._state = _State(keys, due=now, usable_until=now + self.max_stale, second_look=False)

    def _refresh(self, *, wait: float) -> bool:
        """Start a fetch unless one runs or the back-off forbids it. Return whether it succeeds in `wait` seconds."""
        with self._lock:
            now = self._monotonic()
            flight = self._flight
            if flight is not None and now >= flight.lost_at:
                flight = None
            lead = flight is None
            if flight is None:
                if now < self._retry_at:
                    return False
                # A fetch that hangs is given up after ten timeouts, so that another can start.
                flight = _Flight(lost_at=now + 10 * self.timeout, scheduled=self._state is not None)
                self._flight = flight
        if lead and not self.background:
            self._fly(flight)
        elif lead:
            try:
                threading.Thread(target=self._fly, args=(flight,), name="st_verify-keys", daemon=True).start()
            except RuntimeError:  # no more threads, or the interpreter is shutting down
                self._failed("no_thread", 0.0)
                self._land(flight)
        if wait:
            flight.done.wait(wait)
        return flight.succeeded

    def _fly(self, flight: _Flight) -> None:
        try:
            fetched = self._fetch()
            if isinstance(fetched, bytes):
                fetched = FetchedKeys(fetched)
            previous = None if self._state is None else self._state.keys
            self._succeeded(flight, self._read(fetched.body, previous=previous), fetched.max_age)
        except (FetchFailed, KeySetRefused) as failure:
            self._failed(failure.reason, getattr(failure, "retry_after", 0.0))
        except Exception as error:  # a fetcher may raise anything, and its thread has no other handler
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
        wanted = self.default_refresh if max_age is None or math.isnan(max_age) else max_age
        period = min(max(wanted, self.min_refresh), self.max_refresh)
        second_look = flight.scheduled and state is not None and not state.second_look and now >= state.due
        due = now + (min(_SECOND_LOOK, period) if second_look else period + self.jitter())
        if state is not None and state.keys.keys.keys().isdisjoint(keys.keys):
            self._report("all_keys_replaced")
        with self._lock:
            if self._flight is not flight:
                return  # given up long ago; a later fetch has newer keys
            self._state = _State(keys, due=due, usable_until=now + self.max_stale, second_look=second_look)
            self._failures = 0
            self._retry_at = float("-inf")
        flight.succeeded = True

    def _failed(self, reason: str, retry_after: float) -> None:
        with self._lock:
            back_off = min(_FIRST_BACK_OFF * 2 ** min(self._failures, 10), _MAX_BACK_OFF)
            self._failures += 1
            self._retry_at = self._monotonic() + max(back_off, min(retry_after, 300.0))
        self._report("fetch_failed", detail=reason)

    def _spend_budget(self, now: float) -> bool:
        if self.lookup_interval == 0:
            return True
        with self._lock:
            gained = (now - self._budget_at) / self.lookup_interval
            self._budget = min(float(self.lookup_burst), self._budget + gained)
            self._budget_at = now
            if self._budget < 1:
                return False
            self._budget -= 1
            return True

    def _unavailable(self, reason: str) -> KeysUnavailable:
        return KeysUnavailable(reason, retry_after=max(1.0, self._retry_at - self._monotonic()))

    def _report_key(self, event: str, kid: str) -> None:
        self._report(event, kid=ascii(kid[:64])[1:-1])

    def _report(self, name: str, *, kid: str = "", detail: str = "") -> None:
        level = logging.ERROR if name in ("private_key_published", "key_not_pinned") else logging.WARNING
        about = f" kid={kid}" if kid else f" ({detail})" if detail else ""
        _logger.log(level, "keys of %s: %s%s: %s", self._name, name, about, EVENTS[name])
        if self.on_event is not None:
            try:
                self.on_event(KeyEvent(name, kid, detail, self._name))
            except Exception:  # an error in the callback must not cost us the keys
                _logger.exception("keys of %s: on_event raised for %s", self._name, name)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._lookups = threading.Semaphore(_MAX_LOOKUPS)
        self._flight = None


# A child of fork() has the keys. It has neither the thread that was fetching nor the one that held a lock.
_sources: weakref.WeakSet[RemoteKeys] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for source in _sources:
        source._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
