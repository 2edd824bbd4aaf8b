"""What mails say: the same in plain text and HTML, with nothing that the message does not have."""

from __future__ import annotations

import string

import attrs
import pytest

from st_wsgi.delivery import Message, MessageNotSent, mail_content, sms_content
from st_wsgi.delivery.templates import kinds

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
