"""SuperTokens, the instance: it binds recipes, builds the route table and handles a request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ParamSpec

from werkzeug.wrappers import Response

from .config import AppInfo, Cors
from .core_client.hosts import readable_hosts
from .core_client.querier import NetworkInterceptor, Querier
from .core_client.transport import HTTPTransport, Transport
from .errors import Answerable, BadInput, ConfigError, InternalError, SessionError, TenantUnknown
from .limits import RateLimit
from .recipe_kit.recipe import Recipe
from .request import cors as cross_origin
from .request import current
from .request.context import RequestContext
from .request.middleware import Middleware, guarded
from .request.routing import Router
from .services import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_log = logging.getLogger("st_wsgi")

P = ParamSpec("P")

_CDI_VERSIONS = ("5.0", "5.1", "5.2", "5.3", "5.4", "5.5", "5.6")
_BCRYPT_LIMIT = 72  # bytes; the official core hashes with bcrypt unless told otherwise


class SuperTokens:
    """
    SuperTokens for one app. Several instances can live in one process and do not see each other.

    :param app_info: who the app is and where it lives.
    :param core: the address of the core: ``https://core1:3567;https://core2:3567`` for one or more hosts, or
        ``sqlite:///auth.db`` for the embedded core on a file (``sqlite://`` in memory). A transport is taken as it is.
    :param recipes: what the app offers. Recipes that these need are added with their defaults.
    :param api_key: of the core.
    :param allow_insecure_core: send *api_key*, passwords and tokens to a core on another machine without https.
    :param cdi_versions: the versions of the core driver interface that may be spoken with the core, of 5.0 to 5.6; the
        highest that the core has too is taken. ``("5.4", "5.6")`` lets a core of 12.1 and later rotate refresh tokens
        at once and end sessions by itself when one is used again.
    :param network_interceptor: sees, and may change, every request to the core.
    :param disable_core_call_cache: ask the core for the same thing again within one request.
    :param cors: rules for browsers whose pages come from another origin; None leaves it to the app.
    :param rate_limit: how often somebody may try to sign up or in, such as ``InMemoryRateLimit()``; None leaves that to
        what stands in front of the app.
    :param trusted_proxies: how many proxies of yours stand in front of the app, so that the last entries of
        ``X-Forwarded-For`` can be believed.
    :param allow_in_memory_core: take an in-memory core together with an https ``api_domain``, although every restart
        forgets all users.
    :raises ConfigError: a setting is not usable; the message says which and what to do.
    """

    def __init__(
        self,
        *,
        app_info: AppInfo,
        core: str | Transport,
        recipes: Iterable[Recipe[Any, Any, Any]],
        api_key: str | None = None,
        allow_insecure_core: bool = False,
        cdi_versions: Sequence[str] = ("5.4",),
        network_interceptor: NetworkInterceptor | None = None,
        disable_core_call_cache: bool = False,
        cors: Cors | None = None,
        rate_limit: RateLimit | None = None,
        trusted_proxies: int = 0,
        allow_in_memory_core: bool = False,
    ) -> None:
        if trusted_proxies < 0:
            raise ConfigError("trusted_proxies is a number of proxies, 0 for none")
        if isinstance(cdi_versions, str) or not set(cdi_versions) <= set(_CDI_VERSIONS):
            raise ConfigError(f"cdi_versions must be a sequence of some of {', '.join(_CDI_VERSIONS)}")
        bound = _with_required(recipes)
        if isinstance(core, str) and not allow_in_memory_core:
            _refuse_forgetful_core(core, app_info)
        self.cors = cors
        self._transport = _open_transport(core) if isinstance(core, str) else core
        if api_key is not None and isinstance(self._transport, HTTPTransport) and not allow_insecure_core:
            _refuse_readable_key(self._transport.hosts)
        with ExitStack() as on_failure:
            if isinstance(core, str):
                on_failure.callback(self._transport.close)
            querier = Querier(
                transport=self._transport,
                api_key=api_key,
                api_domain=app_info.api_domain,
                website_domain=app_info.fixed_origin,
                network_interceptor=network_interceptor,
                disable_core_call_cache=disable_core_call_cache,
                cdi_versions=cdi_versions,
                cache_store=current.core_cache_or_none,
                user_context=current.user_context_or_none,
                inside_api=current.inside_api,
            )
            self.services = Services(
                app_info=app_info,
                core=querier,
                rate_limit=rate_limit,
                trusted_proxies=trusted_proxies,
                core_in_process=getattr(self._transport, "in_process", False),
                password_byte_limit=getattr(self._transport, "password_byte_limit", _BCRYPT_LIMIT),
            )
            for recipe in bound:
                self.services.add(recipe)
            for recipe in bound:
                recipe.bind(self.services)
            self._recipes = tuple(bound)
            self.router = Router(base_path=app_info.api_base_path, recipes=bound)
            on_failure.pop_all()

    def wrap(self, app: WSGIApplication) -> WSGIApplication:
        """
        Put SuperTokens in front of a WSGI app: ``app.wsgi_app = st.wrap(app.wsgi_app)``.

        The result is a plain function, since some test clients take a callable object for something else.
        """
        return guarded(app, self, routes=Middleware(app, self))

    def handle(self, context: RequestContext) -> Response | None:
        """Return the response to a request of ours, or None for the app's."""
        environ = context.environ
        if environ is None:
            raise ConfigError("there is no request to handle")
        path = environ.get("PATH_INFO", "")
        if self.cors is not None and cross_origin.is_preflight(environ):
            return self._preflight(self.cors, context, path)
        match = self.router.match(method=environ.get("REQUEST_METHOD", ""), path=path, rid=environ.get("HTTP_RID"))
        if match is None:
            return None
        context.ours = True
        context.tenant_id = match.tenant_id
        return self._guarded(context, lambda: match.route.handler(match.recipe, context))

    def close(self) -> None:
        """Close the connections to the core. The instance cannot be used afterwards."""
        for recipe in self._recipes:
            recipe.close()
        self._transport.close()

    def _guarded(self, context: RequestContext, handle: Callable[[], Response]) -> Response:
        try:
            try:
                return handle()
            except Answerable as error:
                if not isinstance(error, SessionError):
                    context.changes.discard()
                return context.answer(error)
        except TenantUnknown:
            context.changes.discard()
            return context.answer(BadInput("there is no such tenant"))
        except Exception:  # the boundary: no framework stands between our own routes and the server
            _log.exception("a route of SuperTokens failed: %s", context.tenant_id)
            context.changes.discard()
            return context.answer(InternalError())

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
    def init(*args: P.args, **settings: P.kwargs) -> SuperTokens:
        """Make an instance, as :class:`SuperTokens` does, and make it the default of this process."""
        supertokens = make(*args, **settings)
        current.set_default(supertokens.services)
        return supertokens

    return init


