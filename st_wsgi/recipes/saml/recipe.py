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

    Frontends sign in with it as with the provider ``saml`` of the thirdparty recipe. SAML needs an official core,
    12.0.10 or newer: the core does the work with XML, and the embedded core has no SAML.

    :param override: replacements of functions and APIs.
    """

    id = "saml"
    requires: ClassVar[Requires] = (Session,)
    routes = ROUTES
