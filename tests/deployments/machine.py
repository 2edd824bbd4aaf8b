"""A machine for the files of ``examples/deployment``: their paths lead into a folder, their ports are free ones."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
from sdks.installs import missing
from sdks.processes import ROOT, free_port, serving
from transport.conftest import Certificate

from deployments.nginx import nginx, program
from deployments.units import Unit

FILES = ROOT / "examples" / "deployment"
LIVE = "/etc/letsencrypt/live/shop.example"

#: Views that the tests add to the app: response headers of a session with large claims, and what the app sees.
VIEWS = """

@app.get("/large")
def large() -> tuple[str, dict[str, str]]:
    return "large", {"st-access-token": "x" * 10_000}


@app.get("/seen")
def seen() -> dict[str, str]:
    from flask import request

    return {"scheme": request.scheme, "host": request.host.partition(":")[0]}


@app.post("/length")
def length() -> str:
    from flask import request

    return str(len(request.get_data()))
"""

#: Around a site of Apache, as the configuration of a distribution is.
_APACHE = """
ServerRoot {folder}
ServerName 127.0.0.1
PidFile {folder}/apache.pid
ErrorLog /dev/stderr
Listen 127.0.0.1:{http}
Listen 127.0.0.1:{https}
{modules}
WSGISocketPrefix {folder}/wsgi
{user}
Include {folder}/site.conf
"""

_MODULES = "/usr/lib/apache2/modules"
_DEBIANS_PYTHON = "/usr/bin/python3"


@contextmanager
def machine_in_a_folder(certificate: Certificate) -> Iterator[Machine]:
    """A machine on which the app is installed. The names of Unix sockets are short, so the folder's name is."""
    with tempfile.TemporaryDirectory(prefix="shop-") as folder:
        machine = Machine(Path(folder), certificate)
        machine.install()
        yield machine


