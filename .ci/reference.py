"""
The pages in docs/reference, made from the code: settings, core settings, routes, security events, commands, errors.

``make reference`` writes them, and a test compares them with the files. What a page says stands in a docstring, a table
or a check of the packages, or in a table of another page. What has no words there is an error here.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import functools
import importlib
import inspect
import pkgutil
import re
import runpy
import types
import typing
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs

import st_verify
import st_verify.__main__
import st_verify.errors
import st_verify.wsgi
import st_wsgi
import st_wsgi.recipes
from st_wsgi import cli, delivery, errors, events, pages, recipes
from st_wsgi.checks import Check
from st_wsgi.embedded.knownsettings import ALIASES, SETTINGS
from st_wsgi.pages.table import PAGES
from st_wsgi.recipe_kit.recipe import Recipe

PACKAGES = ("st_wsgi", "st_verify")
ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "reference"
MADE = "*This page is made from the code: `make reference`.*"

public_names = functools.cache(runpy.run_path(str(ROOT / "tests" / "public_names.py"))["public_names"])

_PARAM = re.compile(r"^:param (\w+):(.*(?:\n[ \t]+.*)*)", re.MULTILINE)
_ROLE = re.compile(r":(?:class|func|meth|attr|data|mod):`~?(?:[\w.]*\.)?(\w+)`")
_NAME = re.compile(r"[A-Za-z_]\w*")
_OBVIOUS = re.compile(r"True or False|.*\(\.\.\.\)( or None)?|a text( or None|, or None)?|True, False or None")


def plain(text: str) -> str:
    """Return text of a docstring in Markdown, in one line."""
    text = _ROLE.sub(r"``\1``", " ".join(text.split()))
    text = re.sub(r"(?<![*\w])\*(\w+)\*(?![*\w])", r"``\1``", text)
    return text.replace("``", "`").replace("|", "\\|")


def code(text: str) -> str:
    """Return a piece of code for a cell of a table."""
    return f"`{text}`".replace("|", "\\|")


def summary(documented: Any) -> str:
    """
    Return the first paragraph of a docstring.

    :raises SystemExit: there is none.
    """
    text = documented if isinstance(documented, str) else documented.__doc__
    if not text:
        raise SystemExit(f"{documented!r} has no docstring")
    return plain(inspect.cleandoc(text).split("\n\n")[0].replace("::", "."))


def parameters(kind: type) -> dict[str, str]:
    """Return what the docstring of a class says of its parameters."""
    return {name: plain(text) for name, text in _PARAM.findall(inspect.cleandoc(kind.__doc__ or ""))}


def table(*rows: Iterable[str]) -> list[str]:
    """Return a table in Markdown; the first row is its head."""
    head, *others = (list(row) for row in rows)
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *others)]


def page(title: str, introduction: str, *parts: Iterable[str]) -> str:
    """Return a page of Markdown, with an empty line between its parts."""
    texts = ["\n".join(part).strip() for part in parts]
    return "\n\n".join([f"# {title}", introduction.strip(), MADE, *texts]) + "\n"


def statements(module: types.ModuleType) -> Iterator[tuple[ast.stmt, str]]:
    """Yield each statement of a module and the docstring below it, which is empty for most."""
    body = ast.parse(inspect.getsource(module)).body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        text = ""
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            text = str(following.value.value)
        yield statement, text


def modules(package: types.ModuleType) -> Iterator[types.ModuleType]:
    """Yield the modules of a package that need nothing else than the package itself does."""
    yield package
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not re.match(r"st_wsgi\.(bridges|frameworks|testing)\b|.*(__main__|storage\.postgres)", found.name):
            yield importlib.import_module(found.name)


def aliases() -> dict[str, tuple[str, str]]:
    """Return the value and the docstring of each type alias of st_wsgi that has a docstring or is a list of words."""
    found = {}
    for module in modules(st_wsgi):
        for statement, text in statements(module):
            if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.annotation) == "TypeAlias":
                assert statement.value is not None
                shown = ast.unparse(Unquoted().visit(statement.value))
                found[ast.unparse(statement.target)] = (shown, text)
    return found


class Unquoted(ast.NodeTransformer):
    """Makes types of the texts that stand for types."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.parse(node.value, mode="eval").body if isinstance(node.value, str) else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return node if ast.unparse(node.value) == "Literal" else self.generic_visit(node)


