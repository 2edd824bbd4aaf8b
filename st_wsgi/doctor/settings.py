"""The settings of an instance: what works on the developer's machine and is a danger in production."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

from ..app import SuperTokens
from ..attempts import MemoryAttempts
from ..delivery import Console, Delivery
from ..limits import AttemptLimits
from ..recipes.session import Session
from ..urls import host_of, is_loopback, is_same_site, scheme_of
from .finding import Finding

Findings = Iterator[Finding]


def is_public(st: SuperTokens) -> bool:
    """Return whether users reach the app from other machines."""
    return not is_loopback(host_of(st.app_info.api_domain))


def addresses(st: SuperTokens) -> Findings:
    """Examine domains and origins."""
    api, origins = st.app_info.api_domain, {*st.app_info.possible_origins, *(st.cors.origins if st.cors else ())}
    if not is_public(st):
        return
    if scheme_of(api) == "http":
        yield Finding("plain-http", f"api_domain {api} is plain http")
    for origin in sorted(origins - {api}):
        if is_loopback(host_of(origin)):
            yield Finding("development-origin", f"{origin} may use {api}")
        elif scheme_of(origin) == "http" and scheme_of(api) == "https":
            yield Finding("plain-http-origin", f"{origin} may use {api}")


def cookies(st: SuperTokens) -> Findings:
    """Examine SameSite and anti-CSRF."""
    session, api = st.services.get(Session), st.app_info.api_domain
    if session.get_token_transfer_method == "header":
        return
    one_site = all(is_same_site(origin, api) for origin in st.app_info.possible_origins)
    if one_site and session.cookie_same_site == "none":
        yield Finding("same-site-none", "cookie_same_site is none, and the website is on the site of the API")
    if session.anti_csrf == "NONE" and session.allow_insecure_anti_csrf:
        yield Finding("csrf-off", "anti_csrf is NONE, and allow_insecure_anti_csrf is set")


def messages(st: SuperTokens) -> Findings:
    """Examine how mails and text messages are sent."""
    for recipe in st.recipes if is_public(st) else ():
        channels: Any = getattr(recipe, "channels", list)
        for channel, name in (("email", "mail"), ("sms", "sms")):
            delivery = getattr(recipe, name, None)
            if isinstance(delivery, Delivery) and isinstance(delivery.service, Console) and channel in channels():
                what = "mails" if name == "mail" else "text messages"
                yield Finding(f"{name}-console", f"{what} of the recipe {recipe.id} are printed on the console")


def limits(st: SuperTokens, processes: int) -> Findings:
    """Examine the limits of attempts."""
    limiter = st.services.limiter
    own = limiter.rate_limit
    if own is None and is_public(st):
        yield Finding("limits-off", "rate_limit is None, so attempts to sign in are not limited here")
    if (
        isinstance(own, AttemptLimits)
        and processes > 1
        and (own.store is None or isinstance(own.store, MemoryAttempts))
    ):
        yield Finding("limits-in-memory", f"each of {processes} processes counts attempts for itself")
    if own is not None and limiter.trusted_proxies is None and is_public(st):
        yield Finding("trusted-proxies", "trusted_proxies is not set, so clients behind a proxy have common limits")


def debugging(st: SuperTokens, app: object) -> Findings:
    """Examine what frameworks show when a view fails, and whether the log says something."""
    django: Any = sys.modules.get("django.conf")
    switches = {
        "Django's DEBUG": django is not None and django.settings.configured and django.settings.DEBUG,
        "the app's debug": getattr(app, "debug", False),
    }
    for name, value in switches.items():
        if value is True and is_public(st):
            yield Finding("debug", f"{name} is True")
    for name in ("st_wsgi", "st_wsgi.security", "st_wsgi.core"):
        if logging.getLogger(name).disabled:
            yield Finding("logging-off", f"the logger {name} is disabled")
