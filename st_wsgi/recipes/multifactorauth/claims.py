"""The claim with the completed factors of a session, and the validators of views that require factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...arguments import checked
from ...request import current
from ...users import RecipeUserId
from ..session import SessionClaimValidator, SessionContainer
from ..session.claim_types import MFAClaimValue, MultiFactorAuthClaimType, Requirement
from ..session.in_request import OverrideGlobalClaimValidators
from .functions import CLAIM, MultiFactorAuthFunctions, progress_of


def _value(
    _user_id: str, recipe_user_id: RecipeUserId, tenant_id: str, payload: Mapping[str, Any]
) -> MFAClaimValue | None:
    functions = current.services().functions(MultiFactorAuthFunctions)
    progress = progress_of(functions, recipe_user_id, tenant_id, payload)
    return MFAClaimValue(c=progress.completed, v=progress.is_complete)


MultiFactorAuthClaim: MultiFactorAuthClaimType = MultiFactorAuthClaimType(CLAIM.key, fetch_value=_value)
"""The factors that were completed in the session, and whether the sign-in is complete (``st-mfa``)."""


@checked
def require_factors(*, requirement_list: Sequence[Requirement]) -> OverrideGlobalClaimValidators:
    """
    Return the argument with which ``verify_session`` requires factors, beside those that the sign-in needs.

    :param requirement_list: steps, one after the other. Each is a factor, ``{"oneOf": [...]}`` or
        ``{"allOfInAnyOrder": [...]}``. A ``oneOf`` without factors is never
        completed, since a view that requires nothing needs no step.
    :raises SettingError: a step is something else.
    """
    validator = MultiFactorAuthClaim.has_completed_requirement_list(requirement_list)

    def added(validators: list[SessionClaimValidator], _session: SessionContainer) -> list[SessionClaimValidator]:
        return [*validators, validator]

    return added
