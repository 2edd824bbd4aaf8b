"""Core settings by their official names: what is taken, what is refused, and how."""

from __future__ import annotations

import pathlib

import pytest

from st_wsgi.embedded import EmbeddedCore
from st_wsgi.embedded.core import parse_address
from st_wsgi.embedded.knownsettings import SETTINGS
from st_wsgi.embedded.settings import CoreSettings
from st_wsgi.errors import ConfigError


def test_defaults() -> None:
    """Without settings the official defaults hold, but new hashes are Argon2."""
    settings = CoreSettings()
    assert settings.access_token_validity == 3_600_000
    assert settings.refresh_token_validity == 100 * 24 * 3_600_000
    assert settings.signing_key_interval == 168 * 3_600_000
    assert settings.text("password_hashing_alg") == "ARGON2"
    assert settings.api_keys == ()


def test_units_and_texts() -> None:
    """Texts are taken in the setting's own type and unit: seconds, minutes, hours."""
    settings = CoreSettings.of(
        {
            "access_token_validity": "2",
            "refresh_token_validity": "0.5",
            "access_token_signing_key_update_interval": "0.001",
            "disable_telemetry": "TRUE",
            "password_hashing_alg": "argon2",
        }
    )
    assert settings.access_token_validity == 2000
    assert settings.refresh_token_validity == 30_000
    assert settings.signing_key_interval == 3600
    assert settings.value("disable_telemetry") is True
    assert settings.value("access_token_dynamic_signing_key_update_interval") == 0.001


def test_unknown_names() -> None:
    """An unknown setting is named, with those that look like it."""
    with pytest.raises(ConfigError, match=r"Invalid config key: acces_token_validity\. Did you mean .*access_token_v"):
        CoreSettings.of({"acces_token_validity": 1})
    with pytest.raises(ConfigError, match=r"Invalid config key: xyzzy$"):
        CoreSettings.of({"xyzzy": 1})


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("access_token_validity", 0, "must be between 1 and 86400000"),
        ("access_token_validity", "x", "must be of type (int|long)"),
        ("access_token_validity", 1.5, "must be of type (int|long)"),
        ("access_token_validity", True, "must be of type (int|long)"),
        ("access_token_validity", None, "cannot be null"),
        ("refresh_token_validity", 0, "The first is in minutes, the second in seconds"),
        ("refresh_token_validity", "nan", "must be of type double"),
        ("refresh_token_validity", 60, "must be strictly greater than 'access_token_validity'"),
        ("totp_max_attempts", 0, "must be > 0"),
        ("password_hashing_alg", "MD5", "must be one of 'ARGON2' or 'BCRYPT'"),
        ("api_keys", "tooshort", "too short. Please use at least 20"),
        ("api_keys", "k" * 20 + "!", "characters other than"),
        ("disable_telemetry", "maybe", "must be of type boolean"),
        ("ip_allow_regex", "(", "regular expression is invalid"),
        ("supertokens_max_cdi_version", "x", "not a supported version"),
        ("argon2_memory_kb", 8, "must be >= 16"),
        ("supertokens_saas_secret", "s" * 20, "only be used when api_key is also"),
        ("oauth_provider_admin_service_url", "http://localhost", "all of them has to be set"),
        ("base_path", "/a b", "Invalid characters"),
        ("log_level", "x", 'one of "NONE",'),
    ],
)
def test_values_that_are_refused(name: str, value: object, problem: str) -> None:
    """A value that cannot work is refused at once, and the message names the setting."""
    with pytest.raises(ConfigError, match=problem) as caught:
        CoreSettings.of({name: value})
    assert name in str(caught.value)


def test_memory_for_the_lanes() -> None:
    """Argon2 needs eight KiB a lane; less is refused when the core is made."""
    with pytest.raises(ConfigError, match="argon2_memory_kb"):
        EmbeddedCore(settings={"argon2_memory_kb": 16, "argon2_parallelism": 4})


def test_keys_stay_out_of_texts() -> None:
    """API keys are neither in the representation of settings nor in the message about a bad one."""
    key = "secretsecretsecretsecret"
    assert key not in repr(CoreSettings.of({"api_keys": key}))
    with pytest.raises(ConfigError) as caught:
        CoreSettings.of({"api_keys": f"{key}?"})
    assert key not in str(caught.value)


def test_every_setting_has_a_valid_default() -> None:
    """The defaults pass the checks of their own settings."""
    for setting in SETTINGS.values():
        assert setting.convert(setting.default) == setting.default
        assert setting.description


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("sqlite:///auth.db", pathlib.Path("auth.db")),
        ("sqlite:////srv/auth.db", pathlib.Path("/srv/auth.db")),
        ("sqlite:///with%20space.db", pathlib.Path("with space.db")),
        ("sqlite://", None),
        ("sqlite:///", None),
        ("sqlite:///:memory:", None),
    ],
)
def test_addresses(address: str, path: pathlib.Path | None) -> None:
    """Three slashes start a relative path, four an absolute one; without a path it is in memory."""
    assert parse_address(address) == (path, {})


def test_settings_in_an_address() -> None:
    """The query of an address holds settings."""
    path, settings = parse_address("sqlite:///a.db?access_token_validity=2&api_keys=a,b")
    assert (path, settings) == (pathlib.Path("a.db"), {"access_token_validity": "2", "api_keys": "a,b"})


@pytest.mark.parametrize("address", ["sqlite://auth.db", "postgres://x", "auth.db", "sqlite:///a.db?x=1&x=2"])
def test_addresses_that_are_refused(address: str) -> None:
    """What cannot be meant is refused with the form that can."""
    with pytest.raises(ConfigError, match=r"sqlite:///auth\.db|twice"):
        parse_address(address)


def test_settings_over_the_address() -> None:
    """Settings given by name go over those of the address."""
    core = EmbeddedCore.open(
        "sqlite://?access_token_validity=2&argon2_memory_kb=64", settings={"access_token_validity": 9}
    )
    with core:
        assert core.services.tenancy.base.access_token_validity == 9000


def test_a_core_shows_its_settings_and_no_secret() -> None:
    """Its representation names the file and what is set, without the values of keys."""
    settings = {"argon2_memory_kb": 64, "api_keys": "k" * 20, "supertokens_saas_secret": "s" * 20}
    with EmbeddedCore.open("sqlite://?access_token_validity=2", settings=settings) as core:
        assert repr(core) == (
            "<EmbeddedCore the in-memory database, CoreSettings(access_token_validity=2, api_keys=***,"
            " argon2_memory_kb=64, supertokens_saas_secret=***)>"
        )
