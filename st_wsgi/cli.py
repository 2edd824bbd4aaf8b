"""
The commands of ``python -m st_wsgi``: those that work on an embedded core, and those that look at an app.

Every command prints text for people, or with ``--json`` one JSON value for programs, on standard output; progress and
errors go to standard error. Passwords are asked for or read from standard input, never taken from the command line.
"""

from __future__ import annotations

import argparse
import errno
import getpass
import json
import logging
import math
import os
import pathlib
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from typing import Any, Literal, TextIO
from urllib.parse import quote

from .core_client.hosts import readable_hosts
from .core_client.querier import Querier
from .core_client.transport import HTTPTransport
from .embedded import EmbeddedCore, copying, maintenance, population, push
from .embedded.admission import is_loopback
from .embedded.core import backup_command, locate, parse_address
from .embedded.tenancy import Tenant
from .embedded.wsgi import CoreApp
from .errors import ConfigError, SuperTokensError
from .grammar import CDI_VERSIONS
from .importing import sending, sources

try:
    from .embedded.server import CoreServer
except ModuleNotFoundError:  # waitress is an extra
    CoreServer = None  # type: ignore[assignment, misc] # checked before it is used

_KEY_VARIABLE = "ST_CORE_API_KEY"


class CommandFailed(SuperTokensError):
    """The command cannot do what was asked; the message says why."""


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
    _add_core(commands)
    _add_db(commands)
    _add_user(commands)
    _add_users(commands)
    export = _command(commands, "export", _export, "write an app's tenants, roles and users as lines of JSON")
    export.add_argument("--out", type=pathlib.Path, metavar="FILE", help="a new file instead of standard output")
    export.add_argument("--secrets", action="store_true", help="with password hashes, TOTP secrets and client secrets")
    pushing = _command(commands, "push", _push, "take everybody to another core, such as an official one")
    _add_other_core(pushing, required=True)
    pushing.add_argument("--after", default="", metavar="ID", help="go on behind this user, as an earlier push said")
    pushing.add_argument("--adopt", action="store_true", help="take over accounts with the same email over there")
    _add_of_app(commands)
    return parser


Commands = Any
"""What :meth:`argparse.ArgumentParser.add_subparsers` returns, which argparse does not name."""


def _group(commands: Commands, name: str, summary: str) -> Commands:
    group = commands.add_parser(name, help=summary, description=summary)
    return group.add_subparsers(title="commands", required=True, metavar="COMMAND")


def _command(commands: Commands, name: str, run: Any, summary: str) -> argparse.ArgumentParser:
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


def _add_core(commands: Commands) -> None:
    core = _group(commands, "core", "the embedded core as a server")
    serve = _command(core, "serve", _serve, "serve the embedded core over HTTP until SIGTERM or Ctrl+C")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=int, default=3567, help="the port, 0 for a free one (default: %(default)s)")
    serve.add_argument(
        "--api-key",
        action="append",
        default=[],
        metavar="KEY",
        help=f"a key that every call needs, which all users of this machine can see; better set {_KEY_VARIABLE}",
    )
    serve.add_argument(
        "--api-key-file", type=pathlib.Path, metavar="FILE", help="a file with such keys, one on each line"
    )
    keys = _group(core, "keys", "the keys that sign tokens")
    rotate = _command(
        keys, "rotate", _keys_rotate, "replace the signing keys of an app at once, because one has leaked"
    )
    rotate.add_argument(
        "--end-sessions", action="store_true", help="also end all sessions, because the whole database has leaked"
    )


def _add_db(commands: Commands) -> None:
    db = _group(commands, "db", "look after the file of an embedded core")
    _command(db, "migrate", _db_migrate, "bring the schema up to date, after a backup")
    backing_up = _command(db, "backup", _db_backup, "copy the database while it is in use")
    backing_up.add_argument("target", type=pathlib.Path, help="a new file")
    copying_all = db.add_parser("copy", help="copy everything to another database, SQLite or PostgreSQL")
    copying_all.add_argument("--from", dest="db", required=True, metavar="ADDRESS", help="the database to copy")
    copying_all.add_argument("--to", required=True, metavar="ADDRESS", help="an empty one, or one that was cut short")
    copying_all.add_argument("--json", action="store_true", help="print JSON")
    copying_all.set_defaults(run=_db_copy, set=[])
    _command(db, "check", _db_check, "read everything and tell whether it is sound")


