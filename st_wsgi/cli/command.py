"""What all commands share: how they are declared, what they print, and how they fail."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
from typing import Any, TextIO

from ..errors import SuperTokensError

Commands = Any
"""What :meth:`argparse.ArgumentParser.add_subparsers` returns, which argparse does not name."""


class CommandFailed(SuperTokensError):
    """The command cannot do what was asked; the message says why."""


def group(commands: Commands, name: str, summary: str) -> Commands:
    """Add a group of commands, such as ``db``, and return it."""
    parser = commands.add_parser(name, help=summary, description=summary)
    return parser.add_subparsers(title="commands", required=True, metavar="COMMAND")


def command(commands: Commands, name: str, run: Any, summary: str) -> argparse.ArgumentParser:
    """Add a command that works on an embedded core, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary)
    parser.add_argument(
        "--db", default="auth.db", help="the file, or the address of a database, such as postgresql://user@host/auth"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a core setting")
    parser.add_argument("--app", default="public", help="the app (default: public)")
    parser.add_argument("--tenant", default="public", help="the tenant (default: public)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
    return parser


def show(arguments: argparse.Namespace, value: object, text: str) -> None:
    """Print the text, or with ``--json`` the value."""
    print(json.dumps(value, ensure_ascii=False) if arguments.json else text)


def new_file(path: pathlib.Path) -> TextIO:
    """Make a file that only its owner can read: it may hold password hashes or names."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
