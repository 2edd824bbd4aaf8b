"""The settings of the webauthn recipe: who asks for passkeys, and from which page."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ...checks import Check, a_function, a_list
from ...errors import ConfigError
from ...recipe_kit.forms import Validate, email_rule
from ...request import current
from ...request.context import RequestContext
from ...services import Services
from ...urls import host_of, normalise_origin
from ..recovering import RecoverySettings
from .types import GetForTenant

_TEXT = Check(
    "a text, or a function of tenant and context",
    lambda value: (
        value is None or (isinstance(value, str) and value != "") or (callable(value) and not isinstance(value, type))
    ),
)
_ANDROID = "android:apk-key-hash:"


def _origins(value: str | Iterable[str] | GetForTenant | None) -> tuple[str, ...] | GetForTenant | None:
    """Return origins in their normal form. That of an Android app is the hash of its key."""
    if value is None or callable(value):
        return value
    values = [value] if isinstance(value, str) else value
    a_list("origins", kind=str, least=1).argument("get_origin", values)
    return tuple(one if one.startswith(_ANDROID) else normalise_origin(one, setting="get_origin") for one in values)


@attrs.define(kw_only=True, eq=False, slots=False)
class WebauthnSettings(RecoverySettings):
    """The settings of the recipe, for its functions and APIs."""

    page = "/webauthn/recover"
    mail_kind = "RECOVER_ACCOUNT"

    get_relying_party_id: str | GetForTenant | None = attrs.field(default=None, validator=_TEXT)
    get_relying_party_name: str | GetForTenant | None = attrs.field(default=None, validator=_TEXT)
    get_origin: str | Iterable[str] | GetForTenant | None = attrs.field(default=None, converter=_origins)
    validate_email_address: Validate = attrs.field(
        default=email_rule, validator=a_function("address and tenant", or_none=False)
    )

    def bind(self, services: Services) -> None:
        super().bind(services)
        if not callable(self.get_relying_party_id) and not callable(self.get_origin):
            party = self.get_relying_party_id or host_of(services.app_info.api_domain)
            for origin in self._listed_origins() or services.app_info.possible_origins:
                host = "" if origin.startswith(_ANDROID) else host_of(origin)
                if host and host != party and not host.endswith(f".{party}"):
                    raise ConfigError(
                        f"browsers make no passkeys for {party} on {origin}: set get_relying_party_id of Webauthn to "
                        "the host of the website or a domain above it"
                    )

    def relying_party_id(self, tenant_id: str, context: RequestContext) -> str:
        """Return the domain that passkeys belong to: by default, the host of the API."""
        default = host_of(self.services.app_info.api_domain)
        return self._value("get_relying_party_id", default, tenant_id, context)

    def relying_party_name(self, tenant_id: str, context: RequestContext) -> str:
        """Return the name that browsers show with a passkey: by default, that of the app."""
        return self._value("get_relying_party_name", self.services.app_info.app_name, tenant_id, context)

    def origin(self, tenant_id: str, context: RequestContext) -> str:
        """
        Return the origin of the page that asks for a passkey: by default, that of the website.

        Of several, it is the one that the request says it comes from, else the first.

        :raises BadInput: the ``origin`` function of the app returned an origin that is not allowed.
        """
        listed = self._listed_origins()
        if listed:
            origin = context.header("origin")
            return origin if origin in listed else listed[0]
        if self.get_origin is None:
            return current.website_origin(self.services.app_info)
        return self._value("get_origin", "", tenant_id, context)

    def _listed_origins(self) -> tuple[str, ...]:
        return self.get_origin if isinstance(self.get_origin, tuple) else ()

    def _value(self, name: str, default: str, tenant_id: str, context: RequestContext) -> str:
        setting = getattr(self, name)
        value = setting(tenant_id, context) if callable(setting) else setting or default
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{name} must return a text, and no empty one")
        return value
