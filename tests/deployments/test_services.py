"""
The units of ``examples/deployment``: what systemd says of them, and what they run.

The tests have no systemd that runs services. So the commands of the units run as the tests do, and strace tells whether
they need something that the unit takes away.
"""

from __future__ import annotations

import re
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from sdks.installs import missing
from sdks.processes import serving
from servers.visitor import Visitor
from transport.conftest import Certificate, certificate  # noqa: F401  # fixture

from deployments.machine import FILES, Machine, gunicorn, machine_in_a_folder
from deployments.nginx import program
from deployments.units import Unit

UNITS = sorted(path.name for path in FILES.glob("*.service"))
NO_SYSTEMD = "systemd-analyze (on Debian: apt-get install systemd)"
WORST_EXPOSURE = 20  # tenths, of 100: systemd calls it OK
PATIENCE = 60.0
KEY = "the-key-of-the-core-in-this-test"


@pytest.fixture
def machine(certificate: Certificate) -> Iterator[Machine]:  # noqa: F811  # fixture
    with machine_in_a_folder(certificate) as machine:
        yield machine


def analyze(machine: Machine, unit: str, *words: str) -> subprocess.CompletedProcess[str]:
    where = program("systemd-analyze")
    if where is None:
        missing(NO_SYSTEMD)
    path = machine.folder / unit
    path.write_text(machine.text(unit))
    return subprocess.run([where, *words, str(path)], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_understands_a_unit_and_every_line_of_it(machine: Machine, unit: str) -> None:
    found = analyze(machine, unit, "verify", "--man=no", "--recursive-errors=no")
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS)
def test_a_service_can_do_little_beyond_its_work(machine: Machine, unit: str) -> None:
    found = analyze(machine, unit, "security", "--offline=true", f"--threshold={WORST_EXPOSURE}")
    assert found.returncode == 0, found.stdout


def test_both_services_are_shut_in_alike() -> None:
    """What they do not share is what they run."""
    app, core = (Unit.read((FILES / unit).read_text()).settings for unit in UNITS[::-1])
    own = {"Environment", "EnvironmentFile", "ExecReload", "Group", "KillMode", "TimeoutStopSec", "Type"}
    own |= {"RuntimeDirectory", "RuntimeDirectoryMode", "WorkingDirectory", "LoadCredential"}
    assert set(app) ^ set(core) == own
    assert {name for name in set(app) & set(core) if app[name] != core[name]} == {"Description", "ExecStart"}


