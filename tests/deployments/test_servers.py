"""The files of ``examples/deployment`` at work with https: gunicorn and uWSGI behind nginx, Apache with mod_wsgi."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import pytest
import requests
from sampling import exhaustive_but
from sdks.processes import ROOT
from servers.visitor import Visitor
from transport.conftest import Certificate, certificate  # noqa: F401  # fixture

from deployments.machine import Machine, apache, gunicorn, machine_in_a_folder, uwsgi
from st_wsgi.request.body import MAX_BODY

Start = Callable[[Machine], AbstractContextManager[subprocess.Popen[bytes]]]

DEPLOYMENTS: dict[str, Start] = {
    "gthread": gunicorn,
    "sync": lambda machine: gunicorn(machine, WORKER_CLASS="sync", BIND=f"127.0.0.1:{machine.behind}"),
    "gevent": partial(gunicorn, WORKER_CLASS="gevent"),
    "uwsgi": uwsgi,
    "mod_wsgi": apache,
}
Visit = Callable[..., Visitor]


@pytest.fixture(scope="module", params=exhaustive_but(DEPLOYMENTS, ["gthread"]))
def deployment(request: pytest.FixtureRequest, certificate: Certificate) -> Iterator[Machine]:  # noqa: F811  # fixture
    with machine_in_a_folder(certificate) as machine, DEPLOYMENTS[request.param](machine):
        yield machine


@pytest.fixture
def visit(deployment: Machine) -> Iterator[Visit]:
    """Return a visitor who trusts the certificate."""
    visitors = []

    def new(mode: str = "cookie", address: str | None = None) -> Visitor:
        visitors.append(Visitor(deployment.origin, mode, authority=deployment.certificate.file, address=address))
        return visitors[-1]

    yield new
    for visitor in visitors:
        visitor.__exit__()


@pytest.mark.parametrize("mode", ["cookie", "header"])
def test_a_user_signs_up_refreshes_and_signs_out(visit: Visit, mode: str) -> None:
    visitor = visit(mode)
    user = visitor.sign_up()["user"]["id"]
    assert visitor.session_info().json()["userId"] == user
    before = visitor.tokens
    assert visitor.refresh().status_code == 200
    assert None not in (visitor.tokens.access, visitor.tokens.refresh)
    assert visitor.tokens != before
    assert visitor.session_info().json()["userId"] == user
    assert visitor.sign_out().json() == {"status": "OK"}
    assert visitor.session_info().status_code == 401
    assert visitor.sign_in()["user"]["id"] == user
    assert visitor.session_info().status_code == 200


def test_the_pages_are_there(visit: Visit) -> None:
    assert "Create an account" in visit().call("GET", "/auth", headers={"Accept": "text/html"}).text


def test_the_app_knows_the_address_of_the_browser(visit: Visit) -> None:
    assert visit().call("GET", "/seen").json() == {"scheme": "https", "host": "127.0.0.1"}


def test_cookies_are_for_https_only(visit: Visit) -> None:
    visitor = visit()
    fields = [{"id": "email", "value": visitor.email}, {"id": "password", "value": "correct horse 1"}]
    answer = visitor.call("POST", "/auth/signup", {"formFields": fields})
    cookies = answer.raw.headers.getlist("set-cookie")
    assert len(cookies) == 2
    assert all("; Secure" in cookie for cookie in cookies)


def test_browsers_keep_to_https(visit: Visit) -> None:
    """Responses of any status say so."""
    for path, status in (("/", 200), ("/sessioninfo", 401)):
        answer = visit().call("GET", path)
        assert (answer.status_code, answer.headers["strict-transport-security"]) == (status, "max-age=31536000")


def test_http_leads_to_https(deployment: Machine) -> None:
    with requests.Session() as http:
        http.trust_env = False
        answer = http.get(f"http://127.0.0.1:{deployment.http}/auth?a=b", allow_redirects=False, timeout=30)
    assert answer.status_code in (301, 308)
    assert answer.headers["location"] == f"{deployment.origin}/auth?a=b"


def test_the_limits_count_the_address_of_the_client_whatever_it_says(deployment: Machine, visit: Visit) -> None:
    """The log of the app has the address of the connection to the proxy. Another address is not limited."""
    victim = visit()
    victim.sign_up()
    attacker, other = visit(address="127.0.0.9"), visit(address="127.0.0.10")

    def guess(visitor: Visitor, number: int) -> int:
        fields = [{"id": "email", "value": victim.email}, {"id": "password", "value": "wrong horse 1"}]
        forged = {"X-Forwarded-For": f"198.51.100.{number}", "Forwarded": f"for=198.51.100.{number}"}
        return visitor.call("POST", "/auth/signin", {"formFields": fields}, headers=forged).status_code

    assert [guess(attacker, number) for number in range(11)] == [200] * 10 + [429]
    assert guess(other, 1) == 200
    events = [line for line in deployment.log.read_text().splitlines() if "sign_in_failed" in line]
    assert sum('"address": "127.0.0.9"' in event for event in events) == 10
    assert sum('"address": "127.0.0.10"' in event for event in events) == 1
    assert not any("198.51.100." in event for event in events)


def test_large_cookies_arrive(visit: Visit) -> None:
    visitor = visit("header")
    user = visitor.sign_up()["user"]["id"]
    cookie = f"sAccessToken={visitor.tokens.access}; pad="
    browser = visit("cookie")
    answer = browser.call("GET", "/sessioninfo", headers={"Cookie": cookie + "x" * (16_000 - len(cookie))})
    assert answer.json()["userId"] == user
    assert browser.call("GET", "/sessioninfo", headers={"Cookie": cookie + "x" * 40_000}).status_code in (400, 431)


def test_large_response_headers_arrive(visit: Visit) -> None:
    answer = visit().call("GET", "/large")
    assert (answer.status_code, answer.text) == (200, "large")
    assert len(answer.headers["st-access-token"]) == 10_000


def test_a_body_without_a_length_arrives(deployment: Machine) -> None:
    def parts() -> Iterator[bytes]:
        yield b'{"formFields": [{"id": "email", "value": "nobody@example.com"}, '
        yield b'{"id": "password", "value": "correct horse 1"}]}'

    with requests.Session() as http:
        http.trust_env = False
        http.verify = str(deployment.certificate.file)
        answer = http.post(
            f"{deployment.origin}/auth/signin", data=parts(), headers={"content-type": "application/json"}, timeout=30
        )
    assert answer.json() == {"status": "WRONG_CREDENTIALS_ERROR"}


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/length", 900_000, 200),
        ("/length", 2_000_000, 413),
        ("/auth/signin", MAX_BODY, 400),
        ("/auth/signin", MAX_BODY + 1, 413),
        ("/auth/signin", 300_000, 413),
        ("/auth/signin", 900_000, 413),
    ],
)
def test_a_body_that_is_too_large_is_413(visit: Visit, path: str, size: int, status: int) -> None:
    answer = visit().call("POST", path, data=b"x" * size, headers={"content-type": "application/json"})
    assert answer.status_code == status
    if status == 200:
        assert answer.text == str(size)


@pytest.mark.exhaustive
def test_the_doctor_finds_nothing(deployment: Machine) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "st_wsgi", "doctor", deployment.origin],
        env={**os.environ, "SSL_CERT_FILE": str(deployment.certificate.file), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=deployment.folder / "data",
    )
    assert run.returncode == 0, run.stdout + run.stderr
