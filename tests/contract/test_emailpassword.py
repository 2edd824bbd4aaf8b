"""Email and password: accounts, sign-in, resets, imported hashes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contract.client import Caller, email, fresh
from contract.covered import covers
from contract.expectations import LINK_TOKEN, NOW, UUID, AnyOrder, Some

SECRET = "correct horse"


def user_of(address: str, *, tenant: str = "public", verified: bool = False) -> dict[str, Any]:
    """Return the user JSON of someone with one email password method."""
    return {
        "id": UUID,
        "isPrimaryUser": False,
        "tenantIds": [tenant],
        "timeJoined": NOW,
        "emails": [address],
        "phoneNumbers": [],
        "thirdParty": [],
        "webauthn": {"credentialIds": []},
        "loginMethods": [
            {
                "tenantIds": [tenant],
                "recipeUserId": UUID,
                "verified": verified,
                "timeJoined": NOW,
                "recipeId": "emailpassword",
                "email": address,
            }
        ],
    }


def sign_up(app: Caller, address: str | None = None) -> dict[str, Any]:
    """Sign someone up and return the user."""
    answer = app.post("/recipe/signup", email=address or email(), password=SECRET)
    assert answer.status == 200, answer.body
    assert answer.body["status"] == "OK"
    user: dict[str, Any] = answer.body["user"]
    return user


@covers("POST /recipe/signup", "POST /recipe/signin")
def test_sign_up_and_in(app: Caller) -> None:
    """Who signed up can sign in, and is the same user."""
    address = email()
    up = app.post("/recipe/signup", email=f"  {address.upper()} ", password=SECRET).says(
        "OK", user=user_of(address), recipeUserId=UUID
    )
    assert up["user"]["id"] == up["recipeUserId"] == up["user"]["loginMethods"][0]["recipeUserId"]
    app.post("/recipe/signin", email=f"{address} ", password=SECRET).says(
        "OK", **{k: up[k] for k in ("user", "recipeUserId")}
    )


def test_webauthn_is_shown_from_cdi_5_3_on(app: Caller) -> None:
    """Older clients do not see the field that they do not know."""
    address = email()
    sign_up(app, address)
    body = {"email": address, "password": SECRET}
    for version, shown in (("5.0", False), ("5.2", False), ("5.3", True)):
        user = app.call("POST", "/recipe/signin", body, headers={"cdi-version": version}).body["user"]
        assert ("webauthn" in user) is shown


@pytest.mark.parametrize("password", ["", "wrong", "correct hors", "correct horse "])
def test_wrong_password(app: Caller, password: str) -> None:
    """A wrong password, an empty one too, and an unknown email are the same answer."""
    address = email()
    sign_up(app, address)
    app.post("/recipe/signin", email=address, password=password).says("WRONG_CREDENTIALS_ERROR")
    app.post("/recipe/signin", email=email(), password=password).says("WRONG_CREDENTIALS_ERROR")


@pytest.mark.parametrize("password", ["x", "пароль", "🔑" * 20, "p" * 300, "a\0b"])
def test_passwords_of_all_kinds(app: Caller, password: str) -> None:
    """The core takes any password that is not empty; rules are the SDK's."""
    address = email()
    app.post("/recipe/signup", email=address, password=password).has()
    app.post("/recipe/signin", email=address, password=password).has()


def test_sign_up_twice(app: Caller, tenant: Caller) -> None:
    """An email is one account's per tenant."""
    address = email()
    sign_up(app, address)
    app.post("/recipe/signup", email=address.upper(), password="other").says("EMAIL_ALREADY_EXISTS_ERROR")
    sign_up(tenant, address)
    app.post("/recipe/signin", email=address, password="other").says("WRONG_CREDENTIALS_ERROR")


def test_empty_password(app: Caller) -> None:
    """An empty password is refused at sign-up."""
    app.post("/recipe/signup", email=email(), password="").refused(400, "Password cannot be an empty string")


def test_users_of_a_tenant(app: Caller, tenant: Caller) -> None:
    """A user of a tenant cannot sign in to another."""
    address, tenant_id = email(), tenant.prefix.rpartition("/")[2]
    tenant.post("/recipe/signup", email=address, password=SECRET).has(user=user_of(address, tenant=tenant_id))
    tenant.post("/recipe/signin", email=address, password=SECRET).has()
    app.post("/recipe/signin", email=address, password=SECRET).says("WRONG_CREDENTIALS_ERROR")


