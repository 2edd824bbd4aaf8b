"""
Where an embedded core keeps its rows: the seam that the areas use, and one module for each engine behind it.

``database.py`` is the seam, ``tables.py`` the tables; ``sqlite.py`` and ``postgres.py`` are the engines. An area has
one text of SQL for both, and never names an engine.
"""
