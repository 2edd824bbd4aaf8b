"""
What a fork must wait for, and what a child process must make anew.

A lock may have been held by a thread that does not exist in the child, and a connection that two processes use mixes
their answers up. Objects that own either register here and get :meth:`Inherited.after_fork` called in every child.
They are held weakly: registering does not keep anything alive, and nothing is left behind when it goes.

Locks inside a library cannot be made anew. Whoever calls such a library does so within :meth:`Turns.taken`, and a fork
waits for a moment at which no other thread is there.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

LONGEST_WAIT = 60.0
"""Seconds that forks and threads wait for each other at most: after that a child may hang, but not the parent."""


class Inherited(Protocol):
    """Something that a fork duplicates and that must not be used as it was."""

    def after_fork(self) -> None:
        """Make locks and connections anew. Runs in the child, before anything else, in its only thread."""


class Parting(Protocol):
    """Something that must not be there when the process is duplicated."""

    def before_fork(self) -> None:
        """Let go of it. Runs in the thread that forks, while no other thread has its turn."""


class Turns:
    """
    The threads that are where a fork must not find them, and the one that forks: never both.

    A thread that has a turn already gets another one even while a fork waits for it. One that has a turn and forks is
    not waited for, since it cannot be inside the library at that moment; forks themselves come one after the other.
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
        """Have a turn, once the fork that is about to take place is done."""
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
        """Wait until no other thread has a turn, and let none begin one."""
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
        """Let everybody go on."""
        with self._lock:
            if self._forking == threading.get_ident():
                if self._set_aside:
                    self._turns[self._forking] = self._set_aside
                self._forking = None
                self._changed.notify_all()

    def after_fork(self) -> None:
        """Begin anew, with the turns of the only thread that is left."""
        thread = threading.get_ident()
        left = self._set_aside if self._forking == thread else self._turns.get(thread, 0)
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._turns = {thread: left} if left else {}
        self._forking = None


turns: Turns = Turns()
"""Of this process, for all databases and all hashes: locks inside the libraries belong to none in particular."""

_living: weakref.WeakSet[Inherited] = weakref.WeakSet()
_parting: weakref.WeakSet[Parting] = weakref.WeakSet()


def renew_after_fork(owner: Inherited) -> None:
    """Call ``owner.after_fork()`` in every child process, for as long as *owner* lives."""
    _living.add(owner)


def part_before_fork(owner: Parting) -> None:
    """Call ``owner.before_fork()`` before every fork, for as long as *owner* lives."""
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
