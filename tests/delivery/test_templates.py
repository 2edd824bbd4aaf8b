"""What mails say: the same in plain text and HTML, with nothing that the message does not have."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

import attrs
import pytest

import st_wsgi
from st_wsgi.delivery import Message, MessageNotSent, mail_content, sms_content, templates
from st_wsgi.delivery.templates import kinds
from st_wsgi.languages import Language
from st_wsgi.pages.texts import GERMAN

LINK = "https://shop.example/auth/verify?a=1&b=2#code"
MESSAGE = Message(
    kind="PASSWORDLESS_LOGIN",
    to="ada@example.com",
    tenant_id="public",
    link=LINK,
    code="123456",
    lifetime_ms=900_000,
    app_name="Shop",
)


@pytest.mark.parametrize("kind", kinds("mails"))
def test_every_mail_is_complete(kind: str) -> None:
    content = mail_content(attrs.evolve(MESSAGE, kind=kind))
    assert content.html is not None
    for text in (content.subject, content.text, content.html):
        assert "$" not in text
        assert "Shop" in text
    assert max(len(line) for line in content.text.splitlines()) <= 72
    assert "ada@example.com" in content.html
    assert "//" not in content.html.replace(LINK.replace("&", "&amp;"), "")  # nothing is loaded from anywhere


def test_a_code_without_link_and_a_link_without_code() -> None:
    code = mail_content(attrs.evolve(MESSAGE, link=None))
    link = mail_content(attrs.evolve(MESSAGE, code=None))
    assert ("123456" in code.text, "https:" in code.text) == (True, False)
    assert ("123456" in link.text, LINK in link.text.splitlines()) == (False, True)
    assert link.html is not None
    assert "123456" not in link.html


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (900_000, "15 minutes"),
        (60_000, "1 minute"),
        (3_600_000, "1 hour"),
        (172_800_000, "2 days"),
        (90_000, "1 minute"),
    ],
)
def test_the_lifetime_in_words(milliseconds: int, text: str) -> None:
    assert f"for {text}." in mail_content(attrs.evolve(MESSAGE, lifetime_ms=milliseconds)).text


def test_an_unknown_lifetime_is_no_number() -> None:
    assert "works once, for a limited time." in mail_content(attrs.evolve(MESSAGE, lifetime_ms=None)).text


@pytest.mark.parametrize("kind", ["NO_SUCH_MAIL", "LAYOUT", "../MAILS/PASSWORD_RESET", ""])
def test_a_kind_without_a_text_is_named(kind: str) -> None:
    for content in (mail_content, sms_content):
        with pytest.raises(MessageNotSent, match="pass content= with a text of your own"):
            content(attrs.evolve(MESSAGE, kind=kind))


@pytest.mark.parametrize("kind", kinds("texts"))
def test_every_text_message_says_from_whom_it_is_and_what_the_message_has(kind: str) -> None:
    both = sms_content(attrs.evolve(MESSAGE, kind=kind))
    assert "$" not in both
    assert all(part in both for part in ("Shop", "123456", LINK, "15 minutes"))
    code = sms_content(attrs.evolve(MESSAGE, kind=kind, link=None))
    link = sms_content(attrs.evolve(MESSAGE, kind=kind, code=None))
    assert ("123456" in code, "http" in code, "Link" in code) == (True, False, False)
    assert ("123456" in link, LINK in link, "Code" in link) == (False, True, False)


def test_a_code_alone_fits_into_one_text_message() -> None:
    """160 characters of GSM 03.38, which has all of ASCII's letters, digits, spaces, commas, colons and full stops."""
    text = sms_content(attrs.evolve(MESSAGE, link=None, app_name="A shop with a rather long name"))
    assert len(text) <= 160
    assert set(text) <= set(string.ascii_letters + string.digits + " \n,.:")


