"""
Wrong set-ups: each is refused with one line that says what to do, at start-up where that can be known.

The tables show a set-up and the line that it gets. What they have in common: the line names the setting, it ends with
the cure, and no raw error of Python or of a library comes instead.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings  # type: ignore[import-untyped]  # Django has no types of its own
from django.test import override_settings  # type: ignore[import-untyped]
from transport.cores import Answer, core, dead
from werkzeug.test import Client

import st_wsgi
from st_wsgi import AppInfo, SuperTokens, cli, replace
from st_wsgi.core_client import transport
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import emailpassword, session
from st_wsgi.request import current

# The type checker does not look at arguments that are wrong on purpose.
Cors: Any = st_wsgi.Cors
EmailPassword: Any = emailpassword.EmailPassword
FormField: Any = emailpassword.FormField
HTTPTransport: Any = transport.HTTPTransport
AttemptLimits: Any = st_wsgi.AttemptLimits
Override: Any = st_wsgi.Override
Session: Any = session.Session
SignUpFeature: Any = emailpassword.SignUpFeature

KEY = "a-key-of-twenty-letters"


def app_info(**settings: Any) -> AppInfo:
    usual = {"app_name": "Shop", "api_domain": "http://localhost:8000", "website_domain": "http://localhost:8000"}
    return AppInfo(**{**usual, **settings})


def public(**settings: Any) -> AppInfo:
    return app_info(**{"api_domain": "https://api.shop.example", "website_domain": "https://shop.example", **settings})


STARTED: list[SuperTokens] = []
"""The instances of the test that runs."""


def start(**settings: Any) -> SuperTokens:
    """What an app does at start-up, with something else in the place of what works."""
    usual = {"app_info": app_info(), "core": "sqlite://", "recipes": [EmailPassword(), Session()]}
    STARTED.append(SuperTokens(**{**usual, **settings}))
    return STARTED[-1]


def wrap(app: Any) -> None:
    start().wrap(app)


def start_twice(recipe: Any) -> None:
    for _ in range(2):
        start(recipes=[recipe])


@pytest.fixture(autouse=True)
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The current folder: it has a folder, a file with notes, and the database of another program."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("buy milk, and eggs, and bread")
    with contextlib.closing(sqlite3.connect("other.db")) as db:
        db.execute("CREATE TABLE thing (name TEXT)")
    return tmp_path


@pytest.fixture(autouse=True)
def _close_instances() -> Iterator[None]:
    """Close what a test starts: most of these set-ups are refused only when the instance is used."""
    yield
    while STARTED:
        STARTED.pop().close()


def read_only_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the operating system answer as for a mount that cannot be written to; the tests may run as root."""

    def refuse(path: Any, *_: Any, **__: Any) -> int:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(os, "open", refuse)


Start = Callable[[], object]

