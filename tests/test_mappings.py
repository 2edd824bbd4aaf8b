"""Ids of the app's own beside those of SuperTokens, and the number of active users."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest
from recipes.shop import PASSWORD, QUICK, Borrowed, Shop

import st_wsgi
from st_wsgi import Ok, UnknownMapping, UnknownSuperTokensUserId, UserIdMapping, UserIdMappingAlreadyExists
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import CoreRefused
from st_wsgi.recipes import emailpassword, session, usermetadata
from st_wsgi.recipes.emailpassword import EmailPassword, SignInOk, SignUpOk
from st_wsgi.recipes.usermetadata import UserMetadata
from st_wsgi.request import current
from st_wsgi.users import RecipeUserId


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with EmbeddedCore(settings=QUICK) as core:
        yield Shop(Borrowed(core), recipes=[EmailPassword(email_delivery=lambda _: None), UserMetadata()])
        current.set_default(None)


@pytest.fixture
def email(shop: Shop) -> str:
    return f"{uuid.uuid4().hex}@example.com"


@pytest.fixture
def user_id(email: str) -> str:
    outcome = emailpassword.sign_up(email=email, password=PASSWORD)
    assert isinstance(outcome, SignUpOk)
    return outcome.user.id


@pytest.fixture
def external_id() -> str:
    return f"employee-{uuid.uuid4().hex}"


def test_a_user_is_named_by_the_external_id_everywhere(email: str, user_id: str, external_id: str) -> None:
    assert st_wsgi.create_user_id_mapping(supertokens_user_id=user_id, external_user_id=external_id) == Ok()
    signed_in = emailpassword.sign_in(email=email, password=PASSWORD)
    assert isinstance(signed_in, SignInOk)
    assert (signed_in.user.id, signed_in.recipe_user_id) == (external_id, RecipeUserId(external_id))
    for known in (user_id, external_id):
        user = st_wsgi.get_user(user_id=known)
        assert user is not None
        assert user.id == external_id


def test_a_session_of_a_visitor_has_the_external_id(shop: Shop, email: str, user_id: str, external_id: str) -> None:
    visitor = shop.visitor()
    visitor.email = email
    st_wsgi.create_user_id_mapping(supertokens_user_id=user_id, external_user_id=external_id)
    assert visitor.sign_in().get_json()["user"]["id"] == external_id
    assert visitor.visit().get_json() == {"userId": external_id}
    assert len(session.get_all_session_handles_for_user(user_id=external_id)) == 1


def test_both_ids_are_found_by_either_and_by_its_type(user_id: str, external_id: str) -> None:
    st_wsgi.create_user_id_mapping(
        supertokens_user_id=user_id, external_user_id=external_id, external_user_id_info="from the old shop"
    )
    mapping = UserIdMapping(
        super_tokens_user_id=user_id, external_user_id=external_id, external_user_id_info="from the old shop"
    )
    find = st_wsgi.get_user_id_mapping
    assert [find(user_id=known) for known in (user_id, external_id)] == [mapping, mapping]
    assert find(user_id=user_id, user_id_type="SUPERTOKENS") == find(user_id=external_id, user_id_type="EXTERNAL")
    assert find(user_id=user_id, user_id_type="EXTERNAL") == UnknownMapping()


def test_an_id_is_mapped_once(user_id: str, external_id: str) -> None:
    create = st_wsgi.create_user_id_mapping
    assert create(supertokens_user_id="nobody", external_user_id=external_id) == UnknownSuperTokensUserId()
    create(supertokens_user_id=user_id, external_user_id=external_id)
    again = create(supertokens_user_id=user_id, external_user_id=f"{external_id}-2")
    assert again == UserIdMappingAlreadyExists(does_super_tokens_user_id_exist=True, does_external_user_id_exist=False)


def test_the_note_changes_and_goes(user_id: str, external_id: str) -> None:
    change = st_wsgi.update_or_delete_user_id_mapping_info
    assert change(user_id=user_id, external_user_id_info="x") == UnknownMapping()
    st_wsgi.create_user_id_mapping(supertokens_user_id=user_id, external_user_id=external_id)
    for note in ("from the old shop", None):
        assert change(user_id=external_id, external_user_id_info=note) == Ok()
        found = st_wsgi.get_user_id_mapping(user_id=user_id)
        assert isinstance(found, UserIdMapping)
        assert found.external_user_id_info == note


def test_a_mapping_that_would_hide_data_needs_force(user_id: str, external_id: str) -> None:
    usermetadata.update_user_metadata(user_id=user_id, metadata_update={"a": 1})
    with pytest.raises(CoreRefused, match="already in use"):
        st_wsgi.create_user_id_mapping(supertokens_user_id=user_id, external_user_id=external_id)
    assert st_wsgi.create_user_id_mapping(supertokens_user_id=user_id, external_user_id=external_id, force=True) == Ok()


def test_a_mapping_is_removed_once(user_id: str, external_id: str) -> None:
    st_wsgi.create_user_id_mapping(supertokens_user_id=user_id, external_user_id=external_id)
    assert st_wsgi.delete_user_id_mapping(user_id=external_id, user_id_type="EXTERNAL") is True
    assert st_wsgi.delete_user_id_mapping(user_id=external_id) is False
    assert st_wsgi.get_user_id_mapping(user_id=user_id) == UnknownMapping()


def test_active_users_are_those_since_a_time(shop: Shop) -> None:
    before = st_wsgi.get_active_user_count(since=0)
    visitor = shop.visitor()
    visitor.sign_up()
    assert st_wsgi.get_active_user_count(since=0) == before + 1
    assert st_wsgi.get_active_user_count(since=time.time_ns() // 1_000_000 + 60_000) == 0
    with pytest.raises(CoreRefused):
        st_wsgi.get_active_user_count(since=-1)
