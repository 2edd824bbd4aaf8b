"""The style sheet and the scripts of the pages."""

from __future__ import annotations

import hashlib
import importlib.resources

from werkzeug.wrappers import Response


class StaticFile:
    """
    A file that pages load.

    :ivar text: what the browser gets.
    :ivar path: below the website's base path. It contains a hash of the text, so browsers may cache it without a limit.
    :ivar mimetype: of the text.
    """

    text: str
    path: str
    mimetype: str

    def __init__(self, name: str, mimetype: str, *, before: str = "") -> None:
        """
        Read a file beside this module.

        :param before: what the text begins with.
        """
        self.text = before + importlib.resources.files(__package__).joinpath(name).read_text("utf-8")
        self.mimetype = mimetype
        stem, _, suffix = name.partition(".")
        self.path = f"/{stem}-{hashlib.sha256(self.text.encode()).hexdigest()[:16]}.{suffix}"

    def response(self) -> Response:
        """Return the file."""
        response = Response(self.text, mimetype=self.mimetype)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
