"""Roles and permissions: every function through the public API, the claims in sessions, and overrides."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable

import pytest

from recipes.shop import Borrowed, Shop, Visitor, payload_of
from st_wsgi import Override, like, replace
from st_wsgi.recipes import session
from st_wsgi.recipes.session import SessionClaimValidator, SessionContainer
from st_wsgi.recipes.userroles import (
    PermissionClaim,
    Permissions,
    RoleAdded,
    RoleCreated,
    RoleDeleted,
    RoleRemoved,
    Roles,
    UnknownRole,
    UserRoleClaim,
    UserRoles,
    UserRolesFunctions,
    Users,
    add_role_to_user,
    create_new_role_or_add_permissions,
    delete_role,
    get_all_roles,
    get_permissions_for_role,
    get_roles_for_user,
    get_roles_that_have_permission,
    get_users_that_have_role,
    remove_permissions_from_role,
    remove_user_role,
)


@pytest.fixture
def shop(core: Borrowed) -> Shop:
    return Shop(core, recipes=[UserRoles()])


@pytest.fixture
def role(shop: Shop) -> str:
    """A role of the test's own."""
    name = f"editor-{uuid.uuid4().hex}"
    assert create_new_role_or_add_permissions(role=name, permissions=["read"]) == RoleCreated(created_new_role=True)
    return name


def claims(visitor: Visitor) -> tuple[list[str], list[str]]:
    """Return the roles and permissions in the access token."""
    assert visitor.access_token is not None
    payload = payload_of(visitor.access_token)
    return payload["st-role"]["v"], payload["st-perm"]["v"]


def test_a_role_collects_permissions(role: str) -> None:
    again = create_new_role_or_add_permissions(role=role, permissions=iter(["write", "read"]))
    assert again == RoleCreated(created_new_role=False)
    outcome = get_permissions_for_role(role=role)
    assert isinstance(outcome, Permissions)
    assert sorted(outcome.permissions) == ["read", "write"]


def test_permissions_are_removed_by_name(role: str) -> None:
    create_new_role_or_add_permissions(role=role, permissions=["write"])
    assert remove_permissions_from_role(role=role, permissions=["read", "never"]).status == "OK"
    assert get_permissions_for_role(role=role) == Permissions(("write",))


def test_removing_no_permission_leaves_all(role: str) -> None:
    assert remove_permissions_from_role(role=role, permissions=[]).status == "OK"
    assert get_permissions_for_role(role=role) == Permissions(("read",))


def test_roles_are_found_by_permission_and_by_name(role: str) -> None:
    permission = f"only-{role}"
    create_new_role_or_add_permissions(role=role, permissions=[permission])
    assert get_roles_that_have_permission(permission=permission) == Roles((role,))
    assert role in get_all_roles().roles


def test_a_user_gets_and_loses_a_role(role: str) -> None:
    user_id = uuid.uuid4().hex
    assert add_role_to_user(user_id=user_id, role=role) == RoleAdded(did_user_already_have_role=False)
    assert add_role_to_user(user_id=user_id, role=role) == RoleAdded(did_user_already_have_role=True)
    assert get_roles_for_user(user_id=user_id) == Roles((role,))
    assert get_users_that_have_role(role=role) == Users((user_id,))
    assert remove_user_role(user_id=user_id, role=role) == RoleRemoved(did_user_have_role=True)
    assert remove_user_role(user_id=user_id, role=role) == RoleRemoved(did_user_have_role=False)
    assert get_roles_for_user(user_id=user_id) == Roles(())


def test_a_deleted_role_is_taken_from_all_users(role: str) -> None:
    add_role_to_user(user_id="ada", role=role)
    assert delete_role(role=role) == RoleDeleted(did_role_exist=True)
    assert delete_role(role=role) == RoleDeleted(did_role_exist=False)
    assert role not in get_roles_for_user(user_id="ada").roles


@pytest.mark.parametrize(
    "call",
    [
        lambda: add_role_to_user(user_id="ada", role="no such role"),
        lambda: remove_user_role(user_id="ada", role="no such role"),
        lambda: get_users_that_have_role(role="no such role"),
        lambda: get_permissions_for_role(role="no such role"),
        lambda: remove_permissions_from_role(role="no such role", permissions=["read"]),
    ],
    ids=["add_role_to_user", "remove_user_role", "get_users_that_have_role", "get_permissions", "remove_permissions"],
)
def test_an_unknown_role_is_an_outcome(shop: Shop, call: Callable[[], object]) -> None:
    assert call() == UnknownRole()


def test_a_new_session_has_the_roles_and_permissions(shop: Shop, role: str) -> None:
    visitor = shop.visitor()
    add_role_to_user(user_id=visitor.user_id, role=role)
    create_new_role_or_add_permissions(role=role, permissions=["write"])
    visitor.start_session()
    assert claims(visitor) == ([role], ["read", "write"])


def test_a_user_without_roles_has_empty_claims(shop: Shop) -> None:
    assert claims(shop.signed_in()) == ([], [])


def test_each_claim_can_be_left_out(core: Borrowed) -> None:
    recipe = UserRoles(skip_adding_roles_to_access_token=True, skip_adding_permissions_to_access_token=True)
    visitor = Shop(core, recipes=[recipe]).signed_in()
    assert visitor.access_token is not None
    assert not {"st-role", "st-perm"} & set(payload_of(visitor.access_token))


def test_a_view_for_a_role_refuses_others_until_the_role_is_fetched_again(shop: Shop, role: str) -> None:
    def editors_only(
        validators: list[SessionClaimValidator], _session: SessionContainer
    ) -> Iterable[SessionClaimValidator]:
        return [*validators, UserRoleClaim.includes(role), PermissionClaim.includes_all(["read"])]

    def editors_page(environ: dict[str, object]) -> str:
        return session.get_session(environ, override_global_claim_validators=editors_only).get_user_id()

    visitor = shop.signed_in()
    refused = shop.during(visitor, editors_page)
    assert refused.status_code == 403
    assert [error["id"] for error in refused.get_json()["claimValidationErrors"]] == ["st-role", "st-perm"]

    add_role_to_user(user_id=visitor.user_id, role=role)
    assert shop.during(visitor, editors_page).status_code == 403  # the token is from before

    def fetch(current: SessionContainer) -> None:
        current.fetch_and_set_claim(UserRoleClaim)
        current.fetch_and_set_claim(PermissionClaim)

    assert shop.with_session(visitor, fetch).status_code == 200
    assert shop.during(visitor, editors_page).status_code == 200


def test_an_override_decides_what_is_in_the_claim(core: Borrowed) -> None:
    def everyone_reads(original: UserRolesFunctions) -> UserRolesFunctions:
        @like(original.get_roles_for_user)
        def get_roles_for_user(*, user_id, tenant_id="public"):  # type: ignore[no-untyped-def]
            return Roles((*original.get_roles_for_user(user_id=user_id, tenant_id=tenant_id).roles, "reader"))

        return replace(original, get_roles_for_user=get_roles_for_user)

    visitor = Shop(core, recipes=[UserRoles(override=Override(functions=everyone_reads))]).signed_in()
    assert claims(visitor) == (["reader"], [])
