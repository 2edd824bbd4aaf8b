"""Results of the userroles recipe."""

from __future__ import annotations

from typing import ClassVar, Literal

import attrs

from ...recipe_kit.results import Ok, Outcome


class UnknownRole(Outcome):
    """No role has this name."""

    status: ClassVar[Literal["UNKNOWN_ROLE_ERROR"]] = "UNKNOWN_ROLE_ERROR"


@attrs.frozen(kw_only=True)
class RoleAdded(Ok):
    """The user has the role now; whether they had it before."""

    did_user_already_have_role: bool


@attrs.frozen(kw_only=True)
class RoleRemoved(Ok):
    """The user does not have the role any more; whether they had it before."""

    did_user_have_role: bool


@attrs.frozen
class Roles(Ok):
    """Names of roles."""

    roles: tuple[str, ...]


@attrs.frozen
class Users(Ok):
    """Ids of the users with a role."""

    users: tuple[str, ...]


@attrs.frozen(kw_only=True)
class RoleCreated(Ok):
    """The role exists with at least these permissions; whether it is new."""

    created_new_role: bool


@attrs.frozen
class Permissions(Ok):
    """Permissions of a role."""

    permissions: tuple[str, ...]


@attrs.frozen(kw_only=True)
class RoleDeleted(Ok):
    """The role does not exist any more; whether it did."""

    did_role_exist: bool
