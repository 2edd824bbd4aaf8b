"""Catalogue 3.4: a payload has one reading, or it is none. All tokens here are signed with the genuine key."""

from __future__ import annotations

import inspect
import json
import sys

import pytest

from st_verify import strict_json
from verify.minting import HASH, ISSUER, NOW, Bench, compact, header, outcome, payload

HEAD = json.dumps(header()).encode()
GOOD = json.dumps(payload())
OPEN = GOOD[:-1]


def raw(payload_json: str | bytes) -> str:
    return compact(HEAD, payload_json.encode() if isinstance(payload_json, str) else payload_json)


def also(member: str) -> str:
    """A good payload with one more member, as JSON text."""
    return f"{OPEN},{member}}}"


REFUSED = [
    *[
        pytest.param(text, id=f"V-060 {name}")
        for name, text in {
            "array": f"[{GOOD}]",
            "null": "null",
            "number": "17",
            "string": json.dumps(GOOD),
            "empty object": "{}",
            "empty array": "[]",
        }.items()
    ],
    pytest.param(also('"sub":"victim"'), id="V-061 second sub"),
    pytest.param(f'{{"exp":1,{GOOD[1:]}', id="V-062 expired exp first"),
    pytest.param(also('"\\u0073ub":"victim"'), id="V-063 second sub through an escape"),
    pytest.param(also('"st-role":{"v":["admin"],"v":[],"t":1}'), id="V-064 duplicate in a claim"),
    pytest.param(also('"a":[[{"b":1,"b":1}]]'), id="V-064 duplicate deep in arrays"),
    pytest.param(also('"a":' + "[" * 900 + "]" * 900), id="V-065 900 deep"),
    pytest.param(also('"a":' + "[" * 5000), id="V-065 5000 brackets"),
    pytest.param(also('"a":' + '{"a":' * 33 + "1" + "}" * 33), id="V-065 one deeper than the cap"),
    pytest.param(also('"a":' + "9" * 10_000), id="V-066 10 000 digits"),
    pytest.param(also('"a":' + "9" * 4300), id="V-066 4300 digits"),
    pytest.param(also('"a":-' + "9" * 1001), id="V-066 1001 digits"),
    pytest.param(also('"a":1.' + "9" * 4300), id="V-066 4300 digits behind the point"),
    *[pytest.param(also(f'"a":{value}'), id=f"V-067 {value}") for value in ("NaN", "Infinity", "-Infinity")],
    pytest.param(also('"a":{"b":[NaN]}'), id="V-067 NaN in a claim"),
    *[pytest.param(also(f'"a":{value}'), id=f"V-068 {value}") for value in ("1e400", "-1e400", "1.5E999")],
    pytest.param(GOOD.encode("utf-16"), id="V-069 UTF-16"),
    pytest.param(GOOD.encode("utf-16-le"), id="V-069 UTF-16 without mark"),
    pytest.param(GOOD.encode("utf-32"), id="V-069 UTF-32"),
    pytest.param(b"\xef\xbb\xbf" + GOOD.encode(), id="V-069 byte order mark"),
    pytest.param(also('"a":"').encode()[:-1] + b'\xff"}', id="V-069 invalid UTF-8"),
    pytest.param(also('"a":"').encode()[:-1] + b'\xc0\xaf"}', id="V-069 overlong UTF-8"),
    pytest.param(also('"a":"').encode()[:-1] + b'\xed\xa0\x80"}', id="V-069 surrogate as bytes"),
    pytest.param(GOOD.replace('"user-1"', '"\\ud800"', 1), id="V-069 lone surrogate in sub"),
    pytest.param(also('"a":["\\udfff"]'), id="V-069 lone surrogate anywhere"),
    pytest.param(also('"\\ud834":1'), id="V-069 lone surrogate in a name"),
    *[
        pytest.param(json.dumps(payload(**{name: value})), id=f"V-070 {value[-1]!r} in {name}")
        for name in ("sub", "sessionHandle", "tId", "rsub")
        for value in ("a\x00", "a\x1f", "a\x7f", "a\x9f", "a\n")
    ],
    *[
        pytest.param(text, id=f"V-073 {name}")
        for name, text in {
            "comment": GOOD + "// comment",
            "inner comment": f"{OPEN}/* comment */}}",
            "single quotes": GOOD.replace('"', "'"),
            "trailing comma": f"{OPEN},}}",
            "bare name": also("a:1"),
            "leading zero": also('"a":01'),
            "plus sign": also('"a":+1'),
            "hexadecimal": also('"a":0x1'),
            "control character in a string": also('"a":"\x01"'),
            "unknown escape": also('"a":"\\q"'),
            "unclosed": OPEN,
            "second value": GOOD + GOOD,
            "form feed around": "\x0c" + GOOD,
            "no-break space around": GOOD + "\u00a0",
        }.items()
    ],
]


