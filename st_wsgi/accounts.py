"""
Users across all recipes: look them up, list them, count them, delete them.

CDI 5.4: ``/user/id``, ``/users``, ``/users/count`` and below, ``/users/by-accountinfo``, ``/user/remove``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import attrs

from .arguments import checked
from .core_client.querier import Querier
from .errors import Unauthorised
from .request import current
from .users import PUBLIC_TENANT, ThirdPartyInfo, User


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
    """What a user is looked up by; at least one of these."""

    email: str | None = None
    phone_number: str | None = None
    third_party: ThirdPartyInfo | None = None
    webauthn_credential_id: str | None = None


@checked
def get_user(*, user_id: str) -> User | None:
    """
    Return a user by any of their ids, or None.

    :param user_id: of the user, of one of their login methods, or the external id that is mapped to one.
    """
    return user_by_id(current.services().core, user_id)


def user_by_id(core: Querier, user_id: str) -> User | None:
    """Do :func:`get_user` on the core of a given instance."""
    reply = core.get("/user/id", {"userId": user_id})
    return reply.ok(User, "user") if reply.is_ok("UNKNOWN_USER_ID_ERROR") else None


def user_of_session(core: Querier, user_id: str) -> User:
    """
    Return the user of a session.

    :raises Unauthorised: there is none any more.
    """
    user = user_by_id(core, user_id)
    if user is None:
        raise Unauthorised("the user of the session does not exist")
    return user


@checked
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
    return _page("ASC", tenant_id, limit, pagination_token, _filters(include_recipe_ids, query))


@checked
def get_users_newest_first(
    *,
    tenant_id: str = PUBLIC_TENANT,
    limit: int | None = None,
    pagination_token: str | None = None,
    include_recipe_ids: Iterable[str] | None = None,
    query: Mapping[str, str] | None = None,
) -> UserPage:
    """Return a page of a tenant's users, the newest first; parameters as in :func:`get_users_oldest_first`."""
    return _page("DESC", tenant_id, limit, pagination_token, _filters(include_recipe_ids, query))


@checked
def get_user_count(*, include_recipe_ids: Iterable[str] | None = None, tenant_id: str | None = None) -> int:
    """
    Return the number of users.

    :param tenant_id: only those of one tenant; None counts all.
    """
    params = {"includeRecipeIds": _joined(include_recipe_ids), "includeAllTenants": tenant_id is None}
    return current.services().core.get("/users/count", params, tenant_id=tenant_id or PUBLIC_TENANT).ok(int, "count")


@checked
def get_active_user_count(*, since: int) -> int:
    """
    Return the number of users who signed up or in, or refreshed a session, since a time.

    :param since: milliseconds since 1970.
    """
    return current.services().core.get("/users/count/active", {"since": since}).ok(int, "count")


@checked
def delete_user(*, user_id: str, remove_all_linked_accounts: bool = True) -> None:
    """
    Delete a user with everything that belongs to them, their sessions included.

    :param remove_all_linked_accounts: delete all login methods of the user, not only the one with this id.
    """
    body = {"userId": user_id, "removeAllLinkedAccounts": remove_all_linked_accounts}
    services = current.services()
    services.core.post("/user/remove", body).check()
    current.context_for(services).record("user_deleted", user_id=user_id)


@checked
def list_users_by_account_info(
    *, account_info: AccountInfo, tenant_id: str = PUBLIC_TENANT, do_union_of_account_info: bool = False
) -> tuple[User, ...]:
    """
    Return the users of a tenant that match all of *account_info*, or any of it.

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
    third_party = account_info.third_party
    params = {
        "email": account_info.email,
        "phoneNumber": account_info.phone_number,
        "thirdPartyId": None if third_party is None else third_party.id,
        "thirdPartyUserId": None if third_party is None else third_party.user_id,
        "webauthnCredentialId": account_info.webauthn_credential_id,
        "doUnionOfAccountInfo": do_union_of_account_info,
    }
    return core.get("/users/by-accountinfo", params, tenant_id=tenant_id).ok(tuple[User, ...], "users")


def _filters(include_recipe_ids: Iterable[str] | None, query: Mapping[str, str] | None) -> dict[str, str | None]:
    return {**(query or {}), "includeRecipeIds": _joined(include_recipe_ids)}


def _page(
    order: Literal["ASC", "DESC"],
    tenant_id: str,
    limit: int | None,
    pagination_token: str | None,
    filters: Mapping[str, str | None],
) -> UserPage:
    params = {**filters, "timeJoinedOrder": order, "limit": limit, "paginationToken": pagination_token}
    reply = current.services().core.get("/users", params, tenant_id=tenant_id)  # whose reply may have no status
    next_page = reply.member(str, "nextPaginationToken") if reply.body.get("nextPaginationToken") else None
    return UserPage(reply.member(tuple[User, ...], "users"), next_page)


def _joined(recipe_ids: Iterable[str] | None) -> str | None:
    if recipe_ids is None:
        return None
    joined = ",".join(recipe_ids)
    if not joined:  # a core would take an empty list for all recipes
        raise ValueError("include_recipe_ids must name a recipe, or be None for all")
    return joined
