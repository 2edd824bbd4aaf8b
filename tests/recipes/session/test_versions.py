"""What an app sees of the CDI version that it speaks with its core."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from recipes.shop import QUICK, Borrowed, Clock, Shop, Visitor, clears, clears_nothing, payload_of
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import CoreTooOld
from st_wsgi.recipes import session
from st_wsgi.request import current

LIMIT = 30  # seconds after which something that was to happen has failed
GRACE = 30  # seconds, the core's default
UNAUTHORISED = {"message": "unauthorised"}
THEFT = {"message": "token theft detected"}
MODES = ["cookie", "header"]


@pytest.fixture(scope="module")
def clock() -> Clock:
    """The time of the core of this file, which only goes forward."""
    return Clock()


@pytest.fixture(scope="module")
def rotating_core(clock: Clock) -> Iterator[EmbeddedCore]:
    with EmbeddedCore(settings={**QUICK, "supertokens_max_cdi_version": "5.6"}, clock=clock) as core:
        yield core


@pytest.fixture
def core(rotating_core: EmbeddedCore) -> Iterator[Borrowed]:
    """A core that speaks CDI 5.6 to those who ask for it."""
    yield Borrowed(rotating_core)
    current.set_default(None)


@pytest.fixture
def shop(core: Borrowed, clock: Clock) -> Shop:
    """A shop that asks for it."""
    return Shop(core, clock=clock, cdi_versions=("5.4", "5.6"))


def visit_checked(visitor: Visitor) -> Any:
    """Come to a page for which the core is asked whether the session is still there."""
    return visitor.shop.during(
        visitor, lambda environ: {"userId": session.get_session(environ, check_database=True).get_user_id()}
    )


def handles(visitor: Visitor) -> list[str]:
    return session.get_all_session_handles_for_user(user_id=visitor.user_id)


@pytest.mark.parametrize("mode", MODES)
def test_a_whole_visit(shop: Shop, mode: str) -> None:
    """Signing up and in, visits, refreshes and signing out look to the frontend as ever."""
    visitor = shop.visitor(mode)
    user_id = (visitor.sign_up().json or {})["user"]["id"]
    assert visitor.sign_in().status_code == 200
    for _ in range(3):
        assert visitor.visit("POST").json == {"userId": user_id}
        assert visit_checked(visitor).json == {"userId": user_id}
        answer = visitor.refresh()
        assert (answer.status_code, answer.json) == (200, {})
        assert payload_of(str(visitor.access_token))["parentRefreshTokenHash1"] is None
    assert visitor.sign_out().json == {"status": "OK"}
    assert visitor.visit().status_code == 401


@pytest.mark.parametrize("version", ["5.0", "5.1", "5.2", "5.3", "5.4", "5.5", "5.6"])
def test_every_version_that_may_be_asked_for(core: Borrowed, clock: Clock, version: str) -> None:
    """With each of them people sign up, stay signed in and sign out."""
    shop = Shop(core, clock=clock, cdi_versions=(version,))
    visitor = shop.visitor()
    assert visitor.sign_up().status_code == 200
    assert visitor.refresh().status_code == 200
    assert visitor.visit().status_code == 200
    assert visitor.sign_out().json == {"status": "OK"}
    assert shop.st.services.core.api_version() == version


def test_a_core_that_was_not_told_does_not_speak_it(clock: Clock) -> None:
    """The error names what either side speaks; with 5.4 allowed too, that is taken."""
    with EmbeddedCore(settings=QUICK, clock=clock) as older:
        with pytest.raises(CoreTooOld, match=r"uses 5\.6, the core has 5\.0, 5\.1"):
            Shop(Borrowed(older), cdi_versions=("5.6",)).st.services.core.api_version()
        both = Shop(Borrowed(older), cdi_versions=("5.4", "5.6"))
        assert both.st.services.core.api_version() == "5.4"
        current.set_default(None)


def test_tabs_that_refresh_at_once_all_get_tokens_and_one_set_lasts(shop: Shop) -> None:
    """
    One refresh is the last. Its tokens are the session's, and those of the others are reuse when they refresh.

    A view that asks the core turns the others away without clearing anything, since in one browser the tabs share
    their cookies, and those of the last refresh may be there by now.
    """
    visitor = shop.signed_in()
    tabs = [visitor.snapshot() for _ in range(8)]
    together = threading.Barrier(len(tabs), timeout=LIMIT)

    def refresh(tab: Visitor) -> int:
        together.wait()
        return tab.refresh().status_code

    with ThreadPoolExecutor(len(tabs)) as pool:
        assert list(pool.map(refresh, tabs)) == [200] * len(tabs)
    assert len({tab.refresh_token for tab in tabs}) == len(tabs)
    assert [tab.visit().status_code for tab in tabs] == [200] * len(tabs)
    answers = [visit_checked(tab) for tab in tabs]
    lasting = [tab for tab, answer in zip(tabs, answers, strict=True) if answer.status_code == 200]
    others = [answer for answer in answers if answer.status_code != 200]
    assert len(lasting) == 1
    assert [(answer.status_code, answer.json, clears_nothing(answer)) for answer in others] == [
        (401, UNAUTHORISED, True)
    ] * (len(tabs) - 1)
    assert lasting[0].refresh().status_code == 200
    assert handles(visitor) != []
    late = next(tab for tab in tabs if tab is not lasting[0])
    assert late.refresh().json == THEFT
    assert handles(visitor) == []


def test_reuse_that_the_core_reports_as_unauthorised(clock: Clock) -> None:
    """recent_token_reuse_behaviour: 401 and cleared but not called theft; the session has ended all the same."""
    settings = {
        **QUICK,
        "supertokens_max_cdi_version": "5.6",
        "recent_token_reuse_behaviour": "UNAUTHORISED",
    }
    with EmbeddedCore(settings=settings, clock=clock) as lenient:
        shop = Shop(Borrowed(lenient), clock=clock, cdi_versions=("5.6",))
        visitor = shop.signed_in()
        late = visitor.snapshot()
        visitor.refresh()
        clock.wait(GRACE + 1)
        answer = late.refresh()
        assert (answer.status_code, answer.json, clears(answer, "cookie")) == (401, UNAUTHORISED, True)
        assert handles(visitor) == []
        current.set_default(None)


def test_anti_csrf_tokens(core: Borrowed, clock: Clock) -> None:
    """A refresh asks for the anti-CSRF token of the token at hand, and a refused one costs nothing."""
    sessions = clock.session(anti_csrf="VIA_TOKEN")
    shop = Shop(core, clock=clock, sessions=sessions, cdi_versions=("5.6",))
    visitor = shop.signed_in()
    forged = visitor.snapshot()
    forged.anti_csrf = "x"
    assert forged.refresh().json == UNAUTHORISED
    for _ in range(2):
        assert visitor.refresh().status_code == 200
        assert visitor.visit("POST").status_code == 200


def test_a_session_of_before_the_switch(core: Borrowed, clock: Clock) -> None:
    """Tokens that were made under CDI 5.4, settled or not, are good under 5.6."""
    older, newer = (Shop(core, clock=clock, cdi_versions=(version,)) for version in ("5.4", "5.6"))
    settled, unsettled = older.signed_in(), older.signed_in()
    settled.refresh()
    settled.visit()
    unsettled.refresh()
    for visitor in (settled, unsettled):
        visitor.shop = newer
        assert visitor.visit().json == {"userId": visitor.user_id}
        assert visit_checked(visitor).status_code == 200
        assert visitor.refresh().status_code == 200
        assert visit_checked(visitor).status_code == 200
