"""
What a child process must make anew.

A lock may have been held by a thread that does not exist in the child, and a connection that two processes use mixes
their answers up. Objects that own either register here and get :meth:`Inherited.after_fork` called in every child.
They are held weakly: registering does not keep anything alive, and nothing is left behind when it goes.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Inherited(Protocol):
    """Something that a fork duplicates and that must not be used as it was."""

    def after_fork(self) -> None:
        """Make locks and connections anew. Runs in the child, before anything else, in its only thread."""


_living: weakref.WeakSet[Inherited] = weakref.WeakSet()


def renew_after_fork(owner: Inherited) -> None:
    """Call ``owner.after_fork()`` in every child process, for as long as *owner* lives."""
    _living.add(owner)


def _in_child() -> None:
    for owner in list(_living):
        owner.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_in_child)
