"""Metadata of users: every function through the public API, and overrides."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from recipes.shop import Borrowed, Shop
from st_wsgi import Override, like, replace
from st_wsgi.errors import ArgumentError
from st_wsgi.recipes.usermetadata import (
    UserMetadata,
    UserMetadataFunctions,
    clear_user_metadata,
    get_user_metadata,
    update_user_metadata,
)


@pytest.fixture
def user_id(core: Borrowed) -> str:
    """A user id of the test's own, in an app with the recipe."""
    Shop(core, recipes=[UserMetadata()])
    return uuid.uuid4().hex


def test_a_user_without_metadata_has_an_empty_object(user_id: str) -> None:
    assert get_user_metadata(user_id=user_id) == {}


def test_an_update_replaces_members_and_removes_those_that_are_none(user_id: str) -> None:
    update_user_metadata(user_id=user_id, metadata_update={"theme": {"dark": True, "size": 2}, "draft": "x", "kept": 1})
    metadata = update_user_metadata(user_id=user_id, metadata_update={"theme": {"dark": False}, "draft": None})
    assert metadata == {"theme": {"dark": False}, "kept": 1} == get_user_metadata(user_id=user_id)


def test_clearing_removes_all(user_id: str) -> None:
    update_user_metadata(user_id=user_id, metadata_update={"theme": "dark"})
    clear_user_metadata(user_id=user_id)
    assert get_user_metadata(user_id=user_id) == {}


def test_a_wrong_argument_is_refused_by_name(user_id: str) -> None:
    with pytest.raises(ArgumentError, match="metadata_update must be a Mapping, not a list"):
        update_user_metadata(user_id=user_id, metadata_update=["theme"])  # type: ignore[arg-type]


def test_an_override_sees_every_call(core: Borrowed) -> None:
    updates: list[dict[str, Any]] = []

    def recording(original: UserMetadataFunctions) -> UserMetadataFunctions:
        @like(original.update_user_metadata)
        def update_user_metadata(*, user_id, metadata_update):  # type: ignore[no-untyped-def]
            updates.append(dict(metadata_update))
            return original.update_user_metadata(user_id=user_id, metadata_update=metadata_update)

        return replace(original, update_user_metadata=update_user_metadata)

    Shop(core, recipes=[UserMetadata(override=Override(functions=recording))])
    update_user_metadata(user_id=uuid.uuid4().hex, metadata_update={"theme": "dark"})
    assert updates == [{"theme": "dark"}]
