"""
The client of the core driver interface (CDI): versions, headers, and the cache of one request.

This module knows no recipe, and it does not know how bytes travel: an HTTP core and the embedded one are both
transports. What is read in one request is cached with that request and nowhere else.
"""

from __future__ import annotations

import copy
import functools
import importlib
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol, TypeAlias
from urllib.parse import quote

import attrs

from ..codec import present
from ..errors import BadInput, ConfigError, CoreError, CoreTooOld
from ..forks import renew_after_fork
from ..grammar import TENANT_ID, numbers
from .interceptor import NetworkInterceptor, intercepting
from .replies import Reply, read_reply
from .transport import CoreReply, CoreRequest, Method, Transport, copy_json

Parameters: TypeAlias = "Mapping[str, str | int | float | bool | None] | None"
Body: TypeAlias = "Mapping[str, Any] | None"

_log = logging.getLogger("st_wsgi.core")

_PATH = re.compile(r"(/[A-Za-z0-9._~%-]+)+")
_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){1,3}")
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=([0-9]{1,10})(?:$|[,\s])")
_KEY = re.compile(r"[\x21-\x7e]+")

_KEY_SET_PATH = "/.well-known/jwks.json"
_KEY_SET_SECONDS = 3.0
_KEY_SET_BYTES = 512 * 1024


class InFlight(Protocol):
    """
    What the querier uses of the request in flight, or of a block of work outside a request.

    :ivar ours: one of the SDK's own routes is served. Writes then empty the cache of this request only; all other
        writes empty those of the whole process.
    """

    @property
    def ours(self) -> bool: ...
    @property
    def core_cache(self) -> dict[Any, Any]: ...
    @property
    def user_context(self) -> dict[str, Any]: ...


class _Cache:
    """
    The replies of one core that one request has read, and how many calls it made.

    :cvar newest: replaced with every write outside our own routes, so that all requests of the process drop what they
        have cached: two instances can share a core. Setting an attribute is atomic, and no two objects are the same.
    """

    __slots__ = ("bodies", "calls", "mark")
    newest: ClassVar[object] = object()

    def __init__(self) -> None:
        self.bodies: dict[Any, dict[str, Any]] = {}
        self.calls = 0
        self.mark = self.newest

    def current(self) -> dict[Any, dict[str, Any]]:
        """Return the bodies that are still valid. A write replaces the mapping, so that a slow reader fills the old."""
        if self.mark is not self.newest:
            self.mark = self.newest
            self.bodies = {}
        return self.bodies


@attrs.define(eq=False)
class _Negotiation:
    """A version negotiation under way: the thread that makes it, and the result that other threads wait for."""

    thread: int
    result: Future[str | None] = attrs.field(factory=Future)


