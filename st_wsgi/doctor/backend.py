"""The back end that is examined: an address that runs, or an app in this process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs
import urllib3
from urllib3.exceptions import HTTPError, TimeoutError as TimedOut
from werkzeug.test import Client

from ..config import AppInfo
from ..exchanges import Exchanges
from ..urls import normalise_origin, normalise_path

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_SECONDS = 10.0
_SKEW = 60


@attrs.frozen
class Seen:
    """
    A response.

    :param status: 0 if there was none.
    :param headers: in their order, with those that are there twice.
    :param failure: why there was none.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    failure: Exception | None = None

    def all(self, name: str) -> list[str]:
        """Return the values of all headers of a name, in lower case."""
        return [value for key, value in self.headers if key.lower() == name]

    def words(self, name: str) -> set[str]:
        """Return the words in a header that is a list, in lower case."""
        return {word.strip().lower() for value in self.all(name) for word in value.split(",")}

    def json(self) -> dict[str, Any]:
        """Return the JSON object in the body; an empty one if the body is something else."""
        try:
            value: object = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def described(self) -> str:
        """The response in a few words, or the kind of the failure: its text could have a password."""
        kind = next(iter(self.all("content-type")), "no content type")
        return f"no response ({type(self.failure).__name__})" if self.failure else f"{self.status} ({kind})"


def skew(date: str | None) -> str | None:
    """Return how wrong the clock of a server is that sent a ``Date`` header. A minute does no harm."""
    try:
        seconds = 0 if date is None else round(parsedate_to_datetime(date).timestamp() - time.time())
    except ValueError:  # another header than a server's
        return None
    return f"{abs(seconds)} s {'ahead' if seconds > 0 else 'behind'}" if abs(seconds) > _SKEW else None


Send = Callable[[str, str, Mapping[str, str]], Seen]
"""From method, path and headers to the response. The path is below the origin, as browsers see it."""


@attrs.frozen
class Backend:
    """
    The API as browsers see it.

    :param origin: its scheme, host and port.
    :param base_path: of our routes, as browsers see it.
    """

    origin: str
    base_path: str
    send: Send

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> Seen:
        """Return the response to a request for one of our routes."""
        return self.send(method, self.base_path + path, headers or {})


def over_http(address: str, base_path: str | None = None) -> Backend:
    """
    Return the back end at an address, such as ``https://api.shop.example/auth``.

    :param base_path: of our routes, if the address has none. Default: ``/auth``.
    :raises ConfigError: it is no address.
    """
    origin = normalise_origin(address, setting="the address")
    path = urlsplit(address if "://" in address else f"//{address}").path
    named = normalise_path(path, setting="the path of the address")
    exchanges = Exchanges(at_most=100)

    def seen(method: str, path: str, headers: Mapping[str, str]) -> Seen:
        # A connection for each request: the server may be closing one that is kept, and the request would get nothing.
        with (
            urllib3.PoolManager(timeout=urllib3.Timeout(total=_SECONDS), retries=False) as pool,
            pool.request(method, origin + path, headers=headers, redirect=False, preload_content=False) as found,
        ):
            return Seen(found.status, tuple(found.headers.iteritems()), found.read(1_000_000))

    def send(method: str, path: str, headers: Mapping[str, str]) -> Seen:
        try:
            return exchanges.within(_SECONDS, lambda: seen(method, path, headers))
        except HTTPError as error:
            return Seen(0, failure=error)
        except TimeoutError:
            return Seen(0, failure=TimedOut("the response came too slowly"))

    return Backend(origin, named or ("/auth" if base_path is None else base_path), send)


def in_process(app: WSGIApplication, info: AppInfo) -> Backend:
    """Return the back end that an app is, as if browsers called it at its ``api_domain``."""
    client = Client(app, use_cookies=False)

    def send(method: str, path: str, headers: Mapping[str, str]) -> Seen:
        path = path.removeprefix(info.api_gateway_path)  # as the gateway does
        try:
            response = client.open(path, method=method, base_url=info.api_domain, headers=dict(headers), buffered=True)
        except Exception as error:  # the app's own
            return Seen(0, failure=error)
        return Seen(response.status_code, tuple(response.headers.items()), response.data)

    return Backend(info.api_domain, info.public_base_path, send)