@attrs.frozen
class Setting:
    """One keyword argument: its name, type, default and meaning, as cells of a table."""

    name: str
    type: str
    default: str
    meaning: str
    owner: type
    accepted: str = ""

    def row(self) -> tuple[str, str, str, str]:
        return code(self.name), code(self.type), self.default, self.meaning + self.accepted


def defining(kind: type, name: str) -> type:
    """Return the class of a family in which a field stands."""
    return next(one for one in kind.__mro__ if name in inspect.get_annotations(one))


def accepted(validator: Any) -> str:
    """Return what a validator takes, where that says more than the type does."""
    inner = getattr(validator, "validator", validator)  # of attrs.validators.optional
    if not isinstance(inner, Check) or _OBVIOUS.fullmatch(inner.description):
        return ""
    return f" Accepted: {plain(inner.description)}."


def default_of(value: Any) -> str:
    """Return a default as an app would write it."""
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]
        made = value.factory
        if made.__name__ == "<lambda>":
            return "computed"
        return code({list: "[]", dict: "{}", set: "set()"}.get(made, f"{made.__name__}()"))
    if type(value).__module__.startswith(PACKAGES):  # made with its own defaults
        return code(f"{type(value).__name__}()")
    if inspect.isroutine(value):
        return "a function" if value.__name__ == "<lambda>" else code(value.__name__)
    return code(f"{value:.15g}" if isinstance(value, float) else repr(value))


def settings_of(kind: type) -> list[Setting]:
    """
    Return the keyword arguments of a class, in the order of its docstring.

    :raises SystemExit: the docstring lacks one.
    """
    said, found = parameters(kind), {}
    for field in attrs.fields(kind) if attrs.has(kind) else ():
        if not field.init:
            continue
        name = field.alias or field.name
        given = next(iter(getattr(field.converter, "__annotations__", {}).values()), field.type)
        meaning = said.get(name, "")
        if name == "override" and issubclass(kind, Recipe):
            given, meaning = "Override | None", "changes of functions and APIs ([overrides](../overrides.md))."
        required = field.default is attrs.NOTHING
        default = "required" if required else default_of(field.default)
        found[name] = Setting(name, str(given), default, meaning, defining(kind, field.name), accepted(field.validator))
    for field in dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ():
        if field.init:
            required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            default = "required" if required else default_of(field.default)
            found[field.name] = Setting(field.name, str(field.type), default, said.get(field.name, ""), kind)
    lacking = [name for name, setting in found.items() if not setting.meaning]
    if lacking:
        raise SystemExit(f"the docstring of {kind.__qualname__} lacks :param for {', '.join(lacking)}")
    order = list(said)
    return sorted(found.values(), key=lambda one: order.index(one.name) if one.name in order else len(order))


class Section:
    """The classes of a page, each with its table, and the types that their settings name."""

    def __init__(self, known: dict[str, tuple[str, str]]) -> None:
        self.known = known
        self.shown: list[type] = []
        self.types: dict[str, str] = {}

    def of(self, title: str, *kinds: type) -> Iterator[str]:
        """Yield a heading, the classes, and those classes that are values of their settings."""
        yield f"## {title}"
        waiting = list(kinds)
        while waiting:
            kind = waiting.pop(0)
            if kind in self.shown:
                continue
            self.shown.append(kind)
            settings = settings_of(kind)
            yield from ("", f"### {kind.__name__}", "", f"From `{publicly(kind)}`. {summary(kind)}", "")
            if [setting.name for setting in settings] == ["override"]:
                yield "It has no setting but `override`."
            elif settings:
                rows = (setting.row() for setting in settings)
                yield from table(("setting", "type", "default", "meaning"), *rows)
            waiting += [found for setting in settings for found in self.named(setting.type, setting.owner)]

    def named(self, text: str, owner: type, *, inside: bool = False) -> Iterator[type]:
        """Yield the classes with settings that a type names; remember the other types of ours."""
        inside = inside or "Callable" in text  # what functions take and return are no settings
        space = vars(importlib.import_module(owner.__module__))
        for name in dict.fromkeys(_NAME.findall(text)):
            value = space.get(name)
            if isinstance(value, type) and value.__module__.startswith(PACKAGES):
                if getattr(value, "_is_protocol", False):
                    self.types[name] = f"a protocol: {summary(value)}"
                elif not issubclass(value, Recipe) and value.__name__ != "Override":
                    if not inside and (attrs.has(value) or dataclasses.is_dataclass(value)):
                        yield value
                    else:
                        self.types[name] = f"`{publicly(value)}`: {summary(value)}"
            elif name in self.known and name not in self.types:
                shown, said = self.known[name]
                self.types[name] = f"{code(shown)}: {summary(said)}" if said else code(shown)
                yield from self.named(shown, owner, inside=inside)

    def list_of_types(self) -> Iterator[str]:
        yield from ("## Types", "", "What the tables call by a name of ours.", "")
        rows = ((code(name), text) for name, text in sorted(self.types.items()))
        yield from table(("type", "what it is"), *rows)


