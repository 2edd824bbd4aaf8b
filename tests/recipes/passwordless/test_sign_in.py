"""Signing in with a code or a link: every route with every status, and what attackers try."""

from __future__ import annotations

import logging
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest
from contract.logins import phone as number

from recipes.passwordless.parts import BOTH, CODE, ask, enter, follow, ids, mailbox, parts_of, resend, wrong
from recipes.shop import API, PASSWORD, WEBSITE, Borrowed, Clock, Visitor, clears_nothing, form, no_mail
from st_wsgi import AttemptLimits, SecurityEvent
from st_wsgi.delivery import Delivery, Message
from st_wsgi.recipes import passwordless
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multitenancy import TenantConfigCreateOrUpdate, create_or_update_tenant
from st_wsgi.recipes.passwordless import (
    ContactEmailOnlyConfig,
    ContactEmailOrPhoneConfig,
    ContactPhoneOnlyConfig,
    CreatedCode,
)

RESTART = {"status": "RESTART_FLOW_ERROR"}
LIFETIME = 900  # seconds, the core's default


class TestCodesAndLinks:
    @pytest.mark.parametrize("mode", ["cookie", "header"])
    def test_a_code_signs_up_and_then_in(self, core: Borrowed, mode: str) -> None:
        box = mailbox(core)
        visitor = box.visitor(mode)
        device = ask(visitor, email=f" {visitor.email.upper()} ")
        assert device.keys() == {"status", "deviceId", "preAuthSessionId", "flowType"}
        assert (device["status"], device["flowType"]) == ("OK", BOTH)
        [message] = box.messages
        assert (message.kind, message.to, message.channel) == ("PASSWORDLESS_LOGIN", visitor.email, "email")
        assert (message.app_name, message.tenant_id, message.lifetime_ms) == ("Shop", "public", LIFETIME * 1000)
        signed_up = enter(visitor, device, message.code).get_json()
        assert (signed_up["status"], signed_up["createdNewRecipeUser"]) == ("OK", True)
        [method] = signed_up["user"]["loginMethods"]
        assert (method["recipeId"], method["email"], method["verified"]) == ("passwordless", visitor.email, True)
        assert visitor.visit().get_json() == {"userId": signed_up["user"]["id"]}
        visitor.sign_out()
        again = enter(visitor, ask(visitor), box.messages[-1].code).get_json()
        assert (again["createdNewRecipeUser"], again["user"]) == (False, signed_up["user"])

    def test_a_link_signs_in_where_it_is_opened(self, core: Borrowed) -> None:
        """Another browser asks the user first; that is up to the page, which knows no device there."""
        box = mailbox(core)
        visitor, other = box.visitor(), box.visitor()
        device = ask(visitor)
        link = str(box.messages[0].link)
        address = f"{WEBSITE}/auth/verify?preAuthSessionId={device['preAuthSessionId']}&tenantId=public#"
        assert link.startswith(address)
        user = follow(other, link).get_json()["user"]
        assert other.visit().get_json() == {"userId": user["id"]}
        assert visitor.visit().status_code == 401

    def test_a_text_message_signs_in(self, core: Borrowed) -> None:
        box, phone = mailbox(core), number()
        spelled = f"{phone[:3]} {phone[3:5]} {phone[5:8]}-{phone[8:]}"
        device = ask(box.visitor(), phoneNumber=spelled)
        [message] = box.messages
        assert (message.to, message.channel) == (phone, "sms")
        user = enter(box.visitor(), device, message.code).get_json()["user"]
        assert (user["phoneNumbers"], user["emails"]) == ([phone], [])

    @pytest.mark.parametrize(
        ("flow_type", "has_code", "has_link"),
        [("USER_INPUT_CODE", True, False), ("MAGIC_LINK", False, True), (BOTH, True, True)],
    )
    def test_a_message_has_what_the_flow_type_says(
        self, core: Borrowed, flow_type: str, has_code: bool, has_link: bool
    ) -> None:
        box = mailbox(core, flow_type=flow_type)
        visitor = box.visitor()
        device = ask(visitor)
        assert device["flowType"] == flow_type
        assert resend(visitor, device) == {"status": "OK"}
        found = {(message.code is not None, message.link is not None) for message in box.messages}
        assert found == {(has_code, has_link)}

    def test_users_of_older_frontends_have_the_older_form(self, core: Borrowed) -> None:
        box = mailbox(core)
        visitor = box.visitor()
        visitor.fdi_version = "1.17"
        body = enter(visitor, ask(visitor), box.messages[0].code).get_json()
        assert (body["createdNewUser"], body["user"]["email"]) == (True, visitor.email)
        assert body["user"].keys() == {"id", "timeJoined", "email"}

    def test_an_address_is_verified_by_its_code(self, core: Borrowed) -> None:
        """Also for sessions that demand it."""
        box = mailbox(core, EmailVerification(mode="REQUIRED", email_delivery=no_mail))
        visitor = box.visitor()
        enter(visitor, ask(visitor), box.messages[0].code)
        assert visitor.visit().status_code == 200