@pytest.mark.parametrize("text", REFUSED)
def test_a_payload_with_more_than_one_reading_is_no_session(bench: Bench, text: str | bytes) -> None:
    assert bench.outcome(raw(text)) == "401U"


ACCEPTED = [
    pytest.param("\n\t " + json.dumps(payload(), indent=4) + " \r\n", id="V-072 white space"),
    pytest.param(also('"__proto__":1,"constructor":{},"__class__":"x"'), id="V-071 names of other languages"),
    pytest.param(also('"a":' + "[" * 31 + "]" * 31), id="V-065 as deep as the cap"),
    pytest.param(also('"a":"' + "[{" * 500 + '"'), id="V-065 brackets in a string are no depth"),
    pytest.param(also('"a":"\\"' + "[" * 50 + '\\""'), id="V-065 escaped quotes around brackets"),
    pytest.param(also('"a":' + "9" * 900), id="V-066 900 digits"),
    pytest.param(also('"a":"\\ud834\\udd1e"'), id="V-069 a surrogate pair is one character"),
    pytest.param(also('"a":"ü\u2028"'), id="V-069 other characters"),
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_unusual_json_with_one_reading_is_fine(bench: Bench, text: str) -> None:
    assert bench.outcome(raw(text)) == "OK"


def test_claims_never_become_attributes(bench: Bench) -> None:
    """V-071"""
    verified = bench.verifier.verify(raw(also('"user_id":"x","__class__":"x","admin":true')))
    assert verified.user_id == "user-1"
    assert not hasattr(verified, "admin")
    assert verified.claims["admin"] is True


@pytest.mark.parametrize("depth", [5, 900, 50_000])
def test_deep_nesting_is_refused_on_a_stack_that_is_nearly_full(bench: Bench, depth: int) -> None:
    """V-065: whatever little is left of the stack, the answer is an answer."""
    text = raw(also('"a":' + "[" * depth)) if depth < 5000 else compact(b"[" * 900, b"{}" * 20)

    def descend(levels: int) -> str:
        return bench.outcome(text) if levels == 0 else descend(levels - 1)

    used = len(inspect.stack())
    assert descend(sys.getrecursionlimit() - used - 60) == "401U"


def test_the_strict_parser_agrees_with_the_standard_one_on_what_it_accepts() -> None:
    value = json.loads(GOOD)
    assert strict_json.loads(GOOD.encode()) == value
    assert outcome(lambda: strict_json.loads(b"[1, 2.5, true, null]")) == "OK"


def test_the_payload_is_handed_out_as_signed(bench: Bench) -> None:
    verified = bench.verifier.verify(raw(GOOD))
    assert verified.payload_json == GOOD.encode()
    assert verified.payload() == json.loads(GOOD)
    assert verified.refresh_token_hash_1 == HASH
    assert (verified.issuer, verified.issued_at) == (ISSUER, NOW - 10)
