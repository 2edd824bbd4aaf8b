"""
What each WSGI server does to the requests that matter to SuperTokens: starts one server after the other and prints the
table of docs/servers.md.

    python tests/servers/survey.py            all servers that are installed
    python tests/servers/survey.py uWSGI      one of them

A server is tried twice: with the least that it needs to serve an app, and with the settings that this file recommends.
A cell names the setting where only the second try succeeds.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs

HERE = Path(__file__).parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))

from sdks.processes import free_port, serving  # noqa: E402  # found by the line above

ANSWER_LIMIT = 60.0  # seconds; the first sign-up makes keys
SILENCE = 5.0  # seconds after which a server that says nothing is waiting for more
SETTLED = 2.0  # seconds after a response in which a server closes the connection, if it wants to
CREDENTIALS = {"email": "ada@example.com", "password": "correct horse 1"}
FORM = json.dumps({"formFields": [{"id": name, "value": value} for name, value in CREDENTIALS.items()]}).encode()
JSON = "Content-Type: application/json\r\n"
SIGN_IN = "/auth/signin"
KEYS = "/auth/jwt/jwks.json"


@attrs.frozen
class Server:
    """
    A server, and how to start it.

    :ivar package: what pip installs.
    :ivar command: the least that serves ``boundary_app``. ``{port}`` and ``{folder}`` are replaced.
    :ivar settings: what we recommend: by the name of the probe that needs it, the text of the cell and the arguments.
    :ivar needs: what has to be there to install the package, for the help.
    """

    name: str
    package: str
    command: Sequence[str]
    settings: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)
    needs: str = ""

    @property
    def version(self) -> str | None:
        """The version that is installed, or None."""
        for package in self.package.split(" or "):
            try:
                return importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                continue
        return None


CHEROOT = """
import boundary_app, cheroot.wsgi
cheroot.wsgi.Server(("127.0.0.1", {port}), boundary_app.app).start()
"""

BJOERN = """
import bjoern, boundary_app
bjoern.run(boundary_app.app, "127.0.0.1", {port})
"""

TORNADO = """
import sys
from concurrent.futures import ThreadPoolExecutor
import boundary_app
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.wsgi import WSGIContainer
def app(environ, start_response):
    if "terminated" in sys.argv:
        environ["wsgi.input_terminated"] = True
    return boundary_app.app(environ, start_response)
executor = ThreadPoolExecutor(4) if "executor" in sys.argv else None
HTTPServer(WSGIContainer(app, executor)).listen({port}, "127.0.0.1")
IOLoop.current().start()
"""

APACHE = """
ServerName 127.0.0.1
ServerRoot {folder}
PidFile {folder}/apache.pid
Listen 127.0.0.1:{port}
ErrorLog /dev/stderr
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
{module}
WSGISocketPrefix {folder}/wsgi
WSGIDaemonProcess app threads=4 python-path={folder}
WSGIProcessGroup app
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / {folder}/app.wsgi
<Directory {folder}>
  Require all granted
