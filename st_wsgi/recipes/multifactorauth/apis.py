"""The API behind the multifactorauth route: interface and default implementation."""

from __future__ import annotations

from ...accounts import user_of_session
from ...errors import ConfigError, InvalidClaims, Unauthorised
from ...recipe_kit.recipe import APIs
from ...recipe_kit.results import GeneralError
from ...request.context import RequestContext
from ..session import SessionContainer
from .functions import MultiFactorAuthFunctions, factors_to_set_up, progress_in
from .settings import MultiFactorAuthSettings
from .types import Factors, MFAInfo


class MultiFactorAuthAPIs(APIs[MultiFactorAuthSettings, MultiFactorAuthFunctions]):
    """The API of the multifactorauth recipe. An override may be None, which switches the route off."""

    def resync_session_and_fetch_mfa_info_put(
        self, *, session: SessionContainer, context: RequestContext
    ) -> MFAInfo | GeneralError:
        """
        Return what the user of a session can do next, and bring the claim in the session up to date.

        :raises Unauthorised: the user or their login method does not exist any more.
        :raises ConfigError: the next step needs factors that no recipe offers: 500.
        """
        user = user_of_session(self.recipe.services.core, session.get_user_id())
        method = user.login_method(session.get_recipe_user_id())
        if method is None:
            raise Unauthorised("the user of the session does not have its login method any more")
        progress = progress_in(self.functions, session)
        set_up = self.functions.get_factors_setup_for_user(user=user)
        try:
            offered = self.recipe.second_factors
            allowed = factors_to_set_up(self.functions, session, user, offered, progress=progress)
        except InvalidClaims:
            allowed = ()
        possible = tuple(factor for factor in progress.next_step if factor in allowed or factor in set_up)
        if progress.next_step and not possible:
            raise ConfigError(f"the sign-in needs one of {', '.join(progress.next_step)}, which no recipe offers")
        return MFAInfo(
            factors=Factors(next=possible, already_setup=set_up, allowed_to_setup=allowed),
            emails={name: found for one in self.recipe.offered for name, found in one.emails(user, method).items()},
            phone_numbers={
                name: found for one in self.recipe.offered for name, found in one.phone_numbers(user, method).items()
            },
        )
