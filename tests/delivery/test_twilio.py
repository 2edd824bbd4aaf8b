"""Text messages by Twilio: on a server that answers as Twilio's documentation says, and on one that does not."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any
from urllib.parse import parse_qs

import attrs
import pytest
from sdks.processes import free_port
from threads import answering

from st_wsgi.delivery import Delivery, Message, MessageNotSent, Twilio, sms_content
from st_wsgi.errors import ConfigError

ACCOUNT, TOKEN = "AC" + "0123456789abcdef" * 2, "the-token-of-the-account"
NUMBER = "+4930123456"
LINK = "https://shop.example/auth/verify?preAuthSessionId=a&tenantId=public#SECRET-LINK"
CODE = Message(
    kind="PASSWORDLESS_LOGIN",
    to=NUMBER,
    tenant_id="public",
    link=LINK,
    code="135790",
    lifetime_ms=900_000,
    app_name="Söhne & Co",
    channel="sms",
)


class Server:
    """
    Answers each message in the same way, and keeps what it was sent.

    :ivar sent: pairs of the path with the authorization, and the form.
    :ivar drips: send one byte after the other instead, for ever: of the "headers" or of the "body".
    """

    def __init__(self, status: int, body: bytes, headers: dict[str, str], drips: str) -> None:
        self.status, self.body, self.headers, self.drips = status, body, headers, drips
        self.sent: list[tuple[str, str, dict[str, list[str]]]] = []
        self.over = Event()
        self.port = 0


def answered(code: int, status: int) -> bytes:
    """An error as Twilio answers it; its text may quote the number."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    text = f"The number {NUMBER} and the text 135790 are not good"
    return json.dumps({"code": code, "message": text, "more_info": more, "status": status}).encode()


@contextmanager
def twilio(
    status: int = 201, body: bytes = b"", headers: dict[str, str] | None = None, drips: str = ""
) -> Iterator[tuple[Twilio, Server]]:
    state = Server(status, body, headers or {}, drips)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            state.sent.append((self.path, self.headers["Authorization"], parse_qs(form, strict_parsing=True)))
            if state.drips == "headers":
                self.wfile.write(b"HTTP/1.1 201 Created\r\nX-Slow: ")
            else:
                self.send_response(state.status)
                for name, value in state.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(state.body) or 1_000_000))
                self.end_headers()
            while state.drips and not state.over.wait(0.05):  # so that no time-out between two bytes is reached
                self.wfile.write(b"0")
            self.wfile.write(state.body)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that has left
    state.port = server.server_port
    with answering(server):
        try:
            yield service(f"http://127.0.0.1:{state.port}"), state
        finally:
            state.over.set()


def service(url: str, **settings: Any) -> Twilio:
    return Twilio(account_sid=ACCOUNT, auth_token=TOKEN, from_number="+15005550006", url=url, **settings)


def why(service: Twilio, message: Message = CODE) -> str:
    """Return why a message was not sent, and show that the reason gives nothing away."""
    with pytest.raises(MessageNotSent) as error:
        service(message)
    for secret in (TOKEN, NUMBER, "135790", "SECRET-LINK", "shop.example"):
        assert secret not in str(error.value)
    assert error.value.__cause__ is None
    return str(error.value)


def test_a_message_is_sent_as_the_documentation_says() -> None:
    with twilio(201, b'{"sid": "SM00000000000000000000000000000000", "status": "queued"}') as (send, server):
        send(CODE)
    [(path, authorization, form)] = server.sent
    assert path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == f"{ACCOUNT}:{TOKEN}"
    assert form == {"To": [NUMBER], "From": ["+15005550006"], "Body": [sms_content(CODE)]}


def test_a_messaging_service_and_a_text_of_the_app() -> None:
    with twilio(201, b"{}") as (send, server):
        other = attrs.evolve(
            send,
            from_number=None,
            messaging_service_sid="MG" + "0" * 32,
            content=lambda message: f"{message.code} für {message.app_name}",
        )
        other(CODE)
    [(_, _, form)] = server.sent
    assert form == {
        "To": [NUMBER],
        "MessagingServiceSid": ["MG" + "0" * 32],
        "Body": ["135790 für Söhne & Co"],
    }


