"""The openid recipe."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ...recipe_kit.recipe import Recipe, Requires
from ..jwt import Jwt
from .apis import OpenIdAPIs
from .functions import OpenIdFunctions
from .routes import ROUTES
from .settings import OpenIdSettings


@attrs.define(kw_only=True, eq=False, slots=False)
class OpenId(OpenIdSettings, Recipe[OpenIdFunctions, OpenIdAPIs]):
    """
    OpenID Connect discovery, which names the issuer of this app's tokens.

    ::

        OpenId(issuer="https://api.shop.example/auth")

    :param issuer: default: the API's domain and base path. Its path must be the API's base path.
    :param override: replacements of functions and APIs.
    :raises ConfigError: a setting is not usable.
    """

    id = "openid"
    requires: ClassVar[Requires] = (Jwt,)
    routes = ROUTES
