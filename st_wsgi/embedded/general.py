"""The endpoints about the core itself (CDI 1.1)."""

from __future__ import annotations

import os
from copy import deepcopy
from typing import Any

from ..core_client.transport import CoreReply
from ..grammar import numbers
from .call import Call, Endpoint, Handler
from .fields import CallRefused, bad
from .versions import VERSIONS

TEXT = {"content-type": "text/html; charset=UTF-8"}
"""The headers of an answer that is not JSON."""

FEATURES = ("account_linking", "multi_tenancy", "test", "dashboard_login", "mfa", "security", "oauth", "saml")
"""All there are (``featureflag/EE_FEATURES.java``), as the official core answers with its in-memory database."""


def hello(call: Call) -> CoreReply:
    """``/hello``, any method: is the core there, and its database too?"""
    with call.reading() as db:
        db.row("SELECT 1 FROM apps LIMIT 1")
    return CoreReply(200, "Hello", TEXT)


def root(call: Call) -> CoreReply:
    """``/``, any method: the same, for a tenant that exists."""
    if call.tenant is None:
        known = call.services.tenancy.find(call.app_id, "public") is not None
        raise CallRefused(404, "Not found") if known else call.unknown_tenant("public")
    return hello(call)


def api_version(call: Call) -> dict[str, Any]:
    """``GET /apiversion``: the CDI versions that this core speaks."""
    call.admit()
    highest, lowest = numbers(call.settings.max_cdi_version), call.settings.min_cdi_version
    versions = [version for version in VERSIONS if numbers(version) <= highest]
    if lowest is not None:
        versions = [version for version in versions if numbers(version) >= numbers(lowest)]
    return {"versions": versions}


def config(call: Call) -> dict[str, Any]:
    """``GET /config``: where the configuration is, for who already knows the process."""
    pid = call.query.text("pid")
    if call.app_id != "public" or call.tenant_id != "public":
        raise CallRefused(403, "you can call this only from the base connection uri domain, public app and tenant")
    call.admit()
    if pid != str(os.getpid()):
        return {"status": "NOT_ALLOWED"}
    return {"status": "OK", "path": call.services.store.name}


def request_stats(call: Call) -> dict[str, Any]:
    """``GET /requests/stats``: requests a second, of the last day's minutes, counted in this process."""
    call.admit()
    return {"status": "OK", **call.services.stats.report(call.app_id, call.now)}


def put_license(call: Call) -> dict[str, Any]:
    """``PUT /ee/license``: any key is fine, and nothing changes."""
    key = call.body.text_or_none("licenseKey")
    if key is None and call.body.values:
        raise bad("Field name 'licenseKey' is missing in JSON input")
    call.admit()
    return {"status": "OK"}


def _always(answer: dict[str, Any]) -> Handler:
    """Return a handler that answers the same for every app."""

    def handler(call: Call) -> dict[str, Any]:
        call.admit()
        return deepcopy(answer)

    return handler


ENDPOINTS = (
    *(Endpoint(method, "/", "tenant", root, keyless=True) for method in ("GET", "POST", "PUT", "DELETE")),
    *(Endpoint(method, "/hello", "app-tolerant", hello, keyless=True) for method in ("GET", "POST", "PUT", "DELETE")),
    Endpoint("GET", "/apiversion", "app", api_version),
    Endpoint("GET", "/config", "special", config, keyless=True),
    Endpoint("GET", "/telemetry", "app", _always({"exists": False})),
    Endpoint("GET", "/requests/stats", "app", request_stats),
    Endpoint("GET", "/ee/featureflag", "app", _always({"status": "OK", "features": list(FEATURES), "usageStats": {}})),
    Endpoint("PUT", "/ee/license", "app", put_license),
    Endpoint("GET", "/ee/license", "app", _always({"status": "NO_LICENSE_KEY_FOUND_ERROR"})),
    Endpoint("DELETE", "/ee/license", "app", _always({"status": "OK"})),
)
