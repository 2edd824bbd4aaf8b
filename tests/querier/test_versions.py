"""Which version is spoken, and who asks for it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from transport.cores import PATIENCE, core, dead

from querier.scripted import KEY, Scripted, in_threads, querier
from st_wsgi.core_client.transport import CoreReply, CoreRequest, HTTPTransport
from st_wsgi.errors import ConfigError, CoreReplyInvalid, CoreTooOld, CoreUnavailable


def test_the_version_is_asked_for_once_with_domains_and_key_but_no_version(scripted: Scripted) -> None:
    client = querier(scripted, api_key=KEY, website_domain="https://example.com")
    for _ in range(3):
        client.get("/users")
    assert [request.path for request in scripted.asked] == ["/apiversion", "/users", "/users", "/users"]
    first = scripted.asked[0]
    assert dict(first.params) == {"apiDomain": "https://api.example.com", "websiteDomain": "https://example.com"}
    assert dict(first.headers) == {"api-key": KEY}


def test_a_website_that_depends_on_the_request_is_left_out(scripted: Scripted) -> None:
    querier(scripted).get("/users")
    assert dict(scripted.asked[0].params) == {"apiDomain": "https://api.example.com"}


@pytest.mark.parametrize(
    ("ours", "theirs", "chosen"),
    [
        (("5.4",), ["5.0", "5.4"], "5.4"),
        (("5.4",), ["5.10", "5.4.0", "6.0"], "5.4"),
        (("5.4", "5.10", "5.9"), ["5.9", "5.10", "5.4"], "5.10"),
        (("5.4", "5.5"), ["5.4", "", "new", "5.x", "5"], "5.4"),
    ],
)
def test_the_highest_common_version_is_chosen_by_number(
    scripted: Scripted, ours: tuple[str, ...], theirs: list[str], chosen: str
) -> None:
    scripted.versions = theirs
    assert querier(scripted, cdi_versions=ours).api_version() == chosen


def test_nothing_in_common_names_both_lists_and_the_way_out(scripted: Scripted) -> None:
    scripted.versions = ["4.0", "5.3"]
    client = querier(scripted)
    with pytest.raises(CoreTooOld, match=r"uses 5\.4, the core has 4\.0, 5\.3.*Upgrade the core") as raised:
        client.get("/users")
    assert (raised.value.ours, raised.value.theirs) == (("5.4",), ("4.0", "5.3"))
    assert scripted.calls == []


@pytest.mark.parametrize("versions", [None, "5.4", {"5.4": True}, [5.4], [None, "5.4"]])
def test_a_list_of_versions_that_is_none_is_an_invalid_answer(scripted: Scripted, versions: Any) -> None:
    scripted.versions = versions
    with pytest.raises(CoreReplyInvalid, match=r"/apiversion: versions is a .*, not a (list|str)"):
        querier(scripted).get("/users")


def test_a_failed_negotiation_is_not_remembered(scripted: Scripted) -> None:
    client = querier(scripted)
    scripted.versions = ["1.0"]
    with pytest.raises(CoreTooOld):
        client.get("/users")
    scripted.versions = ["5.4"]
    assert client.get("/users").body == {"status": "OK", "path": "/users"}


@pytest.mark.parametrize("versions", [(), ("",), ("5",), ("new",)])
def test_versions_of_ours_that_are_none_are_refused(scripted: Scripted, versions: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="cdi_versions"):
        querier(scripted, cdi_versions=versions)


def test_twenty_threads_on_a_cold_start_make_one_version_request() -> None:
    """QT-6."""
    with core() as host:
        transport = HTTPTransport(host.url)
        client = querier(transport)
        assert in_threads(20, lambda: client.get("/users")) == []
        transport.close()
        assert host.paths.count("GET /apiversion") == 1
        assert host.paths.count("GET /users") == 20


def test_those_who_wait_for_a_version_get_the_error_of_the_one_who_asked(scripted: Scripted) -> None:
    client = querier(scripted)
    waiting = threading.Event()
    failing = CoreUnavailable("not there")

    def refuse(_: CoreRequest) -> CoreReply:
        scripted.asked.append(_)
        waiting.wait(PATIENCE)
        raise failing

    scripted.send = refuse  # type: ignore[method-assign] # this one test needs /apiversion itself to fail
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            client.api_version()
        except CoreUnavailable as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    waiting.set()
    for thread in threads:
        thread.join()
    assert errors == [failing] * 5
    assert 1 <= len(scripted.asked) <= 5


def test_an_interceptor_that_fails_in_one_thread_does_not_fail_the_others(scripted: Scripted) -> None:
    """Only the core's own failures are shared; an exception of another library is not."""
    first = threading.Event()

    def intercept(url: str, method: str, headers: Any, params: Any, body: Any, _: Any) -> Any:
        if not first.is_set():
            first.set()
            raise LookupError("an override of the app broke")
        return url, method, headers, params, body

    with core() as host:
        transport = HTTPTransport(host.url)
        client = querier(transport, network_interceptor=intercept)
        errors = in_threads(8, lambda: client.get("/users"))
        transport.close()
    assert [type(error) for error in errors] == [LookupError]
    assert host.paths.count("GET /users") == 7


def test_an_interceptor_that_calls_the_core_before_the_version_is_known_is_told_so() -> None:
    def intercept(url: str, method: str, headers: Any, params: Any, body: Any, _: Any) -> Any:
        client.get("/recipe/roles")
        return url, method, headers, params, body

    with core() as host:
        transport = HTTPTransport(host.url)
        client = querier(transport, network_interceptor=intercept)
        with pytest.raises(ConfigError, match="network_interceptor must not call the core"):
            client.get("/users")
        transport.close()
        assert host.seen == []


@pytest.mark.parametrize("verb", ["get", "post", "put", "delete"])
def test_the_very_first_call_of_a_process_succeeds_although_the_first_host_is_dead(verb: str) -> None:
    """QT-1: negotiation inside the call neither uses up nor shifts the call's turns."""
    with dead() as nobody, core() as alive:
        transport = HTTPTransport([nobody, alive.url])
        assert getattr(querier(transport), verb)("/thing").is_ok()
        transport.close()
        assert alive.paths == ["GET /apiversion", f"{verb.upper()} /thing"]


def test_negotiation_takes_no_turn_from_the_call_around_it() -> None:
    with core() as one, core() as two:
        transport = HTTPTransport([one.url, two.url])
        client = querier(transport)
        for number in range(3):
            client.get(f"/{number}")
        transport.close()
        assert one.paths == ["GET /apiversion", "GET /0", "GET /2"]
        assert two.paths == ["GET /1"]
