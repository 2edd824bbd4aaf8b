"""
Whether the time of a response tells who has an account: sign-in with a wrong password and reset mails, in one process.

An account that exists, one that does not, and one whose hash was imported from another system (Argon2 with other
parameters) are asked about in turns. The ratio is to the account that exists. The embedded core has its usual hash.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from werkzeug.test import Client

from benchmarks.report import Goal, Row, main, quotients, row
from st_wsgi import AppInfo, SuperTokens
from st_wsgi.recipes.emailpassword import EmailPassword

CALLS = {"/auth/signin": 5, "/auth/user/password/reset/token": 40}
GOAL = Goal(of="ratio", at_least=0.87, at_most=1.15)  # a quicker response tells as much as a slower one
SIGN_IN, RESET = "/auth/signin", "/auth/user/password/reset/token"


def measure(quick: bool) -> list[Row]:
    rounds = 5 if quick else 25
    with tempfile.TemporaryDirectory() as folder:
        st = SuperTokens(
            app_info=AppInfo(app_name="bench", api_domain="http://localhost", website_domain="http://localhost"),
            core=f"sqlite:///{Path(folder) / 'auth.db'}",
            recipes=[EmailPassword(email_delivery=lambda message: None)],
            rate_limit=None,  # one visitor asks again and again
        )
        client = Client(st.wrap(lambda environ, start_response: []))
        known, imported, unknown = (f"{uuid.uuid4().hex}@example.com" for _ in range(3))
        _ask(client, "/auth/signup", known, "correct horse 1")
        stored = Argon2id(salt=bytes(16), length=32, iterations=2, lanes=1, memory_cost=19_456)
        body = {
            "email": imported,
            "passwordHash": stored.derive_phc_encoded(b"correct horse 1"),
            "hashingAlgorithm": "argon2",
        }
        st.services.core.post("/recipe/user/passwordhash/import", body, tenant_id="public").check()
        rows = []
        for route, name in ((SIGN_IN, "sign-in with a wrong password"), (RESET, "asking for a reset mail")):
            who: dict[str, Callable[[], float]] = {
                "an account": lambda route=route: _milliseconds(st, client, route, known),  # type: ignore[misc]
                "no account": lambda route=route: _milliseconds(st, client, route, unknown),  # type: ignore[misc]
                "an imported account": lambda route=route: _milliseconds(st, client, route, imported),  # type: ignore[misc]
            }
            figures: dict[str, list[float]] = {one: [] for one in who}
            for number in range(rounds):
                # The first case of a round finds cold caches, so each case is first in turn.
                for one in itertools.islice(itertools.cycle(who), number % len(who), number % len(who) + len(who)):
                    figures[one].append(who[one]())
            first = figures["an account"]
            for one, values in figures.items():
                if one == "an account":
                    rows.append(row(name, one, values, "ms"))
                else:
                    rows.append(row(name, one, values, "ms", ratios=quotients(values, first), goal=GOAL))
        st.close()
        return rows


def _milliseconds(st: SuperTokens, client: Client, route: str, email: str) -> float:
    """Return the time of a response, the median of a few. The mail of one is sent before the next is asked for."""
    taken = []
    for _ in range(CALLS[route]):
        start = time.perf_counter()
        _ask(client, route, email, "wrong horse 1")
        taken.append((time.perf_counter() - start) * 1000)
        st.services.get(EmailPassword).background.close()
    return statistics.median(taken)


def _ask(client: Client, route: str, email: str, password: str) -> None:
    fields = [{"id": "email", "value": email}]
    if route != RESET:
        fields.append({"id": "password", "value": password})
    response = client.post(route, json={"formFields": fields})
    response.close()
    if response.status_code != 200:
        raise SystemExit(f"{route} answered {response.status_code}: {response.text}")


if __name__ == "__main__":
    main(__doc__ or "", measure)