def test_names_in_what_comes_from_users_are_not_filled_in() -> None:
    text = sms_content(attrs.evolve(MESSAGE, code="$link", app_name="$code\nShop"))
    assert text.splitlines()[:2] == ["Sign in to $code Shop", "Code: $link"]


PACKAGE = Path(st_wsgi.__file__).parent
GERMAN_MESSAGE = attrs.evolve(MESSAGE, language=Language("de", GERMAN))


def english_texts() -> set[str]:
    """Return all texts of messages: those of the files, and those that stand in the code."""
    code = (PACKAGE / "delivery" / "templates.py").read_text("utf-8")
    texts = {text for names in templates._UNITS for text in names[:2]}
    texts |= {templates._HELP, templates._END, templates._APP, templates._LIFETIME}
    assert all(json.dumps(text) in code for text in texts)
    for folder, between in (("mails", "\n\n"), ("texts", "\n")):
        for file in (PACKAGE / "delivery" / folder).glob("*.txt"):
            texts |= set(file.read_text("utf-8").strip().split(between))
    return {re.sub(r"\[link: (.+)\]", r"\1", text) for text in texts - {"[code]"}}


def test_the_german_table_has_every_text_of_messages_and_no_other() -> None:
    table = (PACKAGE / "pages" / "texts.py").read_text("utf-8").split("# Mails and text messages.")[1]
    of_messages = {text for text in GERMAN if re.search(rf"^    {re.escape(json.dumps(text))}:", table, re.MULTILINE)}
    assert len(of_messages) > 30
    assert of_messages <= english_texts() <= set(GERMAN)


@pytest.mark.parametrize("kind", kinds("mails"))
def test_every_mail_is_complete_in_german(kind: str) -> None:
    content = mail_content(attrs.evolve(GERMAN_MESSAGE, kind=kind))
    english = mail_content(attrs.evolve(MESSAGE, kind=kind))
    assert content.html is not None
    assert '<html lang="de" dir="ltr">' in content.html
    for text in (content.subject, content.text, content.html):
        assert "{" not in text.split("</style>")[-1]
        assert "Shop" in text
    assert not set(content.text.split("\n\n")) & set(english.text.split("\n\n")) - {LINK, "123456"}
    assert max(len(line) for line in content.text.splitlines()) <= 72
    assert (LINK in content.text, "123456" in content.text) == (LINK in english.text, "123456" in english.text)


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(60_000, "eine Minute"), (3_600_000, "eine Stunde"), (172_800_000, "2 Tage"), (None, "eine begrenzte Zeit")],
)
def test_the_lifetime_in_german_words(milliseconds: int | None, text: str) -> None:
    assert f"gilt einmal, {text} lang." in mail_content(attrs.evolve(GERMAN_MESSAGE, lifetime_ms=milliseconds)).text


def test_a_german_code_fits_into_one_text_message() -> None:
    text = sms_content(attrs.evolve(GERMAN_MESSAGE, link=None, app_name="Ein Laden mit einem recht langen Namen"))
    assert text.splitlines()[1] == "Code: 123456"
    assert len(text) <= 160
    assert set(text) <= set(string.ascii_letters + string.digits + " \n,.:\u00e4\u00f6\u00fc\u00df")


def test_a_language_of_the_app_may_run_from_right_to_left_and_have_holes() -> None:
    language = Language("ar", {"Set a new password for {app}": "\u0643\u0644\u0645\u0629 {app}"})
    content = mail_content(attrs.evolve(MESSAGE, kind="PASSWORD_RESET", language=language))
    assert content.subject == "\u0643\u0644\u0645\u0629 Shop"
    assert content.html is not None
    assert '<html lang="ar" dir="rtl">' in content.html
    assert "This link works once, for 15 minutes." in content.text


def test_what_comes_from_users_is_no_pattern() -> None:
    message = attrs.evolve(GERMAN_MESSAGE, kind="PASSWORD_RESET", to="{app}@example.com", app_name="{to}")
    assert "Konto {app}@example.com bei {to} " in mail_content(message).text
