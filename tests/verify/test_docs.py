"""The page about st-verify keeps its word: every block of Python in it runs, every framework answers as it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from st_verify import InvalidClaims, NoSession, Refused, RevocationUnavailable, Revoked, TryRefresh, failed_claims
from st_verify.cli import main
from st_verify.errors import Forbidden, KeysUnavailable
from st_verify.fetch import HttpFetcher
from st_verify.wsgi import answer
from verify.minting import ISSUER, KID, token
from verify.sites import answer_for_the_key_server, fresh, shows_the_four_answers

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "st_verify.md").read_text(encoding="utf-8")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections() -> dict[str, str]:
    """The page by its headings; what looks like one inside of a block is a comment of that block."""
    outside = _FENCE.sub(lambda block: block[0].replace("\n# ", "\n\x00 "), PAGE)
    parts = re.split(r"^#+ (.+)\n", outside, flags=re.MULTILINE)
    return {title: text.replace("\x00", "#") for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def blocks(title: str, language: str = "python") -> list[str]:
    return [code for found, code in _FENCE.findall(sections()[title]) if found == language]


RAN: set[str] = set()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """guard.py in a folder of the test; the key server of the page answers without a network."""
    monkeypatch.setattr(HttpFetcher, "__call__", answer_for_the_key_server)
    monkeypatch.syspath_prepend(str(tmp_path))
    (code,) = blocks("Say what you accept")
    assert code.startswith("# guard.py\n")
    (tmp_path / "guard.py").write_text(code)
    RAN.add(code)
    yield tmp_path
    sys.modules.pop("guard", None)
    sys.modules.pop("page", None)


def run(title: str) -> dict[str, Any]:
    program = types.ModuleType("page")
    sys.modules["page"] = program  # some frameworks look up the module that calls them
    for code in blocks(title):
        exec(compile(code, title, "exec"), vars(program))
        RAN.add(code)
    return vars(program)


def test_the_readme_of_the_package() -> None:
    names: dict[str, Any] = {}
    for code in re.findall(r"^```python\n(.*?)^```$", (ROOT / "st_verify" / "README.md").read_text(), re.M | re.S):
        exec(compile(code, "README.md", "exec"), names)
    assert names["verifier"].verify(fresh()).user_id == "user-1"


def test_plain_wsgi() -> None:
    shows_the_four_answers(run("Plain WSGI")["app"], admin=False)


@pytest.mark.parametrize("title", ["Flask", "Bottle", "Pyramid", "Falcon"])
def test_frameworks(title: str) -> None:
    shows_the_four_answers(run(title)["app"])


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
    (code,) = blocks("Django")
    (folder / "sessions.py").write_text(code)
    RAN.add(code)
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


def test_async_code() -> None:
    page = run("Async code and anything else")
    assert page["user_of"]("GET", {"authorization": f"Bearer {fresh()}"}) == "user-1"
    cookie = {"cookie": f"sAccessToken={fresh()}"}
    assert page["user_of"]("POST", {**cookie, "rid": "anti-csrf"}) == "user-1"
    with pytest.raises(TryRefresh, match="csrf_header"):
        page["user_of"]("POST", cookie)
    with pytest.raises(NoSession):
        page["user_of"]("GET", {})


def test_claims() -> None:
    conditions = run("Claims")["conditions"]
    assert [error.id for error in failed_claims(conditions, {})] == ["st-ev", "st-role", "st-perm", "st-mfa", "plan"]


def test_the_table_of_answers() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| `(.+?)` \|", sections()["Answers"], re.MULTILINE)
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
        found = answer(made[name])
        assert (str(found.status), found.body.decode()) == (status, body.replace("[...]", "[]"))


def test_the_check_at_start_up() -> None:
    assert len(run("Answers")["problems"]) == 2


def test_keys(capsys: pytest.CaptureFixture[str]) -> None:
    page = run("Keys, rotations and outages")
    assert set(page["keys"].snapshot().keys) == {KID}
    assert capsys.readouterr().out == "keys: no_keys\n"


def test_revocation() -> None:
    page = run("What it cannot know")
    environ = {"REQUEST_METHOD": "GET", "HTTP_AUTHORIZATION": f"Bearer {fresh()}"}
    with pytest.raises(Revoked):
        page["strict"].session(environ)
    page["revoked"].clear()
    assert page["strict"].session(environ).user_id == "user-1"
    page["revoked"] = None
    with pytest.raises(RevocationUnavailable):
        page["strict"].session(environ)


def test_other_tokens() -> None:
    page = run("Other tokens of the same core")
    head = {"alg": "RS256", "typ": "JWT", "kid": KID}
    at = int(time.time())
    times = {"iss": ISSUER, "iat": at - 5, "exp": at + 600}
    claims = {"stt": 1, "client_id": "app-1", "scp": ["articles:read"], "aud": "articles", "sub": "user-2"}
    assert page["may_read"](token(head, claims | times)) == "user-2"
    assert page["services"].verify(token(head, {"source": "microservice"} | times)).issuer == ISSUER
    with pytest.raises(NoSession):
        page["may_read"](fresh())


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = blocks("Why is my token refused?", "sh")
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "st_verify"]
    (folder / "token").write_text(fresh())
    monkeypatch.setattr(sys, "stdin", (folder / "token").open())
    with sys.stdin:
        assert main(words[3:]) == 0
    assert "accepted" in capsys.readouterr().out


def test_every_block_of_python_is_run_by_one_of_these_tests(request: pytest.FixtureRequest) -> None:
    """Runs last in this file; when only some tests of it run, it has nothing to say."""
    items = [item for item in request.session.items if item.path == Path(__file__)]
    here = {item.function.__name__ for item in items if isinstance(item, pytest.Function)}
    if here == {name for name in globals() if name.startswith("test_")}:
        assert {code for language, code in _FENCE.findall(PAGE) if language == "python"} - RAN == set()
