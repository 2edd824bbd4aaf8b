"""Whether the user's e-mail address is verified, as a claim of their session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...recipe_kit.results import UnknownUserId
from ...request import current
from ...users import RecipeUserId
from ..session.claim_types import EmailVerificationClaimType
from .functions import EmailVerificationFunctions
from .types import EmailOfUser


def _is_verified(
    _user_id: str, recipe_user_id: RecipeUserId, _tenant_id: str, _payload: Mapping[str, Any]
) -> bool | None:
    functions = current.services().functions(EmailVerificationFunctions)
    info = functions.recipe.email_of(recipe_user_id)
    if isinstance(info, EmailOfUser):
        return functions.is_email_verified(recipe_user_id=recipe_user_id, email=info.email)
    # A login method without an e-mail address has nothing to verify. A user who does not exist has no value.
    return None if isinstance(info, UnknownUserId) else True


EmailVerificationClaim: EmailVerificationClaimType = EmailVerificationClaimType("st-ev", fetch_value=_is_verified)
"""Whether the e-mail address of the session's login method is verified (``st-ev``)."""