def _add_user(commands: Commands) -> None:
    user = _group(commands, "user", "look after users")
    create = _command(user, "create", _user_create, "create a user with email and password")
    create.add_argument("email")
    listing = _command(user, "list", _user_list, "list a tenant's users, newest first")
    listing.add_argument("--email", metavar="START", help="only emails that start so, or whose domain does")
    listing.add_argument("--limit", type=int, default=100, help="how many at most (default: %(default)s)")
    delete = _command(user, "delete", _user_delete, "delete a user with everything that belongs to them")
    password = _command(user, "password", _user_password, "give a user another password")
    roles = _command(user, "roles", _user_roles, "show a user's roles, after adding and removing some")
    roles.add_argument("--add", action="append", default=[], metavar="ROLE", help="made if it is not there")
    roles.add_argument("--remove", action="append", default=[], metavar="ROLE")
    sessions = _command(user, "sessions", _user_sessions, "show a user's sessions")
    sessions.add_argument("--revoke", action="store_true", help="end them all")
    for parser in (delete, password, roles, sessions):
        parser.add_argument("user", help="an id or an email")
    for parser in (create, password):
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")


def _add_users(commands: Commands) -> None:
    users = _group(commands, "users", "users of other systems")
    importing = _command(users, "import", _users_import, "take users over from what another system wrote")
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
    _add_other_core(importing, required=False)


def _add_of_app(commands: Commands) -> None:
    """Add the commands that look at an app. Their modules are loaded only when one of them runs."""
    examining = commands.add_parser(
        "doctor",
        help="say why sessions fail, and the cure",
        description="Say what is wrong with a set-up, and the cure. Nothing is changed.",
        epilog="exit status: 0 nothing found, 1 something found, 2 could not look",
    )
    examining.add_argument("url", nargs="?", help="the address of an API that runs, such as https://api.shop.example")
    examining.add_argument("--website", metavar="URL", help="the address of the pages that call it")
    examining.add_argument("--processes", type=int, metavar="N", help="how many serve the app (default: of gunicorn)")
    examining.set_defaults(run=_doctor)
    listing = commands.add_parser("routes", help="list the routes of an app, and what answers them")
    listing.set_defaults(run=_routes)
    describing = commands.add_parser("openapi", help="print an OpenAPI 3.1 document of the routes of an app")
    describing.set_defaults(run=_openapi)
    for parser in (examining, listing, describing):
        needed = parser is not examining
        parser.add_argument("--app", required=needed, metavar="MODULE:NAME", help="the app, which is imported")
    for parser in (examining, listing):
        parser.add_argument("--json", action="store_true", help="print JSON")


