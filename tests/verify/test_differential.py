"""Rule R2's oracle: whatever st_verify accepts, PyJWT and joserfc accept too, and read the same claims."""

from __future__ import annotations

import json
import string
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry
from joserfc.jwt import decode as joserfc_decode

from st_verify import AccessToken, Refused
from verify.minting import KID, NOW, Bench, b64, compact, header, jwk, payload, private_key, token

BENCH = Bench(cache_size=0)
PUBLIC = private_key().public_key()
JOSERFC_KEY = RSAKey.import_key({name: value for name, value in jwk().items() if name in ("kty", "n", "e")})
# joserfc refuses header members that no RFC names, and `version` is none.
JOSERFC = JWSRegistry(algorithms=["RS256"], strict_check_header=False)
# Signature and parsing are compared; what the claims must say is each library's own business.
UNCHECKED = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}

GOOD = token()
# The same examples in every run: what hypothesis finds, it finds where it is written, and not for others later.
REPEATED: dict[str, Any] = {"deadline": None, "derandomize": True, "database": None}
LENIENT = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], **REPEATED)


def by_pyjwt(text: str) -> Any:
    return jwt.decode(text, PUBLIC, algorithms=["RS256"], options=UNCHECKED)  # type: ignore[arg-type]  # a plain dict


def by_joserfc(text: str) -> Any:
    return joserfc_decode(text, JOSERFC_KEY, registry=JOSERFC).claims


def by_st_verify(text: str) -> AccessToken | None:
    try:
        return BENCH.verifier.verify(text)
    except Refused:
        return None


def compare(text: str) -> bool:
    """Whether st_verify accepts; if it does, so do the others, with equal claims."""
    verified = by_st_verify(text)
    if verified is None:
        return False
    assert by_pyjwt(text) == verified.payload()
    assert by_joserfc(text) == verified.payload()
    return True


def test_all_three_accept_the_good_token_and_none_a_bad_signature() -> None:
    assert compare(GOOD)
    bad = token(key="attacker")
    assert by_st_verify(bad) is None
    with pytest.raises(jwt.InvalidSignatureError):
        by_pyjwt(bad)
    with pytest.raises(JoseError):
        by_joserfc(bad)


CHARACTERS = st.sampled_from(string.ascii_letters + string.digits + "-_.=+/ \n\x00{}\u00e9")
EDIT = st.tuples(st.sampled_from(["replace", "insert", "delete", "swap", "repeat"]), st.floats(0, 1), CHARACTERS)


def edited(text: str, kind: str, where: float, character: str) -> str:
    at = min(int(where * len(text)), len(text) - 1) if text else 0
    if kind == "replace":
        return text[:at] + character + text[at + 1 :]
    if kind == "insert":
        return text[:at] + character + text[at:]
    if kind == "delete":
        return text[:at] + text[at + 1 :]
    if kind == "swap":
        return text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
    return text[:at] + text[at : at + 4] + text[at:]


@given(st.lists(EDIT, min_size=1, max_size=4))
@LENIENT
def test_edits_of_the_text(edits: list[tuple[str, float, str]]) -> None:
    text = GOOD
    for edit in edits:
        text = edited(text, *edit)
    accepted = compare(text)
    assert accepted is (text == GOOD)


@given(st.binary(max_size=600), st.binary(max_size=600), st.binary(min_size=256, max_size=256))
@settings(max_examples=150, **REPEATED)
def test_arbitrary_segments(head: bytes, body: bytes, signature: bytes) -> None:
    assert not compare(f"{b64(head)}.{b64(body)}.{b64(signature)}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*header(), "crit", "b64", "jwk", "jku", "x5u", "cty", "zip", "x"])
CLAIMS = st.sampled_from([*payload(), "aud", "nbf", "stt", "st-ev", "st-role", "scp", "x", "\u00fc"])


@given(st.dictionaries(NAMES, JSON, max_size=2), st.sets(st.sampled_from(sorted(header())), max_size=1))
@LENIENT
def test_other_headers_signed_with_the_genuine_key(members: dict[str, Any], without: set[str]) -> None:
    head = {name: value for name, value in (header() | members).items() if name not in without}
    text = compact(json.dumps(head).encode(), json.dumps(payload()).encode())
    assert compare(text) is any(head == header(version=version) for version in ("3", "4", "5"))


@given(st.dictionaries(CLAIMS, JSON, max_size=3), st.sets(st.sampled_from(sorted(payload())), max_size=1))
@LENIENT
def test_other_claims_signed_with_the_genuine_key(claims: dict[str, Any], without: set[str]) -> None:
    body = {name: value for name, value in (payload() | claims).items() if name not in without}
    compare(
        compact(
            json.dumps(header()).encode(), json.dumps(body, ensure_ascii=False, default=str).encode("utf-8", "replace")
        )
    )


MEMBERS = ['"sub":"user-1"', '"sub":"victim"', f'"exp":{NOW + 9}', '"exp":1', '"a":1e5', '"a":1E400', '"a":NaN']
MEMBERS += ['"a":"\\ud800"', '"a":[[[]]]', '"\\u0061":1', '"a":-0', '"a":1.0']
SNIPPETS = st.sampled_from([*MEMBERS, "\n", " ", ",", "}", "{", "]", '"', "\\", "\u2028", "/**/", "\x00"])


@given(st.lists(SNIPPETS, max_size=4), st.booleans())
@LENIENT
def test_json_that_is_nearly_right_signed_with_the_genuine_key(snippets: list[str], separated: bool) -> None:
    body = json.dumps(payload())[:-1] + "".join(("," if separated else "") + snippet for snippet in snippets) + "}"
    compare(compact(json.dumps(header()).encode(), body.encode("utf-8")))


@given(st.integers(1, 3), st.integers(0, 2**2048 - 1))
@settings(max_examples=60, **REPEATED)
def test_signatures_of_any_value(segment: int, value: int) -> None:
    head, body, _ = GOOD.split(".")
    assert not compare(f"{head}.{body}.{b64(value.to_bytes(256, 'big'))}{'.' * (segment - 1)}")


def test_the_oracles_are_more_lenient_in_known_places() -> None:
    """The subset is a real one: these pass PyJWT, and not us."""
    body = json.dumps(payload())
    for head, text in (
        (header(), body[:-1] + ',"sub":"victim"}'),
        (header(), body[:-1] + ',"a":NaN}'),
        ({"alg": "RS256", "kid": KID}, body),
    ):
        lenient = compact(json.dumps(head).encode(), text.encode())
        assert by_pyjwt(lenient)
        assert by_st_verify(lenient) is None
