"""
When a refresh token takes the place of the one before it (CDI 3.3; ``session/Session.java`` of the official core).

There are two rules, and the CDI version of a call says which one holds for it. Up to CDI 5.5 a session's current token
is the newest one that is *known to have arrived*: a refresh hands out a child without storing it, and the child becomes
current by its first use, in a refresh or in a verification. So an answer that got lost on its way never signs anyone
out. From CDI 5.6 on the child is current at once, and for a grace period its parent may still be used: again, if the
answer got lost. What was used too late is a reuse, for which the core ends the session.

Both keep the previous token and the time of the change, so that a session can be refreshed under one rule and then
under the other.
"""

from __future__ import annotations

from typing import Literal

import attrs

from .sessionrows import SessionRow
from .tokens import AccessTokenContent, RefreshTokenContent, hash1

Reuse = Literal["RECENT_PREV", "ORPHANED_BRANCH", "STALE_LINEAGE"]
"""
``RECENT_PREV``: the previous token, after its grace period. ``ORPHANED_BRANCH``: a child of the previous token that
another child has displaced. ``STALE_LINEAGE``: anything older.
"""


def arrive(
    row: SessionRow, refresh_hash1: str, parent_hash1: str | None, *, now: int, validity: int
) -> SessionRow | None:
    """
    Return a session after its refresh token was seen in use (CDI up to 5.5), None if it is neither current nor a child.

    :param refresh_hash1: of the token.
    :param validity: of a refresh token, in milliseconds.
    """
    if hash1(refresh_hash1) == row.refresh_hash2:
        return row
    if _is_child(parent_hash1, row.refresh_hash2):
        return attrs.evolve(
            row,
            refresh_hash2=hash1(refresh_hash1),
            previous_hash2=row.refresh_hash2,
            rotated_at=now,
            expires_at=now + validity,
        )
    return None


def rotate(
    row: SessionRow,
    presented_hash1: str,
    info: RefreshTokenContent,
    child_hash2: str,
    *,
    now: int,
    grace: int,
    validity: int,
) -> SessionRow | Reuse:
    """
    Return a session after a refresh (CDI 5.6 and later), or what kind of reuse the refresh was.

    :param presented_hash1: of the refresh token that was used.
    :param info: what is inside that token.
    :param child_hash2: of the refresh token that is handed out for it.
    :param grace: how long the previous token may be used, in milliseconds. A use in that time does not make it longer.
    :param validity: of a refresh token, in milliseconds.
    """
    presented_hash2 = hash1(presented_hash1)
    # A child of the current token was handed out under the older rule.
    if presented_hash2 == row.refresh_hash2 or _is_child(info.parent_hash1, row.refresh_hash2):
        return attrs.evolve(
            row,
            refresh_hash2=child_hash2,
            previous_hash2=presented_hash2,
            rotated_at=now,
            expires_at=now + validity,
        )
    if presented_hash2 == row.previous_hash2:
        in_time = row.rotated_at is not None and now <= row.rotated_at + grace
        return attrs.evolve(row, refresh_hash2=child_hash2) if in_time else "RECENT_PREV"
    return "ORPHANED_BRANCH" if _is_child(info.parent_hash1, row.previous_hash2) else "STALE_LINEAGE"


def is_live(row: SessionRow, token: AccessTokenContent) -> bool:
    """Tell whether an access token came with the current or the previous refresh token, or with a child of these."""
    known = (row.refresh_hash2, row.previous_hash2)
    return hash1(token.refresh_hash1) in known or any(_is_child(token.parent_hash1, hash2) for hash2 in known)


def _is_child(parent_hash1: str | None, parent_hash2: str | None) -> bool:
    return parent_hash1 is not None and hash1(parent_hash1) == parent_hash2
