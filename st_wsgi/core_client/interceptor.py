"""The network interceptor: a function of the app that sees every request to the core before it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..errors import ConfigError
from ..grammar import HEADER_NAME, HEADER_VALUE
from .transport import Attempt

NetworkInterceptor: TypeAlias = Callable[
    [str, str, dict[str, str], dict[str, str], dict[str, Any], dict[str, Any]],
    tuple[str, str, Mapping[str, str], "Mapping[str, str] | None", "Mapping[str, Any] | None"],
]
"""
Takes every request of the querier before it is sent, once for each try: url, method, headers, query parameters, body
(empty for GET and DELETE) and user context. Returns the first five, which are sent unchanged::

    def add_trace_id(url, method, headers, params, body, user_context):
        return url, method, {**headers, "x-trace-id": user_context.get("trace_id", "")}, params, body
"""


def intercepting(
    interceptor: NetworkInterceptor, user_context: Callable[[], dict[str, Any]]
) -> Callable[[Attempt], Attempt]:
    """
    Return the function that a transport calls for each try of a request.

    That function raises ConfigError if the interceptor returned something that cannot be sent.
    """

    def intercept(attempt: Attempt) -> Attempt:
        returned: object = interceptor(
            attempt.url,
            attempt.method,
            attempt.headers,
            attempt.params,
            {} if attempt.body is None else attempt.body,
            user_context(),
        )
        return _checked(returned, had_body=attempt.body is not None)

    return intercept


def _checked(returned: object, *, had_body: bool) -> Attempt:
    if not isinstance(returned, tuple | list) or len(returned) != 5:
        raise ConfigError("network_interceptor must return url, method, headers, params and body")
    url, method, headers, params, body = returned
    if not isinstance(url, str) or method not in ("GET", "POST", "PUT", "DELETE"):
        raise ConfigError("network_interceptor must return a url and one of GET, POST, PUT and DELETE as method")
    params = {} if params is None else params
    if not _is_text_mapping(headers) or not _is_text_mapping(params):
        raise ConfigError("network_interceptor must return headers and params as mappings from text to text")
    if not all(HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(text) for name, text in headers.items()):
        raise ConfigError("network_interceptor returned a header that cannot be sent: a line break, or not latin-1")
    if body is not None and not isinstance(body, Mapping):
        raise ConfigError("network_interceptor must return a mapping or None as body")
    sent = dict(body) if body is not None and (body or had_body) else None
    return Attempt(url=url, method=method, headers=dict(headers), params=dict(params), body=sent)


def _is_text_mapping(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(text, str) for name, text in value.items()
    )
