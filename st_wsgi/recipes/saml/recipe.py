"""The saml recipe."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ...recipe_kit.recipe import Recipe, Requires
from ..session import Session
from .apis import SamlAPIs
from .functions import SamlFunctions
from .routes import ROUTES


@attrs.define(kw_only=True, eq=False, slots=False)
class Saml(Recipe[SamlFunctions, SamlAPIs]):
    """
    Sign-in with an identity provider of an organisation that speaks SAML 2.0.

    The provider ``saml`` of the thirdparty recipe signs users in with it. It needs an official core, 12.0.10 or newer,
    since the core does the work with XML; the embedded core has no SAML.

    :param override: replacements of functions and APIs.
    """

    id = "saml"
    requires: ClassVar[Requires] = (Session,)
    routes = ROUTES
