"""The forms: their fields, the rules for them, and what a request filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import attrs

from ...errors import BadInput, ConfigError, FieldErrors
from .types import FieldValue, FormField, Validate

EMAIL = "email"
PASSWORD = "password"

_EMAIL_LIMIT = 256
# One local part without spaces, quotes or separators, and a dotted domain or a bracketed IPv4 address. The classes of
# neighbouring parts do not overlap, so that matching takes linear time.
_EMAIL = re.compile(
    r"[^\s\x00-\x1f\x7f<>()\[\]\\.,;:@\"]+(?:\.[^\s\x00-\x1f\x7f<>()\[\]\\.,;:@\"]+)*"
    r"@(?:\[[0-9]{1,3}(?:\.[0-9]{1,3}){3}\]|(?:[a-zA-Z0-9-]+\.)+[a-zA-Z]{2,})"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Signs without a shape that str.isprintable() takes for letters or marks (Unicode, Default_Ignorable_Code_Point), and
# the blank Braille pattern.
_INVISIBLE = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def normalise_email(email: str) -> str:
    """Return the one form in which an e-mail address is kept and compared: without outer spaces, in lower case."""
    return email.strip().lower()


def default_email_rule(value: str, _tenant_id: str) -> str | None:
    """
    Return what is wrong with an e-mail address, or None.

    Invisible and direction-changing characters are refused: with them, two accounts would look like one.
    """
    if len(value) > _EMAIL_LIMIT or not _EMAIL.fullmatch(value):
        return "Email is invalid"
    return None if value.isprintable() and not _INVISIBLE.search(value) else "Email is invalid"


def default_password_rule(*, byte_limit: int | None) -> Validate:
    """
    Return SuperTokens' rule: 8 to 99 characters with a letter and a digit.

    :param byte_limit: what the core's password hash can take. bcrypt looks at 72 bytes only: two longer passwords that
        begin alike would open the same account.
    """

    def rule(value: str, _tenant_id: str) -> str | None:
        if len(value) < 8:
            return "Password must contain at least 8 characters, including a number"
        if len(value) >= 100:
            return "Password must have fewer than 100 characters"
        if byte_limit is not None and len(value.encode("utf-8")) > byte_limit:
            return f"Password must not be longer than {byte_limit} bytes"
        if _CONTROL.search(value):
            return "Password must not contain control characters"
        if not re.search(r"[A-Za-z]", value):
            return "Password must contain at least one letter"
        if not re.search(r"[0-9]", value):
            return "Password must contain at least one number"
        return None

    return rule


def sign_up_fields(given: Iterable[FormField]) -> tuple[FormField, ...]:
    """
    Return the fields of the sign-up form: those that were given, and e-mail and password if they were not.

    :raises ConfigError: a name stands twice, or e-mail or password is optional.
    """
    fields = {}
    for field in given:
        if field.id in fields:
            raise ConfigError(f"the form field {field.id!r} is there twice")
        if field.id in (EMAIL, PASSWORD) and field.optional:
            raise ConfigError(f"the form field {field.id!r} cannot be optional")
        fields[field.id] = field
    for name in (EMAIL, PASSWORD):
        fields.setdefault(name, FormField(id=name))
    return tuple(fields.values())


def sign_in_fields(sign_up: Iterable[FormField]) -> tuple[FormField, ...]:
    """Return the fields of the sign-in form: the password is checked by the core, not by today's rules for new ones."""
    rules = {field.id: field.validate for field in sign_up}
    return (FormField(id=EMAIL, validate=rules[EMAIL]), FormField(id=PASSWORD, validate=_anything))


def with_rules(fields: Iterable[FormField], *, byte_limit: int | None) -> tuple[FormField, ...]:
    """Return *fields* with a rule for each."""
    defaults: dict[str, Validate] = {
        EMAIL: default_email_rule,
        PASSWORD: default_password_rule(byte_limit=byte_limit),
    }
    return tuple(
        field if field.validate is not None else attrs.evolve(field, validate=defaults.get(field.id, _anything))
        for field in fields
    )


def read_form(body: dict[str, Any], fields: tuple[FormField, ...], *, tenant_id: str) -> tuple[FieldValue, ...]:
    """
    Return what a request filled in, validated; the e-mail in its normal form.

    :raises BadInput: this is no form, or has fields that are unknown or there twice.
    :raises FieldErrors: a field is missing or not good.
    """
    values = _raw_values(body.get("formFields"), fields)
    errors: list[tuple[str, str]] = []
    good: list[FieldValue] = []
    for field in fields:
        value = values.get(field.id, "")
        if not value:
            if not field.optional:
                errors.append((field.id, "Field is not optional"))
            continue
        problem = None if field.validate is None else field.validate(value, tenant_id)
        if problem is not None:
            errors.append((field.id, problem))
        good.append(FieldValue(field.id, value))
    if errors:
        raise FieldErrors(errors)
    return tuple(good)


def value_of(form_fields: Iterable[FieldValue], name: str) -> str:
    """
    Return the value of one field.

    :raises BadInput: it is not there.
    """
    for field in form_fields:
        if field.id == name:
            return field.value
    raise BadInput(f"the form field {name} is missing")


def _raw_values(items: object, fields: tuple[FormField, ...]) -> dict[str, str]:
    if not isinstance(items, list):
        raise BadInput("formFields must be an array")
    if len(items) > len(fields):
        raise BadInput("there are too many formFields")
    known = {field.id for field in fields}
    values: dict[str, str] = {}
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not isinstance(item.get("value"), str):
            raise BadInput("every element of formFields must be an object with the texts 'id' and 'value'")
        name, value = item["id"], item["value"]
        if name not in known or name in values:
            raise BadInput("formFields has an unknown field, or a field twice")
        values[name] = normalise_email(value) if name == EMAIL else value
    return values


def _anything(_value: str, _tenant_id: str) -> str | None:
    return None
