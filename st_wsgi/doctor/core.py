"""The core: whether it replies, what it speaks, who can read what is sent to it, and what its licence allows."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from ..app import SuperTokens
from ..core_client.hosts import readable_hosts
from ..core_client.querier import Querier
from ..core_client.transport import CoreRequest, HTTPTransport
from ..embedded import EmbeddedCore
from ..embedded.storage.sqlite import SQLiteStore
from ..errors import CoreError, CoreRefused, CoreTooOld, CoreUnavailable
from ..urls import host_of, is_loopback
from .backend import skew
from .finding import Finding
from .settings import is_public

Findings = Iterator[Finding]

_FEATURES = {
    "accountlinking": ("account_linking", "mfa"),
    "multifactorauth": ("mfa",),
    "totp": ("mfa",),
    "saml": ("saml",),
}
"""From recipes to the features of the licence of an official core, one of which each needs."""

_DAY = 86_400
_LEAST_MEMORY = 19 * 1024
"""KiB for Argon2id with one or two passes (OWASP, Password Storage Cheat Sheet)."""
_LEAST_ROUNDS = 10


def over_http(st: SuperTokens) -> Findings:
    """Examine a core that is a server."""
    transport = st.services.transport
    if not isinstance(transport, HTTPTransport):
        return
    for host in readable_hosts(transport.hosts):
        yield Finding("core-plain-http", f"{host} is another machine, and plain http")
    far = [host for host in transport.hosts if not is_loopback(host_of(host))]
    if st.api_key is None and far:
        yield Finding("core-without-key", f"{far[0]} is called without api_key")
    down: list[str] = []
    for host in transport.hosts:
        one = attrs.evolve(transport, hosts=[host], connect_timeout=3.0, read_timeout=10.0)
        try:
            yield from _host(st, host, one)
        except CoreUnavailable:
            down.append(host)
        finally:
            one.close()
    for host in down:
        kind = "core-unavailable" if len(down) == len(transport.hosts) else "core-host-down"
        yield Finding(kind, f"{host} does not reply")


def _host(st: SuperTokens, host: str, transport: HTTPTransport) -> Findings:
    """:raises CoreUnavailable: it does not reply."""
    querier = Querier(
        transport=transport,
        api_key=st.api_key,
        cdi_versions=st.cdi_versions,
        network_interceptor=st.network_interceptor,
    )
    try:
        querier.api_version()
        features = querier.get("/ee/featureflag").body.get("features", [])
    except CoreUnavailable:
        raise
    except CoreError as error:
        is_key = isinstance(error, CoreRefused) and error.status == 401
        kind = "core-version" if isinstance(error, CoreTooOld) else "core-key" if is_key else "core-not-a-core"
        theirs = f"it has {', '.join(error.theirs) or 'none'}" if isinstance(error, CoreTooOld) else ""
        text = {"core-version": f"no CDI version in common: {theirs}", "core-key": "it refuses the api_key"}
        yield Finding(kind, f"{host}: {text.get(kind, 'it replies, but not as a core does')}")
        return
    for recipe in st.recipes:
        needed = _FEATURES.get(recipe.id, ())
        if needed and not set(needed) & set(features):
            yield Finding("licence", f"{host} has no licence for {needed[0]}, which the recipe {recipe.id} needs")
    if wrong := skew(transport.send(CoreRequest("GET", "/hello")).headers.get("date")):
        yield Finding("core-clock", f"{host}: its clock is {wrong}")


def embedded(st: SuperTokens, processes: int) -> Findings:
    """Examine the settings of a core in this process."""
    core = st.services.transport
    if not isinstance(core, EmbeddedCore):
        return
    store, base = core.services.store, core.services.tenancy.base
    if isinstance(store, SQLiteStore) and store.path is None and (is_public(st) or processes > 1):
        many = f", and each of {processes} processes has users of its own" if processes > 1 else ""
        yield Finding("core-in-memory", f"the core is in memory{many}")
    if not is_public(st):
        return
    if base.text("password_hashing_alg") == "BCRYPT":
        if base.whole("bcrypt_log_rounds") < _LEAST_ROUNDS:
            yield Finding("fast-hash", f"bcrypt_log_rounds is {base.whole('bcrypt_log_rounds')}")
    elif base.whole("argon2_memory_kb") < _LEAST_MEMORY:
        yield Finding("fast-hash", f"argon2_memory_kb is {base.whole('argon2_memory_kb')}")
    if base.whole("access_token_validity") > _DAY:
        yield Finding("access-token-life", f"access_token_validity is {base.whole('access_token_validity')} seconds")
