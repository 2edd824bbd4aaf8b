"""What recipes other than the login ones keep about a user, by the id that apps use: the external one, when mapped."""

from __future__ import annotations

import attrs

from .database import Database


@attrs.frozen
class _Keeper:
    """
    A table with rows about users.

    :param recipe: the recipe's name in texts, None when its use does not count as one.
    :param per_tenant: whether its rows belong to a tenant.
    """

    table: str
    recipe: str | None
    per_tenant: bool


_KEEPERS = (
    _Keeper("sessions", "Session", True),
    _Keeper("user_metadata", "UserMetadata", False),
    _Keeper("user_roles", "UserRoles", True),
    _Keeper("email_verification_tokens", "EmailVerification", True),
    _Keeper("verified_emails", "EmailVerification", False),
    _Keeper("totp_devices", "TOTP", False),
    _Keeper("totp_codes", None, True),
    _Keeper("last_active", None, False),
)
"""In the order in which the official core looks (``useridmapping/UserIdMapping.java``)."""


def recipes_using(db: Database, app: int, user_id: str) -> list[str]:
    """Return the names of the recipes that keep something under *user_id*."""
    names = []
    for keeper in _KEEPERS:
        if keeper.recipe is None or keeper.recipe in names:
            continue
        if db.execute(f"SELECT 1 FROM {keeper.table} WHERE app = ? AND user_id = ? LIMIT 1", (app, user_id)).fetchone():
            names.append(keeper.recipe)
    return names


def wipe(db: Database, app: int, user_id: str) -> None:
    """Remove everything that is kept under *user_id*."""
    for keeper in _KEEPERS:
        db.execute(f"DELETE FROM {keeper.table} WHERE app = ? AND user_id = ?", (app, user_id))


def wipe_in_tenant(db: Database, app: int, tenant_id: str, user_id: str) -> bool:
    """Remove what is kept under *user_id* in one tenant; return whether there was anything."""
    gone = 0
    for keeper in _KEEPERS:
        if keeper.per_tenant:
            gone += db.execute(
                f"DELETE FROM {keeper.table} WHERE app = ? AND tenant_id = ? AND user_id = ?", (app, tenant_id, user_id)
            ).rowcount
    return gone > 0
