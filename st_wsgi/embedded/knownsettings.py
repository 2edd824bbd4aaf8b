"""
The core's settings by their official names (``config.yaml`` of the official core), and what values each takes.

A setting has one of three scopes: ``base`` (for the whole process), ``app`` (may differ per app, the same for all its
tenants) and ``tenant``. Settings of the official core that steer things an embedded core does not have (pools, log
files, Hydra, ...) are accepted and kept, so that one configuration fits both.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs

from .versions import NEWEST, VERSIONS, numbers

Scope = Literal["base", "app", "tenant"]
Kind = Literal["int", "float", "text", "bool"]

_WORDS = {"true": True, "false": False}
_API_KEY = re.compile(r"[A-Za-z0-9=-]+")


class SettingRefused(ValueError):
    """
    A value that the core does not take. ``str()`` is the text after ``Invalid core config:``.

    :param hint: what else to tell a person.
    """

    def __init__(self, text: str, *, hint: str = "") -> None:
        self.hint = hint
        super().__init__(text)


@attrs.frozen
class Setting:
    """
    What the core knows of one of its settings.

    :param kind: what a value is converted to; ``float`` is a number that may have a fraction.
    :param nullable: whether null (unset) is a value.
    :param check: returns what is wrong with a value that is not null, or None.
    """

    name: str
    kind: Kind
    default: int | float | str | bool | None
    scope: Scope
    description: str
    nullable: bool = False
    options: tuple[str, ...] | None = None
    check: Callable[[Any], str | None] | None = None

    def convert(self, value: object) -> int | float | str | bool | None:
        """Return *value* in this setting's type. Text is taken too, since addresses and environments have only that."""
        if value is None or (self.nullable and value == "null"):
            if not self.nullable and self.default is not None:
                raise SettingRefused(f"'{self.name}' cannot be null")
            return None
        converted = self._typed(value)
        if self.options is not None and converted not in self.options:
            raise SettingRefused(f"'{self.name}' property is not set correctly. It must be one of {list(self.options)}")
        problem = self.check(converted) if self.check is not None else None
        if problem is not None:
            raise SettingRefused(f"'{self.name}' {problem}")
        return converted

    def _typed(self, value: object) -> int | float | str | bool:
        if self.kind == "bool":
            word = _WORDS.get(value.lower(), value) if isinstance(value, str) else value
            if isinstance(word, bool):
                return word
            raise SettingRefused(f"'{self.name}' must be of type boolean")
        if self.kind == "text":
            if isinstance(value, str):
                text = value.strip()
                return text.upper() if self.options is not None else text
            raise SettingRefused(f"'{self.name}' must be of type string")
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            try:
                number = float(value)
            except ValueError:
                number = float("nan")
            if self.kind == "float" and abs(number) < 1e15:
                return number
            if abs(number) < 1e15 and number == int(number):
                return int(number)
        raise SettingRefused(f"'{self.name}' must be of type {'int' if self.kind == 'int' else 'double'}")


def _between(low: float, high: float) -> Callable[[float], str | None]:
    return lambda value: None if low <= value <= high else f"must be between {low} and {high}, inclusive"


def _at_least(low: float) -> Callable[[float], str | None]:
    return lambda value: None if value >= low else f"must be >= {low}"


def _above_zero(value: float) -> str | None:
    return None if value > 0 else "must be > 0"


def _not_blank(value: str) -> str | None:
    return None if value else "is empty: set a value, or leave the setting out"


def _api_keys(value: str) -> str | None:
    keys = split_keys(value)
    if not keys:
        return _not_blank("")
    for key in keys:
        if len(key) < 20:
            return "has a key that is too short: the minimum is 20 characters"
        if not _API_KEY.fullmatch(key):
            return "has a key with characters other than A-Z, a-z, 0-9, = and -"
    return None


def _regex(value: str) -> str | None:
    try:
        re.compile(value)
    except re.error:
        return "is not a regular expression"
    return None


def _cdi_version(value: str) -> str | None:
    try:
        asked = numbers(value)
    except ValueError:
        return "is not a version such as 5.4"
    return None if asked <= NEWEST else f"is above {VERSIONS[-1]}, the highest version that this core knows"


def split_keys(api_keys: str) -> tuple[str, ...]:
    """Return the keys of an ``api_keys`` setting: a list with commas."""
    return tuple(filter(None, (key.strip() for key in api_keys.split(","))))


