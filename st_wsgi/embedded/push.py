"""
Moving the people of an embedded core to another core, over the core driver interface.

Every step may be repeated: what is there already stays as it is, so that a push that broke off is simply started again.
Users keep the id that apps know them by: it becomes their external id over there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import attrs

from ..core_client.transport import CoreRequest, Method, Transport
from ..errors import CoreRefused, CoreReplyInvalid, SuperTokensError
from . import population
from .population import Person
from .store import Store
from .versions import numbers

_VERSIONS = ("5.4", "5.3", "5.2", "5.1")


class PushFailed(SuperTokensError):
    """The other core did not take somebody. What was pushed before stays; the push may be started again."""


@attrs.frozen
class Pushed:
    """
    What a push did.

    :param users: how many there are here.
    :param created: how many were new over there.
    :param left: users with login methods that cannot be pushed, by SuperTokens id.
    :param last: the last user's id, to go on behind it.
    """

    users: int
    created: int
    left: tuple[str, ...]
    last: str


class Target:
    """
    An app of the core that takes the people.

    :param api_key: its key, or None.
    :raises PushFailed: when it does not speak a version that has what is needed (CDI 5.1 or later).
    """

    def __init__(self, transport: Transport, *, api_key: str | None, app_id: str) -> None:
        self._transport = transport
        self._prefix = "" if app_id == "public" else f"/appid-{quote(app_id)}"
        self._headers = {} if api_key is None else {"api-key": api_key}
        spoken = self.call("GET", "/apiversion").get("versions", [])
        common = [version for version in _VERSIONS if version in spoken]
        if not common:
            raise PushFailed(f"the core speaks CDI {', '.join(spoken) or 'nothing'}; one of {_VERSIONS} is needed")
        self._headers["cdi-version"] = max(common, key=numbers)

    def call(
        self,
        method: Method,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        tenant: str = "public",
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """
        Make a call for a tenant and return the JSON object of the answer.

        :raises CoreRefused: when the core answered with an HTTP status of 400 and above.
        """
        place = self._prefix if tenant == "public" else f"{self._prefix}/{quote(tenant)}"
        answer = self._transport.send(
            CoreRequest(method, place + path, params=params or {}, body=body, headers=dict(self._headers))
        )
        if answer.status >= 400:
            raise CoreRefused(status=answer.status, text=str(answer.body), method=method, path=path)
        if isinstance(answer.body, str):
            raise CoreReplyInvalid(path=path, problem="a text where JSON was expected")
        return answer.body

    def need(
        self, method: Method, path: str, body: Mapping[str, Any], *also: str, tenant: str = "public"
    ) -> dict[str, Any]:
        """Make a call that must be answered ``OK``, or with one of the statuses in *also*."""
        answer = self.call(method, path, body, tenant=tenant)
        if answer.get("status") not in ("OK", *also):
            raise PushFailed(f"the core answered {answer.get('status')} to {method} {path}")
        return answer


def push(
    store: Store,
    app: int,
    target: Target,
    *,
    after: str = "",
    adopt: bool = False,
    progress: Callable[[int, str], None] = lambda done, user_id: None,
) -> Pushed:
    """
    Push tenants, roles and everybody to *target*.

    :param after: go on behind this user's id.
    :param adopt: take over accounts that have the same email over there already, with a new password and id.
    :param progress: called after each user, with how many are done and the id.
    :raises PushFailed: when somebody is not taken; the message names the user's id and nothing secret.
    """
    for tenant in population.tenants(store, app):
        _push_tenant(target, tenant)
    for role, permissions in population.roles(store, app).items():
        target.need("PUT", "/recipe/role", {"role": role, "permissions": permissions})
    done, created, left, last = 0, 0, [], after
    for person in population.people(store, app, after=after):
        try:
            new = _push_person(target, person, adopt=adopt)
        except (PushFailed, CoreRefused) as error:
            raise PushFailed(f"user {person.user_id}: {error}") from error
        if new is None:
            left.append(person.user_id)
        created += new is True
        done += 1
        last = person.user_id
        progress(done, last)
    return Pushed(users=done, created=created, left=tuple(left), last=last)


def _push_tenant(target: Target, tenant: dict[str, Any]) -> None:
    tenant_id = tenant["tenantId"]
    if tenant_id != "public":
        factors = {name: tenant.get(name) for name in ("firstFactors", "requiredSecondaryFactors")}
        body = {"tenantId": tenant_id, "coreConfig": tenant["coreConfig"], **factors}
        target.need("PUT", "/recipe/multitenancy/tenant/v2", body)
    for provider in tenant["thirdParty"]["providers"]:
        body = {"config": provider, "skipValidation": True}
        target.need("PUT", "/recipe/multitenancy/config/thirdparty", body, tenant=tenant_id)


def _push_person(target: Target, person: Person, *, adopt: bool) -> bool | None:
    """Push one user; tell whether he is new over there, None when his login method cannot be pushed."""
    method = person.user["loginMethods"][0]
    stored = person.password_hashes.get(method["recipeUserId"])
    if len(person.user["loginMethods"]) > 1 or stored is None:
        return None
    tenants = method["tenantIds"] or ["public"]
    known = _is_known(target, person)
    if known and not method["tenantIds"]:
        # Somebody without a tenant is found by no email; what was pushed of him before is all there is.
        return False
    if not known and not adopt:
        _refuse_stranger(target, method["email"], tenants[0])
    body = {"email": method["email"], "passwordHash": stored}
    answer = target.need("POST", "/recipe/user/passwordhash/import", body, tenant=tenants[0])
    name = _map_id(target, person, answer["user"]["id"])
    for tenant_id in tenants[1:]:
        target.need("POST", "/recipe/multitenancy/tenant/user", {"recipeUserId": name}, tenant=tenant_id)
    if not method["tenantIds"]:
        target.need("POST", "/recipe/multitenancy/tenant/user/remove", {"recipeUserId": name})
    for email in person.verified_emails:
        _verify(target, name, email)
    for tenant_id, roles in person.roles.items():
        for role in roles:
            target.need("PUT", "/recipe/user/role", {"userId": name, "role": role}, tenant=tenant_id)
    if person.metadata:
        target.need("PUT", "/recipe/user/metadata", {"userId": name, "metadataUpdate": person.metadata})
    return not answer["didUserAlreadyExist"]


def _is_known(target: Target, person: Person) -> bool:
    answer = target.call("GET", "/user/id", params={"userId": person.user["id"]})
    return answer.get("status") == "OK"


def _refuse_stranger(target: Target, email: str, tenant_id: str) -> None:
    """Importing a hash for an email that is taken would give somebody else's account away."""
    params = {"email": email, "doUnionOfAccountInfo": "true"}
    if target.call("GET", "/users/by-accountinfo", params=params, tenant=tenant_id).get("users"):
        raise PushFailed("the email has an account over there already; with --adopt it is taken over")


def _map_id(target: Target, person: Person, new_id: str) -> str:
    """Give the user over there the id that apps know him by, and return it."""
    name: str = person.user["id"]
    if new_id == name:
        return name
    body = {"superTokensUserId": new_id, "externalUserId": name, "externalUserIdInfo": person.mapping_info}
    answer = target.need("POST", "/recipe/userid/map", body, "USER_ID_MAPPING_ALREADY_EXISTS_ERROR")
    if answer["status"] != "OK":
        raise PushFailed("the email belongs to somebody else over there, or the id does")
    return name


def _verify(target: Target, user_id: str, email: str) -> None:
    body = {"userId": user_id, "email": email}
    answer = target.need("POST", "/recipe/user/email/verify/token", body, "EMAIL_ALREADY_VERIFIED_ERROR")
    if answer["status"] == "OK":
        target.need("POST", "/recipe/user/email/verify", {"method": "token", "token": answer["token"]})


def missing(store: Store, app: int, target: Target) -> list[str]:
    """Return the SuperTokens ids of users of an app that the other core does not know by the id that apps use."""
    absent = []
    for person in population.people(store, app):
        if not _is_known(target, person):
            absent.append(person.user_id)
    return absent
