"""The settings of an app: accepted in several spellings, checked at construction, kept in one form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from .checks import Check, a_flag, a_list, a_number
from .errors import BadInput, ConfigError
from .grammar import HEADER_NAME
from .urls import normalise_origin, normalise_path, path_of

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

OriginFunction: TypeAlias = "Callable[[Request | None, Mapping[str, Any]], str]"
"""Takes the request in flight (None outside one) and the user context. Returns the origin of the website."""


def _addresses(values: Any, *, setting: str) -> tuple[str, ...]:
    """Return origins in normal form. A text alone is refused: it would be taken for a list of letters."""
    values = _as_tuple(values)
    a_list("addresses such as https://shop.example").argument(setting, values)
    return tuple(_address(value, setting=setting, cure="leave the path out") for value in values)


def _as_tuple(values: Any) -> Any:
    """Return any iterable but a text as a tuple, and everything else as it is, for a check to refuse."""
    return tuple(values) if isinstance(values, Iterable) and not isinstance(values, str) else values


def _address(value: str, *, setting: str, cure: str) -> str:
    """Return an origin in normal form; a path behind it is refused, and *cure* says where it belongs."""
    origin = normalise_origin(value, setting=setting)
    if path_of(value):
        raise ConfigError(f"{setting} must end with the host or port, not {path_of(value)!r}: {cure}")
    return origin


# Type checkers follow only named functions as converters, one for each setting.
def _origins(values: Iterable[str]) -> tuple[str, ...]:
    return _addresses(values, setting="allowed_origins")


def _api_domain(value: str) -> str:
    cure = "a path before our routes is the api_base_path, one that a gateway strips is the api_gateway_path"
    return _address(value, setting="api_domain", cure=cure)


def _website_domain(value: str | None) -> str | None:
    return None if value is None else _website(value, setting="website_domain")


def _origin(value: str | OriginFunction | None) -> str | OriginFunction | None:
    return _website(value, setting="origin") if isinstance(value, str) else value


def _website(value: str, *, setting: str) -> str:
    return _address(value, setting=setting, cure="the path of the pages for signing in is the website_base_path")


def _api_base_path(value: str) -> str:
    return normalise_path(value, setting="api_base_path")


def _website_base_path(value: str) -> str:
    return normalise_path(value, setting="website_base_path")


def _api_gateway_path(value: str) -> str:
    return normalise_path(value, setting="api_gateway_path")


_TEXT = Check("a text that is not empty", lambda value: isinstance(value, str) and bool(value.strip()))


@attrs.frozen(kw_only=True)
class AppInfo:
    """
    The names and addresses of an app.

    ::

        AppInfo(app_name="Shop", api_domain="https://api.shop.example", website_domain="https://shop.example")

    :param app_name: shown in mails and pages.
    :param api_domain: the address of this app, as browsers see it, such as ``https://api.shop.example``.
    :param website_domain: the address of the pages that users see. Give either this or *origin*.
    :param origin: the same address, or a function that returns it for each request. The function gets the request and
        the user context, and may return the *allowed_origins*.
    :param allowed_origins: what an *origin* function may return.
    :param api_base_path: the path of the routes of SuperTokens.
    :param website_base_path: the path of the website's auth pages, for links in mails.
    :param api_gateway_path: the part of the path that a gateway in front removes, so that cookies get the path that
        browsers see.
    :raises ConfigError: a value is not usable; the message says which and why.
    """

    app_name: str = attrs.field(validator=_TEXT)
    api_domain: str = attrs.field(converter=_api_domain)
    website_domain: str | None = attrs.field(default=None, converter=_website_domain)
    origin: str | OriginFunction | None = attrs.field(default=None, converter=_origin)
    allowed_origins: tuple[str, ...] = attrs.field(default=(), converter=_origins)
    api_base_path: str = attrs.field(default="/auth", converter=_api_base_path)
    website_base_path: str = attrs.field(default="/auth", converter=_website_base_path)
    api_gateway_path: str = attrs.field(default="", converter=_api_gateway_path)

    def __attrs_post_init__(self) -> None:
        if (self.website_domain is None) == (self.origin is None):
            raise ConfigError("give either website_domain or origin: the address of the pages that users see")
        if self.allowed_origins and not callable(self.origin):
            raise ConfigError(
                "allowed_origins is for an origin function: leave it out; other origins that call the API belong in "
                "cors=Cors(origins=[...])"
            )
        if callable(self.origin) and not self.allowed_origins:
            raise ConfigError("an origin function needs allowed_origins: the list of the origins that it may return")
        if self.origin is not None and not callable(self.origin) and not isinstance(self.origin, str):
            raise ConfigError("origin must be an address or a function of the request and the user context")

    @property
    def fixed_origin(self) -> str | None:
        """The website's origin when it does not depend on the request, else None."""
        if self.website_domain is not None:
            return self.website_domain
        return self.origin if isinstance(self.origin, str) else None

    @property
    def possible_origins(self) -> tuple[str, ...]:
        """Every origin that the website can have."""
        fixed = self.fixed_origin
        return self.allowed_origins if fixed is None else (fixed,)

    @property
    def issuer(self) -> str:
        """The ``iss`` of the tokens that this app creates: the address of its routes, without a trailing slash."""
        return self.api_domain + self.public_base_path

    @property
    def public_base_path(self) -> str:
        """The path of the routes as browsers see it: gateway path and base path."""
        return self.api_gateway_path + self.api_base_path

    def origin_for(self, request: Request | None, user_context: Mapping[str, Any]) -> str:
        """
        Return the website's origin for this request.

        :raises BadInput: the origin function returned one that is not allowed.
        """
        fixed = self.fixed_origin
        if fixed is not None:
            return fixed
        if not callable(self.origin):
            raise ConfigError("there is neither a website_domain nor an origin function")
        try:
            origin = normalise_origin(self.origin(request, user_context), setting="the result of origin")
        except ConfigError:  # most functions return a header of the request, so the client is wrong
            raise BadInput("this origin is not allowed") from None
        if origin not in self.allowed_origins:
            raise BadInput("this origin is not allowed")
        return origin