PLACES: dict[str, tuple[Start, str]] = {
    "a file without sqlite:": (
        lambda: start(core="auth.db"),
        "for the embedded core on that file write sqlite:///auth.db",
    ),
    "an absolute file": (lambda: start(core="/srv/auth.db"), "on that file write sqlite:////srv/auth.db"),
    "two slashes": (
        lambda: start(core="sqlite://auth.db"),
        "'auth.db' is no place for a file: write sqlite:///auth.db",
    ),
    "a folder": (
        lambda: start(core="sqlite:///folder"),
        "folder is a folder. Name a file in it, such as folder/auth.db",
    ),
    "below a file": (
        lambda: start(core="sqlite:///notes.txt/auth.db"),
        "notes.txt is a file and not a folder, so notes.txt/auth.db cannot be in it. Name another place",
    ),
    "a folder that does not exist": (
        lambda: start(core="sqlite:///data/auth.db"),
        "the folder data does not exist. Correct the path, or run: mkdir -p data",
    ),
    "a home folder": (lambda: start(core="sqlite:///~/auth.db"), "begins with ~, which is not replaced here. Write /"),
    "no database": (
        lambda: start(core="sqlite:///notes.txt"),
        "notes.txt is not a SQLite database. Name another file, or move this one away",
    ),
    "a database of another program": (
        lambda: start(core="sqlite:///other.db"),
        "other.db is the database of another program. Name another file for the core",
    ),
    "PostgreSQL": (
        lambda: start(core="postgresql://user:hunter2@127.0.0.1:1/auth"),
        "Is the server up, and does this machine reach it?",
    ),
    "another database": (
        lambda: start(core="mysql://user:hunter2@db/auth"),
        "starts with mysql://: write it like https://",
    ),
    "a path object": (
        lambda: start(core=pathlib.Path("auth.db")),
        "core must be an address such as 'sqlite:///auth.db' or 'https://core.example.com:3567', or a transport, not",
    ),
    "None": (lambda: start(core=None), "core must be an address such as 'sqlite:///auth.db' .* not None"),
    "nothing": (lambda: start(core=""), "core names no address: write it like https://"),
    "a transport's class": (lambda: start(core=HTTPTransport), "core must be an address .* or a transport, not <class"),
    "no scheme": (
        lambda: start(core="core.example.com:3567"),
        "core has an address without http:// or https:// in front: write it like https://core.example.com:3567",
    ),
    "commas": (
        lambda: start(core="http://core1:3567,http://core2:3567"),
        r"an unusable host or port: write it like .* \(several are separated by semicolons\)",
    ),
    "one host twice": (
        lambda: start(core="https://core:3567;https://core:3567/"),
        "core names https://core:3567 twice: name each host once",
    ),
    "a user name": (
        lambda: start(core="https://user:hunter2@core"),
        "core must not contain a user name or password: pass the core's key as api_key",
    ),
    "a key in the query": (
        lambda: start(core="https://core?key=hunter2"),
        "or fragment: pass the core's key as api_key",
    ),
    "an unknown core setting": (
        lambda: start(core="sqlite://?acess_token_validity=2"),
        "Invalid config key: acess_token_validity. Did you mean access_token_validity",
    ),
    "a core setting of another type": (
        lambda: start(core="sqlite://?access_token_validity=soon"),
        "'access_token_validity' must be of type long",
    ),
    "a core setting twice": (
        lambda: start(core="sqlite://?access_token_validity=2&access_token_validity=3"),
        "the core setting 'access_token_validity' is in the address twice",
    ),
    "memory in production": (
        lambda: start(app_info=public()),
        "loses all users at every restart, .* use core='sqlite:///auth.db'",
    ),
}

KEYS: dict[str, tuple[Start, str]] = {
    "beside the embedded core": (lambda: start(api_key=KEY), "leave it out, since the embedded core has no key"),
    "missing": (
        lambda: start(core=f"sqlite://?api_keys={KEY}"),
        "core has the setting api_keys: pass one of them as api_key too, or leave api_keys out",
    ),
    "another": (lambda: start(core=f"sqlite://?api_keys={KEY}", api_key=KEY[::-1]), "pass one of them as api_key too"),
    "empty": (
        lambda: start(core="https://core", api_key=""),
        "api_key is empty: set what it is read from, or leave it out if the core has no key",
    ),
    "with a line break": (
        lambda: start(core="https://core", api_key="hunter2\nhunter2"),
        "api_key must be ASCII letters, digits and signs, without spaces and line breaks",
    ),
    "bytes": (lambda: start(core="https://core", api_key=b"hunter2"), "api_key must be a text or None"),
    "over http": (lambda: start(core="http://core", api_key=KEY), "use https, or say allow_insecure_core=True"),
}

