"""The page for those who come from another SDK keeps its word: its apps run, and its tables leave nothing out."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import requests
from bridges.pages_of_docs import DOCS, files_of
from pages import sections

from sdks.conftest import API_KEY
from sdks.installs import node, node_packages, python_environment
from sdks.ours import PASSWORD, bearer, form
from sdks.processes import free_port, serving
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.session import SessionContainer

HERE = Path(__file__).parent
PAGE = (DOCS / "from-supertokens.md").read_text(encoding="utf-8")
APPS = files_of("from-supertokens")


def table(heading: str) -> dict[str, str]:
    """Return the rows of the table with this heading: the name in the first column, the text of the second one."""
    (rows,) = re.findall(rf"^\| {re.escape(heading)} \|.*\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", rows, re.MULTILINE))


@pytest.fixture(scope="module")
def theirs() -> Any:
    """What the official SDK for Python has."""
    names = json.dumps(list(table("official")))
    command = [str(python_environment(HERE)), str(HERE / "python_names.py")]
    printed = subprocess.run(command, input=names, capture_output=True, text=True, check=True)
    return json.loads(printed.stdout)


def ours(recipe: str) -> Any:
    """Return the package of a recipe, that of all of them for "", or None."""
    try:
        return import_module(f"st_wsgi.recipes.{recipe}" if recipe else "st_wsgi")
    except ModuleNotFoundError:
        return None


def difference(official: set[str], here: set[str]) -> str | None:
    """Say how the parameters differ, in the words of the page."""
    gone, new = (", ".join(f"`{name}`" for name in sorted(names)) for names in (official - here, here - official))
    return f"{new} in place of {gone}" if gone and new else f"no {gone}" if gone else None


def parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


@pytest.mark.exhaustive
def test_the_functions_that_differ_from_the_official_ones_are_those_of_the_table(theirs: Any) -> None:
    differing = {}
    for recipe, functions in theirs["functions"].items():
        package = ours(recipe)
        for name, official in functions.items() if package else ():
            function, key = getattr(package, name, None), f"{recipe}.{name}".lstrip(".")
            if function is None:
                elsewhere = hasattr(ours("jwt"), name)
                differing[key] = f"is `jwt.{name}`" if elsewhere else "not there yet"
            elif (said := difference(set(official) - {"user_context"}, parameters(function))) is not None:
                differing[key] = said
    assert sum(map(len, theirs["functions"].values())) > 100
    assert differing == table("official function")


@pytest.mark.exhaustive
def test_the_settings_that_differ_from_the_official_ones_are_those_of_the_table(theirs: Any) -> None:
    differing: dict[str, str | None] = {}
    for recipe, official in theirs["settings"].items():
        package = ours(recipe)
        if package is None:
            differing[f"{recipe}.init"] = "not there yet"
            continue
        (own,) = {member for member in vars(package).values() if inspect.isclass(member) and issubclass(member, Recipe)}
        gone, here = set(official) - parameters(own), parameters(own)
        if gone:
            more = {"thirdparty": {"providers"}, "webauthn": here - {"end_sessions_on_change"}}.get(recipe, here)
            differing[f"{recipe}.init"] = difference(gone, more)
    assert differing == table("official recipe")


@pytest.mark.exhaustive
def test_every_other_name_exists_on_both_sides(theirs: Any) -> None:
    assert theirs["missing"] == []
    for there in table("official").values():
        module, name = there.strip("`").rsplit(".", 1)
        assert hasattr(import_module(module), name), there
    assert {name.removeprefix("sync_") for name in theirs["session"]} - set(dir(SessionContainer)) == set()


def in_python(name: str) -> str:
    """Return a name of the Node SDK as it is spelled in Python: createJWT is create_jwt."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def test_the_functions_of_the_node_sdk_are_here_but_for_those_of_the_table() -> None:
    node_packages(HERE)
    recipes = sorted({path.parent.name for path in (DOCS.parent / "st_wsgi" / "recipes").glob("*/__init__.py")})
    command = [node(), str(HERE / "node_names.mjs"), *(name for name in recipes if name != "saml")]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert sum(map(len, found.values())) > 100
    missing = {
        f"{recipe}.{name}".lstrip(".")
        for recipe, names in found.items()
        for name in names
        if not hasattr(ours(recipe), in_python(name)) and not (recipe and name == "init")
    }
    assert missing == set(table("function of the Node SDK"))


