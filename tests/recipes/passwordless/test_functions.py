"""The functions of the passwordless recipe, its settings, and overrides."""

from __future__ import annotations

import uuid
from typing import Any

import attrs
import pytest
from contract.logins import phone as phone_number

from recipes.passwordless.parts import BOTH, ask, enter, follow, mailbox, parts_of
from recipes.shop import Borrowed, Shop, no_mail
from st_wsgi import Override, RecipeUserId, SecurityEvent, get_user, like, phone as phones, replace
from st_wsgi.delivery import Message
from st_wsgi.errors import ConfigError, CoreRefused, MessageNotSent, SuperTokensError
from st_wsgi.recipes import passwordless
from st_wsgi.recipes.multitenancy.types import PASSWORDLESS_FACTORS
from st_wsgi.recipes.passwordless import (
    CodeChecked,
    CodeConsumed,
    ConsumedDevice,
    ContactEmailOnlyConfig,
    ContactEmailOrPhoneConfig,
    ContactPhoneOnlyConfig,
    CreatedCode,
    EmailAlreadyExists,
    IncorrectUserInputCode,
    Ok,
    Passwordless,
    PasswordlessAPIs,
    PasswordlessFunctions,
    PhoneNumberAlreadyExists,
    RestartFlow,
    SignInUpNotAllowed,
    UnknownUserId,
    UserInputCodeAlreadyUsed,
)

PHONE = "+4930123456"
LOCAL = {"api_domain": "http://localhost:8000", "website_domain": "http://localhost:3000"}


@pytest.fixture
def email(core: Borrowed) -> str:
    """An address of the test's own, in an app with the recipe."""
    mailbox(core)
    return f"{uuid.uuid4().hex}@example.com"


