"""
Reading a request's fields, with the official core's texts for what is wrong with them.

The rules are those of ``webserver/InputParser.java`` of the official core: strings must be quoted and booleans bare,
whole numbers may be quoted, and an explicit null for an optional string or boolean is an error, not an absence.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

BULK_LIMIT = 500
"""Users in a call about many."""

_BLANKS = "".join(map(chr, range(0x21)))


class CallRefused(Exception):
    """The call ends with an HTTP status of 400 and above, and a text."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(f"{status} {text}")


class Answered(Exception):
    """The call ends with a 200 whose *status* says why nothing was done: what it wrote is taken back."""

    def __init__(self, status: str, **more: object) -> None:
        self.answer: dict[str, Any] = {"status": status, **more}
        super().__init__(status)


def bad(text: str) -> CallRefused:
    """Return the refusal of a request that is not as the protocol wants it."""
    return CallRefused(400, text)


def dump(value: Any) -> str:
    """Return JSON text as the store keeps it. :raises CallRefused: for what is no JSON, such as not-a-number."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise bad("Invalid Json Input") from None


def page_token(user_id: str, time: int) -> str:
    """Return what asks for the page that starts with a user of that time."""
    return base64.b64encode(f"{user_id};{time}".encode()).decode()


def page_start(token: str) -> tuple[str, int]:
    """Return the user id and the time that a page starts with. :raises CallRefused: for a text that is no token."""
    # As Java reads it: padding may be left out, but not in part, and empty parts at the end do not count.
    padded = token if "=" in token else token + "=" * (-len(token) % 4)
    try:
        user_id, text = base64.b64decode(padded, validate=True).decode(errors="replace").rstrip(";").split(";")
    except (binascii.Error, ValueError):
        user_id = text = ""
    time = whole_number(text)
    if time is not None and len(padded) % 4 == 0:
        return user_id, time
    raise bad("invalid pagination token")


def sound(text: str) -> bool:
    """Tell whether *text* can be stored: JSON may spell half of a surrogate pair, UTF-8 cannot."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def trimmed(text: str) -> str:
    """Return *text* without spaces and control characters around it; other blanks, such as U+00A0, stay."""
    return text.strip(_BLANKS)


def whole_number(text: str, bits: int = 64) -> int | None:
    """Return the number that a text is, with digits of any script; None if it is no signed number of this many bits."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    return int(text) if digits.isdecimal() and len(digits) < 25 and fits(int(text), bits) else None


def fits(number: int, bits: int) -> bool:
    """Return whether a signed number fits into this many bits."""
    return -(1 << bits - 1) <= number < 1 << bits - 1


class _Fields(ABC):
    """The named values of a request."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values: Mapping[str, Any] = values

    @abstractmethod
    def text(self, name: str) -> str:
        """Return a string that must be there."""

    def filled(self, name: str) -> str:
        """Return a string that must be there and not blank, trimmed."""
        value = trimmed(self.text(name))
        if not value:
            raise bad(f"Field name '{name}' cannot be an empty String")
        return value


