"""
The core's settings by their official names (``config.yaml`` of the official core), and what values each takes.

A setting has a scope: ``base`` (for the whole process), ``app`` (may differ per app, the same for all its tenants),
``tenant``, or ``any`` (a tenant may set it, which changes nothing). Settings of the official core that steer things an
embedded core does not have (pools, log files, Hydra, ...) are accepted and kept, so that one configuration fits both.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import attrs

from ..grammar import numbers
from .versions import NEWEST

Scope = Literal["base", "app", "tenant", "any"]
Kind = Literal["int", "long", "double", "text", "bool"]


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

    :param kind: what a value is converted to; ``long`` is a whole number like ``int``, ``double`` may have a fraction.
    :param default: None when the setting may be unset.
    """

    name: str
    kind: Kind
    default: int | float | str | bool | None
    scope: Scope
    description: str

    @property
    def options(self) -> tuple[str, ...] | None:
        """The values that it takes, None when there are many."""
        return _OPTIONS.get(self.name)

    @property
    def is_secret(self) -> bool:
        """Whether its value is never shown."""
        return self.name in _SECRETS

    def convert(self, value: object) -> int | float | str | bool | None:
        """
        Return *value* in this setting's type. Text is taken too, since addresses and environments have only that.

        :raises SettingRefused: for a value that does not fit.
        """
        if value is None or (self.default is None and value == "null"):
            if self.default is not None:
                raise SettingRefused(f"'{self.name}' cannot be null")
            return None
        converted = self._typed(value)
        options = self.options
        if options is not None and converted not in options:
            listed = " or ".join(f"'{option}'" for option in options)
            raise SettingRefused(_OPTION_TEXTS.get(self.name, f"'{self.name}' must be one of {listed}"))
        check = _CHECKS.get(self.name)
        problem = check(converted) if check is not None else None
        if problem is not None:
            text = problem.format(self.name)
            raise SettingRefused(text, hint="" if self.name in text else f" ({self.name})")
        return converted

    def _typed(self, value: object) -> int | float | str | bool:
        if self.kind == "bool":
            word = _WORDS.get(value.lower(), value) if isinstance(value, str) else value
            if isinstance(word, bool):
                return word
        elif self.kind == "text":
            if isinstance(value, (str, int, float)):
                text = str(value).lower() if isinstance(value, bool) else str(value).strip()
                return text.upper() if self.options is not None else text
        elif not isinstance(value, bool) and (isinstance(value, (int, float)) or self._is_number(str(value))):
            number = float(str(value))
            fits = abs(number) < (2**31 if self.kind == "int" else 1e15)
            if fits and (self.kind == "double" or number == int(number)):
                return number if self.kind == "double" else int(number)
        raise SettingRefused(f"'{self.name}' must be of type {_TYPES.get(self.kind, self.kind)}")

    def _is_number(self, text: str) -> bool:
        return (_DECIMAL if self.kind == "double" else _WHOLE).fullmatch(text) is not None


Check = Callable[[Any], "str | None"]
"""Returns what is wrong with a value, with ``{}`` for the setting's name; None when nothing is."""


def _between(low: float, high: float, end: str = ", inclusive") -> Check:
    return lambda value: None if low <= value <= high else f"'{{}}' must be between {low} and {high}{end}"


def _at_least(low: float, text: str = "'{{}}' must be >= {}") -> Check:
    return lambda value: None if value >= low else text.format(low)


def _above_zero(text: str = "'{}' must be > 0") -> Check:
    return lambda value: None if value > 0 else text


def _not_blank(value: str) -> str | None:
    return None if value else "'{}' is empty: set a value, or leave the setting out"


def _api_keys(value: str) -> str | None:
    keys = split_keys(value)
    if not keys:
        return _not_blank("")
    for key in keys:
        if len(key) < 20:
            return "One of the API keys is too short. Please use at least 20 characters"
        if not _API_KEY.fullmatch(key):
            return "'{}' has a key with characters other than A-Z, a-z, 0-9, = and -"
    return None


def _regex(value: str) -> str | None:
    try:
        re.compile(value)
    except re.error:
        return "Provided regular expression is invalid for {} config"
    return None


def _base_path(value: str) -> str | None:
    return None if re.fullmatch(r"[A-Za-z0-9/._~-]*", value) else "Invalid characters in {} config"


