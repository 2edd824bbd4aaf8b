"""Connections to PostgreSQL that break or hang: the call succeeds or says what happened, and nothing is done twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import psycopg
import pytest
from cluster import Cluster, running
from contract.client import Answer, Caller, email, fresh
from contract.test_emailpassword import SECRET, sign_up
from contract.test_sessions import create, refresh
from recipes.shop import no_mail
from sampling import exhaustive_but
from werkzeug.test import Client

from embedded.breaking_proxy import Proxy, proxy
from embedded.conftest import caller
from st_wsgi import AppInfo, SuperTokens
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session

UNCERTAIN = "The change may have been stored: look before you make it again"


@pytest.fixture
def between(cluster: Cluster) -> Iterator[Proxy]:
    """A proxy in front of the server."""
    with proxy(cluster.port) as made:
        yield made


def through(between: Proxy, cluster: Cluster, schema: str | None = None, **settings: object) -> str:
    """Return the address of a new schema behind a proxy. No statement is prepared, which would be a round trip more."""
    return cluster.address(schema, prepare_threshold=0, **settings).replace(f":{cluster.port}", f":{between.port}")


@attrs.frozen
class Scene:
    """
    A call that writes.

    :param prepare: makes what the call is about.
    :param call: makes it.
    :param is_done: asks a core whether it was done, wholly; fails if it was half done.
    """

    prepare: Callable[[Caller], Any]
    call: Callable[[Caller, Any], Answer]
    is_done: Callable[[Caller, Any], bool]


def _signed_up(app: Caller, address: str) -> bool:
    status = app.post("/recipe/signin", email=address, password=SECRET).body["status"]
    users = app.get("/users", email=address).body["users"]
    assert (status, len(users)) in (("OK", 1), ("WRONG_CREDENTIALS_ERROR", 0))
    return bool(status == "OK")


def _role_given(app: Caller, given: tuple[str, str]) -> bool:
    user, role = given
    mine = app.get("/recipe/user/roles", userId=user).body["roles"]
    theirs = app.get("/recipe/role/users", role=role).body["users"]
    assert (mine, theirs) in (([role], [user]), ([], []))
    return bool(mine == [role])


def _some_role(app: Caller) -> tuple[str, str]:
    role = fresh("role")
    app.put("/recipe/role", role=role).has()
    return fresh("user"), role


def _used_session(app: Caller) -> tuple[str, str]:
    """Return two generations of refresh tokens of a session, of which the second was not used yet."""
    first = create(app, fresh("user"))["refreshToken"]["token"]
    return first, refresh(app, first).has()["refreshToken"]["token"]


def _rotated(app: Caller, tokens: tuple[str, str]) -> bool:
    """Whether the use of the second token counts: then the first one is a stolen one, and otherwise still good."""
    first, _ = tokens
    status = refresh(app, first).body["status"]
    assert status in ("TOKEN_THEFT_DETECTED", "OK")
    return bool(status == "TOKEN_THEFT_DETECTED")


def _gone(app: Caller, user: dict[str, Any]) -> bool:
    found = app.get("/user/id", userId=user["id"]).body["status"]
    signed_in = app.post("/recipe/signin", email=user["emails"][0], password=SECRET).body["status"]
    assert (found, signed_in) in (("OK", "OK"), ("UNKNOWN_USER_ID_ERROR", "WRONG_CREDENTIALS_ERROR"))
    return bool(found != "OK")


SCENES = {
    "sign-up": Scene(
        prepare=lambda app: email(),
        call=lambda app, address: app.post("/recipe/signup", email=address, password=SECRET),
        is_done=_signed_up,
    ),
    "role": Scene(
        prepare=_some_role,
        call=lambda app, given: app.put("/recipe/user/role", userId=given[0], role=given[1]),
        is_done=_role_given,
    ),
    "refresh": Scene(
        prepare=_used_session,
        call=lambda app, tokens: refresh(app, tokens[1]),
        is_done=_rotated,
    ),
    "deletion": Scene(
        prepare=sign_up,
        call=lambda app, user: app.post("/user/remove", userId=user["id"]),
        is_done=_gone,
    ),
}


@pytest.mark.parametrize("name", exhaustive_but(SCENES, ["sign-up", "role", "refresh"]))
def test_a_connection_that_breaks_at_any_point_of_a_call(
    name: str, cluster: Cluster, between: Proxy, make_core: Callable[..., EmbeddedCore]
) -> None:
    """
    Before the commit the call is repeated, whether or not a statement arrived, and succeeds.

    In the commit it fails with an error that says so, and all is done or nothing, as the server has it.
    """
    scene, schema = SCENES[name], fresh("s").replace("-", "_")
    app = caller(make_core(through(between, cluster, schema=schema)))
    judge = caller(make_core(cluster.address(schema)))
    scene.call(app, scene.prepare(app)).has()  # all that is made once is there
    prepared = scene.prepare(app)
    between.count()
    scene.call(app, prepared).has()
    trips = between.trips
    assert trips > 1
    for at in sorted({*range(0, trips, 1 + trips // 12), trips - 2, trips - 1}):
        for arrives in (False, True):
            prepared = scene.prepare(app)
            app.get("/recipe/roles").has()  # a connection is open again
            between.break_once(at, arrives=arrives)
            answer = scene.call(app, prepared)
            assert between.broken
            if at < trips - 1:
                answer.has()
                assert scene.is_done(judge, prepared)
            else:
                assert (answer.status, UNCERTAIN in answer.body) == (503, True)
                assert scene.is_done(judge, prepared) is arrives
    scene.call(app, scene.prepare(app)).has()


@pytest.mark.parametrize("name", exhaustive_but(SCENES, ["sign-up"]))
def test_a_connection_that_hangs(
    name: str, cluster: Cluster, between: Proxy, make_core: Callable[..., EmbeddedCore]
) -> None:
    """After a limit the call fails with an error that says so. The next one works, on a new connection."""
    scene, schema = SCENES[name], fresh("s").replace("-", "_")
    app = caller(make_core(through(between, cluster, schema=schema, reply_timeout_ms=1000)))
    judge = caller(make_core(cluster.address(schema)))
    scene.call(app, scene.prepare(app)).has()  # all that is made once is there
    prepared = scene.prepare(app)
    between.count()
    scene.call(app, prepared).has()
    last = between.trips - 1
    for at, arrives in ((0, False), (last, False), (last, True)):
        prepared = scene.prepare(app)
        between.break_once(at, arrives=arrives, how="stall")
        answer = scene.call(app, prepared)
        assert between.broken
        assert answer.status == 503
        assert (UNCERTAIN if at == last else "did not reply within 1 seconds") in answer.body
        assert scene.is_done(judge, prepared) is (at == last and arrives)
        scene.call(app, scene.prepare(app)).has()


def test_a_server_that_refuses_connections(
    cluster: Cluster, between: Proxy, make_core: Callable[..., EmbeddedCore]
) -> None:
    """Calls wait for a connection as long as the setting says. When the server is back, they work again."""
    app = caller(make_core(through(between, cluster, pool_timeout_ms=1000)))
    user = sign_up(app)["id"]
    between.refusing = True
    between.break_all()
    for answer in (app.get("/user/id", userId=user), app.put("/recipe/role", role="admin")):
        assert (answer.status, "Is the server up" in answer.body) == (503, True)
    between.refusing = False
    app.get("/user/id", userId=user).has()
    app.put("/recipe/role", role="admin").has(createdNewRole=True)


def test_all_connections_break_while_threads_write(
    cluster: Cluster, between: Proxy, make_core: Callable[..., EmbeddedCore]
) -> None:
    """Each call succeeds, or its commit is uncertain. New connections take the place of the broken ones."""
    app = caller(make_core(through(between, cluster, pool_size=4)))
    create(app, "u")
    breaks = threading.Barrier(9, timeout=60)
    uncertain: list[str] = []

    def work(number: int) -> None:
        token = create(app, f"user-{number}")["refreshToken"]["token"]
        for turn in range(3):
            breaks.wait()
            for _ in range(4):
                answer = refresh(app, token)
                if answer.status == 200:
                    assert answer.body["status"] == "OK"
                    token = answer.body["refreshToken"]["token"]
                else:
                    assert UNCERTAIN in answer.body
                    uncertain.append(f"{number} {turn}")

    def break_them() -> None:
        for _ in range(3):
            breaks.wait()
            between.break_all()

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(lambda number: work(number) if number < 8 else break_them(), range(9)))
    assert len(uncertain) <= 3 * 4  # at most the connections that there were


@pytest.fixture(scope="module")
def two_servers(cluster: Cluster) -> Iterator[tuple[Cluster, Cluster]]:
    """Two servers that know nothing of each other, so that a test sees where a write went."""
    with running() as other:
        yield cluster, other


def _set_read_only(server: Cluster, value: str) -> None:
    """Set it for the sessions that there are, too: a new session has it when all others were told."""
    place = server.address().partition("?")[0]
    with psycopg.connect(place, autocommit=True) as db:
        # Not allowed in a transaction, and the setting itself must not forbid it.
        db.execute("SET default_transaction_read_only = off")
        db.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
        db.execute("SELECT pg_reload_conf()")
    for _ in range(1000):
        with psycopg.connect(place) as db:
            if db.execute("SHOW default_transaction_read_only").fetchone() == (value,):
                return
    pytest.fail(f"the server is not read-only={value}")


def test_the_writes_move_to_another_server(
    two_servers: tuple[Cluster, Cluster], make_core: Callable[..., EmbeddedCore]
) -> None:
    """With two hosts and target_session_attrs=read-write, calls find the server that takes writes, and say nothing."""
    first, second = two_servers
    hosts = f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
    settings = "schema=moves&target_session_attrs=read-write"
    apps = [caller(make_core(server.address("moves"))) for server in two_servers]
    app = caller(make_core(f"postgresql://tests@{hosts}/postgres?{settings}"))
    app.put("/recipe/role", role="one").has(createdNewRole=True)
    assert [each.get("/recipe/roles").body["roles"] for each in apps] == [["one"], []]
    _set_read_only(first, "on")
    try:
        app.put("/recipe/role", role="two").has(createdNewRole=True)
    finally:
        _set_read_only(first, "off")
    assert [each.get("/recipe/roles").body["roles"] for each in apps] == [["one"], ["two"]]


def _visitor(st: SuperTokens) -> Callable[..., Any]:
    client = Client(st.wrap(lambda environ, start_response: []), use_cookies=False)

    def post(path: str, token: str = "", **fields: str) -> Any:
        form = {"formFields": [{"id": name, "value": value} for name, value in fields.items()]}
        headers = {"st-auth-mode": "header", **({"Authorization": f"Bearer {token}"} if token else {})}
        return client.post(path, json=form, headers=headers)

    return post


@pytest.mark.one_python
def test_an_app_whose_connections_break(cluster: Cluster, between: Proxy) -> None:
    """Wherever it happens, a route answers as always or 503, and what was not answered can be asked for again."""
    st = SuperTokens(
        app_info=AppInfo(app_name="shop", api_domain="https://shop.example", website_domain="https://shop.example"),
        core=through(between, cluster, argon2_memory_kb=64),
        recipes=[EmailPassword(email_delivery=no_mail), Session()],
    )
    post = _visitor(st)

    def fields() -> dict[str, str]:
        return {"email": email(), "password": "correct horse 1"}

    def sign_up_again(known: dict[str, str]) -> None:
        """The user is there, with this password, or the address is free."""
        statuses = [post(f"/auth/{what}", **known).json["status"] for what in ("signin", "signup")]
        assert statuses in (["OK", "FIELD_ERROR"], ["WRONG_CREDENTIALS_ERROR", "OK"])

    def refresh_again(token: str) -> None:
        assert post("/auth/session/refresh", token).status_code == 200

    assert post("/auth/signup", **fields()).json["status"] == "OK"  # all that is made once is there
    steps: list[tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], None]]] = [
        (fields, lambda known: post("/auth/signup", **known), sign_up_again),
        (
            lambda: post("/auth/signup", **fields()).headers["st-refresh-token"],
            lambda token: post("/auth/session/refresh", token),
            refresh_again,
        ),
    ]
    for prepare, ask, again in steps:
        prepared = prepare()
        between.count()
        assert ask(prepared).status_code == 200
        trips, failures = between.trips, 0
        for at in range(trips):
            prepared = prepare()
            between.break_once(at, arrives=at % 2 == 0)
            answered = ask(prepared)
            assert answered.status_code in (200, 503), answered.text
            if answered.status_code == 200:
                assert answered.json.get("status", "OK") == "OK"
                assert "st-refresh-token" in answered.headers
            else:
                failures += 1
                assert int(answered.headers["Retry-After"]) > 0
                again(prepared)
        assert 1 <= failures < trips
    st.close()
