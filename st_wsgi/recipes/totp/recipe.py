"""The totp recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import attrs

from ...errors import ConfigError
from ...recipe_kit.recipe import Recipe, Requires
from ...services import Services
from ...users import User
from ..multifactorauth import MultiFactorAuth, SecondFactors
from ..multitenancy.types import TOTP
from ..session import Session
from .apis import TotpAPIs
from .functions import TotpFunctions
from .routes import ROUTES
from .settings import TotpSettings


@attrs.define(kw_only=True, eq=False, slots=False)
class Totp(TotpSettings, Recipe[TotpFunctions, TotpAPIs]):
    """
    Authenticator apps as a second factor: codes that change with the time (RFC 6238).

    :param issuer: what authenticator apps show beside the account. Default: the app's name.
    :param default_skew: how many periods before and after the present one count too, since clocks differ.
    :param default_period: seconds for which a device shows a code.
    :param override: replacements of functions and APIs.
    :raises ConfigError: a setting is not usable, or the app has no ``MultiFactorAuth()``.
    """

    id = TOTP
    requires: ClassVar[Requires] = (Session,)
    follows: ClassVar[Requires] = (MultiFactorAuth,)
    routes = ROUTES

    def bind(self, services: Services) -> None:
        super().bind(services)
        mfa = services.find(MultiFactorAuth)
        if mfa is None:
            raise ConfigError("Totp() is a second factor: add MultiFactorAuth() to recipes")
        mfa.offered.append(SecondFactors(factors=(TOTP,), set_up=self._set_up))

    def _set_up(self, user: User) -> Iterable[str]:
        devices = self.functions.list_devices(user_id=user.id).devices
        return [TOTP] if any(device.verified for device in devices) else []
