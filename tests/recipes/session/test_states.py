"""
Random lives of sessions, compared with a model of what the protocol says.

Browsers are copied, so that old tokens come back later, as they do with many tabs and with thieves. The rules are those
of cores that speak CDI 5.4: a refresh counts when its child is first used, and until then one token may have several
children.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
from cluster import Cluster
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sampling import exhaustive_but
from werkzeug.test import TestResponse

from recipes.shop import QUICK, Borrowed, Clock, Shop, Visitor, clears, clears_nothing, payload_of
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipes import session
from st_wsgi.request import current

ACCESS_SECONDS = 3600
REFRESH_MINUTES = 601  # no sum of the waits below meets it exactly

NUMBERS = st.integers(0, 10_000)
MODES = st.sampled_from(["cookie", "header"])
SELDOM = st.integers(0, 9).map(lambda number: number == 5)

UNAUTHORISED = (401, {"message": "unauthorised"})
TRY_REFRESH = (401, {"message": "try refresh token"})
THEFT = (401, {"message": "token theft detected"})


@attrs.define(eq=False)
class Life:
    """What the core should know of a session."""

    user_id: str
    handle: str
    expires: float
    payload: dict[str, Any]
    confirmed: Node | None = None
    there: bool = True


@attrs.define(eq=False)
class Node:
    """A refresh token, and the one that it was traded for."""

    life: Life
    parent: Node | None


@attrs.define(eq=False)
class Access:
    """An access token; *pending* if it is right from a refresh that does not count yet."""

    node: Node
    pending: bool
    expires: float
    payload: dict[str, Any]


@attrs.define(eq=False)
class Tab:
    """A browser, and what the model knows of its tokens."""

    visitor: Visitor
    access: Access | None
    refresh: Node | None

    def copy(self) -> Tab:
        access = None if self.access is None else attrs.evolve(self.access)
        return Tab(self.visitor.snapshot(), access, self.refresh)

    def forget(self) -> None:
        self.access = self.refresh = None


class Sessions(RuleBasedStateMachine):
    """The shop is that of the test; users are new in every run."""

    shop: ClassVar[Shop]

    def __init__(self) -> None:
        super().__init__()
        self.clock = self.shop.clock
        self.lives: list[Life] = []
        self.tabs: list[Tab] = []

    def one_of(self, number: int) -> Tab:
        """One of the tabs, most of the time one that has tokens."""
        tabs = [tab for tab in self.tabs if tab.refresh is not None]
        return tabs[number % len(tabs)] if tabs and number % 7 else self.tabs[number % len(self.tabs)]

    @property
    def now(self) -> float:
        return self.clock() / 1000

    # What happens.

    @initialize(mode=MODES)
    def begin(self, mode: str) -> None:
        self.create(mode)

    @rule(mode=MODES)
    def create(self, mode: str) -> None:
        visitor = self.shop.signed_in(mode, access_token_payload={"n": 0})
        token = payload_of(str(visitor.access_token))
        life = Life(visitor.user_id, token["sessionHandle"], self.now + REFRESH_MINUTES * 60, {"n": 0})
        life.confirmed = Node(life, None)
        self.lives.append(life)
        access = Access(life.confirmed, False, self.now + ACCESS_SECONDS, {"n": 0})
        self.tabs.append(Tab(visitor, access, life.confirmed))

    @rule(seconds=st.sampled_from([0, 0, 1800, 1800, 3600, 18_000]))
    def wait(self, seconds: int) -> None:
        self.clock.wait(seconds)

    @rule(number=NUMBERS)
    def visit(self, number: int) -> None:
        tab = self.one_of(number)
        self.check(tab.visitor.visit(), self.seen(tab), tab)

    @rule(number=NUMBERS)
    def visit_with_a_look_into_the_database(self, number: int) -> None:
        tab = self.one_of(number)
        answer = self.shop.during(
            tab.visitor, lambda environ: {"userId": session.get_session(environ, check_database=True).get_user_id()}
        )
        self.check(answer, self.seen(tab, check_database=True), tab)

    @rule(number=NUMBERS, value=st.integers(1, 9))
    def change_the_payload(self, number: int, value: int) -> None:
        tab = self.one_of(number)

        def view(environ: Any) -> dict[str, str]:
            found = session.get_session(environ)
            found.merge_into_access_token_payload({"n": value})
            return {"userId": found.get_user_id()}

        expected = self.seen(tab)
        if expected is None and tab.access is not None:
            life = tab.access.node.life
            if life.there and self.now <= life.expires:
                life.payload = tab.access.payload = {"n": value}
            else:
                expected = UNAUTHORISED
        self.check(self.shop.during(tab.visitor, view), expected, tab)

    @rule(number=NUMBERS, other=st.sampled_from([None, "keeps the old tokens", "refreshes too"]))
    def refresh(self, number: int, other: str | None) -> None:
        """*other*: what another tab, or a thief, does with the same tokens."""
        tab = self.one_of(number)
        copied = tab.copy()
        self._refresh(tab)
        if other is not None:
            self.tabs.append(copied)
        if other == "refreshes too":
            self._refresh(copied)

    def _refresh(self, tab: Tab) -> None:
        expected: Any = UNAUTHORISED
        node = tab.refresh
        life = None if node is None else node.life
        if node is not None and life is not None and life.there and self.now <= life.expires:
            if node.parent is not None and node.parent is life.confirmed:
                life.confirmed = node
                life.expires = self.now + REFRESH_MINUTES * 60
            if node is life.confirmed:
                expected = None
                child = Node(life, node)
                tab.refresh = child
                tab.access = Access(child, True, self.now + ACCESS_SECONDS, dict(life.payload))
            else:
                expected = THEFT
                life.there = False
        answer = tab.visitor.refresh()
        if expected is None:
            assert (answer.status_code, answer.json) == (200, {})
            return
        self.check(answer, expected, tab)

    @rule(number=NUMBERS, really=SELDOM)
    def sign_out(self, number: int, really: bool) -> None:
        if not really:
            return
        tab = self.one_of(number)
        expected = self.seen(tab)
        life = None if tab.access is None else tab.access.node.life
        answer = tab.visitor.sign_out()
        if expected is None and life is not None:
            assert (answer.status_code, answer.json) == (200, {"status": "OK"})
            assert clears(answer, tab.visitor.mode)
            life.there = False
            tab.forget()
        else:
            self.check(answer, expected, tab)

    @rule(number=NUMBERS, really=SELDOM)
    def revoke(self, number: int, really: bool) -> None:
        tab = self.one_of(number)
        life = self.life_of(tab)
        if really and life is not None and self.now <= life.expires:
            assert session.revoke_session(session_handle=life.handle) is life.there
            life.there = False

    @rule(number=NUMBERS, value=st.integers(10, 19))
    def change_the_payload_from_outside(self, number: int, value: int) -> None:
        tab = self.one_of(number)
        life = self.life_of(tab)
        if life is not None:
            there = life.there and self.now <= life.expires
            assert there is session.merge_into_access_token_payload(
                session_handle=life.handle, access_token_payload_update={"n": value}
            )
            if there:
                life.payload = {"n": value}

    @invariant()
    def the_core_lists_exactly_the_sessions_that_live(self) -> None:
        for life in self.lives:
            found = session.get_all_session_handles_for_user(user_id=life.user_id)
            assert found == ([life.handle] if life.there and self.now <= life.expires else [])

    # What is expected.

    def life_of(self, tab: Tab) -> Life | None:
        return None if tab.refresh is None else tab.refresh.life

    def seen(self, tab: Tab, *, check_database: bool = False) -> tuple[int, Any] | None:
        """What verifying a tab's token leads to, None for success; the model changes with it."""
        access = tab.access
        if access is None:
            return UNAUTHORISED
        if self.now >= access.expires:
            return TRY_REFRESH
        node, life = access.node, access.node.life
        if not (access.pending or check_database):
            return None
        if life.there and self.now > life.expires + 3600:
            # The core may have removed the row by now, or not yet, which a token of its last hour could tell.
            session.revoke_session(session_handle=life.handle)
            life.there = False
        if not life.there:
            return UNAUTHORISED
        if access.pending and node.parent is life.confirmed:
            life.confirmed = node
            life.expires = self.now + REFRESH_MINUTES * 60
        elif not access.pending and access.payload == life.payload:
            return None
        elif node is not life.confirmed and access.payload == life.payload:
            return None  # an older sibling, which is good until it expires
        tab.access = Access(node, False, self.now + ACCESS_SECONDS, dict(life.payload))
        return None

    def check(self, answer: TestResponse, expected: tuple[int, Any] | None, tab: Tab) -> None:
        if expected is None:
            assert (answer.status_code, answer.json) == (200, {"userId": tab.visitor.user_id})
            assert tab.access is not None
            token = payload_of(str(tab.visitor.access_token))
            assert token["sub"] == tab.visitor.user_id
            assert (token["n"], token["exp"]) == (tab.access.payload["n"], tab.access.expires)
            assert (token["parentRefreshTokenHash1"] is not None) is tab.access.pending
            return
        assert (answer.status_code, answer.json) == expected
        without_token = tab.access is None and clears_nothing(answer)
        if expected == TRY_REFRESH or without_token:
            assert clears_nothing(answer)
        else:
            assert clears(answer, "cookie")
            assert clears(answer, "header")
            tab.forget()


#: The database engines, and how many lives are tried on each. What differs between engines shows soon.
ENGINES = {"memory": 20, "file": 5, "postgres": 5}


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    clock, given = Clock(), {**QUICK, "refresh_token_validity": REFRESH_MINUTES}
    address = {"memory": "sqlite://", "file": f"sqlite:///{tmp_path}/auth.db"}.get(request.param)
    if address is None:
        cluster: Cluster = request.getfixturevalue("cluster")
        address = cluster.address()
    with EmbeddedCore.open(address, settings=given, clock=clock) as core:
        yield Shop(Borrowed(core), clock=clock)
    current.set_default(None)


@pytest.mark.parametrize(("shop", "lives"), exhaustive_but(ENGINES.items(), [("memory", 20)]), indirect=["shop"])
def test_sessions_live_as_the_protocol_says(shop: Shop, lives: int) -> None:
    Sessions.shop = shop
    quick = settings(
        max_examples=lives,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(Sessions, settings=quick)
