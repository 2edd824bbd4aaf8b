"""
Sending users to a core of any kind, through its queue for bulk import (CDI 5.3).

A core takes a list of users as a whole or not at all, so a list that is refused is halved until the users who are to
blame are found. What the core could not store it says later, in its queue. Both are in the report.
"""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import attrs

from ..core_client.querier import Querier
from ..errors import CoreRefused, SuperTokensError
from .sources import Entry

CDI_VERSIONS = ("5.3", "5.4")
"""The versions of the core driver interface that have bulk import."""

_USERS = "/bulk-import/users"
_BATCH = 500
_WINDOW = 50_000
"""Users whose ids are kept, to tell them apart from others in the queue."""

_SHOWN = 20
_TAKEN = ("E003", "E005", "E006", "E007", "E031")
"""How the queue's reasons start when another user has the email, phone number, provider's account or id already."""


class NoBulkImport(SuperTokensError):
    """The core has no bulk import."""


class QueueStuck(SuperTokensError):
    """The core does not empty its queue."""


@attrs.define
class Report:
    """
    What became of the users of a file.

    :param read: how many there are.
    :param taken: how many are new in the core.
    :param known: how many were in it already, or have the email, phone number or provider's account of a user who is.
    :param refused: why others could not be taken, by how they are called; of the first ones.
    :param notes: what could not be taken of those who were, and of how many.
    :param tell: is called with everybody who was not taken, or not completely, and why.
    """

    tell: Callable[[str, str], None] = lambda label, reason: None
    read: int = 0
    taken: int = 0
    known: int = 0
    lost: int = 0
    refused: dict[str, str] = attrs.field(factory=dict)
    notes: Counter[str] = attrs.field(factory=Counter)

    def refuse(self, label: str, reason: str) -> None:
        """Note a user who cannot be taken."""
        self.lost += 1
        self.tell(label, reason)
        if len(self.refused) < _SHOWN:
            self.refused[label] = reason

    def readable(self, entries: Iterable[Entry]) -> Iterable[Entry]:
        """Yield those who can be taken, and note what cannot."""
        for entry in entries:
            self.read += 1
            if entry.user is None:
                self.refuse(entry.label, "; ".join(entry.notes))
                continue
            for note in entry.notes:
                self.notes[note] += 1
                self.tell(entry.label, note)
            yield entry

    def json(self) -> dict[str, Any]:
        """Return the report for programs."""
        numbers = {"read": self.read, "taken": self.taken, "known": self.known, "notTaken": self.lost}
        return {**numbers, "reasons": self.refused, "notes": dict(self.notes)}


