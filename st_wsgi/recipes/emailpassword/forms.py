"""The sign-up and sign-in forms, and the rules for passwords."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from ...errors import ConfigError
from ...recipe_kit.forms import EMAIL, PASSWORD, FormField, Validate, email_rule

PASSWORD_HINT = "At least {number} characters, with a letter and a digit.", 8
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def password_rule(*, byte_limit: int | None) -> Validate:
    """
    Return SuperTokens' rule: 8 to 99 characters with a letter and a digit.

    :param byte_limit: the number of bytes that the core's password hash uses. bcrypt uses 72: two longer passwords with
        the same beginning would open the same account.
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


def sign_up_fields(form_fields: Iterable[FormField]) -> tuple[FormField, ...]:
    """
    Return the fields of the sign-up form: *form_fields*, and e-mail and password if they are missing.

    :raises ConfigError: a field is there twice, or e-mail or password is optional.
    """
    fields = {}
    for field in form_fields:
        if field.id in fields:
            raise ConfigError(f"sign_up_feature has the form field {field.id!r} twice")
        if field.id in (EMAIL, PASSWORD) and field.optional:
            raise ConfigError(f"the form field {field.id!r} of sign_up_feature cannot be optional")
        fields[field.id] = field
    for name in (EMAIL, PASSWORD):
        fields.setdefault(name, FormField(id=name))
    return tuple(fields.values())


def sign_in_fields(sign_up: Iterable[FormField]) -> tuple[FormField, ...]:
    """Return the fields of the sign-in form. The rule for new passwords is not applied to existing ones."""
    rules = {field.id: field.validate for field in sign_up}
    return (FormField(id=EMAIL, validate=rules[EMAIL]), FormField(id=PASSWORD, validate=_anything))


def with_rules(fields: Iterable[FormField], *, password: Validate) -> tuple[FormField, ...]:
    """Return *fields* with SuperTokens' rule for e-mails and the rule *password* where these fields have none."""
    rules: dict[str, Validate] = {EMAIL: email_rule, PASSWORD: password}
    return tuple(
        attrs.evolve(field, validate=rules[field.id]) if field.validate is None and field.id in rules else field
        for field in fields
    )


def _anything(_value: str, _tenant_id: str) -> str | None:
    return None
