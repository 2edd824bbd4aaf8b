"""Why a sign-in or sign-up is refused by the rule of account linking: what the user is told, and the support codes."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ..request.context import RequestContext

Refusal: TypeAlias = Literal[
    "NO_LINKING",
    "SIGN_UP_NOT_ALLOWED",
    "SIGN_IN_NOT_ALLOWED",
    "EMAIL_VERIFICATION_REQUIRED",
    "RECIPE_USER_ID_ALREADY_LINKED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR",
    "ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR",
    "SESSION_USER_ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR",
]


_NOT_ALLOWED = "This way to sign in is not safe for your account now. Please use another one, or contact support."
_NOT_LINKED = "This way to sign in cannot be added to your account. Please contact support."
_TEXTS: dict[Refusal, str] = {
    "NO_LINKING": "Accounts cannot be linked here. Please sign out first, or contact support.",
    "SIGN_UP_NOT_ALLOWED": _NOT_ALLOWED,
    "SIGN_IN_NOT_ALLOWED": _NOT_ALLOWED,
    "EMAIL_VERIFICATION_REQUIRED": _NOT_LINKED,
    "RECIPE_USER_ID_ALREADY_LINKED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR": _NOT_LINKED,
    "ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR": _NOT_LINKED,
    "SESSION_USER_ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR": _NOT_LINKED,
}
_CODES: dict[str, tuple[int, ...]] = {
    "emailpassword": (7, 8, 9, 10, 11, 12),
    "emailpassword, new": (7, 8, 13, 14, 15, 16),
    "passwordless": (2, 3, 3, 17, 18, 19),
    "thirdparty": (6, 4, 20, 21, 22, 23),
    "webauthn": (25, 30, 31, 32, 33, 34),
    "webauthn, new": (25, 30, 26, 27, 28, 29),
}
"""
The support codes of the official SDKs, in the order of the refusals after ``NO_LINKING``.

No request meets 003, here or there: a code verifies its address or number, so that it always opens the account that has
it. 014 and 027 need another request, which links the new login method to another user before this one can.
"""


def refused(
    context: RequestContext,
    recipe_id: str,
    refusal: Refusal,
    *,
    tenant_id: str,
    account: str | None = None,
    is_sign_up: bool = False,
) -> str:
    """
    Record a refusal, and return what the user is told: a text with the code that the app's support can look up.

    :param account: the e-mail address or phone number that was entered.
    """
    context.record("sign_in_failed", tenant_id=tenant_id, reason=refusal, recipe_id=recipe_id, account=account)
    if refusal == "NO_LINKING":
        return _TEXTS[refusal]
    codes = _CODES.get(f"{recipe_id}, new" if is_sign_up else recipe_id) or _CODES[recipe_id]
    return f"{_TEXTS[refusal]} (ERR_CODE_{codes[list(_TEXTS).index(refusal) - 1]:03})"
