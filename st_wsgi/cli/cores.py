"""The core that a command names: an embedded one by its database, or another one by its address."""

from __future__ import annotations

import argparse
import os
import pathlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import quote

from ..core_client.hosts import readable_hosts
from ..core_client.querier import Querier
from ..core_client.transport import HTTPTransport
from ..embedded import EmbeddedCore
from ..embedded.core import parse_address
from ..embedded.tenancy import Tenant
from ..errors import ConfigError
from ..grammar import CDI_VERSIONS
from .command import CommandFailed

KEY_VARIABLE = "ST_CORE_API_KEY"
"""The environment variable with the API key of a core."""


def core_settings(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the settings of the core that ``--set`` names. :raises ConfigError: one has no value."""
    settings: dict[str, object] = {}
    for item in arguments.set:
        name, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--set {name}: write NAME=VALUE")
        settings[name] = value
    return settings


def address_of(place: str) -> str:
    """Return the address of a database that is named by it, or by a file."""
    return place if place.startswith("sqlite:") or "://" in place else f"sqlite:///{quote(place)}"


def file_of(arguments: argparse.Namespace) -> pathlib.Path:
    """Return the file that the command names. :raises ConfigError: it names another kind of database."""
    address = address_of(arguments.db)
    if address.startswith("postgres"):
        raise ConfigError("this command is for files: each start of a core brings the schema in PostgreSQL up to date")
    path, _ = parse_address(address)
    if path is None:
        raise ConfigError("this command needs a file: --db auth.db")
    return path


def open_core(arguments: argparse.Namespace, *, new: bool = False) -> EmbeddedCore:
    """Open a database that exists, or also a *new* one: ``core serve``, ``db migrate`` and ``user create`` make it."""
    address, settings = address_of(arguments.db), core_settings(arguments)
    path = parse_address(address)[0] if address.startswith("sqlite:") and not new else None
    if path is not None and not path.exists():
        raise ConfigError(f"{path}: there is no database. Name one with --db")
    return EmbeddedCore.open(address, settings=settings)


def public_tenant(core: EmbeddedCore, arguments: argparse.Namespace) -> Tenant:
    """Return the public tenant of the app that the command names."""
    tenant = core.services.tenancy.find(arguments.app, "public")
    if tenant is None:
        raise CommandFailed(f"there is no app {arguments.app!r}")
    return tenant


class Caller:
    """
    Calls an embedded core for the tenant that the command names.

    :raises CommandFailed: there is no such tenant.
    """

    def __init__(self, core: EmbeddedCore, arguments: argparse.Namespace) -> None:
        tenant = core.services.tenancy.find(arguments.app, arguments.tenant)
        if tenant is None:
            raise CommandFailed(f"there is no tenant {arguments.tenant!r} in an app {arguments.app!r}")
        keys = tenant.settings.api_keys
        api_key = keys[0].decode() if keys else None
        self.core: Querier = Querier(transport=core, api_key=api_key, app_id=arguments.app, cdi_versions=CDI_VERSIONS)
        self._tenant_id: str = arguments.tenant

    def get(self, path: str, **params: str) -> dict[str, Any]:
        """GET from the tenant."""
        return self.core.get(path, params, tenant_id=self._tenant_id).body

    def send(
        self, method: Literal["POST", "PUT"], path: str, /, *, of_app: bool = False, **body: Any
    ) -> dict[str, Any]:
        """PUT or POST to the tenant, or to the app as a whole."""
        send = self.core.put if method == "PUT" else self.core.post
        return send(path, body, tenant_id=None if of_app else self._tenant_id).body

    def user(self, name: str) -> dict[str, Any]:
        """Return the user with an id or, in the tenant, an email."""
        if "@" in name:
            users = self.get("/users/by-accountinfo", email=name, doUnionOfAccountInfo="true")["users"]
        else:
            reply = self.core.get("/user/id", {"userId": name})
            users = [reply.body["user"]] if reply.is_ok("UNKNOWN_USER_ID_ERROR") else []
        if not users:
            raise CommandFailed(f"there is no user {name!r}")
        user: dict[str, Any] = users[0]
        return user


def add_other_core(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the arguments that name another core."""
    instead = "" if required else ", instead of the one in --db"
    parser.add_argument("--to", required=required, metavar="URL", help=f"the core's address{instead}")
    parser.add_argument("--api-key", default=os.environ.get(KEY_VARIABLE), help=f"its key (default: {KEY_VARIABLE})")
    parser.add_argument("--allow-insecure-core", action="store_true", help="send all of this without https")


@contextmanager
def other_core(arguments: argparse.Namespace, cdi_versions: Sequence[str]) -> Iterator[Querier]:
    """Connect to the core that ``--to`` names."""
    transport = HTTPTransport(arguments.to)
    readable = readable_hosts(transport.hosts)
    if readable and not arguments.allow_insecure_core:
        raise ConfigError(
            f"everyone on the way to {readable[0]} could read the key and the password hashes: use https, or say "
            "--allow-insecure-core if that network is your own"
        )
    try:
        core = Querier(transport=transport, api_key=arguments.api_key, app_id=arguments.app, cdi_versions=cdi_versions)
        core.api_version()  # refuses a wrong address or key, even if there is nothing to send
        yield core
    finally:
        transport.close()