</Directory>
{user}
"""

SERVERS = [
    Server(
        "gunicorn",
        "gunicorn",
        ["-m", "gunicorn", "--bind=127.0.0.1:{port}", "--no-control-socket", "boundary_app:app"],
        {
            "at once": ("`--threads 4`", "--threads 4"),
            "header": ("`--limit-request-field_size 16384`", "--limit-request-field_size 16384"),
        },
    ),
    Server(
        "uWSGI",
        "uWSGI or pyuwsgi",
        [
            "uwsgi",
            "--master",
            "--die-on-term",
            "--http-socket=127.0.0.1:{port}",
            "--module=boundary_app:app",
            "--need-app",
        ],
        {
            "at once": ("`--threads 4`", "--threads 4"),
            "header": ("`--buffer-size 32768`", "--buffer-size 32768"),
            "too large": ("`--post-buffering 8192`", "--post-buffering 8192"),
        },
        needs="gcc",
    ),
    Server(
        "mod_wsgi",
        "mod_wsgi",
        ["apache2", "-DFOREGROUND", "-f", "{folder}/apache.conf"],
        {
            "authorization": ("`WSGIPassAuthorization On`", "WSGIPassAuthorization On"),
            "chunked": ("`WSGIChunkedRequest On`", "WSGIChunkedRequest On"),
            "header": ("`LimitRequestFieldSize 16384`", "LimitRequestFieldSize 16384"),
        },
        needs="apt-get install apache2 apache2-dev",
    ),
    Server("waitress", "waitress", ["-m", "waitress", "--listen=127.0.0.1:{port}", "boundary_app:app"]),
    Server("cheroot", "cheroot", ["-c", CHEROOT]),
    Server("bjoern", "bjoern", ["-c", BJOERN], needs="gcc, apt-get install libev-dev"),
    Server(
        "Tornado",
        "tornado",
        ["-c", TORNADO],
        {
            "at once": ("`ThreadPoolExecutor`", "executor"),
            "chunked": ("`wsgi.input_terminated`", "terminated"),
        },
    ),
]


@contextmanager
def running(server: Server, settings: Sequence[str] = ()) -> Iterator[int]:
    """Serve the app until the block ends; gives the port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="survey-") as name:
        folder = Path(name)
        folder.chmod(0o777)  # Apache serves as another user
        env = {
            "ST_API_DOMAIN": f"http://127.0.0.1:{port}",
            "ST_CORE": f"sqlite:///{folder}/auth.db?argon2_memory_kb=64",
            "MEETING": f"{folder}/meeting",
        }
        command = [part.replace("{port}", str(port)).replace("{folder}", name) for part in server.command]
        if server.name == "mod_wsgi":
            _write_apache(folder, port, env, settings)
        else:
            command += [word for setting in settings for word in setting.split()]
        if not shutil.which(command[0]):
            beside = Path(sys.executable).parent / command[0]
            command = [str(beside), *command[1:]] if beside.exists() else [sys.executable, *command]
        with serving(command, port=port, log=folder / "log", env=env, cwd=HERE):
            yield port


def _write_apache(folder: Path, port: int, env: Mapping[str, str], settings: Sequence[str]) -> None:
    express = Path(sys.executable).with_name("mod_wsgi-express")
    module = subprocess.run([express, "module-config"], capture_output=True, text=True, check=True).stdout
    conf = APACHE.format(
        folder=folder,
        port=port,
        modules="/usr/lib/apache2/modules",
        module=module,
        user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
    )
    (folder / "apache.conf").write_text(conf + "\n".join(settings) + "\n")
    places = [str(HERE.parent.parent), str(HERE)]
    script = f"import os, sys\nos.environ.update({dict(env)!r})\nsys.path[:0] = {places!r}\n"
    (folder / "app.wsgi").write_text(script + "from boundary_app import app as application\n")


