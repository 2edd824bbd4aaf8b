"""The domains that the users of a tenant may use, as a claim of their session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...checks import a_list
from ...request import current
from ...users import RecipeUserId
from ..session import PrimitiveArrayClaim
from .functions import MultitenancyFunctions


def _domains(
    _user_id: str, _recipe_user_id: RecipeUserId, tenant_id: str, _payload: Mapping[str, Any]
) -> list[str] | None:
    domains_of = current.services().functions(MultitenancyFunctions).recipe.get_allowed_domains_for_tenant_id
    domains = None if domains_of is None else domains_of(tenant_id)
    if domains is None:
        return None
    a_list("domains", kind=str).argument("the outcome of get_allowed_domains_for_tenant_id", domains)
    return list(domains)


AllowedDomainsClaim: PrimitiveArrayClaim = PrimitiveArrayClaim("st-t-dmns", fetch_value=_domains)
"""The domains that the tenant of the session may use (``st-t-dmns``)."""
