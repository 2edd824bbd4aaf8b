"""A hook that returns whether a session has ended, with a deadline."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable

from st_verify.errors import RevocationUnavailable, Revoked
from st_verify.settings import count, flag, function, seconds
from st_verify.token import AccessToken

_logger = logging.getLogger("st_verify")

#: Returns True if the session has ended. May do I/O and may raise.
IsRevoked = Callable[[AccessToken], bool]


class RevocationCheck:
    """
    A revocation hook, its deadline, and what to do if it gives no answer.

    >>> check = RevocationCheck(lambda session: session.session_handle in {"h-1"}, timeout=0.5)

    :param is_revoked: called for every request with a genuine token, in a thread of its own.
    :param timeout: seconds to wait for it, 0.01 to 60.
    :param fail_open: what to do if the hook raises or is late: True serves the request, False answers 503.
    :param max_waiting: hooks that may run at the same time, so that a hanging hook holds few threads. Waiting for
        another hook counts against the timeout.
    :raises SettingError: one of them has a wrong type or is out of range.
    """

    def __init__(
        self, is_revoked: IsRevoked, *, timeout: float = 1.0, fail_open: bool = False, max_waiting: int = 32
    ) -> None:
        function("is_revoked", is_revoked)
        self._is_revoked = is_revoked
        self._name = getattr(is_revoked, "__qualname__", type(is_revoked).__name__)
        self._timeout = seconds("timeout", timeout, low=0.01, high=60)
        self._fail_open = flag("fail_open", fail_open)
        self._max_waiting = count("max_waiting", max_waiting, low=1)
        self._free: tuple[int, threading.Semaphore] = (-1, threading.Semaphore())

    def __repr__(self) -> str:
        return f"RevocationCheck({self._name}, timeout={self._timeout:g}, fail_open={self._fail_open})"

    def check(self, token: AccessToken) -> None:
        """
        Ask the hook.

        :raises Revoked: it returned True.
        :raises RevocationUnavailable: it returned neither True nor False in time, and `fail_open` is False.
        """
        deadline = time.monotonic() + self._timeout
        if self._free[0] != os.getpid():
            # After a fork, the child has none of the threads that would release what they hold.
            self._free = (os.getpid(), threading.Semaphore(self._max_waiting))
        turn, answers = self._free[1], queue.SimpleQueue[object]()
        answer: object = None
        if turn.acquire(timeout=self._timeout):
            threading.Thread(
                target=self._ask, args=(token, turn, answers), name="st_verify-revoked", daemon=True
            ).start()
            with contextlib.suppress(queue.Empty):
                answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        if answer is True:
            raise Revoked("revoked")
        if answer is not False and not self._fail_open:
            raise RevocationUnavailable("revocation")

    def _ask(self, token: AccessToken, turn: threading.Semaphore, answers: queue.SimpleQueue[object]) -> None:
        answer: object = None
        try:
            answer = self._is_revoked(token)
        except Exception:  # the hook may raise anything, and fail_open decides what that means
            _logger.exception("the revocation hook %s raised", self._name)
        finally:
            turn.release()
            answers.put(answer)