class TestCodes:
    def test_a_code_is_made_checked_and_consumed(self, email: str) -> None:
        code = passwordless.create_code(email=email, user_input_code="1234")
        assert (code.user_input_code, code.code_life_time) == ("1234", 900_000)
        typed: dict[str, Any] = {"pre_auth_session_id": code.pre_auth_session_id, "device_id": code.device_id}
        device = ConsumedDevice(
            pre_auth_session_id=code.pre_auth_session_id, failed_code_input_attempt_count=0, email=email
        )
        assert passwordless.check_code(**typed, user_input_code="1234") == CodeChecked(consumed_device=device)
        outcome = passwordless.consume_code(**typed, user_input_code="1234")
        assert isinstance(outcome, CodeConsumed)
        assert (outcome.created_new_recipe_user, outcome.consumed_device) == (True, device)
        assert outcome.user == get_user(user_id=outcome.recipe_user_id.value)
        assert passwordless.check_code(**typed, user_input_code="1234") == RestartFlow()

    def test_a_wrong_code_counts_where_it_is_checked_too(self, email: str) -> None:
        code = passwordless.create_code(email=email, user_input_code="1234")
        typed: dict[str, Any] = {"pre_auth_session_id": code.pre_auth_session_id, "device_id": code.device_id}
        typed["user_input_code"] = "0"
        for count, function in ((1, passwordless.check_code), (2, passwordless.consume_code)):
            assert function(**typed) == IncorrectUserInputCode(
                failed_code_input_attempt_count=count, maximum_code_input_attempts=5
            )

    def test_a_device_has_further_codes(self, email: str) -> None:
        first = passwordless.create_code(email=email, user_input_code="1")
        more = passwordless.create_new_code_for_device(device_id=first.device_id, user_input_code="2")
        assert isinstance(more, CreatedCode)
        assert more.pre_auth_session_id == first.pre_auth_session_id
        again = passwordless.create_new_code_for_device(device_id=first.device_id, user_input_code="2")
        assert again == UserInputCodeAlreadyUsed()
        assert passwordless.create_new_code_for_device(device_id="AAAA") == RestartFlow()

    def test_devices_are_listed_by_what_is_known_of_them(self, core: Borrowed, email: str) -> None:
        code = passwordless.create_code(email=email)
        [device] = passwordless.list_codes_by_email(email=email.upper())
        assert [one.code_id for one in device.codes] == [code.code_id]
        assert (device.email, device.phone_number, device.failed_code_input_attempt_count) == (email, None, 0)
        assert passwordless.list_codes_by_device_id(device_id=code.device_id) == device
        session_id = code.pre_auth_session_id
        assert passwordless.list_codes_by_pre_auth_session_id(pre_auth_session_id=session_id) == device
        passwordless.revoke_all_codes(phone_number=PHONE)
        passwordless.create_code(phone_number="+49 30 123456")
        assert [one.phone_number for one in passwordless.list_codes_by_phone_number(phone_number=PHONE)] == [PHONE]

    def test_codes_are_revoked_alone_and_together(self, email: str) -> None:
        first = passwordless.create_code(email=email)
        second = passwordless.create_new_code_for_device(device_id=first.device_id)
        assert isinstance(second, CreatedCode)
        passwordless.revoke_code(code_id=first.code_id)
        [device] = passwordless.list_codes_by_email(email=email)
        assert [one.code_id for one in device.codes] == [second.code_id]
        passwordless.revoke_all_codes(email=email)
        assert passwordless.list_codes_by_email(email=email) == ()
        assert passwordless.list_codes_by_device_id(device_id=first.device_id) is None
        passwordless.create_code(phone_number=PHONE)
        passwordless.revoke_all_codes(phone_number=PHONE)
        assert passwordless.list_codes_by_phone_number(phone_number=PHONE) == ()

    @pytest.mark.parametrize("given", [{}, {"email": "a@example.com", "phone_number": PHONE}])
    def test_an_address_and_a_number_are_one_too_many(self, email: str, given: dict[str, str]) -> None:
        for function in (
            passwordless.create_code,
            passwordless.revoke_all_codes,
            passwordless.create_magic_link,
            passwordless.signinup,
        ):
            with pytest.raises(CoreRefused, match="exactly one"):
                function(**given)

    def test_no_secret_is_in_a_repr(self, email: str) -> None:
        code = passwordless.create_code(email=email, user_input_code="hunter2")
        assert not any(secret in repr(code) for secret in ("hunter2", code.device_id, code.link_code))


