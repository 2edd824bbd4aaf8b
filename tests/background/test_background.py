"""The functions outside a request: in scripts and workers, in threads, and on both sides of a fork."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from contract.client import serving
from sampling import exhaustive_but
from werkzeug.test import Client

import st_wsgi
from st_wsgi import AppInfo, Override, RecipeUserId, SuperTokens, like, open_user_context, replace, user_context
from st_wsgi.core_client.transport import CoreReply, CoreRequest, Transport
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import emailpassword, session
from st_wsgi.recipes.emailpassword import EmailPassword, EmailPasswordFunctions
from st_wsgi.recipes.session import Session
from st_wsgi.request import current

ROOT = Path(__file__).parent.parent.parent
INFO = AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost")

seen: list[dict[str, Any]] = []


def noting(original: EmailPasswordFunctions) -> EmailPasswordFunctions:
    """An override that notes the user context of every sign-up."""

    @like(original.sign_up)
    def sign_up(**arguments: Any) -> Any:
        seen.append(dict(user_context()))
        return original.sign_up(**arguments)

    return replace(original, sign_up=sign_up)


class Watched(Transport):
    """A core that notes what it is asked."""

    in_process = True

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._core = EmbeddedCore.open("sqlite://?argon2_memory_kb=64")

    def send(self, request: CoreRequest, /) -> CoreReply:
        self.calls.append(request.path)
        return self._core.send(request)

    def close(self) -> None:
        self._core.close()


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def st(watched: Watched) -> Iterator[SuperTokens]:
    """The default instance."""
    seen.clear()
    st = st_wsgi.init(
        app_info=INFO, core=watched, recipes=[EmailPassword(override=Override(functions=noting)), Session()]
    )
    yield st
    current.set_default(None)
    st.close()


@pytest.mark.usefixtures("st")
def test_a_script_calls_the_functions_without_any_request() -> None:
    made = emailpassword.sign_up(email="ada@example.com", password="correct horse 1", tenant_id="public")
    assert isinstance(made, emailpassword.SignUpOk)
    tokens = session.create_new_session_without_request_response(
        recipe_user_id=RecipeUserId(made.user.id)
    ).get_all_session_tokens_dangerously()
    found = session.get_session_without_request_response(access_token=tokens.access_token)
    assert found is not None
    assert found.get_user_id() == made.user.id
    assert session.revoke_all_sessions_for_user(user_id=made.user.id) != []


@pytest.mark.usefixtures("st")
def test_overrides_read_the_values_of_the_block_and_nothing_stays_of_them() -> None:
    emailpassword.sign_up(email="a@example.com", password="correct horse 1", tenant_id="public")
    with open_user_context({"job": 7}) as values:
        values["more"] = True
        emailpassword.sign_up(email="b@example.com", password="correct horse 1", tenant_id="public")
    with open_user_context():
        emailpassword.sign_up(email="c@example.com", password="correct horse 1", tenant_id="public")
    assert seen == [{}, {"job": 7, "more": True}, {}]
    assert user_context() == {}


@pytest.mark.usefixtures("st")
def test_blocks_nest_and_end_with_an_error_too() -> None:
    with open_user_context({"name": "outer"}):
        with pytest.raises(ZeroDivisionError), open_user_context({"name": "inner"}):
            assert user_context() == {"name": "inner"}
            _ = 1 / 0
        assert user_context() == {"name": "outer"}
    assert user_context() == {}


@pytest.mark.usefixtures("st")
def test_reads_are_cached_inside_a_block_and_only_there(watched: Watched) -> None:
    handle = session.create_new_session_without_request_response(recipe_user_id=RecipeUserId("ada")).get_handle()

    def read() -> int:
        before = len(watched.calls)
        for _ in range(3):
            session.get_session_information(session_handle=handle)
        return len(watched.calls) - before

    assert read() == 3
    with open_user_context():
        assert read() == 1
    assert read() == 3


@pytest.mark.usefixtures("st")
def test_blocks_of_several_threads_do_not_meet() -> None:
    together = threading.Barrier(4, timeout=30)

    def work(number: int) -> dict[str, Any]:
        assert user_context() == {}
        with open_user_context({"worker": number}):
            together.wait()
            return dict(user_context())

    with open_user_context({"worker": "main"}), ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [{"worker": number} for number in range(4)]


def test_without_an_instance_the_message_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"call st_wsgi\.init"), open_user_context():
        pytest.fail("there is no instance to open it for")


def test_a_block_inside_a_request_is_one_of_its_own(st: SuperTokens) -> None:
    """A view that works for another user keeps its own context, response and session."""

    def view(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        user_context()["of"] = "the request"
        with open_user_context({"of": "the block"}):
            assert user_context() == {"of": "the block"}
            session.create_new_session_without_request_response(recipe_user_id=RecipeUserId("somebody else"))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [user_context()["of"].encode()]

    answer = Client(st.wrap(view)).get("/")
    assert answer.text == "the request"
    assert "front-token" not in answer.headers


@pytest.fixture(params=exhaustive_but(["file", "http"], ["file"]))
def core(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a core: a file, and a server on one."""
    if request.param == "file":
        yield f"sqlite:///{tmp_path}/auth.db?argon2_memory_kb=64"
        return
    with EmbeddedCore.open(f"sqlite:///{tmp_path}/auth.db?argon2_memory_kb=64") as core, serving(core) as server:
        yield server.address


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_an_instance_that_was_made_before_a_fork_works_on_both_sides(core: str) -> None:
    """And neither importing nor making it starts a thread or opens a connection that a child would inherit."""
    run = subprocess.run(
        [sys.executable, "-W", "error", str(Path(__file__).with_name("fork_program.py")), core],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "fine\n"), run.stdout + run.stderr