@attrs.frozen
class Answer:
    """One HTTP response, read off the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for found, value in self.headers if found.lower() == name.lower()]


def exchange(
    port: int,
    data: bytes,
    *,
    more: bytes = b"",
    close: bool = False,
    settles: bool = False,
    limit: float = ANSWER_LIMIT,
) -> tuple[bytes, str]:
    """
    Send bytes on one connection and read until the server closes it.

    :param more: sent after the first bytes of the server, or after ``SILENCE``.
    :param close: end the sending side when everything is sent, as a client does that goes away.
    :param settles: the connection may stay open after the response.
    :param limit: seconds to wait for each part of the response.
    :returns: what came back, and how it ended: ``closed``, ``reset`` or ``open``.
    """
    parts: list[bytes] = []
    with socket.create_connection(("127.0.0.1", port), timeout=SILENCE) as connection:
        try:
            connection.sendall(data)
            if more:
                with suppress(TimeoutError):
                    parts.append(connection.recv(65_536))
                connection.sendall(more)
            connection.settimeout(limit)
            if close:
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65_536):
                parts.append(part)
                if settles:
                    connection.settimeout(SETTLED)
        except TimeoutError:
            return b"".join(parts), "open"
        except OSError:  # reset: what has arrived before can still be read
            with suppress(OSError):
                while part := connection.recv(65_536):
                    parts.append(part)
            return b"".join(parts), "reset"
    return b"".join(parts), "closed"


def answers(data: bytes) -> list[Answer]:
    """Parse the responses in what a server has sent on one connection."""
    found = []
    while match := re.match(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n", data):
        head, _, data = data[match.end() - 2 :].partition(b"\r\n\r\n")
        lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n") if line)
        headers = [(name, value.strip()) for name, _, value in lines]
        named = {name.lower(): value for name, value in headers}
        if "chunked" in named.get("transfer-encoding", ""):
            body, data = _unchunked(data)
        elif "content-length" in named:
            length = int(named["content-length"])
            body, data = data[:length], data[length:]
        elif match[1].startswith(b"1"):
            body = b""
        else:
            body, data = data, b""
        found.append(Answer(int(match[1]), headers, body))
    return found


def _unchunked(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size or b"0", 16)
        body += data[:length]
        data = data[length + 2 :]
        if length == 0:
            return body, data


def request(method: str, path: str, headers: str = "", body: bytes | None = None, *, close: bool = True) -> bytes:
    """Return a request as bytes; *headers* are whole lines."""
    length = "" if body is None or "ransfer-" in headers else f"Content-Length: {len(body)}\r\n"
    last = "Connection: close\r\n" if close else ""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}{length}{last}\r\n".encode() + (body or b"")


def call(port: int, method: str, path: str, headers: str = "", body: bytes | None = None) -> Answer:
    """Send one request; a status of 0 says that no response came."""
    data, _ = exchange(port, request(method, path, headers, body))
    final = [answer for answer in answers(data) if answer.status >= 200]
    return final[0] if final else Answer(0, [], b"")


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


# The probes. Each returns the text of its cell; a text that begins with "yes" is what one wants.


def judge(success: bool, answer: Answer) -> str:
    return "yes" if success else f"no: {answer.status or 'no response'}"


def by_cookie(port: int) -> str:
    answer = call(port, "POST", "/auth/signup", JSON + "st-auth-mode: cookie\r\n", FORM)
    cookies = [line.partition(";")[0] for line in answer.all("Set-Cookie")]
    seen = call(port, "GET", "/session", f"Cookie: {'; '.join(cookies)}\r\n")
    return judge(len(cookies) == 2 and seen.status == 200, seen)


def token(port: int) -> str:
    answer = call(port, "POST", SIGN_IN, JSON + "st-auth-mode: header\r\n", FORM)
    return answer.all("st-access-token")[0]


def by_header(port: int) -> str:
    seen = call(port, "GET", "/session", f"Authorization: Bearer {token(port)}\r\n")
    return judge(seen.status == 200, seen)


def chunked_route(port: int, mount: str = "") -> str:
    headers = JSON + "Transfer-Encoding: chunked\r\n"
    answer = call(port, "POST", mount + SIGN_IN, headers, chunked(FORM))
    return judge(answer.status == 200 and b'"OK"' in answer.body, answer)


def chunked_view(port: int, mount: str = "") -> str:
    headers = "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
    answer = call(port, "POST", mount + "/body", headers, chunked(b"a body of the app"))
    if answer.status == 200 and answer.body == b"":
        return "no: empty"
    return judge(answer.status == 200 and answer.body == b"a body of the app", answer)


def largest_header(port: int) -> str:
    """The largest Cookie header of some sizes with which a session is still recognised."""
    cookie = f"sAccessToken={token(port)}; pad="
    largest = 0
    for kilobytes in (2, 4, 8, 16):
        value = cookie + "x" * (kilobytes * 1000 - len(cookie))
        if call(port, "GET", "/session", f"Cookie: {value}\r\n").status != 200:
            break
        largest = kilobytes
    return "yes" if largest == 16 else f"no: {largest} kB"


SPELLINGS = {
    "`//auth`": "/" + KEYS,
    "`/auth//`": KEYS.replace("/auth/", "/auth//"),
    "`/./`": KEYS.replace("/auth/", "/auth/./"),
    "`/../`": "/x/.." + KEYS,
    "`%2F`": KEYS.replace("/jwt/", "/jwt%2F"),
    "`;`": KEYS + ";x",
}


def spellings(port: int) -> str:
    """Other spellings of a path that the server makes one of ours."""
    ours = [shown for shown, path in SPELLINGS.items() if b'"keys"' in call(port, "GET", path).body]
    return "yes: none" if not ours else ", ".join(ours)


def trailing_slash(port: int) -> str:
    answer = call(port, "GET", KEYS + "/")
    return judge(b'"keys"' in answer.body, answer)


def doubled(port: int, header: str, name: str) -> str:
    """Two headers of one name: what of them the app sees."""
    answer = call(port, "GET", "/environ", f"{header}: first=1\r\n{header}: second=2\r\n")
    if answer.status != 200:
        return f"refused: {answer.status or 'no response'}"
    seen = json.loads(answer.body).get(name, "")
    whole = re.fullmatch(r"first=1(.*)second=2", seen)
    if whole:
        return f"joined by `{whole[1].strip()}`"
    return {"first=1": "the first", "second=2": "the last", "": "neither"}.get(str(seen), str(seen))


def head(port: int) -> str:
    data, _ = exchange(port, request("HEAD", KEYS))
    return "yes" if data.startswith(b"HTTP/1.1 200") and data.endswith(b"\r\n\r\n") else "no"


def continues(port: int) -> str:
    """A client that waits for ``100 Continue`` before it sends its body."""
    headers = f"{JSON}Expect: 100-continue\r\nContent-Length: {len(FORM)}\r\n"
    data, _ = exchange(port, request("POST", SIGN_IN, headers), more=FORM)
    statuses = [answer.status for answer in answers(data)]
    return "yes" if statuses == [100, 200] else f"no: {', '.join(map(str, statuses)) or 'no response'}"


LATER = request("GET", KEYS, close=False)  # what could be taken for a request of its own


def too_large(port: int) -> str:
    """A body of 300 kB to a route of ours, of which nothing may be taken for the next request."""
    body = LATER * (300_000 // len(LATER))
    data, end = exchange(port, request("POST", SIGN_IN, JSON, body, close=False), settles=True)
    return _after_413([answer.status for answer in answers(data)], end)


def announced_only(port: int) -> str:
    """A body of 10 MB that is announced and does not come: the response needs nothing of it."""
    headers = f"{JSON}Content-Length: 10000000\r\n"
    data, end = exchange(port, request("POST", SIGN_IN, headers, close=False), settles=True, limit=SILENCE)
    return _after_413([answer.status for answer in answers(data)], end)


def _after_413(statuses: Sequence[int], end: str) -> str:
    if statuses == [413]:
        return {"closed": "yes: 413, closes", "open": "yes: 413, stays open", "reset": "no: 413, resets"}[end]
    if not statuses:
        return {"open": "no: waits for the body", "reset": "no: resets", "closed": "no: closes"}[end]
    return f"no: {', '.join(map(str, statuses))}"


def two_readings(port: int, headers: str, body: bytes, readings: Sequence[str]) -> str:
    """
    A request that two programs understand differently, so that a proxy and a server may disagree where the next begins.

    :param readings: what it means if a second request is found in the body, and if not.
    """
    data, _ = exchange(port, request("POST", SIGN_IN, JSON + headers, close=False) + body, settles=True)
    found = answers(data)
    if not found:
        return "yes: closes"
    if b'"keys"' in data:
        return f"no: {readings[0]}"
    if b'"message"' in found[0].body or found[0].status < 400:
        return f"no: {readings[1]}"
    return f"yes: {found[0].status}"


def bad_length(port: int, length: str) -> str:
    """A length that is no number to RFC 9110: neither the server nor we may take the body."""
    answer = call(port, "POST", SIGN_IN, f"{JSON}Content-Length: {length}\r\nX-Not: Transfer-\r\n", FORM)
    return f"yes: {answer.status or 'closes'}" if answer.status in (0, *range(400, 500)) else f"no: {answer.status}"


def broken_body(port: int, headers: str, body: bytes) -> str:
    """A body that ends before its length, or with a chunk that is none: the client's fault, and no 500."""
    data, _ = exchange(port, request("POST", SIGN_IN, JSON + headers) + body, close=True)
    statuses = [answer.status for answer in answers(data) if answer.status >= 200]
    return "yes: closes" if not statuses else f"{'yes' if statuses[0] < 500 else 'no'}: {statuses[0]}"


