"""
Mails and text messages to users: what is sent, by which service, and one rule for failures.

::

    def send(message: Message) -> None:
        my_mailer.send(to=message.to, subject=message.kind, text=message.link)

    email_delivery = Delivery(send, on_failure=lambda message, error: my_alerts.append(error))
"""

from __future__ import annotations

from .console import Console
from .message import Message
from .sending import Delivery, Service, delivery_of

__all__ = ["Console", "Delivery", "Message", "Service", "delivery_of"]
