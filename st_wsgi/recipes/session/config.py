"""The settings of the session recipe, each checked by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import attrs

from ...checks import Check, a, a_flag, a_list, a_number
from ...errors import ConfigError
from ...request.changes import SameSite
from ...urls import normalise_issuer
from .types import AntiCsrf, ErrorHandlers, GetTokenTransferMethod, TransferPolicy

_Word = TypeVar("_Word")

_ONE_DAY = 86_400
_SAME_SITE: tuple[SameSite | None, ...] = ("lax", "strict", "none", None)
_ANTI_CSRF: tuple[AntiCsrf | None, ...] = ("VIA_CUSTOM_HEADER", "VIA_TOKEN", "NONE", None)
_SAFE_METHODS = ("GET", "HEAD")
_POLICIES: tuple[TransferPolicy, ...] = ("cookie", "header", "any")


def _same_site(value: SameSite | None) -> SameSite | None:
    return _one_of("cookie_same_site", value, _SAME_SITE)


def _anti_csrf(value: AntiCsrf | None) -> AntiCsrf | None:
    return _one_of("anti_csrf", value, _ANTI_CSRF)


def _transfer_method(value: GetTokenTransferMethod | TransferPolicy) -> GetTokenTransferMethod | TransferPolicy:
    is_function = callable(value) and not isinstance(value, type)
    more = ", or a function that returns one of them"
    return value if is_function else _one_of("get_token_transfer_method", value, _POLICIES, more)


def _safe_methods(values: Iterable[str]) -> tuple[str, ...]:
    _methods.argument("csrf_safe_methods", values)
    return tuple(values)


def _issuers(values: Iterable[str] | None) -> tuple[str, ...] | None:
    if values is None:
        return None
    _texts.argument("accepted_issuers", values)
    return tuple(normalise_issuer(value, setting="accepted_issuers") for value in values)


def _one_of(name: str, value: Any, allowed: tuple[_Word, ...], more: str = "") -> _Word:
    """Return the one of the *allowed* words that *value* is, in any case."""
    for word in allowed:
        if value == word or (isinstance(value, str) and isinstance(word, str) and value.lower() == word.lower()):
            return word
    raise ConfigError(f"{name} must be one of {', '.join(map(str, allowed))}{more}, not {value!r}")


def _or_none(check: Check) -> Check:
    return Check(f"{check.description}, or None", lambda value: value is None or check.accepts(value))


_flag_or_none = Check("True, False or None", lambda value: value is None or isinstance(value, bool))
_timeout = _or_none(a_number("seconds", least=60, most=10 * 365 * _ONE_DAY))
_sessions = _or_none(a_number("sessions", least=1, most=1000))
_domain = Check("a domain or None", lambda value: value is None or isinstance(value, str))
_methods = Check(
    "a list of GET and HEAD, of one of them, or empty",
    lambda values: isinstance(values, list | tuple | set | frozenset) and all(one in _SAFE_METHODS for one in values),
)
_texts = a_list("issuers such as 'https://old-api.example.com/auth', or None", kind=str)
_status = Check("an HTTP status from 400 to 599", lambda value: isinstance(value, int) and 400 <= value <= 599)


@attrs.define(kw_only=True, eq=False, slots=False)
class SessionConfig:
    """The settings, described at :class:`~st_wsgi.recipes.session.Session`."""

    cookie_domain: str | None = attrs.field(default=None, validator=_domain)
    older_cookie_domain: str | None = attrs.field(default=None, validator=_domain)
    cookie_secure: bool | None = attrs.field(default=None, validator=_flag_or_none)
    cookie_same_site: SameSite | None = attrs.field(default=None, converter=_same_site)
    session_expired_status_code: int = attrs.field(default=401, validator=_status)
    invalid_claim_status_code: int = attrs.field(default=403, validator=_status)
    anti_csrf: AntiCsrf | None = attrs.field(default=None, converter=_anti_csrf)
    allow_insecure_cookies: bool = attrs.field(default=False, validator=a_flag())
    allow_insecure_anti_csrf: bool = attrs.field(default=False, validator=a_flag())
    csrf_safe_methods: tuple[str, ...] = attrs.field(default=("GET", "HEAD"), converter=_safe_methods)
    check_request_origin: bool = attrs.field(default=False, validator=a_flag())
    get_token_transfer_method: GetTokenTransferMethod | TransferPolicy = attrs.field(
        default="any", converter=_transfer_method
    )
    error_handlers: ErrorHandlers = attrs.field(factory=ErrorHandlers, validator=a(ErrorHandlers))
    use_dynamic_access_token_signing_key: bool = attrs.field(default=True, validator=a_flag())
    expose_access_token_to_frontend_in_cookie_based_auth: bool = attrs.field(default=False, validator=a_flag())
    jwks_refresh_interval_sec: int = attrs.field(default=14_400, validator=a_number("seconds", least=1, most=_ONE_DAY))
    accepted_issuers: tuple[str, ...] | None = attrs.field(default=None, converter=_issuers)
    check_database: bool = attrs.field(default=False, validator=a_flag())
    absolute_timeout_sec: int | None = attrs.field(default=None, validator=_timeout)
    idle_timeout_sec: int | None = attrs.field(default=None, validator=_timeout)
    max_sessions_per_user: int | None = attrs.field(default=None, validator=_sessions)
    record_sign_in: bool = attrs.field(default=False, validator=a_flag())

    def __attrs_post_init__(self) -> None:
        if self.session_expired_status_code == self.invalid_claim_status_code:
            raise ConfigError("session_expired_status_code and invalid_claim_status_code must differ")
        absolute, idle = self.absolute_timeout_sec, self.idle_timeout_sec
        if absolute is not None and idle is not None and idle >= absolute:
            raise ConfigError("idle_timeout_sec must be smaller than absolute_timeout_sec, or it never ends a session")
