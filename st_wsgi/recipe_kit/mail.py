"""What recipes that send mails have in common: the setting and the function that sends."""

from __future__ import annotations

from typing import TypeVar

import attrs

from ..delivery import Delivery, Message, Service, delivery_of
from ..services import Services
from .background import Background
from .recipe import Functions, Settings


@attrs.define(kw_only=True, eq=False, slots=False)
class MailSettings(Settings):
    """
    Settings with the way in which mails are sent.

    :ivar mail: what ``email_delivery`` says, or the console in development.
    :ivar background: for mails that a response must not wait for.
    """

    email_delivery: Delivery | Service | None = attrs.field(default=None)
    mail: Delivery = attrs.field(init=False, repr=False)
    background: Background = attrs.field(init=False, repr=False)

    def bind(self, services: Services) -> None:
        super().bind(services)
        self.background = services.shared(Background)
        self.mail = delivery_of(self.email_delivery, name="email_delivery", app_info=services.app_info)


S = TypeVar("S", bound=MailSettings)


class MailFunctions(Functions[S]):
    """Functions of a recipe that sends mails."""

    def send_email(self, *, message: Message) -> bool:
        """
        Send a mail, and return whether the service accepted it.

        An override may change the message, or send it in another way. A failure is logged and raises nothing.
        """
        app_name = message.app_name or self.recipe.services.app_info.app_name
        return self.recipe.mail.send(attrs.evolve(message, app_name=app_name))
