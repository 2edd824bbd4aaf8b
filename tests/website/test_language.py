"""The language of mails and text messages: that of the person who asked for them."""

from __future__ import annotations

import logging

import pytest
from recipes.shop import Borrowed, Shop

from st_wsgi.delivery import Message, mail_content, sms_content
from st_wsgi.pages import Pages
from st_wsgi.recipes import emailpassword
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.request.context import RequestContext
from website.conftest import with_pages
from website.person import Person
from website.test_messages import Mailbox

FRENCH = {"Set a new password for {app}": "Nouveau mot de passe pour {app}"}


class Post:
    """A shop that sends passwords and codes, and what it sent."""

    def __init__(self, core: Borrowed, pages: Pages | None = None) -> None:
        self.mailbox = Mailbox()
        codes = Passwordless(
            contact_config=ContactEmailOrPhoneConfig(),
            flow_type="USER_INPUT_CODE",
            email_delivery=self.mailbox.deliver,
            sms_delivery=self.mailbox.deliver,
        )
        self.shop: Shop = with_pages(core, EmailPassword(email_delivery=self.mailbox.deliver), codes, pages=pages)

    def forgotten(self, language: str = "en", query: str = "") -> Message:
        """Return the mail to a person who has forgotten their password."""
        person, visitor = Person(self.shop, language=language), self.shop.visitor()
        visitor.sign_up()
        person.email = visitor.email
        person.open(f"/auth/reset-password{query}")
        person.submit(email=person.email)
        return self.mailbox.take()


def by_query(context: RequestContext) -> str:
    return context.query_values("lang")[0]


def test_a_mail_has_the_language_of_the_browser(core: Borrowed) -> None:
    message = Post(core).forgotten("de-AT,de;q=0.9,en;q=0.5")
    assert message.language is not None
    assert message.language.code == "de"
    assert mail_content(message).subject == "Neues Passwort für Shop"
    assert mail_content(Post(core).forgotten("en")).subject == "Set a new password for Shop"


def test_a_text_message_has_the_language_of_the_browser(core: Borrowed) -> None:
    post = Post(core)
    person = Person(post.shop, language="de")
    person.open("/auth")
    person.submit(**{"st-action": "code", "contact": "+49 30 123456"})
    assert sms_content(post.mailbox.take()).startswith("Bei Shop anmelden\nCode: ")


def test_a_mail_has_the_language_of_the_page_and_the_texts_of_the_app(core: Borrowed) -> None:
    post = Post(core, Pages(language=by_query, texts={"fr": FRENCH}))
    content = mail_content(post.forgotten(query="?lang=fr"))
    assert content.subject == "Nouveau mot de passe pour Shop"
    assert content.html is not None
    assert '<html lang="fr" dir="ltr">' in content.html
    assert mail_content(post.forgotten(query="?lang=de")).subject == "Neues Passwort für Shop"


def test_the_api_sends_mails_in_the_language_of_the_browser_too(core: Borrowed) -> None:
    post = Post(core)
    visitor = post.shop.visitor()
    visitor.sign_up()
    body = {"formFields": [{"id": "email", "value": visitor.email}]}
    visitor.call("POST", "/auth/user/password/reset/token", json=body, headers={"Accept-Language": "de"})
    assert mail_content(post.mailbox.take()).subject == "Neues Passwort für Shop"


def test_a_mail_is_sent_although_its_language_cannot_be_chosen(
    core: Borrowed, caplog: pytest.LogCaptureFixture
) -> None:
    post = Post(core, Pages(language=by_query))
    visitor = post.shop.visitor()
    user_id = visitor.sign_up().get_json()["user"]["id"]
    caplog.set_level(logging.ERROR)
    emailpassword.send_reset_password_email(tenant_id="public", user_id=user_id, email=visitor.email)
    assert mail_content(post.mailbox.take()).subject == "Set a new password for Shop"
    assert "a message is sent in English" in caplog.text


def test_without_pages_mails_are_in_english(core: Borrowed) -> None:
    mailbox = Mailbox()
    visitor = Shop(core, recipes=[EmailPassword(email_delivery=mailbox.deliver)]).visitor()
    visitor.sign_up()
    body = {"formFields": [{"id": "email", "value": visitor.email}]}
    visitor.call("POST", "/auth/user/password/reset/token", json=body, headers={"Accept-Language": "de"})
    message = mailbox.take()
    assert message.language is not None
    assert (message.language.code, mail_content(message).subject) == ("en", "Set a new password for Shop")


def test_a_number_in_a_text_from_right_to_left_keeps_its_order(core: Borrowed) -> None:
    """Without marks around it (UAX 9), a browser shows the plus sign behind the number."""
    post = Post(
        core,
        Pages(texts={"ar": {"We have sent a code to {contact}.": "\u0623\u0631\u0633\u0644\u0646\u0627 {contact}."}}),
    )
    person = Person(post.shop, language="ar")
    person.open("/auth")
    person.submit(**{"st-action": "code", "contact": "+49 30 123456"})
    assert any(one.text.endswith(" \u2068+49 30 123456\u2069.") for one in person.screen.all("p"))
    assert sms_content(post.mailbox.take()).splitlines()[1].startswith("Code: ")
