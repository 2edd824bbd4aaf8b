"""How often a call waits for PostgreSQL. Each time is a way through the network and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from cluster import Cluster
from contract.client import Caller, email
from contract.test_emailpassword import sign_up
from contract.test_sessions import create, refresh

from embedded.breaking_proxy import Proxy, proxy
from embedded.conftest import caller
from st_wsgi.embedded import EmbeddedCore

#: Calls before those that are counted: connections are opened, keys made and statements prepared.
WARM = 8


@pytest.fixture
def wire(cluster: Cluster) -> Iterator[Proxy]:
    """A proxy in front of the server."""
    with proxy(cluster.port) as made:
        yield made


@pytest.fixture
def app(wire: Proxy, cluster: Cluster, make_core: Callable[..., EmbeddedCore]) -> Caller:
    """The public app of a core behind that proxy."""
    address = cluster.address(sslmode="disable", gssencmode="disable", supertokens_max_cdi_version="5.6")
    return caller(make_core(address.replace(f":{cluster.port}/", f":{wire.port}/")))


def waits(wire: Proxy, call: Callable[[], object]) -> list[int]:
    """Return how often each of some calls waits."""
    found = []
    for number in range(WARM + 8):
        wire.count()
        call()
        if number >= WARM:
            found.append(wire.trips)
    return found


def test_a_verification_with_the_database_waits_once(app: Caller, wire: Proxy) -> None:
    token = create(app, "user")["accessToken"]["token"]
    body = {"accessToken": token, "doAntiCsrfCheck": False, "enableAntiCsrf": False, "checkDatabase": True}
    assert waits(wire, lambda: app.post("/recipe/session/verify", **body).has()) == [1] * 8


@pytest.mark.parametrize("version", ["5.4", "5.6"])
def test_a_refresh_waits_twice(app: Caller, wire: Proxy, version: str) -> None:
    """Once to read the session, once to change it."""
    app.headers["cdi-version"] = version
    tokens = [create(app, sign_up(app)["id"])["refreshToken"]["token"]]

    def call() -> None:
        tokens.append(refresh(app, tokens[-1]).has()["refreshToken"]["token"])

    assert waits(wire, call) == [2] * 8


def test_a_sign_in_waits_twice(app: Caller, wire: Proxy) -> None:
    """Once to read the hash, once to read the user and to note that they are active."""
    body = {"email": email(), "password": "correct horse 1"}
    app.post("/recipe/signup", **body).has()
    assert waits(wire, lambda: app.post("/recipe/signin", **body).has()) == [2] * 8