def _cdi_version(value: str) -> str | None:
    try:
        known = numbers(value) <= NEWEST
    except ValueError:
        known = False
    return None if known else "{} is not a supported version"


def split_keys(api_keys: str) -> tuple[str, ...]:
    """Return the keys of an ``api_keys`` setting: a list with commas."""
    return tuple(filter(None, (key.strip() for key in api_keys.split(","))))


_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_WORDS = {"true": True, "false": False}
_TYPES = {"bool": "boolean", "text": "string"}
_API_KEY = re.compile(r"[A-Za-z0-9=-]+")
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "password_hashing_alg": ("ARGON2", "BCRYPT"),
    "recent_token_reuse_behaviour": ("TOKEN_THEFT", "UNAUTHORISED"),
    "log_level": ("NONE", "DEBUG", "INFO", "WARN", "ERROR"),
}
_OPTION_TEXTS = {"log_level": '\'log_level\' config must be one of "NONE","DEBUG", "INFO", "WARN" or "ERROR".'}
_SECRETS = (
    *("api_keys", "supertokens_saas_secret"),
    *("firebase_password_hashing_signer_key", "oauth_client_secret_encryption_key"),
)


def _same(check: Check, *names: str) -> Mapping[str, Check]:
    return dict.fromkeys(names, check)


_CHECKS: Mapping[str, Check] = {
    "base_path": _base_path,
    "access_token_validity": _between(1, 86400000, " seconds inclusive."),
    "access_token_dynamic_signing_key_update_interval": _above_zero("'{}' must be greater than, equal to 1 hour."),
    "refresh_token_rotation_grace_period": _between(0, 300),
    "access_token_validity_jitter": _between(0, 0.25),
    "bcrypt_log_rounds": _between(4, 31),
    "argon2_memory_kb": _at_least(16),
    "webauthn_recover_account_token_lifetime": _above_zero("Provided {} must be > 0"),
    **_same(_above_zero("'{}' must be >= 0"), "password_reset_token_lifetime", "email_verification_token_lifetime"),
    **_same(_above_zero(), "passwordless_max_code_input_attempts", "passwordless_code_lifetime"),
    **_same(_above_zero(), "totp_max_attempts", "totp_rate_limit_cooldown_sec"),
    **_same(_at_least(1), "argon2_iterations", "argon2_parallelism", "argon2_hashing_pool_size"),
    "max_server_pool_size": _at_least(1, "'{{}}' must be >= {}."),
    "firebase_password_hashing_pool_size": _at_least(1),
    **_same(_at_least(1), "saml_claims_validity", "saml_relay_state_validity"),
    **_same(_at_least(1, "Provided {{}} must be >= {}"), "bulk_migration_parallelism", "bulk_migration_batch_size"),
    **_same(_at_least(0), "hashing_queue_size", "hashing_queue_timeout_ms"),
    **_same(_at_least(0), "bulk_migration_sleep_between_rounds_in_batch_ms"),
    **_same(_not_blank, "firebase_password_hashing_signer_key", "oauth_client_secret_encryption_key"),
    **_same(_api_keys, "api_keys", "supertokens_saas_secret"),
    **_same(_regex, "ip_allow_regex", "ip_deny_regex"),
    **_same(_cdi_version, "supertokens_max_cdi_version", "supertokens_min_cdi_version"),
}

