"""
The child of :mod:`~benchmarks.request_cost`: one app in one process, called in this process, without a server.

::

    python -m benchmarks.request_child benchmarks.apps.flask_st_wsgi

It signs a user up, says so, and then answers ``{"case": "header", "count": 100}`` with the CPU time in microseconds
of a request in the bare app, and what the same takes more with sessions. The two take turns, and the answer is the
median of the turns' differences. Every turn ends with a collection of the garbage that it made, so that no turn pays
for another one's.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import statistics
import sys
import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers
from werkzeug.test import Client, EnvironBuilder

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: Requests of one kind in a row, before it is the other's turn.
TURN = 10
#: Turns that do not count: another process has had the processor in between.
WARM_UP = 5

#: What a browser sends with every request of a script.
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-US,en;q=0.9",
    "Connection": "keep-alive",
    "Referer": "http://127.0.0.1:3000/",
    "Sec-Ch-Ua-Mobile": "?0",
    "Sec-Ch-Ua-Platform": '"Linux"',
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
}


def main(module: str) -> None:
    site = importlib.import_module(module)
    gc.disable()
    cases = _cases(_tokens(site.app))
    print(json.dumps(sorted(cases)), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        bare_path, path, headers = cases[question["case"]]
        sites = ((site.bare, _environ(bare_path, headers)), (site.app, _environ(path, headers)))
        bare, added = [], []
        for turn in range(-WARM_UP, question["count"] // TURN):
            spent = [0.0, 0.0]
            for which in (0, 1) if turn % 2 else (1, 0):  # the second one finds the memory as the first left it
                spent[which] = _seconds(*sites[which])
            if turn >= 0:
                bare.append(spent[0] / TURN * 1e6)
                added.append((spent[1] - spent[0]) / TURN * 1e6)
        print(json.dumps({"bare": statistics.median(bare), "added": statistics.median(added)}), flush=True)


def _cases(token: str) -> dict[str, tuple[str, str, dict[str, str]]]:
    """From a case to the address in the bare app, the one in the full app, and the headers of the request."""
    cookie = {"Cookie": f"theme=dark; sAccessToken={token}; st-last-access-token-update=1790000000000"}
    header = {"Authorization": f"Bearer {token}"}
    return {
        "anonymous": ("/plain", "/plain", {}),
        "plain": ("/plain", "/plain", cookie),
        "cookie": ("/nobody", "/me", cookie),
        "header": ("/nobody", "/me", header),
    }


def _tokens(app: WSGIApplication) -> str:
    fields = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse 1"}
    form = {"formFields": [{"id": name, "value": value} for name, value in fields.items()]}
    answer = Client(app).post("/auth/signup", json=form, headers={"rid": "emailpassword", "st-auth-mode": "header"})
    assert answer.json is not None and answer.json["status"] == "OK", answer.text
    return answer.headers["st-access-token"]


def _environ(path: str, headers: dict[str, str]) -> dict[str, Any]:
    sent = Headers({**BROWSER, **headers})
    return EnvironBuilder(path=path, base_url="http://127.0.0.1:3000", headers=sent).get_environ()


def _seconds(app: WSGIApplication, environ: dict[str, Any]) -> float:
    statuses: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        statuses.append(status)

    gc.collect(0)
    requests = [{**environ, "wsgi.input": io.BytesIO()} for _ in range(TURN)]
    began = time.process_time()
    while requests:
        _consume(app(requests.pop(), start_response))
    gc.collect(0)
    took = time.process_time() - began
    assert statuses == ["200 OK"] * TURN, statuses
    return took


def _consume(body: Iterable[bytes]) -> None:
    for _ in body:
        pass
    close = getattr(body, "close", None)
    if close is not None:
        close()


if __name__ == "__main__":
    main(sys.argv[1])
