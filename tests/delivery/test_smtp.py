"""Mails by SMTP: on a real server over TLS, and on servers that are dead, slow, refuse or lie."""

from __future__ import annotations

import email
import email.policy
import logging
import socket
import ssl
import threading
import time
from email.message import EmailMessage
from typing import Any

import attrs
import pytest
from recipes.shop import QUICK, Borrowed, Shop, form
from sdks.processes import free_port
from transport.conftest import Certificate

from delivery.conftest import PASSWORD, USER, MailServer, Servers, scripted
from st_wsgi.delivery import SMTP, Delivery, MailContent, Message, MessageNotSent, mail_content
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import ConfigError
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification

LINK = "https://shop.example/auth/reset-password?token=SECRET-TOKEN&tenantId=public"
RESET = Message(
    kind="PASSWORD_RESET",
    to="ada@example.com",
    tenant_id="public",
    link=LINK,
    lifetime_ms=3_600_000,
    app_name="Ada & Söhne",
)
SENDER = "Büro Söhne <hello@shop.example>"


def smtp(port: int, certificate: Certificate | None = None, **settings: Any) -> SMTP:
    context = None if certificate is None else ssl.create_default_context(cafile=str(certificate.file))
    given: dict[str, Any] = {"user": USER, "password": PASSWORD, "timeout": 20, "tls_context": context} | settings
    return SMTP(host=given.pop("host", "127.0.0.1"), port=port, sender=SENDER, **given)


def the_mail(server: MailServer) -> EmailMessage:
    [envelope] = server.envelopes
    assert isinstance(envelope.content, bytes)
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    assert mail.defects == []
    return mail


def why(service: SMTP, message: Message = RESET) -> str:
    """Return why a mail was not sent, and show that the reason gives nothing away."""
    with pytest.raises(MessageNotSent) as error:
        service(message)
    for secret in ("SECRET-TOKEN", "ada@", PASSWORD):
        assert secret not in str(error.value)
    assert error.value.__suppress_context__
    return str(error.value)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_over_tls_has_all_headers_and_both_texts(
    mail_server: Servers, certificate: Certificate, security: Any
) -> None:
    server = mail_server(security)
    account: dict[str, Any] = {} if security == "starttls" else {"user": None, "password": None}
    smtp(server.port, certificate, security=security, **account)(RESET)
    [envelope] = server.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("hello@shop.example", ["ada@example.com"])
    mail = the_mail(server)
    assert mail["From"].addresses[0].display_name == "Büro Söhne"
    assert mail["To"] == "ada@example.com"
    assert mail["Subject"] == "Set a new password for Ada & Söhne"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@shop.example>")
    assert abs(mail["Date"].datetime.timestamp() - time.time()) < 60
    assert mail.get_content_type() == "multipart/alternative"
    plain, html = mail.iter_parts()
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert LINK in plain.get_content().splitlines()
    assert "for 1 hour" in plain.get_content()
    assert f'href="{LINK.replace("&", "&amp;")}"' in html.get_content()
    assert "Ada &amp; Söhne" in html.get_content()


def test_a_server_on_this_machine_needs_no_tls(mail_server: Servers) -> None:
    server = mail_server("none")
    smtp(server.port, security="none", user=None, password=None)(RESET)
    assert the_mail(server)["To"] == "ada@example.com"


@pytest.mark.parametrize(
    ("to", "on_the_wire"),
    [
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ädä@bücher.example", "ädä@xn--bcher-kva.example"),
        ("o'hara+shop@example.com", "o'hara+shop@example.com"),
    ],
)
def test_addresses_with_letters_beyond_ascii(mail_server: Servers, to: str, on_the_wire: str) -> None:
    server = mail_server("none")
    smtp(server.port, security="none", user=None, password=None)(attrs.evolve(RESET, to=to))
    [envelope] = server.envelopes
    assert envelope.rcpt_tos == [on_the_wire]
    assert on_the_wire in str(the_mail(server)["To"])


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.com\r\nBcc: eve@example.com",
        "ada\r\nRCPT TO:<eve@example.com>@example.com",
        "ada@example.com, eve@example.com",
        "ada@example.com>\nX: <eve",
        "<ada@example.com>",
        "ada",
        "@example.com",
        "ada@",
        "ada@straße.example",  # Python's codec would make another domain of it
        "ada@exa mple.com",
        "ada@" + "a" * 80 + ".example",
    ],
)
def test_what_is_no_single_address_is_refused_before_any_server_is_asked(to: str) -> None:
    assert why(smtp(free_port()), attrs.evolve(RESET, to=to)) == "the receiver is no e-mail address"


