"""The usermetadata recipe."""

from __future__ import annotations

import attrs

from ...recipe_kit.recipe import NoAPIs, Recipe
from .functions import UserMetadataFunctions


@attrs.define(kw_only=True, eq=False, slots=False)
class UserMetadata(Recipe[UserMetadataFunctions, NoAPIs]):
    """
    A JSON object for each user.

    :param override: replacements of functions.
    """

    id = "usermetadata"
