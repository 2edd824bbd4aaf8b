"""An official SDK in a process of its own: its functions as calls, its HTTP routes at an address."""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sdks.processes import end

#: Seconds in which the SDK has to answer a call; the slowest one hashes a password.
ANSWER_LIMIT = 30


class PeerError(Exception):
    """What the SDK raised. ``kind`` is the name that the Node SDK has for the error, such as ``UNAUTHORISED``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Peer:
    """Speaks to ``node_app.mjs`` or ``python_app.py``: a line of JSON there, a line of JSON back."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._requests: IO[bytes] = process.stdin
        self._answers: IO[bytes] = process.stdout
        self._log = log
        #: Where the SDK's middleware serves ``/auth/*``, and ``/sessioninfo`` behind its session check.
        self.url = f"http://127.0.0.1:{self._answer()['port']}"

    def call(self, name: str, **arguments: object) -> Any:
        """The result of a function of the SDK, in the form that the program gives it; PeerError if it raised."""
        self._requests.write(json.dumps({"call": name, "with": arguments}).encode() + b"\n")
        self._requests.flush()
        answer = self._answer()
        if "error" in answer:
            raise PeerError(answer["error"]["type"], answer["error"]["message"])
        return answer["result"]

    def _answer(self) -> dict[str, Any]:
        ready, _, _ = select.select([self._answers], [], [], ANSWER_LIMIT)
        line = self._answers.readline() if ready else b""
        assert line, f"no answer from the SDK; it printed:\n{self._log.read_text()}"
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def running(command: Sequence[str], log: Path, *, api_key: str | None) -> Iterator[Peer]:
    """Run one of the two programs until the block ends. Its standard error goes to ``log``."""
    env = {name: value for name, value in os.environ.items() if name not in ("CORE_API_KEY", "SSL_CERT_FILE")}
    # The Python SDK reads all authorities anew for every call, even to a core without TLS. Here it finds none.
    env["SSL_CERT_DIR"] = str(log.parent)
    if api_key is not None:
        env["CORE_API_KEY"] = api_key
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=env)
        try:
            yield Peer(process, log)
        finally:
            end(process)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
