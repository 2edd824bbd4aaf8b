"""
Moving the people of an embedded core to another core, over the core driver interface.

Every step may be repeated: what is there already stays as it is, so that a push that broke off is simply started again.
Users keep the id that apps know them by: it becomes their external id over there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
_WORDS = {"email": "email", "phoneNumber": "phone number", "thirdParty": "third party account"}


class PushFailed(SuperTokensError):
    """The other core did not take a user. What was pushed before stays; the push may be started again."""


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
        rid: str | None = None,
    ) -> dict[str, Any]:
        """
        Make a call for a tenant and return the JSON object of the answer.

        :raises CoreRefused: when the core answered with an HTTP status of 400 and above.
        """
        place = self._prefix if tenant == "public" else f"{self._prefix}/{quote(tenant)}"
        headers = self._headers if rid is None else {**self._headers, "rid": rid}
        answer = self._transport.send(
            CoreRequest(method, place + path, params=params or {}, body=body, headers=dict(headers))
        )
        if answer.status >= 400:
            raise CoreRefused(status=answer.status, text=str(answer.body), method=method, path=path)
        if isinstance(answer.body, str):
            raise CoreReplyInvalid(path=path, problem="a text where JSON was expected")
        return answer.body

    def need(
        self,
        method: Method,
        path: str,
        body: Mapping[str, Any],
        *also: str,
        tenant: str = "public",
        rid: str | None = None,
    ) -> dict[str, Any]:
        """Make a call that must be answered ``OK``, or with one of the statuses in *also*."""
        answer = self.call(method, path, body, tenant=tenant, rid=rid)
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
    Push tenants, roles and users to *target*.

    :param after: go on behind this user's id.
    :param adopt: take over accounts that have the same email over there already, with a new password and id.
    :param progress: called after each user, with how many are done and the id.
    :raises PushFailed: when a user is not taken; the message names the user's id and nothing secret.
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
    """Push one user; return whether they are new over there, None when a login method of theirs cannot be pushed."""
    methods = person.user["loginMethods"]
    if not all(_is_pushable(person, method) for method in methods):
        return None
    own_id = person.user["id"]
    names = [method["recipeUserId"] for method in methods]
    if own_id not in names:
        # The login method that gave the user its id is gone: another one takes the id over there.
        names[0] = own_id
    created = [
        _push_method(target, person, method, name, names, adopt=adopt)
        for method, name in zip(methods, names, strict=True)
    ]
    if person.user["isPrimaryUser"]:
        target.need("POST", "/recipe/accountlinking/user/primary", {"recipeUserId": own_id})
    for name in names:
        if name != own_id:
            target.need("POST", "/recipe/accountlinking/user/link", {"recipeUserId": name, "primaryUserId": own_id})
    for method, name in zip(methods, names, strict=True):
        if method["recipeId"] == "passwordless" and not method["verified"]:
            # The code that signed them up over there verified the email.
            target.need("POST", "/recipe/user/email/verify/remove", {"userId": name, "email": method["email"]})
    for name, emails in person.verified_emails.items():
        for email in emails:
            _verify(target, name, email)
    for tenant_id, roles in person.roles.items():
        for role in roles:
            target.need("PUT", "/recipe/user/role", {"userId": own_id, "role": role}, tenant=tenant_id)
    if person.metadata:
        target.need("PUT", "/recipe/user/metadata", {"userId": own_id, "metadataUpdate": person.metadata})
    for device in person.totp_devices:
        if device["verified"]:
            body = {"userId": own_id, **{name: value for name, value in device.items() if name != "verified"}}
            target.need("POST", "/recipe/totp/device/import", body, "DEVICE_ALREADY_EXISTS_ERROR")
    return any(created)


def _is_pushable(person: Person, method: Mapping[str, Any]) -> bool:
    if method["recipeId"] == "emailpassword":
        return method["recipeUserId"] in person.password_hashes
    return method["recipeId"] in ("thirdparty", "passwordless")


def _push_method(
    target: Target, person: Person, method: Mapping[str, Any], name: str, names: Sequence[str], *, adopt: bool
) -> bool:
    """Push a login method, under the id that apps know it by; return whether it is new over there."""
    tenants = method["tenantIds"] or ["public"]
    known = any(own["recipeUserId"] == name for own in _user(target, name).get("loginMethods", ()))
    if known and not method["tenantIds"]:
        # A login method without a tenant is found by no email; what was pushed of it before is all there is.
        return False
    if not known and not adopt:
        _refuse_stranger(target, method, tenants[0], names)
    if not known or method["recipeId"] == "emailpassword":
        new_id, created = _sign_up(target, person, method, tenants[0])
        _map_id(target, person, name, new_id)
    else:
        created = False
    for tenant_id in tenants[1:]:
        target.need("POST", "/recipe/multitenancy/tenant/user", {"recipeUserId": name}, tenant=tenant_id)
    if not method["tenantIds"]:
        target.need("POST", "/recipe/multitenancy/tenant/user/remove", {"recipeUserId": name})
    return created


def _sign_up(target: Target, person: Person, method: Mapping[str, Any], tenant: str) -> tuple[str, bool]:
    """Sign a login method up, or find it; return its id over there, and whether it is new."""
    email, phone_number = method.get("email"), method.get("phoneNumber")
    if method["recipeId"] == "emailpassword":
        body = {"email": email, "passwordHash": person.password_hashes[method["recipeUserId"]]}
        answer = target.need("POST", "/recipe/user/passwordhash/import", body, tenant=tenant)
        user = answer["user"]["loginMethods"]
        same = [own for own in user if own["recipeId"] == "emailpassword" and own["email"] == email]
        return same[0]["recipeUserId"], not answer["didUserAlreadyExist"]
    if method["recipeId"] == "thirdparty":
        account = method["thirdParty"]
        body = {
            "thirdPartyId": account["id"],
            "thirdPartyUserId": account["userId"],
            "email": {"id": email, "isVerified": False},
        }
        answer = target.need("POST", "/recipe/signinup", body, tenant=tenant)
        return answer["recipeUserId"], answer["createdNewUser"]
    contact = {"email": email} if email is not None else {"phoneNumber": phone_number}
    code = target.need("POST", "/recipe/signinup/code", contact, tenant=tenant)
    body = {name: code[name] for name in ("preAuthSessionId", "linkCode")}
    answer = target.need("POST", "/recipe/signinup/code/consume", body, tenant=tenant)
    new_id = answer["recipeUserId"]
    if email is not None and phone_number is not None:
        body = {"recipeUserId": new_id, "phoneNumber": phone_number}
        target.need("PUT", "/recipe/user", body, rid="passwordless")
    return new_id, answer["createdNewUser"]


def _user(target: Target, user_id: str) -> dict[str, Any]:
    """Return a user of the other core, empty when it does not know the id."""
    answer = target.call("GET", "/user/id", params={"userId": user_id})
    user: dict[str, Any] = answer.get("user", {})
    return user


def _refuse_stranger(target: Target, method: Mapping[str, Any], tenant_id: str, names: Sequence[str]) -> None:
    """Refuse to take an account over: a login method of another user with the same email, phone or provider account."""
    account = method.get("thirdParty")
    if account is None:
        known_by = ["email", "phoneNumber"]
        params = {name: method[name] for name in known_by if name in method}
    else:
        known_by = ["thirdParty"]
        params = {"thirdPartyId": account["id"], "thirdPartyUserId": account["userId"]}
    params["doUnionOfAccountInfo"] = "true"
    users = target.call("GET", "/users/by-accountinfo", params=params, tenant=tenant_id).get("users", [])
    for other in (other for user in users for other in user["loginMethods"]):
        same = [name for name in known_by if name in method and other.get(name) == method[name]]
        if same and other["recipeId"] == method["recipeId"] and other["recipeUserId"] not in names:
            raise PushFailed(f"the {_WORDS[same[0]]} has an account over there already; with --adopt it is taken over")


def _map_id(target: Target, person: Person, name: str, new_id: str) -> None:
    """Give a login method over there the id that apps know it by."""
    if new_id == name:
        return
    _, note = person.mappings.get(name, (name, None))
    body = {"superTokensUserId": new_id, "externalUserId": name, "externalUserIdInfo": note}
    answer = target.need("POST", "/recipe/userid/map", body, "USER_ID_MAPPING_ALREADY_EXISTS_ERROR")
    if answer["status"] != "OK":
        raise PushFailed("the email or the id belongs to another user over there")


def _verify(target: Target, user_id: str, email: str) -> None:
    body = {"userId": user_id, "email": email}
    answer = target.need("POST", "/recipe/user/email/verify/token", body, "EMAIL_ALREADY_VERIFIED_ERROR")
    if answer["status"] == "OK":
        target.need("POST", "/recipe/user/email/verify", {"method": "token", "token": answer["token"]})


def missing(store: Store, app: int, target: Target) -> list[str]:
    """Return the SuperTokens ids of users of an app that the other core does not know by the id that apps use."""
    absent = []
    for person in population.people(store, app):
        if not _user(target, person.user["id"]):
            absent.append(person.user_id)
    return absent
