"""
The embedded core in process: the same calls with a thousand users in the file and with a million.

With ``--quick`` there are fifty thousand; a million take some minutes, and 2 GB of disk while this runs. One user in
fifty has ten linked login methods, all emails are verified, one user in ten has an id of the app's own. Times are those
of the processor, in turns from the two files; the ratio is the cost with many users to that with few.
"""

from __future__ import annotations

import random
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from benchmarks.filling import METHODS, fill
from benchmarks.measuring import megabytes, microseconds
from benchmarks.report import Goal, Row, main, quotients, row
from st_wsgi.core_client.transport import CoreRequest, Method
from st_wsgi.embedded import EmbeddedCore

FEW, MANY, QUICK_MANY = 1_000, 1_000_000, 50_000
PAGE = 100
#: Users that one call sends to the queue of the bulk import.
IMPORTED = 500
#: Megabytes that the process may grow by while it imports.
MEMORY = 32
HASH = "$argon2id$v=19$m=16,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$fKZk1hTsrfe3bWTWFtG5XsBmdgT9jEvVt0Kt7SYbm3k"


class Subject:
    """A core on a file with *size* users."""

    def __init__(self, path: Path, size: int) -> None:
        self.users = fill(path, size)
        self.core = EmbeddedCore(path)

    def newest_page(self) -> None:
        self._page()

    def some_page(self) -> None:
        self._page(paginationToken=random.choice(self.users.tokens))

    def search(self) -> None:
        """By the start of an address that one user has."""
        found = self._send("GET", "/users", email=random.choice(self.users.emails)[:20])["users"]
        assert len(found) == 1, found

    def by_account_info(self) -> None:
        email = random.choice(self.users.emails)
        found = self._send("GET", "/users/by-accountinfo", email=email, doUnionOfAccountInfo="true")["users"]
        assert len(found) == 1, found

    def sign_in_by_code(self) -> None:
        code = self._post("/recipe/signinup/code", email=random.choice(self.users.emails))
        used = {name: code[name] for name in ("preAuthSessionId", "linkCode")}
        assert not self._post("/recipe/signinup/code/consume", **used)["createdNewUser"]

    def sign_in_by_provider(self) -> None:
        party, user_id = random.choice(self.users.accounts)
        email = {"id": f"{user_id}@example.com", "isVerified": True}
        answer = self._post("/recipe/signinup", thirdPartyId=party, thirdPartyUserId=user_id, email=email)
        assert not answer["createdNewUser"]

    def import_users(self) -> None:
        """Put users with a hash and an id of the app's own into the queue, and wait until they are stored."""
        users = []
        for name in (uuid.uuid4().hex for _ in range(IMPORTED)):
            password = {"email": f"{name}@example.com", "passwordHash": HASH, "hashingAlgorithm": "argon2"}
            method = {"recipeId": "emailpassword", "isVerified": True, **password}
            users.append({"externalUserId": name, "loginMethods": [method]})
        self._post("/bulk-import/users", users=users)
        while self._send("GET", "/bulk-import/users/count")["count"]:
            time.sleep(0.005)

    def _page(self, **more: str) -> None:
        users = self._send("GET", "/users", limit=str(PAGE), timeJoinedOrder="DESC", **more)["users"]
        assert sum(len(user["loginMethods"]) for user in users) == PAGE * METHODS

    def _post(self, path: str, **body: object) -> dict[str, Any]:
        return self._send("POST", path, body)

    def _send(self, method: Method, path: str, body: Any = None, **params: str) -> dict[str, Any]:
        request = CoreRequest(method=method, path=path, params=params, body=body, headers={"cdi-version": "5.4"})
        answer = self.core.send(request).body
        assert isinstance(answer, dict) and answer["status"] == "OK", (path, answer)
        return answer


ACTS = {
    "newest_page": (5, f"newest page of {PAGE} users, {METHODS} methods each"),
    "some_page": (5, f"page of {PAGE} users, {METHODS} methods each, anywhere"),
    "search": (30, "search"),
    "by_account_info": (50, "users by account info"),
    "sign_in_by_code": (20, "sign-in by code"),
    "sign_in_by_provider": (30, "sign-in by provider"),
    "import_users": (1, f"{IMPORTED} users imported"),
}
"""What is measured: the method of :class:`Subject`, how many calls in a row, and what it is called."""


def measure(quick: bool) -> list[Row]:
    many = QUICK_MANY if quick else MANY
    rounds = 5 if quick else 21
    with tempfile.TemporaryDirectory() as folder:
        subjects = {size: Subject(Path(folder) / f"{size}.db", size) for size in (FEW, many)}
        rows: list[Row] = []
        memory = 0.0
        for name, (turn, title) in ACTS.items():
            taken: dict[int, list[float]] = {size: [] for size in subjects}
            for number in range(-1, rounds):
                for size, subject in subjects.items():
                    cost = microseconds(getattr(subject, name), turn)
                    if number >= 0:  # the round before the first one warms up
                        taken[size].append(cost)
                if number <= 0:
                    memory = megabytes()
            few, more = taken.values()
            # Users who are imported go to places all over the file, more of which must be written the larger it is.
            goal = None if name == "import_users" else Goal(of="ratio", at_most=1.25)
            rows.append(row(f"core, {title}", f"with {FEW:,}", few, "us"))
            rows.append(row(f"core, {title}", f"with {many:,}", more, "us", ratios=quotients(more, few), goal=goal))
        grown = megabytes() - memory
        for subject in subjects.values():
            subject.core.close()
    return [*rows, Row("core, memory while it imports", "grown", grown, "MB", goal=Goal(of="value", at_most=MEMORY))]


if __name__ == "__main__":
    main(__doc__ or "", measure)
