"""
What one core call over HTTP costs, beside the bare ``requests.Session`` call and the official SDK's own client.

::

    python benchmarks/core_call.py [--rounds 40] [--calls 100] [--json] [--peer PYTHON]

Everybody asks the same server, a socket loop in a process of its own that answers as a core would. The contenders take
turns in short rounds, in another order each time, so that what else the machine does hits them alike; told are the
median over the rounds and the median of the ratios to the bare call of the same round.

``--peer`` is a Python interpreter that has ``supertokens-python``; without it the one in ``tests/sdks/.venv-peer`` is
taken when it exists, and the line is left out otherwise.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from st_wsgi.core_client.querier import Querier
from st_wsgi.core_client.transport import CoreRequest, HTTPTransport

PATH = "/recipe/user/roles"
PARAMS = {"userId": "9b0c1f5e-6f43-4e0f-8d36-1a1f6f4b6d0e"}
HEADERS = {"cdi-version": "5.4", "api-key": "a-key-for-this-benchmark", "rid": "userroles"}

_ANSWER = b'{"status":"OK","roles":["admin","editor"],"versions":["5.0","5.1","5.2","5.3","5.4"]}\n'
_RESPONSE = (
    b"HTTP/1.1 200 \r\nContent-Type: application/json;charset=UTF-8\r\nContent-Length: %d\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nKeep-Alive: timeout=60\r\nConnection: keep-alive\r\n\r\n" % len(_ANSWER)
) + _ANSWER

_PEER_PROGRAM = """
import asyncio, json, sys, time
from supertokens_python import InputAppInfo, SupertokensConfig, init
from supertokens_python.normalised_url_path import NormalisedURLPath
from supertokens_python.querier import Querier
from supertokens_python.recipe import session
url, path, params = json.loads(sys.argv[1])
init(supertokens_config=SupertokensConfig(connection_uri=url, api_key="a-key-for-this-benchmark"),
     app_info=InputAppInfo(app_name="peer", api_domain="http://127.0.0.1", website_domain="http://127.0.0.1"),
     framework="flask", recipe_list=[session.init()])
querier = Querier.get_instance("userroles")
loop = asyncio.new_event_loop()
print("ready", flush=True)
for line in sys.stdin:
    began = time.perf_counter()
    for _ in range(int(line)):
        loop.run_until_complete(querier.send_get_request(NormalisedURLPath(path), params, None))
    print(time.perf_counter() - began, flush=True)
"""


def serve(listener: socket.socket) -> None:
    """Answer every request on every connection alike, until killed. One connection is asked at a time."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(connection, selectors.EVENT_READ)
                continue
            connection = key.fileobj  # type: ignore[assignment] # only sockets are registered
            try:
                received = connection.recv(65_536)
            except ConnectionError:
                received = b""
            if not received:
                selector.unregister(connection)
                connection.close()
            elif received.endswith(b"\r\n\r\n"):  # GETs only, each in one piece
                connection.sendall(_RESPONSE)


@contextmanager
def core() -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    process = multiprocessing.get_context("fork").Process(target=serve, args=(listener,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        process.kill()
        process.join()
        process.close()
        listener.close()


def repeated(call: Callable[[], object]) -> Callable[[int], float]:
    def seconds(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            call()
        return time.perf_counter() - began

    return seconds


@contextmanager
def official_client(python: Path, url: str) -> Iterator[Callable[[int], float]]:
    command = [str(python), "-c", _PEER_PROGRAM, json.dumps([url, PATH, PARAMS])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdin is not None and peer.stdout is not None
        reader, writer = peer.stdout, peer.stdin
        if reader.readline().strip() != "ready":
            raise SystemExit("the peer did not start; see its message above")

        def seconds(count: int) -> float:
            writer.write(f"{count}\n")
            writer.flush()
            return float(reader.readline())

        yield seconds


def measure(contenders: dict[str, Callable[[int], float]], *, rounds: int, calls: int) -> dict[str, dict[str, float]]:
    """Return, for each contender, the median microseconds of a call and the median ratio to the first contender."""
    names = list(contenders)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for seconds in contenders.values():
        seconds(calls)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            taken[name].append(contenders[name](calls) / calls)
    bare = taken[names[0]]
    return {
        name: {
            "microseconds": round(statistics.median(times) * 1e6, 1),
            "ratio": round(statistics.median(mine / theirs for mine, theirs in zip(times, bare, strict=True)), 3),
        }
        for name, times in taken.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What one core call over HTTP costs.")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=100, help="in each round")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peer", type=Path, default=Path(__file__).parent.parent / "tests/sdks/.venv-peer/bin/python")
    options = parser.parse_args()
    with core() as url, requests.Session() as session, requests.Session() as blind:
        blind.trust_env = False
        transport = HTTPTransport(url)
        querier = Querier(
            transport=transport,
            api_key=HEADERS["api-key"],
            api_domain="http://127.0.0.1",
            disable_core_call_cache=True,
        ).of_recipe("userroles")
        request = CoreRequest(method="GET", path=PATH, params=PARAMS, headers=HEADERS)
        contenders = {
            "requests.Session": repeated(lambda: session.get(url + PATH, params=PARAMS, headers=HEADERS).json()),
            "the same, environment ignored": repeated(
                lambda: blind.get(url + PATH, params=PARAMS, headers=HEADERS).json()
            ),
            "HTTPTransport.send": repeated(lambda: transport.send(request)),
            "Querier.get": repeated(lambda: querier.get(PATH, PARAMS)),
        }
        if options.peer.exists():
            with official_client(options.peer, url) as official:
                contenders["supertokens-python's Querier"] = official
                results = measure(contenders, rounds=options.rounds, calls=options.calls)
        else:
            results = measure(contenders, rounds=options.rounds, calls=options.calls)
        transport.close()
    if options.json:
        json.dump(results, sys.stdout, indent=2)
        print()
        return
    for name, result in results.items():
        print(f"{name:32}{result['microseconds']:10.1f} us a call{result['ratio']:10.2f} times the bare call")


if __name__ == "__main__":
    main()