class TestUsers:
    def test_a_user_is_made_and_found_without_a_message(self, core: Borrowed) -> None:
        box = mailbox(core)
        email = box.visitor().email
        made = passwordless.signinup(email=email)
        again = passwordless.signinup(email=email)
        assert (made.created_new_recipe_user, again.created_new_recipe_user) == (True, False)
        assert (again.user, again.user.login_methods[0].verified, box.messages) == (made.user, True, [])

    def test_a_code_that_is_revoked_meanwhile_is_an_error(self, core: Borrowed) -> None:
        def without_result(original: PasswordlessFunctions) -> PasswordlessFunctions:
            @like(original.consume_code)
            def consume_code(**given: Any) -> Any:
                return RestartFlow()

            return replace(original, consume_code=consume_code)

        mailbox(core, override=Override(functions=without_result))
        with pytest.raises(SuperTokensError, match="RESTART_FLOW_ERROR"):
            passwordless.signinup(email="ada@example.com")

    def test_a_link_that_the_app_sends_itself_signs_in(self, core: Borrowed) -> None:
        box = mailbox(core, get_custom_user_input_code=lambda _tenant_id, _context: "custom")
        email = box.visitor().email
        link = passwordless.create_magic_link(email=email)
        visitor = box.visitor()
        assert follow(visitor, link).get_json()["user"]["emails"] == [email]
        assert box.messages == []
        assert parts_of(link).keys() == {"preAuthSessionId", "linkCode"}

    def test_contacts_change_and_go(self, core: Borrowed) -> None:
        events: list[SecurityEvent] = []
        box = mailbox(core, shop={"on_security_event": events.append})
        email, phone = box.visitor().email, phone_number()
        user = passwordless.signinup(email=f"old-{email}").recipe_user_id
        assert passwordless.update_user(recipe_user_id=user, email=email, phone_number=phone) == Ok()
        assert contacts(user) == (email, phone)
        assert passwordless.delete_email_for_user(recipe_user_id=user) == Ok()
        assert contacts(user) == (None, phone)
        with pytest.raises(CoreRefused, match="clear both"):
            passwordless.delete_phone_number_for_user(recipe_user_id=user)
        passwordless.update_user(recipe_user_id=user, email=email)
        assert passwordless.delete_phone_number_for_user(recipe_user_id=user) == Ok()
        assert contacts(user) == (email, None)
        names = ["email_changed", "phone_number_changed", "email_changed", "email_changed", "phone_number_changed"]
        assert [(event.name, event.user_id) for event in events] == [(name, user.value) for name in names]

    def test_contacts_of_others_are_taken(self, core: Borrowed) -> None:
        email, phone = mailbox(core).visitor().email, phone_number()
        passwordless.signinup(email=email)
        passwordless.signinup(phone_number=phone)
        user = passwordless.signinup(email=f"other-{email}").recipe_user_id
        assert passwordless.update_user(recipe_user_id=user, email=email) == EmailAlreadyExists()
        assert passwordless.update_user(recipe_user_id=user, phone_number=phone) == PhoneNumberAlreadyExists()
        nobody = RecipeUserId("nobody")
        assert passwordless.update_user(recipe_user_id=nobody, email=email) == UnknownUserId()
        assert passwordless.delete_email_for_user(recipe_user_id=nobody) == UnknownUserId()
        assert passwordless.delete_phone_number_for_user(recipe_user_id=nobody) == UnknownUserId()


def contacts(recipe_user_id: RecipeUserId) -> tuple[str | None, str | None]:
    user = get_user(user_id=recipe_user_id.value)
    assert user is not None
    [method] = user.login_methods
    return method.email, method.phone_number


class TestMessages:
    def test_the_app_sends_its_own_by_the_same_services(self, core: Borrowed) -> None:
        box = mailbox(core)
        message = Message(kind="WELCOME", to="ada@example.com", tenant_id="public")
        assert passwordless.send_email(message=message) is True
        assert passwordless.send_sms(message=attrs.evolve(message, to=PHONE)) is True
        sent = [(one.to, one.channel, one.app_name) for one in box.messages]
        assert sent == [("ada@example.com", "email", "Shop"), (PHONE, "sms", "Shop")]

    def test_a_failure_is_raised(self, core: Borrowed) -> None:
        def refuse(_message: Message) -> None:
            raise MessageNotSent("out of paper")

        mailbox(core, email_delivery=refuse, contact_config=ContactEmailOnlyConfig(), sms_delivery=None)
        message = Message(kind="WELCOME", to="ada@example.com", tenant_id="public")
        with pytest.raises(MessageNotSent, match="out of paper"):
            passwordless.send_email(message=message)
        with pytest.raises(MessageNotSent, match="no service"):
            passwordless.send_sms(message=message)

    def test_an_override_changes_a_message(self, core: Borrowed) -> None:
        def shorter(original: PasswordlessFunctions) -> PasswordlessFunctions:
            @like(original.send_email)
            def send_email(*, message):  # type: ignore[no-untyped-def]
                return original.send_email(message=attrs.evolve(message, link=None))

            return replace(original, send_email=send_email)

        box = mailbox(core, override=Override(functions=shorter))
        visitor = box.visitor()
        device = ask(visitor)
        assert box.messages[0].link is None
        assert enter(visitor, device, box.messages[0].code).get_json()["status"] == "OK"


