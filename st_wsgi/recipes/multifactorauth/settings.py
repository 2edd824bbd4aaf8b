"""The settings of the multifactorauth recipe, and the second factors that other recipes offer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import attrs

from ...checks import a_list
from ...forks import renew_after_fork
from ...recipe_kit.recipe import Settings
from ...services import Services
from .types import SecondFactors

_FACTORS: Any = attrs.validators.optional(a_list('factors such as ["emailpassword"]', kind=str, least=1))


@attrs.define(kw_only=True, eq=False, slots=False)
class MultiFactorAuthSettings(Settings):
    """
    The settings of the recipe, for its functions and APIs.

    :ivar offered: what the other recipes offer. Each adds its own when it is bound.
    :ivar metadata_turn: held while what is required of a user is changed.
    """

    first_factors: Sequence[str] | None = attrs.field(default=None, validator=_FACTORS)
    offered: list[SecondFactors] = attrs.field(init=False, repr=False, factory=list)
    metadata_turn: threading.Lock = attrs.field(init=False, repr=False, factory=threading.Lock)

    def bind(self, services: Services) -> None:
        super().bind(services)
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may hold."""
        self.metadata_turn = threading.Lock()

    @property
    def second_factors(self) -> tuple[str, ...]:
        """All second factors that the app has."""
        return tuple(dict.fromkeys(factor for one in self.offered for factor in one.factors))