RECIPES: dict[str, tuple[Start, str]] = {
    "none": (
        lambda: start(recipes=[]),
        r"recipes is empty: list what the app offers, such as \[Email",
    ),
    "None": (
        lambda: start(recipes=None),
        r"recipes must be a list of recipes, such as \[EmailPassword\(\)",
    ),
    "one without a list": (lambda: start(recipes=Session()), r"recipes must be a list of recipes, such as \["),
    "a class": (lambda: start(recipes=[Session]), r"recipes must be recipe objects such as Session\(\), not <class"),
    "a name": (
        lambda: start(recipes=["session"]),
        r"must be recipe objects such as Session\(\), not 'session'",
    ),
    "one twice": (lambda: start(recipes=[Session(), Session()]), "the recipe session is in the list twice"),
    "one of another instance": (
        lambda: start_twice(Session()),
        "this Session belongs to another instance; make a new one for this one",
    ),
    "an override that is a dictionary": (
        lambda: Session(override={}),
        r"override must be Override\(functions=..., apis=...\), not a dict",
    ),
    "an override that is a name": (
        lambda: Override(functions="x"),
        "be a function from the original to a new one",
    ),
    "an override that returns nothing": (
        lambda: start(recipes=[Session(override=Override(functions=lambda original: None))]),
        r"returned NoneType; return replace\(original, ...\)",
    ),
    "an override of a misspelled function": (
        lambda: start(
            recipes=[EmailPassword(override=Override(functions=lambda original: replace(original, sing_in=None)))]
        ),
        "has no method 'sing_in' to replace; it has .*sign_in",
    ),
    "a form that is a dictionary": (
        lambda: EmailPassword(sign_up_feature={"form_fields": []}),
        r"sign_up_feature must be SignUpFeature\(...\)",
    ),
    "a field that is a name": (
        lambda: SignUpFeature(form_fields=["name"]),
        r"form_fields must be a list of fields such as FormField\(id=\"name\"\), not \['name'\]",
    ),
    "a field twice": (
        lambda: EmailPassword(sign_up_feature=SignUpFeature(form_fields=[FormField(id="a"), FormField(id="a")])),
        "sign_up_feature has the form field 'a' twice",
    ),
    "a field without a name": (lambda: FormField(id=""), "id must be a name, not ''"),
    "a rule that is no function": (
        lambda: FormField(id="a", validate="x"),
        "must be a function of value and tenant",
    ),
}

APP: dict[str, tuple[Start, str]] = {
    "a dictionary": (
        lambda: start(app_info={"app_name": "Shop"}),
        r"app_info must be AppInfo\(...\), not \{",
    ),
    "a blank name": (lambda: app_info(app_name=" "), "app_name must be a text that is not empty, not ' '"),
    "a path behind the API's domain": (
        lambda: app_info(api_domain="https://api.shop.example/login"),
        "api_domain must end with the host or port, not 'login': a path before our routes is the api_base_path",
    ),
    "a path behind the website's": (
        lambda: app_info(website_domain="https://shop.example/login"),
        "website_domain must end with the host or port, not 'login': .* is the website_base_path",
    ),
    "a domain that is None": (
        lambda: app_info(api_domain=None),
        "api_domain must be an address such as https://api.example.com, not None",
    ),
    "a star": (lambda: app_info(api_domain="*"), r"api_domain needs a plain host name .* not '\*'"),
    "a port that is a word": (
        lambda: app_info(api_domain="localhost:port"),
        "api_domain is not an address: Port",
    ),
    "no website": (lambda: app_info(website_domain=None), "give either website_domain or origin"),
    "website and origin": (lambda: app_info(origin="https://shop.example"), "give either website_domain or origin"),
    "an origin that is a list": (
        lambda: app_info(website_domain=None, origin=["https://shop.example"]),
        "origin must be an address or a function of the request and the user context",
    ),
    "an origin function alone": (
        lambda: app_info(website_domain=None, origin=lambda request, context: "x"),
        "an origin function needs allowed_origins",
    ),
    "allowed_origins for CORS": (
        lambda: app_info(allowed_origins=["https://shop.example"]),
        r"leave it out; other origins that call the API belong in cors=Cors\(origins=\[...\]\)",
    ),
    "allowed_origins that are one text": (
        lambda: app_info(allowed_origins="https://shop.example"),
        "allowed_origins must be a list of addresses such as https://shop.example, not 'https",
    ),
    "a base path that is an address": (
        lambda: app_info(api_base_path="https://api.shop.example/auth"),
        "api_base_path must be a plain path such as /auth",
    ),
    "two spellings of this machine": (
        lambda: start(app_info=app_info(api_domain="http://127.0.0.1:8000", website_domain="http://localhost:3000")),
        "use one spelling of the host for both, such as localhost",
    ),
    "https calling http": (
        lambda: start(app_info=public(api_domain="http://api.shop.example")),
        "use an https api_domain",
    ),
}

