"""Broken set-ups: the doctor finds each, and nothing else. Together they show every id that there is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.mark import ParameterSet
from contract.client import serving as serving_core
from flask import Flask
from transport.conftest import certificate  # noqa: F401  # fixture
from transport.cores import Answer, core, dead

from doctor.conftest import Doctor
from doctor.setups import (
    SECRET,
    Fault,
    Place,
    answering,
    changing,
    instead,
    no_mail,
    page,
    serving,
    without,
)
from st_wsgi import AttemptLimits, Cors
from st_wsgi.attempts import MemoryAttempts
from st_wsgi.delivery import Console
from st_wsgi.doctor.finding import KNOWN
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.multifactorauth import MultiFactorAuth
from st_wsgi.recipes.passwordless import ContactPhoneOnlyConfig, Passwordless
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.totp import Totp

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from transport.conftest import Certificate

Build = Callable[[Place], "list[str]"]

COOKIE_LIMIT = 4096


def path_of(environ: WSGIEnvironment) -> str:
    return str(environ["PATH_INFO"])


def is_keys(environ: WSGIEnvironment) -> bool:
    return path_of(environ).endswith("/jwks.json")


# What runs: each set-up is a server, with a proxy in front that does something wrong.


def running(
    fault: Fault | None = None,
    *,
    website: str | None = None,
    path: str = "",
    host: str = "127.0.0.1",
    development: bool = False,
    **settings: Any,
) -> Build:
    """Return a set-up that runs, to be examined by its address."""

    def build(place: Place) -> list[str]:
        def make(url: str) -> WSGIApplication:
            changes = dict(settings)
            info = {name: value.format(url=url) for name, value in changes.pop("info", {}).items()}
            app = place.local(url, info=info, **changes).wrap(page)
            return app if fault is None else fault(app)

        url = place.stack.enter_context(serving(make, development=development))
        return [url.replace("127.0.0.1", host) + path, *(() if website is None else ("--website", website))]

    return build


def cross_origin(fault: Fault | None = None, *, website: str = "http://127.0.0.1:5173", **settings: Any) -> Build:
    """Return a set-up that runs, whose website has another origin."""
    return running(fault, website=website, **{"cors": Cors(origins=[website]), **settings})


def no_server(place: Place) -> list[str]:
    return [place.stack.enter_context(dead())]


def core_is_down(place: Place) -> list[str]:
    address = place.stack.enter_context(dead())
    return [place.stack.enter_context(serving(lambda url: place.local(url, core=address).wrap(page)))]


def removing_prefix(environ: WSGIEnvironment) -> None:
    environ["PATH_INFO"] = path_of(environ).removeprefix("/api")


def short_of_headers(app: WSGIApplication) -> WSGIApplication:
    limit = answering("431 Too Large", when=lambda environ: len(environ.get("HTTP_COOKIE", "")) > COOKIE_LIMIT)
    return limit(app)


def not_the_header(name: str) -> Fault:
    return changing(environ=lambda environ: environ.pop(name, None))


def only_for_good_responses(headers: Any, environ: WSGIEnvironment) -> Any:
    good = environ["status"].startswith("2")
    return [one for one in headers if good or not one[0].lower().startswith("access-control")]


def late(headers: Any, _environ: WSGIEnvironment) -> Any:
    return [*(one for one in headers if one[0] != "Date"), ("Date", formatdate(time.time() - 300, usegmt=True))]


def doubling(headers: Any, _environ: WSGIEnvironment) -> Any:
    return [*headers, ("Access-Control-Allow-Origin", "*")]


DEBUG_PAGE = b"<p>You see this error because of <code>DEBUG = True</code>"
FAR = "http://shop.example"
STRIPPED = {"base-path", "cookie-path"}

RUNNING: dict[str, tuple[Build, set[str]]] = {
    "nothing listens": (no_server, {"unreachable"}),
    "a redirect": (
        running(answering("301 Moved", when=lambda _: True, Location=f"https://elsewhere.example/?key={SECRET}")),
        {"redirected"},
    ),
    "a proxy whose app is down": (running(answering("502 Bad Gateway", when=lambda _: True)), {"server-error"}),
    "an app whose core is down": (core_is_down, {"core-unavailable"}),
    "another base path": (running(info={"api_base_path": "/api/login"}), {"routes-missing"}),
    "one page for all paths": (running(answering("200 OK", when=lambda _: True)), {"routes-missing"}),
    "no keys": (running(answering("200 OK", b'{"keys": []}', when=is_keys)), {"keys-missing"}),
    "a clock that is late": (running(changing(late)), {"clock"}),
    "localhost and 127.0.0.1": (running(host="localhost"), {"loopback-spelling"}),
    "a website at localhost": (
        cross_origin(website="http://localhost:5173"),
        {"loopback-spelling", "cookie-same-site"},
    ),
    "https in the settings alone": (
        running(
            info={"api_domain": "https://127.0.0.1", "website_domain": "https://127.0.0.1"},
            core="sqlite:///auth.db",
            recipes=lambda: [Session()],
        ),
        {"api-domain-scheme"},
    ),
    "another port": (running(info={"api_domain": "http://127.0.0.1:3000"}), {"api-domain-port"}),
    "another host": (running(info={"api_domain": FAR, "website_domain": FAR}), {"api-domain-host"}),
    "a gateway that removes a prefix": (running(changing(environ=removing_prefix), path="/api/auth"), STRIPPED),
    "no POST": (
        running(answering("403 Forbidden", when=lambda environ: environ["REQUEST_METHOD"] == "POST")),
        {"post-blocked"},
    ),
    "a refresh that fails": (
        running(answering("500 Oops", when=lambda environ: path_of(environ).endswith("/refresh"))),
        {"refresh-broken"},
    ),
    "Set-Cookie is removed": (running(without("Set-Cookie")), {"cookies-not-set"}),
    "cookies of another domain": (
        running(instead("Set-Cookie", lambda cookie: cookie.replace("; HttpOnly", "; Domain=shop.example; HttpOnly"))),
        {"cookie-domain"},
    ),
    "cookies of another path": (
        running(instead("Set-Cookie", lambda cookie: cookie.replace("Path=/auth", "Path=/v1"))),
        {"cookie-path"},
    ),
    "cookies that scripts can read": (
        running(instead("Set-Cookie", lambda cookie: cookie.replace("; HttpOnly", ""))),
        {"cookie-http-only"},
    ),
    "SameSite=None over http": (
        running(instead("Set-Cookie", lambda cookie: cookie.replace("=Lax", "=None"))),
        {"cookie-same-site-insecure"},
    ),
    "a website of another site": (cross_origin(website=FAR), {"cookie-same-site"}),
    "no CORS": (cross_origin(cors=None), {"cors-preflight"}),
    "CORS for another website": (cross_origin(cors=Cors(origins=["http://127.0.0.1:3000"])), {"cors-origin"}),
    "CORS without credentials": (cross_origin(without("Access-Control-Allow-Credentials")), {"cors-credentials"}),
    "CORS without our headers": (
        cross_origin(instead("Access-Control-Allow-Headers", lambda _: "content-type")),
        {"cors-headers"},
    ),
    "CORS twice": (cross_origin(changing(doubling)), {"cors-doubled"}),
    "CORS for good responses alone": (cross_origin(changing(only_for_good_responses)), {"cors-errors"}),
    "headers that are not exposed": (cross_origin(without("Access-Control-Expose-Headers")), {"cors-expose"}),
    "an https website": (
        cross_origin(website="https://shop.example"),
        {"mixed-content", "cookie-same-site"},
    ),
    "Authorization is removed": (running(not_the_header("HTTP_AUTHORIZATION")), {"authorization-removed"}),
    "Cookie is removed": (running(not_the_header("HTTP_COOKIE")), {"cookies-not-sent"}),
    "small headers": (running(short_of_headers), {"header-limit"}),
    "a cache": (running(instead("Cache-Control", lambda _: "public, max-age=60")), {"cacheable"}),
    "a server for development": (
        cross_origin(website=FAR, development=True),
        {"development-server", "cookie-same-site"},
    ),
    "Django's page for debugging": (
        cross_origin(
            answering("404 Not Found", DEBUG_PAGE, when=lambda environ: not path_of(environ).startswith("/auth")),
            website=FAR,
        ),
        {"debug", "cookie-same-site"},
    ),
}


Table = dict[str, tuple[Build, "set[str]"]]


def rows(*tables: Table) -> list[ParameterSet]:
    """Return the rows of the last table. Those that show no id for the first time run in make exhaustive."""
    known: set[str] = set()
    made = []
    for table in tables:
        for name, (build, expected) in table.items():
            marks = [pytest.mark.exhaustive] if expected <= known else []
            known |= expected
            if table is tables[-1]:
                made.append(pytest.param(build, expected, id=name, marks=marks))
    return made


@pytest.mark.parametrize(("build", "expected"), rows(RUNNING))
def test_an_address(build: Build, expected: set[str], place: Place, doctor: Doctor) -> None:
    assert doctor(*build(place)) == expected


def test_a_server_with_another_core(place: Place, doctor: Doctor) -> None:
    """As if both were started with ``sqlite:///auth.db``, in two folders."""
    server, app = (f"sqlite:///{place.folder}/{name}.db" for name in ("server", "app"))
    url = place.stack.enter_context(serving(lambda url: place.local(url, core=server).wrap(page)))
    assert doctor(url, "--app", place.named(place.local(url, core=app))) == {"other-core"}