# Name, kind, default (- for unset), scope, and what it is; without that the embedded core does not use it.
# The official core shortens access tokens by up to 0.05 since 12.1, whatever CDI is spoken. Here, as in its 11.4,
# lifetimes are exact by default. hashing_queue_size and hashing_queue_timeout_ms are the embedded core's own.
_TABLE = """
core_config_version | int | 0 | base |
port | int | 3567 | base |
host | text | localhost | base |
max_server_pool_size | int | 10 | base | The number of threads for requests.
base_path | text | | base | A prefix of every path.
api_keys | text | - | app | API keys, separated by commas. Without any, every call is served.
access_token_validity | long | 3600 | app | The lifetime of an access token, in seconds.
refresh_token_validity | double | 144000 | app | The lifetime of a refresh token, in minutes.
access_token_dynamic_signing_key_update_interval | double | 168 | app | Hours after which a new signing key is made.
access_token_signing_key_dynamic | bool | true | app |
access_token_blacklisting | bool | false | app |
refresh_token_rotation_grace_period | int | 30 | app | Seconds in which the previous refresh token is taken (CDI 5.6).
access_token_validity_jitter | double | 0 | app | The part of its lifetime by which an access token may be made shorter.
recent_token_reuse_behaviour | text | TOKEN_THEFT | base | What a recent reuse counts as (CDI 5.6).
password_reset_token_lifetime | long | 3600000 | tenant | The lifetime of a password reset token, in milliseconds.
email_verification_token_lifetime | long | 86400000 | tenant | The lifetime of such a token, in milliseconds.
passwordless_max_code_input_attempts | int | 5 | tenant | How often a user may try to type a code.
passwordless_code_lifetime | long | 900000 | tenant | The lifetime of a passwordless code, in milliseconds.
totp_max_attempts | int | 5 | tenant | How many wrong TOTP codes lead to a pause.
totp_rate_limit_cooldown_sec | int | 900 | tenant | The pause after too many wrong TOTP codes, in seconds.
webauthn_recover_account_token_lifetime | long | 3600000 | app | The lifetime of such a token, in milliseconds.
password_hashing_alg | text | ARGON2 | app | How new passwords are hashed.
bcrypt_log_rounds | int | 11 | base | The cost of bcrypt.
argon2_iterations | int | 1 | base | The passes of Argon2.
argon2_memory_kb | int | 87795 | base | The memory of Argon2, in KiB.
argon2_parallelism | int | 2 | base | The lanes of Argon2.
argon2_hashing_pool_size | int | 1 | base | How many Argon2 hashes run at a time.
firebase_password_hashing_signer_key | text | - | app | The signer key of imported Firebase hashes, base64.
firebase_password_hashing_pool_size | int | 1 | base |
hashing_queue_size | int | - | base | Calls that may wait for a hash; unset: a quarter of the threads stays free.
hashing_queue_timeout_ms | int | 5000 | base | How long a call waits for a hash at most, in milliseconds.
disable_telemetry | bool | false | any | Telemetry. The embedded core has none either way.
log_level | text | INFO | base |
info_log_path | text | - | base |
error_log_path | text | - | base |
ip_allow_regex | text | - | tenant | Only client addresses like this are served.
ip_deny_regex | text | - | tenant | Client addresses like this are not served.
supertokens_max_cdi_version | text | - | app | The highest CDI version to speak, 5.4 if unset.
supertokens_min_cdi_version | text | - | app | The lowest CDI version to speak.
supertokens_saas_secret | text | - | base | A key for every app.
supertokens_saas_load_only_cud | text | - | base |
oauth_provider_public_service_url | text | - | app |
oauth_provider_admin_service_url | text | - | app |
oauth_provider_consent_login_base_url | text | - | app |
oauth_provider_url_configured_in_oauth_provider | text | - | app |
oauth_client_secret_encryption_key | text | - | base |
bulk_migration_parallelism | int | 1 | app |
bulk_migration_batch_size | int | 8000 | app |
bulk_migration_sleep_between_rounds_in_batch_ms | int | 1000 | app |
saml_sp_entity_id | text | - | tenant |
saml_legacy_acs_url | text | - | app |
saml_claims_validity | long | 300000 | tenant |
saml_relay_state_validity | long | 300000 | tenant |
otel_collector_connection_uri | text | - | base |
deadlock_logger_enable | bool | false | base |
"""


def _settings() -> Iterator[Setting]:
    for line in _TABLE.strip().splitlines():
        name, kind, default, scope, description = (cell.strip() for cell in line.split("|"))
        row = Setting(name, kind, None, scope, description or "Accepted and kept, not used.")  # type: ignore[arg-type]
        yield row if default == "-" else attrs.evolve(row, default=row.convert(default))


SETTINGS: Mapping[str, Setting] = {setting.name: setting for setting in _settings()}
"""Every setting by its official name, in the order of the official documentation."""

ALIASES: Mapping[str, str] = {
    "access_token_signing_key_update_interval": "access_token_dynamic_signing_key_update_interval"
}


def setting_of(name: str) -> Setting:
    """Return the setting of a name. :raises SettingRefused: when there is none, with a hint at similar ones."""
    setting = SETTINGS.get(ALIASES.get(name, name))
    if setting is None:
        near = difflib.get_close_matches(name, (*SETTINGS, *ALIASES), n=3)
        hint = f". Did you mean {' or '.join(near)}?" if near else ""
        raise SettingRefused(f"Invalid config key: {name}", hint=hint)
    return setting
