"""Programs that tests start: a free port, a start that waits until the program listens, an end that is certain."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

#: The root of the repository, where started programs find the package, installed or not.
ROOT = Path(__file__).parent.parent.parent

#: Seconds after which a program that does not listen counts as broken; a loaded machine needs a few.
START_LIMIT = 60.0

#: What the programs that run now print, one file each.
open_logs: list[Path] = []


#: Until the tests end, these keep the ports that were chosen from being chosen again.
_keepers = ExitStack()
atexit.register(_keepers.close)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on, for a program that is started by the tests."""
    with ExitStack() as stack:
        keeper = stack.enter_context(socket.socket())
        # With this option on both sides, Linux lets a program listen where this socket only holds the place.
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        port: int = keeper.getsockname()[1]
        if sys.platform == "linux":
            _keepers.enter_context(stack.pop_all())
        return port


def listens_on(port: int | Path) -> bool:
    """Whether a program of this machine listens on a TCP port of 127.0.0.1, or on a Unix socket."""
    with socket.socket(socket.AF_INET if isinstance(port, int) else socket.AF_UNIX) as probe:
        return probe.connect_ex(("127.0.0.1", port) if isinstance(port, int) else str(port)) == 0


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to stop, and insist after ten seconds."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def serving(
    command: Sequence[str],
    *,
    port: int | Path,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` until the block ends; the block starts when the program listens on ``port``, or a Unix socket.

    ``env`` is added to the environment of the tests. What the program prints goes to the file ``log``
    (appended, so that a restart keeps the earlier output). AssertionError with that output if it ends early.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, **(env or {})}
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=cwd)
        open_logs.append(log)
        try:
            _wait_until_listening(process, port, log)
            yield process
        finally:
            open_logs.remove(log)
            end(process)


def last_words(characters: int = 4000) -> Iterator[tuple[str, str]]:
    """For the report of a failed test: a title and the end of the output of each program that runs now."""
    for log in open_logs:
        yield f"printed last to {log.parent.name}/{log.name}", log.read_text(errors="replace")[-characters:]


def _wait_until_listening(process: subprocess.Popen[bytes], port: int | Path, log: Path) -> None:
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit:
        if listens_on(port):
            return
        try:
            code = process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"{process.args!r} ended with code {code} before it listened:\n{log.read_text()}")
    raise AssertionError(f"{process.args!r} does not listen on {port}:\n{log.read_text()}")
