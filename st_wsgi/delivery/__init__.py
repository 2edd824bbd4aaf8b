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

from ..errors import MessageNotSent as MessageNotSent
from ..languages import Language as Language
from .console import Console as Console
from .message import Channel as Channel, Message as Message
from .sending import Delivery as Delivery, Service as Service, delivery_of as delivery_of
from .smtp import SMTP as SMTP
from .templates import MailContent as MailContent, mail_content as mail_content, sms_content as sms_content
from .twilio import Twilio as Twilio
