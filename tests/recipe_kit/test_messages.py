"""Recipes that send mails and text messages: the settings, the functions that send, and who is told of a failure."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from typing import Any, ClassVar

import attrs
import pytest
from toy import NoCore

from st_wsgi import AppInfo, SuperTokens
from st_wsgi.delivery import Channel, Delivery, Message, MessageNotSent
from st_wsgi.errors import ConfigError
from st_wsgi.recipe_kit.mail import MailFunctions, MailSettings, SmsFunctions, SmsSettings
from st_wsgi.recipe_kit.recipe import NoAPIs, Recipe

MAIL = Message(kind="CODE", to="ada@example.com", tenant_id="public", code="123456")
TEXT = Message(kind="CODE", to="+4930123456", tenant_id="public", code="123456")


class CodesFunctions(SmsFunctions["CodesSettings"]): ...


@attrs.define(kw_only=True, eq=False, slots=False)
class CodesSettings(SmsSettings):
    ways: Collection[Channel] = ("email", "sms")

    def channels(self) -> Collection[Channel]:
        return self.ways


@attrs.define(kw_only=True, eq=False, slots=False)
class Codes(CodesSettings, Recipe[CodesFunctions, NoAPIs]):
    id: ClassVar[str] = "codes"


class NewsFunctions(MailFunctions[MailSettings]): ...


@attrs.define(kw_only=True, eq=False, slots=False)
class News(MailSettings, Recipe[NewsFunctions, NoAPIs]):
    id: ClassVar[str] = "news"


def app_with(*recipes: Recipe[Any, Any], scheme: str = "https") -> closing[SuperTokens]:
    info = AppInfo(app_name="Shop", api_domain=f"{scheme}://api.shop.example", website_domain="https://shop.example")
    return closing(SuperTokens(app_info=info, core=NoCore(), recipes=list(recipes)))


def test_messages_go_their_way_and_say_which_it_is() -> None:
    sent: list[Message] = []
    with app_with(Codes(email_delivery=sent.append, sms_delivery=Delivery(sent.append))) as st:
        functions = st.services.functions(CodesFunctions)
        assert functions.send_email(message=MAIL)
        assert functions.send_sms(message=TEXT)
        assert functions.send_sms(message=attrs.evolve(TEXT, app_name="Another"))
    assert [(message.to, message.channel, message.app_name) for message in sent] == [
        (MAIL.to, "email", "Shop"),
        (TEXT.to, "sms", "Shop"),
        (TEXT.to, "sms", "Another"),
    ]


def refuse(message: Message) -> None:
    raise ConnectionRefusedError(f"no server for {message.to}")


def test_a_recipe_with_text_messages_raises_failures_and_one_with_mails_alone_does_not() -> None:
    with app_with(Codes(email_delivery=refuse, sms_delivery=refuse), News(email_delivery=refuse)) as st:
        codes = st.services.functions(CodesFunctions)
        with pytest.raises(MessageNotSent, match="refuse raised ConnectionRefusedError"):
            codes.send_email(message=MAIL)
        with pytest.raises(MessageNotSent, match="refuse raised ConnectionRefusedError"):
            codes.send_sms(message=TEXT)
        assert not st.services.functions(NewsFunctions).send_email(message=MAIL)


@pytest.mark.parametrize(
    ("ways", "missing"),
    [(["email", "sms"], "email_delivery"), (["sms"], "sms_delivery"), (["email"], "email_delivery")],
)
def test_the_services_that_a_recipe_uses_must_be_chosen(ways: Collection[Channel], missing: str) -> None:
    with pytest.raises(ConfigError, match=f"{missing} has no service"), app_with(Codes(ways=ways)):
        pass


def test_the_others_need_not_be_chosen_and_send_nothing() -> None:
    with app_with(Codes(ways=["sms"], sms_delivery=refuse)) as st:
        functions = st.services.functions(CodesFunctions)
        with pytest.raises(MessageNotSent, match="its recipe has no service for it"):
            functions.send_email(message=MAIL)


def test_text_messages_are_printed_in_development(capsys: pytest.CaptureFixture[str]) -> None:
    with app_with(Codes(), scheme="http") as st:
        st.services.functions(CodesFunctions).send_sms(message=TEXT)
    assert capsys.readouterr().err == "\n[st_wsgi] CODE for +4930123456:\n123456\n\n"
