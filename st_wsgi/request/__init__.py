"""One request: its way through the middleware, its context, and what it changes in the response."""

from __future__ import annotations
