"""Mails by SMTP (RFC 5321), with TLS by STARTTLS (RFC 3207) or from the start (RFC 8314, section 3)."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate, make_msgid, parseaddr
from typing import Literal

import attrs

from ..checks import Check, a, a_flag, a_function, a_number, above_zero, one_of
from ..errors import ConfigError, MessageNotSent
from ..exchanges import Exchanges, NoThread
from .message import Message
from .templates import MailContent, mail_content

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_LOCAL = ("localhost", "127.0.0.1", "::1")
_NOT_IN_ADDRESSES = re.compile(r"[\s\x00-\x20\x7f<>()\[\]\\,;:@\"]")
_DOMAIN = re.compile(r"[a-zA-Z0-9-]{1,63}(?:\.[a-zA-Z0-9-]{1,63})*")
_REFUSED = {
    smtplib.SMTPAuthenticationError: "user and password",
    smtplib.SMTPConnectError: "the connection",
    smtplib.SMTPDataError: "the mail",
    smtplib.SMTPSenderRefused: "the sender",
}
_ENHANCED_CODE = re.compile(rb"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")


def _address(text: str) -> tuple[str, str]:
    """
    Return the local part and the domain of an e-mail address, the domain in ASCII (RFC 5891, A-labels).

    :raises ValueError: it is no address. The message does not quote it.
    """
    local, _, domain = text.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii").lower()
        # Python's codec writes some letters in another way, such as ss: that is another domain.
        same = ascii_domain.encode("ascii").decode("idna") == domain.lower() or ascii_domain == domain.lower()
    except UnicodeError:
        same = False
    if not local or _NOT_IN_ADDRESSES.search(local) or not same or not _DOMAIN.fullmatch(ascii_domain):
        raise ValueError("this is no e-mail address")
    return local, ascii_domain


def _is_sender(value: object) -> bool:
    try:
        return isinstance(value, str) and value.isprintable() and bool(_address(parseaddr(value)[1]))
    except ValueError:
        return False


_text_or_none = Check("a text or None", lambda value: value is None or isinstance(value, str))


@attrs.frozen(kw_only=True)
class SMTP:
    """
    A service that sends mails by a mail server.

    ::

        EmailPassword(
            email_delivery=SMTP(
                host="smtp.example.com",
                sender="Shop <hello@shop.example>",
                user="shop",
                password="from-your-secrets",
            )
        )

    :param host: the name of the server, which its certificate must have.
    :param sender: the sender of the mails: an address, or a name with an address in angle brackets.
    :param port: by default 587, with ``security="tls"`` 465, with ``security="none"`` 25.
    :param security: ``starttls`` demands that the server takes up TLS before anything is said; ``tls`` begins with TLS;
        ``none`` is for a server on this machine.
    :param user: to sign in at the server; None if it takes mails without.
    :param password: of this user.
    :param connect_timeout: seconds for the connection to be made, to each address of the server.
    :param timeout: seconds for the whole mail, the connection included.
    :param tls_context: other rules for certificates than the system's, such as a certificate authority of your own.
    :param allow_unencrypted: accept ``security="none"`` with a server on another machine, although others in
        the network can read the links.
    :param content: from a message to what the mail says, to change subjects and texts.
    :raises ConfigError: a setting is not usable.
    """

    host: str = attrs.field(
        validator=Check("the name of a mail server", lambda value: bool(value) and type(value) is str)
    )
    sender: str = attrs.field(validator=Check("an e-mail address such as 'Shop <hello@shop.example>'", _is_sender))
    port: int | None = attrs.field(default=None)
    security: Literal["starttls", "tls", "none"] = attrs.field(
        default="starttls", validator=one_of("starttls", "tls", "none")
    )
    user: str | None = attrs.field(default=None, validator=_text_or_none)
    password: str | None = attrs.field(default=None, repr=False, validator=_text_or_none)
    connect_timeout: float = attrs.field(default=5, validator=above_zero())
    timeout: float = attrs.field(default=15, validator=above_zero())
    tls_context: ssl.SSLContext | None = attrs.field(default=None, validator=a(ssl.SSLContext, or_none=True))
    allow_unencrypted: bool = attrs.field(default=False, validator=a_flag())
    content: Callable[[Message], MailContent] = attrs.field(
        default=mail_content, validator=a_function("a message", or_none=False)
    )

    _exchanges: Exchanges = attrs.field(init=False, repr=False, eq=False, factory=lambda: Exchanges(at_most=100))

    def __attrs_post_init__(self) -> None:
        if self.port is not None:
            a_number("a port", least=1, most=65_535).argument("port", self.port)
        if (self.user is None) != (self.password is None) or self.password == "" or self.user == "":
            raise ConfigError("SMTP needs both user and password, or neither of them")
        if self.security == "none" and self.host not in _LOCAL and not self.allow_unencrypted:
            raise ConfigError(
                f"SMTP to {self.host} with security='none' lets everybody on the way read the links: use 'starttls' or "
                "'tls', or say allow_unencrypted=True if that network is your own"
            )

    def __call__(self, message: Message, /) -> None:
        """
        Send a mail.

        :raises MessageNotSent: the server did not accept it.
        """
        try:
            local, domain = _address(message.to)
        except ValueError:
            raise MessageNotSent("the receiver is no e-mail address") from None
        mail = self._mail(self.content(message), Address(username=local, domain=domain))
        server = f"the mail server {self.host}:{self._port}"
        try:
            self._exchanges.within(self.timeout, lambda: self._send(mail, f"{local}@{domain}"))
        except TimeoutError:
            raise MessageNotSent(f"{server} did not answer in time") from None
        except Exception as error:
            raise MessageNotSent(f"{server} {_reason(error)}") from None

    def _send(self, mail: EmailMessage, to: str) -> None:
        client = _Client(self)
        try:
            if self.security == "starttls":
                client.starttls(context=self._context)
            if self.user is not None and self.password is not None:
                client.login(self.user, self.password)
            client.send_message(mail, from_addr="@".join(self._from), to_addrs=[to])
            with contextlib.suppress(OSError):  # the mail is accepted, whatever happens now
                client.putcmd("quit")
        finally:
            client.close()

    @property
    def _port(self) -> int:
        return _PORTS[self.security] if self.port is None else self.port

    @property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context() if self.tls_context is None else self.tls_context

    @property
    def _from(self) -> tuple[str, str]:
        return _address(parseaddr(self.sender)[1])

    def _mail(self, content: MailContent, to: Address) -> EmailMessage:
        """Return a mail with its headers. Python refuses line breaks in these."""
        local, domain = self._from
        mail = EmailMessage(policy=SMTP_POLICY)
        mail["From"] = Address(parseaddr(self.sender)[0], local, domain)
        mail["To"] = to
        mail["Subject"] = " ".join(content.subject.split())
        mail["Date"] = formatdate()
        mail["Message-ID"] = make_msgid(domain=domain)
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5: no answer by a machine
        mail.set_content(content.text)
        if content.html is not None:
            mail.add_alternative(content.html, subtype="html")
        return mail


class _Client(smtplib.SMTP):
    """A connection to a mail server, which begins with TLS if the service says so."""

    def __init__(self, service: SMTP) -> None:
        self._service = service
        # Without a name, smtplib looks up the name of this machine, which may take a while.
        super().__init__(service.host, service._port, local_hostname=service._from[1], timeout=service.timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Connect; a subclass of the standard library does its TLS here, too."""
        plain = socket.create_connection((host, port), self._service.connect_timeout)
        plain.settimeout(timeout)
        return (
            self._service._context.wrap_socket(plain, server_hostname=host)
            if self._service.security == "tls"
            else plain
        )


def _reason(error: Exception) -> str:
    """Return what happened, without what the server said: that may quote the receiver or the link."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
        return f"refused the receiver with {_code(code, text)}"
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode("utf-8", "replace")
        return f"refused {_REFUSED.get(type(error), 'a command')} with {_code(error.smtp_code, text)}"
    if isinstance(error, smtplib.SMTPServerDisconnected):  # what smtplib makes of the socket's own time-out, too
        return "did not answer in time" if isinstance(error.__context__, TimeoutError) else "ended the connection"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return f"cannot do what is needed: {error}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has no certificate that is accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "did not take up TLS"
    if isinstance(error, socket.gaierror):
        return "has no address: its name is not known"
    if isinstance(error, OSError):
        return f"cannot be used: {error.strerror or type(error).__name__}"
    return f"was not asked: {error if isinstance(error, NoThread) else type(error).__name__}"


def _code(code: int, text: bytes) -> str:
    """Return the code of a reply, with the enhanced one if there is any (RFC 3463)."""
    match = _ENHANCED_CODE.match(text)
    return str(code) if match is None else f"{code} {match[0].decode()}"
