"""The deployment of ``docs/backends.md``: auth server, Node.js, PHP, Go, nginx, as files of ``examples/backends``."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
from browser.sites import CHEAP_HASHES, self_signed
from sdks.installs import missing, node
from sdks.processes import ROOT, free_port, serving

from deployments.nginx import nginx, program

EXAMPLES = ROOT / "examples" / "backends"

#: The command of the page, apart from the port and the app.
GUNICORN = ["gunicorn", "--threads=4", "--limit-request-field_size=16384"]

#: Seconds that a request may take; a fetch of keys that fails takes three.
LIMIT = 30

#: The certificate is the tests' own.
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_TLS.check_hostname, _TLS.verify_mode = False, ssl.CERT_NONE

#: A program for Node.js to run before ours: its clock is ahead by the seconds in a file.
_CLOCK = """
import { readFileSync } from "node:fs";
const original = performance;
const now = () => original.now() + 1000 * Number(readFileSync(process.env.CLOCK, "utf8"));
const get = (_, name) => {
    const value = name === "now" ? now : original[name];
    return typeof value === "function" ? value.bind(original) : value;
};
Object.defineProperty(globalThis, "performance", { value: new Proxy({}, { get }) });
"""

#: The same in Go, for the clock of the keys.
_GO_CLOCK = """
package main

import (
	"os"
	"strconv"
	"time"
)