def test_what_comes_from_users_is_neither_a_header_nor_html(mail_server: Servers) -> None:
    server = mail_server("none")
    bad = attrs.evolve(RESET, app_name="Shop\r\nBcc: eve@example.com\n\n<script>", link='https://x/"><script>')
    smtp(server.port, security="none", user=None, password=None)(bad)
    mail = the_mail(server)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Set a new password for Shop Bcc: eve@example.com <script>"
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()


def test_an_app_changes_subject_and_text(mail_server: Servers) -> None:
    def content(message: Message) -> MailContent:
        return attrs.evolve(mail_content(message), subject="Ein neues Kennwort für dich", html=None)

    server = mail_server("none")
    smtp(server.port, security="none", user=None, password=None, content=content)(RESET)
    mail = the_mail(server)
    assert mail["Subject"] == "Ein neues Kennwort für dich"
    assert mail.get_content_type() == "text/plain"


def test_a_dead_server() -> None:
    port = free_port()
    assert why(smtp(port)) == f"the mail server 127.0.0.1:{port} cannot be used: Connection refused"


def test_a_server_without_a_name() -> None:
    assert why(smtp(25, host="no-such-host.invalid")).endswith("has no address: its name is not known")


def test_a_server_that_offers_no_starttls_gets_neither_password_nor_mail(mail_server: Servers) -> None:
    server = mail_server("none")
    assert why(smtp(server.port)).endswith("STARTTLS extension not supported by server.")
    assert server.envelopes == []


def test_a_certificate_of_another_name(mail_server: Servers, certificate: Certificate) -> None:
    server = mail_server("starttls")
    assert "Hostname mismatch" in why(smtp(server.port, certificate, host="localhost"))
    assert server.envelopes == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for(mail_server: Servers, security: Any) -> None:
    server = mail_server(security)
    assert "has no certificate that is accepted: self" in why(smtp(server.port, security=security))
    assert server.envelopes == []


def test_a_wrong_password_of_the_server(mail_server: Servers, certificate: Certificate) -> None:
    server = mail_server("starttls")
    reason = why(smtp(server.port, certificate, password="another"))
    assert reason.endswith("refused user and password with 535 5.7.8")


def test_a_refused_receiver_and_a_refused_mail_tell_the_code_alone(mail_server: Servers) -> None:
    server = mail_server("none")
    service = smtp(server.port, security="none", user=None, password=None)
    server.to_data = f"554 5.7.1 spam: {LINK}"
    assert why(service).endswith("refused the mail with 554 5.7.1")
    server.to_receiver = "550 no such user ada@example.com"
    assert why(service).endswith("refused the receiver with 550")


def liar(connection: socket.socket, over: threading.Event) -> None:
    """Offer STARTTLS, agree to it, and then go on in the clear."""
    connection.sendall(b"220 hello\r\n")
    connection.recv(100)
    connection.sendall(b"250-hello\r\n250 STARTTLS\r\n")
    connection.recv(100)
    connection.sendall(b"220 go on\r\n")
    connection.recv(2000)
    connection.sendall(b"250 this is no TLS\r\n")
    over.wait(10)


def refuser(connection: socket.socket, over: threading.Event) -> None:
    """Offer STARTTLS, and refuse it."""
    connection.sendall(b"220 hello\r\n")
    connection.recv(100)
    connection.sendall(b"250-hello\r\n250 STARTTLS\r\n")
    connection.recv(100)
    connection.sendall(b"454 4.7.0 TLS is not available\r\n")
    over.wait(10)


