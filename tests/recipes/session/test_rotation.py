"""With CDI 5.6 a refresh counts at once, and for a grace period the token before may still be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from recipes.shop import QUICK, Borrowed, Clock, Shop, Visitor, clears, clears_nothing, payload_of
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import session
from st_wsgi.request import current

GRACE = 30  # seconds, the core's default
THEFT = {"message": "token theft detected"}


@pytest.fixture
def shop(clock: Clock) -> Iterator[Shop]:
    with EmbeddedCore(settings={**QUICK, "supertokens_max_cdi_version": "5.6"}, clock=clock) as core:
        yield Shop(Borrowed(core), clock=clock, cdi_versions=("5.4", "5.6"))
    current.set_default(None)


def refreshed(visitor: Visitor) -> Visitor:
    """Refresh, and return another browser with the tokens that were."""
    before = visitor.snapshot()
    assert visitor.refresh().status_code == 200
    return before


@pytest.mark.parametrize("mode", ["cookie", "header"])
def test_a_refreshed_session_goes_on_without_a_call_to_the_core(shop: Shop, mode: str) -> None:
    visitor = shop.signed_in(mode)
    visitor.visit()
    refreshed(visitor)
    assert payload_of(str(visitor.access_token))["parentRefreshTokenHash1"] is None
    calls = list(shop.core.calls)
    assert visitor.visit().json == {"userId": visitor.user_id}
    assert shop.core.calls == calls


def test_a_tab_that_was_late_may_use_the_token_before_for_the_grace_period(shop: Shop) -> None:
    """W-064: tabs of one browser share their cookies, so that the last answer is what all of them have."""
    visitor = shop.signed_in()
    late = refreshed(visitor)
    visitor.visit()
    shop.clock.wait(GRACE - 1)
    assert late.refresh().status_code == 200
    assert late.visit().json == {"userId": visitor.user_id}
    shop.clock.wait(GRACE * 10)
    assert late.refresh().status_code == 200


def test_after_the_grace_period_its_use_is_theft_and_ends_the_session(shop: Shop) -> None:
    visitor = shop.signed_in()
    thief = refreshed(visitor)
    shop.clock.wait(GRACE + 1)
    answer = thief.refresh()
    assert (answer.status_code, answer.json) == (401, THEFT)
    assert clears(answer, "cookie")
    assert session.get_all_session_handles_for_user(user_id=visitor.user_id) == []
    assert visitor.refresh().status_code == 401


def test_the_grace_period_is_a_fixed_one(shop: Shop) -> None:
    """Uses within it do not make it longer."""
    visitor = shop.signed_in()
    old = refreshed(visitor)
    for wait, status in ((GRACE - 10, 200), (8, 200), (4, 401)):
        shop.clock.wait(wait)
        assert old.snapshot().refresh().status_code == status


def test_a_token_of_two_refreshes_ago_is_theft_at_once(shop: Shop) -> None:
    visitor = shop.signed_in()
    oldest = refreshed(visitor)
    refreshed(visitor)
    refreshed(visitor)
    assert oldest.refresh().json == THEFT


def test_a_look_into_the_database_sees_that_a_session_is_gone_and_leaves_the_rest_to_a_refresh(shop: Shop) -> None:
    """The tokens may be those of a tab that has lost a race, while those of the winner are on their way."""
    visitor = shop.signed_in()

    def look(environ: Any) -> str:
        return session.get_session(environ, check_database=True).get_user_id()

    assert shop.during(visitor, look).json == visitor.user_id
    session.revoke_all_sessions_for_user(user_id=visitor.user_id)
    answer = shop.during(visitor, look)
    assert (answer.json, clears_nothing(answer)) == ({"message": "unauthorised"}, True)
    assert clears(visitor.refresh(), "cookie")


def test_a_payload_that_was_changed_from_outside_comes_with_the_next_refresh(shop: Shop) -> None:
    visitor = shop.signed_in(access_token_payload={"a": 1})
    handle = payload_of(str(visitor.access_token))["sessionHandle"]
    session.merge_into_access_token_payload(session_handle=handle, access_token_payload_update={"a": 2})
    visitor.refresh()
    assert payload_of(str(visitor.access_token))["a"] == 2
    shop.with_session(visitor, lambda found: found.merge_into_access_token_payload({"a": 3}))
    assert payload_of(str(visitor.access_token))["a"] == 3
    assert visitor.visit().status_code == 200


def test_a_core_that_does_not_speak_it_is_spoken_to_in_what_it_speaks(core: Borrowed) -> None:
    visitor = Shop(core, cdi_versions=("5.4", "5.6")).signed_in()
    visitor.refresh()
    assert payload_of(str(visitor.access_token))["parentRefreshTokenHash1"] is not None
    assert visitor.visit().status_code == 200


@pytest.mark.parametrize("versions", [(), "5.4", ("4.0",), ("5.4", "6.0"), ("5",)])
def test_versions_that_are_not_known_are_refused(core: Borrowed, versions: Any) -> None:
    with pytest.raises(ConfigError, match="cdi_versions"):
        Shop(core, cdi_versions=versions)
