"""The commands of ``python -m st_wsgi``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.core import parse_address
from st_wsgi.embedded.server import CoreServer
from st_wsgi.embedded.wsgi import core_app
from st_wsgi.errors import ConfigError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0, 1 when it failed, 2 when it was not understood."""
    arguments = _parser().parse_args(argv)
    try:
        result: int = arguments.run(arguments)
    except (ConfigError, OSError) as error:
        print(f"st-wsgi: {error}", file=sys.stderr)
        return 1
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="st-wsgi", description="SuperTokens for WSGI apps.")
    commands = parser.add_subparsers(title="commands", required=True)
    core = commands.add_parser("core", help="the embedded core").add_subparsers(title="commands", required=True)
    serve = core.add_parser("serve", help="serve the embedded core over HTTP")
    _add_db(serve)
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on (default %(default)s)")
    serve.add_argument("--port", type=int, default=3567, help="the port to listen on, 0 for a free one (default 3567)")
    serve.add_argument("--api-key", action="append", default=[], metavar="KEY", help="a key that every call needs")
    serve.set_defaults(run=_serve)
    return parser


def _add_db(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--db", default="auth.db", help="the file, or an address such as sqlite:///auth.db; sqlite:// is in memory"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a core setting by its official name"
    )


def _open(arguments: argparse.Namespace, extra: dict[str, object] | None = None) -> EmbeddedCore:
    settings: dict[str, object] = {}
    for item in arguments.set:
        name, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--set {name}: write NAME=VALUE")
        settings[name] = value
    settings.update(extra or {})
    if arguments.db.startswith("sqlite:"):
        path, given = parse_address(arguments.db)
        return EmbeddedCore(path, settings={**given, **settings})
    return EmbeddedCore(arguments.db, settings=settings)


def _serve(arguments: argparse.Namespace) -> int:
    keys: dict[str, object] = {"api_keys": ",".join(arguments.api_key)} if arguments.api_key else {}
    with _open(arguments, keys) as core:
        base_path = core.engine.tenancy.base.text("base_path") or ""
        server = CoreServer(core_app(core, base_path=base_path), host=arguments.host, port=arguments.port)
        stop = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stop.set())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        print(f"core of {core.engine.store.name} on {server.address}", flush=True)
        try:
            stop.wait()
        finally:
            server.stop()
            thread.join()
    print("core stopped", flush=True)
    return 0