def packages_of_recipes() -> list[types.ModuleType]:
    return [importlib.import_module(f"{recipes.__name__}.{one.name}") for one in pkgutil.iter_modules(recipes.__path__)]


def all_recipes() -> list[type[Recipe[Any, Any]]]:
    """Return the recipes that apps list, each once, by name."""
    shown = {getattr(package, name) for package in packages_of_recipes() for name in public_names(package)}
    found = [one for one in shown if isinstance(one, type) and issubclass(one, Recipe)]
    return sorted(found, key=lambda kind: kind.__name__)


def publicly(kind: type) -> str:
    """Return the module that apps import a class from: the first above it that shows it, else the first recipe."""
    names = [kind.__module__[: match.start()] for match in re.finditer(r"\.|$", kind.__module__)]
    above = [importlib.import_module(name) for name in names]
    candidates = [*above[:-1], *packages_of_recipes(), above[-1]]
    return next(module.__name__ for module in candidates if kind.__name__ in public_names(module))


def settings_page() -> str:
    section = Section(aliases())
    verifier = (st_verify.SessionVerifier, st_verify.RemoteKeys, st_verify.wsgi.SessionGuard)
    parts = [
        list(section.of("st_wsgi.init", st_wsgi.SuperTokens)),
        list(section.of("Limits of attempts", st_wsgi.AttemptLimits)),
        list(section.of("Recipes", *all_recipes())),
        list(section.of("Pages", pages.Pages)),
        list(section.of("Mails and text messages", delivery.Delivery, delivery.SMTP, delivery.Twilio)),
        list(section.of("st_verify", *verifier)),
    ]
    text = """
Every keyword argument of `st_wsgi.init`, of the classes that it takes, and of st_verify. A value that is not accepted
is refused at start-up with a `ConfigError` (st_verify: `SettingError`) that says what to do. `init` takes the arguments
of `SuperTokens`. What comes after the question mark of the core's address is on the page of [core settings](core.md).
Django's settings are on [its page](../django.md).
"""
    return page("Settings", text, *parts, list(section.list_of_types()))


KINDS = {"int": "whole number", "long": "whole number", "double": "number", "text": "text", "bool": "true or false"}
SCOPES = {"base": "the process", "app": "an app", "tenant": "a tenant", "any": "a tenant"}


def core_page() -> str:
    used, kept = [], []
    for setting in SETTINGS.values():
        value = setting.default
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        default = "unset" if value is None else code((shown.lower() if isinstance(value, bool) else shown) or '""')
        kind = ", ".join(map(code, setting.options or ())) or KINDS[setting.kind]
        if setting.description.startswith("Accepted and kept"):
            kept.append((code(setting.name), kind, default))
        else:
            row = (code(setting.name), kind, default, SCOPES[setting.scope], plain(setting.description))
            used.append(row)
    old = [f"* `{alias}` is an older name of `{name}`." for alias, name in ALIASES.items()]
    text = """
The settings of the embedded core have the names and units of the official core's `config.yaml`. They are part of the
address: `core="sqlite:///auth.db?access_token_validity=600"`. Commands take them as `--set access_token_validity=600`,
tenants as `core_config`. An unknown name and a value that does not fit are refused. A PostgreSQL address has
[settings of its own](../postgresql.md#settings), too.

The fourth column says for what one value holds: the whole process, an app with all its tenants, or a tenant.
"""
    return page(
        "Core settings",
        text,
        table(("setting", "value", "default", "of", "meaning"), *used),
        old,
        ["## Accepted and not used", "", "These belong to parts of the official core that the embedded one lacks."],
        table(("setting", "value", "default"), *kept),
    )


def needing(kind: type[Recipe[Any, Any]]) -> list[str]:
    """Return the recipes that add this one to an app."""
    return [other.__name__ for other in (*all_recipes(), pages.Pages) if kind in required(other)]


def required(kind: type[Recipe[Any, Any]]) -> set[type[Recipe[Any, Any]]]:
    """Return the recipes that a recipe adds to an app, and those that these add."""
    return {one for direct in kind.requires for one in (direct, *required(direct))}


