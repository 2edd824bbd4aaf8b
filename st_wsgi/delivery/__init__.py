"""
Mails and text messages to users: what is sent, by which service, and one rule for failures.

::

    email_delivery = SMTP(
        host="smtp.example.com", sender="Shop <hello@shop.example>", user="shop", password="from-your-secrets"
    )

Any function is a service, too::

    def send(message: Message) -> None:
        my_mailer.send(to=message.to, subject=message.kind, text=message.link)

    email_delivery = Delivery(send, on_failure=lambda message, error: my_alerts.append(error))

Text messages are sent in the same way: by :class:`Twilio`, any function, or the console in development.
"""

from __future__ import annotations

from ..errors import MessageNotSent
from ..languages import Language
from .console import Console
from .message import Channel, Message
from .sending import Delivery, Service, delivery_of
from .smtp import SMTP
from .templates import MailContent, mail_content, sms_content
from .twilio import Twilio

__all__ = [
    "SMTP",
    "Channel",
    "Console",
    "Delivery",
    "Language",
    "MailContent",
    "Message",
    "MessageNotSent",
    "Service",
    "Twilio",
    "delivery_of",
    "mail_content",
    "sms_content",
]
