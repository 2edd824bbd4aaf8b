"""Catalogue 3.1: the compact form, and one spelling for each token."""

from __future__ import annotations

import base64
import json
import string
import time
from typing import Any

import pytest

from st_verify import NoSession
from verify.minting import KID, Bench, b64, compact, header, payload, token, with_claims, with_header

GOOD = token()
HEAD, BODY, SIGNATURE = GOOD.split(".")


def test_a_good_token_is_accepted_and_says_who_it_is(bench: Bench) -> None:
    verified = bench.verifier.verify(GOOD)
    assert (verified.user_id, verified.tenant_id, verified.version) == ("user-1", "public", "5")
    assert bench.extra_fetches == 0


def stray_bits(segment: str) -> str:
    """The same bytes in another text: the unused bits of the last character set."""
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    assert len(segment) % 4 in (2, 3)
    other = segment[:-1] + alphabet[alphabet.index(segment[-1]) + 1]
    assert base64.urlsafe_b64decode(other + "==") == base64.urlsafe_b64decode(segment + "==")
    return other


def padded_payload() -> str:
    """A good token whose payload has unused bits in its last character."""
    for length in range(1, 4):
        candidate = with_claims(filler="x" * length)
        if len(candidate.split(".")[1]) % 4 in (2, 3):
            return candidate
    raise AssertionError("one of three lengths has unused bits")


def stray_payload() -> str:
    head, body, signature = padded_payload().split(".")
    return f"{head}.{stray_bits(body)}.{signature}"


def jws_json(flattened: bool) -> str:
    signature = {"protected": HEAD, "signature": SIGNATURE}
    return json.dumps({"payload": BODY, **signature} if flattened else {"payload": BODY, "signatures": [signature]})


TEXTS = [
    pytest.param("", id="V-003 empty"),
    pytest.param("..", id="V-003 two dots"),
    pytest.param("a.b", id="V-003 one dot, short"),
    pytest.param(f"{HEAD}.{BODY}{SIGNATURE}", id="V-003 one dot"),
    pytest.param(f"{GOOD}.{SIGNATURE}", id="V-003 four segments"),
    pytest.param(f"{GOOD}.", id="V-003 empty fourth segment"),
    pytest.param(f".{BODY}.{SIGNATURE}", id="V-003 no header"),
    pytest.param(f"{HEAD}..{SIGNATURE}", id="V-003 no payload"),
    pytest.param(f"{HEAD}.{BODY}.", id="V-003 no signature"),
    pytest.param(
        f"{b64(json.dumps({'alg': 'RSA-OAEP', 'enc': 'A128GCM', 'zip': 'DEF'}).encode())}.{SIGNATURE}.AAAA.{BODY}.AAAA",
        id="V-004 encrypted and compressed",
    ),
    pytest.param(" " + GOOD, id="V-008 leading space"),
    pytest.param(GOOD + " ", id="V-008 trailing space"),
    pytest.param(GOOD + "\t", id="V-008 trailing tab"),
    pytest.param(GOOD + "\r", id="V-008 trailing CR"),
    pytest.param(GOOD + "\n", id="V-008 trailing LF"),
    pytest.param(GOOD + "\x00", id="V-008 trailing NUL"),
    pytest.param("\ufeff" + GOOD, id="V-008 byte order mark"),
    pytest.param(f"{HEAD}. {BODY}.{SIGNATURE}", id="V-008 inner space"),
    pytest.param(f"{HEAD}.{BODY}\n.{SIGNATURE}", id="V-008 inner LF"),
    pytest.param(f"{HEAD}=.{BODY}.{SIGNATURE}", id="V-009 padded header"),
    pytest.param(f"{HEAD}.{BODY}==.{SIGNATURE}", id="V-009 padded payload"),
    pytest.param(f"{HEAD}.{BODY}.{SIGNATURE}==", id="V-009 padded signature"),
    pytest.param(f"{HEAD}.{BODY}.+{SIGNATURE[1:]}", id="V-010 plus"),
    pytest.param(f"{HEAD}.{BODY}./{SIGNATURE[1:]}", id="V-010 slash"),
    pytest.param(f"{HEAD}.{BODY[:9]}!{BODY[9:]}.{SIGNATURE}", id="V-011 junk inside"),
    pytest.param(f"{HEAD}.{BODY}.{SIGNATURE}%", id="V-011 junk after"),
    pytest.param(f"{HEAD}#.{BODY}.{SIGNATURE}", id="V-011 junk after the header"),
    pytest.param(f"{HEAD}.{BODY}.{stray_bits(SIGNATURE)}", id="V-012 stray bits in the signature"),
    pytest.param(stray_payload(), id="V-012 stray bits in the payload"),
    pytest.param(f"{HEAD}.{BODY}.{SIGNATURE}AAA", id="V-013 signature of 1 mod 4"),
    pytest.param(f"{HEAD}.{'A' * 401}.{SIGNATURE}", id="V-013 payload of 1 mod 4"),
    pytest.param(f"{'A' * 101}.{BODY}.{SIGNATURE}", id="V-013 header of 1 mod 4"),
    pytest.param(GOOD.replace(".", "\uff0e"), id="V-014 fullwidth dots"),
    pytest.param(f"{HEAD}.{BODY}\u00e9.{SIGNATURE}", id="V-014 e acute"),
    pytest.param(f"{HEAD}.{BODY}\udce9.{SIGNATURE}", id="V-014 surrogate-escaped byte"),
    pytest.param(jws_json(flattened=True), id="V-015 flattened JSON"),
    pytest.param(jws_json(flattened=False), id="V-015 general JSON"),
    pytest.param(f"b'{GOOD}'", id="V-016 repr of bytes"),
    pytest.param(f'"{GOOD}"', id="V-016 quoted"),
    pytest.param(f"Bearer {GOOD}", id="V-016 with its scheme"),
    pytest.param(GOOD.replace(".", "%2E"), id="V-017 percent-encoded"),
    pytest.param(GOOD.replace(".", "%252E"), id="V-018 encoded twice"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_that_is_no_compact_token_is_no_session_and_causes_no_fetch(bench: Bench, text: str) -> None:
    assert bench.outcome(text) == "401U"
    assert bench.verifier.parse(text) is None
    assert bench.extra_fetches == 0


def test_stray_bits_would_have_been_the_same_token(bench: Bench) -> None:
    """V-012: the twin of the refused text is accepted, so that the bits are the only reason."""
    assert bench.outcome(padded_payload()) == "OK"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("A" * 5_000_000, id="V-005 five megabytes"),
        pytest.param("." * 1_000_000, id="V-005 a million dots"),
        pytest.param(HEAD + "." * 1_000_000, id="V-005 a million dots after the header"),
        pytest.param("A" * 16_384, id="V-005 as long as a token may be"),
    ],
)
def test_huge_texts_are_refused_in_no_time(bench: Bench, text: str) -> None:
    """The best of ten runs takes less than a tenth of a millisecond: nothing walks through the text."""
    spent = []
    for _ in range(10):
        start = time.thread_time()
        with pytest.raises(NoSession):
            bench.verifier.verify(text)
        spent.append(time.thread_time() - start)
    assert min(spent) < 0.0001
    assert bench.extra_fetches == 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(lambda: with_claims(big="x" * 1_000_000), id="V-006 payload of a megabyte"),
        pytest.param(lambda: with_claims(big="x" * 12_000), id="V-006 payload just above the cap"),
        pytest.param(lambda: with_header(kid="d-" + "1" * 1_000_000), id="V-007 kid of a megabyte"),
        pytest.param(lambda: with_header(kid="d-" + "1" * 1_000), id="V-007 header just above 1 KiB"),
    ],
)
def test_what_is_too_large_is_refused_though_it_is_genuine(bench: Bench, text: Any) -> None:
    assert bench.outcome(text()) == "401U"
    assert bench.extra_fetches == 0


