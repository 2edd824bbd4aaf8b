"""Bulk import."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from contract.client import Answer, Caller, email, fresh
from contract.covered import covers
from contract.expectations import NOW, UUID
from contract.logins import phone, user
from contract.test_emailpassword import ARGON2_HASH, BCRYPT_HASH, FIREBASE_HASH, FIREBASE_KEY

USERS = "/bulk-import/users"
COUNT = f"{USERS}/count"
IMPORT = "/bulk-import/import"
PASSWORD = "correct horse 1"
JOINED = 1_600_000_000_000
PATIENCE = 400
"""Seconds: the official core looks into its queue every five minutes."""


def plain(**more: Any) -> dict[str, Any]:
    """Return a login method with a password."""
    return {"recipeId": "emailpassword", "email": email(), "plainTextPassword": PASSWORD, **more}


def by_hash(stored: str, algorithm: str, **more: Any) -> dict[str, Any]:
    """Return a login method with a hash of another system."""
    method = {"recipeId": "emailpassword", "email": email(), "passwordHash": stored, "hashingAlgorithm": algorithm}
    return {**method, **more}


def account(**more: Any) -> dict[str, Any]:
    """Return a login method of a third party."""
    return {
        "recipeId": "thirdparty",
        "email": email(),
        "thirdPartyId": "google",
        "thirdPartyUserId": fresh("g"),
        **more,
    }


def reasons(answer: Answer) -> list[str]:
    """Return why a user was not taken."""
    assert answer.status == 400, answer.body
    found: list[str] = decoded(answer)["errors"]
    return found


def decoded(answer: Answer) -> Any:
    """Return the JSON in the text of a refusal."""
    return json.loads(answer.body)


def failed(app: Caller) -> list[dict[str, Any]]:
    """Wait until the queue has been worked off; return who stayed in it."""
    limit = time.monotonic() + PATIENCE
    while app.get(COUNT, status="NEW").has()["count"] or app.get(COUNT, status="PROCESSING").has()["count"]:
        assert time.monotonic() < limit, "the queue was not worked off"
    found: list[dict[str, Any]] = app.get(USERS, status="FAILED").has()["users"]
    return found


@covers("POST /bulk-import/import")
def test_one_user_with_everything(app: Caller, tenant: Caller) -> None:
    """A user comes with linked login methods, an id, roles and metadata; the primary login method has the id."""
    role, outside, here = fresh("role"), fresh("ext"), tenant.prefix.rsplit("/", 1)[1]
    app.put("/recipe/role", role=role).has()
    address = email()
    methods = [
        plain(email=f" {address.upper()} ", isPrimary=True, isVerified=True, timeJoinedInMSSinceEpoch=JOINED + 5),
        account(email=address, tenantIds=["public", here], timeJoinedInMSSinceEpoch=JOINED),
        {"recipeId": "passwordless", "phoneNumber": phone(), "timeJoinedInMSSinceEpoch": JOINED + 9},
    ]
    made = app.post(
        IMPORT,
        externalUserId=outside,
        userMetadata={"a": {"b": [None, "ä"]}, "gone": None},
        userRoles=[{"role": role, "tenantIds": ["public", here]}],
        loginMethods=methods,
    ).has()["user"]
    assert (made["id"], made["isPrimaryUser"], made["timeJoined"]) == (outside, True, JOINED)
    assert made["tenantIds"] == [here, "public"] or made["tenantIds"] == ["public", here]
    shown = {method["recipeId"]: method for method in made["loginMethods"]}
    assert shown["emailpassword"]["recipeUserId"] == outside
    assert [shown[recipe]["verified"] for recipe in ("emailpassword", "thirdparty", "passwordless")] == [
        True,
        False,
        True,
    ]
    assert made["emails"] == [address]
    assert user(app, outside) == made
    app.get("/recipe/user/metadata", userId=outside).says("OK", metadata={"a": {"b": [None, "ä"]}})
    for place in (app, tenant):
        place.get("/recipe/user/roles", userId=outside).says("OK", roles=[role])
    app.post("/recipe/signin", email=address, password=PASSWORD).has(user=made, recipeUserId=outside)
    assert [found["id"] for found in tenant.get("/users").has()["users"]] == [outside]
    assert reasons(app.post(IMPORT, loginMethods=[plain(email=address)])) == [
        f"E003: A user with email {address} already exists in emailpassword loginMethod."
    ]


@covers("POST /bulk-import/import")
def test_devices(app: Caller) -> None:
    """Devices for one-time codes come verified, under the id that apps use; one without a name gets one."""
    outside = fresh("ext")
    devices = [
        {"secretKey": "JBSWY3DPEHPK3PXP", "deviceName": " phone ", "period": 60, "skew": 0},
        {"secretKey": "JBSWY3DPEHPK3PXP"},
    ]
    app.post(IMPORT, externalUserId=outside, loginMethods=[plain()], totpDevices=devices).has()
    shown = app.get("/recipe/totp/device/list", userId=outside).has()["devices"]
    assert sorted(shown, key=lambda device: str(device["name"])) == [
        {"name": "TOTP Device 1", "period": 30, "skew": 1, "verified": True},
        {"name": "phone", "period": 60, "skew": 0, "verified": True},
    ]


@covers("POST /bulk-import/import")
def test_methods_are_linked_only_to_a_primary_one(app: Caller) -> None:
    """Without a primary login method each is a user; the external id goes to the oldest."""
    outside = fresh("ext")
    old, new = plain(timeJoinedInMSSinceEpoch=JOINED), plain()
    made = app.post(IMPORT, externalUserId=outside, loginMethods=[new, old]).has()["user"]
    assert (made["id"], made["isPrimaryUser"], made["emails"]) == (outside, False, [old["email"]])
    other = app.post("/recipe/signin", email=new["email"], password=PASSWORD).has()["user"]
    assert (other["isPrimaryUser"], other["emails"]) == (False, [new["email"]])
    assert other["id"] != outside


@covers("POST /bulk-import/import")
def test_what_is_taken(app: Caller, tenant: Caller) -> None:
    """Each kind of collision has its code, and nothing stays of a user who collides."""
    here = tenant.prefix.rsplit("/", 1)[1]
    known = [
        plain(isPrimary=True),
        account(),
        {"recipeId": "passwordless", "email": email(), "phoneNumber": phone()},
    ]
    outside = fresh("ext")
    app.post(IMPORT, externalUserId=outside, loginMethods=known).has()
    password, social, contact = known
    before = app.get("/users/count").has()["count"]

    def refused(*methods: dict[str, Any], **more: Any) -> str:
        [reason] = reasons(app.post(IMPORT, loginMethods=list(methods), **more))
        return reason

    assert refused(plain(), account(thirdPartyUserId=social["thirdPartyUserId"])) == (
        f"E005: A user with thirdPartyId google and thirdPartyUserId {social['thirdPartyUserId']}"
        " already exists in thirdparty loginMethod."
    )
    by_email = {"recipeId": "passwordless", "email": contact["email"]}
    assert (
        refused(by_email) == f"E006: A user with email {contact['email']} already exists in passwordless loginMethod."
    )
    by_phone = {"recipeId": "passwordless", "phoneNumber": contact["phoneNumber"]}
    assert refused(by_phone) == (
        f"E007: A user with phoneNumber {contact['phoneNumber']} already exists in passwordless loginMethod."
    )
    assert refused(plain(email=password["email"], tenantIds=[here, "public"])).startswith("E003: ")
    primary = refused(account(email=password["email"], isPrimary=True))
    assert primary.startswith("E022: We tried to create the primary user for the userId ")
    assert primary.endswith(" but the account info is already associated with another primary user.")
    assert app.get("/users/count").has()["count"] == before
    app.post(IMPORT, loginMethods=[account(email=password["email"])]).has()


@pytest.mark.parametrize(
    ("stored", "algorithm", "password"),
    [
        (ARGON2_HASH, "argon2", "password"),
        (BCRYPT_HASH, " BCrypt ", "U*U"),
        (FIREBASE_HASH, "firebase_scrypt", "user1password"),
    ],
)
@covers("POST /bulk-import/import")
def test_hashes(app: Caller, make_app: Callable[..., Caller], stored: str, algorithm: str, password: str) -> None:
    """A user signs in with the password that another system hashed."""
    keyed = make_app(firebase_password_hashing_signer_key=FIREBASE_KEY)
    keyed.post(IMPORT, loginMethods=[method := by_hash(stored, algorithm)]).has()
    keyed.post("/recipe/signin", email=method["email"], password="wrong").says("WRONG_CREDENTIALS_ERROR")
    keyed.post("/recipe/signin", email=method["email"], password=password).has()
    app.post(IMPORT, loginMethods=[{}])


TAKEN = "E003: A user with email {} already exists in emailpassword loginMethod."


@covers("POST /bulk-import/users", "GET /bulk-import/users", "GET /bulk-import/users/count")
def test_many(make_app: Callable[..., Caller], app: Caller, request: pytest.FixtureRequest) -> None:
    """The core stores users by itself; one that cannot be stored stays in the queue with the reason."""
    queue = make_app()
    app.made += [("POST", USERS), ("GET", USERS), ("GET", COUNT)]
    there, outside = plain(), fresh("ext")
    queue.post(IMPORT, loginMethods=[there]).has()
    methods = [plain(), account(), {"recipeId": "passwordless", "email": email()}, plain(email=there["email"])]
    users = [{"loginMethods": [method]} for method in methods]
    users[0].update(externalUserId=outside)  # type: ignore[call-overload]  # a user, not a login method
    added = queue.post(USERS, users=users).says(
        "OK",
        users=[
            {"userId": outside, "loginMethods": [{**shown(methods[0]), "userId": UUID}]},
            {"userId": UUID, "loginMethods": [{**shown(methods[1]), "userId": UUID}]},
            {"userId": UUID, "loginMethods": [{**shown(methods[2]), "userId": UUID}]},
            {"userId": UUID, "loginMethods": [{**shown(methods[3]), "userId": UUID}]},
        ],
    )["users"]
    stayed = failed(queue)
    queue.get(COUNT).says("OK", count=1)
    assert [(one["id"], one["status"], one["errorMessage"]) for one in stayed] == [
        (added[3]["userId"], "FAILED", TAKEN.format(there["email"]))
    ]
    assert user(queue, outside)["emails"] == [methods[0]["email"]]
    for one in added[:3]:
        assert user(queue, one["userId"])["id"] == one["userId"]
    queue.post("/recipe/signin", email=methods[0]["email"], password=PASSWORD).has()
    assert queue.get("/users/count").has()["count"] == 4


def shown(method: dict[str, Any]) -> dict[str, Any]:
    """Return a login method as adding it answers, without its id."""
    expected = {"recipeId": method["recipeId"], "tenants": ["public"], "email": method["email"]}
    if method["recipeId"] == "thirdparty":
        expected.update(thirdpartyId=method["thirdPartyId"], thirdpartyUserId=method["thirdPartyUserId"])
    if method["recipeId"] == "passwordless":
        expected["phoneNumber"] = None
    return expected


@covers("POST /bulk-import/users", "GET /bulk-import/users", "POST /bulk-import/users/remove")
def test_the_queue_in_pages(make_app: Callable[..., Caller], app: Caller) -> None:
    """Who stays in the queue is listed in pages, with all that came, and can be removed."""
    queue = make_app()
    app.made += [("POST", USERS), ("GET", USERS), ("POST", f"{USERS}/remove")]
    there = plain()
    queue.post(IMPORT, loginMethods=[there]).has()
    entry = {
        "userMetadata": {"a": 1},
        "loginMethods": [{**there, "isVerified": True, "timeJoinedInMSSinceEpoch": JOINED}],
    }
    added = [one["userId"] for one in queue.post(USERS, users=[entry] * 3).has()["users"]]
    assert {one["id"] for one in failed(queue)} == set(added)
    seen: list[dict[str, Any]] = []
    params = {"limit": "2"}
    while True:
        page = queue.get(USERS, **params).has()
        seen += page["users"]
        if "nextPaginationToken" not in page:
            break
        params["paginationToken"] = page["nextPaginationToken"]
    assert [one["id"] for one in seen] == sorted(added, reverse=True)
    Answer("", 200, seen[0], {}).gives(
        {
            "id": seen[0]["id"],
            "userMetadata": {"a": 1},
            "loginMethods": [
                {
                    **there,
                    "isVerified": True,
                    "isPrimary": False,
                    "tenantIds": ["public"],
                    "timeJoinedInMSSinceEpoch": JOINED,
                    "superTokensUserId": seen[0]["id"],
                }
            ],
            "status": "FAILED",
            "errorMessage": TAKEN.format(there["email"]),
            "createdAt": NOW,
            "updatedAt": NOW,
        }
    )
    queue.post(f"{USERS}/remove", ids=[added[0], "x", added[1]]).gives(
        {"deletedIds": [added[0], added[1]], "invalidIds": ["x"]}
    )
    queue.get(COUNT, status="FAILED").says("OK", count=1)
    queue.post(f"{USERS}/remove", ids=[]).gives({"deletedIds": [], "invalidIds": []})


@covers("GET /bulk-import/users", "GET /bulk-import/users/count", "POST /bulk-import/users/remove")
def test_questions_that_are_wrong(app: Caller, tenant: Caller) -> None:
    """Limits, statuses, pages and ids are checked."""
    status = "Invalid value for status. Pass one of NEW, PROCESSING, or FAILED!"
    app.get(USERS, status="DONE").refused(400, status)
    app.get(COUNT, status="DONE").refused(400, status)
    app.get(USERS, limit="501").refused(400, "Max limit allowed is 500")
    app.get(USERS, limit="0").refused(400, "limit must a positive integer with min value 1")
    app.get(USERS, limit="x").refused(400, "Field name 'limit' must be an int in the GET request")
    app.get(USERS, paginationToken="x").refused(400, "invalid pagination token")
    remove = f"{USERS}/remove"
    app.post(remove, ids=[""]).refused(400, "Field name 'ids' cannot contain an empty string")
    app.post(remove, ids=["i"] * 501).refused(400, "Field name 'ids' cannot contain more than 500 elements")
    app.post(remove, ids=[7]).refused(400, "Field name 'ids' is invalid in JSON input")
    app.post(remove).refused(400, "Field name 'ids' is invalid in JSON input")
    tenant.get(COUNT).refused(403, "Only public tenantId can call this app specific API")


LONG = "x" * 300
WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["loginMethods is required."]),
    ({"loginMethods": []}, ["At least one loginMethod is required."]),
    ({"loginMethods": "x"}, ["loginMethods should be of type array of object."]),
    ({"loginMethods": [{}]}, ["recipeId is required for a loginMethod."]),
    (
        {"loginMethods": [{"recipeId": "session"}]},
        ["Invalid recipeId for loginMethod. Pass one of emailpassword, thirdparty or, passwordless!"],
    ),
    (
        {"loginMethods": [{"recipeId": "emailpassword"}]},
        [
            "email is required for an emailpassword recipe.",
            "Either (passwordHash, hashingAlgorithm) or plainTextPassword is required for an emailpassword recipe.",
        ],
    ),
    (
        {"loginMethods": [{"recipeId": "thirdparty"}]},
        [
            "email is required for a thirdparty recipe.",
            "thirdPartyId is required for a thirdparty recipe.",
            "thirdPartyUserId is required for a thirdparty recipe.",
        ],
    ),
    (
        {"loginMethods": [{"recipeId": "passwordless"}]},
        ["Either email or phoneNumber is required for a passwordless recipe."],
    ),
    (
        {"loginMethods": [plain(email=7, isVerified="yes", isPrimary=1, tenantIds="public")]},
        [
            "tenantIds should be of type array of string for a loginMethod.",
            "isVerified should be of type boolean for a loginMethod.",
            "isPrimary should be of type boolean for a loginMethod.",
            "email should be of type string for an emailpassword recipe.",
        ],
    ),
    (
        {"loginMethods": [plain(timeJoinedInMSSinceEpoch="1")]},
        ["timeJoinedInMSSinceEpoch should be of type integer for a loginMethod"],
    ),
    (
        {"loginMethods": [plain(timeJoinedInMSSinceEpoch=99999999999999)]},
        ["timeJoined cannot be in future for a loginMethod."],
    ),
    ({"loginMethods": [plain(timeJoinedInMSSinceEpoch=-1)]}, ["timeJoined cannot be < 0 for a loginMethod."]),
    ({"loginMethods": [plain(email=LONG)]}, [f"email {LONG} is too long. Max length is 256."]),
    (
        {"loginMethods": [account(thirdPartyId=LONG, thirdPartyUserId=LONG)]},
        [
            f"thirdPartyId {LONG} is too long. Max length is 28.",
            f"thirdPartyUserId {LONG} is too long. Max length is 256.",
        ],
    ),
    (
        {"loginMethods": [by_hash(BCRYPT_HASH, "md5")]},
        ["Invalid hashingAlgorithm for emailpassword recipe. Pass one of bcrypt, argon2 or, firebase_scrypt!"],
    ),
    ({"loginMethods": [by_hash(BCRYPT_HASH, "argon2")]}, ["Password hash is in invalid Argon2 format"]),
    ({"loginMethods": [by_hash("x", "bcrypt")]}, ["Password hash is in invalid BCrypt format"]),
    (
        {"loginMethods": [plain(isPrimary=True), plain(isPrimary=True)]},
        ["No two loginMethods can have isPrimary as true."],
    ),
    ({"loginMethods": [plain()], "externalUserId": " "}, ["externalUserId should be of type string."]),
    ({"loginMethods": [plain()], "userMetadata": []}, ["userMetadata should be of type object."]),
    (
        {"loginMethods": [plain()], "userRoles": [{"role": "none"}]},
        ["tenantIds is required for a user role.", "Role none does not exist."],
    ),
    (
        {"loginMethods": [plain()], "userRoles": [{"role": "none", "tenantIds": ["public", "nowhere"]}]},
        ["Role none does not exist.", "Invalid tenantId: nowhere for a user role."],
    ),
    (
        {"loginMethods": [plain()], "totpDevices": [{"period": 0, "skew": -1, "deviceName": 5}]},
        [
            "secretKey is required for a totp device.",
            "deviceName should be of type string for a totp device.",
            "period should be > 0 for a totp device.",
            "skew should be >= 0 for a totp device.",
        ],
    ),
    (
        {"loginMethods": [plain()], "externalUserId": "e" * 129},
        [f"externalUserId {'e' * 129} is too long. Max length is 128."],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "expected"), WRONG)
@covers("POST /bulk-import/import", "POST /bulk-import/users")
def test_users_that_are_wrong(app: Caller, wrong: dict[str, Any], expected: list[str]) -> None:
    """All that is wrong with a user is said, in the order of the checks, and no user is taken."""
    assert reasons(app.post(IMPORT, **wrong)) == expected
    answer = app.post(USERS, users=[{"loginMethods": [plain()]}, wrong])
    assert (answer.status, decoded(answer)) == (
        400,
        {
            "error": "Data has missing or invalid fields. Please check the users field for more details.",
            "users": [{"index": 1, "errors": expected}],
        },
    )
    app.get(COUNT).says("OK", count=0)


@covers("POST /bulk-import/users", "POST /bulk-import/import")
def test_wrong_tenants(app: Caller, tenant: Caller, request: pytest.FixtureRequest) -> None:
    """A login method names an existing tenant, and a role a tenant of one of the login methods."""
    here = tenant.prefix.rsplit("/", 1)[1]
    role = fresh("role")
    app.put("/recipe/role", role=role).has()
    assert reasons(app.post(IMPORT, loginMethods=[plain()], userRoles=[{"role": role, "tenantIds": [here]}])) == [
        f"TenantId {here} for a user role does not exist in loginMethods."
    ]
    unknown, homeless = reasons(app.post(IMPORT, loginMethods=[plain(tenantIds=["nowhere"])]))
    assert unknown == "Invalid tenantId: nowhere for emailpassword recipe."
    assert homeless.startswith('LoginMethod \'{"tenantIds":[],"isVerified":false,')
    assert homeless.endswith("}' has no tenantId")
    if request.node.callspec.params["wire"] != "remote":
        assert PASSWORD not in homeless
    app.post(USERS, users=[]).says("OK")


@covers("POST /bulk-import/users")
def test_wrong_lists(app: Caller) -> None:
    """At most 10,000 users come at a time, no two with the same id, and none that is no object."""
    many = app.post(USERS, users=[{}] * 10_001)
    assert (many.status, decoded(many)) == (400, {"error": "You can only add 10000 users at a time."})
    twice = app.post(USERS, users=[{"externalUserId": "e", "loginMethods": [plain()]} for _ in range(2)])
    assert decoded(twice)["users"] == [
        {"index": 1, "errors": ["externalUserId e is not unique. It is already used by another user."]}
    ]
    app.post(USERS, users={}).refused(400, "Field name 'users' is invalid in JSON input")
    assert app.post(USERS, users=[7]).status in (400, 500)
