"""
The app that is measured, in Flask and in Django, with st_wsgi and with the official SDK.

Every module has ``bare``, the framework alone, and ``app``, the same with sessions. ``GET /plain`` and ``GET /nobody``
are not ours, ``GET /me`` tells the user's id where ``/nobody`` tells a constant. The address of the core is in the
environment variable ``BENCH_CORE``.
"""

from __future__ import annotations

import os

API = "http://127.0.0.1:3000"
CORE = os.environ.get("BENCH_CORE", "sqlite://")
NOBODY = "00000000-0000-4000-8000-000000000000"