_HASHES = ("ARGON2", "BCRYPT")
_UNUSED = "Accepted for the sake of the official core, not used by the embedded one."
_REUSE = ("TOKEN_THEFT", "UNAUTHORISED")

_TABLE = (
    Setting("core_config_version", "int", 0, "base", "The format of the configuration."),
    Setting("port", "int", 3567, "base", "The port to listen on."),
    Setting("host", "text", "localhost", "base", "The address to listen on."),
    Setting("max_server_pool_size", "int", 10, "base", "The number of threads for requests.", check=_at_least(1)),
    Setting("base_path", "text", "", "base", "A prefix of every path."),
    Setting(
        "api_keys",
        "text",
        None,
        "app",
        "API keys, separated by commas. Without any, every call is served.",
        nullable=True,
        check=_api_keys,
    ),
    Setting(
        "access_token_validity",
        "int",
        3600,
        "app",
        "The lifetime of an access token, in seconds.",
        check=_between(1, 86400000),
    ),
    Setting(
        "refresh_token_validity",
        "float",
        144000,
        "app",
        "The lifetime of a refresh token, in minutes.",
        check=_above_zero,
    ),
    Setting(
        "access_token_dynamic_signing_key_update_interval",
        "float",
        168,
        "app",
        "The time after which a new dynamic signing key is made, in hours.",
        check=_above_zero,
    ),
    Setting(
        "access_token_signing_key_dynamic", "bool", True, "app", "Whether signing keys change (CDI 2.18 and older)."
    ),
    Setting("access_token_blacklisting", "bool", False, "app", "Whether to check the database (CDI 2.18 and older)."),
    Setting(
        "refresh_token_rotation_grace_period",
        "int",
        30,
        "app",
        "Seconds in which the previous refresh token is still taken (CDI 5.6).",
        check=_between(0, 300),
    ),
    # The official core shortens by up to 0.05 since 12.1, whatever CDI is spoken. Here, as in its 11.4, lifetimes are
    # exact unless somebody asks.
    Setting(
        "access_token_validity_jitter",
        "float",
        0,
        "app",
        "The part of its lifetime by which a new access token may be made shorter, at random.",
        check=_between(0, 0.25),
    ),
    Setting(
        "recent_token_reuse_behaviour",
        "text",
        "TOKEN_THEFT",
        "base",
        "What a recent reuse counts as (CDI 5.6).",
        options=_REUSE,
    ),
    Setting(
        "password_reset_token_lifetime",
        "int",
        3600000,
        "tenant",
        "The lifetime of a password reset token, in milliseconds.",
        check=_above_zero,
    ),
    Setting(
        "email_verification_token_lifetime",
        "int",
        86400000,
        "tenant",
        "The lifetime of an email verification token, in milliseconds.",
        check=_above_zero,
    ),
    Setting(
        "passwordless_max_code_input_attempts",
        "int",
        5,
        "tenant",
        "How often a user may try to type a code.",
        check=_above_zero,
    ),
    Setting(
        "passwordless_code_lifetime",
        "int",
        900000,
        "tenant",
        "The lifetime of a passwordless code, in milliseconds.",
        check=_above_zero,
    ),
    Setting("totp_max_attempts", "int", 5, "tenant", "How many wrong TOTP codes lead to a pause.", check=_at_least(1)),
    Setting(
        "totp_rate_limit_cooldown_sec",
        "int",
        900,
        "tenant",
        "The pause after too many wrong TOTP codes, in seconds.",
        check=_at_least(1),
    ),
    Setting(
        "webauthn_recover_account_token_lifetime",
        "int",
        3600000,
        "app",
        "The lifetime of a token for account recovery, in milliseconds.",
        check=_above_zero,
    ),
    Setting(
        "password_hashing_alg",
        "text",
        "ARGON2",
        "app",
        "How new passwords are hashed: ARGON2 or BCRYPT.",
        options=_HASHES,
    ),
    Setting("bcrypt_log_rounds", "int", 11, "base", "The cost of bcrypt.", check=_between(4, 31)),
    Setting("argon2_iterations", "int", 1, "base", "The passes of Argon2.", check=_at_least(1)),
    Setting("argon2_memory_kb", "int", 87795, "base", "The memory of Argon2, in KiB.", check=_at_least(16)),
    Setting("argon2_parallelism", "int", 2, "base", "The lanes of Argon2.", check=_at_least(1)),
    Setting("argon2_hashing_pool_size", "int", 1, "base", "How many Argon2 hashes run at a time.", check=_at_least(1)),
    Setting(
        "firebase_password_hashing_signer_key",
        "text",
        None,
        "app",
        "The signer key of imported Firebase hashes, base64.",
        nullable=True,
        check=_not_blank,
    ),
    Setting(
        "firebase_password_hashing_pool_size",
        "int",
        1,
        "base",
        "How many Firebase hashes run at a time.",
        check=_at_least(1),
    ),
    # These two are the embedded core's own.
    Setting(
        "hashing_queue_size",
        "int",
        None,
        "base",
        "How many calls may wait for a password hash. Each keeps a thread. The next one is answered with 503. Not set: "
        "as many as leave a quarter of the server's threads to other calls.",
        nullable=True,
        check=_at_least(0),
    ),
    Setting(
        "hashing_queue_timeout_ms",
        "int",
        5000,
        "base",
        "How long a call waits for a password hash at most, in milliseconds. After that it is answered with 503.",
        check=_at_least(0),
    ),
    Setting("disable_telemetry", "bool", False, "app", "Telemetry. The embedded core has none either way."),
    Setting("log_level", "text", "INFO", "base", "The least level that is logged."),
    Setting("info_log_path", "text", None, "base", "Where information is logged.", nullable=True),
    Setting("error_log_path", "text", None, "base", "Where errors are logged.", nullable=True),
    Setting(
        "ip_allow_regex",
        "text",
        None,
        "tenant",
        "Only client addresses like this are served.",
        nullable=True,
        check=_regex,
    ),
    Setting(
        "ip_deny_regex",
        "text",
        None,
        "tenant",
        "Client addresses like this are not served.",
        nullable=True,
        check=_regex,
    ),
    Setting(
        "supertokens_max_cdi_version",
        "text",
        None,
        "app",
        "The highest CDI version to speak. Not set is 5.4; 5.6 brings its rules for refresh tokens.",
        nullable=True,
        check=_cdi_version,
    ),
    Setting(
        "supertokens_min_cdi_version",
        "text",
        None,
        "app",
        "The lowest CDI version to speak.",
        nullable=True,
        check=_cdi_version,
    ),
    Setting("supertokens_saas_secret", "text", None, "base", "A key for every app.", nullable=True, check=_api_keys),
    Setting("supertokens_saas_load_only_cud", "text", None, "base", _UNUSED, nullable=True),
    Setting("oauth_provider_public_service_url", "text", None, "app", _UNUSED, nullable=True),
    Setting("oauth_provider_admin_service_url", "text", None, "app", _UNUSED, nullable=True),
    Setting("oauth_provider_consent_login_base_url", "text", None, "app", _UNUSED, nullable=True),
    Setting("oauth_provider_url_configured_in_oauth_provider", "text", None, "app", _UNUSED, nullable=True),
    Setting("oauth_client_secret_encryption_key", "text", None, "base", _UNUSED, nullable=True, check=_not_blank),
    Setting("bulk_migration_parallelism", "int", 1, "app", _UNUSED, check=_at_least(1)),
    Setting("bulk_migration_batch_size", "int", 8000, "app", _UNUSED, check=_at_least(1)),
    Setting("bulk_migration_sleep_between_rounds_in_batch_ms", "int", 1000, "app", _UNUSED, check=_at_least(0)),
    Setting("saml_sp_entity_id", "text", "https://saml.supertokens.com", "tenant", _UNUSED, nullable=True),
    Setting("saml_legacy_acs_url", "text", None, "app", _UNUSED, nullable=True),
    Setting("saml_claims_validity", "int", 300000, "tenant", _UNUSED, check=_at_least(1)),
    Setting("saml_relay_state_validity", "int", 300000, "tenant", _UNUSED, check=_at_least(1)),
    Setting("otel_collector_connection_uri", "text", None, "base", _UNUSED, nullable=True),
    Setting("deadlock_logger_enable", "bool", False, "base", _UNUSED),
)

SETTINGS: Mapping[str, Setting] = {setting.name: setting for setting in _TABLE}
"""Every setting by its official name, in the order of the official documentation."""

ALIASES: Mapping[str, str] = {
    "access_token_signing_key_update_interval": "access_token_dynamic_signing_key_update_interval"
}


def unknown(name: str) -> SettingRefused:
    """Return the refusal of a setting that there is not, with a hint at those that look like it."""
    near = difflib.get_close_matches(name, (*SETTINGS, *ALIASES), n=3)
    return SettingRefused(f"Invalid config key: {name}", hint=f". Did you mean {' or '.join(near)}?" if near else "")
