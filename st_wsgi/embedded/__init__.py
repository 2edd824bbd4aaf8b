"""A SuperTokens core in one SQLite file: the core driver interface, in process or over HTTP."""

from __future__ import annotations

from .core import EmbeddedCore as EmbeddedCore
