"""The settings of the multifactorauth recipe, and the second factors that other recipes offer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from ...attempts import SteadyAttempts
from ...checks import a_list
from ...recipe_kit.recipe import Settings
from ...services import Services
from .types import SecondFactors

_FACTORS: Any = attrs.validators.optional(a_list('factors such as ["emailpassword"]', kind=str, least=1))


@attrs.define(kw_only=True, eq=False, slots=False)
class MultiFactorAuthSettings(Settings):
    """
    The settings of the recipe, for its functions and APIs.

    :ivar offered: what the other recipes offer. Each adds its own when it is bound.
    :ivar turns: whose turn it is to change what is required of a user.
    """

    first_factors: Sequence[str] | None = attrs.field(default=None, validator=_FACTORS)
    offered: list[SecondFactors] = attrs.field(init=False, repr=False, factory=list)
    turns: SteadyAttempts = attrs.field(init=False, repr=False)

    def bind(self, services: Services) -> None:
        super().bind(services)
        self.turns = SteadyAttempts(services.transport.attempts)

    @property
    def second_factors(self) -> tuple[str, ...]:
        """All second factors that the app has."""
        return tuple(dict.fromkeys(factor for one in self.offered for factor in one.factors))