def rows_of(name: str) -> dict[str, list[str]]:
    """Return the tables of another page: the names in the first cell of each row, and what the others say of them."""
    text = (ROOT / "docs" / f"{name}.md").read_text("utf-8").replace("](", "](../")
    found: dict[str, list[str]] = {}
    for line in re.findall(r"^\| (`.*) \|$", text, re.MULTILINE):
        first, *others = line.split(" | ")
        found |= dict.fromkeys(re.findall(r"`([^`]+)`", first), others)
    return found


def said_of(name: str, told: dict[str, list[str]], source: str) -> list[str]:
    """
    Return what another page says of a name.

    :raises SystemExit: nothing.
    """
    if name not in told:
        raise SystemExit(f"docs/{source}.md has no row for {name}")
    return told[name]


def routes_page() -> str:
    parts = []
    for kind in all_recipes():
        if not kind.routes:
            continue
        others = ", ".join(map(code, needing(kind)))
        mounted = f"Mounted with `{kind.__name__}()`" + (f", and with each of {others}." if others else ".")
        rows = []
        for route in kind.routes:
            meaning = summary(getattr(kind.apis_class, route.api))
            if route.alias_of is not None:
                meaning += f" An older name of `{route.alias_of}`."
            if route.shared:
                meaning += " Several recipes have this row; the header `rid` chooses."
            rows.append((code(f"{route.method} {route.path}"), code(route.api), meaning))
        parts.append([f"## {kind.__name__}", "", mounted, "", *table(("route", "API", "what it does"), *rows)])
    told = rows_of("pages")
    rows = []
    for shown in PAGES:
        path = "/auth" + shown.path.replace("*", "<id>")
        methods = "GET, POST" if shown.send else "GET"
        rows.append((code(path), methods, *said_of(path, told, "pages")))
    text = """
The routes of each recipe, below `api_base_path` (`/auth` unless the app sets another). A path may name a tenant before
it: `/auth/acme/signin`. The routes are those of SuperTokens' frontend driver interface (FDI), so the official frontends
call them. An app replaces the API behind a route, or switches the route off with None: [overrides](../overrides.md).
`st-wsgi routes --app app:app` lists what your app has mounted, and `st-wsgi openapi` describes bodies and responses.
"""
    mounted = "Mounted with `Pages()`, below `website_base_path` (`/auth` unless the app sets another)."
    head = ("page", "methods", "what it is for", "recipes that it needs")
    return page("Routes", text, *parts, ["## Pages", "", mounted, "", *table(head, *rows)])


def events_page() -> str:
    """Names and members from the code; what each name means stands on the page of security, in the same order."""
    told = rows_of("security")
    names = typing.get_args(events.EventName)
    levels = {True: "WARNING", False: "INFO"}
    table_of_names = table(
        ("event", "what happened", "members", "level"),
        *((code(name), *said_of(name, told, "security"), levels[name in events._WARNINGS]) for name in names),
    )
    members = (setting.row() for setting in settings_of(events.SecurityEvent))
    text = """
Each event is a line of the logger `st_wsgi.security`, and a call of the function `on_security_event` with a
`st_wsgi.SecurityEvent`. The names stay the same from release to release. [Security events](../security.md) says how to
use them.
"""
    return page(
        "Security events",
        text,
        table_of_names,
        ["## Members of a SecurityEvent", ""],
        table(("member", "type", "default", "meaning"), *members),
    )


