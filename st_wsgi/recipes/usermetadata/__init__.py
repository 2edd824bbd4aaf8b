"""
Metadata: a JSON object for each user, which the app fills with what it needs.

::

    from st_wsgi.recipes.usermetadata import get_user_metadata, update_user_metadata

    update_user_metadata(user_id="ada", metadata_update={"newsletter": True, "draft": None})
    assert get_user_metadata(user_id="ada")["newsletter"] is True
"""

from __future__ import annotations

from typing import Final

from ...recipe_kit.recipe import user_facing
from .recipe import UserMetadata as UserMetadata, UserMetadataFunctions as UserMetadataFunctions

clear_user_metadata: Final = user_facing(UserMetadata, UserMetadataFunctions.clear_user_metadata)
get_user_metadata: Final = user_facing(UserMetadata, UserMetadataFunctions.get_user_metadata)
update_user_metadata: Final = user_facing(UserMetadata, UserMetadataFunctions.update_user_metadata)