def test_an_override_of_an_api_may_refuse_a_user(core: Borrowed) -> None:
    def members(original: PasswordlessAPIs) -> PasswordlessAPIs:
        @like(original.create_code_post)
        def create_code_post(**given: Any) -> Any:
            if passwordless.list_codes_by_email(email=given["email"]):
                return SignInUpNotAllowed("One code at a time.")
            return original.create_code_post(**given)

        return replace(original, create_code_post=create_code_post)

    box = mailbox(core, override=Override(apis=members))
    visitor = box.visitor()
    assert ask(visitor)["status"] == "OK"
    assert ask(visitor) == {"status": "SIGN_IN_UP_NOT_ALLOWED", "reason": "One code at a time."}
    assert len(box.messages) == 1


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"contact_config": "EMAIL"}, "contact_config must be ContactEmailOnlyConfig"),
            ({"contact_config": ContactEmailOnlyConfig}, "contact_config must be ContactEmailOnlyConfig"),
            ({"flow_type": "OTP"}, "flow_type must be one of USER_INPUT_CODE, MAGIC_LINK"),
            ({"get_custom_user_input_code": "123456"}, "get_custom_user_input_code must be a function"),
            ({"override": "none"}, "override must be"),
        ],
    )
    def test_what_cannot_work_is_refused(self, settings: dict[str, Any], message: str) -> None:
        good: dict[str, Any] = {"contact_config": ContactEmailOnlyConfig(), "flow_type": "MAGIC_LINK"}
        with pytest.raises(ConfigError, match=message):
            Passwordless(**{**good, **settings})

    @pytest.mark.parametrize("config", [ContactEmailOrPhoneConfig, ContactEmailOnlyConfig])
    def test_a_rule_is_a_function(self, config: Any) -> None:
        with pytest.raises(ConfigError, match="validate_email_address must be a function"):
            config(validate_email_address="@")

    @pytest.mark.parametrize(
        ("settings", "missing"),
        [
            ({"contact_config": ContactEmailOrPhoneConfig(), "email_delivery": no_mail}, "sms_delivery"),
            ({"contact_config": ContactEmailOrPhoneConfig(), "sms_delivery": no_mail}, "email_delivery"),
            ({"contact_config": ContactPhoneOnlyConfig(), "sms_delivery": no_mail}, None),
            ({"contact_config": ContactEmailOnlyConfig(), "email_delivery": no_mail}, None),
        ],
    )
    def test_in_production_each_way_that_is_used_needs_a_service(
        self, core: Borrowed, settings: Any, missing: str | None
    ) -> None:
        recipe = Passwordless(flow_type=BOTH, **settings)
        if missing is None:
            Shop(core, recipes=[recipe])
        else:
            with pytest.raises(ConfigError, match=f"{missing} has no service"):
                Shop(core, recipes=[recipe])

    def test_phone_numbers_in_an_embedded_core_need_their_package(
        self, core: Borrowed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(phones, "_PHONENUMBERS", False)
        mailbox(core, contact_config=ContactEmailOnlyConfig())
        with pytest.raises(ConfigError, match=r"st-wsgi\[phone\]"):
            mailbox(core)

    def test_development_prints_to_the_console(self, core: Borrowed, capsys: pytest.CaptureFixture[str]) -> None:
        recipe = Passwordless(contact_config=ContactEmailOrPhoneConfig(), flow_type=BOTH)
        shop = Shop(core, recipes=[recipe], app_info=LOCAL)
        visitor = shop.visitor()
        device = ask(visitor)
        _, link, code = capsys.readouterr().err.split()[-3:]
        assert parts_of(link)["preAuthSessionId"] == device["preAuthSessionId"]
        assert enter(visitor, device, code).get_json()["status"] == "OK"

    def test_a_recipe_has_the_factors_of_its_contacts_and_its_flow(self) -> None:
        found = set()
        for config in (ContactEmailOnlyConfig(), ContactPhoneOnlyConfig()):
            for flow_type in ("USER_INPUT_CODE", "MAGIC_LINK"):
                [factor] = Passwordless(contact_config=config, flow_type=flow_type).factors("email", "sms")
                found.add(factor)
        assert found == PASSWORDLESS_FACTORS
