"""External user ids."""

from __future__ import annotations

from typing import Any

import pytest

from contract.client import Caller, email, fresh
from contract.covered import covers
from contract.logins import user
from contract.test_emailpassword import SECRET, sign_up
from contract.test_emailverification import VERIFY, token_for
from contract.test_sessions import claims, create, refresh

MAP, INFO = "/recipe/userid/map", "/recipe/userid/external-user-id-info"
UNKNOWN = "UNKNOWN_MAPPING_ERROR"


def mapped(app: Caller, **more: Any) -> tuple[str, str]:
    """Sign someone up and map the id; return both ids."""
    user_id, external = sign_up(app)["id"], fresh("external")
    app.post(MAP, superTokensUserId=user_id, externalUserId=external, **more).says("OK")
    return user_id, external


@covers("POST /recipe/userid/map", "GET /recipe/userid/map")
def test_map(app: Caller) -> None:
    """A mapping is found from both sides, or from the one that is asked for."""
    user_id, external = mapped(app, externalUserIdInfo=" from the old system ")
    found = {"superTokensUserId": user_id, "externalUserId": external, "externalUserIdInfo": "from the old system"}
    for name in (user_id, external, f" {external} "):
        app.get(MAP, userId=name).says("OK", **found)
    app.get(MAP, userId=user_id, userIdType="SUPERTOKENS").says("OK", **found)
    app.get(MAP, userId=external, userIdType="EXTERNAL").says("OK", **found)
    app.get(MAP, userId=external, userIdType="SUPERTOKENS").says(UNKNOWN)
    app.get(MAP, userId=user_id, userIdType="EXTERNAL").says(UNKNOWN)
    app.get(MAP, userId="ghost").says(UNKNOWN)
    app.get(MAP, userId="ghost", userIdType="other").refused(
        400, "Field name 'userIdType' should be one of 'SUPERTOKENS', 'EXTERNAL' or 'ANY'"
    )


def test_a_mapping_without_a_note(app: Caller) -> None:
    """The note is optional, and null is the same as none."""
    user_id, external = mapped(app, externalUserIdInfo=None)
    app.get(MAP, userId=user_id).says("OK", superTokensUserId=user_id, externalUserId=external)


def test_clashes(app: Caller) -> None:
    """Either id can be mapped once."""
    user_id, external = mapped(app)
    other = sign_up(app)["id"]
    taken = "USER_ID_MAPPING_ALREADY_EXISTS_ERROR"
    app.post(MAP, superTokensUserId=user_id, externalUserId=external).says(
        taken, doesSuperTokensUserIdExist=True, doesExternalUserIdExist=True
    )
    app.post(MAP, superTokensUserId=other, externalUserId=external).says(
        taken, doesSuperTokensUserIdExist=False, doesExternalUserIdExist=True
    )
    app.post(MAP, superTokensUserId=user_id, externalUserId=fresh("x")).says(
        taken, doesSuperTokensUserIdExist=True, doesExternalUserIdExist=False
    )
    app.post(MAP, superTokensUserId="ghost", externalUserId=fresh("x")).says("UNKNOWN_SUPERTOKENS_USER_ID_ERROR")
    app.post(MAP, superTokensUserId=" ", externalUserId="x").refused(
        400, "Field name 'superTokensUserId' cannot be an empty String"
    )
    app.post(MAP, superTokensUserId="x", externalUserId="x", externalUserIdInfo=" ").refused(
        400, "Field name 'externalUserIdInfo' cannot be an empty String"
    )


def test_external_id_of_a_user(app: Caller) -> None:
    """Another user's own id is no external id, unless one insists."""
    user_id, other = sign_up(app)["id"], sign_up(app)["id"]
    app.post(MAP, superTokensUserId=user_id, externalUserId=other).refused(
        400, "Cannot create a userId mapping where the externalId is also a SuperTokens userID"
    )
    app.post(MAP, superTokensUserId=user_id, externalUserId=other, force=True).says("OK")


