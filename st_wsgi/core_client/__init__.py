"""The client of the core: what a call is, how it travels, and what the reply means."""

from __future__ import annotations
