"""
The commands ``doctor``, ``routes`` and ``openapi``.

Only the command line imports this package, and only for these commands: an app never loads it.
"""
