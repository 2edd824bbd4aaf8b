"""Messages on the console, for development."""

from __future__ import annotations

import sys

import attrs

from .message import Message


@attrs.frozen(kw_only=True)
class Console:
    """
    Print messages to standard error. Links and codes have lines of their own between empty ones: terminals make links
    clickable, and lines of the server's log stand apart.

    :param allow_https: accept this service together with an https ``api_domain``, where each reader of the output could
        open users' accounts.
    """

    allow_https: bool = False

    def __call__(self, message: Message, /) -> None:
        lines = [f"[st_wsgi] {message.kind} for {message.to}:", message.link, message.code]
        text = "\n".join(line for line in lines if line)
        print(f"\n{text}\n", file=sys.stderr, flush=True)  # one text, which no line of another thread gets into
