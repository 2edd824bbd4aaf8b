"""The commands ``core``: the embedded core as a server, and its signing keys."""

from __future__ import annotations

import argparse
import os
import pathlib
import signal
import sys
from collections.abc import Mapping
from datetime import datetime, timezone

from ..embedded import EmbeddedCore
from ..embedded.admission import is_loopback
from ..embedded.core import locate
from ..embedded.wsgi import CoreApp
from .command import CommandFailed, Commands, command, group, show
from .cores import KEY_VARIABLE, address_of, core_settings, open_core, public_tenant

try:
    from ..embedded.server import CoreServer
except ModuleNotFoundError:  # waitress is an extra
    CoreServer = None  # type: ignore[assignment, misc] # checked before it is used


def add(commands: Commands) -> None:
    """Add the commands."""
    core = group(commands, "core", "the embedded core as a server")
    serve = command(core, "serve", _serve, "serve the embedded core over HTTP until SIGTERM or Ctrl+C")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=int, default=3567, help="the port, 0 for a free one (default: %(default)s)")
    serve.add_argument(
        "--api-key",
        action="append",
        default=[],
        metavar="KEY",
        help=f"a key that every call needs, which all users of this machine can see; better set {KEY_VARIABLE}",
    )
    serve.add_argument(
        "--api-key-file", type=pathlib.Path, metavar="FILE", help="a file with such keys, one on each line"
    )
    keys = group(core, "keys", "the keys that sign tokens")
    rotate = command(keys, "rotate", _keys_rotate, "replace the signing keys of an app at once, because one has leaked")
    rotate.add_argument(
        "--end-sessions", action="store_true", help="also end all sessions, because the whole database has leaked"
    )


def _serve(arguments: argparse.Namespace) -> int:
    if CoreServer is None:
        raise CommandFailed("serving the core needs waitress. Run `pip install 'st-wsgi[serve]'`")
    opener, settings = locate(address_of(arguments.db))
    settings.update(core_settings(arguments))
    settings.update(_api_keys(arguments, settings))
    if not is_loopback(arguments.host) and not settings.get("api_keys"):
        raise CommandFailed(
            f"without an API key everybody who reaches {arguments.host or 'this machine'} could read and change all "
            f"users. Set one with {KEY_VARIABLE} or --api-key-file, or listen on 127.0.0.1"
        )
    with EmbeddedCore(opener, settings=settings) as core:
        base = core.services.tenancy.base
        server = CoreServer(
            CoreApp(core, base_path=base.text("base_path") or ""),
            host=arguments.host,
            port=arguments.port,
            threads=base.whole("max_server_pool_size"),
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: server.stop())
        show(
            arguments,
            {"database": core.services.store.name, "url": server.address},
            f"core of {core.services.store.name} on {server.address}",
        )
        sys.stdout.flush()
        server.serve_forever()
    show(arguments, {"stopped": True}, "core stopped")
    return 0


def _api_keys(arguments: argparse.Namespace, settings: Mapping[str, object]) -> dict[str, object]:
    """Return the keys of the arguments and the file, otherwise those of the settings or the environment."""
    keys = {"--api-key": arguments.api_key}
    if arguments.api_key_file is not None:
        keys[f"--api-key-file {arguments.api_key_file}"] = arguments.api_key_file.read_text().splitlines() or [""]
    elif not arguments.api_key and "api_keys" not in settings and KEY_VARIABLE in os.environ:
        keys[KEY_VARIABLE] = [os.environ[KEY_VARIABLE]]
    for source, values in keys.items():
        if not all(value.strip() for value in values):
            raise CommandFailed(f"{source} has an empty key. Give it a key, or leave it out to serve without one")
    named = [value for values in keys.values() for value in values]
    return {"api_keys": ",".join(named)} if named else {}


def _keys_rotate(arguments: argparse.Namespace) -> int:
    with open_core(arguments) as core:
        services = core.services
        done = services.keys.replace(
            public_tenant(core, arguments), services.clock(), end_sessions=arguments.end_sessions
        )
    until = datetime.fromtimestamp(done.cached_until // 1000, timezone.utc).isoformat()
    report = {
        "oldKeys": done.old_key_ids,
        "newKeys": done.new_key_ids,
        "cachedUntil": until,
        "sessionsEnded": arguments.end_sessions,
    }
    users = "All sessions have ended." if arguments.end_sessions else "Sessions go on: frontends refresh by themselves."
    text = f"""\
New keys of the app {arguments.app!r}: {", ".join(done.new_key_ids)}. {users}
No core on this file accepts the old keys any more: {", ".join(done.old_key_ids) or "there were none"}.
Who may still accept them:
  - apps on st_wsgi and services on st_verify, until they fetch the keys again: with the first token of a new key, and
    within 4 hours by default (24 hours if they cannot reach the key server). Restart them to make it at once.
  - other verifiers and caches of jwks.json, until {until}: so long were they told to keep the keys.
    Restart those services and empty those caches."""
    show(arguments, report, text)
    return 0