@pytest.mark.parametrize("recipe", ["Session", "UserMetadata", "UserRoles", "TOTP"])
def test_ids_in_use(app: Caller, recipe: str) -> None:
    """An id under which something is kept is not mapped, nor unmapped, unless one insists."""

    def use(user_id: str) -> None:
        if recipe == "Session":
            create(app, user_id)
        elif recipe == "UserMetadata":
            app.put("/recipe/user/metadata", userId=user_id, metadataUpdate={"a": 1}).has()
        elif recipe == "TOTP":
            app.post("/recipe/totp/device", userId=user_id, skew=1, period=30).has()
        else:
            app.put("/recipe/role", role="user").has()
            app.put("/recipe/user/role", userId=user_id, role="user").has()

    refusal = f"UserId is already in use in {recipe} recipe"
    user_id, external = sign_up(app)["id"], fresh("external")
    use(user_id)
    app.post(MAP, superTokensUserId=user_id, externalUserId=external).refused(400, refusal)
    app.post(MAP, superTokensUserId=user_id, externalUserId=external, force=True).says("OK")
    second, second_external = mapped(app)
    use(second_external)
    app.post(f"{MAP}/remove", userId=second).refused(400, refusal)
    app.post(f"{MAP}/remove", userId=second, force=True).says("OK", didMappingExist=True)


def test_verified_emails_move_along(app: Caller) -> None:
    """When only a verified email is kept under the id, it is kept under the external one from then on."""
    address = email()
    user_id, external = sign_up(app, address)["id"], fresh("external")
    token = app.post("/recipe/user/email/verify/token", userId=user_id, email=address).body["token"]
    app.post("/recipe/user/email/verify", method="token", token=token).has()
    app.post(MAP, superTokensUserId=user_id, externalUserId=external).says("OK")
    app.get("/recipe/user/email/verify", userId=external, email=address).says("OK", isVerified=True)
    app.get("/recipe/user/email/verify", userId=user_id, email=address).says("OK", isVerified=False)
    assert app.get("/user/id", userId=external).body["user"]["loginMethods"][0]["verified"] is True


def test_verified_emails_stay_behind_when_one_insists(app: Caller) -> None:
    """A forced mapping moves nothing: what was verified is so under the old id, and the login method is not."""
    address, external = email(), fresh("external")
    user_id = sign_up(app, address)["id"]

    def verify(name: str) -> None:
        token = token_for(app, name, address)
        app.post(VERIFY, method="token", token=token).says("OK", userId=name, email=address)

    def verified(*, old: bool, new: bool, shown: bool) -> None:
        app.get(VERIFY, userId=user_id, email=address).says("OK", isVerified=old)
        app.get(VERIFY, userId=external, email=address).says("OK", isVerified=new)
        assert user(app, user_id)["loginMethods"][0]["verified"] is shown

    verify(user_id)
    app.post(MAP, superTokensUserId=user_id, externalUserId=external, force=True).says("OK")
    verified(old=True, new=False, shown=False)
    app.post(f"{VERIFY}/token", userId=user_id, email=address).says("EMAIL_ALREADY_VERIFIED_ERROR")
    verify(external)
    verified(old=True, new=True, shown=True)
    app.post(f"{VERIFY}/remove", userId=user_id, email=address).says("OK")
    verified(old=False, new=True, shown=True)
    app.post(f"{MAP}/remove", userId=user_id, force=True).says("OK", didMappingExist=True)
    verified(old=False, new=True, shown=False)
    verify(user_id)
    verified(old=True, new=True, shown=True)
    app.post(MAP, superTokensUserId=user_id, externalUserId=external, force=True).says("OK")
    app.post("/user/remove", userId=external).says("OK")
    app.get(VERIFY, userId=user_id, email=address).says("OK", isVerified=True)
    app.get(VERIFY, userId=external, email=address).says("OK", isVerified=False)


def test_a_second_mapping_takes_open_verifications_along(app: Caller) -> None:
    """It is refused, but a token of the SuperTokens id is one of the other external id from then on."""
    (user_id, _), other, address = mapped(app), fresh("external"), email()
    token = token_for(app, user_id, address)
    app.post(MAP, superTokensUserId=user_id, externalUserId=other).says(
        "USER_ID_MAPPING_ALREADY_EXISTS_ERROR", doesSuperTokensUserIdExist=True, doesExternalUserIdExist=False
    )
    app.post(VERIFY, method="token", token=token).says("OK", userId=other, email=address)


def test_sessions_that_are_older_than_a_forced_mapping(app: Caller) -> None:
    """Such a session keeps the id of the login method that it was made for; the user has the external one."""
    user_id, external = sign_up(app)["id"], fresh("external")
    session = create(app, user_id)
    app.post(MAP, superTokensUserId=user_id, externalUserId=external, force=True).says("OK")
    first = refresh(app, session["refreshToken"]["token"]).has()
    second = refresh(app, first["refreshToken"]["token"]).has()
    stolen = refresh(app, session["refreshToken"]["token"]).body
    for shown in (first["session"], second["session"], claims(first["accessToken"]["token"]), stolen["session"]):
        assert shown.get("userId", shown.get("sub")) == external
        assert shown.get("recipeUserId", shown.get("rsub")) == user_id


