"""The pages, as one more recipe of an app."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from typing import Any, ClassVar

import attrs
from werkzeug.wrappers import Response

from ..attempts import AttemptStore, MemoryAttempts, SteadyAttempts
from ..checks import Check, a, a_flag, a_function
from ..errors import Answerable, ConfigError, SessionError
from ..limits import AttemptLimits
from ..recipe_kit.recipe import Answers, Functions, NoAPIs, Recipe, Requires, Settings
from ..recipes.session import Session
from ..recipes.session.cookies import REFRESH_PATH
from ..request.context import RequestContext
from ..services import Services
from .document import StaticFile, document, style_sheet
from .html import h
from .navigation import FORM, error_page, is_navigation, renewal, session_redirect
from .protection import FormProtection, PagePolicy
from .settings import Brand, Field, Frame, Texts
from .table import PAGES
from .texts import Language, Languages
from .visit import VISIT_KEY, Handle, Page, Show, View, Visit
from .way_back import WAY_BACK, path_of_request, safe_path

_log = logging.getLogger("st_wsgi.pages")

_DIRECTIVE = re.compile(r"[a-z-]+")
_SOURCE = re.compile(r"[!-+\--:<-~]+")  # what can be seen, but for the comma and the semicolon, which end a source

_ORDER = ("thirdparty", "emailpassword", "passwordless", "webauthn")

_texts = Check(
    "a mapping from languages to texts by their English form",
    lambda value: isinstance(value, Mapping) and all(isinstance(own, Mapping) for own in value.values()),
)
_sources = Check(
    "a mapping from directives such as img-src to lists of sources without spaces, commas and semicolons",
    lambda value: (
        isinstance(value, Mapping)
        and all(isinstance(name, str) and _DIRECTIVE.fullmatch(name) for name in value)
        and all(isinstance(listed, list | tuple) for listed in value.values())
        and all(isinstance(one, str) and _SOURCE.fullmatch(one) for listed in value.values() for one in listed)
    ),
)
_a_path = Check("a path such as /orders", lambda value: isinstance(value, str) and safe_path(value) == value)


def _mapping(of: str, kind: type[Any] | None = None) -> Check:
    return Check(
        f"a mapping from {of}",
        lambda value: (
            isinstance(value, Mapping)
            and all(callable(one) if kind is None else isinstance(one, kind) for one in value.values())
        ),
    )


class PagesFunctions(Functions[Settings]):
    """Pages have no functions of their own: they call the APIs of the other recipes."""


@attrs.define(kw_only=True, eq=False, slots=False)
class Pages(Recipe[PagesFunctions, NoAPIs]):
    """
    Ready pages for signing in and everything that belongs to it. They work without scripts.

    They are served below ``website_base_path``, so this app has to be the website, too.

    ::

        recipes = [EmailPassword(), Session(), Pages(brand=Brand(name="Shop", colour="#7a3cff"))]

    :param brand: name, logo, colour, and the terms of the app.
    :param order: the recipes with which users sign in, in the order in which the sign-in page shows them.
    :param sessions: redirect a browser that opens a page of the app without a good session: to sign in, to renew the
        session, or to satisfy a claim. Calls of an API get 401 and 403 in any case.
    :param after_sign_in: the path to which users go if they opened the sign-in page themselves.
    :param after_sign_out: the path to which users go after signing out; None for a page that says so.
    :param fields: how fields of the sign-up form are shown, by their names.
    :param language: from the context of a request to the code of its language; default: ``Accept-Language``.
    :param texts: texts of further languages, or other texts of ``en`` and ``de``, by their English form.
    :param frame: makes the HTML document around each page, such as a template of the app.
    :param replaced: functions that show a page instead of ours, by the path of the page below the base path. What its
        forms do stays.
    :param sources: what the frame loads in addition to our files, by directive of Content-Security-Policy, such as
        ``{"style-src": ["https://cdn.example"]}``.
    :raises ConfigError: a setting is not usable, or the app's other settings do not fit.
    """

    id = "pages"
    requires: ClassVar[Requires] = (Session,)
    answers: ClassVar[Answers] = (SessionError, Answerable)
    serves_pages: ClassVar[bool] = True

    brand: Brand = attrs.field(factory=Brand, validator=a(Brand))
    order: Sequence[str] = attrs.field(
        default=_ORDER,
        validator=Check(
            f"a list of some of {', '.join(_ORDER)}",
            lambda value: isinstance(value, list | tuple) and set(value) <= set(_ORDER),
        ),
    )
    sessions: bool = attrs.field(default=True, validator=a_flag())
    after_sign_in: str = attrs.field(default="/", validator=_a_path)
    after_sign_out: str | None = attrs.field(default=None, validator=attrs.validators.optional(_a_path))
    fields: Mapping[str, Field] = attrs.field(factory=dict, validator=_mapping("names to Field(...)", Field))
    language: Callable[[RequestContext], str | None] | None = attrs.field(
        default=None, validator=a_function("the context of the request")
    )
    texts: Texts = attrs.field(factory=dict, validator=_texts)
    frame: Frame | None = attrs.field(default=None, validator=a_function("the page to put a frame around"))
    replaced: Mapping[str, Show] = attrs.field(factory=dict, validator=_mapping("paths to functions of a visit"))
    sources: Mapping[str, Sequence[str]] = attrs.field(factory=dict, validator=_sources)

    name: str = attrs.field(init=False, repr=False)
    origin: str = attrs.field(init=False, repr=False)
    base_path: str = attrs.field(init=False, repr=False)
    renewal_path: str = attrs.field(init=False, repr=False)
    style: StaticFile = attrs.field(init=False, repr=False)
    script: StaticFile = attrs.field(init=False, repr=False)
    protection: FormProtection = attrs.field(init=False, repr=False)
    renewals: AttemptStore = attrs.field(init=False, repr=False)
    _policy: PagePolicy = attrs.field(init=False, repr=False)
    _languages: Languages = attrs.field(init=False, repr=False)
    _table: Mapping[str, Page] = attrs.field(init=False, repr=False)

    def bind(self, services: Services) -> None:
        super().bind(services)
        app_info = services.app_info
        if app_info.fixed_origin != app_info.api_domain or app_info.api_gateway_path:
            raise ConfigError(
                f"Pages are served by this app, so website_domain must be the api_domain {app_info.api_domain}, "
                "without an api_gateway_path; leave Pages out if another server has the pages"
            )
        if not app_info.website_base_path:
            raise ConfigError("Pages need a website_base_path such as /auth: the root belongs to the app")
        if services.get(Session).anti_csrf == "VIA_TOKEN":
            raise ConfigError("Pages work without scripts, which anti_csrf='VIA_TOKEN' needs: leave anti_csrf alone")
        if services.get(Session).get_token_transfer_method == "header":
            raise ConfigError("Pages need sessions in cookies: leave get_token_transfer_method alone")
        self.name = self.brand.name or app_info.app_name
        self.origin = app_info.api_domain
        self.base_path = app_info.website_base_path
        self.renewal_path = app_info.public_base_path + REFRESH_PATH
        self.style = style_sheet(self.brand)
        self.script = StaticFile("passkeys.js", "text/javascript")
        self.protection = FormProtection(self.origin)
        limits = services.limiter.rate_limit
        store = limits.store if isinstance(limits, AttemptLimits) else services.transport.attempts
        # A flood of invented tokens must not push the counters of sign-ins out of the memory of a process.
        self.renewals = SteadyAttempts(None if isinstance(store, MemoryAttempts) else store)
        self._policy = PagePolicy(_with_logo(self.sources, self.brand))
        self._languages = Languages(_checked(self.texts))
        self._table = {page.path: page for page in PAGES if services.has(page.needs)}
        for path in self.replaced:
            if path not in self._table:
                raise ConfigError(f"replaced names {path!r}, which is none of the pages {sorted(self._table)}")

    def has(self, path: str) -> bool:
        """Return whether there is a page with this path below the base path."""
        return path in self._table

    def is_no_way_back(self, path: str) -> bool:
        """Return whether a path leads to the renewal of sessions, which goes on by itself."""
        return path.startswith(self.renewal_path)

    def language_of(self, context: RequestContext) -> Language:
        """Return the language in which the user of a request sees pages."""
        if self.language is None:
            return self._languages.accepted(context)
        return self._languages.named(self.language(context))

    def serves(self, context: RequestContext) -> bool:
        """Return whether a request is for a page, or for the style sheet."""
        return self._find(context) is not None

    def serve(self, context: RequestContext, handle: Handle) -> Response | None:
        """Return the response to a request for a page; None if it is for something else."""
        found = self._find(context)
        if found is None or context.environ is None:
            return None
        page, rest = found
        visit = context.environ[VISIT_KEY] = Visit(self, context, handle, page=page, rest=rest)
        if page is _STYLE or page is _SCRIPT:
            return _file_response(self.style if page is _STYLE else self.script)
        if not visit.is_post:
            return self._rendered(visit, visit.show())
        visit.form = context.read_form()
        if not self.protection.accepts(context, visit.form):
            return self._rendered(visit, _out_of_date(visit))
        return self._rendered(visit, (page.send or page.show)(visit))

    def answer(self, error: Answerable, context: RequestContext) -> Response:
        """Return the response to an error: a page for a browser that asked for one, else the one for frontend SDKs."""
        others = self.services.get(Session)
        plain = others.answer(error, context) if isinstance(error, SessionError) else error.plain_response()
        visit = (context.environ or {}).get(VISIT_KEY)
        if visit is None and (not self.sessions or context.route is not None or not is_navigation(context)):
            return plain
        try:
            visit = visit or Visit(self, context)
            outcome = session_redirect(visit, error) if isinstance(error, SessionError) else error_page(visit, error)
            return self._rendered(visit, outcome)
        except Exception:  # the app's frame may be what fails, or its choice of the language
            _log.exception("the page for an error could not be made")
            return plain

    def _find(self, context: RequestContext) -> tuple[Page, str] | None:
        environ = context.environ or {}
        method, path = environ.get("REQUEST_METHOD"), environ.get("PATH_INFO", "")
        if method not in ("GET", "HEAD", "POST"):
            return None
        is_post = method == "POST"
        if path == self.renewal_path + (FORM if is_post else ""):
            return _RENEWAL, ""
        if not path.startswith(self.base_path):
            return None
        below = path[len(self.base_path) :].removesuffix("/")
        if below in (self.style.path, self.script.path):
            return None if is_post else (_STYLE if below == self.style.path else _SCRIPT, "")
        page, rest = self._table.get(below), ""
        if page is None:
            folder, _, rest = below.rpartition("/")
            page = self._table.get(f"{folder}/*")
        return None if page is None or (is_post and page.send is None) else (page, rest)

    def _rendered(self, visit: Visit, outcome: View | Response) -> Response:
        if isinstance(outcome, Response):
            return outcome
        # The way back may be the address of a page with a token.
        is_secret = visit.query(WAY_BACK) is not None or (visit.page is not None and visit.page.secret)
        nonce = None if outcome.script is None else secrets.token_urlsafe(16)
        response = Response(document(visit, outcome, nonce=nonce), outcome.status, mimetype="text/html")
        self._policy.apply(response, secret=is_secret, nonce=nonce)
        response.headers["Content-Language"] = visit.language.code
        response.headers.extend(outcome.headers)
        return response


def _file_response(file: StaticFile) -> Response:
    response = Response(file.text, mimetype=file.mimetype)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _nothing(_visit: Visit) -> View:
    return View("")


_STYLE = Page(path="/style", show=_nothing)
_SCRIPT = Page(path="/script", show=_nothing)
_RENEWAL = Page(path=REFRESH_PATH, show=renewal)


def _out_of_date(visit: Visit) -> View:
    path = path_of_request(visit.context.environ or {})  # with the query, which may have the token of a mail
    address = visit.way_back if visit.pages.is_no_way_back(path) else path
    text = "Nothing was changed. Please open the page again, and make sure that your browser accepts cookies."
    return View(
        visit.text("This form is out of date"),
        [
            h("p", visit.text(text), class_="alert", role="alert"),
            h("p", h("a", visit.text("Open the page again"), href=address, class_="button")),
        ],
        status=403,
    )


def _with_logo(sources: Mapping[str, Sequence[str]], brand: Brand) -> dict[str, Sequence[str]]:
    """Return the sources with that of the logo, if it comes from another server."""
    if brand.logo is None or brand.logo.startswith("/"):
        return dict(sources)
    logo = brand.logo.replace(",", "%2C").replace(";", "%3B")
    return {**sources, "img-src": [*sources.get("img-src", ()), logo]}


def _checked(texts: Texts) -> Texts:
    """
    Return the app's texts.

    :raises ConfigError: one has a name in braces that the English one does not have.
    """
    for code, own in texts.items():
        for english, text in own.items():
            try:
                wrong = _names(text) - _names(english)
            except ValueError as error:
                raise ConfigError(f"the text {text!r} of {code} is no pattern: {error}") from None
            if wrong:
                raise ConfigError(f"the text {text!r} of {code} names {sorted(wrong)}, which {english!r} does not have")
    return texts


def _names(pattern: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}
