"""GETs are kept for one request, and dropped with the first write."""

from __future__ import annotations

import gc
import weakref

import pytest

from querier.scripted import Requests, Scripted, querier
from st_wsgi.core_client.transport import CoreReply, CoreRequest
from st_wsgi.errors import CoreRefused, CoreReplyInvalid, CoreUnavailable


def test_the_same_get_is_asked_once_in_a_request_and_again_in_the_next(scripted: Scripted, requests: Requests) -> None:
    client = requests.client(scripted)
    for _ in range(3):
        assert client.get("/recipe/roles").body == {"status": "OK", "path": "/recipe/roles"}
    requests.next()
    client.get("/recipe/roles")
    assert scripted.calls == ["GET /recipe/roles"] * 2


def test_gets_that_differ_in_anything_are_not_mixed_up(scripted: Scripted, requests: Requests) -> None:
    client = requests.client(scripted)
    client.get("/recipe/user", {"userId": "a", "x": "1"})
    client.get("/recipe/user", {"x": "1", "userId": "a"})
    assert len(scripted.calls) == 1
    client.get("/recipe/user", {"userId": "b", "x": "1"})
    client.get("/recipe/user", {"userId": "a", "x": "1"}, tenant_id="shop")
    client.of_recipe("emailpassword").get("/recipe/user", {"userId": "a", "x": "1"})
    client.get("/recipe/user", {"userId": "a;x=1"})
    client.get("/recipe/user", {"userId": "a", "x": 2})
    assert len(scripted.calls) == 6


@pytest.mark.parametrize("verb", ["post", "put", "delete"])
def test_a_write_empties_the_cache_of_its_request(scripted: Scripted, requests: Requests, verb: str) -> None:
    client = requests.client(scripted)
    client.get("/recipe/roles")
    getattr(client, verb)("/recipe/thing")
    client.get("/recipe/roles")
    assert scripted.calls.count("GET /recipe/roles") == 2


def test_a_failed_write_empties_the_cache_too(scripted: Scripted, requests: Requests) -> None:
    """It may have been done all the same."""
    client = requests.client(scripted)
    client.get("/recipe/roles")

    def fail(request: CoreRequest) -> CoreReply:
        raise CoreUnavailable("reset in the middle")

    answer, scripted.behave = scripted.behave, fail
    with pytest.raises(CoreUnavailable):
        client.post("/recipe/thing")
    scripted.behave = answer
    client.get("/recipe/roles")
    assert scripted.calls.count("GET /recipe/roles") == 2


def test_what_was_read_while_a_write_was_under_way_is_not_kept(scripted: Scripted, requests: Requests) -> None:
    """Two threads that share a request: a read that began before the end of a write may be old."""
    client = requests.client(scripted)
    answer = scripted.behave

    def reading_meanwhile(request: CoreRequest) -> CoreReply:
        scripted.behave = answer
        client.get("/recipe/roles")
        return answer(request)

    client.api_version()
    scripted.behave = reading_meanwhile
    client.post("/recipe/thing")
    client.get("/recipe/roles")
    assert scripted.calls.count("GET /recipe/roles") == 2


def test_a_read_that_overlaps_a_write_does_not_come_back_after_it(scripted: Scripted, requests: Requests) -> None:
    client = requests.client(scripted)
    answer = scripted.behave

    def writing_meanwhile(request: CoreRequest) -> CoreReply:
        scripted.behave = answer
        client.post("/recipe/thing")
        return answer(request)

    client.api_version()
    scripted.behave = writing_meanwhile
    client.get("/recipe/roles")
    client.get("/recipe/roles")
    assert scripted.calls.count("GET /recipe/roles") == 2


