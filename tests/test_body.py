"""Bodies are read for our routes only, bounded, as JSON that has one reading, and only as application/json."""

from __future__ import annotations

import io
import json
import logging
from contextlib import closing
from typing import Any

import pytest
from toy import Browser, supertokens

from st_wsgi.errors import BadInput, BodyTooLarge
from st_wsgi.request.body import MAX_BODY, MAX_FORM, discard, read_form, read_json

JSON = "application/json"


class Wire(io.RawIOBase):
    """What a client sends, in pieces of a few bytes; it remembers how far it was read."""

    def __init__(self, data: bytes, piece: int = 1_000_000) -> None:
        self._data = data
        self._piece = piece
        self.position = 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "reading without a limit could wait for ever"
        size = min(size, self._piece)
        chunk = self._data[self.position : self.position + size]
        self.position += len(chunk)
        return chunk


CHUNKED = {"wsgi.input_terminated": True}


def environ(
    data: bytes, content_type: str | None = JSON, length: object = "its own", more: dict[str, Any] | None = None
) -> dict[str, Any]:
    given: dict[str, Any] = {"wsgi.input": Wire(data), **(more or {})}
    if content_type is not None:
        given["CONTENT_TYPE"] = content_type
    if length is not None:
        given["CONTENT_LENGTH"] = str(len(data)) if length == "its own" else str(length)
    return given


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ; charset = utf-8",
        "application/json; profile=x",
        "application/json;",
    ],
)
def test_json_in_utf_8_is_taken(content_type: str) -> None:
    assert read_json(environ('{"a": "ä"}'.encode(), content_type)) == {"a": "ä"}


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param("text/plain", id="W-005 what a cross-site form can send"),
        pytest.param("application/x-www-form-urlencoded", id="W-006"),
        pytest.param("multipart/form-data; boundary=x", id="W-006 multipart"),
        pytest.param("application/json, text/plain", id="W-007 two types"),
        pytest.param("application/json,application/json", id="W-007 two headers"),
        pytest.param("application/jsonx", id="W-007 longer"),
        pytest.param("text/json", id="W-007 text"),
        pytest.param("application/ld+json", id="W-007 suffix"),
        pytest.param("", id="W-007 empty"),
        pytest.param(None, id="W-007 missing"),
        pytest.param("application/json; charset=utf-16", id="W-009 utf-16"),
        pytest.param("application/json; charset=utf-7", id="W-009 utf-7"),
        pytest.param("application/json; charset=utf-8; charset=utf-16", id="W-009 two"),
        pytest.param("application/json; charset=", id="W-009 empty"),
        pytest.param("application/json; charset=latin-1", id="W-009 latin-1"),
    ],
)
def test_another_content_type_is_refused_and_the_body_not_read(content_type: str | None) -> None:
    given = environ(b'{"a": 1}', content_type)
    with pytest.raises(BadInput, match=r"content type|charset"):
        read_json(given)
    assert given["wsgi.input"].position == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"a": 1} x',
        b'{"a": 1}{"a": 1}',
        b"{'a': 1}",
        b'{"a": 1,}',
        b"[]",
        b'"x"',
        b"null",
        b"1",
        b"true",
        b'{"a": 1, "a": 2}',
        b'{"email": "a", "\\u0065mail": "b"}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}",
        b"[" * 99_999,
        b'{"a":' * 19_999,
        b'{"a": "\n"}',
        b'{"a": "\0"}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_one_unambiguous_json_object_is_a_400(body: bytes) -> None:
    """W-042."""
    with pytest.raises(BadInput) as refused:
        read_json(environ(body))
    assert refused.value.code == 400


@pytest.mark.parametrize("body", [b"{}", b' {"a": [1, 2.5, null, true, "x"]} ', b'{"a": "\\ud83d\\ude00"}'])
def test_plain_json_objects_are_read(body: bytes) -> None:
    assert read_json(environ(body)) == json.loads(body)


def test_a_form_has_at_most_64_kib_and_20_fields() -> None:
    """W-008: a form comes from another site, so it gets less room than JSON."""
    kind = "application/x-www-form-urlencoded"
    assert MAX_FORM == 65_536
    assert len(read_form(environ(b"a=" + b"x" * (MAX_FORM - 2), kind))["a"]) == MAX_FORM - 2
    with pytest.raises(BodyTooLarge):
        read_form(environ(b"a=" + b"x" * (MAX_FORM - 1), kind))
    fields = [f"f{number}=1" for number in range(21)]
    assert len(read_form(environ("&".join(fields[:20]).encode(), kind))) == 20
    with pytest.raises(BadInput, match="not a valid form"):
        read_form(environ("&".join(fields).encode(), kind))


def of_size(size: int) -> bytes:
    return b'{"a": "' + b"x" * (size - 9) + b'"}'


def test_a_body_of_exactly_the_limit_is_read() -> None:
    assert len(read_json(environ(of_size(MAX_BODY)))["a"]) == MAX_BODY - 9


@pytest.mark.parametrize("length", [MAX_BODY + 1, 10 * 1024**3, "9" * 1_000_000, "0" * 50 + "999999999"])
def test_a_longer_body_is_refused_by_its_length_and_not_read(length: object) -> None:
    """W-040."""
    given = environ(of_size(MAX_BODY + 1), length=length)
    with pytest.raises(BodyTooLarge) as refused:
        read_json(given)
    assert refused.value.code == 413
    assert given["wsgi.input"].position == 0


