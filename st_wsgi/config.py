"""Settings as values: accepted wide, checked once at construction, kept in one normal form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from .errors import BadInput, ConfigError
from .grammar import HEADER_NAME
from .urls import normalise_origin, normalise_path

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

OriginFunction: TypeAlias = "Callable[[Request | None, Mapping[str, Any]], str]"
"""From the request in flight (None outside one) and the user context to the website's origin."""


def _text(_instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{attribute.name} must be a text that is not empty, not {value!r}")


def _origins(values: Iterable[str] | str) -> tuple[str, ...]:
    if isinstance(values, str):
        raise ConfigError("allowed_origins must be a list of origins, not one text")
    return tuple(normalise_origin(value, setting="allowed_origins") for value in values)


# One named function a setting, since the type checker follows no other kind of converter.
def _api_domain(value: str) -> str:
    return normalise_origin(value, setting="api_domain")


def _website_domain(value: str | None) -> str | None:
    return None if value is None else normalise_origin(value, setting="website_domain")


def _origin(value: str | OriginFunction | None) -> str | OriginFunction | None:
    return normalise_origin(value, setting="origin") if isinstance(value, str) else value


def _api_base_path(value: str) -> str:
    return normalise_path(value, setting="api_base_path")


def _website_base_path(value: str) -> str:
    return normalise_path(value, setting="website_base_path")


def _api_gateway_path(value: str) -> str:
    return normalise_path(value, setting="api_gateway_path")


@attrs.frozen(kw_only=True)
class AppInfo:
    """
    Who the app is and where it lives.

    :param app_name: shown in mails and pages.
    :param api_domain: where this app answers, such as ``https://api.shop.example``.
    :param website_domain: where the pages are that users see. Either this or *origin*.
    :param origin: the same, or a function of the request and the user context, called for every request; its results
        must be in *allowed_origins*.
    :param allowed_origins: the origins that an *origin* function may return.
    :param api_base_path: below which our routes live.
    :param website_base_path: below which the auth pages of the website live, for links in mails.
    :param api_gateway_path: what a gateway in front strips from the path, so that cookies get the browser's path.
    :raises ConfigError: a value is not usable; the message says which and why.
    """

    app_name: str = attrs.field(validator=_text)
    api_domain: str = attrs.field(converter=_api_domain)
    website_domain: str | None = attrs.field(default=None, converter=_website_domain)
    origin: str | OriginFunction | None = attrs.field(default=None, converter=_origin)
    allowed_origins: tuple[str, ...] = attrs.field(default=(), converter=_origins)
    api_base_path: str = attrs.field(default="/auth", converter=_api_base_path)
    website_base_path: str = attrs.field(default="/auth", converter=_website_base_path)
    api_gateway_path: str = attrs.field(default="", converter=_api_gateway_path)

    def __attrs_post_init__(self) -> None:
        if (self.website_domain is None) == (self.origin is None):
            raise ConfigError("give either website_domain or origin: where the pages are that users see")
        if callable(self.origin) and not self.allowed_origins:
            raise ConfigError("an origin function needs allowed_origins: the list of what it may return")
        if self.origin is not None and not callable(self.origin) and not isinstance(self.origin, str):
            raise ConfigError("origin must be an address or a function of request and user context")

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
        """The ``iss`` of the tokens that this app makes: where its routes are, without a trailing slash."""
        return self.api_domain + self.public_base_path

    @property
    def public_base_path(self) -> str:
        """The base path as the browser sees it: gateway path and base path."""
        return self.api_gateway_path + self.api_base_path

    def origin_for(self, request: Request | None, user_context: Mapping[str, Any]) -> str:
        """
        Return the website's origin for this request.

        :raises BadInput: the origin function returned something that is not in ``allowed_origins``.
        """
        fixed = self.fixed_origin
        if fixed is not None:
            return fixed
        if not callable(self.origin):
            raise ConfigError("there is neither a website_domain nor an origin function")
        try:
            origin = normalise_origin(self.origin(request, user_context), setting="the result of origin")
        except ConfigError:  # most functions hand on a header of the request, so this is the client's mistake
            raise BadInput("this origin is not allowed") from None
        if origin not in self.allowed_origins:
            raise BadInput("this origin is not allowed")
        return origin


def _cors_origins(values: str | Iterable[str]) -> tuple[str, ...]:
    values = (values,) if isinstance(values, str) else tuple(values)
    if not values:
        raise ConfigError("Cors needs at least one origin")
    if "*" in values:
        raise ConfigError("Cors origins must be exact: '*' cannot be used together with credentials")
    return tuple(normalise_origin(value, setting="Cors origins") for value in values)


def _header_names(values: str | Iterable[str]) -> tuple[str, ...]:
    values = (values,) if isinstance(values, str) else tuple(values)
    for value in values:
        if not HEADER_NAME.fullmatch(value):
            raise ConfigError(f"Cors allow_headers must be names of headers, not {value!r}")
    return tuple(value.lower() for value in values)


@attrs.frozen(kw_only=True)
class Cors:
    """
    Cross-origin rules for browsers whose pages come from another origin than the API.

    :param origins: the exact origins that may call with credentials; ``*`` is refused.
    :param whole_app: apply the rules to the app's own routes too; leave it off when the app has a CORS layer.
    :param allow_headers: request headers that pages may send to the app's own routes, beside ``content-type`` and those
        of :func:`~st_wsgi.get_all_cors_headers`.
    :param max_age: seconds for which a browser may remember a preflight.
    """

    origins: tuple[str, ...] = attrs.field(converter=_cors_origins)
    whole_app: bool = False
    allow_headers: tuple[str, ...] = attrs.field(default=(), converter=_header_names)
    max_age: int = 600