def test_fake_emails_are_verified(app: Caller) -> None:
    """Addresses that stand for accounts without one count as verified."""
    for address in (f"{fresh('u')}@stfakeemail.supertokens.com", f"{fresh('u')}@x.fakeemail.com"):
        app.post("/recipe/signup", email=address, password=SECRET).has(user=user_of(address, verified=True))


@covers("GET /recipe/user")
def test_get_user(app: Caller, tenant: Caller) -> None:
    """The deprecated look-up by id or, in a tenant, by email."""
    address = email()
    user = sign_up(app, address)
    app.get("/recipe/user", userId=user["id"]).says("OK", user=user)
    app.get("/recipe/user", email=f" {address.upper()}").says("OK", user=user)
    app.get("/recipe/user", userId="ghost").says("UNKNOWN_USER_ID_ERROR")
    app.get("/recipe/user", email=email()).says("UNKNOWN_EMAIL_ERROR")
    tenant.get("/recipe/user", email=address).says("UNKNOWN_EMAIL_ERROR")
    tenant.get("/recipe/user", userId=user["id"]).refused(403, "Only public tenantId can call this app specific API")
    app.get("/recipe/user").refused(400, "Please provide one of userId or email")
    app.get("/recipe/user", userId="a", email="b").refused(400, "Please provide only one of userId or email")


@covers("PUT /recipe/user")
def test_change_email_and_password(app: Caller) -> None:
    """Email and password change together or apart, and only the new ones count."""
    before, after = email(), email()
    user = sign_up(app, before)
    app.put("/recipe/user", recipeUserId=user["id"], email=after.upper(), password="new").says("OK")
    app.post("/recipe/signin", email=before, password="new").says("WRONG_CREDENTIALS_ERROR")
    app.post("/recipe/signin", email=after, password=SECRET).says("WRONG_CREDENTIALS_ERROR")
    found = app.post("/recipe/signin", email=after, password="new").has()["user"]
    assert (found["id"], found["emails"]) == (user["id"], [after])
    app.put("/recipe/user", recipeUserId=user["id"], email=after).says("OK")
    app.put("/recipe/user", recipeUserId="ghost", email=after).says("UNKNOWN_USER_ID_ERROR")
    app.put("/recipe/user", recipeUserId=user["id"]).refused(400, "You have to provide either email or password.")


def test_change_to_a_taken_email(app: Caller) -> None:
    """Another account's email is refused, and nothing else of the call happens."""
    taken, own = email(), email()
    sign_up(app, taken)
    user = sign_up(app, own)
    app.put("/recipe/user", recipeUserId=user["id"], email=taken, password="new").says("EMAIL_ALREADY_EXISTS_ERROR")
    app.post("/recipe/signin", email=own, password=SECRET).has(user=user)


@covers(
    "POST /recipe/user/password/reset/token",
    "POST /recipe/user/password/reset/token/consume",
    "POST /recipe/user/password/reset",
)
def test_password_reset(app: Caller) -> None:
    """A token works once, gives back its email, and takes all other tokens of the user with it."""
    address = email()
    user_id = sign_up(app, address)["id"]
    tokens = [
        app.post("/recipe/user/password/reset/token", userId=user_id, email=mail).says("OK", token=LINK_TOKEN)["token"]
        for mail in (address, "other@example.com")
    ]
    assert tokens[0] != tokens[1]
    consume = "/recipe/user/password/reset/token/consume"
    app.post(consume, token=tokens[1]).says("OK", userId=user_id, email="other@example.com")
    for token in (*tokens, "ghost", ""):
        app.post(consume, token=token).says("RESET_PASSWORD_INVALID_TOKEN_ERROR")
    app.post("/recipe/signin", email=address, password=SECRET).has()
    app.post("/recipe/user/password/reset/token", userId="ghost", email=address).says("UNKNOWN_USER_ID_ERROR")
    app.post("/recipe/user/password/reset/token", userId=user_id).refused(
        400, "Field name 'email' is invalid in JSON input"
    )
    reset = "/recipe/user/password/reset"
    token = app.post(f"{reset}/token", userId=user_id, email=address).body["token"]
    app.post(reset, method="mail", token=token, newPassword="n").refused(400, "Unsupported method for password reset")
    app.post(reset, method="token", token=token, newPassword="").refused(400, "Password cannot be an empty string")
    app.post(reset, method="token", token=token, newPassword="newest").says("OK", userId=user_id)
    app.post(reset, method="token", token=token, newPassword="again").says("RESET_PASSWORD_INVALID_TOKEN_ERROR")
    app.post("/recipe/signin", email=address, password="newest").has()


