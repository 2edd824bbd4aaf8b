"""The processes that serve the app, as the settings of gunicorn in the current folder and the environment have them."""

from __future__ import annotations

import argparse
import os
import pathlib
import runpy
import shlex
from collections.abc import Iterator
from typing import Any

import attrs

from .finding import Finding

_CLASSES = ("sync", "gthread", "gevent", "gevent_pywsgi")


@attrs.frozen(kw_only=True)
class Server:
    """
    How the app is served.

    :param worker_class: None if nothing names one.
    :param is_known: whether there are settings of gunicorn at all.
    """

    workers: int = 1
    threads: int = 1
    worker_class: str | None = None
    is_known: bool = False


def configured(folder: pathlib.Path, processes: int | None) -> Server:
    """
    Return the settings of gunicorn: ``gunicorn.conf.py``, which runs for that, and ``GUNICORN_CMD_ARGS`` on top.

    :param processes: the number that the command line names; else that of gunicorn, or of ``WEB_CONCURRENCY``.
    """
    file, words = folder / "gunicorn.conf.py", shlex.split(os.environ.get("GUNICORN_CMD_ARGS", ""))
    found: dict[str, Any] = runpy.run_path(str(file)) if file.is_file() else {}
    parser = argparse.ArgumentParser(exit_on_error=False, add_help=False, allow_abbrev=False)
    parser.add_argument("-w", "--workers", type=int, default=found.get("workers"))
    parser.add_argument("--threads", type=int, default=found.get("threads", 1))
    parser.add_argument("-k", "--worker-class", default=found.get("worker_class"))
    given, _ = parser.parse_known_args(words)
    kind = given.worker_class if given.worker_class is None else str(given.worker_class)
    workers = processes or given.workers or int(os.environ.get("WEB_CONCURRENCY", "1"))
    return Server(workers=workers, threads=given.threads, worker_class=kind, is_known=bool(found or words))


def examine(server: Server, *, public: bool) -> Iterator[Finding]:
    """Return what is wrong with the processes."""
    kind = server.worker_class
    if kind is not None and kind not in _CLASSES:
        yield Finding("worker-class", f"the worker class of gunicorn is {kind[:80]}")
    elif public and server.is_known and kind in (None, "sync", "gthread") and server.workers * server.threads == 1:
        yield Finding("one-at-a-time", "gunicorn has one worker with one thread")
