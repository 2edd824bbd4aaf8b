"""The settings of the pages: brand, fields, texts, the HTML document around them, and what is made of these."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from typing import Any, Literal, TypeAlias, get_args

import attrs

from ..attempts import AttemptStore, MemoryAttempts, SteadyAttempts
from ..checks import Check, a, a_flag, a_function
from ..errors import ConfigError
from ..languages import ENGLISH, Language
from ..limits import AttemptLimits
from ..recipe_kit.recipe import Settings
from ..recipes.session import Session
from ..recipes.session.cookies import REFRESH_PATH
from ..request.context import RequestContext
from ..services import Services
from .html import Html
from .protection import FormProtection, PagePolicy
from .static_files import StaticFile
from .texts import LANGUAGE_KEY, Languages
from .way_back import safe_path

_log = logging.getLogger("st_wsgi.pages")

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

    @property
    def style(self) -> str:
        """The rule of the style sheet with the colours."""
        return f":root {{ --accent: {self.colour}; --on-accent: {self.text_colour}; }}\n"


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

_DIRECTIVE = re.compile(r"[a-z-]+")
_SOURCE = re.compile(r"[!-+\--:<-~]+")  # visible characters without comma and semicolon, which end a source

_ORDER = ("thirdparty", "emailpassword", "passwordless", "webauthn")

_texts = Check(
    "a mapping from languages to texts by their English form",
    lambda value: isinstance(value, Mapping) and all(isinstance(own, Mapping) for own in value.values()),
)
_sources = Check(
    "a mapping from directives such as img-src to lists of sources without spaces, commas and semicolons",
    lambda value: (
        isinstance(value, Mapping)
        and all(isinstance(name, str) and _DIRECTIVE.fullmatch(name) for name in value)
        and all(isinstance(listed, list | tuple) for listed in value.values())
        and all(isinstance(one, str) and _SOURCE.fullmatch(one) for listed in value.values() for one in listed)
    ),
)
_a_path = Check("a path such as /orders", lambda value: isinstance(value, str) and safe_path(value) == value)


def mapping(of: str, kind: type[Any] | None = None) -> Check:
    """Return a check for a mapping whose values are of a kind; without one, they are functions."""
    return Check(
        f"a mapping from {of}",
        lambda value: (
            isinstance(value, Mapping)
            and all(callable(one) if kind is None else isinstance(one, kind) for one in value.values())
        ),
    )


@attrs.define(kw_only=True, eq=False, slots=False)
class PagesSettings(Settings):
    """
    The settings of the pages, and what is made of them. :class:`Pages` has these and the pages themselves.

    :ivar name: of the app, as users see it.
    :ivar origin: of the website.
    :ivar base_path: under which the pages are.
    :ivar renewal_path: of the route that renews a session.
    :ivar style: the style sheet.
    :ivar script: the script of the pages for passkeys.
    :ivar protection: the check of forms.
    :ivar policy: the headers of pages.
    :ivar renewals: counts renewals of sessions, for all processes.
    :ivar paths: of the pages that the app has, below the base path.
    """

    brand: Brand = attrs.field(factory=Brand, validator=a(Brand))
    order: Sequence[str] = attrs.field(
        default=_ORDER,
        validator=Check(
            f"a list of some of {', '.join(_ORDER)}",
            lambda value: isinstance(value, list | tuple) and set(value) <= set(_ORDER),
        ),
    )
    sessions: bool = attrs.field(default=True, validator=a_flag())
    after_sign_in: str = attrs.field(default="/", validator=_a_path)
    after_sign_out: str | None = attrs.field(default=None, validator=attrs.validators.optional(_a_path))
    fields: Mapping[str, Field] = attrs.field(factory=dict, validator=mapping("names to Field(...)", Field))
    language: Callable[[RequestContext], str | None] | None = attrs.field(
        default=None, validator=a_function("the context of the request")
    )
    texts: Texts = attrs.field(factory=dict, validator=_texts)
    frame: Frame | None = attrs.field(default=None, validator=a_function("the page to put a frame around"))
    sources: Mapping[str, Sequence[str]] = attrs.field(factory=dict, validator=_sources)

    name: str = attrs.field(init=False, repr=False)
    origin: str = attrs.field(init=False, repr=False)
    base_path: str = attrs.field(init=False, repr=False)
    renewal_path: str = attrs.field(init=False, repr=False)
    style: StaticFile = attrs.field(init=False, repr=False)
    script: StaticFile = attrs.field(init=False, repr=False)
    protection: FormProtection = attrs.field(init=False, repr=False)
    renewals: AttemptStore = attrs.field(init=False, repr=False)
    paths: set[str] = attrs.field(init=False, repr=False, factory=set)
    policy: PagePolicy = attrs.field(init=False, repr=False)
    _languages: Languages = attrs.field(init=False, repr=False)

    def bind(self, services: Services) -> None:
        super().bind(services)
        app_info = services.app_info
        if app_info.fixed_origin != app_info.api_domain or app_info.api_gateway_path:
            raise ConfigError(
                f"Pages are served by this app, so website_domain must be the api_domain {app_info.api_domain}, "
                "without an api_gateway_path; leave Pages out if another server has the pages"
            )
        if not app_info.website_base_path:
            raise ConfigError("Pages need a website_base_path such as /auth: the root belongs to the app")
        if services.get(Session).anti_csrf == "VIA_TOKEN":
            raise ConfigError("Pages work without scripts, which anti_csrf='VIA_TOKEN' needs: leave anti_csrf alone")
        if services.get(Session).get_token_transfer_method == "header":
            raise ConfigError("Pages need sessions in cookies: leave get_token_transfer_method alone")
        self.name = self.brand.name or app_info.app_name
        self.origin = app_info.api_domain
        self.base_path = app_info.website_base_path
        self.renewal_path = app_info.public_base_path + REFRESH_PATH
        self.style = StaticFile("style.css", "text/css", before=self.brand.style)
        self.script = StaticFile("passkeys.js", "text/javascript")
        self.protection = FormProtection(self.origin)
        limits = services.limiter.rate_limit
        store = limits.store if isinstance(limits, AttemptLimits) else services.transport.attempts
        # A flood of invented tokens must not push the counters of sign-ins out of the memory of a process.
        self.renewals = SteadyAttempts(None if isinstance(store, MemoryAttempts) else store)
        self.policy = PagePolicy(_with_logo(self.sources, self.brand))
        self._languages = Languages(_checked(self.texts))
        services.language_of = self.language_of_message

    def has(self, path: str) -> bool:
        """Return whether there is a page with this path below the base path."""
        return path in self.paths

    def is_no_way_back(self, path: str) -> bool:
        """Return whether a path leads to the renewal of sessions, which goes on by itself."""
        return path.startswith(self.renewal_path)

    def language_of(self, context: RequestContext) -> Language:
        """Return the language in which the user of a request sees pages."""
        if self.language is None:
            return self._languages.accepted(context)
        return self._languages.named(self.language(context))

    def language_of_message(self, context: RequestContext) -> Language:
        """Return the language of the messages that a request sends; that of its page, if it is for a page."""
        code = (context.environ or {}).get(LANGUAGE_KEY)
        try:
            return self.language_of(context) if code is None else self._languages.named(code)
        except Exception:  # the app's choice of the language, perhaps outside a request: the message is still sent
            _log.exception("a message is sent in English: its language could not be chosen")
            return ENGLISH


def _with_logo(sources: Mapping[str, Sequence[str]], brand: Brand) -> dict[str, Sequence[str]]:
    """Return the sources with that of the logo, if it comes from another server."""
    if brand.logo is None or brand.logo.startswith("/"):
        return dict(sources)
    logo = brand.logo.replace(",", "%2C").replace(";", "%3B")
    return {**sources, "img-src": [*sources.get("img-src", ()), logo]}


def _checked(texts: Texts) -> Texts:
    """
    Return the app's texts.

    :raises ConfigError: one has a name in braces that the English one does not have.
    """
    for code, own in texts.items():
        for english, text in own.items():
            try:
                wrong = _names(text) - _names(english)
            except ValueError as error:
                raise ConfigError(f"the text {text!r} of {code} is no pattern: {error}") from None
            if wrong:
                raise ConfigError(f"the text {text!r} of {code} names {sorted(wrong)}, which {english!r} does not have")
    return texts


def _names(pattern: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}
