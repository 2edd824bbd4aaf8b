"""What mails say: the same in plain text and HTML, with nothing that the message does not have."""

from __future__ import annotations

import attrs
import pytest

from st_wsgi.delivery import Message, MessageNotSent, mail_content
from st_wsgi.delivery.templates import mail_kinds

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


@pytest.mark.parametrize("kind", mail_kinds())
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
    with pytest.raises(MessageNotSent, match="pass content= with a text of your own"):
        mail_content(attrs.evolve(MESSAGE, kind=kind))
