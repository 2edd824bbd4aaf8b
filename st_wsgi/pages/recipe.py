"""The pages, as one more recipe of an app."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import ClassVar

import attrs
from werkzeug.wrappers import Response

from ..errors import Answerable, ConfigError, SessionError
from ..recipe_kit.recipe import Answers, Functions, NoAPIs, Recipe, Requires
from ..recipes.session import Session
from ..recipes.session.cookies import REFRESH_PATH
from ..request.context import RequestContext
from ..services import Services
from .document import document
from .navigation import FORM, error_page, is_navigation, out_of_date, renewal, session_redirect
from .protection import is_same_origin
from .settings import PagesSettings, mapping
from .static_files import StaticFile
from .table import PAGES
from .visit import VISIT_KEY, Handle, Page, Show, View, Visit
from .way_back import WAY_BACK

_log = logging.getLogger("st_wsgi.pages")


class PagesFunctions(Functions[PagesSettings]):
    """Pages have no functions of their own: they call the APIs of the other recipes."""


@attrs.define(kw_only=True, eq=False, slots=False)
class Pages(PagesSettings, Recipe[PagesFunctions, NoAPIs]):
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
    :param language: from the context of a request to the code of its language; default: ``Accept-Language``. Messages
        outside a request have a context whose ``environ`` is None.
    :param texts: texts of further languages, or other texts of ``en`` and ``de``, by their English form. The texts of
        mails and text messages are among them.
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

    replaced: Mapping[str, Show] = attrs.field(factory=dict, validator=mapping("paths to functions of a visit"))

    _table: dict[str, Page] = attrs.field(init=False, repr=False)

    def bind(self, services: Services) -> None:
        super().bind(services)
        self._table = {page.path: page for page in PAGES if services.has(page.needs)}
        self.paths.update(self._table)
        for path, show in self.replaced.items():
            if path not in self.paths:
                raise ConfigError(f"replaced names {path!r}, which is none of the pages {sorted(self.paths)}")
            self._table[path] = attrs.evolve(self._table[path], show=show)

    def serves(self, context: RequestContext) -> bool:
        """Return whether a request is for a page, or for the style sheet."""
        return self._find(context) is not None

    def serve(self, context: RequestContext, handle: Handle) -> Response | None:
        """Return the response to a request for a page; None if it is for something else."""
        found = self._find(context)
        if found is None or context.environ is None:
            return None
        page, subpath = found
        if isinstance(page, StaticFile):
            return page.response()
        visit = context.environ[VISIT_KEY] = Visit(self, context, handle, page=page, subpath=subpath)
        if not visit.is_post:
            return self._rendered(visit, visit.show())
        if page is _RENEWAL and is_same_origin(context, self.origin):
            context.discard_body()  # a form of the app may be large, and the renewal needs nothing of it
        else:
            visit.form = context.read_form()
            if not self.protection.accepts(context, visit.form):
                return self._rendered(visit, out_of_date(visit))
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
            if visit.is_post:
                context.discard_body()
            outcome = session_redirect(visit, error) if isinstance(error, SessionError) else error_page(visit, error)
            return self._rendered(visit, outcome)
        except Exception:  # the app's frame may be what fails, or its choice of the language
            _log.exception("the page for an error could not be made")
            return plain

    def _find(self, context: RequestContext) -> tuple[Page | StaticFile, str] | None:
        """Return the page or file that a request asks for, and what follows the path of the page."""
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
        file = next((file for file in (self.style, self.script) if file.path == below), None)
        if file is not None:
            return None if is_post else (file, "")
        page, subpath = self._table.get(below), ""
        if page is None:
            folder, _, subpath = below.rpartition("/")
            page = self._table.get(f"{folder}/*")
        return None if page is None or (is_post and page.send is None) else (page, subpath)

    def _rendered(self, visit: Visit, outcome: View | Response) -> Response:
        if isinstance(outcome, Response):
            return outcome
        # The way back may be the address of a page with a token.
        is_secret = visit.query(WAY_BACK) is not None or (visit.page is not None and visit.page.secret)
        nonce = None if outcome.script is None else secrets.token_urlsafe(16)
        response = Response(document(visit, outcome, nonce=nonce), outcome.status, mimetype="text/html")
        self.policy.apply(response, secret=is_secret, nonce=nonce)
        response.headers["Content-Language"] = visit.language.code
        response.headers.extend(outcome.headers)
        return response


_RENEWAL = Page(path=REFRESH_PATH, show=renewal)