func init() {
	now = func() time.Time {
		text, _ := os.ReadFile(os.Getenv("CLOCK"))
		seconds, _ := strconv.Atoi(string(text))
		return time.Now().Add(time.Duration(seconds) * time.Second)
	}
}
"""

_POOL = """
[global]
daemonize = no
error_log = /dev/stderr
[shop]
listen = {folder}/php.sock
pm = static
pm.max_children = {children}
catch_workers_output = yes
php_admin_flag[log_errors] = on
php_admin_value[error_reporting] = 32767
"""


@attrs.frozen
class Response:
    """What a server has answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def fetch(
    url: str, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: str = ""
) -> Response:
    """Send a request to this machine, whatever host the address names. No redirect is followed."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection("127.0.0.1", parts.port, timeout=LIMIT, context=_TLS)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=LIMIT)
    try:
        connection.request(method, path, body.encode(), headers={"Host": parts.netloc, **(headers or {})})
        response = connection.getresponse()
        return Response(response.status, dict(response.getheaders()), response.read().decode())
    finally:
        connection.close()


@contextmanager
def node_program(file: str, *, log: Path, env: Mapping[str, str], port: int) -> Iterator[None]:
    """Run a program of ``examples/backends/node`` until the block ends."""
    with serving([node(), str(EXAMPLES / "node" / file)], port=port, log=log, env={**env, "PORT": str(port)}):
        yield


def go(*words: str, folder: Path, scratch: Path) -> str:
    """What a command of Go prints about the program in a folder. It fetches nothing; its cache is in ``scratch``."""
    where = shutil.which("go")
    if where is None:
        missing("Go (on Debian: apt-get install golang-go)")
    env = {"GOCACHE": f"{scratch}/cache", "GOPATH": f"{scratch}/path", "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
    env |= {"GOWORK": "off", "GOTOOLCHAIN": "local"}
    env = {**os.environ, **env}
    done = subprocess.run([where, *words], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@cache
def go_program() -> Path:
    """The program of ``examples/backends/go``, whose clock can be put forward, built once for all tests."""
    scratch = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    source = shutil.copytree(EXAMPLES / "go", scratch / "source")
    (source / "clock.go").write_text(_GO_CLOCK)
    go("build", "-o", str(scratch / "api"), folder=source, scratch=scratch)
    return scratch / "api"


@contextmanager
def php_fpm(folder: Path, *, children: int = 4) -> Iterator[None]:
    """Serve PHP on the socket ``php.sock`` of a folder until the block ends. PHP may have complained of nothing."""
    found = [program(name) for name in ("php-fpm", *(f"php-fpm8.{minor}" for minor in range(9, 0, -1)))]
    where = next(filter(None, found), None)
    if where is None:
        missing("php-fpm (on Debian: apt-get install php-fpm)")
    pool = _POOL.format(folder=folder, children=children)
    as_root = ["--allow-to-run-as-root"] if os.geteuid() == 0 else []
    (folder / "php-fpm.conf").write_text(pool + ("user = root\ngroup = root\n" if as_root else ""))
    command = [where, "--nodaemonize", "--fpm-config", str(folder / "php-fpm.conf"), *as_root]
    with serving(command, port=folder / "php.sock", log=folder / "php.log"):
        yield
    complaints = re.findall(r"PHP (?:Warning|Notice|Deprecated|Fatal).*", (folder / "php.log").read_text())
    assert complaints == []


@attrs.define
class Deployment:
    """
    All servers of the page on ports of this machine, each of which can stop and start.

    :param arrangement: ``one_domain`` or ``sub_domains``.
    :ivar shop: the origin of the website.
    :ivar auth: the origin of the auth server.
    :ivar api: the origin of Node.js.
    :ivar go: the origin of Go. It is no part of the arrangements, but can run beside them.
    """

    arrangement: str
    folder: Path
    public: Path
    token_seconds: int
    shop: str = attrs.field(init=False)
    auth: str = attrs.field(init=False)
    api: str = attrs.field(init=False)
    go: str = attrs.field(init=False)
    ports: dict[str, int] = attrs.field(init=False)
    _running: dict[str, ExitStack] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.ports = {name: free_port() for name in ("nginx", "auth", "node", "go")}
        https = self.ports["nginx"]
        hosts = ("shop",) * 3 if self.arrangement == "one_domain" else ("www.shop", "auth.shop", "api.shop")
        self.shop, self.auth, self.api = (f"https://{host}.test:{https}" for host in hosts)
        self.go = f"http://127.0.0.1:{self.ports['go']}"
        (self.folder / "keys").mkdir(mode=0o700)
        (self.folder / "clock").write_text("0")

    @property
    def core(self) -> str:
        """The address of the embedded core."""
        return f"sqlite:///{self.folder}/auth.db?{CHEAP_HASHES}&access_token_validity={self.token_seconds}"

    @property
    def issuer(self) -> str:
        return self.auth + "/auth"

    def names(self) -> tuple[str, ...]:
        """The parts that run."""
        return ("auth", "node", "php", *(["reports"] if self.arrangement == "one_domain" else []), "nginx")

    def start(self, name: str) -> None:
        stack = self._running[name] = ExitStack()
        stack.enter_context(getattr(self, f"_{name}")())

    def stop(self, name: str) -> None:
        self._running.pop(name).close()

    def restart(self, name: str) -> None:
        self.stop(name)
        self.start(name)

    @contextmanager
    def running(self, *names: str) -> Iterator[Deployment]:
        """Run these parts, or all, until the block ends."""
        try:
            for name in names or self.names():
                self.start(name)
            yield self
        finally:
            with ExitStack() as stack:
                for name in list(self._running):
                    stack.callback(self.stop, name)

    def log(self, name: str) -> str:
        """What a part has printed."""
        return (self.folder / f"{name}.log").read_text()

    def age_keys(self, seconds: int) -> None:
        """Make the keys that the backends have older, and their last attempts to fetch some."""
        clock, file = self.folder / "clock", self.folder / "keys" / "keys.json"
        clock.write_text(str(int(clock.read_text()) + seconds))
        state = json.loads(file.read_text())
        state |= {"fetched": state["fetched"] - seconds, "tries": [at - seconds for at in state["tries"]]}
        file.write_text(json.dumps(state))

    def command(self, *words: str) -> str:
        """What a command of st-wsgi prints about the embedded core."""
        command = [sys.executable, "-m", "st_wsgi", *words, "--db", f"{self.folder}/auth.db"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=ROOT).stdout

    def session(self, form: Mapping[str, object]) -> str:
        """Sign up with a form; returns the access token."""
        headers = {"Content-Type": "application/json", "st-auth-mode": "header"}
        response = fetch(self.auth, "/auth/signup", method="POST", headers=headers, body=json.dumps(form))
        assert response.json["status"] == "OK"
        return response.headers["st-access-token"]

    def _auth(self) -> AbstractContextManager[object]:
        port = self.ports["auth"]
        env = {"ST_API_DOMAIN": self.auth, "ST_WEBSITE_DOMAIN": self.shop, "ST_CORE": self.core}
        if self.arrangement == "sub_domains":
            env["ST_COOKIE_DOMAIN"] = ".shop.test"
        app = "app_with_check" if self.arrangement == "one_domain" else "app"
        command = [sys.executable, "-m", *GUNICORN, f"--bind=127.0.0.1:{port}", "--no-control-socket"]
        command.append(f"auth_server:{app}")
        return serving(command, port=port, log=self.folder / "auth.log", env=env, cwd=EXAMPLES)

    def _settings(self) -> dict[str, str]:
        """The environment of the backends in Node.js and Go."""
        keys = f"http://127.0.0.1:{self.ports['auth']}/auth/jwt/jwks.json"
        return {"KEYS_URL": keys, "ISSUER": self.issuer, "WEBSITE": self.shop, "CLOCK": f"{self.folder}/clock"}

    def _go(self) -> AbstractContextManager[object]:
        port = self.ports["go"]
        env = {**self._settings(), "PORT": str(port)}
        return serving([str(go_program())], port=port, log=self.folder / "go.log", env=env)

    def _node(self) -> AbstractContextManager[object]:
        (self.folder / "clock.mjs").write_text(_CLOCK)
        env = {**self._settings(), "NODE_OPTIONS": f"--import={self.folder}/clock.mjs"}
        return node_program("server.mjs", log=self.folder / "node.log", env=env, port=self.ports["node"])

    def _reports(self) -> AbstractContextManager[object]:
        socket = self.folder / "reports.sock"
        socket.unlink(missing_ok=True)  # Node.js leaves it behind
        command, env = [node(), str(EXAMPLES / "node" / "reports.mjs")], {"SOCKET": str(socket)}
        return serving(command, port=socket, log=self.folder / "reports.log", env=env)

    def _php(self) -> AbstractContextManager[object]:
        return php_fpm(self.folder)

    def _nginx(self) -> AbstractContextManager[object]:
        certificate, port = self_signed(self.folder), self.ports["nginx"]
        site = (EXAMPLES / "nginx" / f"{self.arrangement}.conf").read_text()
        for here, there in (
            ("/etc/letsencrypt/live/shop.example/fullchain.pem", str(certificate)),
            ("/etc/letsencrypt/live/shop.example/privkey.pem", str(certificate)),
            ("/srv/shop/public", str(self.public)),
            ("/srv/shop/php", str(EXAMPLES / "php")),
            ("/run/shop/reports.sock", f"{self.folder}/reports.sock"),
            ("/run/php/php-fpm.sock", f"{self.folder}/php.sock"),
            ("/var/lib/shop-keys", f"{self.folder}/keys"),
            ("https://shop.example", self.shop),
            ("https://www.shop.example", self.shop),
            ("https://auth.shop.example", self.auth),
            ("shop.example", "shop.test"),
            ("listen 443", f"listen 127.0.0.1:{port}"),
            ("127.0.0.1:3000", f"127.0.0.1:{self.ports['auth']}"),
            ("127.0.0.1:3001", f"127.0.0.1:{self.ports['node']}"),
        ):
            site = site.replace(here, there)
        return nginx(site, folder=self.folder, port=port)
