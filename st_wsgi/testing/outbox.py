"""The mails and text messages of a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs

from ..delivery import MailContent, Message, mail_content, sms_content


@attrs.frozen(kw_only=True)
class Sent(Message):
    """
    A mail or a text message of a test, with all that a :class:`~st_wsgi.delivery.Message` has.

    :param content: from the message to what it says; by default our texts.
    """

    content: Callable[[Message], Any] | None = attrs.field(default=None, repr=False)

    @property
    def path(self) -> str:
        """The link without the website's address, for a client of the test to open."""
        return urlsplit(self.link or "")._replace(scheme="", netloc="").geturl()

    @property
    def token(self) -> str:
        """The token or code in the link. :raises AssertionError: there is none."""
        parts = urlsplit(self.link or "")
        (token,) = parse_qs(parts.query).get("token", [parts.fragment])
        assert token, f"the {self.kind} has no link with a token"
        return token

    @property
    def mail(self) -> MailContent:
        """The subject, plain text and HTML of the mail, with the app's own texts."""
        content: MailContent = (self.content or mail_content)(self)
        return content

    @property
    def sms(self) -> str:
        """What the text message says."""
        content: str = (self.content or sms_content)(self)
        return content


class Outbox:
    """
    What was sent in a test. Reading waits until what is sent in the background is there.

    :param finish: waits for that.
    """

    def __init__(self, finish: Callable[[], None]) -> None:
        self._finish = finish
        self._sent: list[Sent] = []

    def add(self, message: Sent) -> None:
        """Add a message."""
        self._sent.append(message)

    def clear(self) -> None:
        """Forget what was sent until now."""
        self._finish()
        self._sent.clear()

    def all(self, *, to: str | None = None, kind: str | None = None) -> list[Sent]:
        """
        Return the messages that fit, the oldest first.

        :param to: an e-mail address or phone number.
        :param kind: such as ``PASSWORD_RESET``.
        """
        self._finish()
        return [one for one in self._sent if to in (None, one.to) and kind in (None, one.kind)]

    def last(self, *, to: str | None = None, kind: str | None = None) -> Sent:
        """Return the newest message that fits. :raises AssertionError: there is none; it says which there are."""
        found = self.all(to=to, kind=kind)
        assert found, f"no such message among {[f'{one.kind} to {one.to}' for one in self._sent]}"
        return found[-1]
