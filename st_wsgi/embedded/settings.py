"""The settings in force: what was set, over the defaults, in the units that the code works with."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ConfigError
from .knownsettings import ALIASES, SETTINGS, SettingRefused, setting_of, split_keys
from .versions import DEFAULT_HIGHEST

_OAUTH = (
    "oauth_provider_public_service_url",
    "oauth_provider_admin_service_url",
    "oauth_provider_consent_login_base_url",
)


class CoreSettings:
    """
    The settings in force for one tenant: what was set, over the defaults. They never change.

    Only what the embedded core reads has an attribute; :meth:`value` knows every name. Times are in milliseconds.

    :ivar access_token_jitter: the part of its lifetime by which an access token may be made shorter.
    """

    def __init__(self, given: Mapping[str, int | float | str | bool | None] | None = None) -> None:
        self.given: Mapping[str, int | float | str | bool | None] = given or {}
        interval = self.number("access_token_dynamic_signing_key_update_interval") * 3_600_000
        self.signing_key_interval: int = max(1, int(interval))
        self.access_token_validity: int = self.whole("access_token_validity") * 1000
        self.refresh_token_validity: int = int(self.number("refresh_token_validity") * 60_000)
        self.rotation_grace_period: int = self.whole("refresh_token_rotation_grace_period") * 1000
        self.access_token_jitter: float = self.number("access_token_validity_jitter")
        self.api_keys: tuple[bytes, ...] = tuple(key.encode() for key in split_keys(self.text("api_keys") or ""))
        self.max_cdi_version: str = self.text("supertokens_max_cdi_version") or DEFAULT_HIGHEST
        self.min_cdi_version: str | None = self.text("supertokens_min_cdi_version")
        self.ip_allow: str | None = self.text("ip_allow_regex")
        self.ip_deny: str | None = self.text("ip_deny_regex")
        if self.refresh_token_validity <= self.access_token_validity:
            raise SettingRefused(
                "'refresh_token_validity' must be strictly greater than 'access_token_validity'.",
                hint=" The first is in minutes, the second in seconds",
            )
        if self.text("supertokens_saas_secret") and not self.api_keys:
            raise SettingRefused("supertokens_saas_secret can only be used when api_key is also defined")
        if len({self.value(name) is None for name in _OAUTH}) > 1:
            raise SettingRefused(f"If any of the following is set, all of them has to be set: {', '.join(_OAUTH)}")

    def __repr__(self) -> str:
        shown = ("=".join((name, self._shown(name))) for name in sorted(self.given))
        return f"CoreSettings({', '.join(shown)})"

    def _shown(self, name: str) -> str:
        value = self.given[name]
        return "***" if SETTINGS[name].is_secret and value is not None else repr(value)

    @classmethod
    def of(cls, values: Mapping[str, object]) -> CoreSettings:
        """
        Return the settings that *values* give, by official names.

        :raises ConfigError: naming the setting; for an unknown one also the names that are like it.
        """
        try:
            return cls().over(values)
        except SettingRefused as error:
            raise ConfigError(f"core setting refused: {error}{error.hint}") from error

    def over_configs(self, *configs: Mapping[str, object]) -> CoreSettings:
        """
        Return these settings with ``coreConfig`` objects on top, later ones over earlier ones.

        A null hides a value of an earlier one. An old name counts more than the new one.

        :raises SettingRefused: when a value is not valid.
        """
        values = {name: value for config in configs for name, value in config.items()}
        ordered = sorted(values.items(), key=lambda item: item[0] in ALIASES)
        return self.over({name: value for name, value in ordered if value is not None})

    def over(self, values: Mapping[str, object]) -> CoreSettings:
        """Return these settings with *values* on top. :raises SettingRefused: when one is not valid."""
        given = dict(self.given)
        for name, value in values.items():
            setting = setting_of(name)
            given[setting.name] = setting.convert(value)
        return CoreSettings(given)

    def value(self, name: str) -> int | float | str | bool | None:
        """Return the value of a setting, in its own unit."""
        return self.given[name] if name in self.given else SETTINGS[name].default

    def whole(self, name: str) -> int:
        """Return the value of an ``int`` setting."""
        value = self.value(name)
        assert isinstance(value, int), name
        return value

    def number(self, name: str) -> float:
        """Return the value of a ``float`` setting."""
        value = self.value(name)
        assert isinstance(value, (int, float)), name
        return value

    def text(self, name: str) -> str | None:
        """Return the value of a ``text`` setting."""
        value = self.value(name)
        assert value is None or isinstance(value, str), name
        return value