class _SpokenVersion:
    """
    The CDI version that is spoken with the core. One thread asks for it, once per process; the others wait.

    :param ask: asks the core.
    """

    def __init__(self, ask: Callable[[], str]) -> None:
        self.known: str | None = None
        self._ask = ask
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Make the lock anew in a child process."""
        self._lock = threading.Lock()
        self._negotiation: _Negotiation | None = None

    def get(self) -> str:
        """Return the version, once it is known."""
        while True:
            with self._lock:
                if self.known is not None:
                    return self.known
                under_way = self._negotiation
                if under_way is None:
                    mine = self._negotiation = _Negotiation(threading.get_ident())
            if under_way is None:
                return self._negotiate(mine)
            if under_way.thread == threading.get_ident():
                raise ConfigError("network_interceptor must not call the core before the first call has passed it")
            under_way.result.result()  # raises the error of the thread that asked; None when that thread was cut short

    def _negotiate(self, mine: _Negotiation) -> str:
        try:
            version = self.known = self._ask()
            mine.result.set_result(version)
            return version
        except CoreError as error:
            mine.result.set_exception(error)
            raise
        finally:
            with self._lock:
                if self._negotiation is mine:
                    self._negotiation = None
            if not mine.result.done():  # another kind of error, which concerns this thread only
                mine.result.set_result(None)


class Querier:
    """
    The client of one core (which may be several hosts).

    :param transport: sends the calls.
    :param api_key: the core's key, if it has one.
    :param api_domain: sent once, with the version negotiation, as the official SDKs do; None leaves it out.
    :param app_id: of the core's app, unless the address of the core names it.
    :param website_domain: likewise; None when it depends on the request.
    :param network_interceptor: see :data:`NetworkInterceptor`.
    :param disable_core_call_cache: ask the core for the same thing again within one request.
    :param cdi_versions: the CDI versions that this SDK may use.
    :param in_flight: returns the request in flight, or None; without one nothing is cached.
    :raises ConfigError: an API key that no header can carry, or versions that are none.

    Recipes use it as ``self.core``. An app reaches it for a call that no function covers, such as::

        core = st.services.core
        core.get("/recipe/user/metadata", {"userId": "ada"}).ok(dict[str, Any], "metadata")

    The verbs return a :class:`Reply`. They raise :class:`~st_wsgi.errors.CoreUnavailable` (no reply),
    :class:`~st_wsgi.errors.CoreRefused` (a status of 400 and above), :class:`~st_wsgi.errors.CoreTooOld` (no common
    version) and :class:`~st_wsgi.errors.CoreReplyInvalid` (no JSON object). ``tenant_id`` goes in front of the path;
    without one the call is for the whole app. Parameters that are None are left out; members of a body that are None
    are sent as null (see :func:`present`).

    :ivar recipe_id: the recipe whose calls these are; sent on ``/recipe`` paths, some of which several recipes have.
    """

    recipe_id: str | None = None

    def __init__(
        self,
        *,
        transport: Transport,
        api_key: str | None = None,
        api_domain: str | None = None,
        app_id: str = "public",
        website_domain: str | None = None,
        network_interceptor: NetworkInterceptor | None = None,
        disable_core_call_cache: bool = False,
        cdi_versions: Sequence[str] = ("5.4",),
        in_flight: Callable[[], InFlight | None] = lambda: None,
    ) -> None:
        if api_key is not None and not api_key.strip():
            raise ConfigError("api_key is empty: set what it is read from, or leave it out if the core has no key")
        if api_key is not None and not _KEY.fullmatch(api_key.strip()):
            raise ConfigError("api_key must be ASCII letters, digits and signs, without spaces and line breaks")
        if not cdi_versions or not all(_VERSION.fullmatch(version) for version in cdi_versions):
            raise ConfigError('cdi_versions must be a sequence of versions such as "5.4"')
        self._transport = transport
        self._api_key = api_key.strip() if api_key is not None else None
        self._api_domain = api_domain
        self._prefix = "" if app_id == "public" else f"/appid-{quote(app_id, safe='')}"
        self._website_domain = website_domain
        self._intercept = None if network_interceptor is None else intercepting(network_interceptor, self._user_context)
        self._caching = not disable_core_call_cache
        self._cdi_versions = tuple(cdi_versions)
        self._in_flight = in_flight
        self._span = _client_spans()
        self._version = _SpokenVersion(self._common_version)

    def __repr__(self) -> str:
        return f"<Querier of {self._transport!r}, CDI {self._version.known or ' or '.join(self._cdi_versions)}>"

    def of_recipe(self, recipe_id: str) -> Querier:
        """Return the client of the same core for the calls of a recipe."""
        querier = copy.copy(self)
        querier.recipe_id = recipe_id
        return querier

    def get(self, path: str, params: Parameters = None, *, tenant_id: str | None = None) -> Reply:
        """Ask the core, or the cache of this request."""
        request = self._request("GET", path, params, None, tenant_id)
        cache = self._cache() if self._caching else None
        if cache is None:
            return self._call(request)
        bodies = cache.current()
        key = (request.path, tuple(sorted(request.params.items())), tuple(sorted(request.headers.items())))
        if (cached := bodies.get(key)) is not None:
            return Reply(copy_json(cached), path=request.path)
        response = self._send(request)
        reply = read_reply(request, response)
        if response.status == 200:
            bodies[key] = copy_json(reply.body)
        return reply

    def post(self, path: str, body: Body = None, *, tenant_id: str | None = None) -> Reply:
        """Send *body* to the core."""
        return self._write(self._request("POST", path, None, body or {}, tenant_id))

    def put(self, path: str, body: Body = None, params: Parameters = None, *, tenant_id: str | None = None) -> Reply:
        """Send *body* to the core, with query parameters where the interface has both."""
        return self._write(self._request("PUT", path, params, body or {}, tenant_id))

    def delete(self, path: str, params: Parameters = None, *, tenant_id: str | None = None) -> Reply:
        """Have the core delete what the query parameters name."""
        return self._write(self._request("DELETE", path, params, None, tenant_id))

    def get_jwks(self) -> tuple[dict[str, Any], int | None]:
        """
        Return the core's key set, and for how many seconds it may be cached: None if the core does not say.

        This call has no API key, no version, no interceptor and no cache. It asks the hosts in their order, with a
        limit of three seconds in all and half a megabyte.
        """
        request = CoreRequest(
            method="GET",
            path=self._prefix + _KEY_SET_PATH,
            start="first",
            timeout=_KEY_SET_SECONDS,
            max_reply_bytes=_KEY_SET_BYTES,
        )
        response = self._send(request)
        max_age = _MAX_AGE.search(response.headers.get("cache-control", ""))
        return read_reply(request, response).body, int(max_age[1]) if max_age else None

    def api_version(self) -> str:
        """Return the CDI version that is spoken with the core. Only the first call of the process asks for it."""
        return self._version.get()

    def speaks(self, version: str) -> bool:
        """Return whether the CDI version that is spoken is *version* or a later one."""
        return numbers(self.api_version()) >= numbers(version)

    def forget(self) -> None:
        """Clear the cache of this request, so that the next call shows what others have changed meanwhile."""
        in_flight = self._in_flight()
        if in_flight is None or not in_flight.ours:
            _Cache.newest = object()
        if (cache := self._cache()) is not None:
            cache.bodies = {}

    def calls_in_request(self) -> int:
        """Return how many calls the request in flight has made to the core, without those that the cache answered."""
        cache = self._cache()
        return 0 if cache is None else cache.calls

    # Below: from the verbs down to the transport.

    def _write(self, request: CoreRequest) -> Reply:
        self.forget()
        try:
            return self._call(request)
        finally:  # a failed write may have been done
            self.forget()

    def _request(self, method: Method, path: str, params: Parameters, body: Body, tenant_id: str | None) -> CoreRequest:
        if not _PATH.fullmatch(path):
            raise ValueError(f"not a path of the core driver interface: {path!r}")
        headers = {"cdi-version": self._version.known or self._version.get()}
        if self._api_key is not None:
            headers["api-key"] = self._api_key
        if self.recipe_id is not None and path.startswith("/recipe/"):
            headers["rid"] = self.recipe_id
        if body is not None:
            headers["content-type"] = "application/json; charset=utf-8"
        if tenant_id is not None:
            if not TENANT_ID.fullmatch(tenant_id):
                raise BadInput("this is not a tenant id")
            path = f"/{quote(tenant_id, safe='')}{path}"
        return CoreRequest(
            method=method,
            path=self._prefix + path,
            params=_query(params),
            body=body,
            headers=headers,
            intercept=self._intercept,
        )

    def _call(self, request: CoreRequest) -> Reply:
        return read_reply(request, self._send(request))

    def _send(self, request: CoreRequest) -> CoreReply:
        cache = self._cache()
        if cache is not None:
            cache.calls += 1
        if self._span is None:
            return self._timed(request, cache)
        with self._span(f"{request.method} {request.path}") as span:
            span.set_attribute("http.request.method", request.method)
            span.set_attribute("url.path", request.path)
            response = self._timed(request, cache)
            span.set_attribute("http.response.status_code", response.status)
            span.set_attribute("server.address", response.host)
            return response

    def _timed(self, request: CoreRequest, cache: _Cache | None) -> CoreReply:
        if not _log.isEnabledFor(logging.DEBUG):
            return self._transport.send(request)
        call = f"call {'-' if cache is None else cache.calls}: {request.method} {request.path}"
        start = time.perf_counter()
        try:
            response = self._transport.send(request)
        except CoreError as error:
            _log.debug("%s: %s, %.1f ms", call, type(error).__name__, (time.perf_counter() - start) * 1000)
            raise
        duration = (time.perf_counter() - start) * 1000
        _log.debug("%s %s: %d, %.1f ms", call, response.host or "embedded", response.status, duration)
        return response

    # The request in flight.

    def _cache(self) -> _Cache | None:
        in_flight = self._in_flight()
        if in_flight is None:
            return None
        caches = in_flight.core_cache
        cache: _Cache | None = caches.get(self._version)  # which the clients of all recipes have in common
        return caches.setdefault(self._version, _Cache()) if cache is None else cache

    def _user_context(self) -> dict[str, Any]:
        in_flight = self._in_flight()
        return {} if in_flight is None else in_flight.user_context

    def _common_version(self) -> str:
        params = present({"apiDomain": self._api_domain, "websiteDomain": self._website_domain})
        request = CoreRequest(
            method="GET",
            path=f"{self._prefix}/apiversion",
            params=params,
            headers={} if self._api_key is None else {"api-key": self._api_key},
            intercept=self._intercept,
            start="peek",
        )
        theirs = self._call(request).member(list[str], "versions")
        known = {numbers(version) for version in theirs if _VERSION.fullmatch(version)}
        common = [version for version in self._cdi_versions if numbers(version) in known]
        if not common:
            raise CoreTooOld(ours=self._cdi_versions, theirs=[version[:20] for version in theirs[:50]])
        return max(common, key=numbers)


def _query(params: Parameters) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in (params or {}).items():
        if isinstance(value, bool):
            texts[name] = "true" if value else "false"
        elif value is not None:
            texts[name] = str(value)
    return texts


def _client_spans() -> Callable[[str], AbstractContextManager[Any]] | None:
    """Return a function that opens an OpenTelemetry span, or None without the package (extra ``otel``)."""
    try:
        trace = importlib.import_module("opentelemetry.trace")
    except ImportError:
        return None
    return functools.partial(trace.get_tracer("st_wsgi").start_as_current_span, kind=trace.SpanKind.CLIENT)
