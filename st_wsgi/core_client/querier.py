"""
Speaks the core driver interface: versions, headers, the cache of one request, and what answers mean.

Nothing here knows a recipe, and nothing here knows how bytes travel: an HTTP core and the embedded one are both
transports. What is read in one request is kept in that request's own store and nowhere else.
"""

from __future__ import annotations

import functools
import importlib
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import attrs

from ..errors import BadInput, ConfigError, CoreAnswerInvalid, CoreError, CoreTooOld
from ..forks import renew_after_fork
from .interceptor import NetworkInterceptor, intercepting
from .replies import expect_status, read_answer
from .transport import CoreRequest, CoreResponse, Method, Transport, copy_json

__all__ = ["NetworkInterceptor", "Parameter", "Querier", "expect_status", "present"]

Parameter: TypeAlias = "str | int | float | bool | None"

_log = logging.getLogger("st_wsgi.core")

_K = TypeVar("_K")

_TENANT = re.compile(r"[a-z0-9-]{1,64}")
_PATH = re.compile(r"(/[A-Za-z0-9._~%-]+)+")
_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){1,3}")
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=([0-9]{1,10})(?:$|[,\s])")
_KEY = re.compile(r"[\x21-\x7e]+")

_KEY_SET_PATH = "/.well-known/jwks.json"
_KEY_SET_SECONDS = 3.0
_KEY_SET_BYTES = 512 * 1024


class _WriteMark:
    """
    Changes with every write that was not made for one request alone, so that all requests drop what they have read.

    The object itself is the mark: setting an attribute is atomic, and no two objects are the same.
    """

    def __init__(self) -> None:
        self.current = object()

    def change(self) -> None:
        self.current = object()


_writes = _WriteMark()  # one for the process: two instances can share a core


class _Kept:
    """What one request has read from one core, and how often it asked."""

    __slots__ = ("answers", "calls", "mark")

    def __init__(self) -> None:
        self.answers: dict[Any, dict[str, Any]] = {}
        self.calls = 0
        self.mark = _writes.current

    def readable(self) -> dict[Any, dict[str, Any]]:
        """Return the answers that still hold. A write replaces the mapping, so a late reader fills one that is gone."""
        if self.mark is not _writes.current:
            self.mark = _writes.current
            self.answers = {}
        return self.answers


@attrs.define(eq=False)
class _Negotiation:
    """A version negotiation under way, who makes it, and where the others wait."""

    thread: int
    result: Future[str | None] = attrs.field(factory=Future)


