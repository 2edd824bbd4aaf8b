"""
Second factors: what a user has to complete beside the first sign-in.

::

    recipes = [EmailPassword(), Totp(), MultiFactorAuth(first_factors=["emailpassword"]), Session()]

    add_to_required_secondary_factors_for_user(user_id="ada", factor_id="totp")

    @app.post("/transfer")
    @verify_session(override_global_claim_validators=require_factors(requirement_list=["totp"]))
    def transfer():
        return "done"

A sign-in needs one of the factors that the tenant (``required_secondary_factors``) or the user requires. An override of
``get_mfa_requirements_for_auth`` may require others. Until the sign-in is complete, views get no session: 403. A single
view requires more with :func:`require_factors`.
"""

from __future__ import annotations

from typing import Final

from ...accounts import user_by_id
from ...arguments import checked
from ...errors import ArgumentError
from ...recipe_kit.recipe import user_facing
from ...request import current
from ..session import SessionContainer
from ..session.claim_types import (
    AllOfInAnyOrder as AllOfInAnyOrder,
    MFAClaimValue as MFAClaimValue,
    OneOf as OneOf,
    Requirement as Requirement,
)
from . import functions, recipe
from .apis import MultiFactorAuthAPIs as MultiFactorAuthAPIs
from .claims import MultiFactorAuthClaim as MultiFactorAuthClaim, require_factors as require_factors
from .functions import MultiFactorAuthFunctions as MultiFactorAuthFunctions
from .recipe import MultiFactorAuth as MultiFactorAuth
from .types import (
    FactorIds as FactorIds,
    Factors as Factors,
    MFAInfo as MFAInfo,
    Requirements as Requirements,
    SecondFactors as SecondFactors,
)

add_to_required_secondary_factors_for_user: Final = user_facing(
    MultiFactorAuth, MultiFactorAuthFunctions.add_to_required_secondary_factors_for_user
)
get_required_secondary_factors_for_user: Final = user_facing(
    MultiFactorAuth, MultiFactorAuthFunctions.get_required_secondary_factors_for_user
)
mark_factor_as_complete_in_session: Final = user_facing(
    MultiFactorAuth, MultiFactorAuthFunctions.mark_factor_as_complete_in_session
)
remove_from_required_secondary_factors_for_user: Final = user_facing(
    MultiFactorAuth, MultiFactorAuthFunctions.remove_from_required_secondary_factors_for_user
)


@checked
def assert_allowed_to_setup_factor_else_throw_invalid_claim_error(*, session: SessionContainer, factor_id: str) -> None:
    """
    Check whether the user of a session may set up a factor now.

    :raises InvalidClaims: they have to complete another factor first: 403.
    :raises Unauthorised: the user does not exist any more.
    """
    recipe.check_setup(current.services().get(MultiFactorAuth).services, session, factor_id)


@checked
def get_factors_setup_for_user(*, user_id: str) -> tuple[str, ...]:
    """
    Return the factors that a user has set up, in all tenants.

    :raises ArgumentError: no user has this id.
    """
    services = current.services()
    user = user_by_id(services.core, user_id)
    if user is None:
        raise ArgumentError("no user has this id")
    return services.get(MultiFactorAuth).functions.get_factors_setup_for_user(user=user)


@checked
def get_mfa_requirements_for_auth(*, session: SessionContainer) -> Requirements:
    """Return the requirements of a session's sign-in, and bring the claim in the session up to date."""
    return functions.progress_in(current.services().get(MultiFactorAuth).functions, session).requirements
