"""
Apps and tenants (CDI 1.7, semantics 3.13; ``multitenancy/Multitenancy.java`` of the official core).

Creating one costs a row or two: signing keys are made when something is signed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from . import providers, tenantrows, tenants_v1
from .call import Call, Endpoint
from .fields import CallRefused, bad, trimmed
from .knownsettings import SETTINGS, SettingRefused, setting_of
from .settings import CoreSettings
from .tenancy import NEVER_TENANTS
from .tenantrows import TenantRow

_ID = re.compile(r"[a-z0-9-]+")
_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-9]+)?")
_FACTOR = re.compile(r"[0-9a-zA-Z_(.)-]+")
_BASE_APP = "Only the public tenantId and public appId"
_BASE_PLACE = "Only the public tenantId, public appId"
_NOT_V2 = {
    "emailPasswordEnabled": "emailPasswordEnabled",
    "thirdPartyEnabled": "thirdParty",
    "passwordlessEnabled": "passwordless",
}


def _id(value: str, name: str) -> str:
    """Return an id of an app or tenant in its one spelling."""
    value = trimmed(value).lower()
    if not value:
        raise bad(f"{name} should not be an empty String")
    if name == "tenantId" and value in NEVER_TENANTS:
        raise bad(f"Cannot use '{value}' as a tenantId")
    if value.startswith("appid-"):
        raise bad(f"{name} must not start with 'appid-'")
    if not _ID.fullmatch(value):
        raise bad(f"{name} can only contain letters, numbers and hyphens")
    return value


def _optional_id(call: Call, name: str) -> str:
    value = call.body.text_or_none(name)
    return "public" if value is None else _id(value, name)


def _put(call: Call, app_id: str, tenant_id: str, *, v2: bool) -> dict[str, Any]:
    """Create or update the public tenant of an app, and with it the app, or a tenant."""
    here = call.here
    change = call.body.object_or_none("coreConfig")
    app = tenantrows.app_number(call.db, app_id)
    before = None if app is None else tenantrows.load(call.db, app, tenant_id)
    tenant = before or (tenantrows.new_v2(tenant_id) if v2 else tenantrows.new_v1(tenant_id))
    if change is not None:
        tenant = attrs.evolve(tenant, core_config=_changed(tenant.core_config, change))
    tenant = _factors_v2(call, tenant) if v2 else tenants_v1.update(call.body, tenant)
    _check_names(tenant)
    _check_permission((here.app_id, here.tenant_id), (app_id, tenant_id))
    _check_core_config(call, app, app_id, tenant)
    if app is None:
        app = tenantrows.create_app(call.db, app_id, call.now)
    providers.refuse_unsound(call.db, app, tenant_id)
    tenantrows.save(call.db, app, tenant, call.now)
    return {"status": "OK", "createdNew": before is None}


def _factors_v2(call: Call, tenant: TenantRow) -> TenantRow:
    """Return the tenant with the factors that the body names: absent keeps them, null resets them."""
    for name, shown in _NOT_V2.items():
        if name in call.body:
            raise bad(f"{shown} is not a valid input for this API")
    first = tenants_v1.factors(call.body, "firstFactors")
    secondary = tenants_v1.factors(call.body, "requiredSecondaryFactors")
    if "firstFactors" not in call.body and "requiredSecondaryFactors" not in call.body:
        return tenant
    before = tenant.first_factors
    if before is None and not all(tenant.enabled.values()):
        # The older switches become what they mean before they are all on.
        before = tenant.switched_factors
    return attrs.evolve(
        tenant,
        enabled=tenantrows.ALL_ON,
        first_factors=first if "firstFactors" in call.body else before,
        required_secondary_factors=(
            secondary if "requiredSecondaryFactors" in call.body else tenant.required_secondary_factors
        ),
    )


def _check_names(tenant: TenantRow) -> None:
    secondary = tenant.required_secondary_factors
    for name, factors in (("firstFactors", tenant.first_factors), ("requiredSecondaryFactors", secondary)):
        if not all(_FACTOR.fullmatch(factor) for factor in factors or ()):
            raise bad(f"{name} should contain only 0-9,a-z,A-Z,_,.,- characters")


def _check_permission(source: tuple[str, str], target: tuple[str, str]) -> None:
    """Refuse what the place that a call comes from may not change; both are app id and tenant id."""
    if target[1] != "public":
        if source[1] not in ("public", target[1]):
            raise CallRefused(403, "You must use the public or same tenant to add/update a tenant")
    elif target[0] != "public" and (source[1] != "public" or source[0] not in ("public", target[0])):
        raise CallRefused(403, "You must use the public or same app to add/update an app")


def _check_core_config(call: Call, app: int | None, app_id: str, tenant: TenantRow) -> None:
    """Refuse settings that do not exist, do not belong here, contradict the app's, or are not valid together."""
    if not tenant.core_config:
        return
    if app_id == "public" and tenant.tenant_id == "public":
        raise bad("Cannot modify base config")
    tenancy = call.services.tenancy
    tenants = [] if app is None else tenantrows.load_all(call.db, app)
    is_public = tenant.tenant_id == "public"
    of_app = tenant.core_config if is_public else next(iter(tenants)).core_config
    others = [one for one in tenants if is_public and one.tenant_id != "public"]
    try:
        settings = {name: setting_of(name) for name in tenant.core_config}
        for name, setting in settings.items():
            if setting.options is not None and tenant.core_config[name] is None:
                raise SettingRefused(f"'{name}' cannot be null")
        above = tenancy.base.over_configs(of_app)
        merged = tenancy.base.over_configs(of_app, tenant.core_config)
        for name, setting in settings.items():
            if setting.scope == "base":
                raise SettingRefused(f"{name} can only be set via the core's base config setting")
        for one in (tenant, *others):
            own = tenancy.base.over_configs(of_app, one.core_config)
            for setting in map(setting_of, one.core_config):
                if setting.scope == "app" and own.value(setting.name) != above.value(setting.name):
                    raise SettingRefused(f"You cannot set different values for {setting.name} for the same appId")
        algorithm = merged.text("password_hashing_alg")
        problem = call.services.passwords.problem_with(algorithm)
        if problem is not None:
            raise SettingRefused(f"'password_hashing_alg' is {algorithm}, but {problem}")
    except SettingRefused as error:
        raise bad(f"Invalid core config: {error}") from error