def folded(port: int) -> str:
    """A header that goes on in the next line."""
    answer = call(port, "GET", "/environ", "X-Folded: one\r\n two\r\n")
    if answer.status == 200:
        seen = json.dumps(json.loads(answer.body).get("HTTP_X_FOLDED"))
        return f"no: `{seen}`"
    return f"yes: {answer.status or 'closes'}"


def at_once(port: int) -> str:
    """Two requests, of which the first waits for the second."""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_LIMIT) as waiting:
        waiting.sendall(request("GET", "/wait"))
        time.sleep(0.3)  # by now it is being answered
        call(port, "GET", "/come")
        data = b"".join(iter(partial(waiting.recv, 65_536), b""))
    return "yes" if data.endswith(b"met") else "no: one after the other"


def thread_of_the_app(port: int) -> str:
    """A thread that the app has started goes on when no request is being answered."""
    before = int(call(port, "GET", "/thread").body)
    time.sleep(1)
    after = int(call(port, "GET", "/thread").body)
    return "yes" if after - before > 5 else "no: they stand still"


def client_address(port: int) -> str:
    seen = json.loads(call(port, "GET", "/environ").body).get("REMOTE_ADDR")
    return "yes" if seen == "127.0.0.1" else f"no: `{seen}`"


Probe = Callable[[int], str]

