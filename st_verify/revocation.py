"""Asking somebody whether a verified session was ended meanwhile, without letting the answer take for ever."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from st_verify.errors import ConfigError, RevocationUnavailable, Revoked
from st_verify.settings import count, seconds
from st_verify.token import AccessToken

_logger = logging.getLogger("st_verify")

#: Returns True if the session is revoked. May raise; may do I/O.
IsRevoked = Callable[[AccessToken], bool]


class RevocationCheck:
    """
    A hook, its deadline, and what to do without an answer.

    :param is_revoked: called for every request with a genuine token, in a thread of its own.
    :param timeout: seconds to wait for it.
    :param fail_open: True serves the request if the hook raises or is late; False answers 503.
    :param max_waiting: hooks that may be running at once, which bounds the threads that a hanging hook can cost;
        waiting for a turn counts against the timeout.
    :raises ConfigError: a number out of range.
    """

    def __init__(
        self, is_revoked: IsRevoked, *, timeout: float = 1.0, fail_open: bool = False, max_waiting: int = 32
    ) -> None:
        if not callable(is_revoked):
            raise ConfigError("is_revoked: must be callable")
        self._is_revoked = is_revoked
        self._timeout = seconds("timeout", timeout, low=0.01, high=60)
        self._fail_open = fail_open
        self._max_waiting = count("max_waiting", max_waiting, low=1)
        self._free: tuple[int, threading.Semaphore] = (-1, threading.Semaphore())

    def check(self, token: AccessToken) -> None:
        """
        :raises Revoked: the hook said True.
        :raises RevocationUnavailable: it gave no clear answer in time, and `fail_open` is False.
        """
        deadline = time.monotonic() + self._timeout
        if self._free[0] != os.getpid():
            # After a fork nobody would release what the parent's threads hold.
            self._free = (os.getpid(), threading.Semaphore(self._max_waiting))
        question = _Question(token, self._free[1])
        if question.turn.acquire(timeout=self._timeout):
            threading.Thread(target=self._ask, args=(question,), name="st_verify-revoked", daemon=True).start()
            question.done.wait(max(0.0, deadline - time.monotonic()))
        if question.answer is True:
            raise Revoked("revoked")
        if question.answer is not False and not self._fail_open:
            raise RevocationUnavailable("revocation")

    def _ask(self, question: _Question) -> None:
        try:
            question.answer = self._is_revoked(question.token)
        except Exception:  # the hook is the operator's code; no answer is decided by fail_open
            _logger.exception("is_revoked raised")
        finally:
            question.turn.release()
            question.done.set()


class _Question:
    def __init__(self, token: AccessToken, turn: threading.Semaphore) -> None:
        self.token = token
        self.turn = turn
        self.answer: object = None
        self.done = threading.Event()
