"""Changing the e-mail address of a login method, where accounts are linked automatically."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..accounts import user_by_id
from ..recipe_kit.forms import normalise_email
from ..recipe_kit.results import EmailChangeNotAllowed, Ok, UnknownUserId
from ..services import Services
from ..users import LoginMethod, RecipeUserId, User
from .accountlinking import AccountLinking
from .emailverification import EmailVerification
from .signing_in import automatic_linking

_Outcome = TypeVar("_Outcome")
_REASONS = {
    "PRIMARY_USER_CONFLICT": "another primary user has this e-mail address",
    "ACCOUNT_TAKEOVER_RISK": "another account with this e-mail address could be taken over",
}


def change_email(
    services: Services,
    recipe_user_id: RecipeUserId,
    email: str,
    *,
    change: Callable[[], _Outcome],
    undo: Callable[[LoginMethod], object],
    if_same: Callable[[], _Outcome | Ok] = Ok,
) -> _Outcome | Ok | UnknownUserId | EmailChangeNotAllowed:
    """
    Give a login method a new e-mail address, unless it could be another person's where accounts are linked.

    Another request may create a login method with the address meanwhile, so this looks again afterwards. If the user
    has verified the address for another login method, it is verified for this one, too.

    :param change: makes the change in the core.
    :param undo: changes the login method back to what it was.
    :param if_same: is called in the place of *change* if the login method has the address already. Another request
        may take the address away again meanwhile, and this one must not bring it back.
    """
    linking = automatic_linking(services)
    if linking is None:
        return change()
    user = user_by_id(services.core, recipe_user_id.value)
    if user is None:
        return UnknownUserId()
    method = linking.method_of(user, recipe_user_id)
    if (refusal := _refusal(linking, user, method, email)) is not None:
        return refusal
    if method.email == normalise_email(email):
        return if_same()
    outcome = change()
    if not isinstance(outcome, Ok):
        return outcome
    if (refusal := _refusal(linking, user, method, email)) is not None:
        undo(method)
        return refusal
    if (user := user_by_id(services.core, recipe_user_id.value)) is not None:
        linking.verify_if_another_method_is(user, linking.method_of(user, recipe_user_id))
    return outcome


def _refusal(linking: AccountLinking, user: User, method: LoginMethod, email: str) -> EmailChangeNotAllowed | None:
    verification = linking.services.find(EmailVerification)
    is_verified = verification is not None and verification.functions.is_email_verified(
        recipe_user_id=method.recipe_user_id, email=email
    )
    outcome = linking.email_change(user, method, email, is_verified=is_verified, session=None)
    return None if outcome == "OK" else EmailChangeNotAllowed(_REASONS[outcome])
