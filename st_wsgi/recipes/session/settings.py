"""The settings of the session recipe, and what is made of them."""

from __future__ import annotations

import re
import time
from typing import Any

import attrs

from st_verify.errors import SettingError

from ...errors import ConfigError
from ...recipe_kit.recipe import Settings
from ...request.routing import spellings
from ...services import Services
from ..openid import OpenId
from .claim_types import SessionClaim, SessionClaimValidator
from .config import SessionConfig
from .cookies import REFRESH_PATH
from .transfer import TokenTransfer
from .verification import TokenVerification


@attrs.define(kw_only=True, eq=False, slots=False)
class SessionSettings(SessionConfig, Settings):
    """
    The settings of the session recipe, for its functions and APIs.

    :ivar transfer: how tokens travel.
    :ivar verification: whether an access token is good.
    :ivar claims: built for every new session; recipes above add theirs when they are bound.
    :ivar claim_validators: checked whenever a session is read; recipes above add theirs when they are bound.
    :ivar chooses_claim_validators: an override decides which are checked.
    :ivar refresh_paths: matches the paths of a refresh.
    """

    transfer: TokenTransfer = attrs.field(init=False, repr=False)
    verification: TokenVerification = attrs.field(init=False, repr=False)
    claims: list[SessionClaim[Any]] = attrs.field(init=False, repr=False, factory=list)
    claim_validators: list[SessionClaimValidator] = attrs.field(init=False, repr=False, factory=list)
    chooses_claim_validators: bool = attrs.field(init=False, repr=False)
    refresh_paths: re.Pattern[str] = attrs.field(init=False, repr=False)

    def bind(self, services: Services) -> None:
        super().bind(services)
        self.refresh_paths = spellings(services.app_info.api_base_path, REFRESH_PATH)
        self.transfer = TokenTransfer(config=self, app_info=services.app_info, clock=self.clock)
        try:
            self.verification = TokenVerification(
                config=self,
                core=services.core,
                issuer=self.issuer,
                transport=services.transport,
                clock=self.clock,
            )
        except SettingError as error:
            raise ConfigError(f"access tokens cannot be verified with these settings: {error}") from None

    @property
    def issuer(self) -> str:
        """The ``iss`` of the app's access tokens."""
        return self.services.get(OpenId).functions.get_open_id_discovery_configuration().issuer

    def clock(self) -> float:
        """Return seconds since 1970. A subclass can tell another time, in tests for instance."""
        return time.time()

    def add_claim(self, claim: SessionClaim[Any]) -> None:
        """Have a claim built for every new session."""
        if claim not in self.claims:
            self.claims.append(claim)

    def add_claim_validator(self, validator: SessionClaimValidator) -> None:
        """Have a claim checked whenever a session is read."""
        self.claim_validators.append(validator)
