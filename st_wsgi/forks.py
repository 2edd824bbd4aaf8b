"""
Forks: what they wait for, and what a child process replaces.

In a child, a lock may be held by a thread that does not exist there, and a connection that both processes use mixes
up their replies. An object that owns one of these registers with :func:`renew_after_fork`, and its ``after_fork`` is
called in every child. Registered objects are held weakly, so that registering keeps none of them alive.

A lock inside a library cannot be replaced. Code that calls such a library does so within :meth:`Turns.taken`, and a
fork waits until no other thread is there.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

LONGEST_WAIT = 60.0
"""Seconds that forks and threads wait for each other at most. After that a child may hang, but not the parent."""


class Inherited(Protocol):
    """An object that a fork duplicates and that the child must not use unchanged."""

    def after_fork(self) -> None:
        """Replace locks and connections. Runs in the child, before anything else, in its only thread."""


class Parting(Protocol):
    """An object that holds something which must not exist when the process is duplicated."""

    def before_fork(self) -> None:
        """Release it. Runs in the thread that forks, while no other thread has a turn."""


class Turns:
    """
    Keeps forks and calls of certain libraries apart: while one thread forks, no other thread is inside the library.

    A thread that has a turn gets another one, even while a fork waits. A thread that has a turn and forks is not waited
    for, since it cannot be inside the library at that moment. Forks come one after the other.
    """

    def __init__(self) -> None:
        # Reentrant, because a signal's handler or a finalizer may come in between.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._turns: dict[int, int] = {}
        self._forking: int | None = None
        self._set_aside = 0  # turns of the thread that forks

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have a turn within the ``with`` block; if a fork is in progress, wait for its end first."""
        thread = threading.get_ident()
        with self._lock:
            if self._forking not in (None, thread) and thread not in self._turns:
                self._changed.wait_for(lambda: self._forking is None, LONGEST_WAIT)
            self._turns[thread] = self._turns.get(thread, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._turns[thread] -= 1
                if not self._turns[thread]:
                    del self._turns[thread]
                    if self._forking is not None:
                        self._changed.notify_all()

    def before_fork(self) -> None:
        """Wait until no other thread has a turn, and stop new turns."""
        thread = threading.get_ident()
        with self._lock:
            own = self._turns.pop(thread, 0)
            self._changed.notify_all()
            if self._changed.wait_for(lambda: self._forking is None, LONGEST_WAIT):
                self._forking, self._set_aside = thread, own
                self._changed.wait_for(lambda: not self._turns, LONGEST_WAIT)
            elif own:
                self._turns[thread] = own

    def after_fork_in_parent(self) -> None:
        """Let other threads have turns again."""
        with self._lock:
            if self._forking == threading.get_ident():
                if self._set_aside:
                    self._turns[self._forking] = self._set_aside
                self._forking = None
                self._changed.notify_all()

    def after_fork(self) -> None:
        """Start again in the child, with the turns of its only thread."""
        thread = threading.get_ident()
        left = self._set_aside if self._forking == thread else self._turns.get(thread, 0)
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._turns = {thread: left} if left else {}
        self._forking = None


turns: Turns = Turns()
"""For all databases and all hashes of this process, since they share the locks inside the libraries."""

_living: weakref.WeakSet[Inherited] = weakref.WeakSet()
_parting: weakref.WeakSet[Parting] = weakref.WeakSet()


def renew_after_fork(owner: Inherited) -> None:
    """Call ``owner.after_fork()`` in every child process, as long as *owner* exists."""
    _living.add(owner)


def part_before_fork(owner: Parting) -> None:
    """Call ``owner.before_fork()`` before every fork, as long as *owner* exists."""
    _parting.add(owner)


def _before() -> None:
    turns.before_fork()
    for owner in list(_parting):
        owner.before_fork()


def _in_child() -> None:
    turns.after_fork()
    for owner in list(_living):
        owner.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=_before, after_in_parent=turns.after_fork_in_parent, after_in_child=_in_child)