@pytest.mark.exhaustive
def test_the_service_says_when_it_is_ready_and_has_a_socket_for_its_group(machine: Machine) -> None:
    """``Type=notify``. The folder of the socket is closed to others."""
    assert machine.unit.one("Type") == "notify"
    place = str(machine.folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(place)
        told.settimeout(PATIENCE)
        with gunicorn(machine, NOTIFY_SOCKET=place):
            assert b"READY=1" in told.recv(4096)
            mode = stat.S_IMODE(machine.socket.stat().st_mode)
    assert mode & 0o070 == 0o070
    assert machine.unit.one("RuntimeDirectoryMode") == "0750"


def test_systemd_waits_longer_for_the_end_than_gunicorn_for_requests(machine: Machine) -> None:
    settings: dict[str, int] = {}
    exec((FILES / "gunicorn.conf.py").read_text(), settings)
    assert settings["graceful_timeout"] < int(machine.unit.one("TimeoutStopSec"))


@pytest.mark.exhaustive
def test_a_reload_brings_new_code_and_loses_no_request(machine: Machine) -> None:
    over = threading.Event()
    statuses: list[int] = []

    def ask(visitor: Visitor) -> None:
        while not over.is_set():
            statuses.append(visitor.session_info().status_code)

    def has_answered(more: int) -> bool:
        """Wait for so many responses from now on."""
        enough, limit = len(statuses) + more, time.monotonic() + PATIENCE
        while len(statuses) < enough and time.monotonic() < limit:
            over.wait(0.02)
        return len(statuses) >= enough

    def is_new() -> bool:
        """Wait until the old processes have ended: one response after the other is of the new code."""
        seen, limit = 0, time.monotonic() + PATIENCE
        with Visitor(machine.origin, "header", authority=machine.certificate.file) as watcher:
            while seen < 20 and time.monotonic() < limit:
                answer = watcher.call("GET", "/")
                assert answer.status_code == 200
                seen = seen + 1 if answer.text == "this is new" else 0
        return seen == 20

    with gunicorn(machine) as process, ExitStack() as stack:
        visitors = [Visitor(machine.origin, "header", authority=machine.certificate.file) for _ in range(4)]
        for visitor in visitors:
            stack.enter_context(visitor)
            visitor.sign_up()
        threads = [threading.Thread(target=ask, args=[visitor]) for visitor in visitors]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(over.set)
        assert has_answered(50)
        app = machine.folder / "srv" / "app.py"
        app.write_text(app.read_text().replace("nobody is signed in", "this is new"))
        subprocess.run(machine.unit.command("ExecReload", {"MAINPID": str(process.pid)}), check=True)
        assert is_new()
        assert has_answered(50)
    assert set(statuses) == {200}


def core_command(machine: Machine) -> list[str]:
    """Return how the unit runs the core. systemd hands it the file with the key."""
    unit = Unit.read(machine.text("st-wsgi-core.service"))
    name, _, path = unit.one("LoadCredential").partition(":")
    credentials = machine.folder / "credentials"
    credentials.mkdir()
    Path(path).write_text(KEY + "\n")
    (credentials / name).symlink_to(path)
    return unit.command("ExecStart", {"CREDENTIALS_DIRECTORY": str(credentials)})


@pytest.fixture
def core(machine: Machine) -> Iterator[str]:
    """The core as its unit runs it; gives its address."""
    with serving(core_command(machine), port=machine.core, log=machine.folder / "core.log", cwd=machine.folder):
        yield f"http://127.0.0.1:{machine.core}"


@pytest.mark.exhaustive
def test_the_app_on_the_service_of_the_core(machine: Machine, core: str) -> None:
    """Those who do not have the key get nothing. The check of ``compose.yaml`` says that the core is well."""
    with requests.Session() as http:
        http.trust_env = False
        for headers, status in (({}, 401), ({"api-key": KEY}, 200)):
            assert http.get(f"{core}/users/count", headers=headers, timeout=30).status_code == status
    machine.configure(SHOP_CORE=core, SHOP_CORE_KEY=KEY)
    with gunicorn(machine), Visitor(machine.origin, "cookie", authority=machine.certificate.file) as visitor:
        user = visitor.sign_up()["user"]["id"]
        assert visitor.session_info().json()["userId"] == user


def allowed(name: str) -> set[str]:
    """Return the system calls in a set of systemd's."""
    where = program("systemd-analyze")
    if where is None:
        missing(NO_SYSTEMD)
    told = subprocess.run([where, "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    names = {line.strip() for line in told.splitlines()[1:] if not line.strip().startswith("#")} - {""}
    return {call for one in names for call in (allowed(one) if one.startswith("@") else {one})}


def sign_up_and_out(machine: Machine) -> None:
    with Visitor(machine.origin, "cookie", authority=machine.certificate.file) as visitor:
        visitor.sign_up()
        assert visitor.session_info().status_code == 200
        assert visitor.refresh().status_code == 200
        assert visitor.sign_out().status_code == 200


@pytest.mark.exhaustive
@pytest.mark.parametrize("unit", UNITS)
def test_a_service_needs_nothing_that_its_unit_takes_away(machine: Machine, unit: str) -> None:
    """Its system calls, the families of its sockets, and the files that it opens for writing while a user signs in."""
    strace = program("strace")
    if strace is None:
        missing("strace (on Debian: apt-get install strace)")
    settings = Unit.read((FILES / unit).read_text())
    trace, traced = machine.folder / "trace", [strace, "-I2", "-f", "-qq", "-o", str(machine.folder / "trace")]
    if unit == "st-wsgi.service":
        with gunicorn(machine, before=traced):
            sign_up_and_out(machine)
    else:
        command = [*traced, *core_command(machine)]
        with serving(command, port=machine.core, log=machine.folder / "core.log", cwd=machine.folder):
            machine.configure(SHOP_CORE=f"http://127.0.0.1:{machine.core}", SHOP_CORE_KEY=KEY)
            with gunicorn(machine):
                sign_up_and_out(machine)
    text = trace.read_text(errors="replace")
    assert set(re.findall(r"^\d+ +(\w+)\(", text, re.MULTILINE)) <= allowed(settings.one("SystemCallFilter"))
    families = set(re.findall(r"socket\((AF_\w+)", text))
    assert families
    assert families <= set(settings.one("RestrictAddressFamilies").split())
    opened = re.findall(r'open(?:at)?\((?:AT_FDCWD, )?"([^"]+)", (\S+?)[,)]', text)
    written = {Path(path) for path, flags in opened if re.search("O_WRONLY|O_RDWR|O_CREAT", flags)}
    data = machine.folder / "data"
    assert data / "auth.db" in written
    for path in written:
        assert path.parent in (data, Path(tempfile.gettempdir()), Path("/dev")) or "__pycache__" in path.parts, path
