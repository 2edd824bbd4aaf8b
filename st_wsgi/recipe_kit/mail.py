"""What recipes that send mails have in common: the setting and the function that sends."""

from __future__ import annotations

from typing import ClassVar, TypeVar

import attrs

from ..delivery import Delivery, Message, Service, delivery_of
from ..services import Services
from .background import Background
from .links import link
from .recipe import Functions, Settings


@attrs.define(kw_only=True, eq=False, slots=False)
class MailSettings(Settings):
    """
    Settings with the way in which mails are sent, and the mail with a link that the recipe sends.

    :cvar page: of the website, below its base path, which the link leads to (FDI, section 5).
    :cvar mail_kind: of the mail with the link.
    :ivar mail: what ``email_delivery`` says, or the console in development.
    :ivar background: for mails that a response must not wait for.
    """

    page: ClassVar[str]
    mail_kind: ClassVar[str]

    email_delivery: Delivery | Service | None = attrs.field(default=None)
    mail: Delivery = attrs.field(init=False, repr=False)
    background: Background = attrs.field(init=False, repr=False)

    def bind(self, services: Services) -> None:
        super().bind(services)
        self.background = services.shared(Background)
        self.mail = delivery_of(self.email_delivery, name="email_delivery", app_info=services.app_info)

    def link(self, *, token: str, tenant_id: str) -> str:
        """Return the address of the page that does something with a token."""
        return link(self.services, self.page, token=token, tenant_id=tenant_id)

    def mail_with_link(self, *, token: str, email: str, user_id: str, tenant_id: str) -> Message:
        """Return the mail with that link."""
        address = self.link(token=token, tenant_id=tenant_id)
        return Message(kind=self.mail_kind, to=email, tenant_id=tenant_id, user_id=user_id, link=address)


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
