"""What recipes that send mails or text messages have in common: the settings and the functions that send."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, TypeVar

import attrs

from ..delivery import Channel, Delivery, Message, Service, delivery_of
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
        self.mail = self._delivery("email", self.email_delivery)

    def link(self, *, token: str, tenant_id: str) -> str:
        """Return the address of the page that does something with a token."""
        return link(self.services, self.page, token=token, tenant_id=tenant_id)

    def mail_with_link(self, *, token: str, email: str, user_id: str, tenant_id: str) -> Message:
        """Return the mail with that link."""
        address = self.link(token=token, tenant_id=tenant_id)
        return Message(kind=self.mail_kind, to=email, tenant_id=tenant_id, user_id=user_id, link=address)

    def channels(self) -> Collection[Channel]:
        """Return the ways in which the recipe sends messages. Only for these must the app choose a service."""
        return ["email"]

    def _delivery(self, channel: Channel, setting: Delivery | Service | None) -> Delivery:
        needed = channel in self.channels()
        return delivery_of(setting, name=f"{channel}_delivery", app_info=self.services.app_info, needed=needed)


@attrs.define(kw_only=True, eq=False, slots=False)
class SmsSettings(MailSettings):
    """
    Settings with the ways in which mails and text messages are sent.

    :ivar sms: what ``sms_delivery`` says, or the console in development.
    """

    sms_delivery: Delivery | Service | None = attrs.field(default=None)
    sms: Delivery = attrs.field(init=False, repr=False)

    def bind(self, services: Services) -> None:
        super().bind(services)
        self.sms = self._delivery("sms", self.sms_delivery)

    def channels(self) -> Collection[Channel]:
        return ["email", "sms"]


S = TypeVar("S", bound=MailSettings)
T = TypeVar("T", bound=SmsSettings)


class MailFunctions(Functions[S]):
    """Functions of a recipe that sends mails."""

    _raises_failures: ClassVar[bool] = False

    def send_email(self, *, message: Message) -> bool:
        """
        Send a mail, and return whether the service accepted it. An override may change it, or send it in another way.

        A failure is logged. Recipes that send text messages, too, raise it; the others raise nothing.
        """
        return self.recipe.mail.send(self._complete(message, "email"), raising=self._raises_failures)

    def _complete(self, message: Message, channel: Channel) -> Message:
        services = self.recipe.services
        app_name = message.app_name or services.app_info.app_name
        language = message.language or services.language_of(self.context)
        return attrs.evolve(message, app_name=app_name, channel=channel, language=language)


class SmsFunctions(MailFunctions[T]):
    """
    Functions of a recipe that sends mails and text messages.

    They raise failures: such a recipe sends a code to any address, so that a failure does not tell who has an account.
    """

    _raises_failures = True

    def send_sms(self, *, message: Message) -> bool:
        """
        Send a text message, and return True. An override may change it, or send it in another way.

        :raises MessageNotSent: the service did not accept it. This is logged, too.
        """
        return self.recipe.sms.send(self._complete(message, "sms"), raising=True)
