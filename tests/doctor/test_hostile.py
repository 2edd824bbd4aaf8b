"""Servers that mean harm: the doctor ends in time, says what it saw, and its output does nothing to a terminal."""

from __future__ import annotations

import json
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from doctor.conftest import Doctor
from st_wsgi import cli
from st_wsgi.doctor import backend
from st_wsgi.doctor.finding import Finding
from st_wsgi.doctor.responses import key_ids

START = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
KEYS = b'{"keys": [{"kid": "s-1"}]}'
ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\ud800"


@contextmanager
def hostile(answer: bytes, drip: bytes = b"") -> Iterator[str]:
    """A server that answers everything with the same bytes; then with more, one at a time, until the client goes."""
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(answer)
            while drip and not over.wait(0.05):
                connection.sendall(drip)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def of(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([START.rstrip(), *headers, b"Content-Length: %d" % len(body), b"", body])


def told(address: str) -> bytes:
    """Keys, and an address of the back end."""
    return of(json.dumps({"keys": [{"kid": "s-1"}], "jwks_uri": address + "/jwt/jwks.json"}).encode())


BOMB = zlib.compress(bytes(200_000_000))

ANSWERS: dict[str, tuple[bytes, set[str]]] = {
    "no http": (b"SSH-2.0-OpenSSH_9.2\r\n", {"unreachable"}),
    "nothing": (b"", {"unreachable"}),
    "a header that never ends": (START + b"X: " + b"a" * 100_000, {"unreachable"}),
    "many headers": (START + b"X: a\r\n" * 10_000 + b"\r\n", {"unreachable"}),
    "a body that breaks off": (START + b"Content-Length: 100\r\n\r\n{", {"unreachable"}),
    "chunks of no size": (START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", {"unreachable"}),
    "a large body": (of(b"[" + b"1," * 5_000_000), {"routes-missing"}),
    "a body that grows": (of(BOMB, b"Content-Encoding: deflate"), {"routes-missing"}),
    "json that is deep": (of(b'{"keys": ' + b"[" * 400_000), {"routes-missing"}),
    "a large number": (of(b'{"keys": ' + b"1" * 10_000 + b"}"), {"routes-missing"}),
    "another encoding": (of('{"keys": 1}'.encode("utf-16")), {"routes-missing"}),
    "no unicode": (of(b"\xff\xfe\x00\xd8"), {"routes-missing"}),
    "keys that are none": (of(b'{"keys": [1, null, {"kid": {}}]}'), {"refresh-broken"}),
    "a year long ago": (of(KEYS, b"Date: Mon, 01 Jan 0001 00:00:00 -0000"), {"clock", "refresh-broken"}),
    "a time zone that is none": (of(KEYS, b"Date: Mon, 01 Jan 2024 00:00:00 +9999"), {"refresh-broken"}),
    "an address that is none": (told("https://[::1"), {"api-domain-host", "refresh-broken"}),
    "an address with a password": (told("https://ada:x@shop.example"), {"api-domain-host", "refresh-broken"}),
    "escapes in an address": (told(f"https://{ESCAPES}.example"), {"api-domain-host", "refresh-broken"}),
    "escapes in json": (told(f"https://shop.example/{ESCAPES}\n"), {"api-domain-host", "refresh-broken"}),
    "escapes in a header": (
        b"HTTP/1.1 301 Moved\r\nLocation: http://a.example/\x1b[2J\x9b31m\x07\r\nContent-Length: 0\r\n\r\n",
        {"redirected"},
    ),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_each_answer_is_a_finding_in_plain_text(kind: str, doctor: Doctor, capsys: pytest.CaptureFixture[str]) -> None:
    answer, expected = ANSWERS[kind]
    with hostile(answer) as address:
        assert doctor(address) == expected
        capsys.readouterr()
        assert cli.main(["doctor", address]) == 1
    printed = capsys.readouterr()
    lines = (printed.out + printed.err).split("\n")
    assert all(" " <= character <= "~" for line in lines for character in line), lines
    assert max(map(len, lines)) < 1_000


@pytest.mark.parametrize("before", [b"", START, START + b"\r\n"])
def test_a_slow_server_holds_nobody(before: bytes, doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "_SECONDS", 0.5)
    drip = b"X: a\r\n" if before == START else b"1"
    with hostile(before or b"HTTP/1.1 2", drip) as address:
        assert doctor(address) == {"unreachable"}


def test_keys_that_are_none_have_no_ids() -> None:
    assert key_ids(backend.Seen(200, body=b'{"keys": [1, null, {"kid": "s-1"}, {"kid": "d-1"}]}')) == {"s-1"}


def test_a_long_problem_is_cut() -> None:
    assert len(Finding("refused", "x" * 100_000).problem) < 1_000