class Body(_Fields):
    """The JSON object of a POST or PUT."""

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def _refuse(self, name: str) -> CallRefused:
        return bad(f"Field name '{name}' is invalid in JSON input")

    def text(self, name: str) -> str:
        """Return a string that must be there."""
        value = self.values.get(name)
        if isinstance(value, str) and sound(value):
            return value
        raise self._refuse(name)

    def text_or_none(self, name: str) -> str | None:
        """Return a string that may be absent (but not null)."""
        return self.text(name) if name in self.values else None

    def text_or_null(self, name: str) -> str | None:
        """Return a string that may be absent or null."""
        return None if self.values.get(name) is None else self.text(name)

    def flag(self, name: str) -> bool:
        """Return a boolean that must be there."""
        value = self.values.get(name)
        if isinstance(value, bool):
            return value
        raise self._refuse(name)

    def flag_or_none(self, name: str) -> bool | None:
        """Return a boolean that may be absent (but not null)."""
        return self.flag(name) if name in self.values else None

    def object(self, name: str) -> dict[str, Any]:
        """Return a JSON object that must be there."""
        value = self.values.get(name)
        if isinstance(value, dict):
            return value
        raise self._refuse(name)

    def object_or_none(self, name: str) -> dict[str, Any] | None:
        """Return a JSON object that may be absent (but not null)."""
        return self.object(name) if name in self.values else None

    def array(self, name: str) -> list[Any]:
        """Return a JSON array that must be there."""
        value = self.values.get(name)
        if isinstance(value, (list, tuple)):
            return list(value)
        raise self._refuse(name)

    def texts(self, name: str) -> list[str]:
        """Return an array of strings that must be there."""
        values = self.array(name)
        if all(isinstance(value, str) and sound(value) for value in values):
            return values
        raise self._refuse(name)

    def texts_or_none(self, name: str) -> list[str] | None:
        """Return an array of strings that may be absent."""
        return self.texts(name) if name in self.values else None

    def filled_texts_or_none(self, name: str) -> list[str] | None:
        """Return an array of strings that may be absent; the strings are trimmed and must not be blank."""
        if name not in self.values:
            return None
        values = [trimmed(value) for value in self.texts(name)]
        if not all(values):
            raise bad(f"Field name '{name}' cannot contain an empty string")
        return values

    def user_ids(self) -> list[str]:
        """Return the user ids of a call about many users, at most 500."""
        user_ids = self.array("userIds")
        if len(user_ids) > BULK_LIMIT:
            raise bad(f"You can only query up to {BULK_LIMIT} users at a time.")
        if not all(isinstance(user_id, str) for user_id in user_ids):
            raise bad("userIds array must contain only strings")
        return user_ids

    def whole(self, name: str, *, bits: int = 64) -> int:
        """Return a required whole number. It may be a text, and a fraction is cut off."""
        value = self.values.get(name)
        if isinstance(value, float) and math.isfinite(value):
            value = int(value)
        found = whole_number(value, bits) if isinstance(value, str) else value
        if isinstance(found, int) and not isinstance(found, bool) and fits(found, bits):
            return found
        raise self._refuse(name)

    def whole_or_none(self, name: str) -> int | None:
        """Return a whole number that may be absent."""
        return self.whole(name) if name in self.values else None


class Query(_Fields):
    """The query parameters of a GET or DELETE: all are strings."""

    def text_or_none(self, name: str) -> str | None:
        """Return a parameter that may be absent."""
        value: str | None = self.values.get(name)
        if value is not None and not sound(value):
            raise bad(f"Field name '{name}' is invalid in GET request")
        return value

    def text(self, name: str) -> str:
        """Return a parameter that must be there."""
        value = self.text_or_none(name)
        if value is None:
            raise bad(f"Field name '{name}' is missing in GET request")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Return a parameter as a boolean: anything but ``true`` (in any case) is false."""
        value = self.text_or_none(name)
        return default if value is None else value.lower() == "true"

    def int_or_none(self, name: str) -> int | None:
        """Return a parameter of 32 bits that may be absent."""
        return self._number(name, "an int", 32)

    def long(self, name: str) -> int:
        """Return a parameter of 64 bits that must be there."""
        self.text(name)
        number = self._number(name, "a long", 64)
        assert number is not None
        return number

    def listed(self, name: str, separator: str = ",") -> list[str] | None:
        """Return a parameter that is a list with separators, None when absent."""
        value = self.text_or_none(name)
        if value is None:
            return None
        return [part for part in map(trimmed, value.split(separator)) if part]

    def _number(self, name: str, kind: str, bits: int) -> int | None:
        value = self.text_or_none(name)
        if value is None:
            return None
        found = whole_number(value, bits)
        if found is None:
            raise bad(f"Field name '{name}' must be {kind} in the GET request")
        return found