init = _as_default(SuperTokens)


def _open_transport(core: str) -> Transport:
    if core.startswith("sqlite:"):
        from .embedded import EmbeddedCore  # an app on a core of its own never loads the embedded one

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
            "an in-memory core forgets all users at every restart, which does not fit an https api_domain; "
            "use core='sqlite:///auth.db' or the address of a core, or say allow_in_memory_core=True"
        )


def _refuse_readable_key(hosts: Sequence[str]) -> None:
    readable = readable_hosts(hosts)
    if readable:
        raise ConfigError(
            f"with core={readable[0]!r} everyone on the way can read api_key and all passwords: use https, or say "
            "allow_insecure_core=True if that network is your own"
        )


def _with_required(recipes: Iterable[Recipe[Any, Any, Any]]) -> list[Recipe[Any, Any, Any]]:
    """Return the recipes in the order in which they need each other, with the missing ones added."""
    given: dict[type[Any], Recipe[Any, Any, Any]] = {}
    for recipe in recipes:
        if not isinstance(recipe, Recipe):
            raise ConfigError(f"recipes must be recipe objects such as Session(), not {recipe!r}")
        if any(known.id == recipe.id for known in given.values()):
            raise ConfigError(f"the recipe {recipe.id} is in the list twice")
        if recipe.is_bound:
            raise ConfigError(f"this {type(recipe).__name__} belongs to another instance; make a new one for this one")
        given[type(recipe)] = recipe
    ordered: list[Recipe[Any, Any, Any]] = []

    def add(recipe: Recipe[Any, Any, Any]) -> None:
        if recipe in ordered:
            return
        for kind in recipe.requires:
            found = next((one for one in (*given.values(), *ordered) if isinstance(one, kind)), None)
            if found is None:
                found = kind()
                _log.debug("the recipe %s is needed by %s and was added", found.id, recipe.id)
            add(found)
        ordered.append(recipe)

    for recipe in given.values():
        add(recipe)
    return ordered
