"""
The switches of the deprecated tenant endpoints (``emailPasswordEnabled``, ...) and the factors that replaced them.

Rules: ``webserver/api/multitenancy/BaseCreateOrUpdate.java`` of the official core, for CDI 5.0 and later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from . import tenantrows
from .call import Call
from .fields import Body, CallRefused, bad
from .tenantrows import RECIPE_FACTORS, TenantRow

_SINCE_FACTORS = (5, 1)
_LOGIN_NAMES = {"emailPassword": "Email password", "thirdParty": "ThirdParty", "passwordless": "Passwordless"}


def factors(body: Body, name: str) -> list[str] | None:
    """Return the factors that a body names; None when it does not, or says null."""
    if body.values.get(name) is None:
        return None
    given = body.texts(name)
    if len(set(given)) != len(given):
        raise bad(f"{name} input should not contain duplicate values")
    return given


def update(body: Body, tenant: TenantRow) -> TenantRow:
    """Return the tenant as a body of a deprecated endpoint changes it."""
    switches = {recipe: body.flag_or_none(f"{recipe}Enabled") for recipe in RECIPE_FACTORS}
    first = _filled_factors(body, "firstFactors", "first")
    secondary = _filled_factors(body, "requiredSecondaryFactors", "required secondary")
    for recipe, names in RECIPE_FACTORS.items():
        if switches[recipe] is False:
            _refuse_contradiction(recipe, names, firstFactors=first, requiredSecondaryFactors=secondary)
    if tenant.first_factors is not None and not tenant.first_factors and any(switches.values()):
        # Nothing was allowed at all: only what is switched on now will be.
        tenant = attrs.evolve(tenant, enabled=tenantrows.ALL_OFF, first_factors=None)
    off = {factor for recipe, names in RECIPE_FACTORS.items() if switches[recipe] is False for factor in names}
    enabled = {recipe: tenant.enabled[recipe] if on is None else on for recipe, on in switches.items()}
    switched = attrs.evolve(tenant, enabled=enabled)
    after_first = first if "firstFactors" in body else _without(tenant.first_factors, off)
    after_secondary = (
        secondary if "requiredSecondaryFactors" in body else _without(tenant.required_secondary_factors, off)
    )
    implied = _implied(after_first, after_secondary)
    if any(on and not enabled[recipe] for recipe, on in implied.items()) and after_first is None:
        # A recipe comes in for its second factors only; the first factors stay what the switches said.
        after_first = switched.switched_factors
    return attrs.evolve(
        switched,
        enabled={recipe: on or implied[recipe] for recipe, on in enabled.items()},
        first_factors=after_first,
        required_secondary_factors=after_secondary,
    )


def _filled_factors(body: Body, name: str, shown: str) -> list[str] | None:
    given = factors(body, name)
    if given is not None and not given:
        raise bad(f"{name} cannot be empty. Set null instead to remove all {shown} factors.")
    return given


def _refuse_contradiction(recipe: str, names: Sequence[str], **lists: list[str] | None) -> None:
    for name in names:
        for shown, given in lists.items():
            if given is not None and name in given:
                raise bad(
                    f"Invalid core config: {shown} should not contain '{name}' because {recipe} is disabled for the "
                    "tenant."
                )


def _without(given: Sequence[str] | None, off: set[str]) -> list[str] | None:
    return None if given is None else [factor for factor in given if factor not in off]


def _implied(*lists: Sequence[str] | None) -> Mapping[str, bool]:
    """Return which recipes have a factor in one of the lists."""
    named = {factor for given in lists for factor in given or ()}
    return {recipe: not named.isdisjoint(names) for recipe, names in RECIPE_FACTORS.items()}


def refuse_if_disabled(call: Call, recipe: str) -> None:
    """Refuse a login by a recipe that is switched off in the tenant; from CDI 5.1 on factors decide, in the SDK."""
    if call.version >= _SINCE_FACTORS:
        return
    with call.reading() as db:
        tenant = tenantrows.load(db, call.app, call.here.tenant_id)
    if tenant is not None and not tenant.shown_as_enabled(recipe):
        raise CallRefused(403, f"{_LOGIN_NAMES[recipe]} login not enabled for tenant")
