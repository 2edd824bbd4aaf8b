"""Results of the userroles recipe."""

from __future__ import annotations

from typing import ClassVar, Literal

import attrs


@attrs.frozen
class UnknownRole:
    """No role has this name."""

    status: ClassVar[Literal["UNKNOWN_ROLE_ERROR"]] = "UNKNOWN_ROLE_ERROR"


@attrs.frozen(kw_only=True)
class RoleAdded:
    """The user has the role now; whether they had it before."""

    did_user_already_have_role: bool
    status: ClassVar[Literal["OK"]] = "OK"


@attrs.frozen(kw_only=True)
class RoleRemoved:
    """The user does not have the role any more; whether they had it before."""

    did_user_have_role: bool
    status: ClassVar[Literal["OK"]] = "OK"


@attrs.frozen
class Roles:
    """Names of roles."""

    roles: tuple[str, ...]
    status: ClassVar[Literal["OK"]] = "OK"


@attrs.frozen
class Users:
    """Ids of the users with a role."""

    users: tuple[str, ...]
    status: ClassVar[Literal["OK"]] = "OK"


@attrs.frozen(kw_only=True)
class RoleCreated:
    """The role exists with at least these permissions; whether it is new."""

    created_new_role: bool
    status: ClassVar[Literal["OK"]] = "OK"


@attrs.frozen
class Permissions:
    """Permissions of a role."""

    permissions: tuple[str, ...]
    status: ClassVar[Literal["OK"]] = "OK"


@attrs.frozen(kw_only=True)
class RoleDeleted:
    """The role does not exist any more; whether it did."""

    did_role_exist: bool
    status: ClassVar[Literal["OK"]] = "OK"
