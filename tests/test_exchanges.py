"""Exchanges with servers of others: their outcome, their errors, and what happens when there is no time or thread."""

from __future__ import annotations

import threading

import pytest

from st_wsgi.exchanges import Exchanges, NoThread


def test_the_outcome_and_the_error_of_an_exchange_reach_the_caller() -> None:
    exchanges = Exchanges(at_most=1)
    assert exchanges.within(60, lambda: "a reply") == "a reply"
    with pytest.raises(ValueError, match="no number"):
        exchanges.within(60, lambda: int("no number"))
    assert exchanges.within(60, threading.get_ident) != threading.get_ident()


def test_those_that_nobody_waits_for_any_more_are_counted_until_they_end() -> None:
    exchanges, over, ended = Exchanges(at_most=1), threading.Event(), threading.Event()

    def slow() -> None:
        over.wait(60)
        ended.set()

    with pytest.raises(TimeoutError):
        exchanges.within(0.01, slow)
    with pytest.raises(NoThread, match="1 calls are under way already"):
        exchanges.within(60, lambda: "a reply")
    over.set()
    assert ended.wait(60)
    for thread in threading.enumerate():
        if thread.name == "st_wsgi-exchange":
            thread.join(60)
    assert exchanges.within(60, lambda: "a reply") == "a reply"


def test_without_another_thread_the_next_exchange_has_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    exchanges = Exchanges(at_most=1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(2):
            with pytest.raises(NoThread, match="there is no thread for it"):
                exchanges.within(60, lambda: "a reply")
    assert exchanges.within(60, lambda: "a reply") == "a reply"


def test_a_child_process_has_all_its_places() -> None:
    exchanges, over = Exchanges(at_most=1), threading.Event()
    with pytest.raises(TimeoutError):
        exchanges.within(0.01, lambda: over.wait(60))
    exchanges.after_fork()
    assert exchanges.within(60, lambda: "a reply") == "a reply"
    over.set()
