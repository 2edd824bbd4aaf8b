"""The one spelling under which a phone number is stored and found: E.164, as libphonenumber reads it."""

from __future__ import annotations

import importlib.util

from .fields import CallRefused, trimmed

_PHONENUMBERS = importlib.util.find_spec("phonenumbers") is not None


def normal_phone(phone: str) -> str:
    """
    Return a phone number in E.164; what is none without a country stays as it is, but trimmed.

    :raises CallRefused: when the library that reads phone numbers is not installed.
    """
    if not _PHONENUMBERS:
        raise CallRefused(500, "phone numbers need the package phonenumbers: run `pip install 'st-wsgi[phone]'`")
    import phonenumbers  # only here: it takes long to load, and most apps have no phone numbers

    try:
        number = phonenumbers.parse(trimmed(phone), None)
    except phonenumbers.NumberParseException:
        return trimmed(phone)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normal_phone_or_none(phone: str | None) -> str | None:
    """Return the same of a phone number that may be absent."""
    return None if phone is None else normal_phone(phone)
