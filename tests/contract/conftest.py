"""
The cores that the contract suite runs on.

``memory``, ``file`` and ``postgres`` are in this process, ``served`` is one over HTTP. ``pooled`` is PostgreSQL behind
pgbouncer, for some files. With ``ST_CORE_URL`` (and
``ST_CORE_API_KEY``) set, the suite also runs on the core there, in an app that it makes and removes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from cluster import Cluster, cluster, pooled  # noqa: F401  # fixtures

from contract import commits
from contract.client import Caller, InProcess, OverHTTP, Wire, fresh, serving
from contract.official_types import official_types
from contract.plans import watched
from st_wsgi.embedded import EmbeddedCore, population

QUICK = {"argon2_memory_kb": 64}

#: A file is what memory is, for SQLite; over HTTP the official SDKs make these calls too. tests/embedded has both.
CORES = [
    "memory",
    pytest.param("file", marks=pytest.mark.exhaustive),
    "postgres",
    pytest.param("served", marks=pytest.mark.exhaustive),
    *(["remote"] if os.environ.get("ST_CORE_URL") else []),
]


#: Files that also run through pgbouncer. Their calls use each kind of read, write, lock and repetition of the store.
POOLED = ("test_emailpassword.py", "test_roles.py", "test_sessions.py")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on each core."""
    if "wire" in metafunc.fixturenames:
        some = ["pooled"] if metafunc.definition.path.name in POOLED else []
        metafunc.parametrize("wire", [*CORES, *some], indirect=True, scope="session")


@pytest.fixture(scope="session")
def wire(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A way to each core in turn."""
    if request.param == "remote":
        remote = OverHTTP(os.environ["ST_CORE_URL"])
        yield remote
        remote.close()
        return
    if request.param in ("postgres", "pooled"):
        postgres: Cluster = request.getfixturevalue("cluster")
        address = postgres.address if request.param == "postgres" else request.getfixturevalue("pooled")
        with EmbeddedCore.open(address(), settings=QUICK) as core:
            yield InProcess(core)
        return
    in_memory = request.param == "memory"
    path = None if in_memory else tmp_path_factory.mktemp("core") / "auth.db"
    with EmbeddedCore(path, settings=QUICK) as core:
        if request.param != "served":
            yield InProcess(core, has_types=in_memory)
            return
        with serving(core) as server:
            over_http = OverHTTP(server.address)
            yield over_http
            over_http.close()


@pytest.fixture(autouse=True)
def watch(request: pytest.FixtureRequest) -> Iterator[None]:
    """
    Watch what a core does in each test.

    In memory: its planner found an index for all statements, and what one table repeats of another is the same there.
    On PostgreSQL: no call commits twice what must not be done twice.
    """
    wire = request.getfixturevalue("wire") if "wire" in request.fixturenames else None
    kind = request.node.callspec.params["wire"] if isinstance(wire, InProcess) else None
    if isinstance(wire, InProcess) and kind == "memory":
        with watched(wire.core):
            yield
        assert population.orphans(wire.core.services.store) == {}
    elif kind in ("postgres", "pooled"):
        with commits.watched():
            yield
    else:
        yield


@pytest.fixture(scope="session")
def base(wire: Wire, request: pytest.FixtureRequest) -> Caller:
    """The core's public app."""
    headers = {"cdi-version": "5.4"}
    types = None
    if isinstance(wire, InProcess) and wire.has_types:
        # Without Node.js there are no types: test_types.py then says so.
        with suppress(pytest.skip.Exception):
            types = official_types()
    if isinstance(wire, OverHTTP) and "ST_CORE_API_KEY" in os.environ:
        headers["api-key"] = os.environ["ST_CORE_API_KEY"]
    return Caller(wire, headers=headers, types=types)


@pytest.fixture(scope="session")
def make_app(base: Caller) -> Iterator[Callable[..., Caller]]:
    """Make apps with settings of their own; they are removed in the end."""
    made = []

    def make(**core_config: object) -> Caller:
        app_id = fresh("contract")
        base.put("/recipe/multitenancy/app/v2", appId=app_id, coreConfig=core_config).says("OK", createdNew=True)
        made.append(app_id)
        return base.below(f"appid-{app_id}")

    yield make
    for app_id in made:
        tenants = base.below(f"appid-{app_id}").get("/recipe/multitenancy/tenant/list/v2")
        for tenant in tenants.body["tenants"] if tenants.status == 200 else ():
            if tenant["tenantId"] != "public":
                base.below(f"appid-{app_id}").post("/recipe/multitenancy/tenant/remove", tenantId=tenant["tenantId"])
        base.post("/recipe/multitenancy/app/remove", appId=app_id)


@pytest.fixture(scope="module")
def module_app(make_app: Callable[..., Caller]) -> Caller:
    """An app for the tests of one file."""
    return make_app()


@pytest.fixture
def app(module_app: Caller, base: Caller, request: pytest.FixtureRequest) -> Iterator[Caller]:
    """The app to test in. A test that says what it covers must have called it."""
    before = len(base.made)
    yield module_app
    made = {(method, path.rstrip("/") or "/") for method, path in base.made[before:]}
    for method, path in getattr(request.function, "covers", ()):
        assert (method, path.rstrip("/") or "/") in made, f"says that it covers {method} {path}, but never called it"


@pytest.fixture
def tenant(app: Caller) -> Caller:
    """A tenant of the app that nothing else uses."""
    tenant_id = fresh("tenant")
    app.put("/recipe/multitenancy/tenant/v2", tenantId=tenant_id, firstFactors=None).says("OK", createdNew=True)
    return app.below(tenant_id)
