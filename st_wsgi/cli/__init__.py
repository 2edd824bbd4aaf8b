"""
The commands of ``st-wsgi``: those that work on an embedded core, and those that look at an app.

Every command prints text for people, or with ``--json`` one JSON value for programs, on standard output; progress and
errors go to standard error. Passwords are asked for or read from standard input, never taken from the command line.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Sequence

from ..errors import SuperTokensError
from . import apps, databases, moving, serving, users


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0, 1 when it failed, 2 when it was not understood."""
    arguments = _parser().parse_args(argv)
    try:
        result: int = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output has ended, as `head` does. What is still in the buffer goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        print(f"st-wsgi: {_explain(error, arguments)}", file=sys.stderr)
        return 1
    except (SuperTokensError, sqlite3.Error) as error:
        print(f"st-wsgi: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return result


def _explain(error: OSError, arguments: argparse.Namespace) -> str:
    """Return what went wrong, and what to do about it."""
    if error.errno == errno.EADDRINUSE:
        return f"port {arguments.port} is in use, maybe by another core. Choose one with --port, 0 for a free one"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{arguments.host} is no address of this machine. Choose one with --host, such as 127.0.0.1"
    if isinstance(error, FileExistsError):
        return f"{error.filename} exists already. Name a new file"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="st-wsgi", description="SuperTokens for WSGI apps.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for area in (serving, databases, users, moving, apps):
        area.add(commands)
    return parser
