"""Changes of a response are recorded while the request runs and merged once, when the response starts."""

from __future__ import annotations

import time
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import unquote

import pytest

from st_wsgi.request.changes import EXPOSE, ResponseChanges, ResponseStarted, expose_headers

IN_2026 = 1_780_000_000_999


def cookie(changes: ResponseChanges, name: str = "sAccessToken", value: str = "token", **settings: Any) -> None:
    given = {"path": "/", "domain": None, "secure": True, "same_site": "lax", "expires_ms": IN_2026, **settings}
    changes.set_cookie(name, value, **given)


def set_cookies(changes: ResponseChanges) -> list[str]:
    return [value for name, value in changes.merge([]) if name == "Set-Cookie"]


def test_nothing_recorded_leaves_the_headers_as_they_are() -> None:
    headers = [("Content-Type", "text/plain"), ("Set-Cookie", "a=1")]
    assert ResponseChanges().merge(headers) is headers


def test_a_cookie_has_exactly_these_attributes() -> None:
    changes = ResponseChanges()
    cookie(changes)
    assert set_cookies(changes) == [
        "sAccessToken=token; Expires=Thu, 28 May 2026 20:26:40 GMT; Path=/; HttpOnly; SameSite=Lax; Secure"
    ]


@pytest.mark.parametrize(
    ("settings", "part", "there"),
    [
        ({"domain": ".shop.example"}, "; Domain=.shop.example", True),
        ({}, "Domain", False),
        ({"secure": False}, "Secure", False),
        ({"same_site": "none"}, "; SameSite=None", True),
        ({"same_site": "strict"}, "; SameSite=Strict", True),
        ({"path": "/auth/session/refresh"}, "; Path=/auth/session/refresh", True),
        ({"expires_ms": 0}, "; Expires=Thu, 01 Jan 1970 00:00:00 GMT", True),
    ],
)
def test_each_attribute_follows_its_setting(settings: dict[str, Any], part: str, there: bool) -> None:
    changes = ResponseChanges()
    cookie(changes, **settings)
    assert (part in set_cookies(changes)[0]) is there


@pytest.mark.parametrize("value", ["a/b", "a;b", "a,b c", 'a"b', "a\r\nSet-Cookie: x=1", "ä€😀", "a%b", "", "a=b=="])
def test_a_cookie_value_is_percent_encoded_and_comes_back_unquoted_once(value: str) -> None:
    """W-071: nothing in a value ends the cookie or the header."""
    changes = ResponseChanges()
    cookie(changes, value=value)
    (line,) = set_cookies(changes)
    assert line.isascii()
    assert line.isprintable()
    sent = SimpleCookie(line)["sAccessToken"].value
    assert ";" not in sent
    assert "," not in sent
    assert unquote(sent) == value
    assert ("/" in sent) is ("/" in value), "the official SDKs leave it as it is"


