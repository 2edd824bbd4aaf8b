"""Programs that are measured, each a process of its own on the loopback interface: a core, servers, children."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

#: Seconds after which a program that does not listen counts as broken.
START_LIMIT = 60.0


class CannotRun(Exception):
    """Something that a benchmark needs is missing or broken; the message says what."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str], *, port: int, log: Path, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """
    Run a server until the block ends; the block starts when it listens on *port*.

    :param log: the file that takes what it prints.
    :raises CannotRun: it ended before, or does not listen; with what it printed.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=_environment(env), cwd=cwd
        )
        try:
            _wait_until_listening(process, port, log)
            yield process
        finally:
            end(process)


@contextmanager
def core(folder: Path, **settings: object) -> Iterator[str]:
    """Serve an embedded core over HTTP, on a file in *folder*, as ``st-wsgi core serve`` does."""
    port = free_port()
    command = [sys.executable, "-m", "st_wsgi", "core", "serve", "--db", str(folder / "core.db"), f"--port={port}"]
    command += [f"--set={name}={value}" for name, value in settings.items()]
    with running(command, port=port, log=folder / "core.log"):
        yield f"http://127.0.0.1:{port}"


class Child:
    """A program that answers a line of JSON with one. Its first line, sent unasked, says that it is ready."""

    def __init__(self, process: subprocess.Popen[str], name: str) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._requests, self._answers, self._name = process.stdin, process.stdout, name
        self._read()

    def ask(self, question: Any) -> Any:
        self._requests.write(json.dumps(question) + "\n")
        self._requests.flush()
        return self._read()

    def _read(self) -> Any:
        line = self._answers.readline()
        if not line:
            raise CannotRun(f"{self._name} ended; what it printed stands above")
        return json.loads(line)


@contextmanager
def child(*command: str, env: Mapping[str, str] | None = None) -> Iterator[Child]:
    """Run ``python -m`` *command* until the block ends. Its standard error goes where ours goes."""
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(env),
        cwd=ROOT,
    ) as process:
        try:
            yield Child(process, " ".join(command))
        finally:
            process.kill()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to stop, and insist after ten seconds."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment(added: Mapping[str, str] | None) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **(added or {})}


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            code = process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        raise CannotRun(f"{process.args!r} ended with code {code} before it listened:\n{log.read_text()}")
    raise CannotRun(f"{process.args!r} does not listen on port {port}:\n{log.read_text()}")