class Sender:
    """
    Sends users to an app of a core, and waits until it has stored them.

    :param pause: seconds between two looks at the queue.
    :param patience: seconds without any progress of the core after which waiting ends.
    :param progress: is called with how many the core has looked at.
    """

    def __init__(
        self, core: Querier, report: Report, *, pause: float, patience: float, progress: Callable[[int], None]
    ) -> None:
        self._core = core
        self._report = report
        self._pause = pause
        self._patience = patience
        self._progress = progress
        self._roles: set[str] = set()
        self._sent: dict[str, str] = {}
        self._names: set[str] = set()
        self._done = 0

    def send(self, entries: Iterable[Entry]) -> None:
        """
        Send users, a list at a time.

        :raises NoBulkImport: when the core does not have it.
        :raises QueueStuck: when users wait in its queue and their number does not change.
        """
        batch: list[Entry] = []
        for entry in self._report.readable(entries):
            batch.append(entry)
            if len(batch) == _BATCH:
                self._add(batch)
                batch = []
            if len(self._sent) >= _WINDOW:
                self._finish()
        self._add(batch)
        self._finish()

    def _add(self, batch: list[Entry]) -> None:
        users = [entry.user for entry in batch if entry.user is not None]
        for role in {role["role"] for user in users for role in user.get("userRoles", ())} - self._roles:
            self._core.put("/recipe/role", {"role": role}).check()
            self._roles.add(role)
        try:
            added = self._core.post(_USERS, {"users": users}).body.get("users", [])
        except CoreRefused as error:
            if error.status == 404 or "in-memory" in error.text:
                raise NoBulkImport(
                    "the core has no bulk import: official ones have it since version 10.1, on PostgreSQL only"
                ) from error
            if error.status != 400:
                raise
            if len(batch) == 1:
                self._report.refuse(batch[0].label, _reason(error.text))
                return
            for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                self._add(half)
            return
        for entry, shown in zip(batch, added, strict=True):
            self._sent[shown["loginMethods"][0]["userId"]] = entry.label
            self._names.add(_name(entry.user or {}))

    def _finish(self) -> None:
        """
        Note who failed, and remove them from the queue, when the core has looked at all.

        :raises QueueStuck: after that, when it looks at no one any more.
        """
        waiting = self._wait()
        failed = self._take_failed()
        self._report.taken += max(0, len(self._sent) - len(failed) - waiting)
        if waiting:
            raise QueueStuck(
                f"the core does not empty its queue: {waiting} users wait in it, and for {self._patience:g} seconds "
                "none was looked at. See the log of the core, and run the command again when it works: who is in the "
                "core stays. If the core only needs longer, say so with --patience"
            )
        self._done += len(self._sent)
        self._progress(self._done)
        self._sent, self._names = {}, set()

    def _wait(self) -> int:
        """Wait until the core has looked at all; return how many are left when it has stopped."""
        before, failed_before, since = math.inf, 0, time.monotonic()
        while waiting := self._count("NEW") + self._count("PROCESSING"):
            failed = self._count("FAILED")
            # Others may put as many users into the queue as leave it: who fails shows that the core is at work.
            progress = waiting < before or failed > failed_before
            before, failed_before = waiting, failed
            if progress:
                since = time.monotonic()
            elif time.monotonic() - since > self._patience:
                return waiting
            self._progress(self._done + max(0, len(self._sent) - waiting))
            time.sleep(self._pause)
        return 0

    def _take_failed(self) -> Collection[str]:
        """
        Report who failed and remove them from the queue, with their passwords and hashes; return their ids.

        Copies of them that a command which was cut short has sent are removed, too.
        """
        failed: dict[str, str] = {}
        copies: list[str] = []
        params: dict[str, Any] = {"status": "FAILED", "limit": 500}
        while True:
            page = self._core.get(_USERS, params).body
            for user in page["users"]:
                if user["id"] in self._sent:
                    failed[user["id"]] = user["errorMessage"]
                elif _name(user) in self._names:
                    copies.append(user["id"])
            if "nextPaginationToken" not in page:
                break
            params["paginationToken"] = page["nextPaginationToken"]
        for user_id, reason in failed.items():
            if reason.startswith(_TAKEN):
                self._report.known += 1
                self._report.tell(self._sent[user_id], reason)
            else:
                self._report.refuse(self._sent[user_id], reason)
        ids = [*failed, *copies]
        for start in range(0, len(ids), _BATCH):
            self._core.post(f"{_USERS}/remove", {"ids": ids[start : start + _BATCH]})
        return failed

    def _count(self, status: str) -> int:
        number: int = self._core.get(f"{_USERS}/count", {"status": status}).body["count"]
        return number


def _name(user: Mapping[str, Any]) -> str:
    """Return what identifies a user of the file: the id, else the first way to sign in."""
    method = user.get("loginMethods", [{}])[0]
    parts = [method.get(part) for part in ("thirdPartyId", "thirdPartyUserId", "phoneNumber", "email")]
    ways = [part.strip().lower() for part in parts if part is not None]
    return str(user["externalUserId"]) if "externalUserId" in user else json.dumps(ways)


def _reason(text: str) -> str:
    """Return what is wrong with the only user of a list, out of the core's refusal, which may be cut short."""
    try:
        return "; ".join(json.loads(text)["users"][0]["errors"])
    except (ValueError, KeyError, IndexError, TypeError):
        return text.partition('"errors":')[2] or text
