"""PostgreSQL behind pgbouncer in transaction mode: consecutive transactions of a connection have different sessions."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from cluster import Cluster
from contract.client import email, fresh
from contract.test_emailpassword import SECRET
from contract.test_sessions import create, refresh, verify

from embedded.conftest import caller
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.storage.postgres import split
from st_wsgi.errors import ConfigError

Address = Callable[..., str]


def test_calls_at_the_same_time(pooled: Address, make_core: Callable[..., EmbeddedCore]) -> None:
    """Two cores and more threads than the pooler has connections: the same outcomes as without it."""
    address = pooled(fresh("s").replace("-", "_"))
    apps = [caller(make_core(address, hashing_queue_size=100)) for _ in range(2)]
    address_of_one, role = email(), fresh("role")
    token = create(apps[0], "user")["refreshToken"]["token"]

    def work(number: int) -> str:
        app = apps[number % 2]
        for _ in range(4):
            session = create(app, f"user-{number}")
            child = refresh(app, session["refreshToken"]["token"]).has()
            assert verify(app, child["accessToken"]["token"]).has()["session"]["userId"] == f"user-{number}"
        app.put("/recipe/role", role=role).has()
        app.put("/recipe/user/role", userId=f"user-{number}", role=role).has()
        refresh(app, token).has()
        status: str = app.post("/recipe/signup", email=address_of_one, password=SECRET).body["status"]
        return status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(work, range(8)))
    assert statuses == ["EMAIL_ALREADY_EXISTS_ERROR"] * 7 + ["OK"]
    users = apps[0].get("/recipe/role/users", role=role).body["users"]
    assert sorted(users) == [f"user-{number}" for number in range(8)]


def test_nothing_stays_in_a_session_of_the_server(
    cluster: Cluster, pooled: Address, make_core: Callable[..., EmbeddedCore]
) -> None:
    """The next client of the pooler, which may be another program, gets a session as if it were new."""
    app = caller(make_core(pooled()))
    query = (
        "SELECT ARRAY(SELECT name || setting FROM pg_settings WHERE source = 'session' AND name <> 'application_name'"
        " AND name <> 'client_encoding'), ARRAY(SELECT name FROM pg_prepared_statements),"
        " ARRAY(SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())"
    )
    seen = []
    for _ in range(8):
        refresh(app, create(app, "user")["refreshToken"]["token"]).has()
        app.put("/recipe/role", role=fresh("role")).has()
        app.get("/recipe/roles").has()
        with psycopg.connect(split(pooled())[0], autocommit=True, prepare_threshold=None) as other:
            seen.append(other.execute(query).fetchone())
    assert seen == [([], [], [])] * 8


def test_statements_that_two_clients_prepare_under_one_name(
    pooled: Address, make_core: Callable[..., EmbeddedCore]
) -> None:
    """They would get in each other's way in a session that both use. So none is prepared, whatever the setting says."""
    apps = [caller(make_core(pooled(prepare_threshold=1))) for _ in range(2)]
    calls = [lambda: apps[0].get("/recipe/roles"), lambda: apps[1].get("/recipe/role/users", role="admin")]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: calls[number % 2](), range(40)))
    assert {answer.body["status"] for answer in answers} == {"OK", "UNKNOWN_ROLE_ERROR"}


def test_an_option_that_the_pooler_refuses(pooled: Address) -> None:
    """The text names the option, and where it is allowed."""
    with pytest.raises(ConfigError, match=r"options.*ignore_startup_parameters"):
        EmbeddedCore.open(pooled(options="-c%20statement_timeout%3D5s"))
