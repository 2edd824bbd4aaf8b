"""
The examples in docstrings run: every indented block after a line that ends in two colons, in st_wsgi.

They run one by one, with the public names of the package and its recipes, and with what an app has at hand: an
instance on a core in memory, a Flask app behind it, and a request in flight. Routes that they add to the app respond.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import logging
import pkgutil
import pydoc
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import flask
import flask_cors
import pytest
from public_names import public_names
from recipes.shop import QUICK
from werkzeug.test import Client, create_environ

import st_wsgi
from st_wsgi import AppInfo, RecipeUserId, RequestContext, errors, recipes
from st_wsgi.checks import a_number
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipe_kit.links import link
from st_wsgi.recipe_kit.recipe import APIs, Functions, NoAPIs, Recipe, Settings, user_facing
from st_wsgi.recipes import session
from st_wsgi.request import current

ROOT = Path(__file__).parent.parent
RECIPES = ("EmailPassword", "MultiFactorAuth", "Session", "Totp", "UserMetadata", "UserRoles")
_EXAMPLE = re.compile(r"::\n\n((?:(?: {4}.*)?\n)+)")


def examples() -> Iterator[tuple[str, str]]:
    """Pairs of the place of an example and its code."""
    for path in sorted((ROOT / "st_wsgi").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "::\n\n" in text else ():
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                continue
            name = getattr(node, "name", "module")
            for number, match in enumerate(_EXAMPLE.finditer((ast.get_docstring(node) or "") + "\n")):
                yield f"{path.relative_to(ROOT)} {name} {number}", textwrap.dedent(match[1])


EXAMPLES = dict(examples())
NO_CODE = {"st_wsgi/errors.py module 0"}
"""The drawing of the tree of errors."""


def names_of_examples() -> dict[str, Any]:
    names: dict[str, Any] = dict(vars(errors))
    folders = [f"st_wsgi.recipes.{module.name}" for module in pkgutil.iter_modules(recipes.__path__)]
    for module in ("st_wsgi", "st_wsgi.delivery", "st_wsgi.pages", *folders):
        package = importlib.import_module(module)
        names |= {name: getattr(package, name) for name in public_names(package) if name not in names}
        names[module.rpartition(".")[2]] = package
    return names


def sign_in() -> str:
    factors = {"st-mfa": {"c": {"emailpassword": 1_700_000_000, "totp": 1_700_000_000}, "v": True}}
    made = session.create_new_session(recipe_user_id=RecipeUserId("ada"), access_token_payload=factors)
    return made.get_access_token()


@pytest.fixture
def names() -> Iterator[dict[str, Any]]:
    """What an example may use without saying where it comes from."""
    app_info = AppInfo(app_name="Shop", api_domain="http://localhost:8000", website_domain="http://localhost:3000")
    listed = names_of_examples()
    with EmbeddedCore(settings=QUICK) as core:
        st = st_wsgi.init(app_info=app_info, core=core, recipes=[listed[name]() for name in RECIPES])
        app = flask.Flask("shop")
        app.wsgi_app = st.wrap(app.wsgi_app)  # type: ignore[assignment,method-assign]  # Flask's way
        app.add_url_rule("/sign-in-for-the-test", view_func=sign_in)
        context = RequestContext(st.services, create_environ())
        token = current.enter(context)
        yield listed | {
            "APIs": APIs,
            "AnotherLayer": lambda app: app,
            "Any": Any,
            "Functions": Functions,
            "NoAPIs": NoAPIs,
            "Recipe": Recipe,
            "Settings": Settings,
            "a_number": a_number,
            "app": app,
            "app_info": app_info,
            "attrs": attrs,
            "flask_cors": flask_cors,
            "context": context,
            "core": st.services.core,
            "link": link,
            "logging": logging,
            "request": flask.request,
            "services": st.services,
            "kept": st,
            "st": st,
            "user_facing": user_facing,
        }
        current.leave(token)
        current.set_default(None)


@pytest.mark.parametrize("place", [place for place in EXAMPLES if place not in NO_CODE])
def test_the_example_runs(place: str, names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app: flask.Flask = names["app"]
    known = set(app.view_functions)
    if "testing.start()" in EXAMPLES[place]:
        current.set_default(None)  # the kit is there before any instance
    try:
        exec(compile(EXAMPLES[place], place, "exec"), names)
    except errors.Answerable:
        assert "\nraise " in f"\n{EXAMPLES[place]}", "only an example that raises may raise"
    finally:
        if names["st"] is not names["kept"]:
            names["st"].close()
        current.set_default(names["kept"].services)
    if names["st"] is names["kept"]:
        client = Client(app)
        token = {"Authorization": f"Bearer {client.get('/sign-in-for-the-test').text}"}
        for rule in app.url_map.iter_rules():
            if rule.endpoint not in known:
                (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
                response = client.open(rule.rule, method=method, headers=token)
                assert (response.status_code, bool(response.text)) == (200, True)


DOORS = {
    "st_wsgi/app.py SuperTokens",
    "st_wsgi/app.py init",
    "st_wsgi/config.py AppInfo",
    "st_wsgi/config.py Cors",
    "st_wsgi/core_client/querier.py Querier",
    "st_wsgi/core_client/replies.py Reply",
    "st_wsgi/delivery/sending.py Delivery",
    "st_wsgi/limits.py AttemptLimits",
    "st_wsgi/recipe_kit/links.py link",
    "st_wsgi/recipe_kit/override.py Override",
    "st_wsgi/recipe_kit/override.py like",
    "st_wsgi/recipe_kit/override.py replace",
    "st_wsgi/recipe_kit/recipe.py Recipe",
    "st_wsgi/recipes/emailpassword/recipe.py EmailPassword",
    "st_wsgi/recipes/jwt/recipe.py Jwt",
    "st_wsgi/recipes/openid/recipe.py OpenId",
    "st_wsgi/recipes/session/__init__.py create_new_session",
    "st_wsgi/recipes/session/__init__.py get_session_or_none",
    "st_wsgi/recipes/session/__init__.py verify_session",
    "st_wsgi/recipes/session/container.py SessionContainer",
    "st_wsgi/recipes/session/in_request.py get_session",
    "st_wsgi/request/context.py RequestContext",
    "st_wsgi/request/cors.py get_all_cors_expose_headers",
    "st_wsgi/request/cors.py get_all_cors_headers",
    "st_wsgi/request/middleware.py ErrorHandler",
    "st_wsgi/request/middleware.py Middleware",
}


def test_a_block_of_code_ends_where_the_text_goes_on() -> None:
    text = "First::\n\n    one = 1\n\n    two = 2\n\nMore text. ::\n\n    three = 3\n"
    assert [match[1].split() for match in _EXAMPLE.finditer(text)] == [
        ["one", "=", "1", "two", "=", "2"],
        ["three", "=", "3"],
    ]


def test_every_public_door_has_an_example() -> None:
    assert {place.rpartition(" ")[0] for place in EXAMPLES} >= DOORS


def test_help_shows_the_functions_of_a_recipe() -> None:
    shown = pydoc.plain(pydoc.render_doc(session))
    functions = [name for name in public_names(session) if inspect.isfunction(getattr(session, name))]
    own = [name for name in functions if getattr(session, name).__module__ == session.__name__]
    assert {"revoke_session", "create_new_session", "set_claim_value"} <= set(own)
    assert all(f"\n    {name}(" in shown for name in own)
