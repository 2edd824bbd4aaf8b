"""What recipes other than the login ones keep about a user, by the id that apps use: the external one, when mapped."""

from __future__ import annotations

from collections.abc import Mapping

from .storage.database import Database
from .storage.tables import tables_with
from .users import update_copies

_KEEPERS: Mapping[str, str | None] = {
    "sessions": "Session",
    "user_metadata": "UserMetadata",
    "user_roles": "UserRoles",
    "email_verification_tokens": "EmailVerification",
    "verified_emails": "EmailVerification",
    "totp_devices": "TOTP",
    "totp_codes": None,
    "last_active": None,
}
"""
Tables with rows about users, and what texts call the recipe; None when their use does not count as one.

In the order in which the official core looks (``useridmapping/UserIdMapping.java``).
"""


def recipes_using(db: Database, app: int, user_id: str) -> list[str]:
    """Return the names of the recipes that keep something under *user_id*."""
    names: dict[str, None] = {}
    for table, recipe in _KEEPERS.items():
        if recipe and db.exists(table, app=app, user_id=user_id):
            names[recipe] = None
    return list(names)


def wipe(db: Database, app: int, user_id: str) -> None:
    """Remove everything that is kept under *user_id*."""
    for table in _KEEPERS:
        db.delete(table, app=app, user_id=user_id)
    update_copies(db, app, user_id)


def wipe_in_tenant(db: Database, app: int, tenant_id: str, user_id: str) -> bool:
    """Remove what is kept under *user_id* in one tenant; return whether there was anything."""
    gone = 0
    for table in tables_with("tenant_id"):
        if table.name in _KEEPERS:
            gone += db.delete(table.name, app=app, tenant_id=tenant_id, user_id=user_id)
    return gone > 0