class TestWrongCodes:
    def test_each_counts_until_the_limit_ends_the_attempt(self, core: Borrowed) -> None:
        box = mailbox(core)
        visitor = box.visitor()
        device = ask(visitor)
        code = box.messages[0].code
        answers = [enter(visitor, device, wrong(code)) for _ in range(5)]
        assert [answer.get_json() for answer in answers] == [
            *(
                {
                    "status": "INCORRECT_USER_INPUT_CODE_ERROR",
                    "failedCodeInputAttemptCount": count,
                    "maximumCodeInputAttempts": 5,
                }
                for count in range(1, 5)
            ),
            RESTART,
        ]
        assert all(clears_nothing(answer) for answer in answers)
        assert enter(visitor, device, code).get_json() == RESTART
        assert follow(visitor, box.messages[0].link).get_json() == RESTART
        assert resend(visitor, device) == RESTART

    def test_guesses_at_once_lose_no_count(self, core: Borrowed) -> None:
        box = mailbox(core, shop={"rate_limit": None})
        device = ask(box.visitor())
        code = box.messages[0].code
        together = threading.Barrier(8, timeout=30)

        def guess(_number: int) -> Any:
            visitor = box.visitor()
            together.wait()
            return enter(visitor, device, wrong(code)).get_json()

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(guess, range(8)))
        assert sorted(answer.get("failedCodeInputAttemptCount", 5) for answer in answers) == [1, 2, 3, 4, 5, 5, 5, 5]
        assert enter(box.visitor(), device, code).get_json() == RESTART

    def test_a_right_code_at_once_signs_in_one_of_them(self, core: Borrowed) -> None:
        box = mailbox(core, shop={"rate_limit": None})
        device = ask(box.visitor())
        together = threading.Barrier(6, timeout=30)

        def sign_in(_number: int) -> Any:
            visitor = box.visitor()
            together.wait()
            return enter(visitor, device, box.messages[0].code).get_json()["status"]

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(sign_in, range(6))) == ["OK"] + ["RESTART_FLOW_ERROR"] * 5

    def test_what_was_used_is_useless(self, core: Borrowed) -> None:
        """A sign-in ends all attempts for the address, those of other browsers too."""
        box = mailbox(core)
        visitor, other = box.visitor(), box.visitor()
        device, elsewhere = ask(visitor), ask(other, email=visitor.email)
        assert follow(visitor, box.messages[0].link).get_json()["status"] == "OK"
        for answer in (
            follow(visitor, box.messages[0].link),
            enter(visitor, device, box.messages[0].code),
            enter(other, elsewhere, box.messages[1].code),
        ):
            assert answer.get_json() == RESTART

    def test_the_code_of_another_device_is_wrong(self, core: Borrowed) -> None:
        box = mailbox(core)
        mine = ask(box.visitor())
        ask(box.visitor())
        code = box.messages[1].code if box.messages[0].code != box.messages[1].code else wrong(box.messages[0].code)
        assert enter(box.visitor(), mine, code).get_json()["status"] == "INCORRECT_USER_INPUT_CODE_ERROR"

    def test_an_old_code_has_expired(self, timed_core: Borrowed, clock: Clock) -> None:
        box = mailbox(timed_core, shop={"clock": clock})
        visitor = box.visitor()
        device = ask(visitor)
        clock.wait(LIFETIME + 1)
        assert enter(visitor, device, box.messages[0].code).get_json() == {
            "status": "EXPIRED_USER_INPUT_CODE_ERROR",
            "failedCodeInputAttemptCount": 1,
            "maximumCodeInputAttempts": 5,
        }
        assert follow(visitor, box.messages[0].link).get_json() == RESTART
        assert resend(visitor, device) == {"status": "OK"}
        assert enter(visitor, device, box.messages[1].code).get_json()["status"] == "OK"


