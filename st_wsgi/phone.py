"""
Phone numbers in one spelling: that of E.164, such as ``+4930123456``.

With the package phonenumbers, numbers are read as the official SDKs and the core read them. Without it, only numbers
that have this form already are taken, apart from what separates their digits.
"""

from __future__ import annotations

import re

from .errors import ConfigError
from .grammar import E164

try:
    import phonenumbers
except ImportError:
    _PHONENUMBERS = False
else:
    _PHONENUMBERS = True

_SEPARATORS = re.compile(r"[\s().-]+")


def normalised_phone_number(text: str) -> str | None:
    """
    Return a phone number in E.164, or None if it is none, or one that needs a country to be understood.

    ::

        from st_wsgi.phone import normalised_phone_number

        assert normalised_phone_number("+49 30 12 34 56") == "+4930123456"
        assert normalised_phone_number("030 123456") is None
    """
    if not _PHONENUMBERS:
        # In +49 (0)30 123456, the 0 is dialled inside the country only.
        number = "" if "(0)" in text else _SEPARATORS.sub("", text)
    else:
        try:
            number = phonenumbers.format_number(phonenumbers.parse(text, None), phonenumbers.PhoneNumberFormat.E164)
        except phonenumbers.NumberParseException:
            return None
    return number if E164.fullmatch(number) else None


def is_phone_number(number: str) -> bool:
    """
    Return whether a phone number can belong to a user.

    With the package phonenumbers, the numbering plan of its country is asked; without it, only the form counts.

    :param number: in E.164.
    """
    if normalised_phone_number(number) != number:  # also where no country has the number
        return False
    return not _PHONENUMBERS or phonenumbers.is_valid_number(phonenumbers.parse(number, None))


def require_phonenumbers(what: str) -> None:
    """
    Refuse to start without the package phonenumbers, for what cannot do without it, such as the embedded core.

    :param what: begins the message, such as ``passwordless by phone with an embedded core``.
    :raises ConfigError: it is not installed.
    """
    if not _PHONENUMBERS:
        raise ConfigError(f'{what} needs the package phonenumbers: run pip install "st-wsgi[phone]"')
