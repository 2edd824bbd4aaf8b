"""The settings of the openid recipe."""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs

from ...errors import ConfigError
from ...recipe_kit.recipe import Settings
from ...services import Services
from ...urls import normalise_issuer


def _issuer(value: str | None) -> str | None:
    if value is None:
        return None
    return normalise_issuer(value, setting="issuer")


@attrs.define(kw_only=True, eq=False, slots=False)
class OpenIdSettings(Settings):
    """The lower half of the recipe."""

    issuer: str | None = attrs.field(default=None, converter=_issuer)

    def bind(self, services: Services) -> None:
        super().bind(services)
        base_path = services.app_info.public_base_path
        if self.issuer is not None and urlsplit(self.issuer).path != base_path:
            raise ConfigError(
                f"the path of issuer {self.issuer!r} must be the API's base path {base_path!r}, "
                "since verifiers look for the discovery document below it"
            )