OTHERS: dict[str, tuple[Start, str]] = {
    "rules that are a dictionary": (lambda: start(cors={"origins": []}), r"cors must be Cors\(...\) or None, not \{"),
    "rules that are an origin": (
        lambda: start(cors="http://localhost:3000"),
        r"must be Cors\(...\) or None, not 'http",
    ),
    "every origin": (
        lambda: Cors(origins="*"),
        r"browsers refuse '\*' .*: list the website's origin",
    ),
    "a pattern of origins": (lambda: Cors(origins="https://*.shop.example"), "Cors origins needs a plain host name"),
    "no origin": (lambda: Cors(origins=[]), "Cors origins must be a list of origins such as https://shop.example, not"),
    "an origin with a path": (lambda: Cors(origins="https://shop.example/app"), "not 'app': leave the path out"),
    "a duration that is a text": (
        lambda: Cors(origins="https://shop.example", max_age="1h"),
        "max_age must be a number of seconds from 0 to 86400, not '1h'",
    ),
    "a header with a space": (
        lambda: Cors(origins="https://shop.example", allow_headers=["X Y"]),
        "Cors allow_headers must be names of headers, not 'X Y'",
    ),
    "a flag that is a word": (
        lambda: start(disable_core_call_cache="no"),
        "disable_core_call_cache must be True or False, not 'no'",
    ),
    "a version that is a text": (
        lambda: start(cdi_versions="5.4"),
        "must be a list of some of 5.0, .* not '5.4'",
    ),
    "a version that is a number": (lambda: start(cdi_versions=[5.4]), "cdi_versions must be a list of some of"),
    "a version of tomorrow": (
        lambda: start(cdi_versions=["9.9"]),
        r"must be a list of some of 5.0, .* not \['9.9'\]",
    ),
    "a limit that is a number": (
        lambda: start(rate_limit=10),
        "must be a function of key and route, not 10",
    ),
    "a limit without brackets": (
        lambda: start(rate_limit=AttemptLimits),
        "rate_limit must be a function of key and route, not <class",
    ),
    "a limit of nothing": (lambda: AttemptLimits(per_account=0), "per_account must be a number of attempts from 1"),
    "proxies that are a text": (
        lambda: start(trusted_proxies="1"),
        "trusted_proxies must be a number of proxies from 0 to 100, not '1'",
    ),
    "an interceptor that is a name": (
        lambda: start(network_interceptor="log"),
        "network_interceptor must be a function of url, method, headers, params, body and user context, not 'log'",
    ),
    "a timeout that is a text": (
        lambda: HTTPTransport("https://core", read_timeout="5"),
        "read_timeout must be a number above zero, not '5'",
    ),
    "a certificate that is a file": (
        lambda: HTTPTransport("https://core", tls="ca.pem"),
        r"must be SSLContext\(...\) or",
    ),
    "an instance in the place of an app": (lambda: wrap(start()), "a WSGI app, not <SuperTokens 'Shop'"),
    "nothing in the place of an app": (lambda: wrap(None), "environ and start_response, a WSGI app, not None"),
    "cookies for another domain": (
        lambda: start(app_info=public(), allow_in_memory_core=True, recipes=[Session(cookie_domain="other.example")]),
        "cookie_domain 'other.example' is not a parent of the API's host api.shop.example",
    ),
    "a word for SameSite": (
        lambda: Session(cookie_same_site="sometimes"),
        "cookie_same_site must be one of lax, strict, none, None, not 'sometimes'",
    ),
    "a word for CSRF": (
        lambda: Session(anti_csrf="yes"),
        "must be one of VIA_CUSTOM_HEADER, VIA_TOKEN, NONE",
    ),
    "one status for two things": (
        lambda: Session(session_expired_status_code=403),
        "session_expired_status_code and invalid_claim_status_code must differ",
    ),
    "tokens in something else": (
        lambda: Session(get_token_transfer_method="cookies"),
        "get_token_transfer_method must be one of cookie, header, any, or a function",
    ),
}

