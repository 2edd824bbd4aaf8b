"""
The database of an embedded core: SQLite or PostgreSQL.

``database.py`` is the interface that all areas use, ``tables.py`` has the tables, ``sqlite.py`` and ``postgres.py`` are
the engines. The files ``postgres_*.py`` are parts of the latter. The areas write each statement once, for both engines.
"""