def _cors_origins(values: str | Iterable[str]) -> tuple[str, ...]:
    values = (values,) if isinstance(values, str) else _as_tuple(values)
    a_list("origins such as https://shop.example", least=1).argument("Cors origins", values)
    if "*" in values:
        raise ConfigError(
            "Cors origins must be exact, since browsers refuse '*' for requests with cookies: list the website's "
            "origin, such as https://shop.example"
        )
    return _addresses(values, setting="Cors origins")


def _header_names(values: str | Iterable[str]) -> tuple[str, ...]:
    values = (values,) if isinstance(values, str) else _as_tuple(values)
    a_list("names of headers").argument("Cors allow_headers", values)
    for value in values:
        # With cookies, browsers take "*" for the name of a header.
        if not isinstance(value, str) or not HEADER_NAME.fullmatch(value) or value == "*":
            raise ConfigError(f"Cors allow_headers must be names of headers, not {value!r}")
    return tuple(value.lower() for value in values)


@attrs.frozen(kw_only=True)
class Cors:
    """
    Cross-origin rules, for a website whose origin is not that of the API.

    ::

        Cors(origins=["https://shop.example"], whole_app=True)

    :param origins: the exact origins of pages that may send requests with credentials. ``*`` is refused.
    :param whole_app: apply the rules to the app's own routes too. Leave it False if the app has a CORS layer.
    :param allow_headers: request headers that pages may send to the app's own routes, beside ``content-type`` and those
        of :func:`~st_wsgi.get_all_cors_headers`.
    :param max_age: seconds for which a browser may remember the response to a preflight, at most a day.
    :raises ConfigError: a value is not usable; the message says which and why.
    """

    origins: tuple[str, ...] = attrs.field(converter=_cors_origins)
    whole_app: bool = attrs.field(default=False, validator=a_flag())
    allow_headers: tuple[str, ...] = attrs.field(default=(), converter=_header_names)
    max_age: int = attrs.field(default=600, validator=a_number("seconds", least=0, most=86_400))
