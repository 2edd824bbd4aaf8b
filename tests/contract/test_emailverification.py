"""Email verification."""

from __future__ import annotations

from contract.client import Caller, email, fresh
from contract.covered import covers
from contract.expectations import LINK_TOKEN
from contract.test_emailpassword import sign_up

VERIFY = "/recipe/user/email/verify"
INVALID = "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR"


def token_for(app: Caller, user_id: str, address: str) -> str:
    """Return a fresh token."""
    found: str = app.post(f"{VERIFY}/token", userId=user_id, email=address).says("OK", token=LINK_TOKEN)["token"]
    return found


@covers(
    "POST /recipe/user/email/verify/token",
    "POST /recipe/user/email/verify",
    "GET /recipe/user/email/verify",
    "POST /recipe/user/email/verify/remove",
)
def test_verify(app: Caller) -> None:
    """A token verifies one email of one user, once, and takes the other tokens with it."""
    user_id, address = fresh("user"), email()
    first, second = token_for(app, user_id, f" {address.upper()}"), token_for(app, user_id, address)
    other = token_for(app, user_id, email())
    app.get(VERIFY, userId=user_id, email=address).says("OK", isVerified=False)
    app.post(VERIFY, method="token", token=first).says("OK", userId=user_id, email=address)
    app.get(VERIFY, userId=user_id, email=address).says("OK", isVerified=True)
    for token in (first, second, "ghost"):
        app.post(VERIFY, method="token", token=token).says(INVALID)
    app.post(f"{VERIFY}/token", userId=user_id, email=address).says("EMAIL_ALREADY_VERIFIED_ERROR")
    app.post(VERIFY, method="token", token=other).has(userId=user_id)
    app.post(f"{VERIFY}/remove", userId=user_id, email=address.upper()).says("OK")
    app.get(VERIFY, userId=user_id, email=address).says("OK", isVerified=False)
    app.post(f"{VERIFY}/remove", userId=user_id, email=address).says("OK")
    app.post(VERIFY, method="mail", token="x").refused(400, "Unsupported method for email verification")


def test_the_email_is_not_normalised_when_asking(app: Caller) -> None:
    """Asking takes the email as it is written."""
    user_id, address = fresh("user"), email()
    app.post(VERIFY, method="token", token=token_for(app, user_id, address)).has()
    app.get(VERIFY, userId=user_id, email=address.upper()).says("OK", isVerified=False)


@covers("POST /recipe/user/email/verify/token/remove")
def test_remove_tokens(app: Caller) -> None:
    """Tokens of one user and email can be revoked."""
    user_id, address = fresh("user"), email()
    token, other = token_for(app, user_id, address), token_for(app, user_id, email())
    app.post(f"{VERIFY}/token/remove", userId=user_id, email=address.upper()).says("OK")
    app.post(VERIFY, method="token", token=token).says(INVALID)
    app.post(VERIFY, method="token", token=other).has()


def test_tokens_belong_to_a_tenant_flags_to_the_app(app: Caller, tenant: Caller) -> None:
    """A token works in its tenant only; what it verifies is verified everywhere."""
    user_id, address = fresh("user"), email()
    token = token_for(tenant, user_id, address)
    app.post(VERIFY, method="token", token=token).says(INVALID)
    tenant.post(VERIFY, method="token", token=token).has()
    app.get(VERIFY, userId=user_id, email=address).says("OK", isVerified=True)


def test_login_methods_show_it(app: Caller) -> None:
    """The user's login method is verified when its own email is; a new email is not."""
    address = email()
    user_id = sign_up(app, address)["id"]
    app.post(VERIFY, method="token", token=token_for(app, user_id, address)).has()

    def shown() -> bool:
        verified: bool = app.get("/user/id", userId=user_id).body["user"]["loginMethods"][0]["verified"]
        return verified

    assert shown() is True
    app.put("/recipe/user", recipeUserId=user_id, email=email()).says("OK")
    assert shown() is False
    app.put("/recipe/user", recipeUserId=user_id, email=address).says("OK")
    assert shown() is True
    app.post(f"{VERIFY}/remove", userId=user_id, email=address).says("OK")
    assert shown() is False
