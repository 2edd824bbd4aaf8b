"""
Users across all recipes: look them up, list them, count them, delete them.

CDI 5.4: ``/user/id``, ``/users``, ``/users/count``, ``/users/by-accountinfo``, ``/user/remove``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import attrs

from .codec import from_json, member
from .core_client.querier import Querier, expect_status
from .request import current
from .request.routing import PUBLIC_TENANT
from .users import ThirdPartyInfo, User


@attrs.frozen
class UserPage:
    """
    One page of users.

    :param next_pagination_token: for the next page, None on the last one.
    """

    users: tuple[User, ...]
    next_pagination_token: str | None = None


@attrs.frozen(kw_only=True)
class AccountInfo:
    """By what a user is looked up; at least one of them."""

    email: str | None = None
    phone_number: str | None = None
    third_party: ThirdPartyInfo | None = None
    webauthn_credential_id: str | None = None


def get_user(user_id: str) -> User | None:
    """
    Return a user by any of its ids, or None.

    :param user_id: of the user, of one of its login methods, or the external id that is mapped to one.
    """
    return user_by_id(current.services().core, user_id)


def user_by_id(core: Querier, user_id: str) -> User | None:
    """Do :func:`get_user` on the core of a given instance."""
    path = "/user/id"
    answer = core.get(path, {"userId": user_id})
    if expect_status(answer, path, "OK", "UNKNOWN_USER_ID_ERROR") != "OK":
        return None
    return _user(answer, path)


def get_users_oldest_first(
    *,
    tenant_id: str = PUBLIC_TENANT,
    limit: int | None = None,
    pagination_token: str | None = None,
    include_recipe_ids: Iterable[str] | None = None,
    query: Mapping[str, str] | None = None,
) -> UserPage:
    """
    Return a page of a tenant's users, the oldest first.

    :param limit: at most 500, by default 100.
    :param pagination_token: from the page before.
    :param include_recipe_ids: only users of these recipes.
    :param query: search tags, such as ``{"email": "jo"}``.
    """
    return _page(
        "ASC",
        tenant_id=tenant_id,
        limit=limit,
        pagination_token=pagination_token,
        include_recipe_ids=include_recipe_ids,
        query=query,
    )


def get_users_newest_first(
    *,
    tenant_id: str = PUBLIC_TENANT,
    limit: int | None = None,
    pagination_token: str | None = None,
    include_recipe_ids: Iterable[str] | None = None,
    query: Mapping[str, str] | None = None,
) -> UserPage:
    """Return a page of a tenant's users, the newest first; parameters as in :func:`get_users_oldest_first`."""
    return _page(
        "DESC",
        tenant_id=tenant_id,
        limit=limit,
        pagination_token=pagination_token,
        include_recipe_ids=include_recipe_ids,
        query=query,
    )


def get_user_count(*, include_recipe_ids: Iterable[str] | None = None, tenant_id: str | None = None) -> int:
    """
    Return how many users there are.

    :param tenant_id: only those of one tenant; None counts all.
    """
    path = "/users/count"
    params = {"includeRecipeIds": _joined(include_recipe_ids), "includeAllTenants": tenant_id is None}
    answer = current.services().core.get(path, params, tenant_id=tenant_id or PUBLIC_TENANT)
    expect_status(answer, path, "OK")
    return member(int, answer, "count", path=path)


def delete_user(user_id: str, *, remove_all_linked_accounts: bool = True) -> None:
    """
    Delete a user with everything that belongs to it, its sessions included.

    :param remove_all_linked_accounts: delete all its login methods, not only the one with this id.
    """
    path = "/user/remove"
    body = {"userId": user_id, "removeAllLinkedAccounts": remove_all_linked_accounts}
    expect_status(current.services().core.post(path, body), path, "OK")


def list_users_by_account_info(
    *, account_info: AccountInfo, tenant_id: str = PUBLIC_TENANT, do_union_of_account_info: bool = False
) -> tuple[User, ...]:
    """
    Return the users of a tenant that have all of *account_info*, or any of it.

    :param do_union_of_account_info: any of it is enough.
    """
    return users_by_account_info(
        current.services().core,
        account_info=account_info,
        tenant_id=tenant_id,
        do_union_of_account_info=do_union_of_account_info,
    )


def users_by_account_info(
    core: Querier, *, account_info: AccountInfo, tenant_id: str, do_union_of_account_info: bool = False
) -> tuple[User, ...]:
    """Do :func:`list_users_by_account_info` on the core of a given instance."""
    path = "/users/by-accountinfo"
    third_party = account_info.third_party
    params = {
        "email": account_info.email,
        "phoneNumber": account_info.phone_number,
        "thirdPartyId": None if third_party is None else third_party.id,
        "thirdPartyUserId": None if third_party is None else third_party.user_id,
        "webauthnCredentialId": account_info.webauthn_credential_id,
        "doUnionOfAccountInfo": do_union_of_account_info,
    }
    answer = core.get(path, params, tenant_id=tenant_id)
    expect_status(answer, path, "OK")
    return _users(answer, path)


def _page(
    order: Literal["ASC", "DESC"],
    *,
    tenant_id: str,
    limit: int | None,
    pagination_token: str | None,
    include_recipe_ids: Iterable[str] | None,
    query: Mapping[str, str] | None,
) -> UserPage:
    path = "/users"
    params = {
        **(query or {}),
        "timeJoinedOrder": order,
        "limit": limit,
        "paginationToken": pagination_token,
        "includeRecipeIds": _joined(include_recipe_ids),
    }
    answer = current.services().core.get(path, params, tenant_id=tenant_id)
    token = answer.get("nextPaginationToken")
    return UserPage(_users(answer, path), token if isinstance(token, str) else None)


def _joined(recipe_ids: Iterable[str] | None) -> str | None:
    if recipe_ids is None:
        return None
    joined = ",".join(recipe_ids)
    if not joined:  # a core would take an empty list for all recipes
        raise ValueError("include_recipe_ids must name a recipe, or be None for all")
    return joined


def _user(answer: Mapping[str, Any], path: str) -> User:
    return from_json(User, member(dict, answer, "user", path=path), path=path)


def _users(answer: Mapping[str, Any], path: str) -> tuple[User, ...]:
    return tuple(from_json(User, user, path=path) for user in member(list, answer, "users", path=path))