def _seconds(text: str) -> float:
    """Return a span of time. :raises ArgumentTypeError: it is not above zero and finite."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < math.inf:  # not-a-number is neither
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return seconds


def _add_other_core(parser: argparse.ArgumentParser, *, required: bool) -> None:
    instead = "" if required else ", instead of the one in --db"
    parser.add_argument("--to", required=required, metavar="URL", help=f"the core's address{instead}")
    parser.add_argument("--api-key", default=os.environ.get(_KEY_VARIABLE), help=f"its key (default: {_KEY_VARIABLE})")
    parser.add_argument("--allow-insecure-core", action="store_true", help="send all of this without https")


def _show(arguments: argparse.Namespace, value: object, text: str) -> None:
    print(json.dumps(value, ensure_ascii=False) if arguments.json else text)


def _settings(arguments: argparse.Namespace) -> dict[str, object]:
    settings: dict[str, object] = {}
    for item in arguments.set:
        name, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--set {name}: write NAME=VALUE")
        settings[name] = value
    return settings


def _address_of(place: str) -> str:
    """Return the address of a database that is named by it, or by a file."""
    return place if place.startswith("sqlite:") or "://" in place else f"sqlite:///{quote(place)}"


def _file(arguments: argparse.Namespace) -> pathlib.Path:
    address = _address_of(arguments.db)
    if address.startswith("postgres"):
        raise ConfigError("this command is for files: each start of a core brings the schema in PostgreSQL up to date")
    path, _ = parse_address(address)
    if path is None:
        raise ConfigError("this command needs a file: --db auth.db")
    return path


def _open(arguments: argparse.Namespace, *, new: bool = False) -> EmbeddedCore:
    """Open a database that exists, or also a *new* one: ``core serve``, ``db migrate`` and ``user create`` make it."""
    address, settings = _address_of(arguments.db), _settings(arguments)
    path = parse_address(address)[0] if address.startswith("sqlite:") and not new else None
    if path is not None and not path.exists():
        raise ConfigError(f"{path}: there is no database. Name one with --db")
    return EmbeddedCore.open(address, settings=settings)


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


def _serve(arguments: argparse.Namespace) -> int:
    if CoreServer is None:
        raise CommandFailed("serving the core needs waitress. Run `pip install 'st-wsgi[serve]'`")
    opener, settings = locate(_address_of(arguments.db))
    settings.update(_settings(arguments))
    settings.update(_api_keys(arguments, settings))
    if not is_loopback(arguments.host) and not settings.get("api_keys"):
        raise CommandFailed(
            f"without an API key everybody who reaches {arguments.host or 'this machine'} could read and change all "
            f"users. Set one with {_KEY_VARIABLE} or --api-key-file, or listen on 127.0.0.1"
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
        _show(
            arguments,
            {"database": core.services.store.name, "url": server.address},
            f"core of {core.services.store.name} on {server.address}",
        )
        sys.stdout.flush()
        server.serve_forever()
    _show(arguments, {"stopped": True}, "core stopped")
    return 0


def _api_keys(arguments: argparse.Namespace, settings: Mapping[str, object]) -> dict[str, object]:
    """Return the keys of the arguments and the file, otherwise those of the settings or the environment."""
    keys = {"--api-key": arguments.api_key}
    if arguments.api_key_file is not None:
        keys[f"--api-key-file {arguments.api_key_file}"] = arguments.api_key_file.read_text().splitlines() or [""]
    elif not arguments.api_key and "api_keys" not in settings and _KEY_VARIABLE in os.environ:
        keys[_KEY_VARIABLE] = [os.environ[_KEY_VARIABLE]]
    for source, values in keys.items():
        if not all(value.strip() for value in values):
            raise CommandFailed(f"{source} has an empty key. Give it a key, or leave it out to serve without one")
    named = [value for values in keys.values() for value in values]
    return {"api_keys": ",".join(named)} if named else {}


def _keys_rotate(arguments: argparse.Namespace) -> int:
    with _open(arguments) as core:
        services = core.services
        done = services.keys.replace(_public(core, arguments), services.clock(), end_sessions=arguments.end_sessions)
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
    _show(arguments, report, text)
    return 0


def _db_migrate(arguments: argparse.Namespace) -> int:
    path = _file(arguments)
    before, after = maintenance.update(path)
    text = f"{path}: schema {after}" + ("" if before == after else f", before {before or 'there was none'}")
    _show(arguments, {"before": before, "after": after}, text)
    return 0


def _db_backup(arguments: argparse.Namespace) -> int:
    address = _address_of(arguments.db)
    if address.startswith("postgres"):
        command = backup_command(address, str(arguments.target))
        raise CommandFailed(f"PostgreSQL makes its own backups, while it is in use. Run: {command}")
    path = _file(arguments)
    maintenance.copy(path, arguments.target)
    _show(arguments, {"backup": str(arguments.target)}, f"{path} copied to {arguments.target}")
    return 0


def _db_copy(arguments: argparse.Namespace) -> int:
    with _open(arguments) as core, EmbeddedCore.open(_address_of(arguments.to)) as other:
        source, target = core.services.store, other.services.store

        def progress(table: str, rows: int) -> None:
            if rows:
                print(f"{table}: {rows} rows", file=sys.stderr)

        counts = copying.copy(source, target, progress)
    _show(arguments, counts, f"{source.name} copied to {target.name}: {sum(counts.values())} rows")
    return 0


def _db_check(arguments: argparse.Namespace) -> int:
    if _address_of(arguments.db).startswith("postgres"):
        with _open(arguments) as core:
            name, report = core.services.store.name, maintenance.check_store(core.services.store)
        backups = ". Let pg_amcheck look at the files of the server"
    else:
        path = _file(arguments)
        name, report = str(path), maintenance.check(path)
        backups = "; the backups of migrations are beside it, named *.bak"
    rows = ", ".join(f"{number} {table}" for table, number in report.rows.items() if number)
    text = f"{name}: sound; schema {report.schema}; {rows}"
    if report.problems:
        text = "\n".join([f"{name} is NOT sound:", *(f"  {problem}" for problem in report.problems)])
        text += f"\nPut a backup in its place{backups}"
    _show(arguments, report.json(), text)
    return 1 if report.problems else 0


def _password(arguments: argparse.Namespace) -> str:
    if arguments.password_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    else:
        given = getpass.getpass("password: ")
        if getpass.getpass("again: ") != given:
            raise CommandFailed("the passwords differ")
    if not given:
        raise CommandFailed("the password is empty")
    return given


def _line(user: dict[str, Any]) -> str:
    return f"{user['id']}  {', '.join(user['emails']) or '-'}  {', '.join(user['tenantIds']) or 'no tenant'}"


def _user_create(arguments: argparse.Namespace) -> int:
    if "@" not in arguments.email:
        raise CommandFailed(f"{arguments.email!r} is not an email")
    with _open(arguments, new=True) as core:
        caller = Caller(core, arguments)
        answer = caller.send("POST", "/recipe/signup", email=arguments.email, password=_password(arguments))
    if answer["status"] != "OK":
        raise CommandFailed(f"{arguments.email} has an account already")
    _show(arguments, answer["user"], _line(answer["user"]))
    return 0


def _user_list(arguments: argparse.Namespace) -> int:
    users: list[dict[str, Any]] = []
    with _open(arguments) as core:
        caller = Caller(core, arguments)
        params = {"timeJoinedOrder": "DESC"}
        if arguments.email:
            users = caller.get("/users", **params, email=arguments.email)["users"]
        else:
            while len(users) < arguments.limit:
                answer = caller.get("/users", **params, limit=str(min(500, arguments.limit - len(users))))
                users += answer["users"]
                if "nextPaginationToken" not in answer:
                    break
                params["paginationToken"] = answer["nextPaginationToken"]
    users = users[: arguments.limit]
    _show(arguments, users, "\n".join(map(_line, users)) or "no users")
    return 0


def _user_delete(arguments: argparse.Namespace) -> int:
    with _open(arguments) as core:
        caller = Caller(core, arguments)
        user = caller.user(arguments.user)
        caller.send("POST", "/user/remove", of_app=True, userId=user["id"])
    _show(arguments, {"deleted": user["id"]}, f"{user['id']} deleted")
    return 0


def _user_password(arguments: argparse.Namespace) -> int:
    with _open(arguments) as core:
        caller = Caller(core, arguments)
        user = caller.user(arguments.user)
        methods = [method for method in user["loginMethods"] if method["recipeId"] == "emailpassword"]
        if not methods:
            raise CommandFailed(f"{user['id']} does not sign in with a password")
        recipe_user_id = methods[0]["recipeUserId"]
        caller.send("PUT", "/recipe/user", of_app=True, recipeUserId=recipe_user_id, password=_password(arguments))
        revoked = caller.send("POST", "/recipe/session/remove", of_app=True, userId=user["id"])["sessionHandlesRevoked"]
    _show(
        arguments,
        {"changed": recipe_user_id, "revokedSessions": len(revoked)},
        f"{recipe_user_id}: password changed, {len(revoked)} sessions ended",
    )
    return 0


def _user_roles(arguments: argparse.Namespace) -> int:
    with _open(arguments) as core:
        caller = Caller(core, arguments)
        user = caller.user(arguments.user)
        for role in arguments.add:
            caller.send("PUT", "/recipe/role", of_app=True, role=role)
            caller.send("PUT", "/recipe/user/role", userId=user["id"], role=role)
        for role in arguments.remove:
            caller.send("POST", "/recipe/user/role/remove", userId=user["id"], role=role)
        roles = caller.get("/recipe/user/roles", userId=user["id"])["roles"]
    _show(arguments, roles, "\n".join(roles) or "no roles")
    return 0


def _user_sessions(arguments: argparse.Namespace) -> int:
    with _open(arguments) as core:
        caller = Caller(core, arguments)
        user = caller.user(arguments.user)
        if arguments.revoke:
            body = {"userId": user["id"]}
            revoked = caller.send("POST", "/recipe/session/remove", of_app=True, **body)["sessionHandlesRevoked"]
            _show(arguments, {"revoked": revoked}, f"{len(revoked)} sessions ended")
            return 0
        handles = caller.get(
            "/recipe/session/user",
            userId=user["id"],
            fetchAcrossAllTenants="false" if arguments.tenant != "public" else "true",
        )["sessionHandles"]
    _show(arguments, handles, "\n".join(handles) or "no sessions")
    return 0


def _public(core: EmbeddedCore, arguments: argparse.Namespace) -> Tenant:
    """Return the public tenant of the app that the command names."""
    tenant = core.services.tenancy.find(arguments.app, "public")
    if tenant is None:
        raise CommandFailed(f"there is no app {arguments.app!r}")
    return tenant


def _new_file(path: pathlib.Path) -> TextIO:
    """Make a file that only its owner can read: it may hold password hashes or names."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")


