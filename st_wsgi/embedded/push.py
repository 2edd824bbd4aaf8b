"""
Moving the people of an embedded core to another core, over the core driver interface.

Every step may be repeated: what is there already stays as it is, so that a push that broke off is simply started again.
Users keep the id that apps know them by: it becomes their external id over there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from ..errors import CoreRefused, CoreReplyInvalid, SuperTokensError
from . import population
from .population import Person
from .storage.database import Store

VERSIONS = ("5.1", "5.2", "5.3", "5.4")
"""The versions of the core driver interface that have all that a push needs."""

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


class Reply(Protocol):
    """The reply of the other core to one call."""

    @property
    def body(self) -> dict[str, Any]: ...
    def check(self) -> None: ...
    def is_ok(self, *otherwise: str) -> bool: ...


class Target(Protocol):
    """
    The app of another core that takes the users: the client of the core, which this package may not import.

    ``tenant_id`` is left out for the app as a whole and for its public tenant.
    """

    def get(self, path: str, params: Mapping[str, Any] | None = None, *, tenant_id: str | None = None) -> Reply: ...
    def post(self, path: str, body: Mapping[str, Any] | None = None, *, tenant_id: str | None = None) -> Reply: ...
    def put(self, path: str, body: Mapping[str, Any] | None = None, *, tenant_id: str | None = None) -> Reply: ...
    def of_recipe(self, recipe_id: str) -> Target: ...


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
        target.put("/recipe/role", {"role": role, "permissions": permissions}).check()
    done, created, left, last = 0, 0, [], after
    for person in population.people(store, app, after=after):
        try:
            new = _push_person(target, person, adopt=adopt)
        except (PushFailed, CoreRefused, CoreReplyInvalid) as error:
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
        target.put("/recipe/multitenancy/tenant/v2", body).check()
    for provider in tenant["thirdParty"]["providers"]:
        body = {"config": provider, "skipValidation": True}
        target.put("/recipe/multitenancy/config/thirdparty", body, tenant_id=tenant_id).check()


def _push_person(target: Target, person: Person, *, adopt: bool) -> bool | None:
    """Push one user; return whether they are new over there, None when a login method of theirs cannot be pushed."""
    methods = person.user["loginMethods"]
    if not all(_is_pushable(person, method) for method in methods):
        return None
    own_id = person.user["id"]
    names = [method["recipeUserId"] for method in methods]
    old_names = list(names)
    if own_id not in names:
        # The login method that gave the user its id is gone: another one takes the id over there.
        names[0] = own_id
    created = [
        _push_method(target, person, method, name, names, adopt=adopt)
        for method, name in zip(methods, names, strict=True)
    ]
    if person.user["isPrimaryUser"]:
        target.post("/recipe/accountlinking/user/primary", {"recipeUserId": own_id}).check()
    for name in names:
        if name != own_id:
            target.post("/recipe/accountlinking/user/link", {"recipeUserId": name, "primaryUserId": own_id}).check()
    for method, name in zip(methods, names, strict=True):
        if method["recipeId"] == "passwordless" and not method["verified"]:
            # The code that signed them up over there verified the email.
            target.post("/recipe/user/email/verify/remove", {"userId": name, "email": method["email"]}).check()
    new_names = dict(zip(old_names, names, strict=True))
    for name, emails in person.verified_emails.items():
        for email in emails:
            _verify(target, new_names.get(name, name), email)
    for tenant_id, roles in person.roles.items():
        for role in roles:
            target.put("/recipe/user/role", {"userId": own_id, "role": role}, tenant_id=tenant_id).check()
    if person.metadata:
        target.put("/recipe/user/metadata", {"userId": own_id, "metadataUpdate": person.metadata}).check()
    for device in person.totp_devices:
        if device["verified"]:
            body = {"userId": own_id, **{name: value for name, value in device.items() if name != "verified"}}
            target.post("/recipe/totp/device/import", body).is_ok("DEVICE_ALREADY_EXISTS_ERROR")
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
        target.post("/recipe/multitenancy/tenant/user", {"recipeUserId": name}, tenant_id=tenant_id).check()
    if not method["tenantIds"]:
        target.post("/recipe/multitenancy/tenant/user/remove", {"recipeUserId": name}).check()
    return created


def _sign_up(target: Target, person: Person, method: Mapping[str, Any], tenant: str) -> tuple[str, bool]:
    """Sign a login method up, or find it; return its id over there, and whether it is new."""
    email, phone_number = method.get("email"), method.get("phoneNumber")
    if method["recipeId"] == "emailpassword":
        body = {"email": email, "passwordHash": person.password_hashes[method["recipeUserId"]]}
        reply = target.post("/recipe/user/passwordhash/import", body, tenant_id=tenant)
        reply.check()
        methods = reply.body["user"]["loginMethods"]
        same = [own for own in methods if own["recipeId"] == "emailpassword" and own["email"] == email]
        return same[0]["recipeUserId"], not reply.body["didUserAlreadyExist"]
    if method["recipeId"] == "thirdparty":
        account = method["thirdParty"]
        body = {
            "thirdPartyId": account["id"],
            "thirdPartyUserId": account["userId"],
            "email": {"id": email, "isVerified": False},
        }
        reply = target.post("/recipe/signinup", body, tenant_id=tenant)
        reply.check()
        return reply.body["recipeUserId"], reply.body["createdNewUser"]
    contact = {"email": email} if email is not None else {"phoneNumber": phone_number}
    code = target.post("/recipe/signinup/code", contact, tenant_id=tenant)
    code.check()
    body = {name: code.body[name] for name in ("preAuthSessionId", "linkCode")}
    reply = target.post("/recipe/signinup/code/consume", body, tenant_id=tenant)
    reply.check()
    new_id = reply.body["recipeUserId"]
    if email is not None and phone_number is not None:
        body = {"recipeUserId": new_id, "phoneNumber": phone_number}
        target.of_recipe("passwordless").put("/recipe/user", body).check()
    return new_id, reply.body["createdNewUser"]


def _user(target: Target, user_id: str) -> dict[str, Any]:
    """Return a user of the other core, empty when it does not know the id."""
    user: dict[str, Any] = target.get("/user/id", {"userId": user_id}).body.get("user", {})
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
    users = target.get("/users/by-accountinfo", params, tenant_id=tenant_id).body.get("users", [])
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
    if not target.post("/recipe/userid/map", body).is_ok("USER_ID_MAPPING_ALREADY_EXISTS_ERROR"):
        raise PushFailed("the email or the id belongs to another user over there")


def _verify(target: Target, user_id: str, email: str) -> None:
    body = {"userId": user_id, "email": email}
    reply = target.post("/recipe/user/email/verify/token", body)
    if reply.is_ok("EMAIL_ALREADY_VERIFIED_ERROR"):
        target.post("/recipe/user/email/verify", {"method": "token", "token": reply.body["token"]}).check()


def missing(store: Store, app: int, target: Target) -> list[str]:
    """Return the SuperTokens ids of users of an app that the other core does not know by the id that apps use."""
    absent = []
    for person in population.people(store, app):
        if not _user(target, person.user["id"]):
            absent.append(person.user_id)
    return absent
