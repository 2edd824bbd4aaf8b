"""A message to one user."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

from ..languages import Language

Channel: TypeAlias = Literal["email", "sms"]


@attrs.frozen(kw_only=True)
class Message:
    """
    A mail or a text message.

    The link and the code open the user's account: neither is in the repr, and neither belongs in a log.

    :param kind: SuperTokens' name of its purpose, such as ``PASSWORD_RESET`` or ``EMAIL_VERIFICATION``.
    :param to: the e-mail address or phone number.
    :param tenant_id: of the user.
    :param user_id: of the user, None if none exists yet.
    :param link: to the page of the website where the user goes on.
    :param code: for the user to type in. A message may have both link and code.
    :param lifetime_ms: milliseconds for which link and code are valid, None if the message does not say.
    :param app_name: that of the app, which every recipe fills in.
    :param channel: whether it is a mail or a text message, which every recipe fills in.
    :param language: of the user. Recipes fill in that of the request, if the app has ``Pages``, and else English.
    """

    kind: str
    to: str = attrs.field(repr=False)
    tenant_id: str
    user_id: str | None = None
    link: str | None = attrs.field(default=None, repr=False)
    code: str | None = attrs.field(default=None, repr=False)
    lifetime_ms: int | None = None
    app_name: str = attrs.field(default="", repr=False)
    channel: Channel = "email"
    language: Language | None = None
