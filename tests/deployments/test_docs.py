"""docs/deployment.md keeps its word: its lines are those of the files, and without them happens what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster, cluster  # noqa: F401  # fixture
from pages import blocks, sections
from sdks.processes import ROOT, free_port
from servers.visitor import Visitor
from transport.conftest import Certificate, certificate  # noqa: F401  # fixture

from deployments.machine import FILES, Machine, apache, behind_nginx, gunicorn_alone, machine_in_a_folder

PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
SECTIONS = sections(PAGE)

#: The languages of blocks that are parts of files. Those of nginx are variants, which have tests of their own.
PARTS = ("python", "apache", "ini", "yaml")


@pytest.fixture
def machine(certificate: Certificate) -> Iterator[Machine]:  # noqa: F811  # fixture
    with machine_in_a_folder(certificate) as machine:
        yield machine


def rows(text: str) -> dict[str, str]:
    """Return the second cell of each row of a table by the first one."""
    found = (line.strip("| ").split(" | ") for line in re.findall(r"^\|.*\|$", text, re.MULTILINE))
    return {cells[0]: cells[1] for cells in list(found)[2:]}


def names(cells: object) -> set[str]:
    return set(re.findall(r"`([^`]+)`", str(cells)))


def test_the_page_names_each_file() -> None:
    (table, _) = PAGE.split("## Names to replace")
    assert names(list(rows(table))) == {path.name for path in FILES.iterdir() if path.is_file()}


def test_the_names_to_replace_are_those_that_the_tests_replace(certificate: Certificate) -> None:  # noqa: F811  # fixture
    told = names(list(rows(SECTIONS["Names to replace"])))
    users = {"shop", "www-data"}
    replaced = {re.sub(r"^https://|/\w+\.pem$", "", name) for name in Machine(Path(), certificate).yours}
    assert told - users == replaced
    texts = [path.read_text() for path in FILES.iterdir() if path.is_file()]
    assert all(any(name in text for text in texts) for name in told)


def test_each_block_is_a_part_of_a_file() -> None:
    texts = [path.read_text() for path in FILES.iterdir() if path.is_file()]
    for language in PARTS:
        for block in blocks(PAGE, language):
            lines = [line.strip() for line in block.splitlines() if line]
            assert any(set(lines) <= {line.strip() for line in text.splitlines()} for text in texts), block
    shown = re.findall(r"^```(\w+)", PAGE, re.MULTILINE)
    assert set(shown) == {*PARTS, "nginx", "text"}


LINES = rows(SECTIONS["Behind nginx"])
XFF, BUFFER, HEADERS, STRICT = (line.strip("`") for line in LINES)


def bad_password(visitor: Visitor, forwarded_for: str) -> None:
    fields = [{"id": "email", "value": visitor.email}, {"id": "password", "value": "wrong horse 1"}]
    answer = visitor.call("POST", "/auth/signin", {"formFields": fields}, headers={"X-Forwarded-For": forwarded_for})
    assert answer.json() == {"status": "WRONG_CREDENTIALS_ERROR"}


@pytest.mark.exhaustive
def test_what_happens_without_a_line_of_nginx(machine: Machine) -> None:
    site = machine.text("nginx.conf")
    with gunicorn_alone(machine, machine.socket):

        def visit(line: str) -> Iterator[Visitor]:
            assert site.count(line) == 1
            with (
                behind_nginx(machine, site.replace(line, "")),
                Visitor(machine.origin, "cookie", authority=machine.certificate.file) as visitor,
            ):
                yield visitor

        for visitor in visit(XFF):
            bad_password(visitor, "198.51.100.7")
            assert '"address": "198.51.100.7"' in machine.log.read_text()
        for visitor in visit(BUFFER):
            assert visitor.call("GET", "/large").status_code == 502
        for visitor in visit(HEADERS):
            assert visitor.call("GET", "/", headers={"Cookie": "pad=" + "x" * 12_000}).status_code == 400
        for visitor in visit(STRICT):
            assert "strict-transport-security" not in visitor.call("GET", "/").headers
    assert ["502" in cell or "400" in cell for cell in LINES.values()] == [False, True, True, False]


@pytest.mark.exhaustive
def test_behind_another_proxy_nginx_appends_the_address(machine: Machine) -> None:
    (_, line) = blocks(PAGE, "nginx")
    machine.configure(SHOP_PROXIES="2")
    site = machine.text("nginx.conf").replace(XFF, line)
    assert line in site
    with (
        gunicorn_alone(machine, machine.socket),
        behind_nginx(machine, site),
        Visitor(machine.origin, "cookie", authority=machine.certificate.file) as visitor,
    ):
        bad_password(visitor, "192.0.2.1, 198.51.100.7")
    log = machine.log.read_text()
    assert '"address": "198.51.100.7"' in log
    assert "192.0.2.1" not in log


@pytest.mark.exhaustive
def test_several_machines(machine: Machine, cluster: Cluster) -> None:  # noqa: F811  # fixture
    """Two servers on one database. Each request goes to the one or the other."""
    (upstream, _) = blocks(PAGE, "nginx")
    ports = [free_port(), free_port()]
    for name, port in zip(("10.0.0.11:8000", "10.0.0.12:8000"), ports, strict=True):
        assert name in upstream
        upstream = upstream.replace(name, f"127.0.0.1:{port}")
    assert blocks(SECTIONS["I have several machines"], "text")[0].startswith("SHOP_CORE=postgresql://")
    machine.configure(SHOP_CORE=cluster.address())
    site = re.sub(r"^upstream shop {.*?^}\n", upstream, machine.text("nginx.conf"), flags=re.MULTILINE | re.DOTALL)
    logs = [machine.folder / f"requests{number}.log" for number in (1, 2)]
    arguments = [f"--access-logfile={log}" for log in logs]
    with (
        gunicorn_alone(machine, ports[0], BIND=f"127.0.0.1:{ports[0]}", GUNICORN_CMD_ARGS=arguments[0]),
        gunicorn_alone(machine, ports[1], BIND=f"127.0.0.1:{ports[1]}", GUNICORN_CMD_ARGS=arguments[1]),
        behind_nginx(machine, site),
        Visitor(machine.origin, "cookie", authority=machine.certificate.file) as visitor,
    ):
        user = visitor.sign_up()["user"]["id"]
        for _ in range(4):
            assert visitor.refresh().status_code == 200
            assert visitor.session_info().json()["userId"] == user
        assert visitor.sign_out().json() == {"status": "OK"}
    requests = [log.read_text() for log in logs]
    assert all("/sessioninfo" in log or "/auth/session/refresh" in log for log in requests)


@pytest.mark.exhaustive
def test_touching_the_script_of_apache_brings_new_code(machine: Machine) -> None:
    def home() -> str:
        with Visitor(machine.origin, "cookie", authority=machine.certificate.file) as visitor:
            return visitor.call("GET", "/").text

    with apache(machine):
        assert home() == "nobody is signed in"
        app = machine.folder / "srv" / "app.py"
        app.write_text(app.read_text().replace("nobody is signed in", "this is new"))
        (machine.folder / "srv" / "app.wsgi").touch()
        assert home() == "this is new"


@pytest.mark.exhaustive
def test_the_doctor_finds_nothing_in_the_settings_either(machine: Machine) -> None:
    """With the address that the file has, and with hashes of full cost; in the folder of gunicorn's settings."""
    there = {"SHOP_URL": "https://shop.example", "SHOP_CORE": f"sqlite:///{machine.folder}/data/auth.db"}
    assert there["SHOP_URL"] in (FILES / "shop.env").read_text()
    run = subprocess.run(
        [sys.executable, "-m", "st_wsgi", "doctor", "--app", "app:app"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **machine.settings, **there},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=machine.folder / "srv",
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "server" in run.stdout