class TestResending:
    def test_the_new_code_and_the_old_one_are_good(self, core: Borrowed) -> None:
        for place in (0, 1):
            box = mailbox(core)
            visitor = box.visitor()
            device = ask(visitor)
            assert resend(visitor, device) == {"status": "OK"}
            assert [message.to for message in box.messages] == [visitor.email] * 2
            assert enter(visitor, device, box.messages[place].code).get_json()["status"] == "OK"

    def test_an_unknown_device_has_to_begin_again(self, core: Borrowed) -> None:
        box = mailbox(core)
        assert resend(box.visitor(), {"deviceId": "AAAA", "preAuthSessionId": "none"}) == RESTART
        assert box.messages == []

    def test_a_device_of_a_method_that_the_app_no_longer_has_begins_again(self, core: Borrowed) -> None:
        device = ask(mailbox(core).visitor(), phoneNumber=number())
        box = mailbox(core, contact_config=ContactEmailOnlyConfig())
        assert resend(box.visitor(), device) == RESTART

    def test_a_code_of_the_app_is_tried_three_times(self, core: Borrowed) -> None:
        codes = ["first", "first", "first", "first", "first", "first", "second"]
        box = mailbox(core, get_custom_user_input_code=lambda _tenant_id, _context: codes.pop(0))
        visitor = box.visitor()
        device = ask(visitor)
        refused = resend(visitor, device)
        assert (refused["status"], len(codes), len(box.messages)) == ("GENERAL_ERROR", 3, 1)
        assert resend(visitor, device) == {"status": "OK"}
        assert box.messages[-1].code == "second"


def test_a_code_of_the_app_is_asked_for_once_with_tenant_and_request(core: Borrowed) -> None:
    asked = []

    def code(tenant_id: str, context: Any) -> str:
        asked.append((tenant_id, context.header("x-form")))
        return "ABC-1"

    box = mailbox(core, get_custom_user_input_code=code)
    visitor = box.visitor()
    visitor.call("POST", CODE, {"email": visitor.email}, headers={"x-form": "short"})
    assert asked == [("public", "short")]
    assert [message.code for message in box.messages] == ["ABC-1"]


@pytest.mark.parametrize("code", ["", None, 123456])
def test_a_code_of_the_app_that_is_no_text_is_the_apps_fault(
    core: Borrowed, code: Any, caplog: pytest.LogCaptureFixture
) -> None:
    box = mailbox(core, get_custom_user_input_code=lambda _tenant_id, _context: code)
    assert box.visitor().call("POST", CODE, {"email": "ada@example.com"}).status_code == 500
    assert "get_custom_user_input_code must return a text" in caplog.text
    assert box.messages == []