AT_START = [
    pytest.param(make, line, id=f"{group}: {name}")
    for group, table in (("core", PLACES), ("key", KEYS), ("recipes", RECIPES), ("app", APP), ("others", OTHERS))
    for name, (make, line) in table.items()
]


@pytest.mark.parametrize(("make", "line"), AT_START)
def test_it_is_refused_at_start_up_with_one_line_and_the_cure(make: Start, line: str) -> None:
    with pytest.raises(ConfigError, match=line) as refused:
        make()
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "Errno" not in str(refused.value)


@pytest.mark.usefixtures("folder")
def test_nothing_is_left_behind_by_a_path_that_is_refused(folder: pathlib.Path) -> None:
    before = sorted(path.name for path in folder.rglob("*"))
    for make, _ in PLACES.values():
        with pytest.raises(ConfigError):
            make()
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_new_file_on_a_mount_that_cannot_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    read_only_mount(monkeypatch)
    with pytest.raises(ConfigError) as refused:
        start(core="sqlite:///auth.db")
    assert str(refused.value) == (
        "auth.db cannot be opened or written (Read-only file system). Make the file and its folder writable for this "
        "user, or name another place (SQLite keeps its log beside the file)"
    )


# What is known only later: the first call of the core, the first request.


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, logger="st_wsgi")
    return caplog


