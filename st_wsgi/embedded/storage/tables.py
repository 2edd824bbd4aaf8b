"""
The tables, for both engines. For each version of the schema, a script upgrades a database from the version before. A
released script is never edited. The scripts are SQL of SQLite; each engine adapts the statements.

``app`` is the number of an app (never reused, so that nothing cached for a removed app can serve a new one of the same
name). Times are milliseconds since 1970. A login method is one row of ``login_methods`` whatever its recipe, with its
identity (``email``, ``phone_number``, ``third_party_*``) repeated in ``method_tenants`` for each tenant it belongs to.
The unique indexes of that table make it unique in a tenant, and pages of users are read from its other indexes.

The comment after a table (for its primary key) or an index has statistics for SQLite's planner: how many rows there are
in a large core of one app, how many of them share the first column, the first two columns, and so on.
"""

from __future__ import annotations

import re

import attrs

DOMAIN = "substr(email, instr(email, '@') + 1)"
"""The column of an index of domains: the part of an email after its first ``@``."""

SEVERAL_ATS = "email LIKE '%@%@%'"
"""The condition of an index of the emails that have another ``@``, as in ``"a@b"@example.com``."""

EXTERNAL = "(SELECT m.external_user_id FROM user_id_mappings AS m WHERE m.app = o.app AND m.user_id = o.user_id)"
"""The external id of a login method ``o``, null without one."""

VERIFIED = f"""(SELECT count(*) FROM verified_emails AS v
    WHERE v.app = o.app AND v.user_id = COALESCE({EXTERNAL}, o.user_id) AND v.email = o.email)"""
"""Whether the email of a login method ``o`` was verified under the id that apps use."""

COPIES = f"UPDATE login_methods AS o SET external_user_id = {EXTERNAL}, verified = {VERIFIED}"
"""Copies both to the login methods: looking them up for each method would slow down pages of users."""

