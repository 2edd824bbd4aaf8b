"""
The quickstarts, as a newcomer follows them: an empty folder, the built packages, and what the pages say to copy.

Nothing of the checkout can be imported. The code, the commands and the port 3000 are those of the page; the environment
has all frameworks at once, so that it is made once. A person without scripts then signs up over HTTP.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import requests
from distributions import build, copy_of_sources, installed_alone
from pages import blocks, sections
from sdks.processes import listens_on, serving
from website.person import Person
from werkzeug.http import is_hop_by_hop_header
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ROOT = Path(__file__).parent.parent
PORT = 3000
ORIGIN = f"http://127.0.0.1:{PORT}"

pytestmark = [pytest.mark.exhaustive, pytest.mark.xdist_group("port 3000")]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


START, FRAMEWORKS = page("docs/getting-started.md"), page("docs/frameworks.md")
SECTIONS = sections(FRAMEWORKS)
(AUTH,) = [code for code in blocks(FRAMEWORKS) if code.startswith("# auth.py")]
(INSTALL,), (SERVE,) = (code.strip().splitlines() for code in blocks(FRAMEWORKS, "sh"))

#: The sections with an app, and what is installed for each. Streaming is about Flask once more.
APPS = {
    "Flask": "Flask",
    "Bottle": "bottle",
    "Pyramid": "pyramid",
    "Falcon": "falcon",
    "CherryPy": "CherryPy",
    "web.py": "web.py",
    "Any WSGI app": None,
    "Streaming": None,
}
DJANGO = ("Django", "djangorestframework")


def installed(folder: Path, command: str, *archives: Path, more: tuple[str, ...] = ()) -> Path:
    """Return the programs of a new environment, made by a command of a page with archives in place of the checkout."""
    words = shlex.split(command)
    assert words[:4] == ["pip", "install", "./st_verify", "."]
    what = [*map(str, archives), *words[4:], *more]
    return installed_alone(folder / "env", *what, cwd=folder).parent


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From the wheels, with all frameworks."""
    folder = tmp_path_factory.mktemp("wheels")
    sources = copy_of_sources(folder)
    built = build(sources / "st_verify", folder / "verifier"), build(sources, folder / "sdk")
    more = (*filter(None, APPS.values()), *DJANGO)
    return installed(folder, INSTALL, *(one.wheel for one in built), more=more)


@pytest.fixture(scope="module")
def from_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From the source archives, which pip makes wheels of."""
    folder = tmp_path_factory.mktemp("archives")
    sources = copy_of_sources(folder)
    built = build(sources / "st_verify", folder / "verifier"), build(sources, folder / "sdk")
    ((install,), _) = (code.strip().splitlines() for code in blocks(START, "sh"))
    return installed(folder, install, *(one.archive for one in built))


@contextmanager
def started(programs: Path, command: str, folder: Path) -> Iterator[Person]:
    """Start the app of a folder by the command of its page, and return a person who can visit it."""
    if listens_on(PORT):
        message = f"a program of this machine uses port {PORT}"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    program, *arguments = shlex.split(command)
    env = {"PYTHONPATH": "", "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    command_line, log = [str(programs / program), *arguments], folder / "server.log"
    with serving(command_line, port=PORT, log=log, env=env, cwd=folder), requests.Session() as http:
        http.trust_env = False
        yield Person(SimpleNamespace(app=over(http)), origin=ORIGIN)


def over(http: requests.Session) -> WSGIApplication:
    """Return a WSGI app that sends its requests to the server, for the person's browser, which takes WSGI apps."""

    @Request.application
    def send(request: Request) -> Response:
        headers = {name: value for name, value in request.headers if value}
        url, body = ORIGIN + request.full_path.rstrip("?"), request.get_data()
        answer = http.request(
            request.method, url, headers=headers, data=body, allow_redirects=False, stream=True, timeout=60
        )
        kept = [(name, value) for name, value in answer.raw.headers.items() if not is_hop_by_hop_header(name)]
        return Response(answer.content, answer.status_code, kept)

    return send


def sign_up_and_see(person: Person, greeting: str = "") -> None:
    """Open the page, get an account, and be back at the page, which knows who it is; then open one's account."""
    sign_in = person.open("/hello")
    assert person.path.startswith("/auth")
    person.open(sign_in.link("Create an account"))
    page = person.submit(email=person.email, password="correct horse 1")
    assert (page.status, person.path) == (200, "/hello")
    assert page.html.startswith(greeting)
    uuid.UUID(page.html.removeprefix(greeting))
    assert person.email in person.open("/auth/account").html


def app_of(text: str) -> str:
    """Return the block of a page that is its app."""
    (app,) = [code for code in blocks(text) if code.startswith("# app.py")]
    return app


@pytest.mark.parametrize("name", ["docs/getting-started.md", "README.md"])
def test_the_first_app(name: str, programs: Path, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(app_of(page(name)))
    (command,) = [line for code in blocks(page(name), "sh") for line in code.splitlines() if line.startswith("flask")]
    with started(programs, command, tmp_path) as person:
        sign_up_and_see(person, "hello ")


def test_the_first_app_with_packages_from_the_source_archives(from_source: Path, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(app_of(START))
    with started(from_source, "flask run --port 3000", tmp_path) as person:
        sign_up_and_see(person, "hello ")


@pytest.mark.parametrize("title", APPS)
def test_a_framework(title: str, programs: Path, tmp_path: Path) -> None:
    (app,) = blocks(SECTIONS[title])
    (tmp_path / "auth.py").write_text(AUTH)
    (tmp_path / "app.py").write_text(app)
    with started(programs, SERVE, tmp_path) as person:
        sign_up_and_see(person)


def test_django(programs: Path, tmp_path: Path) -> None:
    """Its settings and addresses are added to the files of a new project."""
    make, serve = re.findall(r"`((?:django-admin|python manage.py) [^`]+)`", SECTIONS["Django"])
    program, *arguments = shlex.split(make)
    env = {**os.environ, "PYTHONPATH": ""}
    subprocess.run([programs / program, *arguments], cwd=tmp_path, env=env, check=True, timeout=60)
    for code in (AUTH, *blocks(SECTIONS["Django"])):
        name = code.partition("\n")[0].removeprefix("# ")
        file = next((one for one in (tmp_path / "mysite" / name, tmp_path / name) if one.is_file()), tmp_path / name)
        file.write_text((file.read_text() if file.is_file() else "") + code)
    with started(programs, serve, tmp_path) as person:
        sign_up_and_see(person)


def test_each_section_with_an_app_is_tried() -> None:
    others = {"Your framework in ten lines", "Django", "Django REST framework"}
    assert {title for title, text in SECTIONS.items() if blocks(text)} == APPS.keys() | others
