"""SuperTokens, the instance: it binds recipes, builds the route table and handles requests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, ParamSpec

import attrs
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from .checks import Check, a, a_flag, a_function, a_number
from .config import AppInfo, Cors
from .core_client.hosts import readable_hosts
from .core_client.interceptor import NetworkInterceptor
from .core_client.querier import Querier
from .core_client.transport import HTTPTransport, Transport
from .errors import (
    NO_SUCH_TENANT,
    Answerable,
    BadInput,
    ConfigError,
    CoreError,
    InternalError,
    SessionError,
    TenantUnknown,
)
from .events import OnSecurityEvent
from .grammar import CDI_VERSIONS
from .limits import AttemptLimits, Limiter, RateLimit
from .recipe_kit.recipe import Recipe
from .recipes.multitenancy import Multitenancy
from .request import cors as cross_origin, current
from .request.context import RequestContext
from .request.middleware import ErrorHandler, Middleware
from .request.respond import json_response
from .request.routing import Match, Router
from .services import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_log = logging.getLogger("st_wsgi")

P = ParamSpec("P")

_NO_APP: Final = NotFound()


def _is_list_of_versions(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(version in CDI_VERSIONS for version in value)


@attrs.define(kw_only=True, eq=False, slots=False, repr=False)
class SuperTokens:
    """
    SuperTokens for one app. Several instances can live in one process and do not see each other.

    ::

        st = SuperTokens(
            app_info=AppInfo(app_name="Shop", api_domain="http://localhost:8000", website_domain="http://localhost:3000"),
            core="sqlite:///auth.db",
            recipes=[EmailPassword(), Session()],
        )
        app = st.wrap(app)

    :param app_info: the app's name and addresses.
    :param core: the address of the core: ``https://core1:3567;https://core2:3567`` for one or more hosts, or
        ``sqlite:///auth.db`` for the embedded core on a file (``sqlite://`` in memory). Or a transport of your own.
    :param recipes: what the app offers. Recipes that these need are added with their defaults.
    :param api_key: of the core.
    :param allow_insecure_core: send *api_key*, passwords and tokens to a core on another machine without https.
    :param cdi_versions: the versions of the core driver interface that may be used with the core, of 5.0 to 5.6; the
        highest that the core has too is taken. ``("5.4", "5.6")`` lets a core of 12.1 and later rotate refresh tokens
        at once and end sessions by itself when one is used again.
    :param network_interceptor: sees, and may change, every request to the core.
    :param disable_core_call_cache: ask the core for the same thing again within one request.
    :param cors: rules for browsers whose pages come from another origin; None leaves CORS to the app.
    :param rate_limit: limits attempts to sign up or in and mails. By default ``AttemptLimits()``; None leaves that to
        the server in front of the app.
    :param trusted_proxies: the number of your own proxies in front of the app, whose entries at the end of
        ``X-Forwarded-For`` can be believed; 0 if there is none. With None, a request that a proxy of your own network
        passes on is not limited by its address, which is that of the proxy, and one warning says so.
    :param on_security_event: gets a :class:`SecurityEvent` for each sign-up, sign-in, change of a password and so on.
    :param allow_in_memory_core: accept an in-memory core together with an https ``api_domain``, although every restart
        loses all users.
    :ivar services: the core, the app's settings and the recipes, for code of your own.
    :raises ConfigError: a setting is not usable; the message says which and what to do.
    """

    app_info: AppInfo = attrs.field(validator=a(AppInfo))
    core: str | Transport = attrs.field(
        validator=Check(
            "an address such as 'sqlite:///auth.db' or 'https://core.example.com:3567', or a transport",
            lambda value: isinstance(value, str) or (hasattr(value, "send") and not isinstance(value, type)),
        )
    )
    recipes: Iterable[Recipe[Any, Any]] = attrs.field(
        validator=Check(
            "a list of recipes, such as [EmailPassword(), Session()]",
            lambda value: isinstance(value, Iterable) and not isinstance(value, str),
        )
    )
    api_key: str | None = attrs.field(
        default=None, repr=False, validator=Check("a text or None", lambda value: value is None or type(value) is str)
    )
    allow_insecure_core: bool = attrs.field(default=False, validator=a_flag())
    cdi_versions: Sequence[str] = attrs.field(
        default=("5.4",), validator=Check(f"a list of some of {', '.join(CDI_VERSIONS)}", _is_list_of_versions)
    )
    network_interceptor: NetworkInterceptor | None = attrs.field(
        default=None, validator=a_function("url, method, headers, params, body and user context")
    )
    disable_core_call_cache: bool = attrs.field(default=False, validator=a_flag())
    cors: Cors | None = attrs.field(default=None, validator=a(Cors, or_none=True))
    rate_limit: RateLimit | None = attrs.field(factory=AttemptLimits, validator=a_function("key and route"))
    trusted_proxies: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(a_number("proxies", least=0, most=100))
    )
    on_security_event: OnSecurityEvent | None = attrs.field(default=None, validator=a_function("a SecurityEvent"))
    allow_in_memory_core: bool = attrs.field(default=False, validator=a_flag())

    services: Services = attrs.field(init=False)
    router: Router = attrs.field(init=False)
    pages: Any = attrs.field(init=False)
    _warned_of_cors: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self.recipes = _with_required(self.recipes)
        if isinstance(self.core, str) and not self.allow_in_memory_core:
            _refuse_forgetful_core(self.core, self.app_info)
        if self.cors is not None:
            _warn_of_missing_origins(self.cors, self.app_info)
        transport = _open_transport(self.core, self.api_key) if isinstance(self.core, str) else self.core
        if self.api_key is not None and isinstance(transport, HTTPTransport) and not self.allow_insecure_core:
            _refuse_readable_key(transport.hosts)
        with ExitStack() as on_failure:
            if isinstance(self.core, str):
                on_failure.callback(transport.close)
            querier = Querier(
                transport=transport,
                api_key=self.api_key,
                api_domain=self.app_info.api_domain,
                website_domain=self.app_info.fixed_origin,
                network_interceptor=self.network_interceptor,
                disable_core_call_cache=self.disable_core_call_cache,
                cdi_versions=self.cdi_versions,
                in_flight=current.context,
            )
            if isinstance(self.rate_limit, AttemptLimits) and self.rate_limit.store is None:
                self.rate_limit = attrs.evolve(self.rate_limit, store=transport.attempts)
            self.services = Services(
                app_info=self.app_info,
                core=querier,
                transport=transport,
                limiter=Limiter(self.rate_limit, trusted_proxies=self.trusted_proxies),
                on_security_event=self.on_security_event,
            )
            for recipe in self.recipes:
                self.services.add(recipe)
            for recipe in self.recipes:
                recipe.bind(self.services)
            self.pages = next((recipe for recipe in self.recipes if recipe.serves_pages), None)
            website = None if self.pages is None else self.app_info.website_base_path
            self.router = Router(base_path=self.app_info.api_base_path, recipes=self.recipes, pages=website)
            on_failure.pop_all()

    def __repr__(self) -> str:
        recipes = ", ".join(recipe.id for recipe in self.recipes)
        return f"<SuperTokens {self.app_info.app_name!r} on {self.services.transport!r} with {recipes}>"

    def wrap(self, app: WSGIApplication = _NO_APP) -> WSGIApplication:
        """
        Return a WSGI app with SuperTokens in front of *app*: ``app.wsgi_app = st.wrap(app.wsgi_app)``.

        :param app: gets all requests that are not for our routes. By default they get 404.
        """
        a_function("environ and start_response, a WSGI app", or_none=False).argument("the app to wrap", app)
        # The bound method: Python calls it faster than an object, and every request of the app pays for that.
        return ErrorHandler(app, self, routes=Middleware(app, self)).__call__

    def handle(self, context: RequestContext) -> Response | None:
        """Return the response to a request for one of our routes, or None for the app's own requests."""
        environ = context.environ
        if environ is None:
            raise ConfigError("handle() needs the context of a request")
        path = environ.get("PATH_INFO", "")
        if self.cors is not None and cross_origin.is_preflight(environ):
            return self._preflight(self.cors, context, path)
        match = self.router.match(method=environ.get("REQUEST_METHOD", ""), path=path, rid=environ.get("HTTP_RID"))
        if match is not None:
            context.ours = True
            context.route = match.route
            context.tenant_id = match.tenant_id
            return self._respond(
                context, f"{match.route.method} {match.route.path}", lambda: self._call(match, context)
            )
        if self.cors is None and cross_origin.is_preflight(environ):
            self._warn_of_preflight(environ, path)
        if self.pages is None or not self.pages.serves(context):
            return None
        context.ours = True
        what = f"{environ.get('REQUEST_METHOD')} {path}"
        return self._respond(context, what, lambda: self.pages.serve(context, self.handle))

    def close(self) -> None:
        """
        Send the mails that wait, for about 10 seconds at most, and close the connections to the core.

        The instance cannot be used afterwards.
        """
        current.forget_default(self.services)
        self.services.close()

    def _call(self, match: Match, context: RequestContext) -> Response:
        multitenancy = self.services.find(Multitenancy)
        if multitenancy is not None:
            context.tenant_id = multitenancy.tenant_of(context)
        outcome = match.route.handler(match.recipe.apis, context)
        return outcome if isinstance(outcome, Response) else json_response(outcome)

    def _respond(self, context: RequestContext, what: str, respond: Callable[[], Response]) -> Response:
        """
        Return what *respond* returns, or the response to its error.

        :param what: method and path, for the log.
        """
        try:
            try:
                return respond()
            except Answerable as error:
                if not isinstance(error, SessionError):
                    context.changes.discard()
                return context.answer(error)
        except TenantUnknown:
            context.changes.discard()
            return context.answer(BadInput(NO_SUCH_TENANT))
        except CoreError as error:  # its message says what to do; a traceback would hide it
            details = what, context.tenant_id, error
            _log.error("%s failed, tenant %s: %s", *details, exc_info=_log.isEnabledFor(logging.DEBUG))
            context.changes.discard()
            return context.answer(InternalError())
        except Exception:  # no framework stands between our own routes and the server
            _log.exception("%s failed, tenant %s", what, context.tenant_id)
            context.changes.discard()
            return context.answer(InternalError())

    def _warn_of_preflight(self, environ: WSGIEnvironment, path: str) -> None:
        """Say once that the website's browsers will not call our routes. A CORS layer in front answers preflights."""
        origin = environ["HTTP_ORIGIN"]
        if not self._warned_of_cors and origin in self.app_info.possible_origins and self.router.methods(path):
            self._warned_of_cors = True
            _log.warning(
                "browsers will not call %s%s: the website %s is another origin, and cors is not set. "
                "Pass cors=Cors(origins=[%r]), or put a CORS layer in front",
                self.app_info.api_domain,
                path,
                origin,
                origin,
            )

    def _preflight(self, rules: Cors, context: RequestContext, path: str) -> Response | None:
        methods = self.router.methods(path)
        if not methods and not rules.whole_app:
            return None
        context.ours = True
        response = Response(status=204)
        response.headers.clear()
        response.headers.extend(cross_origin.preflight_headers(rules, context.environ or {}, methods))
        return response


