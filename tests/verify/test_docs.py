"""The page about st-verify keeps its word: every block of Python in it runs, every framework answers as it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import Programs, blocks, sections

from st_verify import (
    InvalidClaims,
    NoSession,
    Refused,
    RevocationUnavailable,
    Revoked,
    SessionVerifier,
    TryRefresh,
    failed_claims,
)
from st_verify.__main__ import main
from st_verify.errors import Forbidden, KeysUnavailable
from st_verify.fetch import HttpFetcher
from st_verify.wsgi import refusal_response
from verify.minting import ISSUER, KID, token
from verify.sites import answer_for_the_key_server, fresh, shows_the_four_answers

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "st_verify.md").read_text(encoding="utf-8")
SECTIONS = sections(PAGE)
PROGRAMS = Programs(files=frozenset({"guard.py", "sessions.py"}))
(GUARD,) = blocks(SECTIONS["Say what you accept"])
(DJANGO_VIEWS,) = blocks(SECTIONS["Django"])
PROGRAMS.claim(GUARD, DJANGO_VIEWS)


def of(*titles: str) -> pytest.MarkDecorator:
    """Give the test what the blocks below a heading define, as ``names``; it runs once for each heading."""
    return PROGRAMS.of(*(SECTIONS[title] for title in titles), ids=list(titles))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """guard.py in a folder of the test; the key server of the page answers without a network."""
    monkeypatch.setattr(HttpFetcher, "__call__", answer_for_the_key_server)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert PROGRAMS.write(GUARD) == "guard.py"
    yield tmp_path
    sys.modules.pop("guard", None)
    sys.modules.pop("page", None)


@pytest.fixture
def names(folder: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> dict[str, Any]:
    """The names that a section of the page defines, which runs as one program; ``capsys`` has what it prints."""
    return PROGRAMS.names(request.param)


def test_the_readme_of_the_package() -> None:
    names: dict[str, Any] = {}
    for code in re.findall(r"^```python\n(.*?)^```$", (ROOT / "st_verify" / "README.md").read_text(), re.M | re.S):
        exec(compile(code, "README.md", "exec"), names)
    assert names["verifier"].verify(fresh()).user_id == "user-1"


def test_the_readme_of_the_package_counts_the_refusals() -> None:
    """It said four and named five. `verify` raises those of its docstring, and a guard adds the others."""
    text = (ROOT / "st_verify" / "README.md").read_text()
    table = {name: int(status) for name, status in re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.MULTILINE)}
    kinds = {Refused}
    for _ in range(3):
        kinds |= {below for kind in kinds for below in kind.__subclasses__()}
    leaves = {kind for kind in kinds if not kind.__subclasses__()} | {TryRefresh}
    assert table == {kind.__name__: kind.status for kind in leaves}
    by_verify = set(re.findall(r":raises (\w+): .*\(\d{3}\)", SessionVerifier.verify.__doc__ or ""))
    assert by_verify == {"NoSession", "TryRefresh", "Forbidden", "KeysUnavailable"}
    (sentence,) = re.findall(r"returns an `AccessToken` or raises (.*?)\.\n", text, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == by_verify


@of("Plain WSGI")
def test_plain_wsgi(names: dict[str, Any]) -> None:
    shows_the_four_answers(names["app"], admin=False)


@of("Flask", "Bottle", "Pyramid", "Falcon")
def test_frameworks(names: dict[str, Any]) -> None:
    shows_the_four_answers(names["app"])


DJANGO = """
import django
from django.conf import settings
settings.configure(SECRET_KEY="x", ROOT_URLCONF="urls", ALLOWED_HOSTS=["*"], MIDDLEWARE=["sessions.AnswerRefusals"])
django.setup()
from django.core.wsgi import get_wsgi_application
from st_verify.fetch import HttpFetcher
from verify.sites import answer_for_the_key_server, shows_the_four_answers
HttpFetcher.__call__ = answer_for_the_key_server
shows_the_four_answers(get_wsgi_application())
"""


def test_django(folder: Path) -> None:
    """In a process of its own, since Django's settings are those of the process."""
    assert PROGRAMS.write(DJANGO_VIEWS) == "sessions.py"
    (folder / "urls.py").write_text(
        "from django.urls import path\nimport sessions\n"
        "urlpatterns = [path('me', sessions.me), path('admin', sessions.admin)]\n"
    )
    path = os.pathsep.join([str(folder), str(ROOT), str(ROOT / "tests")])
    command = [sys.executable, "-c", DJANGO]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@of("Async code and anything else")
