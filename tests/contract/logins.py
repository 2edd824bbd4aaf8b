"""Users of every recipe, for the tests that need some."""

from __future__ import annotations

import itertools
from typing import Any

from contract.client import Answer, Caller, email, fresh

GOOGLE = "google"
_NUMBERS = itertools.count(1_000_000)


def phone() -> str:
    """Return a phone number, in E.164, that no user has. Of random ones, some would be the same."""
    return f"+3670{next(_NUMBERS)}"


def sign_in_up(
    app: Caller,
    address: str,
    *,
    provider: str = GOOGLE,
    account: str | None = None,
    verified: bool = False,
) -> Answer:
    """Sign in with a provider's account, by default a new one."""
    return app.post(
        "/recipe/signinup",
        thirdPartyId=provider,
        thirdPartyUserId=account or fresh("account"),
        email={"id": address, "isVerified": verified},
    )


def social(app: Caller, address: str | None = None, **more: Any) -> str:
    """Sign up with a provider's account and return the id."""
    return made(sign_in_up(app, address or email(), **more))


def code(app: Caller, **contact: str) -> dict[str, Any]:
    """Return a new code for an ``email`` or ``phoneNumber``, or one more of a ``deviceId``."""
    answer: dict[str, Any] = app.post("/recipe/signinup/code", **contact).has()
    return answer


def typed(made_code: dict[str, Any], user_input_code: str | None = None) -> dict[str, str]:
    """Return what a client sends when the code was typed in."""
    return {
        "preAuthSessionId": made_code["preAuthSessionId"],
        "deviceId": made_code["deviceId"],
        "userInputCode": user_input_code or made_code["userInputCode"],
    }


def clicked(made_code: dict[str, Any]) -> dict[str, str]:
    """Return what a client sends when the link was clicked."""
    return {name: made_code[name] for name in ("preAuthSessionId", "linkCode")}


def consume(app: Caller, attempt: dict[str, str]) -> Answer:
    """Sign in with a code."""
    return app.post("/recipe/signinup/code/consume", **attempt)


def by_code(app: Caller, **contact: str) -> str:
    """Sign up with a code for an ``email`` or ``phoneNumber`` and return the id."""
    return made(consume(app, typed(code(app, **contact))))


def made(answer: Answer) -> str:
    """Return the id of the login method that a sign-in answered with."""
    return str(answer.has()["recipeUserId"])


def user(app: Caller, user_id: str) -> dict[str, Any]:
    """Return a user by any of their ids."""
    found: dict[str, Any] = app.get("/user/id", userId=user_id).has()["user"]
    return found


def method_ids(shown: dict[str, Any]) -> set[str]:
    """Return the ids of a user's login methods."""
    times = [method["timeJoined"] for method in shown["loginMethods"]]
    assert times == sorted(times)
    return {method["recipeUserId"] for method in shown["loginMethods"]}


def make_primary(app: Caller, user_id: str) -> Answer:
    """Make a user primary."""
    return app.post("/recipe/accountlinking/user/primary", recipeUserId=user_id)


def link(app: Caller, user_id: str, primary_user_id: str) -> Answer:
    """Link a login method to a user."""
    return app.post("/recipe/accountlinking/user/link", recipeUserId=user_id, primaryUserId=primary_user_id)


def linked(app: Caller, user_id: str, *others: str) -> str:
    """Make a user primary, link others to it, and return its id."""
    make_primary(app, user_id).has()
    for other in others:
        link(app, other, user_id).has(accountsAlreadyLinked=False)
    return user_id
