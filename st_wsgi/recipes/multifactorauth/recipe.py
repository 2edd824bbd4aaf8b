"""The multifactorauth recipe."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ...accounts import user_of_session
from ...recipe_kit.recipe import Recipe, Requires
from ...services import Services
from ..accountlinking import AccountLinking
from ..multitenancy import Multitenancy
from ..session import Session, SessionContainer
from ..usermetadata import UserMetadata
from .apis import MultiFactorAuthAPIs
from .claims import MultiFactorAuthClaim
from .functions import MultiFactorAuthFunctions, factors_to_set_up, progress_in, refusals_recorded
from .routes import ROUTES
from .settings import MultiFactorAuthSettings


@attrs.define(kw_only=True, eq=False, slots=False)
class MultiFactorAuth(MultiFactorAuthSettings, Recipe[MultiFactorAuthFunctions, MultiFactorAuthAPIs]):
    """
    Second factors: what a user has to complete after the first sign-in, before views accept the session.

    A second factor that is a way to sign in, such as a code by mail, becomes a login method of the user. So the app has
    to link accounts (``AccountLinking(should_do_automatic_account_linking=...)``).

    :param first_factors: the factors with which users may begin to sign in, in tenants that have no first factors of
        their own. By default all that the recipes offer.
    :param override: replacements of functions and APIs.
    :raises ConfigError: a setting is not usable.
    """

    id = "multifactorauth"
    requires: ClassVar[Requires] = (Session, Multitenancy, AccountLinking, UserMetadata)
    routes = ROUTES

    def bind(self, services: Services) -> None:
        super().bind(services)
        if self.first_factors is not None:
            services.get(Multitenancy).static_first_factors = tuple(self.first_factors)
        services.get(Session).add_claim_validator(MultiFactorAuthClaim.has_completed_mfa_requirements_for_auth())


def check_setup(services: Services, session: SessionContainer, factor_id: str) -> None:
    """
    Check whether the user of a session may set up a factor now, if the app has second factors.

    :raises InvalidClaims: they have to complete another one first: 403.
    :raises Unauthorised: the user does not exist any more.
    """
    mfa = services.find(MultiFactorAuth)
    if mfa is not None:
        with refusals_recorded(mfa.functions, session):
            user = user_of_session(services.core, session.get_user_id())
            factors_to_set_up(mfa.functions, session, user, [factor_id])


def check_complete(services: Services, session: SessionContainer) -> None:
    """
    Check whether the sign-in of a session is complete by the present requirements, if the app has second factors.

    :raises InvalidClaims: it is not: 403.
    """
    mfa = services.find(MultiFactorAuth)
    if mfa is not None:
        progress_in(mfa.functions, session)
        with refusals_recorded(mfa.functions, session):
            session.assert_claims([MultiFactorAuthClaim.has_completed_mfa_requirements_for_auth()])