@covers("POST /recipe/user/passwordhash/import")
def test_imported_hashes(app: Caller) -> None:
    """Argon2 and bcrypt hashes of other systems sign in, and overwrite what was there."""
    path, address = "/recipe/user/passwordhash/import", email()
    made = app.post(path, email=address, passwordHash=f" {BCRYPT_HASH} ", hashingAlgorithm=" bcrypt ").says(
        "OK", user=user_of(address), didUserAlreadyExist=False
    )
    app.post("/recipe/signin", email=address, password="U*U").has()
    app.post(path, email=address.upper(), passwordHash=ARGON2_HASH).says(
        "OK", user=made["user"], didUserAlreadyExist=True
    )
    app.post("/recipe/signin", email=address, password="U*U").says("WRONG_CREDENTIALS_ERROR")
    app.post("/recipe/signin", email=address, password="password").has(user=made["user"])


# The first is a vector of crypt_blowfish's own test; the second of the Argon2 reference implementation's tests.
BCRYPT_HASH = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
ARGON2_HASH = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"


@pytest.mark.parametrize(
    ("stored", "algorithm", "text"),
    [
        ("nonsense", None, "Password hash is in invalid format"),
        ("nonsense", "ARGON2", "Password hash is in invalid Argon2 format"),
        ("nonsense", "BCRYPT", "Password hash is in invalid BCrypt format"),
        (" ", None, "Password hash cannot be an empty string"),
        ("x", " ", "Hashing Algorithm cannot be an empty string"),
        ("x", "MD5", "Unsupported password hashing algorithm"),
    ],
)
def test_hashes_that_are_none(app: Caller, stored: str, algorithm: str | None, text: str) -> None:
    """A hash of an unknown form is refused, in words that name the form."""
    more = {} if algorithm is None else {"hashingAlgorithm": algorithm}
    app.post("/recipe/user/passwordhash/import", email=email(), passwordHash=stored, **more).refused(400, text)


# The example of Firebase's own scrypt tool: parameters of a project, and an exported account with "user1password".
FIREBASE_KEY = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
FIREBASE_HASH = (
    "$f_scrypt$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
    "$42xEC+ixf3L2lw==$m=14$r=8$s=Bw=="
)


def test_firebase_needs_its_key(app: Caller, make_app: Callable[..., Caller]) -> None:
    """A Firebase hash is taken by an app that has Firebase's signer key."""
    path = "/recipe/user/passwordhash/import"
    answer = app.post(path, email=email(), passwordHash=FIREBASE_HASH, hashingAlgorithm="FIREBASE_SCRYPT")
    assert answer.status in (400, 500)
    assert "firebase_password_hashing_signer_key" in answer.body
    keyed, address = make_app(firebase_password_hashing_signer_key=FIREBASE_KEY), email()
    keyed.post(path, email=address, passwordHash=FIREBASE_HASH).has(didUserAlreadyExist=False)
    keyed.post("/recipe/signin", email=address, password="user1password").has()
    keyed.post("/recipe/signin", email=address, password="wrong").says("WRONG_CREDENTIALS_ERROR")


def test_what_users_share_between_tenants(app: Caller, tenant: Caller) -> None:
    """A user added to a tenant signs in there with the same password."""
    address, tenant_id = email(), tenant.prefix.rpartition("/")[2]
    user = sign_up(app, address)
    tenant.post("/recipe/multitenancy/tenant/user", recipeUserId=user["id"]).says("OK", wasAlreadyAssociated=False)
    found = tenant.post("/recipe/signin", email=address, password=SECRET).has()["user"]
    both = AnyOrder("public", tenant_id)
    tenant.get("/recipe/user", email=address).says(
        "OK",
        user={
            **found,
            "tenantIds": both,
            "loginMethods": [{**found["loginMethods"][0], "tenantIds": both}],
        },
    )
    app.put("/recipe/user", recipeUserId=user["id"], password="new").says("OK")
    tenant.post("/recipe/signin", email=address, password="new").has(user=Some("user", bool))
