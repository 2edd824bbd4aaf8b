"""The examples under real servers: each a process of its own with a database file of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
from sdks.processes import free_port, serving

EXAMPLES = Path(__file__).parent.parent.parent / "examples"

APP = "flask_app"

#: The examples in the other frameworks, each with a server. What differs between frameworks does not depend on the
#: server (tests/frameworks has every framework in detail), so each framework and each server goes through the scenarios
#: once, and not each pair.
OTHERS = {
    "bottle_app": "gunicorn-gevent",
    "pyramid_app": "waitress",
    "django_app": "waitress",
    "falcon_app": "waitress",
}

_GUNICORN = ["-m", "gunicorn", "--bind=127.0.0.1:{port}", "--workers=2", "--no-control-socket"]

#: How each server is told to serve the attribute ``app`` of a module. With ``--preload`` the instance is made in the
#: parent and used in its children.
SERVERS = {
    "itself": ["{app}.py"],
    "gunicorn-sync": [*_GUNICORN, "{app}:app"],
    "gunicorn-gthread": [*_GUNICORN, "--threads=4", "--preload", "{app}:app"],
    "gunicorn-gevent": [*_GUNICORN, "--worker-class=gevent", "{app}:app"],
    "waitress": ["-m", "waitress", "--listen=127.0.0.1:{port}", "{app}:app"],
}


@attrs.frozen
class Site:
    """A running example: its origin, and the file that takes what the server prints."""

    origin: str
    log: Path


@contextmanager
def running(app: str, server: str, *, folder: Path, port: int | None = None, **core_settings: object) -> Iterator[Site]:
    """
    Serve an example until the block ends.

    :param app: ``APP`` or one of ``OTHERS``.
    :param server: one of ``SERVERS``.
    :param folder: for the database and the log; given again, the users are still there.
    :param core_settings: of the embedded core, such as ``access_token_validity=1`` (seconds).
    """
    port = free_port() if port is None else port
    settings = "&".join(f"{name}={value}" for name, value in core_settings.items())
    origin = f"http://127.0.0.1:{port}"
    env = {
        "PORT": str(port),
        "ST_CORE": f"sqlite:///{folder}/auth.db?{settings}".rstrip("?"),
        "ST_API_DOMAIN": origin,
        "ST_WEBSITE_DOMAIN": origin,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])),
    }
    command = [sys.executable, *(part.format(app=app, port=port) for part in SERVERS[server])]
    log = folder / "server.log"
    with serving(command, port=port, log=log, env=env, cwd=EXAMPLES):
        yield Site(origin, log)
