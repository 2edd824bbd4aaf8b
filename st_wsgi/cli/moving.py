"""The commands ``users import``, ``export`` and ``push``: they move users from one system to another."""

from __future__ import annotations

import argparse
import json
import logging
import math
import pathlib
import sys
from contextlib import ExitStack

from ..embedded import population, push
from ..importing import sending, sources
from .command import Commands, command, group, new_file, show
from .cores import Caller, add_other_core, open_core, other_core, public_tenant


def add(commands: Commands) -> None:
    """Add the commands."""
    _add_users(commands)
    export = command(commands, "export", _export, "write an app's tenants, roles and users as lines of JSON")
    export.add_argument("--out", type=pathlib.Path, metavar="FILE", help="a new file instead of standard output")
    export.add_argument("--secrets", action="store_true", help="with password hashes, TOTP secrets and client secrets")
    pushing = command(commands, "push", _push, "take everybody to another core, such as an official one")
    add_other_core(pushing, required=True)
    pushing.add_argument("--after", default="", metavar="ID", help="go on behind this user, as an earlier push said")
    pushing.add_argument("--adopt", action="store_true", help="take over accounts with the same email over there")


def _add_users(commands: Commands) -> None:
    users = group(commands, "users", "users of other systems")
    importing = command(users, "import", _users_import, "take users over from what another system wrote")
    importing.formatter_class = argparse.RawDescriptionHelpFormatter
    importing.epilog = """examples:
  python manage.py dumpdata auth.group auth.user > users.json
  st-wsgi users import --from django users.json --dry-run
  st-wsgi users import --from django users.json --db auth.db

It may be repeated: who is in the core already stays as they are."""
    importing.add_argument("file", type=pathlib.Path, help="the file with the users")
    importing.add_argument("--from", dest="source", required=True, choices=sources.READERS, help="what wrote it")
    importing.add_argument(
        "--hashes",
        type=pathlib.Path,
        metavar="FILE",
        help="Auth0's export of password hashes, Firebase's hash parameters, Flask-Security's SECURITY_PASSWORD_SALT",
    )
    importing.add_argument("--single-hash", action="store_true", help="with SECURITY_PASSWORD_SINGLE_HASH")
    importing.add_argument("--model", default="auth.user", help="Django's model of users (default: %(default)s)")
    importing.add_argument("--verified", action="store_true", help="take all emails as verified")
    importing.add_argument("--dry-run", action="store_true", help="only read the file and say what could not be taken")
    importing.add_argument(
        "--patience",
        type=_seconds,
        default=900.0,
        metavar="SECONDS",
        help="give up when the core looks at no user for so long (default: %(default)g)",
    )
    importing.add_argument("--report", type=pathlib.Path, metavar="FILE", help="a new file for all who are not taken")
    add_other_core(importing, required=False)


def _seconds(text: str) -> float:
    """Return a span of time. :raises ArgumentTypeError: it is not above zero and finite."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < math.inf:  # not-a-number is neither
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return seconds


def _export(arguments: argparse.Namespace) -> int:
    with open_core(arguments) as core:
        lines = population.lines(core.services.store, public_tenant(core, arguments).app, secrets=arguments.secrets)
        if arguments.out is None:
            for line in lines:
                print(line)
            return 0
        with new_file(arguments.out) as file:
            number = sum(1 for line in lines if file.write(f"{line}\n"))
    show(arguments, {"lines": number, "file": str(arguments.out)}, f"{number} lines written to {arguments.out}")
    return 0


def _push(arguments: argparse.Namespace) -> int:
    logging.getLogger("st_wsgi.core").addHandler(logging.NullHandler())  # the command's own error says the same
    with open_core(arguments) as core:
        store, app = core.services.store, public_tenant(core, arguments).app
        total = population.count(store, app)

        def progress(done: int, user_id: str) -> None:
            if done % 25 == 0 or done == total:
                print(f"{done} of {total} users (the last one: {user_id})", file=sys.stderr)

        with other_core(arguments, push.VERSIONS) as target:
            done = push.push(store, app, target, after=arguments.after, adopt=arguments.adopt, progress=progress)
            missing = push.missing(store, app, target)
    wrong = sorted({*missing, *done.left})
    text = (
        f"{done.users} users pushed, {done.created} of them new over there; {total - len(missing)} of {total} are there"
    )
    if wrong:
        text += "\nnot there: " + ", ".join(wrong[:20])
    show(arguments, {"pushed": done.users, "created": done.created, "total": total, "missing": wrong}, text)
    return 1 if wrong else 0


def _users_import(arguments: argparse.Namespace) -> int:
    logging.getLogger("st_wsgi.core").addHandler(logging.NullHandler())  # the command's own error says the same
    options = sources.Options(
        tenant_id=arguments.tenant,
        verified=arguments.verified,
        hashes=arguments.hashes,
        single_hash=arguments.single_hash,
        model=arguments.model,
    )
    entries = sources.read(arguments.source, arguments.file, options)
    with ExitStack() as stack:
        report = sending.Report()
        if arguments.report is not None:
            file = stack.enter_context(new_file(arguments.report))
            report.tell = lambda label, reason: print(json.dumps({"user": label, "reason": reason}), file=file)
        if arguments.dry_run:
            report.taken = sum(1 for _ in report.readable(entries))
        else:
            if arguments.to is not None:
                core = stack.enter_context(other_core(arguments, sending.CDI_VERSIONS))
            else:
                core = Caller(stack.enter_context(open_core(arguments, new=True)), arguments).core

            def progress(done: int) -> None:
                print(f"{done} of {report.read} users", file=sys.stderr)

            pause, patience = 0.2 if arguments.to is None else 2.0, arguments.patience
            try:
                sending.Sender(core, report, pause=pause, patience=patience, progress=progress).send(entries)
            except sending.QueueStuck as error:
                _show_import(arguments, report)
                again = "" if arguments.report is None else ", and name another file in --report then"
                raise sending.QueueStuck(f"{error}{again}") from None
    _show_import(arguments, report)
    return 1 if report.lost else 0


def _show_import(arguments: argparse.Namespace, report: sending.Report) -> None:
    verb = "could be taken (dry run)" if arguments.dry_run else "taken"
    text = [f"{report.read} users read: {report.taken} {verb}, {report.known} known already, {report.lost} not taken"]
    text += [f"  {label}: {reason}" for label, reason in report.refused.items()]
    text += ["  ..."] if report.lost > len(report.refused) else []
    text += [f"{number} {note}" for note, number in report.notes.items()]
    show(arguments, report.json(), "\n".join(text))
