"""
Works off the queue of a file; with "killed", until some users are stored, and then it ends by ``kill -9``.

It says how many were waiting when it ended, in all and in the middle of being hashed.
"""

from __future__ import annotations

import os
import signal
import sys

from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.embedded import EmbeddedCore

path, how, rest = sys.argv[1:]
core = EmbeddedCore(path, settings={"argon2_memory_kb": 8192})  # slow enough to be killed in the middle of hashing


def count(**params: str) -> int:
    """Return how many are in the queue, and see to it that it is being worked off."""
    answer = core.send(CoreRequest("GET", "/bulk-import/users/count", params=params))
    assert isinstance(answer.body, dict), answer
    number: int = answer.body["count"]
    return number


while (waiting := count()) > int(rest) or (how == "killed" and not count(status="PROCESSING")):
    assert waiting, "no user was left in the queue"
print(waiting, count(status="PROCESSING"), flush=True)
if how == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
core.close()