class TestContacts:
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ({"email": "no address"}, "Email is invalid"),
            ({"email": ""}, "Email is invalid"),
            ({"phoneNumber": "030 123456"}, "Phone number is invalid"),
            ({"phoneNumber": "+4912"}, "Phone number is invalid"),
            ({"phoneNumber": "no number"}, "Phone number is invalid"),
            ({"phoneNumber": ""}, "Phone number is invalid"),
        ],
    )
    def test_what_is_none_is_refused_with_words_for_the_user(self, core: Borrowed, body: Any, message: str) -> None:
        box = mailbox(core)
        assert ask(box.visitor(), **body) == {"status": "GENERAL_ERROR", "message": message}
        assert (box.messages, core.calls) == ([], [])

    def test_an_app_has_rules_of_its_own(self, core: Borrowed) -> None:
        seen = []

        def rule(value: str, tenant_id: str) -> str | None:
            seen.append((value, tenant_id))
            return "Members only." if "other" in value or value == "112" else None

        config = ContactEmailOrPhoneConfig(validate_email_address=rule, validate_phone_number=rule)
        box = mailbox(core, contact_config=config)
        refused = {"status": "GENERAL_ERROR", "message": "Members only."}
        assert ask(box.visitor(), email="Ada@Other.example") == refused
        assert ask(box.visitor(), phoneNumber=" 112 ") == refused
        assert ask(box.visitor(), email="ada")["status"] == "OK"
        assert seen == [("ada@other.example", "public"), ("112", "public"), ("ada", "public")]

    @pytest.mark.parametrize(
        ("config", "body"),
        [
            (ContactEmailOnlyConfig(), {"phoneNumber": "+4930123456"}),
            (ContactPhoneOnlyConfig(), {"email": "ada@example.com"}),
        ],
    )
    def test_the_other_way_is_bad_input(self, core: Borrowed, config: Any, body: Any) -> None:
        answer = mailbox(core, contact_config=config).visitor().call("POST", CODE, body)
        assert answer.status_code == 400
        assert answer.get_json()["message"].startswith(f"please give {'email' if 'email' not in body else 'phoneN'}")

    @pytest.mark.parametrize("address", ["x@stfakeemail.supertokens.com", "x@a.FakeEmail.com "])
    def test_an_address_that_stands_for_none_is_no_first_factor(self, core: Borrowed, address: str) -> None:
        """F-04, also for a code that the app's own code made."""
        box = mailbox(core)
        refused = ask(box.visitor(), email=address)
        assert (refused["status"], box.messages) == ("SIGN_IN_UP_NOT_ALLOWED", [])
        assert "choose another way" in refused["reason"]
        link = passwordless.create_magic_link(email=address.strip().lower())
        assert follow(box.visitor(), link).get_json() == refused

    def test_a_session_to_link_to_is_refused(self, core: Borrowed) -> None:
        box = mailbox(core)
        visitor = box.shop.signed_in()
        device = ask(visitor)
        linking: dict[str, Any] = {"shouldTryLinkingWithSessionUser": True}
        assert ask(visitor, email=visitor.email, **linking)["status"] == "SIGN_IN_UP_NOT_ALLOWED"
        assert resend(visitor, device, **linking) == RESTART
        body = {**parts_of(box.messages[0].link), **linking}
        assert visitor.call("POST", f"{CODE}/consume", body).get_json()["status"] == "SIGN_IN_UP_NOT_ALLOWED"
        assert ask(box.visitor(), email=visitor.email, **linking) == {"message": "unauthorised"}


class TestTenants:
    @pytest.fixture
    def tenant(self, core: Borrowed) -> str:
        """A tenant where links by e-mail are the only first factor."""
        mailbox(core)
        tenant_id = f"t-{uuid.uuid4().hex}"
        config = TenantConfigCreateOrUpdate(first_factors=["link-email"])
        create_or_update_tenant(tenant_id=tenant_id, config=config)
        return tenant_id

    def test_its_first_factors_decide_what_is_sent_and_taken(self, core: Borrowed, tenant: str) -> None:
        box = mailbox(core)
        visitor = box.visitor()
        device = ask(visitor, tenant=tenant, email=visitor.email)
        [message] = box.messages
        assert (device["flowType"], message.code, message.tenant_id) == ("MAGIC_LINK", None, tenant)
        assert f"&tenantId={tenant}#" in str(message.link)
        code = passwordless.create_new_code_for_device(device_id=device["deviceId"], tenant_id=tenant)
        assert isinstance(code, CreatedCode)
        consume = f"/auth/{tenant}/signinup/code/consume"
        assert visitor.call("POST", consume, {**ids(device), "userInputCode": code.user_input_code}).status_code == 401
        user = visitor.call("POST", consume, parts_of(message.link)).get_json()["user"]
        assert user["tenantIds"] == [tenant]

    def test_a_method_that_it_does_not_allow_is_refused(self, core: Borrowed, tenant: str) -> None:
        box = mailbox(core)
        answer = box.visitor().call("POST", f"/auth/{tenant}/signinup/code", {"phoneNumber": number()})
        assert (answer.status_code, box.messages) == (401, [])

    def test_one_that_does_not_exist_is_bad_input(self, core: Borrowed) -> None:
        box = mailbox(core)
        ids = {"preAuthSessionId": "x", "deviceId": "AAAA"}
        bodies = {"": {"email": "a@example.com"}, "/resend": ids, "/consume": {**ids, "userInputCode": "1"}}
        for route, body in bodies.items():
            answer = box.visitor().call("POST", f"/auth/nowhere/signinup/code{route}", body)
            assert (answer.status_code, answer.get_json()) == (400, {"message": "this tenant does not exist"})

    def test_it_is_told_how_its_users_sign_in(self, core: Borrowed, tenant: str) -> None:
        box = mailbox(core)
        everything = box.visitor().call("GET", "/auth/loginmethods").get_json()
        assert everything["firstFactors"] == ["otp-email", "otp-phone", "link-email", "link-phone"]
        assert everything["passwordless"] == {"enabled": True}
        assert box.visitor().call("GET", f"/auth/{tenant}/loginmethods").get_json()["firstFactors"] == ["link-email"]