PROBES: dict[str, tuple[str, Probe]] = {
    "cookie": ("Session in cookies", by_cookie),
    "authorization": ("Session in the `Authorization` header", by_header),
    "chunked": ("Chunked body to our routes", chunked_route),
    "chunked django": ("The same through Django's entry", partial(chunked_route, mount="/django")),
    "chunked view": ("Chunked body to a Flask view", chunked_view),
    "chunked django view": ("Chunked body to a Django view", partial(chunked_view, mount="/django")),
    "header": ("Cookie header of 16 kB", largest_header),
    "slash": ("One slash more at the end of our routes", trailing_slash),
    "spellings": ("Other spellings that reach our routes", spellings),
    "two cookies": ("Two `Cookie` headers", partial(doubled, header="Cookie", name="HTTP_COOKIE")),
    "two authorizations": (
        "Two `X-Forwarded-For` headers",
        partial(doubled, header="X-Forwarded-For", name="HTTP_X_FORWARDED_FOR"),
    ),
    "head": ("`HEAD` without a body", head),
    "continue": ("`Expect: 100-continue`", continues),
    "too large": ("413 for a body of 300 kB", too_large),
    "announced": ("413 before the body has come", announced_only),
    "both": (
        "Refuses length with chunks",
        partial(
            two_readings,
            headers=f"Content-Length: {len(LATER) + 5}\r\nTransfer-Encoding: chunked\r\n",
            body=b"0\r\n\r\n" + LATER,
            readings=("chunks win", "the length wins"),
        ),
    ),
    "two lengths": (
        "Refuses two lengths",
        partial(
            two_readings,
            headers=f"Content-Length: 2\r\nContent-Length: {len(LATER) + 2}\r\n",
            body=b"{}" + LATER,
            readings=("the first wins", "the last wins"),
        ),
    ),
    "xchunked": (
        "Refuses `Transfer-Encoding: xchunked`",
        partial(
            two_readings,
            headers=f"Content-Length: {len(LATER) + 5}\r\nTransfer-Encoding: xchunked\r\n",
            body=b"0\r\n\r\n" + LATER,
            readings=("read as chunks", "the length wins"),
        ),
    ),
    "signed": ("Refuses `Content-Length: +91`", partial(bad_length, length=f"+{len(FORM)}")),
    "negative": ("Refuses `Content-Length: -1`", partial(bad_length, length="-1")),
    "early": ("A body that ends early", partial(broken_body, headers="Content-Length: 1000\r\n", body=FORM)),
    "bad chunk": (
        "A chunk without a size",
        partial(broken_body, headers="Transfer-Encoding: chunked\r\n", body=b"oops\r\n" + FORM),
    ),
    "folded": ("Refuses folded headers", folded),
    "at once": ("Two requests at once", at_once),
    "thread": ("Threads that the app starts", thread_of_the_app),
    "address": ("Address of the client", client_address),
}


