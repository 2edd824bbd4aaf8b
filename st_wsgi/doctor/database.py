"""Who can read the database of an embedded core."""

from __future__ import annotations

import pathlib
import stat
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from ..app import SuperTokens
from ..embedded import EmbeddedCore
from ..embedded.storage.database import Store
from ..embedded.storage.sqlite import SQLiteStore
from .finding import Finding

Findings = Iterator[Finding]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def examine(st: SuperTokens, app: object, processes: int) -> Findings:
    """Examine the database of an instance whose core is in this process."""
    core = st.services.transport
    if not isinstance(core, EmbeddedCore):
        return
    store = core.services.store
    if isinstance(store, SQLiteStore):
        yield from _file(store.path, app)
    else:
        yield from _postgres(store, st.core if isinstance(st.core, str) else "", processes)


def _file(path: pathlib.Path | None, app: object) -> Findings:
    if path is None:
        return
    for file in sorted(path.absolute().parent.glob(f"{path.name}*")):
        if file.stat().st_mode & _OTHERS:
            mode = stat.S_IMODE(file.stat().st_mode)
            yield Finding("database-mode", f"other users of this machine may open {file.name} (mode {mode:04o})")
    folder = path.absolute().parent.stat().st_mode
    if folder & stat.S_IWOTH and not folder & stat.S_ISVTX:
        yield Finding("database-mode", f"other users may put another file into the place of {path.name}")
    static: Any = getattr(app, "static_folder", None)
    if static and path.resolve().is_relative_to(pathlib.Path(static).resolve()):
        yield Finding("database-in-static-files", f"{path.name} is in the folder of static files")


def _postgres(store: Store, address: str, processes: int) -> Findings:
    settings = dict(parse_qsl(address.partition("?")[2]))
    size, schema = int(settings.get("pool_size", 10)), settings.get("schema", "st_wsgi")
    with store.read() as db:
        if db.value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
            yield Finding("database-superuser", "the role of the core is a superuser of PostgreSQL")
        granted = (
            "SELECT DISTINCT grantee FROM information_schema.role_table_grants"
            " WHERE table_schema = ? AND grantee <> current_user ORDER BY grantee"
        )
        others = db.column(granted, schema)
        if others:
            yield Finding("database-readable", f"the tables of the core are open to {', '.join(others)[:200]}")
        most = int(db.value("SELECT setting FROM pg_settings WHERE name = 'max_connections'"))
    if size * processes > most:
        text = f"{processes} processes open up to {size * processes} connections, and max_connections is {most}"
        yield Finding("pool-too-large", text)
