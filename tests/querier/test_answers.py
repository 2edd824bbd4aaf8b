"""What comes back: a JSON object, or which error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import attrs
import pytest
from transport.cores import Answer, core, friendly

from querier.scripted import KEY, Scripted, querier
from st_wsgi.core_client.replies import Reply
from st_wsgi.core_client.transport import CoreReply, HTTPTransport
from st_wsgi.errors import CoreBusy, CoreError, CoreRefused, CoreReplyInvalid


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(b"<html>login</html>", headers=(("Content-Type", "text/html"),)), "no JSON object but 18 characters"),
        (Answer(b""), "no JSON object but 0 characters"),
        (Answer(b"[]"), "no JSON object but 2 characters"),
        (Answer(b"12"), "no JSON object but 2 characters"),
        (Answer(b"x" * 2_000_000), "larger than 1000000 bytes"),
        (Answer(b"", 302, (("Location", "http://127.0.0.1:1/"),)), "status 302; redirects are not followed"),
        (Answer(b"", 304), "status 304"),
    ],
    ids=["html", "empty", "list", "number", "huge", "redirect", "not modified"],
)
def test_an_answer_that_is_no_json_object_is_a_typed_error_that_names_the_path(answer: Answer, problem: str) -> None:
    """QT-9."""
    with core(lambda seen: friendly(seen) if seen.path == "/apiversion" else answer) as host:
        transport = HTTPTransport(host.url, max_reply_bytes=1_000_000)
        client = querier(transport)
        for verb in (client.get, client.post):
            with pytest.raises(CoreReplyInvalid, match=f"to /recipe/thing: .*{problem}") as raised:
                verb("/recipe/thing")
            assert raised.value.path == "/recipe/thing"
        transport.close()
        assert len(host.seen) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 500, 503])
def test_any_other_status_is_a_refusal_with_what_the_core_said(scripted: Scripted, status: int) -> None:
    scripted.behave = lambda _: CoreReply(status, "Field name 'x' is invalid in JSON input\n")
    with pytest.raises(CoreRefused, match=f"replied {status} to POST /shop/recipe/thing: Field name 'x'") as raised:
        querier(scripted).post("/recipe/thing", tenant_id="shop")
    error = raised.value
    assert (error.status, error.method, error.path) == (status, "POST", "/shop/recipe/thing")
    assert error.text == "Field name 'x' is invalid in JSON input"


@pytest.mark.parametrize(("header", "seconds"), [("1", "1"), ("0", "1"), ("120", "120")])
def test_a_busy_core_says_when_to_try_again(scripted: Scripted, header: str, seconds: str) -> None:
    scripted.behave = lambda _: CoreReply(503, f"busy, said to {KEY}", {"retry-after": header})
    with pytest.raises(CoreBusy, match="GET /users: the core is busy: busy, said to") as raised:
        querier(scripted, api_key=KEY).get("/users")
    assert KEY not in str(raised.value)
    response = raised.value.plain_response()
    assert (response.status_code, response.headers["Retry-After"]) == (503, seconds)


def test_a_503_without_a_number_of_seconds_is_a_refusal(scripted: Scripted) -> None:
    scripted.behave = lambda _: CoreReply(503, "down", {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"})
    with pytest.raises(CoreRefused, match="replied 503"):
        querier(scripted).get("/users")


def test_a_refusal_in_json_gives_its_message(scripted: Scripted) -> None:
    scripted.behave = lambda _: CoreReply(400, {"message": "so not"})
    with pytest.raises(CoreRefused, match="so not"):
        querier(scripted).get("/users")


@pytest.mark.parametrize(
    ("status", "text", "remedy"),
    [
        (401, "Invalid API key\n", "Set api_key"),
        (402, "Cannot use feature: multi_tenancy\n", "This feature needs a licence"),
        (404, "Not found\n", "Is the base path in core right"),
    ],
)
def test_the_usual_refusals_come_with_a_remedy(scripted: Scripted, status: int, text: str, remedy: str) -> None:
    scripted.behave = lambda _: CoreReply(status, text)
    with pytest.raises(CoreRefused, match=f"{text.strip()}[.] {remedy}"):
        querier(scripted, api_key=KEY).get("/users")


def test_a_wrong_key_is_refused_in_the_very_first_call_with_its_remedy() -> None:
    with core(lambda _: Answer(b"Invalid API key\n", 401)) as host:
        transport = HTTPTransport(host.url)
        with pytest.raises(CoreRefused, match=r"401 to GET /apiversion: Invalid API key[.] Set api_key") as raised:
            querier(transport, api_key=KEY).get("/users")
        transport.close()
    assert KEY not in str(raised.value)


PAGE = b"<!DOCTYPE html>\n<title>Welcome</title>" + b"<p>hello</p>" * 100


@pytest.mark.parametrize(
    "answer",
    [
        Answer(PAGE, 404, (("Content-Type", "text/html; charset=utf-8"),)),
        Answer(PAGE, 500, (("Content-Type", "text/html; charset=utf-8"),)),
        Answer(PAGE, 200, (("Content-Type", "text/html; charset=utf-8"),)),
        Answer({"detail": "Not Found"}, 404),
        Answer({"hello": "world"}, 200),
        Answer(b"hello world", 200),
    ],
    ids=["page 404", "page 500", "page 200", "JSON 404", "JSON 200", "text"],
)
def test_another_web_server_at_the_cores_address_is_named_with_the_cure_and_without_its_page(answer: Answer) -> None:
    with core(lambda _: answer) as host:
        transport = HTTPTransport(host.url)
        with pytest.raises(CoreError) as raised:
            querier(transport).get("/users")
        transport.close()
    text = str(raised.value)
    assert f"the core at {host.url} " in text
    assert text.endswith("Set core to the address of a SuperTokens core, with the base path if it has one")
    assert "<" not in text and "\n" not in text


def test_secrets_of_the_request_are_cut_out_of_what_the_core_says(scripted: Scripted) -> None:
    secrets = {"password": "hunter2!", "accessToken": "eyJhbGciOi", "nested": {"userInputCode": "123456"}}
    echo = f"{KEY} hunter2! eyJhbGciOi 123456 in-the-query a@b.c " + "x" * 5000
    scripted.behave = lambda _: CoreReply(500, echo)
    with pytest.raises(CoreRefused) as raised:
        querier(scripted, api_key=KEY).put("/recipe/user", {**secrets, "email": "a@b.c"}, {"linkCode": "in-the-query"})
    assert raised.value.text.startswith("*** *** *** *** *** a@b.c xxx")
    assert len(raised.value.text) <= 300


@attrs.frozen
class Thing:
    name: str
    sizes: tuple[int, ...] = ()
    status: ClassVar[str] = "OK"


@attrs.frozen
class NoThing:
    status: ClassVar[str] = "NO_THING_ERROR"


def reply(**body: Any) -> Reply:
    return Reply(body, path="/recipe/thing")


def test_a_reply_becomes_the_result_whose_status_it_has() -> None:
    assert reply(status="OK", name="a", sizes=[1, 2], more=True).into(Thing, NoThing) == Thing("a", (1, 2))
    assert reply(status="NO_THING_ERROR").into(Thing, NoThing) == NoThing()


def test_a_reply_gives_single_members_of_the_types_that_are_asked_for() -> None:
    said = reply(status="OK", names=["a"], count=3, things=[{"name": "a"}], data={"x": None})
    assert said.ok(list[str], "names") == ["a"]
    assert said.ok(int, "count") == 3
    assert said.ok(tuple[Thing, ...], "things") == (Thing("a"),)
    assert said.ok(dict[str, Any], "data") == {"x": None}
    assert reply(count=3).member(int, "count") == 3


def test_a_reply_that_may_have_another_status_says_which_it_has() -> None:
    assert reply(status="OK").is_ok("NO_THING_ERROR")
    assert not reply(status="NO_THING_ERROR").is_ok("NO_THING_ERROR")
    reply(status="OK").check()


@pytest.mark.parametrize(
    ("read", "problem"),
    [
        (lambda said: said.ok(list[str], "count"), "count is a int, not a list"),
        (lambda said: said.ok(list[str], "mixed"), "mixed is a int, not a str"),
        (lambda said: said.ok(Thing, "thing"), "thing name is missing"),
        (lambda said: said.ok(int, "other"), "other is missing"),
        (lambda said: said.member(str, "count"), "count is a int, not a str"),
        (lambda said: said.into(Thing), "name is missing"),
    ],
)
def test_a_member_of_another_type_is_an_error_that_names_call_and_member(
    read: Callable[[Reply], object], problem: str
) -> None:
    with pytest.raises(CoreReplyInvalid) as raised:
        read(reply(status="OK", count=3, mixed=["a", 5], thing={}))
    assert (raised.value.path, raised.value.problem) == ("/recipe/thing", problem)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({}, "missing"),
        ({"status": None}, "missing"),
        ({"status": 1}, "not a text"),
        ({"status": ["OK"]}, "not a text"),
        ({"status": "NEW_ERROR"}, "'NEW_ERROR'"),
        ({"status": "ok"}, "'ok'"),
    ],
)
def test_an_unknown_status_is_an_error_and_not_a_guess(body: dict[str, Any], shown: str) -> None:
    said = reply(**body)
    either: list[Callable[[], object]] = [lambda: said.into(Thing, NoThing), lambda: said.is_ok("NO_THING_ERROR")]
    for read in either:
        with pytest.raises(CoreReplyInvalid, match=f"thing: status is {shown}, expected OK or NO_THING_ERROR"):
            read()
    only: list[Callable[[], object]] = [said.check, lambda: said.ok(str, "name")]
    for read in only:
        with pytest.raises(CoreReplyInvalid, match=f"thing: status is {shown}, expected OK$"):
            read()


def test_a_reply_shows_its_call_and_status_and_no_content(scripted: Scripted) -> None:
    scripted.behave = lambda _: CoreReply(200, {"status": "OK", "jwt": "eyJhbGciOi"})
    assert repr(querier(scripted).get("/recipe/jwt", tenant_id="shop")) == "<Reply to /shop/recipe/jwt: OK>"
