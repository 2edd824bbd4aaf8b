"""Catalogue 3.5: when a token counts."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from st_verify import SettingError
from verify.minting import DAY, NOW, Bench, compact, header, payload, these, with_claims

TIMES: list[Any] = [
    pytest.param({"exp": NOW - 10}, "401R", id="V-080 expired"),
    pytest.param({"exp": NOW}, "401R", id="V-080 expires now"),
    pytest.param({"exp": NOW + 1}, "OK", id="V-080 expires in a second"),
    *[
        pytest.param({"exp": value}, "401U", id=f"V-081 exp {value!r}")
        for value in these(..., None, "123", True, [NOW + 1], {}, float(NOW + 1))
    ],
    pytest.param({"exp": -1}, "401R", id="V-081 exp before all time"),
    pytest.param({"exp": 0}, "401R", id="V-081 exp at the epoch"),
    pytest.param({"exp": 1e300}, "401U", id="V-083 exp 1e300"),
    pytest.param({"exp": 10**30}, "401U", id="V-083 exp 10^30"),
    pytest.param({"exp": NOW * 1000}, "401U", id="V-083 exp in milliseconds"),
    pytest.param({"exp": NOW + 1.5}, "401U", id="V-084 exp with a fraction"),
    *[
        pytest.param({"iat": value}, "401U", id=f"V-085 iat {value!r}")
        for value in these(..., None, str(NOW), True, -1, float(NOW), [NOW])
    ],
    pytest.param({"iat": NOW + 3}, "OK", id="V-086 the core's clock is 3 s ahead"),
    pytest.param({"iat": NOW + 60}, "OK", id="V-086 the core's clock is 60 s ahead"),
    pytest.param({"iat": NOW + 61}, "401R", id="V-087 iat beyond the skew"),
    pytest.param({"iat": NOW + 3600, "exp": NOW + 7200}, "401R", id="V-087 iat an hour ahead"),
    pytest.param({"iat": NOW + 50, "exp": NOW + 40}, "401R", id="V-087 iat after exp"),
    pytest.param({"iat": 10**310, "exp": 10**310 + 1}, "401R", id="V-087 iat and exp beyond all floats"),
    pytest.param({"nbf": NOW + 60}, "OK", id="V-088 nbf within the skew"),
    pytest.param({"nbf": NOW + 61}, "401R", id="V-088 nbf in the future"),
    *[
        pytest.param({"nbf": value}, "401U", id=f"V-088 nbf {value!r}")
        for value in these(None, "soon", 1.5, True, [NOW])
    ],
]


@pytest.mark.parametrize(("claims", "expected"), TIMES)
def test_times_are_whole_seconds_and_are_kept_to(bench: Bench, claims: dict[str, Any], expected: str) -> None:
    assert bench.outcome(with_claims(**claims)) == expected


@pytest.mark.parametrize("value", [pytest.param(v, id=f"V-082 exp {v}") for v in ("NaN", "Infinity", "1e400")])
def test_an_exp_that_is_no_number_at_all(bench: Bench, value: str) -> None:
    body = json.dumps(payload(exp="EXP")).replace('"EXP"', value)
    assert bench.outcome(compact(json.dumps(header()).encode(), body.encode())) == "401U"


def test_the_longest_life_is_the_configured_one() -> None:
    """V-083"""
    bench = Bench(max_lifetime=3600)
    assert bench.outcome(with_claims(iat=NOW, exp=NOW + 3600)) == "OK"
    assert bench.outcome(with_claims(iat=NOW, exp=NOW + 3601)) == "401U"
    assert Bench().outcome(with_claims(iat=NOW, exp=NOW + 86_400_000)) == "OK"
    assert Bench().outcome(with_claims(iat=NOW, exp=NOW + 86_400_001)) == "401U"


def test_a_clock_that_jumps_back_lets_no_cached_token_live_longer() -> None:
    """V-089: the wall clock goes back a day; the cache entry still ends after a minute of the monotonic clock."""
    bench = Bench()
    text = with_claims(iat=NOW - 10, exp=NOW + 30)
    assert bench.outcome(text) == "OK"
    bench.time.wall -= DAY
    bench.time.monotonic += 59
    assert bench.outcome(text) == "OK"
    bench.time.monotonic += 1
    assert bench.outcome(text) == "401R"


def test_a_cached_token_expires_by_the_wall_clock() -> None:
    """V-089: the monotonic clock stands still."""
    bench = Bench()
    text = with_claims(exp=NOW + 30)
    assert bench.outcome(text) == "OK"
    bench.time.wall += 30
    assert bench.outcome(text) == "401R"


def test_leeway_counts_after_expiry_only() -> None:
    """V-090"""
    bench = Bench(leeway=5)
    text = with_claims(exp=NOW - 4)
    assert [bench.outcome(text), bench.outcome(text)] == ["OK", "OK"]
    bench.time.advance(1)
    assert bench.outcome(text) == "401R"


@pytest.mark.parametrize("option", ["leeway", "clock_skew"])
@pytest.mark.parametrize("value", [-1, math.nan, 301, math.inf, "5", True, None])
def test_a_leeway_out_of_range_is_refused_at_construction(option: str, value: Any) -> None:
    """V-090"""
    with pytest.raises(SettingError, match=option):
        Bench(**{option: value})