@pytest.mark.parametrize(("status", "code"), [(400, 21211), (401, 20003), (429, 20429), (500, 20500)])
def test_a_refusal_tells_the_code_and_where_it_is_explained(status: int, code: int) -> None:
    with twilio(status, answered(code, status)) as (send, server):
        assert why(send) == (
            f"Twilio refused the message with the status {status} and the code {code}: "
            f"https://www.twilio.com/docs/api/errors/{code}"
        )
    assert len(server.sent) == 1  # it is not repeated: the first may have been sent


@pytest.mark.parametrize(
    "body",
    [
        b"<html>" + NUMBER.encode(),
        b"\xff\xfe",
        b"[" * 50_000,
        b"[1]",
        b"7",
        b"{}",
        b'{"code": "21211 for ' + NUMBER.encode() + b'"}',
        b'{"code": 4930123456}',
        b'{"code": true}',
        b'{"code": 21211, "message": "' + b"x" * 1_000_000 + b'"}',
    ],
    ids=["html", "no text", "deep", "list", "number", "no code", "code with text", "no such code", "flag", "oversized"],
)
def test_an_answer_of_another_kind_tells_the_status_alone(body: bytes) -> None:
    with twilio(500, body) as (send, _):
        assert why(send) == "Twilio refused the message with the status 500"


def test_a_redirect_is_not_followed() -> None:
    with (
        twilio(201, b"{}") as (_, elsewhere),
        twilio(307, b"{}", {"Location": f"http://127.0.0.1:{elsewhere.port}/"}) as (send, _),
    ):
        assert why(send) == "Twilio refused the message with the status 307"
    assert elsewhere.sent == []


@pytest.mark.parametrize("drips", ["headers", "body"])
def test_a_slow_answer_costs_no_more_than_the_time_out(drips: str) -> None:
    with twilio(400, drips=drips) as (send, server):
        assert why(attrs.evolve(send, timeout=0.5)) == "Twilio did not answer in time"
        assert not server.over.is_set()  # it drips on


def test_a_server_that_is_not_there() -> None:
    assert why(service(f"http://127.0.0.1:{free_port()}")) == "Twilio cannot be used: ConnectionError"


@pytest.mark.parametrize(
    "to", ["ada@example.com", "030 123456", "+49 30 123456", "+4930123456\n", "+0", "whatsapp:+4930123456"]
)
def test_what_is_no_number_is_refused_before_twilio_is_asked(to: str) -> None:
    with twilio() as (send, server):
        assert "no phone number" in why(send, attrs.evolve(CODE, to=to))
    assert server.sent == []


def test_a_failure_is_logged_with_its_code_and_raised_where_that_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with twilio(400, answered(21211, 400)) as (send, _), caplog.at_level(logging.DEBUG):
        assert not Delivery(send).send(CODE)
        with pytest.raises(MessageNotSent, match="the code 21211"):
            Delivery(send).send(CODE, raising=True)
    assert caplog.text.count("PASSWORDLESS_LOGIN was not sent: Twilio refused the message with the status 400") == 2
    for secret in (TOKEN, NUMBER, "%2B4930123456", "135790", "SECRET-LINK"):
        assert secret not in caplog.text


def test_the_token_is_not_in_the_repr() -> None:
    assert TOKEN not in repr(service("https://api.twilio.com"))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"account_sid": "AC/../x"}, "account_sid must be AC and 32 hexadecimal digits"),
        ({"auth_token": b"SECRET"}, "auth_token must be a text"),
        ({"auth_token": " "}, "auth_token must be a text"),
        ({"from_number": "a name that is too long"}, "from_number must be a phone number"),
        ({"from_number": None}, "either from_number or messaging_service_sid"),
        ({"messaging_service_sid": "MG" + "0" * 32}, "either from_number or messaging_service_sid"),
        ({"from_number": None, "messaging_service_sid": "AC" + "0" * 32}, "messaging_service_sid must be MG"),
        ({"timeout": 0}, "timeout must be a number above zero"),
        ({"content": "text"}, "content must be a function of a message"),
        ({"url": "http://api.twilio.com"}, "url must be an https address"),
        ({"url": "https://user@api.twilio.com"}, "url must be an https address"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text) as error:
        Twilio(**{"account_sid": ACCOUNT, "auth_token": TOKEN, "from_number": "Shop"} | settings)
    assert "SECRET" not in str(error.value)
    assert TOKEN not in str(error.value)