def drip(connection: socket.socket, over: threading.Event) -> None:
    """Send one byte after the other, for ever, so that no time-out between two bytes is reached."""
    connection.sendall(b"220-")
    while not over.wait(0.05):
        connection.sendall(b"x")


def silent(_connection: socket.socket, over: threading.Event) -> None:
    """Say nothing."""
    over.wait(10)


@pytest.mark.parametrize(
    ("serve", "reason"),
    [(liar, "did not take up TLS"), (refuser, "refused a command with 454 4.7.0")],
)
def test_a_server_that_breaks_its_offer_gets_no_mail(serve: Any, reason: str) -> None:
    with scripted(serve) as port:
        assert why(smtp(port)).endswith(reason)


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("serve", [drip, silent])
def test_a_slow_server_costs_no_more_than_the_time_out(serve: Any, security: Any) -> None:
    with scripted(serve) as port:
        start = time.monotonic()
        reason = why(smtp(port, timeout=0.5, security=security))
        assert time.monotonic() - start < 5
    # What drips is no TLS.
    assert reason.endswith(
        ("did not take up TLS", "did not answer in time") if serve is drip else "did not answer in time"
    )


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"host": ""}, "host must be the name of a mail server"),
        ({"sender": "Shop"}, "sender must be an e-mail address"),
        ({"sender": "Shop\r\nBcc: <eve@example.com>"}, "sender must be an e-mail address"),
        ({"port": 0}, "port must be"),
        ({"security": "ssl"}, "security must be one of starttls, tls, none"),
        ({"user": "shop"}, "both user and password"),
        ({"user": "shop", "password": ""}, "both user and password"),
        ({"user": "shop", "password": b"SECRET"}, "password must be a text or None"),
        ({"user": 7, "password": "SECRET"}, "user must be a text or None"),
        ({"security": "none", "allow_unencrypted": "no"}, "allow_unencrypted must be True or False"),
        ({"security": "none"}, "allow_unencrypted=True"),
        ({"timeout": 0}, "timeout must be a number above zero"),
        ({"content": "text"}, "content must be a function of a message"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text) as error:
        SMTP(**{"host": "smtp.example.com", "sender": "hello@shop.example"} | settings)
    assert "SECRET" not in str(error.value)


def test_the_password_is_not_in_the_repr() -> None:
    assert "SECRET" not in repr(SMTP(host="smtp.example.com", sender="a@b.example", user="shop", password="SECRET"))


def test_users_get_their_response_at_once_and_the_log_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    """W-081 and W-093: both routes that send mails, with a server that lets everybody wait."""
    failures: list[str] = []
    release = threading.Event()
    with scripted(lambda _connection, _over: release.wait(60)) as port, EmbeddedCore(settings=QUICK) as core:
        delivery = Delivery(
            smtp(port, timeout=60), on_failure=lambda message, error: failures.append(f"{message.kind} {error}")
        )
        recipes: list[Recipe[Any, Any]] = [
            EmailPassword(email_delivery=delivery),
            EmailVerification(mode="OPTIONAL", email_delivery=delivery),
        ]
        with caplog.at_level(logging.DEBUG):
            shop = Shop(Borrowed(core), recipes=recipes)
            visitor = shop.visitor()
            visitor.sign_up()
            for path in ("/auth/user/email/verify/token", "/auth/user/password/reset/token"):
                response = visitor.call("POST", path, form(email=visitor.email))
                assert (response.status_code, response.get_json()) == (200, {"status": "OK"})
            assert failures == []  # the server has not even said hello
            release.set()
            shop.st.close()  # waits for the mails
    reason = f"the mail server 127.0.0.1:{port} ended the connection"
    assert sorted(failures) == [f"EMAIL_VERIFICATION {reason}", f"PASSWORD_RESET {reason}"]
    assert f"a message of the kind PASSWORD_RESET was not sent: {reason}" in caplog.text
    assert visitor.email not in "".join(r.getMessage() for r in caplog.records if r.name == "st_wsgi.delivery")
    assert "token=" not in caplog.text
