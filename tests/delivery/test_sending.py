"""Messages are sent by a service; a failure is logged without secrets, passed to a hook, and raises nothing."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from st_wsgi import AppInfo
from st_wsgi.delivery import Console, Delivery, Message, MessageNotSent, delivery_of
from st_wsgi.errors import ConfigError

LINK = "https://shop.example/auth/reset-password?token=SECRET-TOKEN"
RESET = Message(
    kind="PASSWORD_RESET", to="ada@example.com", tenant_id="public", user_id="ada", link=LINK, code="123456"
)
ON_HTTPS = AppInfo(app_name="Shop", api_domain="https://api.shop.example", website_domain="https://shop.example")
LOCAL = AppInfo(app_name="Shop", api_domain="http://localhost:8000", website_domain="http://localhost:3000")


def test_any_function_is_a_service() -> None:
    sent: list[Message] = []
    assert delivery_of(sent.append, name="email_delivery", app_info=ON_HTTPS).send(RESET)
    assert sent == [RESET]


def refuse(message: Message) -> None:
    raise ConnectionRefusedError(f"no server for {message.to} and {message.link}")


def test_a_failure_is_logged_without_address_link_and_code(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert not Delivery(refuse).send(RESET)
    assert "a message of the kind PASSWORD_RESET was not sent: refuse raised ConnectionRefusedError" in caplog.text
    for secret in ("ada@example.com", "SECRET-TOKEN", "123456"):
        assert secret not in caplog.text


def test_a_failure_is_raised_where_that_is_asked_for_without_what_the_service_said() -> None:
    failures: list[Exception] = []
    delivery = Delivery(refuse, on_failure=lambda _message, error: failures.append(error))
    with pytest.raises(MessageNotSent) as raised:
        delivery.send(RESET, raising=True)
    assert str(raised.value) == "refuse raised ConnectionRefusedError"
    assert raised.value.__suppress_context__
    assert [type(error) for error in failures] == [ConnectionRefusedError]


def test_a_failure_is_passed_to_the_hook() -> None:
    failures: list[tuple[Message, Exception]] = []
    assert not Delivery(refuse, on_failure=lambda *failure: failures.append(failure)).send(RESET)
    [(message, error)] = failures
    assert (message, type(error)) == (RESET, ConnectionRefusedError)


def test_a_hook_that_fails_raises_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def hook(message: Message, error: Exception) -> None:
        raise ValueError(f"cannot alert about {message.to}")

    assert not Delivery(refuse, on_failure=hook).send(RESET)
    assert "on_failure raised ValueError" in caplog.text
    assert "ada@example.com" not in caplog.text


def test_a_message_shows_neither_address_nor_link_nor_code() -> None:
    assert repr(RESET) == (
        "Message(kind='PASSWORD_RESET', tenant_id='public', user_id='ada', lifetime_ms=None, channel='email', "
        "language=None)"
    )


def test_without_a_service_messages_go_to_the_console_in_development(capsys: pytest.CaptureFixture[str]) -> None:
    assert delivery_of(None, name="email_delivery", app_info=LOCAL).send(RESET)
    output = capsys.readouterr()
    assert output.err.splitlines() == ["", "[st_wsgi] PASSWORD_RESET for ada@example.com:", LINK, "123456", ""]
    assert output.out == ""


def test_no_line_of_another_thread_gets_into_a_message_on_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines are written at once."""
    written: list[str] = []
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=written.append, flush=lambda: None))
    Console()(RESET)
    assert written[0] == f"\n[st_wsgi] PASSWORD_RESET for ada@example.com:\n{LINK}\n123456\n"


@pytest.mark.parametrize("setting", [None, Console(), Delivery(Console())])
def test_the_console_of_a_public_site_must_be_asked_for(setting: Any) -> None:
    with pytest.raises(ConfigError, match=r"email_delivery has no service.*Console\(allow_https=True\)"):
        delivery_of(setting, name="email_delivery", app_info=ON_HTTPS)
    assert delivery_of(Console(allow_https=True), name="email_delivery", app_info=ON_HTTPS).send(RESET)


@pytest.mark.parametrize("setting", ["smtp.example.com", {}, 5])
def test_anything_else_is_refused_by_the_name_of_the_setting(setting: Any) -> None:
    with pytest.raises(ConfigError, match=r"sms_delivery must be Delivery\(\.\.\.\) or a function"):
        delivery_of(setting, name="sms_delivery", app_info=LOCAL)


def test_a_recipe_that_sends_no_text_messages_needs_no_service_for_them(caplog: pytest.LogCaptureFixture) -> None:
    delivery = delivery_of(None, name="sms_delivery", app_info=ON_HTTPS, needed=False)
    assert not delivery.send(RESET)
    assert "its recipe has no service for it" in caplog.text
    with pytest.raises(ConfigError, match=r"pass Twilio\(\.\.\.\)"):
        delivery_of(None, name="sms_delivery", app_info=ON_HTTPS)
