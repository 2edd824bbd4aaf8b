"""
Speaks the core driver interface: versions, headers, the cache of one request, and what answers mean.

Nothing here knows a recipe, and nothing here knows how bytes travel: an HTTP core and the embedded one are both
transports. What is read in one request is kept in that request's own store and nowhere else.
"""

from __future__ import annotations

import importlib
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import attrs

from .errors import BadInput, ConfigError, CoreAnswerInvalid, CoreError, CoreRefused, CoreTooOld
from .forks import renew_after_fork
from .transport import Attempt, CoreRequest, CoreResponse, Method, Transport, copy_json

Parameter: TypeAlias = "str | int | float | bool | None"

NetworkInterceptor: TypeAlias = Callable[
    [str, str, dict[str, str], dict[str, str], dict[str, Any], dict[str, Any]],
    tuple[str, str, Mapping[str, str], "Mapping[str, str] | None", "Mapping[str, Any] | None"],
]
"""
Sees every request of the querier just before it leaves, once for each try: url, method, headers, query parameters, body
(empty for GET and DELETE) and user context. Returns the first five, which are sent as they are.
"""

_log = logging.getLogger("st_wsgi.core")

_K = TypeVar("_K")

_TENANT = re.compile(r"[a-z0-9-]{1,64}")
_PATH = re.compile(r"(/[A-Za-z0-9._~%-]+)+")
_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){1,3}")
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=([0-9]{1,10})(?:$|[,\s])")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_SECRET = re.compile(r"password|token|code|secret|hash|key|jwt", re.IGNORECASE)

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
        if api_key is not None and (not api_key.strip() or not _HEADER_VALUE.fullmatch(api_key)):
            raise ConfigError("api_key must be a text that an HTTP header can carry; leave it out if the core has none")
        if not cdi_versions or not all(_VERSION.fullmatch(version) for version in cdi_versions):
            raise ConfigError('cdi_versions must be a sequence of versions such as "5.4"')
        self._transport = transport
        self._api_key = api_key.strip() if api_key is not None else None
        self._api_domain = api_domain
        self._website_domain = website_domain
        self._network_interceptor = network_interceptor
        self._caching = not disable_core_call_cache
        self._cdi_versions = tuple(cdi_versions)
        self._cache_store = cache_store
        self._user_context = user_context
        self._inside_api = inside_api
        self._tracer = _tracer()
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
        answer = self._meaning(request, response)
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
        answer = self._meaning(request, response)
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
            intercept=self._intercept(),
        )

    def _call(self, request: CoreRequest) -> dict[str, Any]:
        return self._meaning(request, self._send(request))

    def _send(self, request: CoreRequest) -> CoreResponse:
        kept = self._kept()
        if kept is not None:
            kept.calls += 1
        if self._tracer is None:
            return self._timed(request, kept)
        with self._tracer.start_as_current_span(f"{request.method} {request.path}", kind=_client_kind()) as span:
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

    def _meaning(self, request: CoreRequest, response: CoreResponse) -> dict[str, Any]:
        body = response.body
        if response.status >= 400:
            said = body if isinstance(body, str) else str(body.get("message", "a JSON object"))
            raise CoreRefused(
                status=response.status,
                text=self._without_secrets(said, request),
                method=request.method,
                path=request.path,
                remedy=_remedy(response.status, said),
            )
        if not 200 <= response.status < 300:
            raise CoreAnswerInvalid(
                path=request.path,
                problem=f"status {response.status}; redirects are not followed: give the core's own address",
            )
        if isinstance(body, str):
            kind = response.headers.get("content-type", "no content type")
            raise CoreAnswerInvalid(
                path=request.path,
                problem=f"no JSON object but {len(body)} characters ({kind[:60]}); is this the address of a core?",
            )
        return body

    def _without_secrets(self, text: str, request: CoreRequest) -> str:
        secrets = [] if self._api_key is None else [self._api_key]
        secrets.extend(_secrets(request.params))
        secrets.extend(_secrets(request.body or {}))
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

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

    # The interceptor.

    def _intercept(self) -> Callable[[Attempt], Attempt] | None:
        interceptor = self._network_interceptor
        if interceptor is None:
            return None
        context = self._user_context()

        def intercept(attempt: Attempt) -> Attempt:
            returned: object = interceptor(
                attempt.url,
                attempt.method,
                attempt.headers,
                attempt.params,
                {} if attempt.body is None else attempt.body,
                {} if context is None else context,
            )
            return _checked_attempt(returned, had_body=attempt.body is not None)

        return intercept

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
            intercept=self._intercept(),
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


def expect_status(body: Mapping[str, Any], path: str, *allowed: str) -> str:
    """
    Return the ``status`` of an answer of the core.

    :param path: of the call, for the error.
    :param allowed: every status that the caller can handle.
    :raises CoreAnswerInvalid: when it is missing, or none of these.
    """
    status = body.get("status")
    if not isinstance(status, str) or status not in allowed:
        told = f"{status[:80]!r}" if isinstance(status, str) else "missing" if status is None else "not a text"
        raise CoreAnswerInvalid(path=path, problem=f"status is {told}, expected {' or '.join(allowed)}")
    return status


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


def _remedy(status: int, said: str) -> str:
    if status == 401:
        return "Set api_key to one of the keys that the core is configured with"
    if status == 402:
        return "This feature needs a licence of the official core; the embedded core has it switched on"
    if status == 404 and "Not found" in said:
        return "Is this the address of a core, with the right base path, and does the tenant exist?"
    return ""


def _secrets(value: object, *, named: bool = False) -> list[str]:
    """Return the texts in *value* that stand under a name which says that they are secret."""
    if isinstance(value, str):
        return [value] if named and len(value) > 3 else []
    if isinstance(value, Mapping):
        return [
            text
            for name, item in value.items()
            for text in _secrets(item, named=named or bool(_SECRET.search(str(name))))
        ]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _secrets(item, named=named)]
    return []


def _checked_attempt(returned: object, *, had_body: bool) -> Attempt:
    if not isinstance(returned, tuple | list) or len(returned) != 5:
        raise ConfigError("network_interceptor must return url, method, headers, params and body")
    url, method, headers, params, body = returned
    if not isinstance(url, str) or method not in ("GET", "POST", "PUT", "DELETE"):
        raise ConfigError("network_interceptor must return a url and one of GET, POST, PUT and DELETE as method")
    params = {} if params is None else params
    if not _is_text_mapping(headers) or not _is_text_mapping(params):
        raise ConfigError("network_interceptor must return headers and params as mappings from text to text")
    if not all(_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(text) for name, text in headers.items()):
        raise ConfigError("network_interceptor returned a header that cannot be sent: a line break, or not latin-1")
    if body is not None and not isinstance(body, Mapping):
        raise ConfigError("network_interceptor must return a mapping or None as body")
    sent = dict(body) if body is not None and (body or had_body) else None
    return Attempt(url=url, method=method, headers=dict(headers), params=dict(params), body=sent)


def _is_text_mapping(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(text, str) for name, text in value.items()
    )


def _tracer() -> Any:
    """Return an OpenTelemetry tracer if the package is there (extra ``otel``), else None, which costs nothing."""
    try:
        trace = importlib.import_module("opentelemetry.trace")
    except ImportError:
        return None
    return trace.get_tracer("st_wsgi")


def _client_kind() -> Any:
    return importlib.import_module("opentelemetry.trace").SpanKind.CLIENT
