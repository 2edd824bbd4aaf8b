"""The usermetadata recipe: its functions, and the class that apps list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ...recipe_kit.recipe import Functions, NoAPIs, Recipe, Settings

_PATH = "/recipe/user/metadata"


class UserMetadataFunctions(Functions[Settings]):
    """The functions of the usermetadata recipe. A user id is not checked: it may name no user yet."""

    def get_user_metadata(self, *, user_id: str) -> dict[str, Any]:
        """Return the metadata of a user, ``{}`` if there is none (CDI 5.4, ``GET /recipe/user/metadata``)."""
        return self.core.get(_PATH, {"userId": user_id}).ok(dict[str, Any], "metadata")

    def update_user_metadata(self, *, user_id: str, metadata_update: Mapping[str, Any]) -> dict[str, Any]:
        """
        Merge members into the metadata of a user, and return all of it (CDI 5.4, ``PUT /recipe/user/metadata``).

        :param metadata_update: members in it replace those of the same name, with everything below them; a member that
            is None is removed.
        """
        body = {"userId": user_id, "metadataUpdate": dict(metadata_update)}
        return self.core.put(_PATH, body).ok(dict[str, Any], "metadata")

    def clear_user_metadata(self, *, user_id: str) -> None:
        """Remove all metadata of a user (CDI 5.4, ``POST /recipe/user/metadata/remove``)."""
        self.core.post(f"{_PATH}/remove", {"userId": user_id}).check()


@attrs.define(kw_only=True, eq=False, slots=False)
class UserMetadata(Recipe[UserMetadataFunctions, NoAPIs]):
    """
    A JSON object for each user.

    :param override: replacements of functions.
    """

    id = "usermetadata"