@pytest.mark.parametrize("force", [False, True])
def test_open_verifications(app: Caller, *, force: bool) -> None:
    """A token that was not used yet is one of the external id from then on, unless one insists."""
    user_id, external, address = sign_up(app)["id"], fresh("external"), email()
    token = token_for(app, user_id, address)
    app.post(MAP, superTokensUserId=user_id, externalUserId=external, force=force).says("OK")
    name = user_id if force else external
    app.post(VERIFY, method="token", token=token).says("OK", userId=name, email=address)


def test_removing_an_id_that_two_users_have(app: Caller) -> None:
    """An id means the user whose own it is; what is kept under it is the other's, who has it as external id."""
    address, own = email(), email()
    user_id, shared = sign_up(app, address)["id"], sign_up(app, own)["id"]
    app.post(MAP, superTokensUserId=user_id, externalUserId=shared, force=True).says("OK")
    app.put("/recipe/user/metadata", userId=shared, metadataUpdate={"a": 1}).has()
    app.post("/user/remove", userId=shared).says("OK")
    app.post("/recipe/signin", email=own, password=SECRET).says("WRONG_CREDENTIALS_ERROR")
    assert user(app, shared)["emails"] == [address]
    app.get("/recipe/user/metadata", userId=shared).says("OK", metadata={"a": 1})
    app.post("/user/remove", userId=shared).says("OK")
    app.get("/user/id", userId=shared).says("UNKNOWN_USER_ID_ERROR")
    app.get("/recipe/user/metadata", userId=shared).says("OK", metadata={})


@covers("POST /recipe/userid/map/remove")
def test_unmap(app: Caller) -> None:
    """A mapping is removed from either side."""
    path = f"{MAP}/remove"
    first, second = mapped(app), mapped(app)
    app.post(path, userId=first[0]).says("OK", didMappingExist=True)
    app.post(path, userId=second[1], userIdType="EXTERNAL").says("OK", didMappingExist=True)
    app.post(path, userId=second[1]).says("OK", didMappingExist=False)
    app.get(MAP, userId=first[0]).says(UNKNOWN)
    assert app.get("/user/id", userId=first[0]).body["user"]["id"] == first[0]


@covers("PUT /recipe/userid/external-user-id-info")
def test_note(app: Caller) -> None:
    """The note about an external id is set and removed."""
    user_id, external = mapped(app)
    app.put(INFO, userId=user_id, externalUserIdInfo="a").says("OK")
    app.get(MAP, userId=user_id).has(externalUserIdInfo="a")
    app.put(INFO, userId=external, userIdType="EXTERNAL", externalUserIdInfo=None).says("OK")
    app.get(MAP, userId=user_id).says("OK", superTokensUserId=user_id, externalUserId=external)
    app.put(INFO, userId="ghost", externalUserIdInfo="a").says(UNKNOWN)
    app.put(INFO, userId=user_id).refused(400, "Field name 'externalUserIdInfo' is invalid in JSON input")


def test_the_external_id_is_the_one_that_leaves_the_core(app: Caller) -> None:
    """Everything answers with the external id, and takes it."""
    address, external = email(), fresh("external")
    user_id = sign_up(app, address)["id"]
    app.post(MAP, superTokensUserId=user_id, externalUserId=external).says("OK")
    user = app.post("/recipe/signin", email=address, password=SECRET).has(recipeUserId=external)["user"]
    assert user["id"] == user["loginMethods"][0]["recipeUserId"] == external
    for name in (user_id, external):
        assert app.get("/user/id", userId=name).body["user"]["id"] == external
        session = create(app, name)["session"]
        assert session["userId"] == session["recipeUserId"] == external
        token = app.post("/recipe/user/password/reset/token", userId=name, email=address).body["token"]
        app.post("/recipe/user/password/reset/token/consume", token=token).says("OK", userId=external, email=address)
    assert len(app.get("/recipe/session/user", userId=external).body["sessionHandles"]) == 2
    app.put("/recipe/user", recipeUserId=external, password="new").says("OK")
    app.post("/user/remove", userId=external).says("OK")
    app.get("/user/id", userId=user_id).says("UNKNOWN_USER_ID_ERROR")
    app.get(MAP, userId=external).says(UNKNOWN)
    app.get("/recipe/session/user", userId=external).says("OK", sessionHandles=[])