def survey(server: Server, report: Callable[[str], None]) -> dict[str, str]:
    """Return the cells of a server, by the probes' names."""
    cells = {}
    with running(server) as port:
        for name, (title, probe) in PROBES.items():
            report(f"{server.name}: {title}")
            cells[name] = probe(port)
    if not server.settings:
        return cells
    with running(server, [arguments for _, arguments in server.settings.values()]) as port:
        by_cookie(port)
        for name, (title, probe) in PROBES.items():
            if cells[name].startswith("yes"):
                continue
            report(f"{server.name}, set up: {title}")
            second = probe(port)
            setting = next((text for need, (text, _) in server.settings.items() if name.startswith(need)), None)
            if setting is None:
                continue
            if second.startswith("yes"):
                second = f"with {setting}; else {cells[name].removeprefix('no: ')}"
            cells[name] = second
    return cells


def table(columns: Mapping[str, Mapping[str, str]]) -> str:
    """Return the table in Markdown."""
    versions = {server.name: server.version for server in SERVERS}
    rows = [["", *(f"{name} {versions[name]}" for name in columns)], ["---"] * (len(columns) + 1)]
    for name, (title, _) in PROBES.items():
        rows.append([title, *(cells[name].removeprefix("yes: ") for cells in columns.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(arguments: Sequence[str] | None = None) -> int:
    names = [server.name for server in SERVERS]
    missing = [server for server in SERVERS if server.version is None]
    install = "\n".join(
        f"  pip install {server.package}" + (f"   # needs {server.needs}" if server.needs else "") for server in SERVERS
    )
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").strip(),
        epilog=f"To install a server:\n{install}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("servers", nargs="*", metavar="server", help=f"some of {', '.join(names)}; all by default")
    parser.add_argument("--json", action="store_true", help="print the cells for a program")
    options = parser.parse_args(arguments)
    if unknown := set(options.servers) - set(names):
        parser.error(f"there is no server {', '.join(sorted(unknown))} here; there are {', '.join(names)}")
    chosen = [server for server in SERVERS if server.name in (options.servers or names)]
    columns: dict[str, Any] = {}
    for server in chosen:
        if server in missing:
            print(f"{server.name} is not installed: pip install {server.package}", file=sys.stderr)
            continue
        columns[server.name] = survey(server, lambda text: print(text, file=sys.stderr, flush=True))
    print(json.dumps(columns, indent=2) if options.json else table(columns))
    return 1 if len(columns) < len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