def test_a_certificate_that_signs_itself(certificate: Certificate, doctor: Doctor) -> None:  # noqa: F811  # fixture
    with core(tls=certificate.server) as server:
        assert doctor(server.url) == {"certificate"}


# What is known from the settings: the app is imported, and called in this process.


def configured(*arguments: str, **changes: Any) -> Build:
    """Return a set-up of production with other settings."""
    return lambda place: ["--app", place.named(place.production(**changes)), *arguments]


def refused(place: Place) -> list[str]:
    name = place.named(lambda: place.production(recipes=lambda: [Session(cookie_domain="other.example")]))
    return ["--app", f"{name}()"]


def memory(place: Place) -> list[str]:
    return ["--app", place.named(place.local("http://127.0.0.1:8000")), "--processes", "4"]


def not_wrapped(place: Place) -> list[str]:
    app = Flask("doctored")
    app.config["st"] = place.production()
    return ["--app", place.named(app)]


def debugging(place: Place) -> list[str]:
    app = Flask("doctored")
    app.debug = True
    app.wsgi_app = place.production().wrap(app.wsgi_app)  # type: ignore[assignment]  # Flask documents this
    return ["--app", place.named(app)]


class BreaksACheck:
    """An app that raises when somebody asks whether it is in the mode for debugging."""

    def __init__(self, wrapped: WSGIApplication) -> None:
        self._wrapped = wrapped

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        return self._wrapped(environ, start_response)

    @property
    def debug(self) -> bool:
        raise ValueError(SECRET)