def test_async_code(names: dict[str, Any]) -> None:
    assert names["user_of"]("GET", {"authorization": f"Bearer {fresh()}"}) == "user-1"
    cookie = {"cookie": f"sAccessToken={fresh()}"}
    assert names["user_of"]("POST", {**cookie, "rid": "anti-csrf"}) == "user-1"
    with pytest.raises(TryRefresh, match="csrf_header"):
        names["user_of"]("POST", cookie)
    with pytest.raises(NoSession):
        names["user_of"]("GET", {})


@of("Claims")
def test_claims(names: dict[str, Any]) -> None:
    assert [error.id for error in failed_claims(names["conditions"], {})] == [
        "st-ev",
        "st-role",
        "st-perm",
        "st-mfa",
        "plan",
    ]


def test_the_table_of_answers() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| `(.+?)` \|", SECTIONS["Answers"], re.MULTILINE)
    made: dict[str, Refused] = {
        "NoSession": NoSession("x"),
        "TryRefresh": TryRefresh("x"),
        "Revoked": Revoked("x"),
        "InvalidClaims": InvalidClaims([]),
        "Forbidden": Forbidden("x"),
        "KeysUnavailable": KeysUnavailable("x"),
    }
    assert [row[0] for row in rows] == list(made)
    for name, status, body in rows:
        response = refusal_response(made[name])
        assert (str(response.status), response.body.decode()) == (status, body.replace("[...]", "[]"))


@of("Answers")
def test_the_check_at_start_up(names: dict[str, Any]) -> None:
    assert len(names["problems"]) == 2


@of("Keys, rotations and outages")
def test_keys(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert set(names["keys"].snapshot().keys) == {KID}
    assert capsys.readouterr().out == "jwks: cannot be used: no_keys\n"


@of("What it cannot know")
def test_revocation(names: dict[str, Any]) -> None:
    environ = {"REQUEST_METHOD": "GET", "HTTP_AUTHORIZATION": f"Bearer {fresh()}"}
    with pytest.raises(Revoked):
        names["strict"].session(environ)
    names["revoked"].clear()
    assert names["strict"].session(environ).user_id == "user-1"
    names["revoked"] = None
    with pytest.raises(RevocationUnavailable):
        names["strict"].session(environ)


@of("Other tokens of the same core")
def test_other_tokens(names: dict[str, Any]) -> None:
    head = {"alg": "RS256", "typ": "JWT", "kid": KID}
    at = int(time.time())
    times = {"iss": ISSUER, "iat": at - 5, "exp": at + 600}
    claims = {"stt": 1, "client_id": "app-1", "scp": ["articles:read"], "aud": "articles", "sub": "user-2"}
    assert names["may_read"](token(head, claims | times)) == "user-2"
    assert names["services"].verify(token(head, {"source": "microservice"} | times)).issuer == ISSUER
    with pytest.raises(NoSession):
        names["may_read"](fresh())


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = blocks(SECTIONS["Why is my token refused?"], "sh")
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "st_verify"]
    (folder / "token").write_text(fresh())
    monkeypatch.setattr(sys, "stdin", (folder / "token").open())
    with sys.stdin:
        assert main(words[3:]) == 0
    assert "accepted" in capsys.readouterr().out


def test_every_block_of_python_is_run_by_one_of_these_tests() -> None:
    assert set(blocks(PAGE)) - PROGRAMS.run == set()