@contextmanager
def old_app(core_url: str, folder: Path) -> Iterator[str]:
    """Serve the app with the official SDK in a process of its own."""
    port = free_port()
    (folder / "before.py").write_text(on_core(APPS["before.py"], core_url))
    command = [str(python_environment(HERE)), "-m", "flask", "--app", "before", "run", "--port", str(port)]
    env = {"PYTHONPATH": str(folder), "PYTHONWARNINGS": "default"}
    with serving(command, port=port, log=folder / "before.log", env=env, cwd=folder):
        yield f"http://127.0.0.1:{port}"


def on_core(text: str, core_url: str) -> str:
    return text.replace("http://127.0.0.1:3567", core_url).replace("from-your-secrets", API_KEY)


@pytest.mark.exhaustive
def test_the_two_apps_of_the_page_serve_the_same_sessions(core_url: str, tmp_path: Path) -> None:
    """A session goes from the old app to the new one and back, with its claims."""
    names: dict[str, Any] = {"__name__": "shop"}
    exec(compile(on_core(APPS["app.py"], core_url), "app.py", "exec"), names)
    with old_app(core_url, tmp_path) as old, requests.Session() as http, closing(names["st"]):
        http.trust_env = False
        new = names["app"].test_client()
        headers = {"st-auth-mode": "header", "rid": "emailpassword"}

        def at_old(method: str, path: str, body: Any = None, token: str = "") -> requests.Response:
            return http.request(method, old + path, json=body, headers={**headers, **bearer(token)}, timeout=30)

        def at_new(method: str, path: str, body: Any = None, token: str = "") -> Any:
            return new.open(path, method=method, json=body, headers={**headers, **bearer(token)})

        for index, (here, there) in enumerate([(at_old, at_new), (at_new, at_old)]):
            made = here("POST", "/auth/signup", form(f"moving{index}@example.com"))
            token = made.headers["st-access-token"]
            hello = here("GET", "/hello", token=token).text
            assert hello.startswith("hello ")
            assert there("GET", "/hello", token=token).text == hello
            assert (here("GET", "/hello").status_code, there("GET", "/hello").status_code) == (401, 401)
            user_id = hello.removeprefix("hello ")
            assert [here("POST", f"/hire/{user_id}").text for _ in range(2)] == ["False", "True"]
            renewed = there("POST", "/auth/session/refresh", token=made.headers["st-refresh-token"])
            assert renewed.status_code == 200
            token = renewed.headers["st-access-token"]
            assert here("GET", "/hello", token=token).text == hello
            assert there("GET", "/office", token=token).status_code == 403  # the claim is that of the sign-in
            again = there("POST", "/auth/signin", form(f"moving{index}@example.com", PASSWORD))
            assert here("GET", "/office", token=again.headers["st-access-token"]).text == "the office"
        assert len(names["newcomers"]) == 1

        in_cookies = {**headers, "st-auth-mode": "cookie"}
        body = form("cookies@example.com")
        http.post(f"{old}/auth/signup", json=body, headers=in_cookies, timeout=30).raise_for_status()
        hello = http.get(f"{old}/hello", timeout=30).text
        kept = {cookie.name: cookie for cookie in http.cookies}
        assert set(kept) == {"sAccessToken", "sRefreshToken"}
        for name, cookie in kept.items():
            new.set_cookie(name, cookie.value or "", path=cookie.path)
        assert new.get("/hello").text == hello
        assert new.post("/auth/session/refresh", headers=in_cookies).status_code == 200
        for name, cookie in kept.items():
            renewed = new.get_cookie(name, path=cookie.path)
            assert renewed.value != cookie.value
            http.cookies.set(name, renewed.value, domain=cookie.domain, path=cookie.path)
        assert http.get(f"{old}/hello", timeout=30).text == hello
        assert http.post(f"{old}/auth/session/refresh", headers=in_cookies, timeout=30).status_code == 200


def test_every_block_of_the_page_is_one_of_the_two_apps() -> None:
    assert list(APPS) == ["before.py", "app.py"]
    assert {"From the Python SDK", "From the Node SDK"} <= set(sections(PAGE))