def breaking_a_check(place: Place) -> list[str]:
    return ["--app", place.named(BreaksACheck(place.production().wrap(page)))]


def static_files(place: Place) -> list[str]:
    app = Flask("doctored", static_folder=str(place.folder / "static"))
    (place.folder / "static").mkdir()
    st = place.production(core=f"sqlite:///{place.folder}/static/auth.db")
    app.wsgi_app = st.wrap(app.wsgi_app)  # type: ignore[assignment]  # Flask documents this
    return ["--app", place.named(app)]


def open_to_others(place: Place) -> list[str]:
    arguments = configured()(place)
    (place.folder / "auth.db").chmod(0o644)
    return arguments


def open_folder(place: Place) -> list[str]:
    arguments = configured()(place)
    place.folder.chmod(0o777)
    return arguments


def silenced(place: Place) -> list[str]:
    place.patch.setattr(logging.getLogger("st_wsgi.security"), "disabled", True)
    return configured()(place)


def gunicorn(settings: str = "", arguments: str = "") -> Build:
    def build(place: Place) -> list[str]:
        if settings:
            (place.folder / "gunicorn.conf.py").write_text(settings)
        place.patch.setenv("GUNICORN_CMD_ARGS", arguments)
        return configured()(place)

    return build


def on_core(behave: Any, **changes: Any) -> Build:
    """Return a set-up on a core that does what it is told."""

    def build(place: Place) -> list[str]:
        server = place.stack.enter_context(core(behave))
        return configured(core=server.url, api_key=SECRET, **changes)(place)

    return build


KEY_SET = Answer({"keys": [{"kid": "s-1", "kty": "RSA"}]})


def replying(**replies: Answer) -> Callable[[Any], Answer]:
    """Return a core: a reply for each end of a path. It has no licence."""
    usual = {"apiversion": Answer({"versions": ["5.4"]}), "featureflag": Answer({"status": "OK", "features": []})}
    table = {**usual, "json": KEY_SET, "hello": Answer(b"Hello"), **replies}
    return lambda seen: table[seen.path.rpartition("/")[2].rpartition(".")[2]]


def far_core(place: Place) -> list[str]:
    """A core on this machine, by an address that is not one of the loopback interface."""
    server = place.stack.enter_context(core(replying()))
    return configured(core=server.url.replace("127.0.0.1", "0.0.0.0"))(place)


def one_of_two_is_down(place: Place) -> list[str]:
    embedded = place.stack.enter_context(EmbeddedCore.open(f"sqlite://?api_keys={SECRET}"))
    server = place.stack.enter_context(serving_core(embedded))
    down = place.stack.enter_context(dead())
    return configured(core=f"{server.address};{down}", api_key=SECRET)(place)


def all_are_down(place: Place) -> list[str]:
    down = place.stack.enter_context(dead())
    return configured(core=down, api_key=SECRET)(place)


CONSOLE = Console(allow_https=True)
OLD = {"Content-Type": "text/plain", "Date": formatdate(0, usegmt=True)}