def _export(arguments: argparse.Namespace) -> int:
    with _open(arguments) as core:
        lines = population.lines(core.services.store, _public(core, arguments).app, secrets=arguments.secrets)
        if arguments.out is None:
            for line in lines:
                print(line)
            return 0
        with _new_file(arguments.out) as file:
            number = sum(1 for line in lines if file.write(f"{line}\n"))
    _show(arguments, {"lines": number, "file": str(arguments.out)}, f"{number} lines written to {arguments.out}")
    return 0


def _push(arguments: argparse.Namespace) -> int:
    logging.getLogger("st_wsgi.core").addHandler(logging.NullHandler())  # the command's own error says the same
    with _open(arguments) as core:
        store, app = core.services.store, _public(core, arguments).app
        total = population.count(store, app)

        def progress(done: int, user_id: str) -> None:
            if done % 25 == 0 or done == total:
                print(f"{done} of {total} users (the last one: {user_id})", file=sys.stderr)

        with _other_core(arguments, push.VERSIONS) as target:
            done = push.push(store, app, target, after=arguments.after, adopt=arguments.adopt, progress=progress)
            missing = push.missing(store, app, target)
    wrong = sorted({*missing, *done.left})
    text = (
        f"{done.users} users pushed, {done.created} of them new over there; {total - len(missing)} of {total} are there"
    )
    if wrong:
        text += "\nnot there: " + ", ".join(wrong[:20])
    _show(arguments, {"pushed": done.users, "created": done.created, "total": total, "missing": wrong}, text)
    return 1 if wrong else 0


