"""
How long a session lasts by the app's settings, beside the lifetime of its refresh token in the core.

The access token has a claim with the times of the sign-in and of the last use. So a request within its lifetime causes
no call, except that the last use is recorded in steps of a tenth of the idle timeout.
"""

from __future__ import annotations

import contextlib
from typing import Any

from ...errors import CoreUnavailable, Unauthorised
from .container import SessionContainer
from .settings import SessionSettings

LIFETIME_CLAIM = "st-life"
"""``{"c": seconds, "s": seconds}`` since 1970: when the session was created, and when it was last used (seen)."""

_STEPS = 10


def lifetime_claim(recipe: SessionSettings) -> dict[str, Any]:
    """Return what a new session has in its payload; empty if no setting limits its lifetime."""
    if recipe.absolute_timeout_sec is None and recipe.idle_timeout_sec is None:
        return {}
    now = int(recipe.clock())
    return {LIFETIME_CLAIM: {"c": now, "s": now}}


def limit_lifetime(session: SessionContainer, recipe: SessionSettings) -> None:
    """
    End a session that is too old or was idle for too long, else record that it is in use.

    :raises Unauthorised: the session has ended.
    """
    absolute, idle = recipe.absolute_timeout_sec, recipe.idle_timeout_sec
    if absolute is None and idle is None:
        return
    now = recipe.clock()
    recorded = _recorded(session)
    # A session that is older than the setting has no such claim.
    created, seen = recorded or (session.get_time_created() // 1000, int(now))
    too_old = absolute is not None and now >= created + absolute
    if too_old or (idle is not None and now >= seen + idle):
        session.revoke_session()
        name = "absolute_timeout_sec" if too_old else "idle_timeout_sec"
        raise Unauthorised(f"the session has ended by the setting {name}")
    if recorded is None or (idle is not None and now >= seen + idle / _STEPS):
        # While the core cannot be reached the session goes on, until its idle time since the last record is over.
        with contextlib.suppress(CoreUnavailable):
            _record(session, {LIFETIME_CLAIM: {"c": created, "s": int(now)}})


def _record(session: SessionContainer, claim: dict[str, Any]) -> None:
    """
    Store the claim beside those that the core has.

    A role, for one, may have been taken from the session since its access token was made. With the claims of this token
    it would be back, in all tokens to come.
    """
    outdated = dict.fromkeys(session.get_access_token_payload())
    session.merge_into_access_token_payload(outdated | session.get_stored_claims() | claim)


def _recorded(session: SessionContainer) -> tuple[int, int] | None:
    """Return when the session was created and last used, by its claim; None without a well-formed one."""
    claim = session.get_access_token_payload().get(LIFETIME_CLAIM)
    created, seen = (claim.get("c"), claim.get("s")) if isinstance(claim, dict) else (None, None)
    return (created, seen) if isinstance(created, int) and isinstance(seen, int) else None
