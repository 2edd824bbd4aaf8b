"""Languages of what people read: pages, mails and text messages."""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

_RIGHT_TO_LEFT = frozenset({"ar", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"})
_NUMBER = re.compile(r"[0-9]+")
_SUPPORT_CODE = re.compile(r" \(ERR_CODE_[0-9]{3}\)\Z")


@attrs.frozen
class Language:
    """
    A language, with its texts by their English form. A text that it does not have stays English.

    >>> Language("fr", {"Continue with {provider}": "Continuer avec {provider}"}).text(
    ...     "Continue with {provider}", provider="GitHub"
    ... )
    'Continuer avec GitHub'

    :param code: such as ``de``, or ``pt-BR``.
    :param texts: names in braces stand for values, as in the English texts.
    """

    code: str = "en"
    texts: Mapping[str, str] = attrs.field(factory=dict, repr=False, eq=False)

    @property
    def direction(self) -> str:
        """``ltr``, or ``rtl`` for languages that run from right to left."""
        return "rtl" if self.code.partition("-")[0].lower() in _RIGHT_TO_LEFT else "ltr"

    def text(self, english: str, **values: str) -> str:
        """
        Return a text in this language. *values* replace the names in braces. A code for the support stays, and so does
        a number that an app has chosen: ``At least 12 characters.`` is known as ``At least {number} characters.``
        """
        code = _SUPPORT_CODE.search(english)
        bare = english if code is None else english[: code.start()]
        number = _NUMBER.search(bare)
        if number is not None and not values and bare not in self.texts:
            general = f"{bare[: number.start()]}{{number}}{bare[number.end() :]}"
            bare = self.texts.get(general, bare).replace("{number}", number[0])
        known = self.texts.get(bare, bare) + ("" if code is None else code[0])
        return known.format(**values) if values else known


ENGLISH = Language()
