"""Good set-ups: the doctor finds nothing in them, and leaves everything as it was."""

from __future__ import annotations

import importlib.util
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from cluster import Cluster
from contract.client import serving as serving_core
from sdks.processes import ROOT, free_port, serving as serving_program

from doctor.conftest import Doctor
from doctor.setups import SECRET, Place, changing, page, serving
from st_wsgi import Cors, cli
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipes.multifactorauth import MultiFactorAuth
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.totp import Totp
from st_wsgi.request import current

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

EXAMPLES = ("flask_app", "bottle_app", "pyramid_app", "falcon_app")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example(name: str, place: Place, doctor: Doctor) -> None:
    place.patch.setenv("ST_CORE", "sqlite:///auth.db")
    spec = importlib.util.spec_from_file_location(f"doctored_{name}", ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    place.patch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    place.stack.callback(current.set_default, None)
    place.stack.callback(module.st.close)
    assert doctor("--app", f"{spec.name}:app") == set()


def test_the_example_of_django(place: Place) -> None:
    """In a process of its own: Django has one configuration in each."""
    place.patch.setenv("ST_CORE", f"sqlite:///{place.folder}/auth.db")
    alone = in_a_process("--app", "django_app:app", folder=ROOT / "examples")
    assert (alone.returncode, alone.stderr) == (0, ""), alone.stdout


def in_a_process(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "st_wsgi", "doctor", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_production(place: Place, doctor: Doctor) -> None:
    assert doctor("--app", place.named(place.production()), "--processes", "8") == set()


@pytest.mark.one_python
def test_gunicorn(place: Place, doctor: Doctor) -> None:
    """A server with several workers, asked by its address and from the app at once."""
    port = free_port()
    environ = {"PORT": str(port), "ST_CORE": f"sqlite:///{place.folder}/auth.db"}
    for name, value in environ.items():
        place.patch.setenv(name, value)
    place.patch.syspath_prepend(str(ROOT / "examples"))
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "2"]
    place.stack.enter_context(
        serving_program(
            [*command, "flask_app:app"], port=port, log=place.folder / "log", env=environ, cwd=ROOT / "examples"
        )
    )
    place.patch.delitem(sys.modules, "flask_app", raising=False)
    assert doctor(f"http://127.0.0.1:{port}", "--app", "flask_app:app", "--processes", "2") == set()
    module = sys.modules.pop("flask_app")
    module.st.close()
    current.set_default(None)
    assert doctor(f"http://127.0.0.1:{port}/auth") == set()


def test_a_website_of_another_origin(place: Place, doctor: Doctor) -> None:
    website = "http://127.0.0.1:5173"

    def make(url: str) -> WSGIApplication:
        return place.local(url, info={"website_domain": website}, cors=Cors(origins=[website])).wrap(page)

    url = place.stack.enter_context(serving(make))
    assert doctor(url, "--website", website) == set()


def test_sessions_in_headers(place: Place, doctor: Doctor) -> None:
    """A website on another site, without cookies."""
    website = "https://other.example"
    st = place.production(
        info={"website_domain": website},
        cors=Cors(origins=[website]),
        recipes=lambda: [Session(get_token_transfer_method="header")],
    )
    assert doctor("--app", place.named(st)) == set()


@pytest.mark.parametrize("policy", ["cookie", lambda request, creating: "cookie"], ids=["always", "by a function"])
def test_sessions_in_cookies_alone(policy: Any, place: Place, doctor: Doctor) -> None:
    st = place.production(recipes=lambda: [Session(get_token_transfer_method=policy)])
    assert doctor("--app", place.named(st)) == set()


def test_behind_a_proxy_that_removes_a_prefix(place: Place, doctor: Doctor) -> None:
    """The proxy ends https, as nginx does: the app sees http, its own host and the headers of the proxy."""

    def proxied(environ: WSGIEnvironment) -> None:
        assert environ["PATH_INFO"].startswith("/api")
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/api")
        forwarded = {"FOR": "192.0.2.7", "PROTO": "https", "HOST": "shop.example"}
        environ.update({f"HTTP_X_FORWARDED_{name}": value for name, value in forwarded.items()})
        environ["HTTP_HOST"] = "app:8000"

    def make(url: str) -> WSGIApplication:
        app = place.local(url, info={"api_gateway_path": "/api"}, trusted_proxies=1).wrap(page)
        return changing(environ=proxied)(app)

    url = place.stack.enter_context(serving(make))
    assert doctor(f"{url}/api/auth") == set()


def test_a_core_over_http(place: Place, doctor: Doctor) -> None:
    embedded = place.stack.enter_context(EmbeddedCore.open(f"sqlite://?api_keys={SECRET}"))
    server = place.stack.enter_context(serving_core(embedded))
    st = place.production(core=server.address, api_key=SECRET, recipes=lambda: [Totp(), MultiFactorAuth(), Session()])
    assert doctor("--app", place.named(st)) == set()


def test_postgres(place: Place, doctor: Doctor, cluster: Cluster) -> None:
    role, own = _role(cluster)
    st = place.production(core=own.replace("postgresql://", f"postgresql://{role}:{SECRET}@", 1))
    assert doctor("--app", place.named(st), "--processes", "4") == set()


def test_postgres_with_too_many_rights(place: Place, doctor: Doctor, cluster: Cluster) -> None:
    address = cluster.address(pool_size=80)
    schema = address.partition("schema=")[2].partition("&")[0]
    st = place.production(core=address)
    with psycopg.connect(cluster.address().partition("?")[0]) as connection:
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO PUBLIC")
    found = doctor("--app", place.named(st), "--processes", "4")
    assert found == {"database-superuser", "database-readable", "pool-too-large"}


def _role(cluster: Cluster) -> tuple[str, str]:
    """Make a role with a schema of its own; return its name, and the address of the schema without a user."""
    address = cluster.address()
    schema = address.partition("schema=")[2]
    with psycopg.connect(address.partition("?")[0]) as connection:
        connection.execute(f"CREATE ROLE {schema} LOGIN")
        connection.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {schema}")
    return schema, address.replace("tests@", "")


def test_nothing_is_changed(place: Place, doctor: Doctor) -> None:
    """Neither a session nor a user nor a counted attempt is stored. A key was there before."""
    st = place.production(core="sqlite:///auth.db")
    name = place.named(st)
    doctor("--app", name)
    before = _rows(place.folder / "auth.db")
    assert sum(before.values()) > 0
    doctor("--app", name)
    assert _rows(place.folder / "auth.db") == before


def _rows(file: Path) -> dict[str, int]:
    with closing(sqlite3.connect(file)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


def test_the_report_for_people(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--app", place.named(place.production())]) == 0
    assert capsys.readouterr().out.startswith("nothing found; looked at: addresses, cookies, ")
    assert cli.main(["doctor", "--app", place.named(place.production(trusted_proxies=None))]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "warning trusted-proxies: trusted_proxies is not set, so clients behind a proxy have common limits",
        "  cure: Set trusted_proxies to the number of your proxies, or to 0 if there is none.",
        "  more: docs/doctor.md#trusted-proxies",
        "1 found; looked at: addresses, cookies, messages, limits, debugging, server, core, embedded core, database, "
        "responses",
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "name the address of a back end, or an app with --app module:attribute"),
        (["--app", "doctored"], "--app doctored: write module:attribute, such as app:app"),
        (["--app", "no_such_module:app"], "--app no_such_module:app cannot be loaded: ModuleNotFoundError: no_such_mo"),
        (["--app", "doctored:other"], "--app doctored:other cannot be loaded: AttributeError: other"),
        (["ftp://shop.example"], "the address must be an http or https address, not ftp"),
        (["http://u:hunter2hunter2hunter2@127.0.0.1"], "the address must not contain a user name or password"),
    ],
)
def test_it_could_not_look(arguments: list[str], line: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.named(page)
    assert cli.main(["doctor", *arguments]) == 2
    output = capsys.readouterr()
    assert line in output.err
    assert output.err.count("\n") == 1
    assert SECRET not in output.err
    assert output.out == ""


def test_an_app_without_an_instance(place: Place) -> None:
    """In a process of its own: other tests may have left an instance that the app leads to."""
    (place.folder / "bare.py").write_text("def app(environ, start_response): ...\n")
    alone = in_a_process("--app", "bare:app", folder=place.folder)
    assert alone.stderr.endswith("--app bare:app has no SuperTokens instance: name it, such as bare:st\n")
    assert (alone.returncode, alone.stdout) == (2, "")


def test_settings_of_gunicorn_that_cannot_be_read(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.patch.setenv("GUNICORN_CMD_ARGS", "--workers many")
    assert cli.main(["doctor", "--app", place.named(place.production())]) == 2
    assert capsys.readouterr().err == "st-wsgi: the settings of gunicorn cannot be read: ArgumentError\n"