@pytest.mark.parametrize(("inside_api", "asked"), [(True, 1), (False, 2)], ids=["inside our API", "anywhere else"])
def test_a_write_outside_our_own_routes_empties_the_caches_of_all_requests(
    scripted: Scripted, inside_api: bool, asked: int
) -> None:
    reader, writer = Requests(), Requests()
    writer.ours = inside_api
    writer.next()
    reading, writing = reader.client(scripted), writer.client(scripted)
    reading.get("/recipe/roles")
    writing.post("/recipe/thing")
    reading.get("/recipe/roles")
    assert scripted.calls.count("GET /recipe/roles") == asked


def test_a_write_outside_any_request_empties_the_caches_of_all_requests(scripted: Scripted, requests: Requests) -> None:
    client = requests.client(scripted)
    client.get("/recipe/roles")
    querier(scripted).post("/recipe/thing")
    client.get("/recipe/roles")
    assert scripted.calls.count("GET /recipe/roles") == 2


def test_a_role_revoked_between_two_requests_is_gone_in_the_second(scripted: Scripted) -> None:
    """QT-7, with the revocation in another process: nothing but the request's end can tell."""
    roles = ["admin"]
    scripted.behave = lambda _: CoreReply(200, {"status": "OK", "roles": list(roles)})
    requests = Requests()
    client = requests.client(scripted)
    assert client.get("/recipe/user/roles", {"userId": "a"}).body["roles"] == ["admin"]
    roles.clear()
    assert client.get("/recipe/user/roles", {"userId": "a"}).body["roles"] == ["admin"]
    requests.next()
    assert client.get("/recipe/user/roles", {"userId": "a"}).body["roles"] == []


def test_a_caller_cannot_change_a_reply_for_the_next_one(scripted: Scripted, requests: Requests) -> None:
    scripted.behave = lambda _: CoreReply(200, {"status": "OK", "user": {"emails": ["a@b.c"]}})
    client = requests.client(scripted)
    for _ in range(3):
        answer = client.get("/user/id").body
        assert answer == {"status": "OK", "user": {"emails": ["a@b.c"]}}
        answer["user"]["emails"].append("mine")
        answer.clear()
    assert len(scripted.calls) == 1


def test_nothing_is_cached_without_a_request_or_when_it_is_switched_off(scripted: Scripted, requests: Requests) -> None:
    off = requests.client(scripted, disable_core_call_cache=True)
    for _ in range(2):
        off.get("/recipe/roles")
    requests.in_flight = None
    outside = requests.client(scripted)
    for _ in range(2):
        outside.get("/recipe/roles")
    assert len(scripted.calls) == 4


@pytest.mark.parametrize("response", [CoreReply(500, "no"), CoreReply(200, "text"), CoreReply(201, {})])
def test_only_answers_of_200_are_cached(scripted: Scripted, requests: Requests, response: CoreReply) -> None:
    client = requests.client(scripted)
    scripted.behave = lambda _: response
    for _ in range(2):
        try:
            client.get("/recipe/roles")
        except (CoreRefused, CoreReplyInvalid):
            continue
    assert len(scripted.calls) == 2


def test_versions_and_key_sets_are_not_cached_here(scripted: Scripted, requests: Requests) -> None:
    client = requests.client(scripted)
    for _ in range(2):
        client.get_jwks()
    assert len(scripted.calls) == 2


def test_two_instances_in_one_request_share_neither_answers_nor_versions_nor_keys(requests: Requests) -> None:
    one, two = Scripted(), Scripted()
    two.versions = ["5.5"]
    first = requests.client(one, api_key="one")
    second = requests.client(two, api_key="two", cdi_versions=("5.5",))
    for client in (first, second):
        client.get("/recipe/roles")
    assert [dict(request.headers) for request in (one.asked[-1], two.asked[-1])] == [
        {"cdi-version": "5.4", "api-key": "one"},
        {"cdi-version": "5.5", "api-key": "two"},
    ]
    assert one.calls == two.calls == ["GET /recipe/roles"]


def test_a_querier_that_is_not_used_any_more_is_not_kept_alive_for_forks(scripted: Scripted) -> None:
    client = querier(scripted)
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None