_SCHEMA = f"""
-- Version 1
CREATE TABLE apps (
    app INTEGER PRIMARY KEY AUTOINCREMENT, app_id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,
    key_version INTEGER NOT NULL DEFAULT 0); -- 1k 1
CREATE TABLE tenants (
    app INTEGER, tenant_id TEXT, core_config TEXT NOT NULL DEFAULT '{{}}', first_factors TEXT,
    required_secondary_factors TEXT, email_password_enabled INTEGER NOT NULL DEFAULT 1,
    third_party_enabled INTEGER NOT NULL DEFAULT 1, passwordless_enabled INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL, PRIMARY KEY (app, tenant_id)); -- 1k 10 1
CREATE TABLE tenant_providers (
    app INTEGER, tenant_id TEXT, third_party_id TEXT, config TEXT NOT NULL,
    PRIMARY KEY (app, tenant_id, third_party_id)); -- 1k 100 5 1
CREATE TABLE key_values (app INTEGER, name TEXT, value TEXT NOT NULL, PRIMARY KEY (app, name)); -- 1k 1 1
CREATE TABLE signing_keys (
    app INTEGER, key_id TEXT, dynamic INTEGER NOT NULL, private_key TEXT NOT NULL, created_at INTEGER NOT NULL,
    PRIMARY KEY (app, key_id)); -- 1k 3 1
CREATE TABLE sessions (
    app INTEGER, handle TEXT, tenant_id TEXT NOT NULL, user_id TEXT NOT NULL, refresh_token_hash_2 TEXT NOT NULL,
    prev_refresh_token_hash_2 TEXT, rotated_at INTEGER, session_data TEXT NOT NULL, jwt_payload TEXT NOT NULL,
    use_static_key INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (app, handle)); -- 1M 1M 1
CREATE INDEX sessions_of_user ON sessions (app, user_id); -- 1M 1M 5
CREATE INDEX sessions_by_expiry ON sessions (expires_at); -- 1M 1
CREATE TABLE login_methods (
    app INTEGER, user_id TEXT, recipe_id TEXT NOT NULL, primary_user_id TEXT NOT NULL,
    linked INTEGER NOT NULL DEFAULT 0, time_joined INTEGER NOT NULL, email TEXT, phone_number TEXT, third_party_id TEXT,
    third_party_user_id TEXT, password_hash TEXT, external_user_id TEXT, verified INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (app, user_id)); -- 1M 1M 1
CREATE INDEX methods_of_group ON login_methods (app, primary_user_id); -- 1M 1M 1
-- All that is shown of the linked methods of a user stands together here, although their ids are far apart.
CREATE INDEX linked_methods ON login_methods (
    app, primary_user_id, user_id, recipe_id, time_joined, linked, email, phone_number, third_party_id,
    third_party_user_id, external_user_id, verified)
    WHERE user_id <> primary_user_id; -- 100k 100k 1 1 1 1 1 1 1 1 1 1 1
CREATE TABLE method_tenants (
    app INTEGER, tenant_id TEXT, user_id TEXT, recipe_id TEXT NOT NULL, primary_user_id TEXT NOT NULL,
    group_time_joined INTEGER NOT NULL, email TEXT, phone_number TEXT, third_party_id TEXT, third_party_user_id TEXT,
    PRIMARY KEY (app, tenant_id, user_id)); -- 1M 1M 1M 1
CREATE INDEX tenants_of_method ON method_tenants (app, user_id); -- 1M 1M 1
CREATE INDEX tenants_of_group ON method_tenants (app, primary_user_id); -- 1M 1M 1
CREATE INDEX page_newest_first
    ON method_tenants (app, tenant_id, group_time_joined DESC, primary_user_id DESC, recipe_id); -- 1M 1M 1M 2 1 1
CREATE INDEX page_oldest_first
    ON method_tenants (app, tenant_id, group_time_joined ASC, primary_user_id DESC, recipe_id); -- 1M 1M 1M 2 1 1
CREATE INDEX method_by_email ON method_tenants (app, tenant_id, email) WHERE email IS NOT NULL; -- 1M 1M 1M 1
CREATE UNIQUE INDEX one_method_per_email ON method_tenants (app, tenant_id, recipe_id, email)
    WHERE email IS NOT NULL AND recipe_id <> 'thirdparty'; -- 1M 1M 1M 1M 1
CREATE UNIQUE INDEX one_method_per_phone ON method_tenants (app, tenant_id, phone_number)
    WHERE phone_number IS NOT NULL; -- 1M 1M 1M 1
CREATE UNIQUE INDEX one_method_per_identity ON method_tenants (app, tenant_id, third_party_id, third_party_user_id)
    WHERE third_party_id IS NOT NULL; -- 1M 1M 1M 1k 1
CREATE TABLE user_id_mappings (
    app INTEGER, user_id TEXT, external_user_id TEXT NOT NULL, info TEXT, PRIMARY KEY (app, user_id)); -- 1M 1M 1
CREATE UNIQUE INDEX mapping_by_external_id ON user_id_mappings (app, external_user_id); -- 1M 1M 1
CREATE TABLE verified_emails (app INTEGER, user_id TEXT, email TEXT, PRIMARY KEY (app, user_id, email)); -- 1M 1M 1 1
CREATE TABLE email_verification_tokens (
    app INTEGER, tenant_id TEXT, user_id TEXT NOT NULL, email TEXT NOT NULL, token_hash TEXT,
    expires_at INTEGER NOT NULL, PRIMARY KEY (app, tenant_id, token_hash)); -- 100k 100k 100k 1
CREATE INDEX verification_tokens_of_user
    ON email_verification_tokens (app, user_id, tenant_id, email); -- 100k 100k 2 2 2
CREATE INDEX verification_tokens_by_expiry ON email_verification_tokens (expires_at); -- 100k 1
CREATE TABLE password_reset_tokens (
    app INTEGER, token_hash TEXT, user_id TEXT NOT NULL, email TEXT, expires_at INTEGER NOT NULL,
    PRIMARY KEY (app, token_hash)); -- 100k 100k 1
CREATE INDEX reset_tokens_of_user ON password_reset_tokens (app, user_id); -- 100k 100k 2
CREATE INDEX reset_tokens_by_expiry ON password_reset_tokens (expires_at); -- 100k 1
CREATE TABLE user_metadata (app INTEGER, user_id TEXT, metadata TEXT NOT NULL, PRIMARY KEY (app, user_id)); -- 1M 1M 1
CREATE TABLE roles (app INTEGER, role TEXT, PRIMARY KEY (app, role)); -- 1k 100 1
CREATE TABLE role_permissions (
    app INTEGER, role TEXT, permission TEXT, PRIMARY KEY (app, role, permission)); -- 1k 100 10 1
CREATE INDEX roles_of_permission ON role_permissions (app, permission); -- 1k 100 5
CREATE TABLE user_roles (
    app INTEGER, tenant_id TEXT, user_id TEXT, role TEXT, PRIMARY KEY (app, tenant_id, user_id, role)); -- 1M 1M 1M 2 1
CREATE INDEX users_of_role ON user_roles (app, role, tenant_id); -- 1M 1M 100k 100k
CREATE INDEX roles_of_user ON user_roles (app, user_id); -- 1M 1M 2
CREATE TABLE last_active (
    app INTEGER, user_id TEXT, last_active INTEGER NOT NULL, PRIMARY KEY (app, user_id)); -- 1M 1M 1
CREATE INDEX users_by_activity ON last_active (app, last_active); -- 1M 1M 1
CREATE INDEX linked_method_tenants ON method_tenants (app, tenant_id, primary_user_id, recipe_id)
    WHERE user_id <> primary_user_id; -- 100k 100k 100k 1 1
-- An id whose own login method is gone, while other methods of its group carry on under it.
CREATE TABLE retired_ids (app INTEGER, user_id TEXT, PRIMARY KEY (app, user_id)); -- 1k 1k 1
CREATE INDEX methods_by_email ON login_methods (app, email) WHERE email IS NOT NULL; -- 1M 1M 2
CREATE INDEX methods_by_phone ON login_methods (app, phone_number) WHERE phone_number IS NOT NULL; -- 1M 1M 2
CREATE INDEX methods_by_third_party ON login_methods (app, third_party_id, third_party_user_id)
    WHERE third_party_id IS NOT NULL; -- 1M 1M 100k 2
CREATE TABLE passwordless_devices (
    app INTEGER, tenant_id TEXT, device_id_hash TEXT, email TEXT, phone_number TEXT, link_code_salt TEXT NOT NULL,
    failed_attempts INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (app, tenant_id, device_id_hash)); -- 100k 100k 100k 1
CREATE INDEX devices_by_email ON passwordless_devices (app, tenant_id, email)
    WHERE email IS NOT NULL; -- 100k 100k 100k 2
CREATE INDEX devices_by_phone ON passwordless_devices (app, tenant_id, phone_number)
    WHERE phone_number IS NOT NULL; -- 100k 100k 100k 2
CREATE INDEX devices_by_expiry ON passwordless_devices (expires_at); -- 100k 1
CREATE TABLE passwordless_codes (
    app INTEGER, tenant_id TEXT, code_id TEXT, device_id_hash TEXT NOT NULL, link_code_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (app, tenant_id, code_id)); -- 100k 100k 100k 1
CREATE UNIQUE INDEX code_by_link ON passwordless_codes (app, tenant_id, link_code_hash); -- 100k 100k 100k 1
CREATE INDEX codes_of_device ON passwordless_codes (app, tenant_id, device_id_hash); -- 100k 100k 100k 2
CREATE INDEX codes_by_expiry ON passwordless_codes (expires_at); -- 100k 1
CREATE TABLE totp_devices (
    app INTEGER, user_id TEXT, device_name TEXT, secret TEXT NOT NULL, period INTEGER NOT NULL, skew INTEGER NOT NULL,
    verified INTEGER NOT NULL, PRIMARY KEY (app, user_id, device_name)); -- 1M 1M 2 1
-- Codes that were tried; a right one has the time until which it would be right again.
CREATE TABLE totp_codes (
    app INTEGER, user_id TEXT, tenant_id TEXT, created_at INTEGER, code TEXT NOT NULL, good_until INTEGER,
    expires_at INTEGER NOT NULL, PRIMARY KEY (app, user_id, tenant_id, created_at)); -- 100k 100k 5 5 1
CREATE INDEX totp_codes_by_expiry ON totp_codes (expires_at); -- 100k 1

CREATE TABLE bulk_import_users (
    app INTEGER, id TEXT, content TEXT NOT NULL, status TEXT NOT NULL, error_message TEXT, created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, PRIMARY KEY (app, id)); -- 100k 100k 1
CREATE INDEX imports_by_status ON bulk_import_users (status, created_at, id); -- 100k 1k 100 1
CREATE INDEX page_newest_first_of_imports ON bulk_import_users (app, created_at DESC, id DESC); -- 100k 100k 100 1
CREATE INDEX imports_of_status_newest_first
    ON bulk_import_users (app, status, created_at DESC, id DESC); -- 100k 100k 1k 100 1
CREATE TABLE attempts (
    app INTEGER, name TEXT, number INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (app, name)); -- 100k 100k 1
CREATE INDEX attempts_by_expiry ON attempts (expires_at); -- 100k 1
CREATE TABLE webauthn_options (
    app INTEGER, options_id TEXT, tenant_id TEXT NOT NULL, challenge TEXT NOT NULL, origin TEXT NOT NULL,
    rp_id TEXT NOT NULL, rp_name TEXT NOT NULL, email TEXT, user_presence INTEGER NOT NULL,
    user_verification TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (app, options_id)); -- 100k 100k 1
CREATE INDEX webauthn_options_by_expiry ON webauthn_options (expires_at); -- 100k 1
CREATE TABLE webauthn_credentials (
    app INTEGER, user_id TEXT, created_at INTEGER, credential_id TEXT, rp_id TEXT NOT NULL, public_key BLOB NOT NULL,
    counter INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    PRIMARY KEY (app, user_id, created_at, credential_id)); -- 1M 1M 2 1 1
CREATE UNIQUE INDEX credential_by_id ON webauthn_credentials (app, credential_id, rp_id); -- 1M 1M 1 1
CREATE TABLE webauthn_recovery_tokens (
    app INTEGER, tenant_id TEXT, token_hash TEXT, user_id TEXT NOT NULL, email TEXT NOT NULL,
    expires_at INTEGER NOT NULL, PRIMARY KEY (app, tenant_id, token_hash)); -- 100k 100k 100k 1
CREATE INDEX recovery_tokens_by_email ON webauthn_recovery_tokens (app, tenant_id, email); -- 100k 100k 100k 2
CREATE INDEX recovery_tokens_of_user ON webauthn_recovery_tokens (app, user_id); -- 100k 100k 2
CREATE INDEX recovery_tokens_by_expiry ON webauthn_recovery_tokens (expires_at); -- 100k 1
CREATE TABLE dashboard_users (
    app INTEGER, user_id TEXT, email TEXT NOT NULL, password_hash TEXT NOT NULL, time_joined INTEGER NOT NULL,
    PRIMARY KEY (app, user_id)); -- 1k 100 1
CREATE UNIQUE INDEX dashboard_user_by_email ON dashboard_users (app, email); -- 1k 100 1
CREATE TABLE dashboard_sessions (
    app INTEGER, session_id TEXT, user_id TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (app, session_id)); -- 1k 100 1
CREATE INDEX dashboard_sessions_of_user ON dashboard_sessions (app, user_id); -- 1k 100 5
CREATE INDEX dashboard_sessions_by_expiry ON dashboard_sessions (expires_at); -- 1k 1
CREATE INDEX accounts_by_email ON method_tenants (app, tenant_id, email)
    WHERE recipe_id = 'thirdparty'; -- 1M 1M 1M 1
CREATE INDEX method_by_domain ON method_tenants (app, tenant_id, recipe_id, {DOMAIN})
    WHERE email IS NOT NULL; -- 1M 1M 1M 1M 100
CREATE INDEX method_by_odd_email ON method_tenants (app, tenant_id, recipe_id) WHERE {SEVERAL_ATS}; -- 10 10 10 10
INSERT INTO apps (app_id, created_at) VALUES ('public', 0);
INSERT INTO tenants (app, tenant_id, created_at) VALUES (1, 'public', 0);
"""

_STATEMENT = re.compile(r"^ *(\w[^;]*);(?: -- (.*))?$", re.MULTILINE)
_TABLE = re.compile(r"CREATE TABLE (\w+) \(([^;]*) PRIMARY KEY \((.*)\)\)")

VERSIONS: tuple[tuple[tuple[str, str], ...], ...] = tuple(
    tuple(_STATEMENT.findall(script)) for script in re.split(r"^-- Version .*$", _SCHEMA, flags=re.MULTILINE)[1:]
)
"""The statements by version, each with its statistics. The first entry creates version 1 in an empty database."""


@attrs.frozen
class Table:
    """A table with rows of apps."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


TABLES = tuple(
    Table(name, tuple(re.findall(r"(\w+) (?:INTEGER|TEXT|BLOB)", columns)), tuple(key.split(", ")))
    for name, columns, key in _TABLE.findall(_SCHEMA)
)
"""Every table with rows of an app."""


def tables_with(column: str) -> tuple[Table, ...]:
    """Return the tables that have a column."""
    return tuple(table for table in TABLES if column in table.columns)