@pytest.mark.parametrize("length", ["-1", "+5", "5, 5", "5.0", "0x5", "1e3", " 5", "\u0665", "\u00b2", "five", "5\n"])
def test_a_length_that_is_no_number_is_refused_and_the_body_not_read(length: str) -> None:
    """W-040."""
    given = environ(b"{}   ", length=length)
    with pytest.raises(BadInput) as refused:
        read_json(given)
    assert refused.value.code == 400
    assert given["wsgi.input"].position == 0


def test_nothing_beyond_the_length_is_read() -> None:
    """W-040: on a kept connection what follows is the next request."""
    given = environ(b'{"a": 1}GET / HTTP/1.1', length=8)
    wire = given["wsgi.input"]
    assert read_json(given) == {"a": 1}
    assert wire.position == 8


def test_a_body_without_a_length_is_empty_unless_the_server_says_where_it_ends() -> None:
    given = environ(b"{}", length=None)
    with pytest.raises(BadInput, match="not valid JSON"):
        read_json(given)
    assert read_json(environ(b"{}", length=None, more=CHUNKED)) == {}
    assert read_json(environ(b"{}", length="", more=CHUNKED)) == {}


def test_a_chunked_body_is_read_to_its_end_but_not_beyond_the_limit() -> None:
    """W-040."""
    fits = environ(of_size(MAX_BODY), length=None, more=CHUNKED)
    assert len(read_json(fits)["a"]) == MAX_BODY - 9
    larger = environ(of_size(MAX_BODY * 3), length=None, more=CHUNKED)
    wire = larger["wsgi.input"]
    with pytest.raises(BodyTooLarge):
        read_json(larger)
    assert wire.position == MAX_BODY + 1


def test_a_body_that_comes_in_small_pieces_is_put_together() -> None:
    """W-041."""
    data = b'{"a": "' + b"x" * 100 + b'"}'
    given = environ(data, more={"wsgi.input": Wire(data, piece=3)})
    assert read_json(given) == {"a": "x" * 100}


@pytest.mark.parametrize("data", [b'{"a": ', b"{}"])
def test_a_body_that_ends_early_is_refused_even_if_what_came_is_json(data: bytes) -> None:
    with pytest.raises(BadInput, match="ended early"):
        read_json(environ(data, length=8))


@pytest.mark.parametrize("error", [OSError("timeout"), ValueError("bad chunk size"), Exception("invalid chunk")])
def test_a_body_that_the_server_cannot_read_is_refused(error: Exception) -> None:
    """uWSGI and mod_wsgi raise an OSError, cheroot a ValueError, gunicorn an Exception of its own."""

    class Broken:
        def read(self, size: int) -> bytes:
            raise error

    for sent in (environ(b"{}"), environ(b"{}", length=None, more=CHUNKED)):
        with pytest.raises(BadInput, match="could not be read"):
            read_json(sent | {"wsgi.input": Broken()})


def test_a_client_that_goes_away_is_not_logged_as_an_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    class Gone:
        def read(self, size: int) -> bytes:
            raise ConnectionResetError("the client has gone")

    with closing(supertokens()) as st, caplog.at_level(logging.INFO):
        client = Browser(st.wrap(lambda environ, start_response: []))
        for length in ({"CONTENT_LENGTH": "8"}, {"CONTENT_LENGTH": "", **CHUNKED}):
            sent = {"wsgi.input": Gone(), "CONTENT_TYPE": JSON, **length}
            response = client.post("/auth/echo", environ_overrides=sent)
            assert (response.status_code, response.get_json()) == (400, {"message": "the body could not be read"})
    assert [record.getMessage() for record in caplog.records] == []


def test_the_next_reader_finds_the_same_body() -> None:
    """W-121."""
    given = environ(b'{"a": 1}')
    read_json(given)
    assert given["wsgi.input"].read() == b'{"a": 1}'
    assert given["CONTENT_LENGTH"] == "8"
    chunked = environ(b'{"a": 1}', length=None, more=CHUNKED)
    read_json(chunked)
    assert chunked["CONTENT_LENGTH"] == "8"
    given["wsgi.input"].seek(0)
    assert read_json(given) == {"a": 1}


@pytest.mark.parametrize("member", ["__proto__", "constructor", "toString", "a" * 10_000])
def test_members_with_odd_names_are_just_members(member: str) -> None:
    """W-050."""
    assert read_json(environ(json.dumps({member: {"x": 1}}).encode())) == {member: {"x": 1}}


@pytest.mark.parametrize(
    ("size", "more", "read"),
    [
        (300_000, CHUNKED, 300_000),  # all that the app has left
        (12_000_000, CHUNKED, 1_000 + 153 * 65_536),  # 10 MB, and the rest of the last piece
        (300_000, {}, 1_000),  # nobody knows where such a body ends
    ],
)
def test_what_the_app_has_left_of_a_body_is_discarded(size: int, more: dict[str, Any], read: int) -> None:
    given = environ(b"x" * size, more=more)
    given["wsgi.input"].read(1_000)
    discard(given)
    assert given["wsgi.input"].position == read


def test_a_client_that_goes_away_while_its_body_is_discarded_causes_no_error() -> None:
    class Gone(Wire):
        def read(self, size: int = -1) -> bytes:
            raise OSError("gone")

    discard({"wsgi.input": Gone(b""), **CHUNKED})
