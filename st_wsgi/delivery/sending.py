"""How messages are sent, and what happens when that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import attrs

from ..config import AppInfo
from ..errors import ConfigError, MessageNotSent
from ..urls import scheme_of
from .console import Console
from .message import Message

_log = logging.getLogger("st_wsgi.delivery")


class Service(Protocol):
    """
    Sends messages: any function that takes one. It is called from many threads.

    It returns when the message is accepted, and raises any exception when it is not.
    """

    def __call__(self, message: Message, /) -> object: ...


@attrs.frozen
class Delivery:
    """
    A service, and what to do when it fails.

    ::

        sent = []
        delivery = Delivery(sent.append)
        delivery.send(Message(kind="PASSWORD_RESET", to="ada@example.com", tenant_id="public", link="https://..."))

    :param service: sends the messages.
    :param on_failure: called with the message and the error.
    """

    service: Service
    on_failure: Callable[[Message, Exception], object] | None = None

    def send(self, message: Message, *, raising: bool = False) -> bool:
        """
        Send a message and return whether the service accepted it.

        The response to the client must not depend on the result where it would tell whether an account exists. A
        failure is logged and passed to ``on_failure``. The error's text may quote the address, so the log has only its
        type, unless it is a :class:`~st_wsgi.errors.MessageNotSent`.

        :param raising: raise a failure, too: for messages that are sent to any address, with an account or without.
        :raises MessageNotSent: the service did not accept the message, and *raising* is set.
        """
        try:
            self.service(message)
        except Exception as error:
            name = getattr(self.service, "__qualname__", type(self.service).__name__)
            reason = str(error) if isinstance(error, MessageNotSent) else f"{name} raised {type(error).__name__}"
            _log.error("a message of the kind %s was not sent: %s", message.kind, reason)
            if self.on_failure is not None:
                try:
                    self.on_failure(message, error)
                except Exception as second:
                    _log.error("on_failure raised %s", type(second).__name__)
            if raising:
                raise MessageNotSent(reason) from None
            return False
        return True


def _no_service(_message: Message, /) -> None:
    raise MessageNotSent("its recipe has no service for it, because its settings need none")


def delivery_of(setting: Delivery | Service | None, *, name: str, app_info: AppInfo, needed: bool = True) -> Delivery:
    """
    Return the delivery of a recipe's setting: that of a service alone, or the console in development.

    :param setting: a delivery, a service, or None if the app chose none.
    :param name: of the setting, for the error.
    :param needed: False if the recipe sends nothing this way, so that the app need not choose a service.
    :raises ConfigError: it is something else, or the console on an https API without ``allow_https=True``.
    """
    if setting is not None and not callable(setting) and not isinstance(setting, Delivery):
        raise ConfigError(
            # Not the value: it may be a dictionary with the password of a mail server.
            f"{name} must be Delivery(...) or a function that sends a message, not a {type(setting).__name__}"
        )
    if setting is None and not needed:
        return Delivery(_no_service)
    delivery = setting if isinstance(setting, Delivery) else Delivery(Console() if setting is None else setting)
    service = delivery.service
    if isinstance(service, Console) and not service.allow_https and scheme_of(app_info.api_domain) == "https":
        example = "Twilio(...)" if name == "sms_delivery" else "SMTP(...)"
        raise ConfigError(
            f"{name} has no service, and messages on the console do not fit an https api_domain: pass {example}, a "
            "function that sends a message, or Console(allow_https=True) from st_wsgi.delivery"
        )
    return delivery