class TestExists:
    @pytest.mark.parametrize("path", ["/passwordless", "/signup"])
    def test_with_an_address_or_a_number(self, core: Borrowed, path: str) -> None:
        box = mailbox(core)
        phone, email = number(), box.visitor().email
        by_email = f"/auth{path}/email/exists?email="
        by_phone = f"/auth{path}/phonenumber/exists?phoneNumber=%2B"
        for exists in (False, True):
            for address in (f"{by_email}{email}", f"{by_email}%20{email.upper()}", f"{by_phone}{phone[1:]}"):
                assert box.visitor().call("GET", address).get_json() == {"status": "OK", "exists": exists}
            passwordless.signinup(email=email)
            passwordless.signinup(phone_number=phone)
        assert box.visitor().call("GET", f"{by_phone}%2049").get_json() == {"status": "OK", "exists": False}

    @pytest.mark.parametrize("query", ["", "?email=a@b.example&email=c@d.example&phoneNumber=1&phoneNumber=2"])
    def test_of_none_or_two_is_bad_input(self, core: Borrowed, query: str) -> None:
        for name in ("email", "phonenumber"):
            answer = mailbox(core).visitor().call("GET", f"/auth/passwordless/{name}/exists{query}")
            assert answer.status_code == 400

    def test_the_older_path_asks_the_recipe_that_the_frontend_names(self, core: Borrowed) -> None:
        box = mailbox(core, EmailPassword(email_delivery=no_mail))
        visitor = box.visitor()
        visitor.call("POST", "/auth/signup", form(email=visitor.email, password=PASSWORD))
        found = {}
        for rid in ("passwordless", "thirdpartypasswordless", "emailpassword"):
            answer = visitor.call("GET", f"/auth/signup/email/exists?email={visitor.email}", headers={"rid": rid})
            found[rid] = answer.get_json()["exists"]
        assert found == {"passwordless": False, "thirdpartypasswordless": False, "emailpassword": True}


GOOD = {"preAuthSessionId": "x", "deviceId": "AAAA", "userInputCode": "1"}


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("", {}),
        ("", {"email": "a@example.com", "phoneNumber": "+4930123456"}),
        ("", {"email": None}),
        ("", {"email": ["a@example.com"]}),
        ("", {"phoneNumber": 4930123456}),
        ("", {"email": "a@example.com", "shouldTryLinkingWithSessionUser": "yes"}),
        ("/resend", {}),
        ("/resend", {"deviceId": "AAAA"}),
        ("/resend", {"preAuthSessionId": "x"}),
        ("/resend", {"preAuthSessionId": "x", "deviceId": 1}),
        ("/resend", {"preAuthSessionId": "x", "deviceId": "no base64!"}),
        ("/consume", {}),
        ("/consume", {"preAuthSessionId": "x"}),
        ("/consume", {"linkCode": "AAAA"}),
        ("/consume", {**GOOD, "linkCode": "AAAA"}),
        ("/consume", {"preAuthSessionId": "x", "deviceId": "AAAA"}),
        ("/consume", {"preAuthSessionId": "x", "userInputCode": "1"}),
        ("/consume", {**GOOD, "userInputCode": 123456}),
        ("/consume", {**GOOD, "preAuthSessionId": None}),
        ("/consume", {"preAuthSessionId": "x", "linkCode": {}}),
    ],
)
def test_a_malformed_body_is_bad_input(core: Borrowed, route: str, body: Any) -> None:
    box = mailbox(core)
    answer = box.visitor().call("POST", f"{CODE}{route}", body)
    assert (answer.status_code, list(answer.get_json())) == (400, ["message"])
    assert box.messages == []


def test_ids_that_do_not_belong_together_are_bad_input(core: Borrowed) -> None:
    box = mailbox(core)
    visitor = box.visitor()
    mine, other = ask(visitor), ask(box.visitor())
    session_id = {"preAuthSessionId": mine["preAuthSessionId"]}
    bodies: list[dict[str, Any]] = [
        {**session_id, "linkCode": parts_of(box.messages[1].link)["linkCode"]},
        {**session_id, "linkCode": "no base64!"},
        {**session_id, "deviceId": other["deviceId"], "userInputCode": box.messages[1].code},
        {**session_id, "deviceId": "no base64!", "userInputCode": box.messages[0].code},
    ]
    for body in bodies:
        answer = visitor.call("POST", f"{CODE}/consume", body)
        assert (answer.status_code, list(answer.get_json())) == (400, ["message"])
    assert enter(visitor, mine, box.messages[0].code).get_json()["status"] == "OK"


