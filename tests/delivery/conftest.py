"""A real mail server, and one that does what a test wants."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from sdks.processes import free_port
from transport.conftest import Certificate, certificate

__all__ = ["certificate"]  # a fixture

USER, PASSWORD = "shop", "the password of the mail server"


class MailServer:
    """A mail server that keeps what it accepts, or replies something else to the mail or its receiver."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.envelopes: list[Envelope] = []
        self.to_data = "250 OK"
        self.to_receiver = "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:
        if self.to_receiver.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.to_receiver

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if self.to_data.startswith("250"):
            self.envelopes.append(envelope)
        return self.to_data


def _sign_in(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(handled=False, success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()))


Servers = Callable[[str], MailServer]


@pytest.fixture
def mail_server(certificate: Certificate) -> Iterator[Servers]:
    """Start a mail server for ``starttls``, ``tls`` or ``none``. The first asks for user and password."""
    with ExitStack() as stack:

        def start(security: str) -> MailServer:
            server = MailServer(free_port())
            settings: dict[str, Any] = {"enable_SMTPUTF8": True}
            if security == "starttls":
                settings |= {"tls_context": certificate.server, "require_starttls": True}
                settings |= {"authenticator": _sign_in, "auth_required": True}
            elif security == "tls":
                settings |= {"ssl_context": certificate.server}
            controller = Controller(server, hostname="127.0.0.1", port=server.port, **settings)
            controller.start()
            stack.callback(controller.stop)
            return server

        yield start


@contextmanager
def scripted(serve: Callable[[socket.socket, threading.Event], object]) -> Iterator[int]:
    """Listen on a port, and hand every connection to *serve* until the block ends, which sets the event."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):  # the client has left
                serve(connection, over)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