@contextmanager
def _other_core(arguments: argparse.Namespace, cdi_versions: Sequence[str]) -> Iterator[Querier]:
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
            file = stack.enter_context(_new_file(arguments.report))
            report.tell = lambda label, reason: print(json.dumps({"user": label, "reason": reason}), file=file)
        if arguments.dry_run:
            report.taken = sum(1 for _ in report.readable(entries))
        else:
            if arguments.to is not None:
                core = stack.enter_context(_other_core(arguments, sending.CDI_VERSIONS))
            else:
                core = Caller(stack.enter_context(_open(arguments, new=True)), arguments).core

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
    _show(arguments, report.json(), "\n".join(text))


def _doctor(arguments: argparse.Namespace) -> int:
    from .doctor.examination import examine

    try:
        report = examine(arguments.url, arguments.app, arguments.website, arguments.processes)
    except SuperTokensError as error:
        print(f"st-wsgi: {error}", file=sys.stderr)
        return 2
    print(report.json() if arguments.json else report.text())
    return 1 if report.findings else 0


def _routes(arguments: argparse.Namespace) -> int:
    from .doctor import routes
    from .doctor.instance import load

    rows = routes.mounted(load(arguments.app).st)
    _show(arguments, [row.json() for row in rows], routes.table(rows))
    return 0


def _openapi(arguments: argparse.Namespace) -> int:
    from .doctor.instance import load
    from .doctor.openapi import document

    print(json.dumps(document(load(arguments.app).st), indent=2))
    return 0
