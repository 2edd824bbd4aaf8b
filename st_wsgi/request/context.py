"""One request: what it is, what belongs to it, and what it changes in the response. It lives in the WSGI environ."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from werkzeug.wrappers import Request, Response

from .. import limits
from ..errors import Answerable, TooManyRequests
from ..services import Services
from . import body
from .changes import HeaderList, ResponseChanges
from .routing import PUBLIC_TENANT

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

NEWEST_FDI_VERSION = (4, 2)

_FDI_VERSION = re.compile(r"\s*([0-9]{1,3})\.([0-9]{1,3})\s*\Z")


class RequestContext:
    """
    The state of one request; outside a request, that of one piece of work.

    Two requests never share one, and it does not outlive its request.

    :ivar services: of the instance that serves the request.
    :ivar environ: the WSGI environ, or None outside a request and after it.
    :ivar started: the response has started, and it is too late to change it.
    :ivar ours: the response is this package's, not the app's.
    :ivar refused: an error of this package was answered, by whomever.
    :ivar instead: an error of this package to answer in the place of the app's response, or None.
    :ivar tenant_id: of the route, ``public`` if it names none.
    """

    # Most requests need none of these: as defaults of the class they cost such a request nothing.
    started = False
    ours = False
    refused = False
    instead: Answerable | None = None
    tenant_id = PUBLIC_TENANT
    _changes: ResponseChanges | None = None
    _request: Request | None = None
    _user_context: dict[str, Any] | None = None
    _core_cache: dict[Any, Any] | None = None
    _answered: tuple[Answerable, Response] | None = None

    def __init__(self, services: Services, environ: WSGIEnvironment | None = None) -> None:
        self.services = services
        self.environ = environ

    def let_go(self) -> None:
        """
        Forget the environ, when the app has returned.

        The environ holds this context. Did this context hold the environ too, all that came with the request would stay
        in memory until the garbage collector comes by, which in a large app takes long and in some never happens.
        """
        self.environ = self._request = self._answered = None

    @property
    def changes(self) -> ResponseChanges:
        """Cookies and headers to add to the response."""
        if self._changes is None:
            self._changes = ResponseChanges(started=self.started)
        return self._changes

    def begin_response(self, headers: HeaderList) -> HeaderList:
        """Return the headers of the response, which starts now: those of the app, changed."""
        self.started = True
        if self._changes is None:
            return headers
        self._changes.started = True
        return self._changes.merge(headers)

    @property
    def request(self) -> Request | None:
        """The request as werkzeug sees it, or None outside a request."""
        if self._request is None and self.environ is not None:
            self._request = Request(self.environ, populate_request=False)
        return self._request

    @property
    def user_context(self) -> dict[str, Any]:
        """The app's own notes on this request, for its overrides: from any text to any value."""
        if self._user_context is None:
            self._user_context = {}
        return self._user_context

    @property
    def core_cache(self) -> dict[Any, Any]:
        """The querier's cache of GETs, which dies with the request."""
        if self._core_cache is None:
            self._core_cache = {}
        return self._core_cache

    @property
    def fdi_version(self) -> tuple[int, int]:
        """
        The highest version in the ``fdi-version`` header (a comma list); without a usable one the newest.

        Entries that are not ``digits.digits`` are skipped.
        """
        header = self.header("fdi-version")
        if header is None:
            return NEWEST_FDI_VERSION
        found = (_FDI_VERSION.match(part) for part in header[:1024].split(","))
        versions = [(int(match[1]), int(match[2])) for match in found if match]
        return max(versions, default=NEWEST_FDI_VERSION)

    def header(self, name: str) -> str | None:
        """Return a request header, or None."""
        if self.environ is None:
            return None
        value: str | None = self.environ.get("HTTP_" + name.upper().replace("-", "_"))
        return value

    @property
    def client_address(self) -> str:
        """The IP address that the request came from, without a port; empty if it is not known."""
        environ = self.environ or {}
        return limits.client_address(
            environ.get("REMOTE_ADDR", ""),
            environ.get("HTTP_X_FORWARDED_FOR"),
            trusted_proxies=self.services.trusted_proxies,
        )

    def count_try(self, route: str, *, account: str) -> None:
        """
        Count a try of the client at an account of the tenant.

        :param route: the path below the base path.
        :raises TooManyRequests: the client, or everybody at this account, has tried too often.
        """
        rate_limit = self.services.rate_limit
        if rate_limit is None:
            return
        for key in (limits.address_key(self.client_address), limits.account_key(self.tenant_id, account)):
            retry_after = rate_limit(key, route)
            if retry_after is not None:
                raise TooManyRequests(retry_after=retry_after)

    def query_values(self, name: str) -> list[str]:
        """Return the values of a query parameter; what is not UTF-8 in them is replaced."""
        raw: str = "" if self.environ is None else self.environ.get("QUERY_STRING", "")
        query = raw.encode("latin-1", "replace").decode("utf-8", "replace")
        return [value for found, value in parse_qsl(query, keep_blank_values=True, errors="replace") if found == name]

    def read_json(self) -> dict[str, Any]:
        """
        Read the body, which must be a JSON object of at most 100 kB.

        :raises BadInput: it is something else.
        :raises BodyTooLarge: it is larger.
        """
        if self.environ is None:
            raise RuntimeError("there is no request to read")
        return body.read_json(self.environ)

    def answer(self, error: Answerable, /) -> Response:
        """
        Return the response to *error*, asking the recipe that it belongs to; asked again, the same response.

        Answering may fail itself, when it needs the core for instance. Then that is what the client is told.
        """
        if self._answered is not None and self._answered[0] is error:
            return self._answered[1]
        self.refused = True
        recipe = self.services.answerer(error)
        try:
            response: Response = error.plain_response() if recipe is None else recipe.answer(error, self)
        except Answerable as failure:
            self.changes.discard()
            response = failure.plain_response()
        self._answered = error, response
        return response