def _changed(config: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ``coreConfig`` with a change. A null removes a setting that is there; otherwise it is kept as null."""
    merged = {name: value for name, value in config.items() if name not in change}
    return merged | {name: value for name, value in change.items() if value is not None or name not in config}


def put_tenant(call: Call, *, v2: bool) -> dict[str, Any]:
    """``PUT /recipe/multitenancy/tenant``."""
    return _put(call, call.app_id, _optional_id(call, "tenantId"), v2=v2)


def put_app(call: Call, *, v2: bool) -> dict[str, Any]:
    """``PUT /recipe/multitenancy/app``."""
    return _put(call, _optional_id(call, "appId"), "public", v2=v2)


def put_domain(call: Call, *, v2: bool) -> dict[str, Any]:
    """
    ``PUT /recipe/multitenancy/connectionuridomain``.

    A connection URI domain needs a database of its own, which one SQLite file cannot give: only the base one is.
    """
    domain = call.body.text_or_none("connectionUriDomain")
    if domain is None:
        return _put(call, "public", "public", v2=v2)
    domain = _checked_domain(domain)
    call.body.object_or_none("coreConfig")
    _base_only(call, "You must use the default or same connectionUriDomain to create/update a connectionUriDomain")
    raise bad(f"Invalid core config: ConnectionUriDomain:  cannot be mapped to the same user pool as {domain}")


def _checked_domain(domain: str) -> str:
    domain = trimmed(domain).lower()
    if not domain:
        raise bad("connectionUriDomain should not be an empty String")
    if not _DOMAIN.fullmatch(domain):
        raise bad("connectionUriDomain is invalid")
    return domain


def get_tenant(call: Call, *, v2: bool) -> dict[str, Any]:
    """``GET /recipe/multitenancy/tenant``."""
    tenant = None
    if call.tenant is not None:
        tenant = tenantrows.load(call.db, call.app, call.here.tenant_id)
    return {"status": "TENANT_NOT_FOUND_ERROR"} if tenant is None else {"status": "OK", **tenant.json(v2=v2)}


def list_tenants(call: Call, *, v2: bool) -> dict[str, Any]:
    """``GET /recipe/multitenancy/tenant/list``."""
    if call.here.tenant_id != "public":
        raise CallRefused(403, "Only the public tenantId is allowed to list all tenants associated with this app")
    found = tenantrows.load_all(call.db, call.app)
    return {"status": "OK", "tenants": [tenant.json(v2=v2) for tenant in found]}


def _apps(call: Call, *, v2: bool) -> list[dict[str, Any]]:
    return [
        {"appId": app_id, "tenants": [tenant.json(v2=v2) for tenant in tenants]}
        for app_id, tenants in tenantrows.load_apps(call.db).items()
    ]


def _base_only(call: Call, refusal: str) -> None:
    if (call.here.app_id, call.here.tenant_id) != ("public", "public"):
        raise CallRefused(403, refusal)


def list_apps(call: Call, *, v2: bool) -> dict[str, Any]:
    """``GET /recipe/multitenancy/app/list``."""
    _base_only(call, f"{_BASE_APP} is allowed to list all apps associated with this connection uri domain")
    return {"status": "OK", "apps": _apps(call, v2=v2)}


def list_domains(call: Call, *, v2: bool) -> dict[str, Any]:
    """``GET /recipe/multitenancy/connectionuridomain/list``."""
    what = "all connectionUriDomains and appIds associated with this core"
    _base_only(call, f"{_BASE_PLACE} and default connectionUriDomain is allowed to list {what}")
    return {"status": "OK", "connectionUriDomains": [{"connectionUriDomain": "", "apps": _apps(call, v2=v2)}]}


def remove_domain(call: Call) -> dict[str, Any]:
    """``POST /recipe/multitenancy/connectionuridomain/remove``: there is none but the base one."""
    _checked_domain(call.body.text("connectionUriDomain"))
    _base_only(call, f"{_BASE_PLACE} and default connectionUriDomain is allowed to delete a connectionUriDomain")
    return {"status": "OK", "didExist": False}


def remove_tenant(call: Call) -> dict[str, Any]:
    """``POST /recipe/multitenancy/tenant/remove``."""
    tenant_id = _id(call.body.text("tenantId"), "tenantId")
    if tenant_id == "public":
        raise CallRefused(403, "Cannot delete public tenant, use remove app API instead")
    if call.here.tenant_id != "public":
        raise CallRefused(403, "Only the public tenantId is allowed to delete a tenant")
    existed = tenantrows.load(call.db, call.app, tenant_id) is not None
    tenantrows.remove_tenant(call.db, call.app, tenant_id)
    return {"status": "OK", "didExist": existed}


def remove_app(call: Call) -> dict[str, Any]:
    """``POST /recipe/multitenancy/app/remove``."""
    app_id = _id(call.body.text("appId"), "appId")
    if app_id == "public":
        raise CallRefused(403, "Cannot delete the public app, use remove connection uri domain API instead")
    _base_only(call, f"{_BASE_APP} is allowed to delete an app")
    app = tenantrows.app_number(call.db, app_id)
    if app is not None:
        if len(tenantrows.load_all(call.db, app)) > 1:
            raise CallRefused(
                403, "Please delete all tenants except the public tenant for this app before calling the delete API"
            )
        tenantrows.remove_app(call.db, app)
        call.services.stats.forget(app_id)
    return {"status": "OK", "didExist": app is not None}


_HIDDEN = (
    *("access_token_blacklisting", "access_token_signing_key_dynamic", "access_token_validity_jitter", "api_keys"),
    *("bulk_migration_sleep_between_rounds_in_batch_ms", "refresh_token_rotation_grace_period"),
    *("oauth_provider_admin_service_url", "oauth_provider_consent_login_base_url", "oauth_provider_public_service_url"),
    *("oauth_provider_url_configured_in_oauth_provider", "saml_legacy_acs_url"),
    *("supertokens_max_cdi_version", "supertokens_min_cdi_version"),
)
"""Settings that no dashboard may change."""


def core_config(call: Call) -> dict[str, Any]:
    """``GET /recipe/dashboard/tenant/core-config``: the settings that a tenant may have of its own."""
    settings = call.settings
    defaults = CoreSettings()
    fields = [
        {
            "key": setting.name,
            "valueType": _VALUE_TYPES.get(setting.kind, "number") if setting.options is None else "enum",
            "value": settings.value(setting.name),
            "description": setting.description,
            "isDifferentAcrossTenants": setting.scope == "tenant",
            "possibleValues": None if setting.options is None else list(setting.options),
            "isNullable": setting.default is None,
            "defaultValue": defaults.value(setting.name),
            "isPluginProperty": False,
            "isPluginPropertyEditable": False,
        }
        for setting in SETTINGS.values()
        if setting.scope != "base" and setting.name not in _HIDDEN
    ]
    return {"status": "OK", "config": fields}


_VALUE_TYPES: Mapping[str, str] = {"text": "string", "bool": "boolean"}

_BASE = "/recipe/multitenancy"

_BOTH_FORMS = (
    ("PUT", "/tenant", put_tenant),
    ("GET", "/tenant", get_tenant),
    ("GET", "/tenant/list", list_tenants),
    ("PUT", "/app", put_app),
    ("GET", "/app/list", list_apps),
    ("PUT", "/connectionuridomain", put_domain),
    ("GET", "/connectionuridomain/list", list_domains),
)
"""Served by their path in the older form, which is deprecated, and with ``/v2`` behind it in the newer one."""

ENDPOINTS = (
    *(
        Endpoint(method, f"{_BASE}{path}{'/v2' if v2 else ''}", "tenant", partial(handler, v2=v2))
        for method, path, handler in _BOTH_FORMS
        for v2 in (True, False)
    ),
    Endpoint("POST", f"{_BASE}/tenant/remove", "tenant", remove_tenant),
    Endpoint("POST", f"{_BASE}/app/remove", "tenant", remove_app),
    Endpoint("POST", f"{_BASE}/connectionuridomain/remove", "tenant", remove_domain),
    Endpoint("GET", "/recipe/dashboard/tenant/core-config", "tenant", core_config),
)
