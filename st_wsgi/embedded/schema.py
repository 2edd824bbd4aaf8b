"""
The tables. ``MIGRATIONS[n]`` takes a database from ``user_version`` n to n + 1; a released row is never edited.

``app`` is the number of an app (never reused, so that nothing cached for a removed app can serve a new one of the same
name). Times are milliseconds since 1970. A login method is one row of ``login_methods`` whatever its recipe, with its
identity (``email``, ``phone_number``, ``third_party_*``) repeated in ``method_tenants`` for each tenant it belongs to:
there the uniqueness per tenant lives, and there pages of users are read from an index.

SQLite's planner knows nothing of the data unless it is told, and takes ``app = ?`` for a good condition, although
nearly all rows are of one app. So the schema brings the statistics (``sqlite_stat1``) of a large core of one app along.
"""

from __future__ import annotations

from collections.abc import Mapping

APPLICATION_ID = 0x53745753

_V1 = (
    """CREATE TABLE apps (
        app INTEGER PRIMARY KEY AUTOINCREMENT, app_id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL)""",
    """CREATE TABLE tenants (
        app INTEGER NOT NULL, tenant_id TEXT NOT NULL, core_config TEXT NOT NULL DEFAULT '{}', first_factors TEXT,
        required_secondary_factors TEXT, email_password_enabled INTEGER NOT NULL DEFAULT 1,
        third_party_enabled INTEGER NOT NULL DEFAULT 1, passwordless_enabled INTEGER NOT NULL DEFAULT 1,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (app, tenant_id)) WITHOUT ROWID""",
    """CREATE TABLE tenant_providers (
        app INTEGER NOT NULL, tenant_id TEXT NOT NULL, third_party_id TEXT NOT NULL, config TEXT NOT NULL,
        PRIMARY KEY (app, tenant_id, third_party_id)) WITHOUT ROWID""",
    """CREATE TABLE key_values (
        app INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (app, name)) WITHOUT ROWID""",
    """CREATE TABLE signing_keys (
        app INTEGER NOT NULL, key_id TEXT NOT NULL, dynamic INTEGER NOT NULL, private_key TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (app, key_id)) WITHOUT ROWID""",
    """CREATE TABLE sessions (
        app INTEGER NOT NULL, handle TEXT NOT NULL, tenant_id TEXT NOT NULL, user_id TEXT NOT NULL,
        refresh_token_hash_2 TEXT NOT NULL, prev_refresh_token_hash_2 TEXT, rotated_at INTEGER,
        session_data TEXT NOT NULL, jwt_payload TEXT NOT NULL, use_static_key INTEGER NOT NULL,
        created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        PRIMARY KEY (app, handle)) WITHOUT ROWID""",
    "CREATE INDEX sessions_of_user ON sessions (app, user_id)",
    "CREATE INDEX sessions_by_expiry ON sessions (expires_at)",
    """CREATE TABLE login_methods (
        app INTEGER NOT NULL, user_id TEXT NOT NULL, recipe_id TEXT NOT NULL, primary_user_id TEXT NOT NULL,
        linked INTEGER NOT NULL DEFAULT 0, time_joined INTEGER NOT NULL, email TEXT, phone_number TEXT,
        third_party_id TEXT, third_party_user_id TEXT, password_hash TEXT,
        PRIMARY KEY (app, user_id)) WITHOUT ROWID""",
    "CREATE INDEX methods_of_group ON login_methods (app, primary_user_id)",
    """CREATE TABLE method_tenants (
        app INTEGER NOT NULL, tenant_id TEXT NOT NULL, user_id TEXT NOT NULL, recipe_id TEXT NOT NULL,
        primary_user_id TEXT NOT NULL, group_time_joined INTEGER NOT NULL, email TEXT, phone_number TEXT,
        third_party_id TEXT, third_party_user_id TEXT,
        PRIMARY KEY (app, tenant_id, user_id)) WITHOUT ROWID""",
    "CREATE INDEX tenants_of_method ON method_tenants (app, user_id)",
    "CREATE INDEX tenants_of_group ON method_tenants (app, primary_user_id)",
    """CREATE INDEX page_newest_first ON method_tenants
        (app, tenant_id, group_time_joined DESC, primary_user_id DESC, recipe_id)""",
    """CREATE INDEX page_oldest_first ON method_tenants
        (app, tenant_id, group_time_joined ASC, primary_user_id DESC, recipe_id)""",
    "CREATE INDEX method_by_email ON method_tenants (app, tenant_id, email) WHERE email IS NOT NULL",
    """CREATE UNIQUE INDEX one_method_per_email ON method_tenants (app, tenant_id, recipe_id, email)
        WHERE email IS NOT NULL AND recipe_id <> 'thirdparty'""",
    """CREATE UNIQUE INDEX one_method_per_phone ON method_tenants (app, tenant_id, phone_number)
        WHERE phone_number IS NOT NULL""",
    """CREATE UNIQUE INDEX one_method_per_identity
        ON method_tenants (app, tenant_id, third_party_id, third_party_user_id) WHERE third_party_id IS NOT NULL""",
    """CREATE TABLE user_id_mappings (
        app INTEGER NOT NULL, user_id TEXT NOT NULL, external_user_id TEXT NOT NULL, info TEXT,
        PRIMARY KEY (app, user_id)) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX mapping_by_external_id ON user_id_mappings (app, external_user_id)",
    """CREATE TABLE verified_emails (
        app INTEGER NOT NULL, user_id TEXT NOT NULL, email TEXT NOT NULL,
        PRIMARY KEY (app, user_id, email)) WITHOUT ROWID""",
    """CREATE TABLE email_verification_tokens (
        app INTEGER NOT NULL, tenant_id TEXT NOT NULL, user_id TEXT NOT NULL, email TEXT NOT NULL,
        token_hash TEXT NOT NULL, expires_at INTEGER NOT NULL,
        PRIMARY KEY (app, tenant_id, token_hash)) WITHOUT ROWID""",
    "CREATE INDEX verification_tokens_of_user ON email_verification_tokens (app, user_id, tenant_id, email)",
    "CREATE INDEX verification_tokens_by_expiry ON email_verification_tokens (expires_at)",
    """CREATE TABLE password_reset_tokens (
        app INTEGER NOT NULL, token_hash TEXT NOT NULL, user_id TEXT NOT NULL, email TEXT,
        expires_at INTEGER NOT NULL,
        PRIMARY KEY (app, token_hash)) WITHOUT ROWID""",
    "CREATE INDEX reset_tokens_of_user ON password_reset_tokens (app, user_id)",
    "CREATE INDEX reset_tokens_by_expiry ON password_reset_tokens (expires_at)",
    """CREATE TABLE user_metadata (
        app INTEGER NOT NULL, user_id TEXT NOT NULL, metadata TEXT NOT NULL,
        PRIMARY KEY (app, user_id)) WITHOUT ROWID""",
    "CREATE TABLE roles (app INTEGER NOT NULL, role TEXT NOT NULL, PRIMARY KEY (app, role)) WITHOUT ROWID",
    """CREATE TABLE role_permissions (
        app INTEGER NOT NULL, role TEXT NOT NULL, permission TEXT NOT NULL,
        PRIMARY KEY (app, role, permission)) WITHOUT ROWID""",
    "CREATE INDEX roles_of_permission ON role_permissions (app, permission)",
    """CREATE TABLE user_roles (
        app INTEGER NOT NULL, tenant_id TEXT NOT NULL, user_id TEXT NOT NULL, role TEXT NOT NULL,
        PRIMARY KEY (app, tenant_id, user_id, role)) WITHOUT ROWID""",
    "CREATE INDEX users_of_role ON user_roles (app, role, tenant_id)",
    "CREATE INDEX roles_of_user ON user_roles (app, user_id)",
    """CREATE TABLE last_active (
        app INTEGER NOT NULL, user_id TEXT NOT NULL, last_active INTEGER NOT NULL,
        PRIMARY KEY (app, user_id)) WITHOUT ROWID""",
    "CREATE INDEX users_by_activity ON last_active (app, last_active)",
    "CREATE INDEX linked_methods ON login_methods (app, primary_user_id, recipe_id) WHERE user_id <> primary_user_id",
    """CREATE INDEX linked_method_tenants ON method_tenants (app, tenant_id, primary_user_id, recipe_id)
        WHERE user_id <> primary_user_id""",
    "INSERT INTO apps (app_id, created_at) VALUES ('public', 0)",
    "INSERT INTO tenants (app, tenant_id, created_at) VALUES (1, 'public', 0)",
)

_MANY, _SOME = 1_000_000, 100_000

# By table and index (a table's own name is its primary key): how many rows there are, and how many are alike in the
# first column, in the first two, and so on.
_STATISTICS_V1 = {
    ("apps", "sqlite_autoindex_apps_1"): (1000, 1),
    ("tenants", "tenants"): (1000, 10, 1),
    ("tenant_providers", "tenant_providers"): (1000, 100, 5, 1),
    ("key_values", "key_values"): (1000, 1, 1),
    ("signing_keys", "signing_keys"): (1000, 3, 1),
    ("sessions", "sessions"): (_MANY, _MANY, 1),
    ("sessions", "sessions_of_user"): (_MANY, _MANY, 5),
    ("sessions", "sessions_by_expiry"): (_MANY, 1),
    ("login_methods", "login_methods"): (_MANY, _MANY, 1),
    ("login_methods", "methods_of_group"): (_MANY, _MANY, 1),
    ("login_methods", "linked_methods"): (_SOME, _SOME, 1, 1),
    ("method_tenants", "method_tenants"): (_MANY, _MANY, _MANY, 1),
    ("method_tenants", "tenants_of_method"): (_MANY, _MANY, 1),
    ("method_tenants", "tenants_of_group"): (_MANY, _MANY, 1),
    ("method_tenants", "page_newest_first"): (_MANY, _MANY, _MANY, 2, 1, 1),
    ("method_tenants", "page_oldest_first"): (_MANY, _MANY, _MANY, 2, 1, 1),
    ("method_tenants", "method_by_email"): (_MANY, _MANY, _MANY, 1),
    ("method_tenants", "one_method_per_email"): (_MANY, _MANY, _MANY, _MANY, 1),
    ("method_tenants", "one_method_per_phone"): (_MANY, _MANY, _MANY, 1),
    ("method_tenants", "one_method_per_identity"): (_MANY, _MANY, _MANY, _SOME, 1),
    ("method_tenants", "linked_method_tenants"): (_SOME, _SOME, _SOME, 1, 1),
    ("user_id_mappings", "user_id_mappings"): (_MANY, _MANY, 1),
    ("user_id_mappings", "mapping_by_external_id"): (_MANY, _MANY, 1),
    ("verified_emails", "verified_emails"): (_MANY, _MANY, 1, 1),
    ("email_verification_tokens", "email_verification_tokens"): (_SOME, _SOME, _SOME, 1),
    ("email_verification_tokens", "verification_tokens_of_user"): (_SOME, _SOME, 2, 2, 2),
    ("email_verification_tokens", "verification_tokens_by_expiry"): (_SOME, 1),
    ("password_reset_tokens", "password_reset_tokens"): (_SOME, _SOME, 1),
    ("password_reset_tokens", "reset_tokens_of_user"): (_SOME, _SOME, 2),
    ("password_reset_tokens", "reset_tokens_by_expiry"): (_SOME, 1),
    ("user_metadata", "user_metadata"): (_MANY, _MANY, 1),
    ("roles", "roles"): (1000, 100, 1),
    ("role_permissions", "role_permissions"): (1000, 100, 10, 1),
    ("role_permissions", "roles_of_permission"): (1000, 100, 5),
    ("user_roles", "user_roles"): (_MANY, _MANY, _MANY, 2, 1),
    ("user_roles", "users_of_role"): (_MANY, _MANY, _SOME, _SOME),
    ("user_roles", "roles_of_user"): (_MANY, _MANY, 2),
    ("last_active", "last_active"): (_MANY, _MANY, 1),
    ("last_active", "users_by_activity"): (_MANY, _MANY, 1),
}


def _statistics(numbers: Mapping[tuple[str, str], tuple[int, ...]]) -> tuple[str, ...]:
    """Return the statements that give SQLite's planner statistics, and make it read them."""
    return (
        "ANALYZE sqlite_master",  # makes the table for them
        *(
            f"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('{table}', '{index}', '{' '.join(map(str, row))}')"
            for (table, index), row in numbers.items()
        ),
        "ANALYZE sqlite_master",
    )


_LINKED_ACCOUNTS = (
    # An id whose own login method is gone, while other methods of its group carry on under it.
    "CREATE TABLE retired_ids (app INTEGER NOT NULL, user_id TEXT NOT NULL, PRIMARY KEY (app, user_id)) WITHOUT ROWID",
    "CREATE INDEX methods_by_email ON login_methods (app, email) WHERE email IS NOT NULL",
    "CREATE INDEX methods_by_phone ON login_methods (app, phone_number) WHERE phone_number IS NOT NULL",
    """CREATE INDEX methods_by_third_party ON login_methods (app, third_party_id, third_party_user_id)
        WHERE third_party_id IS NOT NULL""",
    *_statistics(
        {
            ("retired_ids", "retired_ids"): (1000, 1000, 1),
            ("login_methods", "methods_by_email"): (_MANY, _MANY, 2),
            ("login_methods", "methods_by_phone"): (_MANY, _MANY, 2),
            ("login_methods", "methods_by_third_party"): (_MANY, _MANY, _SOME, 2),
        }
    ),
)

_PASSWORDLESS = (
    """CREATE TABLE passwordless_devices (
        app INTEGER NOT NULL, tenant_id TEXT NOT NULL, device_id_hash TEXT NOT NULL, email TEXT, phone_number TEXT,
        link_code_salt TEXT NOT NULL, failed_attempts INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        PRIMARY KEY (app, tenant_id, device_id_hash)) WITHOUT ROWID""",
    "CREATE INDEX devices_by_email ON passwordless_devices (app, tenant_id, email) WHERE email IS NOT NULL",
    """CREATE INDEX devices_by_phone ON passwordless_devices (app, tenant_id, phone_number)
        WHERE phone_number IS NOT NULL""",
    "CREATE INDEX devices_by_expiry ON passwordless_devices (expires_at)",
    """CREATE TABLE passwordless_codes (
        app INTEGER NOT NULL, tenant_id TEXT NOT NULL, code_id TEXT NOT NULL, device_id_hash TEXT NOT NULL,
        link_code_hash TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        PRIMARY KEY (app, tenant_id, code_id)) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX code_by_link ON passwordless_codes (app, tenant_id, link_code_hash)",
    "CREATE INDEX codes_of_device ON passwordless_codes (app, tenant_id, device_id_hash)",
    "CREATE INDEX codes_by_expiry ON passwordless_codes (expires_at)",
    *_statistics(
        {
            ("passwordless_devices", "passwordless_devices"): (_SOME, _SOME, _SOME, 1),
            ("passwordless_devices", "devices_by_email"): (_SOME, _SOME, _SOME, 2),
            ("passwordless_devices", "devices_by_phone"): (_SOME, _SOME, _SOME, 2),
            ("passwordless_devices", "devices_by_expiry"): (_SOME, 1),
            ("passwordless_codes", "passwordless_codes"): (_SOME, _SOME, _SOME, 1),
            ("passwordless_codes", "code_by_link"): (_SOME, _SOME, _SOME, 1),
            ("passwordless_codes", "codes_of_device"): (_SOME, _SOME, _SOME, 2),
            ("passwordless_codes", "codes_by_expiry"): (_SOME, 1),
        }
    ),
)

_TOTP = (
    """CREATE TABLE totp_devices (
        app INTEGER NOT NULL, user_id TEXT NOT NULL, device_name TEXT NOT NULL, secret TEXT NOT NULL,
        period INTEGER NOT NULL, skew INTEGER NOT NULL, verified INTEGER NOT NULL,
        PRIMARY KEY (app, user_id, device_name)) WITHOUT ROWID""",
    # Codes that were tried; a right one has the time until which it would be right again.
    """CREATE TABLE totp_codes (
        app INTEGER NOT NULL, user_id TEXT NOT NULL, tenant_id TEXT NOT NULL, created_at INTEGER NOT NULL,
        code TEXT NOT NULL, good_until INTEGER, expires_at INTEGER NOT NULL,
        PRIMARY KEY (app, user_id, tenant_id, created_at)) WITHOUT ROWID""",
    "CREATE INDEX totp_codes_by_expiry ON totp_codes (expires_at)",
    *_statistics(
        {
            ("totp_devices", "totp_devices"): (_MANY, _MANY, 2, 1),
            ("totp_codes", "totp_codes"): (_SOME, _SOME, 5, 5, 1),
            ("totp_codes", "totp_codes_by_expiry"): (_SOME, 1),
        }
    ),
)

_KEY_VERSION = ("ALTER TABLE apps ADD COLUMN key_version INTEGER NOT NULL DEFAULT 0",)

_BULK_IMPORT = (
    """CREATE TABLE bulk_import_users (
        app INTEGER NOT NULL, id TEXT NOT NULL, content TEXT NOT NULL, status TEXT NOT NULL, error_message TEXT,
        created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
        PRIMARY KEY (app, id)) WITHOUT ROWID""",
    "CREATE INDEX imports_by_status ON bulk_import_users (status, created_at, id)",
    "CREATE INDEX page_newest_first_of_imports ON bulk_import_users (app, created_at DESC, id DESC)",
    "CREATE INDEX imports_of_status_newest_first ON bulk_import_users (app, status, created_at DESC, id DESC)",
    *_statistics(
        {
            ("bulk_import_users", "bulk_import_users"): (_SOME, _SOME, 1),
            ("bulk_import_users", "imports_by_status"): (_SOME, 1000, 100, 1),
            ("bulk_import_users", "page_newest_first_of_imports"): (_SOME, _SOME, 100, 1),
            ("bulk_import_users", "imports_of_status_newest_first"): (_SOME, _SOME, 1000, 100, 1),
        }
    ),
)

_ATTEMPTS = (
    """CREATE TABLE attempts (
        app INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        PRIMARY KEY (app, name)) WITHOUT ROWID""",
    "CREATE INDEX attempts_by_expiry ON attempts (expires_at)",
    *_statistics({("attempts", "attempts"): (_SOME, _SOME, 1), ("attempts", "attempts_by_expiry"): (_SOME, 1)}),
)

_WEBAUTHN = (
    """CREATE TABLE webauthn_options (
        app INTEGER NOT NULL, options_id TEXT NOT NULL, tenant_id TEXT NOT NULL, challenge TEXT NOT NULL,
        origin TEXT NOT NULL, rp_id TEXT NOT NULL, rp_name TEXT NOT NULL, email TEXT, user_presence INTEGER NOT NULL,
        user_verification TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        PRIMARY KEY (app, options_id)) WITHOUT ROWID""",
    "CREATE INDEX webauthn_options_by_expiry ON webauthn_options (expires_at)",
    """CREATE TABLE webauthn_credentials (
        app INTEGER NOT NULL, user_id TEXT NOT NULL, created_at INTEGER NOT NULL, credential_id TEXT NOT NULL,
        rp_id TEXT NOT NULL, public_key BLOB NOT NULL, counter INTEGER NOT NULL, updated_at INTEGER NOT NULL,
        PRIMARY KEY (app, user_id, created_at, credential_id)) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX credential_by_id ON webauthn_credentials (app, credential_id, rp_id)",
    """CREATE TABLE webauthn_recovery_tokens (
        app INTEGER NOT NULL, tenant_id TEXT NOT NULL, token_hash TEXT NOT NULL, user_id TEXT NOT NULL,
        email TEXT NOT NULL, expires_at INTEGER NOT NULL,
        PRIMARY KEY (app, tenant_id, token_hash)) WITHOUT ROWID""",
    "CREATE INDEX recovery_tokens_by_email ON webauthn_recovery_tokens (app, tenant_id, email)",
    "CREATE INDEX recovery_tokens_of_user ON webauthn_recovery_tokens (app, user_id)",
    "CREATE INDEX recovery_tokens_by_expiry ON webauthn_recovery_tokens (expires_at)",
    *_statistics(
        {
            ("webauthn_options", "webauthn_options"): (_SOME, _SOME, 1),
            ("webauthn_options", "webauthn_options_by_expiry"): (_SOME, 1),
            ("webauthn_credentials", "webauthn_credentials"): (_MANY, _MANY, 2, 1, 1),
            ("webauthn_credentials", "credential_by_id"): (_MANY, _MANY, 1, 1),
            ("webauthn_recovery_tokens", "webauthn_recovery_tokens"): (_SOME, _SOME, _SOME, 1),
            ("webauthn_recovery_tokens", "recovery_tokens_by_email"): (_SOME, _SOME, _SOME, 2),
            ("webauthn_recovery_tokens", "recovery_tokens_of_user"): (_SOME, _SOME, 2),
            ("webauthn_recovery_tokens", "recovery_tokens_by_expiry"): (_SOME, 1),
        }
    ),
)

_DASHBOARD = (
    """CREATE TABLE dashboard_users (
        app INTEGER NOT NULL, user_id TEXT NOT NULL, email TEXT NOT NULL, password_hash TEXT NOT NULL,
        time_joined INTEGER NOT NULL,
        PRIMARY KEY (app, user_id)) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX dashboard_user_by_email ON dashboard_users (app, email)",
    """CREATE TABLE dashboard_sessions (
        app INTEGER NOT NULL, session_id TEXT NOT NULL, user_id TEXT NOT NULL, created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        PRIMARY KEY (app, session_id)) WITHOUT ROWID""",
    "CREATE INDEX dashboard_sessions_of_user ON dashboard_sessions (app, user_id)",
    "CREATE INDEX dashboard_sessions_by_expiry ON dashboard_sessions (expires_at)",
    *_statistics(
        {
            ("dashboard_users", "dashboard_users"): (1000, 100, 1),
            ("dashboard_users", "dashboard_user_by_email"): (1000, 100, 1),
            ("dashboard_sessions", "dashboard_sessions"): (1000, 100, 1),
            ("dashboard_sessions", "dashboard_sessions_of_user"): (1000, 100, 5),
            ("dashboard_sessions", "dashboard_sessions_by_expiry"): (1000, 1),
        }
    ),
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (*_V1, *_statistics(_STATISTICS_V1)),
    _LINKED_ACCOUNTS,
    _PASSWORDLESS,
    _TOTP,
    _KEY_VERSION,
    _BULK_IMPORT,
    _ATTEMPTS,
    _WEBAUTHN,
    _DASHBOARD,
)

APP_TABLES = (
    "tenants",
    "tenant_providers",
    "key_values",
    "signing_keys",
    "sessions",
    "login_methods",
    "method_tenants",
    "user_id_mappings",
    "verified_emails",
    "email_verification_tokens",
    "password_reset_tokens",
    "user_metadata",
    "roles",
    "role_permissions",
    "user_roles",
    "last_active",
    "retired_ids",
    "passwordless_devices",
    "passwordless_codes",
    "totp_devices",
    "totp_codes",
    "bulk_import_users",
    "attempts",
    "webauthn_options",
    "webauthn_credentials",
    "webauthn_recovery_tokens",
    "dashboard_users",
    "dashboard_sessions",
)
"""Every table with rows of an app, for its removal."""
