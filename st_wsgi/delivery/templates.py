"""
The text of mails, from the files in ``mails``, and of text messages, from those in ``texts``.

A mail's file has the subject in its first line and then blocks, with blank lines between them. ``{app}``, ``{to}`` and
``{lifetime}`` are replaced in all of them. A block ``[link: Label]`` is the link, with its label on a button in HTML;
``[code]`` is the code. They are left out if the message has none. Plain text and HTML are made of
the same blocks; ``layout.html`` is around the HTML, in which every text is escaped.

A text message's file has the same names and ``{code}`` and ``{link}``. A line with one of these two is left out if the
message does not have it.

Subject, block, label and line are the English texts by which a language finds its own (:mod:`st_wsgi.languages`).
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import textwrap
from html import escape
from string import Template

import attrs

from ..errors import MessageNotSent
from ..languages import ENGLISH, Language
from .message import Message

_LINK = re.compile(r"\[link: (.+)\]")
_NAME = re.compile(r"\{([a-z]+)\}")
_UNITS = (
    ("1 day", "{number} days", 86_400_000),
    ("1 hour", "{number} hours", 3_600_000),
    ("1 minute", "{number} minutes", 60_000),
)
_HELP, _END = "If the button does not work, open this address:", "{app} sent this mail automatically."
_APP, _LIFETIME = "our website", "a limited time"
_BUTTON = Template(
    '<p style="margin:24px 0"><a href="$link" class="button" style="display:inline-block;padding:13px 24px;'
    'border-radius:8px;background:#3448c5;color:#ffffff;font-weight:600;text-decoration:none">$label</a></p>'
    '<p class="quiet" style="margin:0 0 16px;color:#5d6880;font-size:13px">$help<br>'
    '<a href="$link" class="quiet" style="color:#5d6880;word-break:break-all">$link</a></p>'
)
_CODE = Template(
    '<p class="code" style="margin:24px 0;padding:16px;border-radius:8px;background:#eef1f7;color:#1d2433;'
    'font:600 28px/1.2 ui-monospace,Consolas,monospace;letter-spacing:4px;text-align:center">$code</p>'
)
_PARAGRAPH = Template('<p style="margin:0 0 16px">$text</p>')


@attrs.frozen(kw_only=True)
class MailContent:
    """
    What a mail says.

    :param subject: one line.
    :param text: the plain text.
    :param html: the same as an HTML page; None for a mail in plain text only.
    """

    subject: str
    text: str = attrs.field(repr=False)
    html: str | None = attrs.field(default=None, repr=False)


def mail_content(message: Message, /) -> MailContent:
    """
    Return the subject, the plain text and the HTML of a mail, in the language of the message.

    An app changes them in a function of its own::

        def content(message: Message) -> MailContent:
            standard = mail_content(message)
            if message.kind == "PASSWORD_RESET":
                return attrs.evolve(standard, subject="Your new password for the shop")
            return standard

        email_delivery = SMTP(host="smtp.example.com", sender="hello@shop.example", content=content)

    :raises MessageNotSent: there is no mail of this kind.
    """
    language, values = message.language or ENGLISH, _values(message)
    subject, *blocks = _template("mails", message).strip().split("\n\n")
    subject = language.text(subject, **values)
    texts, parts = [], []
    for block in blocks:
        button = _LINK.fullmatch(block)
        if button is not None:
            if message.link is not None:
                label, help_text = (escape(language.text(text)) for text in (button[1], _HELP))
                texts.append(message.link)
                parts.append(_BUTTON.substitute(link=escape(message.link), label=label, help=help_text))
        elif block == "[code]":
            if message.code is not None:
                texts.append(message.code)
                parts.append(_CODE.substitute(code=escape(message.code)))
        else:
            text = " ".join(language.text(block, **values).split())
            texts.append(textwrap.fill(text, 72, break_long_words=False, break_on_hyphens=False))
            parts.append(_PARAGRAPH.substitute(text=escape(text)))
    html = Template(_file("mails", "layout.html")).substitute(
        language=escape(language.code),
        direction=language.direction,
        subject=escape(subject),
        content="\n".join(parts),
        end=escape(language.text(_END, **values)),
    )
    return MailContent(subject=subject, text="\n\n".join(texts) + "\n", html=html)


def sms_content(message: Message, /) -> str:
    """
    Return what a text message says, in the language of the message.

    :raises MessageNotSent: there is no text message of this kind.
    """
    language, values = message.language or ENGLISH, _values(message)
    for name, value in (("code", message.code), ("link", message.link)):
        if value is not None:
            values[name] = value
    lines = _template("texts", message).strip().split("\n")
    return "\n".join(language.text(line, **values) for line in lines if set(_NAME.findall(line)) <= set(values))


def kinds(folder: str) -> list[str]:
    """Return the kinds of messages that have a template in a folder."""
    files = importlib.resources.files(__package__).joinpath(folder).iterdir()
    return sorted(file.name.removesuffix(".txt").upper() for file in files if file.name.endswith(".txt"))


def _values(message: Message) -> dict[str, str]:
    language = message.language or ENGLISH
    lifetime = message.lifetime_ms
    return {
        "app": " ".join(message.app_name.split()) or language.text(_APP),
        "to": message.to,
        "lifetime": language.text(_LIFETIME) if lifetime is None else _duration(lifetime, language),
    }


def _template(folder: str, message: Message) -> str:
    if message.kind not in kinds(folder):
        name = {"mails": "mail", "texts": "text message"}[folder]
        raise MessageNotSent(f"there is no {name} {message.kind!r}: pass content= with a text of your own")
    return _file(folder, f"{message.kind.lower()}.txt")


@functools.cache
def _file(folder: str, name: str) -> str:
    return importlib.resources.files(__package__).joinpath(folder).joinpath(name).read_text("utf-8")


def _duration(milliseconds: int, language: Language) -> str:
    """Return a time in the largest unit of which it is a whole number, or in minutes."""
    one, many, size = next((unit for unit in _UNITS if milliseconds % unit[2] == 0), _UNITS[-1])
    number = max(1, milliseconds // size)
    return language.text(one) if number == 1 else language.text(many, number=str(number))
