"""The user of the load benchmark complains about what a user would complain about."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from threads import answering

from benchmarks.load import Held, Outcome, Phase
from benchmarks.visitor import Visitor, WrongAnswer

ME, OTHER = "me", "another user"


def token_of(user: str) -> str:
    payload = base64.urlsafe_b64encode(json.dumps({"sub": user}).encode()).decode().rstrip("=")
    return f"header.{payload}.signature"


class Server(ThreadingHTTPServer):
    """An app that believes everybody to be ``user``, and hands out tokens of ``token_user``."""

    daemon_threads = True
    user = token_user = ME
    status = 200


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"status": "OK", "userId": self.server.user, "user": {"id": self.server.user}}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        if self.command == "POST":
            self.send_header("st-access-token", token_of(self.server.token_user))
            self.send_header("st-refresh-token", "another")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    with answering(server):
        yield server


@pytest.fixture
def visitor(server: Server) -> Iterator[Visitor]:
    visitor = Visitor(port=server.server_address[1], email="me@example.com")
    visitor.sign_up()
    assert visitor.user_id == ME
    yield visitor
    visitor.close()


def test_answers_of_one_s_own_are_fine(visitor: Visitor) -> None:
    visitor.who_am_i()
    visitor.sign_in()
    visitor.refresh_token = "one"
    visitor.refresh()
    assert visitor.refresh_token == "another"


def test_data_of_another_user_is_wrong(server: Server, visitor: Visitor) -> None:
    server.user = OTHER
    with pytest.raises(WrongAnswer, match="user another user, not me"):
        visitor.who_am_i()
    with pytest.raises(WrongAnswer, match="user another user, not me"):
        visitor.sign_in()


def test_a_token_of_another_user_is_wrong(server: Server, visitor: Visitor) -> None:
    server.token_user = OTHER
    with pytest.raises(WrongAnswer, match="token is that of the user another user"):
        visitor.sign_in()
    visitor.refresh_token = "one"
    with pytest.raises(WrongAnswer, match="token is that of the user another user"):
        visitor.refresh()


def test_a_refresh_that_renews_nothing_is_wrong(visitor: Visitor) -> None:
    visitor.refresh_token = "another"
    with pytest.raises(WrongAnswer, match="without a new refresh token"):
        visitor.refresh()


def test_any_other_status_is_wrong(server: Server, visitor: Visitor) -> None:
    server.status = 401
    with pytest.raises(WrongAnswer, match="answered 401"):
        visitor.who_am_i()


@pytest.mark.parametrize(
    ("phase", "after", "good"),
    [
        pytest.param(Phase("sync", "refresh", 1.0, answers=9), Held(20, 2, 1), True, id="as before"),
        pytest.param(Phase("sync", "refresh", 1.0, answers=9), Held(20, 2, 2), True, id="a connection for each thread"),
        pytest.param(Phase("sync", "refresh", 1.0, answers=9), Held(20, 2, 3), False, id="a connection too many"),
        pytest.param(Phase("sync", "refresh", 1.0, answers=9), Held(21, 2, 1), False, id="a file left open"),
        pytest.param(Phase("sync", "refresh", 1.0, answers=9), Held(20, 3, 1), False, id="a thread left running"),
        pytest.param(Phase("sync", "refresh", 1.0), Held(20, 2, 1), False, id="no answer at all"),
        pytest.param(Phase("sync", "refresh", 1.0, answers=9, wrong=["?"]), Held(20, 2, 1), False, id="a wrong answer"),
    ],
)
def test_what_counts_as_good(phase: Phase, after: Held, good: bool) -> None:
    assert Outcome("sync", [phase], Held(20, 2, 1), after).good is good