CONFIGURED: dict[str, tuple[Build, set[str]]] = {
    "an app that does not start": (refused, {"refused"}),
    "an app that is not wrapped": (not_wrapped, {"routes-missing"}),
    "plain http": (
        configured(info={"api_domain": "http://shop.example", "website_domain": "http://shop.example"}),
        {"plain-http"},
    ),
    "an origin of a developer": (
        configured(cors=Cors(origins=["https://shop.example", "http://localhost:3000"])),
        {"development-origin"},
    ),
    "an origin without https": (
        configured(cors=Cors(origins=["https://shop.example", "http://shop.example"])),
        {"plain-http-origin"},
    ),
    "cookies without Secure": (
        configured(
            recipes=lambda: [
                EmailPassword(email_delivery=no_mail),
                Session(cookie_secure=False, allow_insecure_cookies=True),
            ]
        ),
        {"cookie-not-secure"},
    ),
    "SameSite=None on one site": (configured(recipes=lambda: [Session(cookie_same_site="none")]), {"same-site-none"}),
    "no defence against other websites": (
        configured(
            recipes=lambda: [Session(cookie_same_site="none", anti_csrf="NONE", allow_insecure_anti_csrf=True)],
        ),
        {"same-site-none", "csrf-off"},
    ),
    "mails on the console": (
        configured(recipes=lambda: [EmailPassword(email_delivery=CONSOLE), Session()]),
        {"mail-console"},
    ),
    "text messages on the console": (
        configured(
            recipes=lambda: [
                Passwordless(
                    contact_config=ContactPhoneOnlyConfig(), flow_type="USER_INPUT_CODE", sms_delivery=CONSOLE
                ),
                Session(),
            ]
        ),
        {"sms-console"},
    ),
    "no limits": (configured(rate_limit=None), {"limits-off"}),
    "limits of each process": (
        configured("--processes", "4", rate_limit=AttemptLimits(store=MemoryAttempts())),
        {"limits-in-memory"},
    ),
    "proxies that nobody named": (configured(trusted_proxies=None), {"trusted-proxies"}),
    "debugging": (debugging, {"debug"}),
    "an app that breaks a check": (breaking_a_check, {"check-failed"}),
    "no log": (silenced, {"logging-off"}),
    "workers for ASGI": (gunicorn('worker_class = "uvicorn.workers.UvicornWorker"'), {"worker-class"}),
    "one request at a time": (gunicorn(arguments="--bind 127.0.0.1:8000 --workers 1"), {"one-at-a-time"}),
    "a core in the memory of many processes": (memory, {"core-in-memory"}),
    "a core in memory": (configured(core="sqlite://", allow_in_memory_core=True), {"core-in-memory"}),
    "hashes for tests": (configured(core="sqlite:///auth.db?argon2_memory_kb=64"), {"fast-hash"}),
    "other hashes for tests": (
        configured(core="sqlite:///auth.db?password_hashing_alg=BCRYPT&bcrypt_log_rounds=4"),
        {"fast-hash"},
    ),
    "long access tokens": (configured(core="sqlite:///auth.db?access_token_validity=604800"), {"access-token-life"}),
    "a database for all": (open_to_others, {"database-mode"}),
    "a folder for all": (open_folder, {"database-mode"}),
    "a database in the static files": (static_files, {"database-in-static-files"}),
    "another key": (
        on_core(lambda _: Answer(b"Invalid API key", 401)),
        {"core-key", "server-error"},
    ),
    "a web server in the place of a core": (
        on_core(lambda _: Answer(b"<html>", 404, (("Content-Type", "text/html"),))),
        {"core-not-a-core", "server-error"},
    ),
    "an old core": (on_core(replying(apiversion=Answer({"versions": ["2.9"]}))), {"core-version"}),
    "a core with another clock": (
        on_core(replying(hello=Answer(b"Hello", headers=tuple(OLD.items())))),
        {"core-clock"},
    ),
    "a core without a licence": (
        on_core(replying(), recipes=lambda: [Totp(), MultiFactorAuth(), Session()]),
        {"licence"},
    ),
    "a core far away": (far_core, {"core-plain-http", "core-without-key"}),
    "one core of two is down": (one_of_two_is_down, {"core-host-down"}),
    "all cores are down": (all_are_down, {"core-unavailable"}),
}


@pytest.mark.parametrize(("build", "expected"), rows(RUNNING, CONFIGURED))
def test_an_app(build: Build, expected: set[str], place: Place, doctor: Doctor) -> None:
    assert doctor(*build(place)) == expected


ON_POSTGRES = {"database-superuser", "database-readable", "pool-too-large"}
BY_THEMSELVES = {"certificate", "other-core"}


def test_every_id_has_a_set_up() -> None:
    shown = set.union(*(expected for _, expected in (*RUNNING.values(), *CONFIGURED.values())))
    assert shown | ON_POSTGRES | BY_THEMSELVES == set(KNOWN)
    assert len(RUNNING) + len(CONFIGURED) >= 40
