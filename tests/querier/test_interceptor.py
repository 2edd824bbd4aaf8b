"""The app's own hand on every request."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from transport.cores import core

from querier.scripted import KEY, InFlight, Requests, Scripted, passing, querier
from st_wsgi.core_client.transport import Attempt, HTTPTransport
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import ConfigError


def test_the_interceptor_sees_every_request_and_what_it_returns_is_sent() -> None:
    record: list[tuple[Any, ...]] = []
    in_flight = InFlight(ours=True)
    context = in_flight.user_context
    context["note"] = 1
    with core() as host:
        transport = HTTPTransport(host.url)
        client = querier(transport, api_key=KEY, network_interceptor=passing(record), in_flight=lambda: in_flight)
        client.get("/users", {"limit": 1}, tenant_id="public")
        client.of_recipe("emailpassword").post("/recipe/signup", {"email": "a@b.c"})
        client.delete("/recipe/thing", {"id": "a"})
        transport.close()
        common = {"cdi-version": "5.4", "api-key": KEY}
        json_type = {"content-type": "application/json; charset=utf-8"}
        assert record == [
            ("GET", f"{host.url}/apiversion", {"api-key": KEY}, {"apiDomain": "https://api.example.com"}, {}, context),
            ("GET", f"{host.url}/public/users", common, {"limit": "1"}, {}, context),
            (
                "POST",
                f"{host.url}/recipe/signup",
                {**common, "rid": "emailpassword", **json_type},
                {},
                {"email": "a@b.c"},
                context,
            ),
            ("DELETE", f"{host.url}/recipe/thing", common, {"id": "a"}, {}, context),
        ]
        assert all(seen.headers["x-seen"] == "1" for seen in host.seen)
        assert [seen.body for seen in host.seen] == [b"", b"", b'{"email":"a@b.c"}', b""]
    assert record[1][5] is context


def test_an_empty_body_of_a_post_passes_the_interceptor_as_one() -> None:
    with core() as host:
        transport = HTTPTransport(host.url)
        querier(transport, network_interceptor=passing([])).post("/recipe/thing")
        transport.close()
        assert host.seen[-1].body == b"{}"


def test_the_cache_comes_before_the_interceptor_and_does_not_know_what_it_changed(requests: Requests) -> None:
    record: list[tuple[Any, ...]] = []
    with core() as host:
        transport = HTTPTransport(host.url)
        client = requests.client(transport, network_interceptor=passing(record))
        for _ in range(3):
            client.get("/users")
        transport.close()
    assert [seen[1] for seen in record] == [f"{host.url}/apiversion", f"{host.url}/users"]


URL = "http://core/x"


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        (None, "must return url, method, headers, params and body"),
        ((URL, "GET", {}, {}), "must return url, method, headers, params and body"),
        ({"url": URL}, "must return url, method, headers, params and body"),
        ((1, "GET", {}, {}, {}), "must return a url and one of GET, POST, PUT and DELETE"),
        ((URL, "PATCH", {}, {}, {}), "must return a url and one of GET, POST, PUT and DELETE"),
        ((URL, None, {}, {}, {}), "must return a url and one of GET, POST, PUT and DELETE"),
        ((URL, ["GET"], {}, {}, {}), "must return a url and one of GET, POST, PUT and DELETE"),
        ((URL, "GET", None, {}, {}), "mappings from text to text"),
        ((URL, "GET", {"a": 1}, {}, {}), "mappings from text to text"),
        ((URL, "GET", {}, {"a": None}, {}), "mappings from text to text"),
        ((URL, "GET", {}, [("a", "b")], {}), "mappings from text to text"),
        ((URL, "GET", {"a": "b\r\nc: d"}, {}, {}), "a header that cannot be sent"),
        ((URL, "GET", {"a b": "c"}, {}, {}), "a header that cannot be sent"),
        ((URL, "GET", {"a": "\u20ac"}, {}, {}), "a header that cannot be sent"),
        ((URL, "POST", {}, {}, "text"), "a mapping or None as body"),
        ((URL, "POST", {}, {}, [1]), "a mapping or None as body"),
        (("/relative", "GET", {}, {}, {}), "a full http"),
    ],
)
def test_an_interceptor_that_returns_something_else_is_told_what_is_wrong(returned: Any, problem: str) -> None:
    with core() as host:
        transport = HTTPTransport(host.url)
        client = querier(transport, api_key=KEY, network_interceptor=lambda *_: returned)
        with pytest.raises(ConfigError, match=f"network_interceptor .*{problem}") as refused:
            client.get("/users")
        transport.close()
        assert host.seen == []
        assert KEY not in str(refused.value)


def test_an_interceptor_may_leave_parameters_and_body_out_and_use_any_mapping() -> None:
    def intercept(url: str, method: str, headers: Any, params: Any, body: Any, _: Any) -> Any:
        return [url, method, headers, None, None]

    with core() as host:
        transport = HTTPTransport(host.url)
        querier(transport, network_interceptor=intercept).post("/thing", {"a": 1})
        transport.close()
        assert (host.seen[-1].body, host.seen[-1].params) == (b"", {})


def test_the_interceptor_is_handed_to_transports_in_the_same_process_too(scripted: Scripted) -> None:
    client = querier(scripted, network_interceptor=passing([]))
    client.get("/users")
    (first, second) = scripted.asked
    for request in (first, second):
        assert request.intercept is not None
        attempt = Attempt("http://embedded/users", "GET", {"a": "b"}, {}, None)
        assert request.intercept(attempt) == attrs.evolve(attempt, headers={"a": "b", "x-seen": "1"})


def test_the_embedded_core_lets_the_interceptor_see_and_change_its_calls() -> None:
    """Q-40."""
    record: list[str] = []

    def rename(url: str, method: str, headers: Any, params: Any, body: Any, _context: Any) -> Any:
        record.append(f"{method} {url}")
        return url, method, {**headers, "API-Key": "x"}, params, {**body, "userId": "other"} if body else body

    with EmbeddedCore() as core:
        client = querier(core, network_interceptor=rename)
        client.put("/recipe/user/metadata", {"userId": "ada", "metadataUpdate": {"a": 1}}).check()
        metadata = querier(core).get("/recipe/user/metadata", {"userId": "other"}).ok(dict[str, Any], "metadata")
        elsewhere = querier(core, network_interceptor=lambda _url, *rest: ("http://other/apiversion", *rest[:4]))
        with pytest.raises(ConfigError, match="cannot send a call of the embedded core to 'http://other/"):
            elsewhere.get("/users")
    assert metadata == {"a": 1}
    origin = "http://embedded.localhost"
    assert record == [f"GET {origin}/apiversion", f"PUT {origin}/recipe/user/metadata"]
