"""
Verified e-mail addresses.

::

    from st_wsgi.recipes.emailverification import EmailVerification, EmailVerificationClaim

    recipes = [EmailPassword(), EmailVerification(mode="REQUIRED"), Session()]

A view that only some users may see without a verified address asks for the claim itself:
``EmailVerificationClaim.is_verified()`` is a validator for ``verify_session``.
"""

from __future__ import annotations

from typing import Final

from ...arguments import checked
from ...errors import ArgumentError
from ...recipe_kit.recipe import user_facing
from ...recipe_kit.results import UnknownUserId as UnknownUserId
from ...request import current
from ...users import PUBLIC_TENANT, RecipeUserId
from .apis import EmailVerificationAPIs as EmailVerificationAPIs
from .claims import EmailVerificationClaim as EmailVerificationClaim
from .functions import EmailVerificationFunctions as EmailVerificationFunctions
from .recipe import EmailVerification as EmailVerification
from .types import (
    EmailAlreadyVerified as EmailAlreadyVerified,
    EmailDoesNotExist as EmailDoesNotExist,
    EmailInfo as EmailInfo,
    EmailOfUser as EmailOfUser,
    EmailVerified as EmailVerified,
    GetEmailForRecipeUserId as GetEmailForRecipeUserId,
    InvalidVerificationToken as InvalidVerificationToken,
    VerificationLink as VerificationLink,
    VerificationState as VerificationState,
    VerificationToken as VerificationToken,
)

send_email: Final = user_facing(EmailVerification, EmailVerificationFunctions.send_email)
verify_email_using_token: Final = user_facing(EmailVerification, EmailVerificationFunctions.verify_email_using_token)


@checked
def create_email_verification_token(
    *, recipe_user_id: RecipeUserId, email: str | None = None, tenant_id: str = PUBLIC_TENANT
) -> VerificationToken | EmailAlreadyVerified:
    """
    Create a token that verifies an e-mail address of a login method.

    :param email: default: that of the login method. One without an address counts as verified.
    :raises ArgumentError: no login method has this id.
    """
    address = _address(recipe_user_id, email)
    if address is None:
        return EmailAlreadyVerified()
    return _recipe().functions.create_email_verification_token(
        recipe_user_id=recipe_user_id, email=address, tenant_id=tenant_id
    )


@checked
def create_email_verification_link(
    *, recipe_user_id: RecipeUserId, email: str | None = None, tenant_id: str = PUBLIC_TENANT
) -> VerificationLink | EmailAlreadyVerified:
    """
    Create a token and return the link to the website's page that verifies the address with it.

    :param email: default: that of the login method. One without an address counts as verified.
    :raises ArgumentError: no login method has this id.
    """
    outcome = create_email_verification_token(recipe_user_id=recipe_user_id, email=email, tenant_id=tenant_id)
    if isinstance(outcome, EmailAlreadyVerified):
        return outcome
    return VerificationLink(_recipe().link(token=outcome.token, tenant_id=tenant_id))


@checked
def send_email_verification_email(
    *, user_id: str, recipe_user_id: RecipeUserId, email: str | None = None, tenant_id: str = PUBLIC_TENANT
) -> bool | EmailAlreadyVerified:
    """
    Send a user the mail that verifies their address, and return whether the service accepted it.

    :param email: default: that of the login method. One without an address counts as verified.
    :raises ArgumentError: no login method has this id.
    """
    address = _address(recipe_user_id, email)
    outcome = create_email_verification_token(recipe_user_id=recipe_user_id, email=address, tenant_id=tenant_id)
    if address is None or isinstance(outcome, EmailAlreadyVerified):
        return EmailAlreadyVerified()
    message = _recipe().mail_with_link(token=outcome.token, email=address, user_id=user_id, tenant_id=tenant_id)
    return _recipe().functions.send_email(message=message)


@checked
def is_email_verified(*, recipe_user_id: RecipeUserId, email: str | None = None) -> bool:
    """
    Return whether an e-mail address of a login method is verified.

    :param email: default: that of the login method. One without an address counts as verified.
    :raises ArgumentError: no login method has this id.
    """
    address = _address(recipe_user_id, email)
    return address is None or _recipe().functions.is_email_verified(recipe_user_id=recipe_user_id, email=address)


@checked
def revoke_email_verification_tokens(
    *, recipe_user_id: RecipeUserId, email: str | None = None, tenant_id: str = PUBLIC_TENANT
) -> None:
    """
    Make all tokens for an e-mail address of a login method useless.

    :param email: default: that of the login method.
    :raises ArgumentError: no login method has this id.
    """
    address = _address(recipe_user_id, email)
    if address is not None:
        _recipe().functions.revoke_email_verification_tokens(
            recipe_user_id=recipe_user_id, email=address, tenant_id=tenant_id
        )


@checked
def unverify_email(*, recipe_user_id: RecipeUserId, email: str | None = None) -> None:
    """
    Make an e-mail address of a login method unverified again.

    :param email: default: that of the login method. One without an address cannot be unverified.
    :raises ArgumentError: no login method has this id.
    """
    address = _address(recipe_user_id, email)
    if address is not None:
        _recipe().functions.unverify_email(recipe_user_id=recipe_user_id, email=address)


def _recipe() -> EmailVerification:
    return current.services().get(EmailVerification)


def _address(recipe_user_id: RecipeUserId, email: str | None) -> str | None:
    """Return *email*, by default that of the login method; None if it has none."""
    if email is not None:
        return email
    info = _recipe().email_of(recipe_user_id)
    if isinstance(info, EmailOfUser):
        return info.email
    if isinstance(info, EmailDoesNotExist):
        return None
    raise ArgumentError("no login method has this id; pass the e-mail address, or set get_email_for_recipe_user_id")
