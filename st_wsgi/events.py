"""
Security events: one stream of what matters to those who watch over accounts.

Each event is a line of the logger ``st_wsgi.security``, whose record has it as the attribute ``event``, and a call of
the function that the app passed as ``on_security_event``. An event never contains a password, a token, a link or
a code.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Literal, TypeAlias

import attrs

_log = logging.getLogger("st_wsgi.security")

EventName: TypeAlias = Literal[
    "signed_up",
    "signed_in",
    "sign_in_failed",
    "limited",
    "refresh_token_reused",
    "session_ended",
    "password_reset_requested",
    "password_changed",
    "account_recovery_requested",
    "passkey_added",
    "passkey_removed",
    "email_changed",
    "email_verified",
    "email_unverified",
    "phone_number_changed",
    "role_added",
    "role_removed",
    "role_changed",
    "role_deleted",
    "user_deleted",
    "accounts_linked",
    "account_unlinked",
    "factor_completed",
    "totp_device_added",
    "totp_device_removed",
]
"""The names of the events. They stay the same from release to release."""

_WARNINGS = frozenset({"limited", "refresh_token_reused"})


@attrs.frozen(kw_only=True)
class SecurityEvent:
    """
    One event.

    ::

        def watch(event: SecurityEvent) -> None:
            if event.name == "refresh_token_reused":
                print("tell the people on call:", event)

        st = init(app_info=app_info, core="sqlite://", recipes=[Session()], on_security_event=watch)

    :param name: what happened.
    :param time: milliseconds since 1970.
    :param tenant_id: of the user, or of the request.
    :param user_id: the user it is about, None if that is not known.
    :param by: the user whose session the request has, None outside a request and without a session.
    :param session_handle: of the session that it is about.
    :param recipe_id: of the recipe that a user signs up or in with.
    :param reason: why, in a word such as ``WRONG_CREDENTIALS_ERROR``.
    :param role: that was given, taken or changed.
    :param account: the e-mail address or phone number that was entered, None where none is. It is not in the log: users
        type passwords there by mistake.
    :param address: of the client; empty outside a request.
    :param user_agent: as the client says; empty outside a request.
    """

    name: EventName
    time: int = attrs.field(factory=lambda: time.time_ns() // 1_000_000)
    tenant_id: str | None = None
    user_id: str | None = None
    by: str | None = None
    session_handle: str | None = None
    recipe_id: str | None = None
    reason: str | None = None
    role: str | None = None
    account: str | None = attrs.field(default=None, repr=False)
    address: str = ""
    user_agent: str = ""


OnSecurityEvent: TypeAlias = Callable[[SecurityEvent], object]
"""Gets every event. It is called in the request, from many threads; what it raises is logged and changes nothing."""


def publish(event: SecurityEvent, listener: OnSecurityEvent | None) -> None:
    """Log an event, and pass it to the app's function. This raises nothing."""
    level = logging.WARNING if event.name in _WARNINGS else logging.INFO
    if _log.isEnabledFor(level):
        members = attrs.asdict(event, filter=lambda attribute, value: attribute.repr and bool(value))
        _log.log(level, "%s %s", members.pop("name"), json.dumps(members), extra={"event": event})
    if listener is not None:
        try:
            listener(event)
        except Exception as error:  # the boundary: the request goes on
            _log.error("on_security_event raised %s", type(error).__name__)
