"""What time does to sessions of the dashboard."""

from __future__ import annotations

from contract.client import Caller
from contract.test_dashboard import BASE, USER, made, session, verify

from embedded.conftest import HOUR, Clock
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.cleanup import clean


def test_a_session_ends_after_thirty_days(core: EmbeddedCore, app: Caller, clock: Clock) -> None:
    """It is good for nothing then, whether its row is still there or not."""
    user = made(app)
    own = session(app, user["email"])
    clock.move(30 * 24 * HOUR)
    verify(app, own).has()
    clock.move(1)
    for rows in (0, 1):
        verify(app, own).says("INVALID_SESSION_ERROR")
        app.get(f"{USER}/sessions", userId=user["userId"]).says("OK", sessions=[])
        with core.services.store.write() as db:
            assert clean(db, clock.now) == rows
        clock.move(2 * HOUR)
    app.get(f"{BASE}/users").says("OK", users=[user])