def _as_default(make: Callable[P, SuperTokens]) -> Callable[P, SuperTokens]:
    """Return a function that takes what *make* takes, and also makes the instance the default of this process."""

    def init(*args: P.args, **settings: P.kwargs) -> SuperTokens:
        """
        Make an instance, with the settings of :class:`SuperTokens`, and make it the default of this process.

        ::

            st = st_wsgi.init(
                app_info=st_wsgi.AppInfo(
                    app_name="Shop", api_domain="http://localhost:8000", website_domain="http://localhost:3000"
                ),
                core="sqlite:///auth.db",
                recipes=[EmailPassword(), Session()],
            )
        """
        supertokens = make(*args, **settings)
        if current.has_default():
            _log.warning(
                "st_wsgi.init was called before: code outside of requests uses the new instance from now on. Close the "
                "old one first with st.close(), or make a further one with SuperTokens(...)"
            )
        current.set_default(supertokens.services)
        return supertokens

    return init


init: Final = _as_default(SuperTokens)


def _open_transport(core: str, api_key: str | None) -> Transport:
    if core.lower().startswith(("sqlite:", "postgres:", "postgresql:")):
        from .embedded import EmbeddedCore  # an app on a core of its own never loads the embedded one

        EmbeddedCore.check_api_key(core, api_key)
        return EmbeddedCore.open(core)
    return HTTPTransport(core)