@attrs.frozen
class Machine:
    """
    A machine on which the files are installed.

    :ivar certificate: for 127.0.0.1, which is the name of the shop here.
    """

    folder: Path
    certificate: Certificate
    http: int = attrs.field(factory=free_port)
    https: int = attrs.field(factory=free_port)
    behind: int = attrs.field(factory=free_port)
    core: int = attrs.field(factory=free_port)

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.https}"

    @property
    def yours(self) -> dict[str, str]:
        """What docs/deployment.md tells people to change, and what it is here, in the order of the changes."""
        return {
            f"{LIVE}/fullchain.pem": str(self.certificate.with_key),
            f"{LIVE}/privkey.pem": str(self.certificate.with_key),
            "https://shop.example": self.origin,
            "shop.example": "127.0.0.1",
            "/etc/shop.env": f"{self.folder}/shop.env",
            "/etc/shop.core-key": f"{self.folder}/core-key",
            "/srv/shop": f"{self.folder}/srv",
            "/var/lib/shop": f"{self.folder}/data",
            "/run/shop": f"{self.folder}/run",
        }

    @property
    def ports(self) -> dict[str, str]:
        """The ports of the files. Here they are open to this machine only."""
        return {
            "listen [::]:80;": f"listen [::1]:{self.http};",
            "listen 80;": f"listen 127.0.0.1:{self.http};",
            "listen [::]:443 ": f"listen [::1]:{self.https} ",
            "listen 443 ": f"listen 127.0.0.1:{self.https} ",
            "<VirtualHost *:80>": f"<VirtualHost 127.0.0.1:{self.http}>",
            "<VirtualHost *:443>": f"<VirtualHost 127.0.0.1:{self.https}>",
            "127.0.0.1:8000": f"127.0.0.1:{self.behind}",
            "--port 3567": f"--port {self.core}",
            "127.0.0.1:3567": f"127.0.0.1:{self.core}",
        }

    def text(self, name: str) -> str:
        """Return a file as it is on this machine."""
        text = (FILES / name).read_text(encoding="utf-8")
        for there, here in {**self.ports, **self.yours}.items():
            text = text.replace(there, here)
        return text

    def install(self) -> None:
        """Put the app and what belongs to it where the files say."""
        for name in ("srv", "data", "run"):
            (self.folder / name).mkdir()
        for name in ("app.py", "app.wsgi", "gunicorn.conf.py", "uwsgi.ini"):
            (self.folder / "srv" / name).write_text(self.text(name))
        with (self.folder / "srv" / "app.py").open("a") as app:
            app.write(VIEWS)
        (self.folder / "srv" / ".venv").symlink_to(sys.prefix)
        self.configure()

    def configure(self, **changed: str) -> None:
        """Write the settings of the app. Hashes cost little here."""
        lines = self.text("shop.env").replace("/auth.db", "/auth.db?argon2_memory_kb=64").splitlines()
        named = {line.partition("=")[0]: line for line in lines}
        named |= {name: f"{name}={value}" for name, value in changed.items()}
        (self.folder / "shop.env").write_text("\n".join(named.values()) + "\n")

    @property
    def settings(self) -> dict[str, str]:
        """The settings of the app, as a shell reads them."""
        lines = (self.folder / "shop.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    @property
    def unit(self) -> Unit:
        return Unit.read(self.text("st-wsgi.service"))

    @property
    def socket(self) -> Path:
        return self.folder / "run" / "gunicorn.sock"

    @property
    def log(self) -> Path:
        """What the server of the app prints."""
        return self.folder / "server.log"


@contextmanager
def gunicorn(machine: Machine, *, before: Sequence[str] = (), **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service as systemd would, behind nginx; *before* stands in front of its command."""
    site = machine.text("nginx.conf")
    at: Path | int = machine.socket
    if "BIND" in env:
        at, alternative = machine.behind, f"# Without a socket: server 127.0.0.1:{machine.behind}"
        assert alternative in site
        site = site.replace("server unix:", "# server unix:").replace(alternative, alternative.split(": ")[1])
    with gunicorn_alone(machine, at, before=before, **env) as process, behind_nginx(machine, site):
        yield process


@contextmanager
def gunicorn_alone(
    machine: Machine, at: Path | int, *, before: Sequence[str] = (), **env: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service without nginx; *at* is its socket or port."""
    unit = machine.unit
    with serving(
        [*before, *unit.command("ExecStart")],
        port=at,
        log=machine.log,
        env={**unit.environment(), **env},
        cwd=Path(unit.one("WorkingDirectory")),
    ) as process:
        yield process


@contextmanager
def uwsgi(machine: Machine) -> Iterator[subprocess.Popen[bytes]]:
    """Run uWSGI in place of gunicorn, behind nginx."""
    command, env = [str(Path(sys.prefix, "bin", "uwsgi")), "uwsgi.ini"], {"BIND": str(machine.socket)}
    with (
        serving(
            command,
            port=machine.socket,
            log=machine.log,
            env={**machine.settings, **env},
            cwd=machine.folder / "srv",
        ) as process,
        behind_nginx(machine, machine.text("nginx.conf")),
    ):
        yield process


@contextmanager
def behind_nginx(machine: Machine, site: str) -> Iterator[None]:
    if not _has_ipv6():
        missing("IPv6 on the loopback interface")
    with nginx(site, folder=machine.folder, port=machine.https):
        yield


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


@contextmanager
def apache(machine: Machine) -> Iterator[subprocess.Popen[bytes]]:
    """Run Apache with mod_wsgi, which serves the app itself."""
    where = program("apache2")
    if where is None or not Path(_MODULES, "mod_wsgi.so").exists():
        missing("Apache with mod_wsgi (on Debian: apt-get install apache2-bin libapache2-mod-wsgi-py3)")
    version = "import sys; print(sys.version_info[:2])"
    if subprocess.check_output([_DEBIANS_PYTHON, "-c", version], text=True).strip() != str(sys.version_info[:2]):
        missing(f"mod_wsgi for the Python of the tests: Debian's is for {_DEBIANS_PYTHON}, which has another version")
    folder = machine.folder
    _make_environment(folder / "srv" / ".venv")
    machine.configure(SHOP_PROXIES="0")
    site = machine.text("apache.conf")
    user = ""
    if os.geteuid() == 0:  # Apache serves as another user then
        site, user = (
            site.replace("user=shop group=shop", "user=www-data group=www-data"),
            "User www-data\nGroup www-data",
        )
        folder.chmod(0o755)
        shutil.chown(folder / "data", "www-data")
    (folder / "site.conf").write_text(site)
    needed = ("mpm_event", "authz_core", "alias", "headers", "ssl", "wsgi")
    modules = "\n".join(f"LoadModule {name}_module {_MODULES}/mod_{name}.so" for name in needed)
    main = _APACHE.format(folder=folder, http=machine.http, https=machine.https, modules=modules, user=user)
    (folder / "main.conf").write_text(main)
    command = [where, "-DFOREGROUND", "-f", str(folder / "main.conf")]
    with serving(command, port=machine.https, log=machine.log, cwd=folder) as process:
        yield process


def _make_environment(folder: Path) -> None:
    """Make a virtual environment of Debian's Python with the packages that the tests have."""
    folder.unlink()
    subprocess.run([_DEBIANS_PYTHON, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    lines = [f"import site; site.addsitedir({path!r})\n" for path in sys.path if path.endswith("-packages")]
    (packages / "packages_of_the_tests.pth").write_text("".join(lines))
