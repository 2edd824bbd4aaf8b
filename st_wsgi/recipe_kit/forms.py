"""Forms: their fields, the rules for them, the values in a request, and the rule for e-mail addresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import attrs

from ..checks import Check, a_flag, a_function
from ..errors import BadInput, FieldErrors
from ..request.context import RequestContext

EMAIL = "email"
PASSWORD = "password"

Validate: TypeAlias = Callable[[Any, str], "str | None"]
"""From a field's value and the tenant to the text that the user sees, or None if the value is good."""

_EMAIL_LIMIT = 256
# One local part without spaces, quotes or separators, and a dotted domain or a bracketed IPv4 address. The classes of
# neighbouring parts do not overlap, so that matching takes linear time.
_EMAIL = re.compile(
    r"[^\s\x00-\x1f\x7f<>()\[\]\\.,;:@\"]+(?:\.[^\s\x00-\x1f\x7f<>()\[\]\\.,;:@\"]+)*"
    r"@(?:\[[0-9]{1,3}(?:\.[0-9]{1,3}){3}\]|(?:[a-zA-Z0-9-]+\.)+[a-zA-Z]{2,})"
)
# Characters without a shape that str.isprintable() takes for letters or marks (Unicode, Default_Ignorable_Code_Point),
# and the blank Braille pattern.
_INVISIBLE = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


@attrs.frozen(kw_only=True)
class FormField:
    """
    One field of a form.

    :param id: its name. The values of ``email`` and ``password`` are texts; those of all other fields are JSON values
        of any type, null included.
    :param validate: from the value and the tenant to an error text, or None if the value is good. Default: every value
        is good, but null counts as not filled in; for e-mail and password, SuperTokens' rules.
    :param optional: the field may be left out or empty.
    """

    id: str = attrs.field(validator=Check("a name", lambda value: isinstance(value, str) and value != ""))
    validate: Validate | None = attrs.field(default=None, validator=a_function("value and tenant"))
    optional: bool = attrs.field(default=False, validator=a_flag())


@attrs.frozen
class FieldValue:
    """
    The value that a user entered into a field.

    :param id: the name of the field.
    :param value: a text for e-mail and password, any JSON value for other fields.
    """

    id: str
    value: Any = attrs.field(repr=False)


def normalise_email(email: str) -> str:
    """Return the form in which an e-mail address is stored and compared: without outer spaces, in lower case."""
    return email.strip().lower()


def email_rule(value: str, _tenant_id: str) -> str | None:
    """
    Return what is wrong with an e-mail address, or None.

    Invisible and direction-changing characters are refused: with them, two accounts would look like one.
    """
    if len(value) > _EMAIL_LIMIT or not _EMAIL.fullmatch(value):
        return "Email is invalid"
    return None if value.isprintable() and not _INVISIBLE.search(value) else "Email is invalid"


def email_in_query(context: RequestContext) -> str:
    """
    Return the query parameter ``email`` in its normal form.

    :raises BadInput: it is missing, or there is more than one.
    """
    emails = context.query_values(EMAIL)
    if len(emails) != 1:
        raise BadInput("please give one email as a query parameter")
    return normalise_email(emails[0])


def email_entered(body: Mapping[str, Any], fields: tuple[FormField, ...]) -> str:
    """
    Return the e-mail address in ``formFields`` in its normal form, before any rule is applied; empty without one.

    :raises BadInput: the body has no form, an unknown field, or a field twice.
    """
    email: str = _values(body.get("formFields"), fields).get(EMAIL, "")
    return email


def read_form(body: dict[str, Any], fields: tuple[FormField, ...], *, tenant_id: str) -> tuple[FieldValue, ...]:
    """
    Return the validated values of ``formFields`` in a request's body, the e-mail in its normal form.

    :raises BadInput: the body has no form, an unknown field, or a field twice.
    :raises FieldErrors: a field is missing or not good.
    """
    values = _values(body.get("formFields"), fields)
    errors: list[tuple[str, str]] = []
    entered: list[FieldValue] = []
    for field in fields:
        value = values.get(field.id, "")
        if value == "" or (value is None and field.validate is None):
            if not field.optional:
                errors.append((field.id, "Field is not optional"))
            continue
        problem = None if field.validate is None else field.validate(value, tenant_id)
        if problem is not None:
            errors.append((field.id, problem))
        entered.append(FieldValue(field.id, value))
    if errors:
        raise FieldErrors(errors)
    return tuple(entered)


def text_of(form_fields: Iterable[FieldValue], name: str) -> str:
    """
    Return the text in one field.

    :raises BadInput: the field is missing, or its value is no text.
    """
    value = next((field.value for field in form_fields if field.id == name), None)
    if not isinstance(value, str):
        raise BadInput(f"the form field {name} is missing")
    return value


def text_in(body: Mapping[str, Any], name: str) -> str:
    """
    Return a member of a request's body, such as the token of a link.

    :raises BadInput: it is missing, or no text.
    """
    value = body.get(name)
    if not isinstance(value, str):
        raise BadInput(f"{name} must be a text")
    return value


def _values(items: object, fields: tuple[FormField, ...]) -> dict[str, Any]:
    if not isinstance(items, list):
        raise BadInput("formFields must be an array")
    if len(items) > len(fields):
        raise BadInput("there are too many formFields")
    known = {field.id for field in fields}
    values: dict[str, Any] = {}
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or "value" not in item:
            raise BadInput("every element of formFields must be an object with the text 'id' and a 'value'")
        name, value = item["id"], item["value"]
        if name in (EMAIL, PASSWORD) and not isinstance(value, str):
            raise BadInput(f"the value of the form field {name} must be a text")
        if name not in known or name in values:
            raise BadInput("formFields has an unknown field, or a field twice")
        values[name] = normalise_email(value) if name == EMAIL else value
    return values
