"""The settings of the passwordless recipe, and what follows from them: factors, rules, messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import attrs

from ...checks import Check, a_function, one_of
from ...delivery import Channel, Message
from ...errors import ConfigError
from ...phone import require_phonenumbers
from ...recipe_kit.forms import Validate
from ...recipe_kit.links import link
from ...recipe_kit.mail import SmsSettings
from ...request.context import RequestContext
from ...services import Services
from ..multitenancy.types import LINK_EMAIL, LINK_PHONE, OTP_EMAIL, OTP_PHONE
from .types import (
    ContactConfig,
    ContactEmailOnlyConfig,
    ContactEmailOrPhoneConfig,
    ContactPhoneOnlyConfig,
    CreatedCode,
    FlowType,
    GetCustomUserInputCode,
)

_CODES: dict[Channel, str] = {"email": OTP_EMAIL, "sms": OTP_PHONE}
_LINKS: dict[Channel, str] = {"email": LINK_EMAIL, "sms": LINK_PHONE}
_WAYS = {"USER_INPUT_CODE": [_CODES], "MAGIC_LINK": [_LINKS], "USER_INPUT_CODE_AND_MAGIC_LINK": [_CODES, _LINKS]}
_CHANNELS: dict[str, tuple[Channel, ...]] = {
    "EMAIL": ("email",),
    "PHONE": ("sms",),
    "EMAIL_OR_PHONE": ("email", "sms"),
}


@attrs.define(kw_only=True, eq=False, slots=False)
class PasswordlessSettings(SmsSettings):
    """The settings of the recipe, for its functions and APIs."""

    contact_config: ContactConfig = attrs.field(
        validator=Check(
            "ContactEmailOnlyConfig(...), ContactPhoneOnlyConfig(...) or ContactEmailOrPhoneConfig(...)",
            lambda value: isinstance(
                value, ContactEmailOnlyConfig | ContactPhoneOnlyConfig | ContactEmailOrPhoneConfig
            ),
        )
    )
    flow_type: FlowType = attrs.field(validator=one_of(*_WAYS))
    get_custom_user_input_code: GetCustomUserInputCode | None = attrs.field(
        default=None, validator=a_function("tenant and context")
    )

    def bind(self, services: Services) -> None:
        super().bind(services)
        if "sms" in self.channels() and services.transport.in_process:
            require_phonenumbers("passwordless by phone with an embedded core")

    def channels(self) -> Collection[Channel]:
        return _CHANNELS[self.contact_config.contact_method]

    def rule(self, channel: Channel) -> Validate | None:
        """Return the rule for the addresses or numbers of a channel; None if no messages go there."""
        config = self.contact_config
        if channel == "email":
            return None if isinstance(config, ContactPhoneOnlyConfig) else config.validate_email_address
        return None if isinstance(config, ContactEmailOnlyConfig) else config.validate_phone_number

    def factors(self, *channels: Channel) -> list[str]:
        """Return the factors with which users sign in over these channels."""
        return [way[channel] for way in _WAYS[self.flow_type] for channel in channels if channel in self.channels()]

    def custom_code(self, tenant_id: str, context: RequestContext) -> str | None:
        """
        Return a code of the app's own, or None to have the core choose.

        :raises ConfigError: the setting returned no text, or an empty one.
        """
        if self.get_custom_user_input_code is None:
            return None
        code = self.get_custom_user_input_code(tenant_id, context)
        if not isinstance(code, str) or not code:
            raise ConfigError("get_custom_user_input_code must return a text, and no empty one")
        return code

    def magic_link(self, code: CreatedCode, *, tenant_id: str) -> str:
        """
        Return the address of the website's page that signs in (FDI, section 5).

        The secret is behind ``#``: browsers do not send it to the website's server. With ``Pages`` it is in the query:
        they work without scripts, so the server has to get it.
        """
        secret = {"link_code" if self.services.has("pages") else "fragment": code.link_code}
        session_id = code.pre_auth_session_id
        return link(self.services, "/verify", pre_auth_session_id=session_id, tenant_id=tenant_id, **secret)

    def login_message(self, code: CreatedCode, *, flow_type: FlowType, to: str, tenant_id: str) -> Message:
        """Return the message with the code, the link or both."""
        return Message(
            kind="PASSWORDLESS_LOGIN",
            to=to,
            tenant_id=tenant_id,
            link=None if flow_type == "USER_INPUT_CODE" else self.magic_link(code, tenant_id=tenant_id),
            code=None if flow_type == "MAGIC_LINK" else code.user_input_code,
            lifetime_ms=code.code_life_time,
        )


def flow_type_of(factors: Iterable[str]) -> FlowType:
    """Return what a message has when these factors are allowed."""
    are_links = {factor in _LINKS.values() for factor in factors}
    if are_links == {True}:
        return "MAGIC_LINK"
    return "USER_INPUT_CODE" if are_links == {False} else "USER_INPUT_CODE_AND_MAGIC_LINK"
