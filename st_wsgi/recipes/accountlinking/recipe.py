"""The accountlinking recipe."""

from __future__ import annotations

import attrs

from ...recipe_kit.recipe import NoAPIs, Recipe
from .functions import AccountLinkingFunctions
from .settings import AccountLinkingSettings


@attrs.define(kw_only=True, eq=False, slots=False)
class AccountLinking(AccountLinkingSettings, Recipe[AccountLinkingFunctions, NoAPIs]):
    """
    Several login methods of one user, linked by the app's own code.

    :param on_account_linked: is called with the user and the login method after each link, in the thread that links.
    :param override: replacements of functions.
    :raises ConfigError: a setting is not usable.
    """

    id = "accountlinking"
