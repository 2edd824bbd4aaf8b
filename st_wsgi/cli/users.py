"""The commands ``user``: they look after the users of an embedded core."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from .command import CommandFailed, Commands, command, group, show
from .cores import Caller, open_core


def add(commands: Commands) -> None:
    """Add the commands."""
    user = group(commands, "user", "look after users")
    create = command(user, "create", _user_create, "create a user with email and password")
    create.add_argument("email", help="the address, with which the user signs in")
    listing = command(user, "list", _user_list, "list a tenant's users, newest first")
    listing.add_argument("--email", metavar="START", help="only emails that start so, or whose domain does")
    listing.add_argument("--limit", type=int, default=100, help="how many at most (default: %(default)s)")
    delete = command(user, "delete", _user_delete, "delete a user with everything that belongs to them")
    password = command(user, "password", _user_password, "give a user another password")
    roles = command(user, "roles", _user_roles, "show a user's roles, after adding and removing some")
    roles.add_argument("--add", action="append", default=[], metavar="ROLE", help="made if it is not there")
    roles.add_argument("--remove", action="append", default=[], metavar="ROLE", help="taken from the user")
    sessions = command(user, "sessions", _user_sessions, "show a user's sessions")
    sessions.add_argument("--revoke", action="store_true", help="end them all")
    for parser in (delete, password, roles, sessions):
        parser.add_argument("user", help="an id or an email")
    for parser in (create, password):
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")


def _user_create(arguments: argparse.Namespace) -> int:
    if "@" not in arguments.email:
        raise CommandFailed(f"{arguments.email!r} is not an email")
    with open_core(arguments, new=True) as core:
        caller = Caller(core, arguments)
        reply = caller.send("POST", "/recipe/signup", email=arguments.email, password=_password(arguments))
    if reply["status"] != "OK":
        raise CommandFailed(f"{arguments.email} has an account already")
    show(arguments, reply["user"], _line(reply["user"]))
    return 0


def _user_list(arguments: argparse.Namespace) -> int:
    users: list[dict[str, Any]] = []
    with open_core(arguments) as core:
        caller = Caller(core, arguments)
        params = {"timeJoinedOrder": "DESC"}
        if arguments.email:
            users = caller.get("/users", **params, email=arguments.email)["users"]
        else:
            while len(users) < arguments.limit:
                reply = caller.get("/users", **params, limit=str(min(500, arguments.limit - len(users))))
                users += reply["users"]
                if "nextPaginationToken" not in reply:
                    break
                params["paginationToken"] = reply["nextPaginationToken"]
    users = users[: arguments.limit]
    show(arguments, users, "\n".join(map(_line, users)) or "no users")
    return 0


def _user_delete(arguments: argparse.Namespace) -> int:
    with open_core(arguments) as core:
        caller = Caller(core, arguments)
        user = caller.user(arguments.user)
        caller.send("POST", "/user/remove", of_app=True, userId=user["id"])
    show(arguments, {"deleted": user["id"]}, f"{user['id']} deleted")
    return 0


def _user_password(arguments: argparse.Namespace) -> int:
    with open_core(arguments) as core:
        caller = Caller(core, arguments)
        user = caller.user(arguments.user)
        methods = [method for method in user["loginMethods"] if method["recipeId"] == "emailpassword"]
        if not methods:
            raise CommandFailed(f"{user['id']} does not sign in with a password")
        recipe_user_id = methods[0]["recipeUserId"]
        caller.send("PUT", "/recipe/user", of_app=True, recipeUserId=recipe_user_id, password=_password(arguments))
        revoked = caller.send("POST", "/recipe/session/remove", of_app=True, userId=user["id"])["sessionHandlesRevoked"]
    show(
        arguments,
        {"changed": recipe_user_id, "revokedSessions": len(revoked)},
        f"{recipe_user_id}: password changed, {len(revoked)} sessions ended",
    )
    return 0


def _user_roles(arguments: argparse.Namespace) -> int:
    with open_core(arguments) as core:
        caller = Caller(core, arguments)
        user = caller.user(arguments.user)
        for role in arguments.add:
            caller.send("PUT", "/recipe/role", of_app=True, role=role)
            caller.send("PUT", "/recipe/user/role", userId=user["id"], role=role)
        for role in arguments.remove:
            caller.send("POST", "/recipe/user/role/remove", userId=user["id"], role=role)
        roles = caller.get("/recipe/user/roles", userId=user["id"])["roles"]
    show(arguments, roles, "\n".join(roles) or "no roles")
    return 0


def _user_sessions(arguments: argparse.Namespace) -> int:
    with open_core(arguments) as core:
        caller = Caller(core, arguments)
        user = caller.user(arguments.user)
        if arguments.revoke:
            body = {"userId": user["id"]}
            revoked = caller.send("POST", "/recipe/session/remove", of_app=True, **body)["sessionHandlesRevoked"]
            show(arguments, {"revoked": revoked}, f"{len(revoked)} sessions ended")
            return 0
        handles = caller.get(
            "/recipe/session/user",
            userId=user["id"],
            fetchAcrossAllTenants="false" if arguments.tenant != "public" else "true",
        )["sessionHandles"]
    show(arguments, handles, "\n".join(handles) or "no sessions")
    return 0


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