def commands_of(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """Yield each command below a parser, with its one-line help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, inner in action.choices.items():
                below = list(commands_of(inner))
                yield from below or [(inner, helps[name])]


def arguments(parser: argparse.ArgumentParser) -> dict[str, tuple[str, bool]]:
    """
    Return what a command takes: from how it is written to its meaning, and whether it is needed.

    :raises SystemExit: an argument has no help.
    """
    found = {}
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        value = str(action.metavar or action.dest).upper()
        shown = value
        if action.option_strings:
            shown = ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {value}")
        elif action.nargs == "?":
            shown = f"[{value}]"
        if not action.help:
            raise SystemExit(f"{parser.prog} has no help for {shown}")
        meaning = plain(parser._get_formatter()._expand_help(action))
        if isinstance(action.default, str | int) and action.default is not False and "default" not in meaning:
            meaning += f" (default: {action.default})"
        found[shown] = (meaning, action.required)
    return found


def command(parser: argparse.ArgumentParser, words: str, shared: dict[str, str]) -> Iterator[str]:
    """Yield the heading of a command, how it is written, and the table of the arguments that only this command has."""
    taken = arguments(parser)
    line = " ".join([parser.prog, *(shown for shown, (_, needed) in taken.items() if needed or shown.startswith("["))])
    own = [(code(shown), meaning) for shown, (meaning, _) in taken.items() if shared.get(shown) != meaning]
    yield from (f"## {parser.prog}", "", f"{words[:1].upper()}{words[1:]}.", "", "```text", line, "```")
    if len(own) + len(shared) == len(taken):
        yield from ("", "It takes the [common arguments](#common-arguments)" + (", and these:" if own else "."))
    else:
        own = [(code(shown), meaning) for shown, (meaning, _) in taken.items()]
    if own:
        yield from ("", *table(("argument", "meaning"), *own))


def commands_page() -> str:
    verify = st_verify.__main__._parser()
    parsers = [*commands_of(cli._parser()), (verify, (verify.description or "").rstrip("."))]
    known = Counter((shown, meaning) for parser, _ in parsers for shown, (meaning, _) in arguments(parser).items())
    shared = {shown: meaning for (shown, meaning), times in known.items() if times > len(parsers) / 2}
    text = """
The commands of `st-wsgi` (`python -m st_wsgi` is the same) and of `python -m st_verify`. Each has `--help`. The exit
status is 0, 1 when the command failed, and 2 when it was not understood. `st-wsgi doctor` ends with 1 when it has found
something ([why sessions fail](../doctor.md)).
"""
    common = table(("argument", "meaning"), *((code(shown), meaning) for shown, meaning in shared.items()))
    each = (list(command(parser, words, shared)) for parser, words in parsers)
    return page("Commands", text, ["## Common arguments", "", *common], *each)


def tree(kind: type[BaseException], module: types.ModuleType) -> Iterator[type[BaseException]]:
    """Yield an error class of a module and those below it, each once."""
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == module.__name__ and below.__bases__[0] is kind:
            yield from tree(below, module)


def errors_page() -> str:
    rows = []
    for kind in tree(errors.SuperTokensError, errors):
        status, message = (str(kind.code), code(kind.message)) if issubclass(kind, errors.Answerable) else ("", "")
        attributes = ", ".join(map(code, own_attributes(kind)))
        rows.append((code(kind.__name__), code(kind.__bases__[0].__name__), status, message, attributes, summary(kind)))
    refusals = [
        (code(kind.__name__), code(kind.__bases__[0].__name__), *refused(kind), summary(kind))
        for kind in tree(st_verify.VerifyError, st_verify.errors)
    ]
    reasons = [(code(word), plain(text)) for word, text in st_verify.REASONS.items()]
    happenings = [(code(word), plain(text)) for word, text in st_verify.EVENTS.items()]
    head = ("error", "below", "status", "message")
    text = """
All errors that the packages raise. [Errors](../errors.md) says what a frontend does with each response, and what an
app can raise itself. The support codes, such as `ERR_CODE_008`, are on the page of
[account linking](../account-linking.md), the findings of `st-wsgi doctor` on [its page](../doctor.md).
"""
    return page(
        "Errors",
        text,
        ["## st_wsgi.errors", "", "An error with a status has a response; the client gets the message.", ""],
        table((*head, "attributes", "meaning"), *rows),
        ["## st_verify", ""],
        table((*head, "meaning"), *refusals),
        ["## Reasons of st_verify", "", "`Refused.reason` is one of these words.", ""],
        table(("reason", "meaning"), *reasons),
        ["## Events of RemoteKeys", "", "`on_event` gets a `KeyEvent` whose name is one of these.", ""],
        table(("event", "meaning"), *happenings),
    )


def own_attributes(kind: type) -> list[str]:
    """Return the attributes that a class of errors declares for its instances."""
    declared = inspect.get_annotations(kind).items()
    return [name for name, text in declared if not text.startswith("ClassVar") and name not in ("code", "detail")]


def refused(kind: type[BaseException]) -> tuple[str, str]:
    """Return the status and the message of a refusal as cells, which are empty for other errors."""
    if not issubclass(kind, st_verify.Refused):
        return "", ""
    return str(kind.status), code(kind.message)


def everything() -> dict[str, str]:
    """Return the text of each page by the name of its file."""
    return {
        "settings.md": settings_page(),
        "core.md": core_page(),
        "routes.md": routes_page(),
        "events.md": events_page(),
        "commands.md": commands_page(),
        "errors.md": errors_page(),
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in everything().items():
        (FOLDER / name).write_text(text, "utf-8")
