"""The app in Flask."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from benchmarks.apps import NOBODY


def nobody() -> dict[str, str]:
    return {"userId": NOBODY}


def site(me: Callable[[], dict[str, str]]) -> Flask:
    """Return the app; *me* tells who asks."""
    app = Flask("benchmarks")

    @app.get("/plain")
    def plain() -> dict[str, str]:
        return {"hello": "world"}

    app.get("/nobody")(nobody)
    app.get("/me", endpoint="me")(me)
    return app