def lines(log: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the log, as a user sees them: a traceback would be many."""
    handler = logging.Handler()
    return [line for record in log.records for line in handler.format(record).splitlines()]


def statuses(st: SuperTokens) -> list[int]:
    client = Client(st.wrap(lambda environ, start_response: []))
    return [client.get("/auth/emailpassword/email/exists?email=a@b.co").status_code for _ in range(3)]


def test_no_core_at_the_address(log: pytest.LogCaptureFixture) -> None:
    with dead() as address:
        st = start(core=address)
        assert statuses(st) == [503, 503, 503]
        st.close()
    (line,) = lines(log)
    assert line == (
        f"the core at {address} is not available: connection refused. Is the core running, and is the address right? "
        "Start one with: st-wsgi core serve. This is logged once, and again when it replies"
    )


def test_another_web_server_at_the_address(log: pytest.LogCaptureFixture) -> None:
    page = Answer(b"<html><title>Welcome</title></html>", 404, (("Content-Type", "text/html"),))
    with core(lambda _: page) as server:
        st = start(core=server.url)
        assert statuses(st) == [500, 500, 500]
        st.close()
    for line in lines(log):
        assert f"the core at {server.url} replied 404 to GET /apiversion: a page of 35 characters (text/html)" in line
        assert line.endswith("Set core to the address of a SuperTokens core, with the base path if it has one")
    assert len(lines(log)) == 3


def test_https_where_the_core_speaks_http(log: pytest.LogCaptureFixture) -> None:
    def refuse(listener: socket.socket) -> None:
        for _ in range(3):
            end, _ = listener.accept()
            with contextlib.suppress(ConnectionError), end:
                end.recv(1)
                end.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                while end.recv(65_536):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=refuse, args=(listener,))
        server.start()
        st = start(core=f"https://127.0.0.1:{listener.getsockname()[1]}")
        assert statuses(st) == [503, 503, 503]
        st.close()
        server.join()
    (line,) = lines(log)
    assert re.search(r"TLS failed: .*\. Is this port one for https\?", line)


def test_a_key_that_the_core_does_not_take(log: pytest.LogCaptureFixture) -> None:
    with core(lambda _: Answer(b"Invalid API key\n", 401)) as server:
        st = start(core=server.url, api_key=KEY)
        assert statuses(st) == [500, 500, 500]
        st.close()
    assert len(lines(log)) == 3
    assert lines(log)[0].endswith("Invalid API key. Set api_key to one of the keys that the core is configured with")
    assert KEY not in log.text


def test_rules_that_leave_the_website_out(log: pytest.LogCaptureFixture) -> None:
    start(app_info=app_info(website_domain="http://localhost:3000"), cors=Cors(origins="http://localhost:5173"))
    assert lines(log) == [
        "cors lacks the website: browsers will not let its pages call the API. Use "
        "Cors(origins=['http://localhost:5173', 'http://localhost:3000'])"
    ]


def preflight(st: SuperTokens, origin: str, path: str = "/auth/signin") -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("404 Not Found", [])
        return []

    Client(st.wrap(app)).options(path, headers=headers)


def test_a_website_on_another_port_without_cors(log: pytest.LogCaptureFixture) -> None:
    """A CORS layer may stand in front, so start-up cannot know; but such a layer answers preflights itself."""
    st = start(app_info=app_info(website_domain="http://localhost:3000"))
    assert lines(log) == []
    for _ in range(3):
        preflight(st, "http://localhost:3000")
    assert lines(log) == [
        "browsers will not call http://localhost:8000/auth/signin: the website http://localhost:3000 is another "
        "origin, and cors is not set. Pass cors=Cors(origins=['http://localhost:3000']), or put a CORS layer in front"
    ]


@pytest.mark.parametrize(
    ("origin", "path"), [("http://evil.example", "/auth/signin"), ("http://localhost:3000", "/auth/nothing")]
)
def test_a_preflight_that_does_not_concern_us_is_not_logged(
    log: pytest.LogCaptureFixture, origin: str, path: str
) -> None:
    preflight(start(app_info=app_info(website_domain="http://localhost:3000")), origin, path)
    assert lines(log) == []


@pytest.fixture
def no_default() -> Iterator[None]:
    """This process has no default instance, neither before nor after the test."""
    current.set_default(None)
    yield
    current.set_default(None)


@pytest.mark.usefixtures("no_default")
def test_init_twice(log: pytest.LogCaptureFixture) -> None:
    first = st_wsgi.init(app_info=app_info(), core="sqlite://", recipes=[Session()])
    first.close()
    second = st_wsgi.init(app_info=app_info(), core="sqlite://", recipes=[Session()])
    assert lines(log) == []
    third = st_wsgi.init(app_info=app_info(), core="sqlite://", recipes=[Session()])
    assert lines(log) == [
        "st_wsgi.init was called before: code outside of requests uses the new instance from now on. Close the old one "
        "first with st.close(), or make a further one with SuperTokens(...)"
    ]
    second.close()
    third.close()


@pytest.mark.usefixtures("no_default")
def test_a_function_before_init() -> None:
    with pytest.raises(ConfigError, match=r"SuperTokens is not initialised; call st_wsgi.init\(...\) first"):
        st_wsgi.is_recipe_initialized("session")


def test_an_app_that_is_not_wrapped() -> None:
    st = start()
    with pytest.raises(ConfigError, match=r"wrap the app, such as app.wsgi_app = st.wrap\(app.wsgi_app\)"):
        session.get_session({"PATH_INFO": "/", "REQUEST_METHOD": "GET"})
    st.close()


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, "settings.SUPERTOKENS must be what st_wsgi.init.* returned, .* such as 'mysite.auth.st', not None"),
        ({"core": "sqlite://"}, "settings.SUPERTOKENS must be what st_wsgi.init.* returned"),
        ("setup_module.misspelled", "names 'setup_module.misspelled', which cannot be imported: Module"),
        ("no_such_module.st", "names 'no_such_module.st', which cannot be imported: No module named 'no_such_module'"),
        ("setup_module.other", "settings.SUPERTOKENS must be what st_wsgi.init.* returned, .* not 5"),
    ],
    ids=["missing", "a dictionary", "a misspelled name", "no module", "something else"],
)
def test_the_instance_in_djangos_settings(monkeypatch: pytest.MonkeyPatch, value: object, line: str) -> None:
    if not django_settings.configured:
        django_settings.configure()
    from st_wsgi.frameworks.django import SuperTokensMiddleware

    module = types.ModuleType("setup_module")
    module.other = 5  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "setup_module", module)
    with override_settings(SUPERTOKENS=value), pytest.raises(ConfigError, match=line):
        SuperTokensMiddleware(lambda request: request)


# At the command line, an error is one line on standard error, and the status is 1.


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


COMMANDS = {
    "a folder": (["db", "migrate", "--db", "folder"], "folder is a folder. Name a file in it, such as folder/auth.db"),
    "below a file": (["core", "serve", "--db", "notes.txt/auth.db"], "notes.txt is a file and not a folder"),
    "a missing folder": (
        ["db", "migrate", "--db", "data/auth.db"],
        "the folder data does not exist. Correct the path, or",
    ),
    "no database": (["db", "migrate", "--db", "notes.txt"], "notes.txt is not a SQLite database. Name another file"),
    "PostgreSQL": (
        ["core", "serve", "--db", "postgresql://user:hunter2@127.0.0.1:1/auth"],
        "Is the server up, and does this machine reach it?",
    ),
    "a copy of PostgreSQL": (
        ["db", "backup", "copy.db", "--db", "postgresql://user:hunter2@127.0.0.1:1/auth"],
        "PostgreSQL makes its own backups, while it is in use. Run: pg_dump",
    ),
    "a database that is not there": (["user", "list"], "auth.db: there is no database. Name one with --db"),
    "a setting without a value": (["user", "list", "--set", "access_token_validity"], "write NAME=VALUE"),
    "an address of another machine": (
        ["core", "serve", "--db", "sqlite://", "--host", "192.0.2.1", "--port", "0", "--api-key", KEY],
        "192.0.2.1 is no address of this machine. Choose one with --host, such as 127.0.0.1",
    ),
}


@pytest.mark.parametrize(("arguments", "line"), COMMANDS.values(), ids=COMMANDS.keys())
def test_a_command_fails_with_one_line_and_the_cure(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 1
    output = capsys.readouterr()
    assert output.err.startswith("st-wsgi: ")
    assert line in output.err
    assert output.err.count("\n") == 1
    assert "hunter2" not in output.err
    assert output.out == ""


def test_a_port_that_is_taken(taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["core", "serve", "--db", "sqlite://", "--port", str(taken)]) == 1
    assert capsys.readouterr().err == (
        f"st-wsgi: port {taken} is in use, maybe by another core. Choose one with --port, 0 for a free one\n"
    )


def test_the_file_of_an_export_that_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["db", "migrate"]) == 0
    capsys.readouterr()
    assert cli.main(["export", "--out", "notes.txt"]) == 1
    assert capsys.readouterr().err == "st-wsgi: notes.txt exists already. Name a new file\n"


def test_a_reader_that_ends_before_the_output_does() -> None:
    assert cli.main(["db", "migrate"]) == 0
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        root = str(pathlib.Path(st_wsgi.__file__).parent.parent)
        done = subprocess.run(
            [sys.executable, "-m", "st_wsgi", "user", "list"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([root, *sys.path])},
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert "Broken pipe" not in done.stderr


def test_a_core_to_push_to_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["db", "migrate"]) == 0
    capfd.readouterr()
    with dead() as address:
        assert cli.main(["push", "--to", address]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"st-wsgi: no reply to GET /apiversion: {address} (connection refused). Is the core running")


def test_the_tables_are_long_enough() -> None:
    assert len(AT_START) >= 40
