"""One request for a page: what came with it, the calls of our own APIs that it makes, and what it shows."""

from __future__ import annotations

import functools
import io
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlencode

import attrs
from werkzeug.wrappers import Response

from ..errors import CONTEXT_KEY, Answerable, BadInput, CoreUnavailable, InternalError, MessageNotSent, TryRefreshToken
from ..grammar import TENANT_ID
from ..languages import Language
from ..recipes.session import SessionContainer
from ..recipes.session.container import SESSION_KEY
from ..recipes.session.in_request import get_session
from ..request import current
from ..request.context import RequestContext
from ..users import PUBLIC_TENANT
from .html import Content
from .settings import PagesSettings
from .texts import LANGUAGE_KEY
from .way_back import WAY_BACK, safe_path

Handle: TypeAlias = Callable[[RequestContext], "Response | None"]
"""Answers the request of a context if it is for one of our routes: :meth:`~st_wsgi.SuperTokens.handle`."""

TENANT = "tenantId"
"""The query parameter that has the tenant, as in the links of mails."""


@attrs.frozen
class View:
    """
    What a page shows.

    :param title: without markup; it is also the heading.
    :param content: what follows the heading.
    :param status: of the response.
    :param script: the address of the page's script, None if it has none.
    :param headers: further headers of the response.
    """

    title: str
    content: Content = None
    status: int = 200
    script: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Reply:
    """
    What one of our APIs said.

    :param code: the HTTP status.
    :param body: the JSON object.
    :param retry_after: seconds to wait, if there were too many attempts.
    :param error: the error that the API answered, None if there was none. Handlers of the app may choose the code and
        the body for it.
    """

    code: int
    body: Mapping[str, Any]
    retry_after: int | None = None
    error: Answerable | None = None

    @property
    def status(self) -> str:
        """The status in the body, such as ``OK``; empty if the body has none."""
        return str(self.body.get("status", ""))

    @property
    def is_ok(self) -> bool:
        """Whether the API did what it was asked for."""
        return self.code == 200 and self.status == "OK"


@attrs.frozen(kw_only=True)
class Problem:
    """
    Why a form was not accepted, in the language of the user.

    :param message: about the form as a whole.
    :param fields: from the name of a field to what is wrong with it.
    :param status: of the response.
    """

    message: str
    fields: Mapping[str, str] = attrs.field(factory=dict)
    status: int = 422


