"""A process with a warm connection that forks while its threads are calling; run by test_processes.py."""

from __future__ import annotations

import os
import sys
import threading

from st_wsgi.core_client.querier import Querier
from st_wsgi.core_client.transport import HTTPTransport

CHILDREN = 4
CALLS = 25


def call_around(querier: Querier, name: str) -> None:
    for number in range(CALLS):
        path = f"/{name}/{number}"
        answer = querier.post(path, {"name": name}).body
        if answer.get("path") != path:
            raise SystemExit(f"{name} asked for {path} and got {answer}")


def forked(querier: Querier, name: str) -> int:
    child = os.fork()
    if child:
        return child
    try:
        call_around(querier, name)
    except BaseException as error:
        print(f"{name}: {error!r}", flush=True)
        os._exit(1)
    os._exit(0)


def warm(querier: Querier) -> None:
    """Fork with connections in the pool and threads in the middle of calls."""
    querier.get("/parent/first")
    threads = [threading.Thread(target=call_around, args=(querier, f"thread-{number}")) for number in range(3)]
    for thread in threads:
        thread.start()
    children = [forked(querier, f"child-{number}") for number in range(CHILDREN)]
    call_around(querier, "parent")
    for thread in threads:
        thread.join()
    finish(children)


def negotiating(querier: Querier) -> None:
    """Fork while another thread waits for the version: the child has no such thread and must ask by itself."""
    thread = threading.Thread(target=call_around, args=(querier, "thread"))
    thread.start()
    sys.stdin.readline()  # the core has the thread's question and keeps it waiting until the child has its answer
    finish([forked(querier, "child")])
    thread.join()


def finish(children: list[int]) -> None:
    if any(os.waitpid(child, 0)[1] for child in children):
        raise SystemExit("a child failed")
    print("fine", flush=True)


if __name__ == "__main__":
    transport = HTTPTransport(sys.argv[2], read_timeout=60)
    {"warm": warm, "negotiating": negotiating}[sys.argv[1]](Querier(transport=transport, api_domain="http://localhost"))
    transport.close()
