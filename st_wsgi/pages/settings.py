"""What an app may choose about its pages: brand, fields, texts, and the HTML document around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, get_args

import attrs

from ..checks import Check
from .html import Html

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LINK = re.compile(r"(https://|/(?!/))[!-~]*")

_a_text = Check("a text or None", lambda value: value is None or (isinstance(value, str) and bool(value.strip())))
_a_colour = Check("a colour such as '#0b5fff'", lambda value: isinstance(value, str) and bool(_COLOUR.fullmatch(value)))
_a_link = Check(
    "an https address or a path such as /terms, or None",
    lambda value: value is None or (isinstance(value, str) and bool(_LINK.fullmatch(value))),
)


@attrs.frozen(kw_only=True)
class Brand:
    """
    How the pages show the name and the look of the app.

    ::

        Brand(name="Shop", logo="/static/logo.svg", colour="#7a3cff", terms="/terms", privacy="/privacy")

    :param name: default: the name of the app.
    :param logo: the address of a picture, which is shown 40 pixels high beside the name.
    :param colour: of buttons. The text on them is black or white, whichever is easier to read.
    :param terms: the address of the terms of use.
    :param privacy: the address of the privacy policy.
    """

    name: str | None = attrs.field(default=None, validator=_a_text)
    logo: str | None = attrs.field(default=None, validator=_a_link)
    colour: str = attrs.field(default="#2256d6", validator=_a_colour)
    terms: str | None = attrs.field(default=None, validator=_a_link)
    privacy: str | None = attrs.field(default=None, validator=_a_link)

    @property
    def text_colour(self) -> str:
        """Black or white: the one with the higher contrast to the colour (WCAG 2.2, "relative luminance")."""
        red, green, blue = (_linear(int(self.colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
        luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "#000000"


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


FieldType: TypeAlias = Literal["text", "email", "password", "tel", "url", "number", "date", "checkbox"]
_TYPES: tuple[str, ...] = get_args(FieldType)


@attrs.frozen(kw_only=True)
class Field:
    """
    How a page shows a field of the sign-up form.

    ::

        Field(label="Date of birth", type="date", autocomplete="bday")

    :param label: default: the name of the field in words, such as "First name" for ``first_name``.
    :param type: of the input. The value of a checkbox is true, of the others a text.
    :param autocomplete: what browsers fill in (HTML standard, "autofill detail tokens").
    :param hint: a sentence below the field.
    """

    label: str | None = attrs.field(default=None, validator=_a_text)
    type: FieldType = attrs.field(
        default="text", validator=Check(f"one of {', '.join(_TYPES)}", lambda value: value in _TYPES)
    )
    autocomplete: str | None = attrs.field(default=None, validator=_a_text)
    hint: str | None = attrs.field(default=None, validator=_a_text)


@attrs.frozen(kw_only=True)
class PageParts:
    """
    The parts of a page that a frame puts into its HTML document.

    :param title: of the page, for the ``title`` element.
    :param head: elements for the head: the style sheet, and the script if the page has one.
    :param body: the content, from its heading on.
    :param language: for the attribute ``lang`` of the ``html`` element, such as ``de``.
    :param direction: for its attribute ``dir``: ``ltr``, or ``rtl`` for languages that run from right to left.
    """

    title: str
    head: Html
    body: Html
    language: str
    direction: str


Frame: TypeAlias = Callable[[PageParts], str]
"""From the parts of a page to the whole HTML document, such as a rendered template of the app."""

Texts: TypeAlias = Mapping[str, Mapping[str, str]]
"""From a language, such as ``fr``, to a mapping from English texts to its own."""