class Querier:
    """
    The client of one core (which may be several hosts).

    :param transport: takes the calls to the core.
    :param api_key: the core's key, if it asks for one.
    :param api_domain: sent once, with the version negotiation, as the official SDKs do.
    :param website_domain: likewise; None when it depends on the request.
    :param network_interceptor: see :data:`NetworkInterceptor`.
    :param disable_core_call_cache: ask the core for the same thing again within one request.
    :param cdi_versions: the CDI versions that this SDK may use.
    :param cache_store: returns the mapping that lives and dies with the request in flight, None outside of one.
    :param user_context: returns the user context in flight, for the interceptor.
    :param inside_api: says whether a request to one of the SDK's own routes is in flight. Writes of such a request
        empty its own cache only, all others those of the whole process.
    :raises ConfigError: for an API key that no header can carry, or versions that are none.

    The verbs return the core's JSON object, which is the caller's to change. They raise
    :class:`~st_wsgi.errors.CoreUnavailable` (no answer), :class:`~st_wsgi.errors.CoreRefused` (a status of 400 and
    above), :class:`~st_wsgi.errors.CoreTooOld` (no common version) and :class:`~st_wsgi.errors.CoreAnswerInvalid` (no
    JSON object). ``tenant_id`` goes in front of the path; without one the call is the app's. ``rid`` is sent on
    ``/recipe`` paths only. Parameters that are None are left out; members of a body that are None are sent as null.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        api_key: str | None = None,
        api_domain: str,
        website_domain: str | None = None,
        network_interceptor: NetworkInterceptor | None = None,
        disable_core_call_cache: bool = False,
        cdi_versions: Sequence[str] = ("5.4",),
        cache_store: Callable[[], dict[Any, Any] | None] = lambda: None,
        user_context: Callable[[], dict[str, Any] | None] = lambda: None,
        inside_api: Callable[[], bool] = lambda: False,
    ) -> None:
        if api_key is not None and not _KEY.fullmatch(api_key.strip()):
            raise ConfigError("api_key must be plain letters, digits and signs; leave it out if the core has none")
        if not cdi_versions or not all(_VERSION.fullmatch(version) for version in cdi_versions):
            raise ConfigError('cdi_versions must be a sequence of versions such as "5.4"')
        self._transport = transport
        self._api_key = api_key.strip() if api_key is not None else None
        self._api_domain = api_domain
        self._website_domain = website_domain
        self._intercept = intercepting(network_interceptor, user_context) if network_interceptor is not None else None
        self._caching = not disable_core_call_cache
        self._cdi_versions = tuple(cdi_versions)
        self._cache_store = cache_store
        self._inside_api = inside_api
        self._span = _client_spans()
        self._version: str | None = None
        self._lock = threading.Lock()
        self._negotiation: _Negotiation | None = None
        renew_after_fork(self)

    def get(
        self,
        path: str,
        params: Mapping[str, Parameter] | None = None,
        *,
        tenant_id: str | None = None,
        rid: str | None = None,
    ) -> dict[str, Any]:
        """Ask the core, or the cache of this request."""
        request = self._request("GET", path, params=params, body=None, tenant_id=tenant_id, rid=rid)
        kept = self._kept() if self._caching else None
        if kept is None:
            return self._call(request)
        readable = kept.readable()
        key = (request.path, tuple(sorted(request.params.items())), tuple(sorted(request.headers.items())))
        if (known := readable.get(key)) is not None:
            return copy_json(known)
        response = self._send(request)
        answer = read_answer(request, response)
        if response.status == 200:
            readable[key] = copy_json(answer)
        return answer

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        tenant_id: str | None = None,
        rid: str | None = None,
    ) -> dict[str, Any]:
        """Send *body* to the core."""
        return self._write("POST", path, params=None, body=body or {}, tenant_id=tenant_id, rid=rid)

    def put(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, Parameter] | None = None,
        *,
        tenant_id: str | None = None,
        rid: str | None = None,
    ) -> dict[str, Any]:
        """Send *body* to the core, with query parameters where the interface has both."""
        return self._write("PUT", path, params=params, body=body or {}, tenant_id=tenant_id, rid=rid)

    def delete(
        self,
        path: str,
        params: Mapping[str, Parameter] | None = None,
        *,
        tenant_id: str | None = None,
        rid: str | None = None,
    ) -> dict[str, Any]:
        """Have the core delete what the query parameters name."""
        return self._write("DELETE", path, params=params, body=None, tenant_id=tenant_id, rid=rid)

    def get_jwks(self) -> tuple[dict[str, Any], int | None]:
        """
        Return the core's key set and how many seconds it may be kept, None if the core does not say.

        Outside everything else: no API key, no version, no interceptor, no cache; the hosts in their order; three
        seconds in all and half a megabyte.
        """
        request = CoreRequest(
            method="GET",
            path=_KEY_SET_PATH,
            start="first",
            timeout=_KEY_SET_SECONDS,
            max_answer_bytes=_KEY_SET_BYTES,
        )
        response = self._send(request)
        answer = read_answer(request, response)
        found = _MAX_AGE.search(response.headers.get("cache-control", ""))
        return answer, int(found[1]) if found else None

    def api_version(self) -> str:
        """Return the CDI version to speak. The core is asked once per process, by one of those who need it first."""
        while True:
            with self._lock:
                if self._version is not None:
                    return self._version
                under_way = self._negotiation
                if under_way is None:
                    mine = self._negotiation = _Negotiation(threading.get_ident())
            if under_way is None:
                return self._negotiate(mine)
            if under_way.thread == threading.get_ident():
                raise ConfigError("network_interceptor must not call the core before the first call has passed it")
            under_way.result.result()  # raises what the one who asked got; comes back empty when it was cut short

    def speaks(self, version: str) -> bool:
        """Return whether the CDI version that is spoken is *version* or a later one."""
        return _numbers(self.api_version()) >= _numbers(version)

    def calls_in_request(self) -> int:
        """Return how many calls the request in flight has made to the core, those to the cache not counted."""
        kept = self._kept()
        return 0 if kept is None else kept.calls

    def after_fork(self) -> None:
        self._lock = threading.Lock()
        self._negotiation = None

    # Below: from the verbs down to the transport.

    def _write(
        self,
        method: Method,
        path: str,
        *,
        params: Mapping[str, Parameter] | None,
        body: Mapping[str, Any] | None,
        tenant_id: str | None,
        rid: str | None,
    ) -> dict[str, Any]:
        request = self._request(method, path, params=params, body=body, tenant_id=tenant_id, rid=rid)
        self._forget()
        try:
            return self._call(request)
        finally:  # a failed write may have been done
            self._forget()

    def _request(
        self,
        method: Method,
        path: str,
        *,
        params: Mapping[str, Parameter] | None,
        body: Mapping[str, Any] | None,
        tenant_id: str | None,
        rid: str | None,
    ) -> CoreRequest:
        if not _PATH.fullmatch(path):
            raise ValueError(f"not a path of the core driver interface: {path!r}")
        headers = {"cdi-version": self._version or self.api_version()}
        if self._api_key is not None:
            headers["api-key"] = self._api_key
        if rid is not None and path.startswith("/recipe/"):
            headers["rid"] = rid
        if body is not None:
            headers["content-type"] = "application/json; charset=utf-8"
        if tenant_id is not None:
            if not _TENANT.fullmatch(tenant_id):
                raise BadInput("this is not a tenant id")
            path = f"/{quote(tenant_id, safe='')}{path}"
        return CoreRequest(
            method=method,
            path=path,
            params=_query(params) if params else {},
            body=body,
            headers=headers,
            intercept=self._intercept,
        )

    def _call(self, request: CoreRequest) -> dict[str, Any]:
        return read_answer(request, self._send(request))

    def _send(self, request: CoreRequest) -> CoreResponse:
        kept = self._kept()
        if kept is not None:
            kept.calls += 1
        if self._span is None:
            return self._timed(request, kept)
        with self._span(f"{request.method} {request.path}") as span:
            span.set_attribute("http.request.method", request.method)
            span.set_attribute("url.path", request.path)
            response = self._timed(request, kept)
            span.set_attribute("http.response.status_code", response.status)
            span.set_attribute("server.address", response.host)
            return response

    def _timed(self, request: CoreRequest, kept: _Kept | None) -> CoreResponse:
        if not _log.isEnabledFor(logging.DEBUG):
            return self._transport.send(request)
        number = "-" if kept is None else kept.calls
        began = time.perf_counter()
        try:
            response = self._transport.send(request)
        except CoreError as error:
            spent = (time.perf_counter() - began) * 1000
            _log.debug("call %s: %s %s: %s, %.1f ms", number, request.method, request.path, type(error).__name__, spent)
            raise
        spent = (time.perf_counter() - began) * 1000
        status, host = response.status, response.host or "embedded"
        _log.debug("call %s: %s %s %s: %d, %.1f ms", number, request.method, request.path, host, status, spent)
        return response

    # The cache of one request.

    def _kept(self) -> _Kept | None:
        store = self._cache_store()
        if store is None:
            return None
        kept = store.get(self)
        if kept is None:
            kept = store.setdefault(self, _Kept())
        return kept if isinstance(kept, _Kept) else None

    def _forget(self) -> None:
        if not self._inside_api():
            _writes.change()
        if (kept := self._kept()) is not None:
            kept.answers = {}

    # Version negotiation.

    def _negotiate(self, mine: _Negotiation) -> str:
        try:
            version = self._version = self._common_version()
            mine.result.set_result(version)
            return version
        except CoreError as error:
            mine.result.set_exception(error)
            raise
        finally:
            with self._lock:
                if self._negotiation is mine:
                    self._negotiation = None
            if not mine.result.done():  # something else went wrong here, which is not the others' business
                mine.result.set_result(None)

    def _common_version(self) -> str:
        params = {"apiDomain": self._api_domain}
        if self._website_domain is not None:
            params["websiteDomain"] = self._website_domain
        request = CoreRequest(
            method="GET",
            path="/apiversion",
            params=params,
            headers={} if self._api_key is None else {"api-key": self._api_key},
            intercept=self._intercept,
            start="peek",
        )
        theirs = self._call(request).get("versions")
        if not isinstance(theirs, list) or not all(isinstance(version, str) for version in theirs):
            raise CoreAnswerInvalid(path="/apiversion", problem="versions is not a list of texts")
        known = {_numbers(version) for version in theirs if _VERSION.fullmatch(version)}
        common = [version for version in self._cdi_versions if _numbers(version) in known]
        if not common:
            raise CoreTooOld(ours=self._cdi_versions, theirs=[version[:20] for version in theirs[:50]])
        return max(common, key=_numbers)


def present(members: Mapping[_K, Any]) -> dict[_K, Any]:
    """Return *members* without those that are None: the core takes an absent optional member, but not a null one."""
    return {name: value for name, value in members.items() if value is not None}


def _query(params: Mapping[str, Parameter]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in params.items():
        if isinstance(value, bool):
            texts[name] = "true" if value else "false"
        elif value is not None:
            texts[name] = str(value)
    return texts


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")]
    while numbers and numbers[-1] == 0:  # 5.4 and 5.4.0 are the same
        numbers.pop()
    return tuple(numbers)


def _client_spans() -> Callable[[str], AbstractContextManager[Any]] | None:
    """Return what opens an OpenTelemetry span, or None when the package (extra ``otel``) is not there."""
    try:
        trace = importlib.import_module("opentelemetry.trace")
    except ImportError:
        return None
    return functools.partial(trace.get_tracer("st_wsgi").start_as_current_span, kind=trace.SpanKind.CLIENT)