def test_dates_do_not_depend_on_the_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        changes = ResponseChanges()
        cookie(changes)
        assert time.localtime(IN_2026 // 1000).tm_mday == 29
    time.tzset()
    assert "Expires=Thu, 28 May 2026 20:26:40 GMT" in set_cookies(changes)[0]


def test_the_last_write_to_a_cookie_wins_and_other_domains_and_paths_are_other_cookies() -> None:
    changes = ResponseChanges()
    cookie(changes, value="first")
    cookie(changes, value="other-domain", domain="shop.example")
    cookie(changes, value="other-path", path="/auth")
    cookie(changes, value="last")
    assert [line.partition(";")[0] for line in set_cookies(changes)] == [
        "sAccessToken=last",
        "sAccessToken=other-domain",
        "sAccessToken=other-path",
    ]


def test_the_last_write_to_a_header_wins_whatever_its_case() -> None:
    changes = ResponseChanges()
    changes.set_header("front-token", "first")
    changes.set_header("Front-Token", "last")
    assert changes.merge([]) == [("Front-Token", "last")]


def test_the_apps_headers_of_the_same_name_are_replaced_and_its_cookies_stay() -> None:
    changes = ResponseChanges()
    cookie(changes)
    changes.set_header("Cache-Control", "no-store")
    merged = changes.merge([("cache-control", "public"), ("Set-Cookie", "cart=1"), ("X-App", "yes")])
    assert [name for name, _ in merged] == ["Set-Cookie", "X-App", "Cache-Control", "Set-Cookie"]
    assert ("Set-Cookie", "cart=1") in merged
    assert ("Cache-Control", "no-store") in merged


def test_exposed_headers_are_named_once_together_with_the_apps_own() -> None:
    """W-016."""
    changes = ResponseChanges()
    changes.set_header("front-token", "x", expose=True)
    changes.set_header("Front-Token", "y", expose=True)
    changes.set_header("anti-csrf", "z", expose=True)
    merged = changes.merge(
        [("access-control-expose-headers", "X-Total, front-token"), ("Access-Control-Expose-Headers", "x-total")]
    )
    exposed = [value for name, value in merged if name.lower() == "access-control-expose-headers"]
    assert len(exposed) == 1
    assert [name.strip().lower() for name in exposed[0].split(",")] == ["x-total", "front-token", "anti-csrf"]


def test_merging_twice_gives_the_same() -> None:
    changes = ResponseChanges()
    changes.set_header("front-token", "x", expose=True)
    cookie(changes)
    once = changes.merge([("X-App", "yes")])
    assert changes.merge([("X-App", "yes")]) == once
    assert expose_headers(expose_headers([], ["a", "A"]), ["a"]) == [("Access-Control-Expose-Headers", "a")]


def test_a_dropped_header_is_neither_sent_nor_exposed() -> None:
    changes = ResponseChanges()
    changes.set_header("anti-csrf", "x", expose=True)
    changes.drop_header("Anti-Csrf")
    changes.drop_header("never-there")
    assert changes.merge([]) == []
    changes.set_header("front-token", "x", expose=True)
    assert changes.merge([])[-1] == (EXPOSE, "front-token")


def test_discarding_forgets_everything() -> None:
    changes = ResponseChanges()
    cookie(changes)
    changes.set_header("front-token", "x", expose=True)
    changes.discard()
    assert changes.merge([]) == []
    changes.set_header("Cache-Control", "no-store")
    assert changes.merge([]) == [("Cache-Control", "no-store")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("front-token", "a\r\nX-Evil: 1"),
        ("front-token", "a\nb"),
        ("front-token", "a\rb"),
        ("front-token", "a\0b"),
        ("front-token", "a\x7fb"),
        ("front-token", "ሴ"),
        ("front-token", "x\n"),
        ("X-Evil: 1\r\nX", "a"),
        ("", "a"),
        ("a b", "a"),
        ("name\n", "a"),
    ],
)
def test_a_header_that_would_break_the_response_is_refused(name: str, value: str) -> None:
    """W-123: the value is not repeated in the error, since it may be a token."""
    changes = ResponseChanges()
    with pytest.raises(ValueError, match="cannot carry") as refused:
        changes.set_header(name, value)
    assert value == "a" or value not in str(refused.value)
    assert changes.merge([]) == []


@pytest.mark.parametrize(
    "settings", [{"domain": "a\r\nX-Evil: 1"}, {"path": "/\nx"}, {"name": "a\r\nb"}], ids=["domain", "path", "name"]
)
def test_a_cookie_that_would_break_the_response_is_refused(settings: dict[str, Any]) -> None:
    changes = ResponseChanges()
    with pytest.raises(ValueError, match="cannot carry"):
        cookie(changes, **settings)
    assert changes.merge([]) == []


@pytest.mark.parametrize(
    "record",
    [
        cookie,
        lambda changes: changes.set_header("front-token", "x"),
        lambda changes: changes.drop_header("front-token"),
        lambda changes: changes.discard(),
    ],
    ids=["cookie", "header", "drop", "discard"],
)
def test_recording_after_the_response_started_raises_instead_of_losing_it(record: Any) -> None:
    changes = ResponseChanges()
    changes.started = True
    with pytest.raises(ResponseStarted, match="before the first byte"):
        record(changes)
