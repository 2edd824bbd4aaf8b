"""How a call reaches the core. What a call *means* is the querier's business."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import attrs

Method = Literal["GET", "POST", "PUT", "DELETE"]


@attrs.frozen
class Attempt:
    """
    One HTTP request as it is about to leave: what a network interceptor sees and may change.

    :param url: the full address, without query.
    :param params: query parameters.
    :param body: the JSON object to send, or None.
    """

    url: str
    method: Method
    headers: dict[str, str]
    params: dict[str, str]
    body: dict[str, Any] | None


@attrs.frozen
class CoreRequest:
    """
    One call of the core driver interface.

    :param path: the path, starting with a slash, tenant included, percent-quoted.
    :param params: query parameters, for GET and DELETE.
    :param body: the JSON object, for POST and PUT.
    :param headers: names in lower case (``cdi-version``, ``api-key``, ``rid``).
    :param intercept: called with a fresh :class:`Attempt` for every try; what it returns is sent.
    """

    method: Method
    path: str
    params: Mapping[str, str] = attrs.field(factory=dict[str, str])
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    intercept: Callable[[Attempt], Attempt] | None = None


@attrs.frozen
class CoreResponse:
    """
    An answer of the core.

    :param status: the HTTP status.
    :param body: the JSON object that came, owned by the caller; or the text, when it was not a JSON object.
    :param headers: names in lower case.
    """

    status: int
    body: dict[str, Any] | str
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])


class Transport(Protocol):
    """
    Anything that can take a call to a core.

    ``send`` raises :class:`~st_wsgi.errors.CoreUnavailable` when no answer came; an answer with a status is returned.
    It is called from many threads and greenlets, and after forks.
    """

    def send(self, request: CoreRequest, /) -> CoreResponse: ...

    def close(self) -> None: ...
