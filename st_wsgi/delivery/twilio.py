"""Text messages by Twilio's HTTP interface (https://www.twilio.com/docs/messaging/api/message-resource)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import attrs
import requests

from ..checks import Check, a_function, above_zero
from ..errors import ConfigError, MessageNotSent
from ..exchanges import Exchanges, NoThread
from ..grammar import E164
from .message import Message
from .templates import sms_content

_BODY_LIMIT = 65_536  # bytes; an error of Twilio has about 200
_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_SENDER = re.compile(r"\+?[0-9]{3,15}|[A-Za-z0-9][A-Za-z0-9 &._+-]{0,10}")


def _text(description: str, pattern: re.Pattern[str]) -> Check:
    return Check(description, lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None)


@attrs.frozen(kw_only=True)
class Twilio:
    """
    A service that sends text messages by Twilio.

    ::

        sms_delivery = Twilio(
            account_sid="AC00000000000000000000000000000000",
            auth_token="from-your-secrets",
            from_number="+15005550006",
        )

    :param account_sid: of the account; it begins with AC.
    :param auth_token: of the account.
    :param from_number: a phone number, short code or name of this account as the sender; None with a messaging service.
    :param messaging_service_sid: of the messaging service that chooses the sender; it begins with MG.
    :param timeout: seconds for the whole exchange. The message may still be sent when it ends without an answer.
    :param content: from a message to its text, to change that.
    :param url: of Twilio, or of one of its regions.
    :raises ConfigError: a setting is not usable.
    """

    account_sid: str = attrs.field(validator=_text("AC and 32 hexadecimal digits", _ACCOUNT))
    auth_token: str = attrs.field(
        repr=False, validator=Check("a text", lambda value: isinstance(value, str) and bool(value.strip()))
    )
    from_number: str | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(
            _text("a phone number such as +15005550006, a short code or a name", _SENDER)
        ),
    )
    messaging_service_sid: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(_text("MG and 32 hexadecimal digits", _SERVICE))
    )
    timeout: float = attrs.field(default=10, validator=above_zero())
    content: Callable[[Message], str] = attrs.field(
        default=sms_content, validator=a_function("a message", or_none=False)
    )
    url: str = attrs.field(
        default="https://api.twilio.com",
        validator=_text(
            "an https address without a path", re.compile(r"https://[^/?#@\s]+|http://127\.0\.0\.1:[0-9]+")
        ),
    )

    _exchanges: Exchanges = attrs.field(init=False, repr=False, eq=False, factory=lambda: Exchanges(at_most=100))

    def __attrs_post_init__(self) -> None:
        if (self.from_number is None) == (self.messaging_service_sid is None):
            raise ConfigError("Twilio needs either from_number or messaging_service_sid")

    def __call__(self, message: Message, /) -> None:
        """
        Send a text message.

        :raises MessageNotSent: Twilio did not accept it.
        """
        if not E164.fullmatch(message.to):
            raise MessageNotSent("the receiver is no phone number in the form of E.164, such as +15005550006")
        form = {"To": message.to, "Body": self.content(message)}
        if self.from_number is not None:
            form["From"] = self.from_number
        elif self.messaging_service_sid is not None:
            form["MessagingServiceSid"] = self.messaging_service_sid
        try:
            reason = self._exchanges.within(self.timeout, lambda: self._refusal(form))
        except (TimeoutError, requests.Timeout):
            reason = "did not answer in time"
        except NoThread as error:
            reason = f"was not asked: {error}"
        except Exception as error:  # no error's text is used: it may quote what was sent
            reason = f"cannot be used: {type(error).__name__}"
        if reason is not None:
            raise MessageNotSent(f"Twilio {reason}")

    def _refusal(self, form: dict[str, str]) -> str | None:
        """Return why Twilio did not accept a message, None if it did."""
        with requests.post(
            f"{self.url}/2010-04-01/Accounts/{self.account_sid}/Messages.json",
            data=form,
            auth=(self.account_sid, self.auth_token),
            timeout=self.timeout,
            stream=True,
            allow_redirects=False,
        ) as response:
            return None if response.status_code in (200, 201) else _reason(response)


def _reason(response: requests.Response) -> str:
    """Return the status and Twilio's code (https://www.twilio.com/docs/usage/twilios-response)."""
    reason = f"refused the message with the status {response.status_code}"
    body = response.raw.read(_BODY_LIMIT, decode_content=True)
    try:
        code = json.loads(body)["code"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return reason
    if type(code) is not int or not 0 < code < 1_000_000:
        return reason
    return f"{reason} and the code {code}: https://www.twilio.com/docs/api/errors/{code}"