class Visit:
    """
    One request for a page. Functions of pages get it, and callables that replace them.

    :ivar pages: the settings of the pages.
    :ivar context: the context of the request.
    :ivar page: the row of the table, None for an error of the app's own pages.
    :ivar language: of the user.
    :ivar form: the values of a form by the names of its fields; empty for a GET.
    :ivar new_session: the session that a call has created or renewed in this visit, or None.
    :ivar form_problem: why the form was not accepted, when the page is shown once more.
    :ivar subpath: what follows the path of the page, for pages that have several addresses.
    """

    pages: PagesSettings
    context: RequestContext
    page: Page | None
    language: Language
    form: Mapping[str, str]
    form_problem: Problem | None
    new_session: SessionContainer | None
    subpath: str

    def __init__(
        self,
        pages: PagesSettings,
        context: RequestContext,
        handle: Handle | None = None,
        *,
        page: Page | None = None,
        subpath: str = "",
    ) -> None:
        self.pages = pages
        self.context = context
        self.page = page
        self.form_problem = None
        self.new_session = None
        self.language = pages.language_of(context)
        self.form = {}
        self.subpath = subpath
        self._handle = handle
        self.tenant_id = self.query(TENANT) or PUBLIC_TENANT

    @functools.cached_property
    def form_token(self) -> str:
        """The token for the forms of the page. All of them have the same one."""
        return self.pages.protection.token(self.context)

    @property
    def tenant_id(self) -> str:
        """The id of the tenant. A text that cannot be such an id counts as ``public``."""
        return self._tenant_id

    @tenant_id.setter
    def tenant_id(self, tenant_id: str) -> None:
        self._tenant_id = tenant_id if TENANT_ID.fullmatch(tenant_id) else PUBLIC_TENANT

    def text(self, english: str, **values: str) -> str:
        """Return a text in the user's language. In a text from right to left, values have a direction of their own."""
        if self.language.direction == "rtl":
            values = {name: f"\u2068{value}\u2069" for name, value in values.items()}  # FSI and PDI, UAX 9
        return self.language.text(english, **values)

    def query(self, name: str) -> str | None:
        """Return a query parameter, or None if it is missing or there twice."""
        values = self.context.query_values(name)
        return values[0] if len(values) == 1 else None

    @property
    def method(self) -> str:
        """The method of the request."""
        return str((self.context.environ or {}).get("REQUEST_METHOD", ""))

    @property
    def is_post(self) -> bool:
        """Whether a form was sent."""
        return self.method == "POST"

    @functools.cached_property
    def way_back(self) -> str:
        """The path to which the user goes afterwards: the one that they came from, else ``after_sign_in``."""
        return self.safe_way_back(self.query(WAY_BACK))

    def safe_way_back(self, path: str | None) -> str:
        """Return *path* if it is a path of the own website, else ``after_sign_in``."""
        path = safe_path(path or "")
        return self.pages.after_sign_in if path is None or self.pages.is_no_way_back(path) else path

    def address(self, page: str, **query: str) -> str:
        """
        Return the address of a page of ours: the tenant and the way back of this request stay.

        :param page: its path below the website's base path.
        """
        kept = {} if self._tenant_id == PUBLIC_TENANT else {TENANT: self._tenant_id}
        if self.query(WAY_BACK) is not None and self.way_back != self.pages.after_sign_in:
            kept[WAY_BACK] = self.way_back
        return self.pages.base_path + page + ("?" + urlencode(kept | query) if kept or query else "")

    def api_path(self, path: str) -> str:
        """
        Return the path of one of our APIs for the tenant of this request.

        :param path: below the API's base path.
        """
        tenant = "" if self.tenant_id == PUBLIC_TENANT else f"/{self.tenant_id}"
        return self.context.services.app_info.api_base_path + tenant + path

    def redirect(self, location: str, *, with_form: bool = False) -> Response:
        """
        Return a response that leads to another page.

        :param location: a path of the website.
        :param with_form: the browser sends the form of this request there; by default it just opens the page.
        """
        return Response(status=307 if with_form else 303, headers={"Location": location, "Cache-Control": "no-store"})

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str) -> Reply:
        """
        Call one of our own routes as a frontend would: with the same limits, overrides and cookies.

        :param path: below the API's base path, without the tenant.
        :raises TryRefreshToken: the session has to be renewed first.
        :raises BadInput: the app has switched this route off.
        :raises CoreUnavailable: the core cannot be reached.
        :raises InternalError: the API failed.
        """
        outer = self.context.environ or {}
        data = json.dumps(body or {}).encode()
        environ = {
            **{name: value for name, value in outer.items() if name not in _OF_THE_VISIT},
            "REQUEST_METHOD": method,
            "PATH_INFO": self.api_path(path),
            "QUERY_STRING": urlencode(query),
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(data)),
            "wsgi.input": io.BytesIO(data),
            "HTTP_ORIGIN": self.context.services.app_info.fixed_origin,
            "HTTP_RID": "anti-csrf",
            "HTTP_ST_AUTH_MODE": "cookie",
            "HTTP_FDI_VERSION": "4.2",
            LANGUAGE_KEY: self.language.code,
        }
        inner = self.context.within(environ)
        environ[CONTEXT_KEY] = inner
        with current.entered(inner):
            response = None if self._handle is None else self._handle(inner)
        if response is None:
            raise BadInput(f"the app has no route {method} {path}")
        self.context.user_id = inner.user_id or self.context.user_id
        self.new_session = environ.get(SESSION_KEY) or self.new_session
        said = response.get_json(silent=True)
        wait = response.headers.get("Retry-After", "") if response.status_code == 429 else ""
        reply = Reply(
            response.status_code,
            said if isinstance(said, dict) else {},
            int(wait) if wait.isdigit() else None,
            inner.answered,
        )
        if isinstance(reply.error, TryRefreshToken):
            raise reply.error
        if reply.code >= 500 and reply.body.get("message") != MessageNotSent.message:
            raise InternalError if reply.code == 500 else CoreUnavailable
        return reply

    def session(self) -> SessionContainer | None:
        """
        Return the user's session without a check of its claims; None if there is no session.

        :raises TryRefreshToken: it has to be renewed first.
        """
        return get_session(
            self.context,
            session_required=False,
            anti_csrf_check=False,  # the forms of pages have a check of their own
            override_global_claim_validators=lambda _validators, _session: [],
        )

    def too_many_attempts(self, seconds: float) -> str:
        """Return the text for a user who has made too many attempts."""
        minutes = math.ceil(seconds / 60)
        if minutes <= 1:
            return self.text("Too many attempts. Please try again in a minute.")
        return self.text("Too many attempts. Please try again in {minutes} minutes.", minutes=str(minutes))

    def show(self) -> View | Response:
        """Return what the page shows."""
        if self.page is None:
            raise BadInput("there is no page to show")
        return self.page.show(self)

    def reject(self, problem: Problem) -> View | Response:
        """Return the page once more, with a problem in its form."""
        self.form_problem = problem
        shown = self.show()
        if isinstance(shown, View) and shown.status == 200:
            return attrs.evolve(shown, status=problem.status)
        return shown

    def problem(self, reply: Reply, *, messages: Mapping[str, str] | None = None) -> Problem:
        """
        Return in words why an API did not do what a form asks for.

        :param messages: English texts for statuses of this API.
        """
        if reply.retry_after is not None:
            return Problem(message=self.too_many_attempts(reply.retry_after), status=429)
        if reply.status == "FIELD_ERROR":
            errors = {
                str(field["id"]): self.text(_FIELD_TEXTS.get(field["error"], field["error"]))
                for field in reply.body.get("formFields", ())
            }
            return Problem(message=self.text("Please correct the fields that are marked."), fields=errors)
        shown = (messages or {}).get(reply.status) or reply.body.get("reason")
        if shown is None and (reply.status == "GENERAL_ERROR" or reply.code == MessageNotSent.code):
            shown = reply.body.get("message")
        if shown is None and reply.code == 401:
            shown = "This way to sign in is not available here."
        return Problem(
            message=self.text(shown if isinstance(shown, str) else "This did not work. Please try again."),
            status=422 if reply.code == 200 else reply.code,
        )


VISIT_KEY = "st_wsgi.pages"
"""The key of a visit in the environ of its request."""

_OF_THE_VISIT = frozenset({"HTTP_SEC_FETCH_SITE", "HTTP_AUTHORIZATION", CONTEXT_KEY, VISIT_KEY, SESSION_KEY})
_FIELD_TEXTS = {"Field is not optional": "Please fill in this field."}

Show: TypeAlias = Callable[[Visit], "View | Response"]
"""A page: from a visit to what it shows, or to a redirect."""


@attrs.frozen(kw_only=True)
class Page:
    """
    One page of the table.

    :param path: below the website's base path; empty for the base path itself. With ``/*`` at its end, the page has the
        addresses below it, and :attr:`Visit.subpath` says which one was asked for.
    :param show: answers GET.
    :param send: answers the forms of the page. Their token has been checked. None if it has no form.
    :param needs: the recipe without which there is no such page, such as ``emailpassword``.
    :param secret: its address has a token.
    """

    path: str
    show: Show
    send: Show | None = None
    needs: str = "session"
    secret: bool = False