def _refuse_forgetful_core(core: str, app_info: AppInfo) -> None:
    address, _, _ = core.partition("?")
    if address in (
        "sqlite:",
        "sqlite:/",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
    ) and app_info.api_domain.startswith("https:"):
        raise ConfigError(
            "an in-memory core loses all users at every restart, which does not fit an https api_domain; "
            "use core='sqlite:///auth.db' or the address of a core, or set allow_in_memory_core=True"
        )


def _warn_of_missing_origins(cors: Cors, app_info: AppInfo) -> None:
    missing = set(app_info.possible_origins) - {app_info.api_domain, *cors.origins}
    if missing:
        _log.warning(
            "cors lacks the website: browsers will not let its pages call the API. Use Cors(origins=%r)",
            [*cors.origins, *sorted(missing)],
        )


def _refuse_readable_key(hosts: Sequence[str]) -> None:
    readable = readable_hosts(hosts)
    if readable:
        raise ConfigError(
            f"with core={readable[0]!r} everyone on the way can read api_key and all passwords: use https, or say "
            "allow_insecure_core=True if that network is your own"
        )


def _with_required(recipes: Iterable[Recipe[Any, Any]]) -> tuple[Recipe[Any, Any], ...]:
    """Return the recipes in the order in which they need each other, with the missing ones added."""
    listed: list[Recipe[Any, Any]] = []
    for recipe in recipes:
        if not isinstance(recipe, Recipe):
            raise ConfigError(f"recipes must be recipe objects such as Session(), not {recipe!r}")
        if any(other.id == recipe.id for other in listed):
            raise ConfigError(f"the recipe {recipe.id} is in the list twice")
        if recipe.is_bound:
            raise ConfigError(f"this {type(recipe).__name__} belongs to another instance; make a new one for this one")
        listed.append(recipe)
    if not listed:
        raise ConfigError("recipes is empty: list what the app offers, such as [EmailPassword(), Session()]")
    ordered: list[Recipe[Any, Any]] = []

    def add(recipe: Recipe[Any, Any]) -> None:
        if recipe in ordered:
            return
        for other in listed:
            if isinstance(other, recipe.follows):
                add(other)
        for kind in recipe.requires:
            needed = next((other for other in (*listed, *ordered) if isinstance(other, kind)), None)
            if needed is None:
                needed = kind()
                _log.debug("the recipe %s is needed by %s and was added", needed.id, recipe.id)
            add(needed)
        ordered.append(recipe)

    for recipe in listed:
        add(recipe)
    return tuple(ordered)