def test_a_message_that_is_not_sent_is_an_error_without_secrets(
    core: Borrowed, caplog: pytest.LogCaptureFixture
) -> None:
    """A code is made for any address, so the error tells nothing about accounts (FDI, section 5)."""
    failed: list[Message] = []

    def refuse(message: Message) -> None:
        raise ConnectionError(f"no route for {message.to} with {message.code} and {message.link}")

    delivery = Delivery(refuse, on_failure=lambda message, _error: failed.append(message))
    box = mailbox(core, email_delivery=delivery, sms_delivery=delivery)
    visitor, phone = box.visitor(), number()
    with caplog.at_level(logging.DEBUG):
        answers = [visitor.call("POST", CODE, body) for body in ({"email": visitor.email}, {"phoneNumber": phone})]
    for answer, message in zip(answers, failed, strict=True):
        assert answer.status_code == 503
        assert answer.get_json() == {"message": "The message could not be sent. Please try again later."}
        for secret in (message.to, message.code, message.link):
            assert str(secret) not in caplog.text
    assert "refuse raised ConnectionError" in caplog.text


class TestLimits:
    def test_messages_to_one_address_are_limited_at_both_routes(self, core: Borrowed) -> None:
        """Also those to one address by several devices, which the core does not count."""
        box = mailbox(core, shop={"rate_limit": AttemptLimits(mails_per_account=2)})
        visitor = box.visitor()
        first, second = ask(visitor), ask(visitor)
        assert visitor.call("POST", CODE, {"email": visitor.email.upper()}).status_code == 429
        assert [resend(visitor, device)["status"] for device in (first, second)] == ["OK", "OK"]
        assert visitor.call("POST", f"{CODE}/resend", ids(first)).status_code == 429
        assert len(box.messages) == 4

    def test_guesses_at_one_account_are_limited_whatever_the_device(self, core: Borrowed) -> None:
        box = mailbox(core, shop={"rate_limit": AttemptLimits(per_account=3)})
        visitor = box.visitor()
        devices = [ask(visitor), ask(visitor)]
        statuses = [enter(visitor, devices[place % 2], "none").status_code for place in range(4)]
        assert statuses == [200, 200, 200, 429]

    def test_a_sign_in_forgets_the_attempts_before_it(self, core: Borrowed) -> None:
        box = mailbox(core, shop={"rate_limit": AttemptLimits(per_account=2)})
        visitor = box.visitor()
        for _ in range(3):
            device = ask(visitor)
            assert enter(visitor, device, "none").status_code == 200
            assert enter(visitor, device, box.messages[-1].code).get_json()["status"] == "OK"


def test_events_tell_who_signed_in_and_who_did_not(core: Borrowed) -> None:
    events: list[SecurityEvent] = []
    box = mailbox(core, shop={"on_security_event": events.append})
    visitor = box.visitor()
    device = ask(visitor)
    enter(visitor, device, "wrong")
    user_id = enter(visitor, device, box.messages[0].code).get_json()["user"]["id"]
    enter(visitor, device, box.messages[0].code)
    follow(visitor, (ask(visitor), box.messages[1].link)[1])
    assert [(event.name, event.reason, event.account, event.user_id) for event in events] == [
        ("sign_in_failed", "INCORRECT_USER_INPUT_CODE_ERROR", visitor.email, None),
        ("signed_up", None, None, user_id),
        ("sign_in_failed", "RESTART_FLOW_ERROR", None, None),
        ("signed_in", None, None, user_id),
    ]
    assert {(event.recipe_id, event.tenant_id) for event in events} == {("passwordless", "public")}
    secrets = [
        device["deviceId"],
        *(str(secret) for message in box.messages for secret in (message.code, message.link)),
    ]
    assert not any(secret in str(attrs.asdict(event)) for event in events for secret in secrets)


def test_the_link_is_that_of_the_website_whatever_the_host(core: Borrowed) -> None:
    box = mailbox(core)
    visitor: Visitor = box.visitor()
    visitor.call("POST", CODE, {"email": visitor.email}, headers={"Host": "evil.example", "Origin": API})
    assert str(box.messages[0].link).startswith(f"{WEBSITE}/auth/verify?")