def test_a_large_payload_below_the_cap_is_fine(bench: Bench) -> None:
    assert bench.outcome(with_claims(big="x" * 11_000)) == "OK"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(GOOD.encode(), id="V-019 bytes"),
        pytest.param(memoryview(GOOD.encode()), id="V-019 memoryview"),
        pytest.param(7, id="V-019 int"),
        pytest.param(None, id="V-019 None"),
    ],
)
def test_a_token_that_is_no_str_is_a_mistake_of_the_caller(bench: Bench, wrong: Any) -> None:
    with pytest.raises(TypeError):
        bench.verifier.verify(wrong)
    with pytest.raises(TypeError):
        bench.verifier.parse(wrong)


def test_a_gated_token_is_verified_without_being_gated_again(bench: Bench) -> None:
    gated = bench.verifier.parse(GOOD)
    assert gated is not None
    assert gated.text == GOOD
    assert gated.header.kid == KID
    assert GOOD not in repr(gated) and BODY not in repr(gated)
    assert bench.verifier.verify(gated) == bench.verifier.verify(GOOD)


def test_a_token_gated_by_another_verifier_is_judged_again() -> None:
    """R10: what one verifier lets through its gate is not for another to rely on."""
    cases: list[tuple[str, dict[str, Any]]] = [(with_header(version="6"), {}), (GOOD, {"max_token": len(GOOD) - 1})]
    for let_through, strictness in cases:
        lenient, strict = Bench(versions=["5", "6"]), Bench(**strictness)
        gated = lenient.verifier.parse(let_through)
        assert gated is not None
        assert lenient.outcome(gated) == "OK"
        assert strict.outcome(gated) == "401U"


def test_white_space_inside_the_header_json_is_fine(bench: Bench) -> None:
    """Only the members count, not how the core spells its JSON."""
    spaced = json.dumps(header(), indent=1).encode()
    assert bench.outcome(compact(spaced, json.dumps(payload()).encode())) == "OK"
