"""What can go wrong with PostgreSQL: whether a call is repeated after it, and what an owner can do about it."""

from __future__ import annotations

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout


class NotAlone(Exception):
    """The work has to be repeated in a transaction that writes alone."""


class Outdated(Exception):
    """Tenants have changed since they were read. The work has to be repeated with the newest ones."""


class Overtaken(Exception):
    """Another call changed the row first."""


class CommitUncertain(Exception):
    """The connection broke during a commit: the transaction may be committed or not."""


CONFLICTS: tuple[type[Exception], ...] = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.UniqueViolation,
    Overtaken,
)
"""Errors of two transactions in conflict. A unique index may notice the conflict first."""


TRANSIENT: tuple[type[Exception], ...] = (
    psycopg.OperationalError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.UniqueViolation,
    Overtaken,
    CommitUncertain,
)
"""Errors after which a call may succeed some seconds later."""


REMEDIES: tuple[tuple[str, str], ...] = (
    ("_NoReply", "Check the server and the network, or raise reply_timeout_ms"),
    ("CommitUncertain", "The change may have been stored: look before you make it again"),
    ("PoolTimeout", "Is the server up? If it is, all {size} connections are in use: set pool_size"),
    ("DiskFull", "The disk of the server is full. Nothing was changed; free some space"),
    ("TooManyConnections", "Raise max_connections of the server, or lower pool_size"),
    ("too many clients", "Raise max_connections of the server, or lower pool_size"),
    ("authentication failed", "Correct user and password"),
    ("startup parameter", "A pooler refuses a setting of the address: name it in its ignore_startup_parameters"),
    ("LockNotAvailable", "Another call kept a lock for too long: try again, or raise lock_timeout_ms"),
    ("QueryCanceled", "A statement took too long: try again, or raise statement_timeout_ms"),
    ("does not exist", "Correct the address, or make what it names"),
    ("ReadOnlySqlTransaction", "Name the server that takes writes: target_session_attrs=read-write"),
    ("InsufficientPrivilege", "Let its owner run: CREATE SCHEMA {schema} AUTHORIZATION <user of the core>"),
    *((kind.__name__, "Too many calls change the same thing at once: try again") for kind in CONFLICTS),
    ("", "Is the server up, and does this machine reach it?"),
)
"""What to do about an error, by the name of its class or a part of its text. The first match counts."""


def is_lost(error: psycopg.OperationalError) -> bool:
    """Return whether the connection is lost: the client noticed it (no SQLSTATE), or the server closed it (57P0x)."""
    return (error.sqlstate or "57P0").startswith("57P0") and not isinstance(error, PoolTimeout)
