"""
User ids of the app's own beside those of SuperTokens (CDI 5.4, section 1.5: ``/recipe/userid`` and what is below).

Once a user has an external id, all functions and sessions name the user by it.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import attrs

from .arguments import checked
from .codec import present
from .recipe_kit.results import Ok, Outcome
from .request import current

UserIdType: TypeAlias = Literal["SUPERTOKENS", "EXTERNAL", "ANY"]
"""Which of the two ids a user id is; ``ANY`` tries both."""

_PATH = "/recipe/userid/map"


class UnknownSuperTokensUserId(Outcome):
    """No user has this id."""

    status: ClassVar[Literal["UNKNOWN_SUPERTOKENS_USER_ID_ERROR"]] = "UNKNOWN_SUPERTOKENS_USER_ID_ERROR"


@attrs.frozen(kw_only=True)
class UserIdMappingAlreadyExists:
    """One of the ids, or both, is part of a mapping already."""

    does_super_tokens_user_id_exist: bool
    does_external_user_id_exist: bool
    status: ClassVar[Literal["USER_ID_MAPPING_ALREADY_EXISTS_ERROR"]] = "USER_ID_MAPPING_ALREADY_EXISTS_ERROR"


@attrs.frozen(kw_only=True)
class UserIdMapping(Ok):
    """
    The two ids of a user.

    :param external_user_id_info: a note of the app's own.
    """

    super_tokens_user_id: str
    external_user_id: str
    external_user_id_info: str | None = None


class UnknownMapping(Outcome):
    """No user has a mapping with this id."""

    status: ClassVar[Literal["UNKNOWN_MAPPING_ERROR"]] = "UNKNOWN_MAPPING_ERROR"


@checked
def create_user_id_mapping(
    *,
    supertokens_user_id: str,
    external_user_id: str,
    external_user_id_info: str | None = None,
    force: bool = False,
) -> Ok | UnknownSuperTokensUserId | UserIdMappingAlreadyExists:
    """
    Give a user an id of the app's own.

    :param external_user_id_info: a note of the app's own.
    :param force: do it although recipes, such as usermetadata, have data under one of the ids.
    :raises CoreRefused: there are such data, and *force* is not set.
    """
    body = present(
        {
            "superTokensUserId": supertokens_user_id,
            "externalUserId": external_user_id,
            "externalUserIdInfo": external_user_id_info,
            "force": force,
        }
    )
    reply = current.services().core.post(_PATH, body)
    return reply.into(Ok, UnknownSuperTokensUserId, UserIdMappingAlreadyExists)


@checked
def get_user_id_mapping(*, user_id: str, user_id_type: UserIdType = "ANY") -> UserIdMapping | UnknownMapping:
    """Return both ids of a user who has two."""
    params = {"userId": user_id, "userIdType": user_id_type}
    return current.services().core.get(_PATH, params).into(UserIdMapping, UnknownMapping)


@checked
def delete_user_id_mapping(*, user_id: str, user_id_type: UserIdType = "ANY", force: bool = False) -> bool:
    """
    Remove the external id of a user, and return whether there was one.

    :param force: do it although recipes, such as usermetadata, have data under the external id.
    :raises CoreRefused: there are such data, and *force* is not set.
    """
    body = {"userId": user_id, "userIdType": user_id_type, "force": force}
    return current.services().core.post(f"{_PATH}/remove", body).ok(bool, "didMappingExist")


@checked
def update_or_delete_user_id_mapping_info(
    *, user_id: str, user_id_type: UserIdType = "ANY", external_user_id_info: str | None = None
) -> Ok | UnknownMapping:
    """
    Change the note of a mapping.

    :param external_user_id_info: the new note; None removes it.
    """
    body = {"userId": user_id, "userIdType": user_id_type, "externalUserIdInfo": external_user_id_info}
    return current.services().core.put("/recipe/userid/external-user-id-info", body).into(Ok, UnknownMapping)
