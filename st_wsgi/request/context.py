"""One request: what it is, what belongs to it, and what it changes in the response. It lives in the WSGI environ."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from werkzeug.wrappers import Request, Response

from ..errors import Answerable, ConfigError, TooManyRequests
from ..events import EventName, SecurityEvent, publish
from ..services import Services
from ..users import PUBLIC_TENANT
from . import body
from .changes import HeaderList, ResponseChanges
from .routing import Route

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

NEWEST_FDI_VERSION = (4, 2)

_AGENT_LIMIT = 256  # characters

_FDI_VERSION = re.compile(r"\s*([0-9]{1,3})\.([0-9]{1,3})\s*\Z")


class RequestContext:
    """
    The state of one request, or of one block of work outside a request. It ends with its request.

    Handlers, overrides of APIs and error handlers get it::

        def sign_up_post(*, form_fields, tenant_id, session, context):
            if context.header("x-invitation") is None:
                return GeneralError("Please ask for an invitation.")
            ...

    :ivar services: of the instance that serves the request.
    :ivar environ: the WSGI environ, or None outside a request and after it.
    :ivar started: the response has started, and it is too late to change it.
    :ivar ours: the response is this package's, not the app's.
    :ivar refused: an error of this package was answered, here or by a framework.
    :ivar instead: an error of this package to answer in place of the app's response, or None.
    :ivar route: the row of the route table that the request is for, None for the app's own requests.
    :ivar user_id: of the user whose session the request has, once it has been read; else None.
    :ivar signs_up: whether a route has permitted a sign-up, and waits for its outcome.
    :ivar tenant_id: that of the path, ``public`` if it names none; that of the session, once a route has read one.
    """

    services: Services
    environ: WSGIEnvironment | None
    # Most requests need none of these: as defaults of the class they cost such a request nothing.
    started: bool = False
    ours: bool = False
    refused: bool = False
    instead: Answerable | None = None
    route: Route | None = None
    user_id: str | None = None
    signs_up: bool = False
    tenant_id: str = PUBLIC_TENANT
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
        Forget the environ, after the app has returned.

        The environ refers to this context. If this context went on referring to the environ, everything that came with
        the request would stay in memory until the next run of the garbage collector, which may be long after.
        """
        self.environ = self._request = self._answered = None

    def within(self, environ: WSGIEnvironment) -> RequestContext:
        """
        Return the context of a call of one of our routes that this request makes.

        Cookies and headers that the route records go to the response to this request.
        """
        inner = RequestContext(self.services, environ)
        inner._changes, inner._user_context, inner._core_cache = self.changes, self.user_context, self.core_cache
        return inner

    @property
    def changes(self) -> ResponseChanges:
        """Cookies and headers to add to the response."""
        if self._changes is None:
            self._changes = ResponseChanges(started=self.started)
        return self._changes

    def begin_response(self, headers: HeaderList) -> HeaderList:
        """Note that the response starts, and return the app's headers with our changes."""
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
        """A dictionary for the app's own notes on this request, from its views to its overrides."""
        if self._user_context is None:
            self._user_context = {}
        return self._user_context

    @property
    def core_cache(self) -> dict[Any, Any]:
        """The querier's cache of GETs in this request."""
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
        matches = (_FDI_VERSION.match(part) for part in header[:1024].split(","))
        versions = [(int(match[1]), int(match[2])) for match in matches if match]
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
        return self.services.limiter.address_of(self.environ or {})

    def record(self, name: EventName, *, tenant_id: str | None = None, **members: str | None) -> None:
        """
        Publish a security event with what this request says about the client.

        :param tenant_id: default: that of the request.
        :param members: attributes of :class:`~st_wsgi.events.SecurityEvent`.
        """
        known: dict[str, Any] = {
            "by": self.user_id,
            "address": self.client_address,
            "user_agent": (self.header("user-agent") or "")[:_AGENT_LIMIT],
        }
        event = SecurityEvent(name=name, tenant_id=tenant_id or self.tenant_id, **known | members)
        publish(event, self.services.on_security_event)

    def count_address(self) -> None:
        """
        Count an attempt on this route for the address of the client, while it is not known yet at which account it is.

        What is known then is counted by :meth:`count_attempt` with ``address=False``.

        :raises TooManyRequests: too many attempts of this client.
        """
        self._count(self._limit_keys(None))

    def count_attempt(
        self,
        *,
        account: str | None = None,
        user_id: str | None = None,
        token: str | None = None,
        address: bool = True,
    ) -> None:
        """
        Count an attempt of the client on this route, at an account of the tenant. One of the arguments says which.

        :param account: the e-mail address or phone number that was entered.
        :param token: a secret that stands for an account. The limits, which may be the app's own, get only its hash.
        :param address: whether to count it for the client's address too.
        :raises TooManyRequests: too many attempts of this client, or at this account.
        """
        name = account or user_id or hashlib.sha256((token or "").encode("utf-8", "replace")).hexdigest()
        keys = self._limit_keys(name)
        self._count(keys if address else [key for key in keys if not key.startswith("address:")], account, user_id)

    def forget_attempts(self, *, account: str) -> None:
        """Forget the attempts on an account on this route, after one that succeeded."""
        self.services.limiter.forget(self._limit_keys(account), self._counted_route)

    def _count(self, keys: list[str], account: str | None = None, user_id: str | None = None) -> None:
        refusal = self.services.limiter.refusal(keys, self._counted_route)
        if refusal is not None:
            retry_after, kind = refusal
            if kind is not None:
                self.record("limited", reason=kind, account=account, user_id=user_id)
            raise TooManyRequests(retry_after=retry_after)

    def _limit_keys(self, account: str | None) -> list[str]:
        return self.services.limiter.keys(self.environ or {}, tenant_id=self.tenant_id, account=account)

    @property
    def _counted_route(self) -> str:
        return "" if self.route is None else self.route.alias_of or self.route.path

    def query_values(self, name: str) -> list[str]:
        """Return the values of a query parameter; bytes that are not UTF-8 are replaced."""
        raw: str = "" if self.environ is None else self.environ.get("QUERY_STRING", "")
        query = raw.encode("latin-1", "replace").decode("utf-8", "replace")
        return [value for key, value in parse_qsl(query, keep_blank_values=True, errors="replace") if key == name]

    def read_json(self) -> dict[str, Any]:
        """
        Read the body, which must be a JSON object of at most 100 kB.

        :raises BadInput: it is something else.
        :raises BodyTooLarge: it is larger.
        """
        if self.environ is None:
            raise ConfigError("there is no request to read")
        return body.read_json(self.environ)

    def read_form(self) -> dict[str, str]:
        """
        Read the body, which must be a form of at most 64 KiB and 20 fields, none of them twice.

        :raises BadInput: it is something else.
        :raises BodyTooLarge: it is larger.
        """
        if self.environ is None:
            raise ConfigError("there is no request to read")
        return body.read_form(self.environ)

    def discard_body(self) -> None:
        """Read what the app has left of the body, for a response that the browser shall get although it still sends."""
        if self.environ is not None:
            body.discard(self.environ)

    @property
    def answered(self) -> Answerable | None:
        """The error that was answered last; None if there was none."""
        return None if self._answered is None else self._answered[0]

    def answer(self, error: Answerable, /) -> Response:
        """
        Return the response to *error*, from the recipe that answers it; for the same error again, the same response.

        When making that response fails, with a core that is down for instance, the new error is answered instead.
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
