"""The official web SDK signs visitors in with codes and links, by mail and by phone, and in a tenant of other ways."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from playwright.sync_api import Error
from sdks.processes import free_port

import st_wsgi
from browser.sites import CHEAP_HASHES, Place, with_page
from browser.visitor import Visitor
from st_wsgi import AppInfo
from st_wsgi.recipes import session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.multitenancy import TenantConfigCreateOrUpdate, create_or_update_tenant
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.session import Session

CONSUME = "/auth/signinup/code/consume"
BOTH: Any = "USER_INPUT_CODE_AND_MAGIC_LINK"
RESTART = "RESTART_FLOW_ERROR"


@pytest.fixture(scope="module")
def place(page_folder: Path) -> Iterator[Place]:
    port = free_port()
    place = Place(f"http://127.0.0.1:{port}")
    keep = place.messages.append
    st = st_wsgi.init(
        app_info=AppInfo(app_name="Codes", api_domain=place.origin, website_domain=place.origin),
        core=f"sqlite://?{CHEAP_HASHES}",
        recipes=[
            EmailPassword(email_delivery=keep),
            Passwordless(
                contact_config=ContactEmailOrPhoneConfig(), flow_type=BOTH, email_delivery=keep, sms_delivery=keep
            ),
            Session(),
        ],
    )
    create_or_update_tenant(
        tenant_id="school", config=TenantConfigCreateOrUpdate(first_factors=["link-email", "emailpassword"])
    )
    app = Flask("place")

    @app.get("/sessioninfo")
    def session_info() -> dict[str, Any]:
        found = session.get_session(request)
        return {"userId": found.get_user_id(), "tenantId": found.get_tenant_id()}

    with with_page(st, app, port=port, folder=page_folder, also_at=["/auth/verify"]):
        yield place


def wrong(code: str) -> str:
    """Return another code."""
    return "000000" if code != "000000" else "111111"


@pytest.mark.parametrize("mode", ["cookie", pytest.param("header", marks=pytest.mark.exhaustive)])
def test_a_code_by_mail_after_a_wrong_one_and_a_second_message(visitor: Visitor, place: Place, mode: str) -> None:
    tab = place.open(visitor, mode)
    asked = tab.run("askForCode", {"email": visitor.email})
    assert (asked["status"], asked["flowType"]) == ("OK", BOTH)
    first = place.code(visitor.email)
    refused = tab.run("enterCode", wrong(first))
    assert (refused["status"], refused["failedCodeInputAttemptCount"]) == ("INCORRECT_USER_INPUT_CODE_ERROR", 1)
    assert tab.run("resendCode")["status"] == "OK"
    assert [message.to for message in place.messages].count(visitor.email) == 2
    tab.page.reload()  # the SDK keeps the attempt
    tab.page.wait_for_function("window.frontend !== undefined")
    signed_in = tab.run("enterCode", place.code(visitor.email))
    assert (signed_in["status"], signed_in["createdNewRecipeUser"]) == ("OK", True)
    assert tab.session_info() == {"status": 200, "body": {"userId": signed_in["user"]["id"], "tenantId": "public"}}
    assert visitor.holds() == mode

    tab.run("signOut")
    tab.run("askForCode", {"email": visitor.email})
    again = tab.run("enterCode", place.code(visitor.email))
    assert (again["createdNewRecipeUser"], again["user"]["id"]) == (False, signed_in["user"]["id"])


@pytest.mark.exhaustive
def test_a_link_in_the_same_browser_signs_in_at_once(visitor: Visitor, place: Place) -> None:
    tab = place.open(visitor)
    tab.run("askForCode", {"email": visitor.email})
    linked = visitor.open(place.link(visitor.email))
    assert linked.run("isLinkOfThisBrowser") is True
    signed_in = linked.run("openLink")
    assert signed_in["status"] == "OK"
    assert tab.session_info()["body"]["userId"] == signed_in["user"]["id"]
    assert linked.run("openLink")["status"] == RESTART
    assert linked.run("sessionExists") is True


@pytest.mark.exhaustive
def test_a_link_in_another_browser_signs_in_there_after_a_question(
    visitor: Visitor, elsewhere: Visitor, place: Place
) -> None:
    """Opening it is not enough: who reads mails ahead, as scanners do, signs nobody in and uses nothing up."""
    tab = place.open(visitor)
    tab.run("askForCode", {"email": visitor.email})
    place.open(elsewhere).page.close()
    linked = elsewhere.open(place.link(visitor.email))
    assert linked.run("isLinkOfThisBrowser") is False
    assert elsewhere.answers(CONSUME) == []
    assert [
        request.url for request in elsewhere.requests if place.link(visitor.email).split("#")[1] in request.url
    ] == []
    signed_in = linked.run("openLink")  # the visitor has said yes
    assert signed_in["status"] == "OK"
    assert linked.session_info()["body"]["userId"] == signed_in["user"]["id"]
    assert tab.session_info()["status"] == 401
    assert tab.run("enterCode", place.code(visitor.email))["status"] == RESTART


@pytest.mark.exhaustive
def test_wrong_codes_until_the_limit_begin_anew(visitor: Visitor, place: Place) -> None:
    tab = place.open(visitor)
    tab.run("askForCode", {"email": visitor.email})
    code = place.code(visitor.email)
    refusals = [tab.run("enterCode", wrong(code)) for _ in range(5)]
    left = [(refusal["status"], refusal.get("failedCodeInputAttemptCount")) for refusal in refusals]
    assert left == [*(("INCORRECT_USER_INPUT_CODE_ERROR", count) for count in range(1, 5)), (RESTART, None)]
    assert {refusal["maximumCodeInputAttempts"] for refusal in refusals[:-1]} == {5}
    assert tab.run("enterCode", code)["status"] == RESTART
    assert tab.run("resendCode")["status"] == RESTART
    assert tab.run("sessionExists") is False
    tab.run("askForCode", {"email": visitor.email})
    assert tab.run("enterCode", place.code(visitor.email))["status"] == "OK"


@pytest.mark.exhaustive
def test_a_code_by_text_message(visitor: Visitor, place: Place) -> None:
    phone = f"+4930{int(visitor.email[:8], 16) % 10**7:07}"
    tab = place.open(visitor)
    with pytest.raises(Error, match="Phone number is invalid"):  # so the SDK tells the page
        tab.run("askForCode", {"phoneNumber": "030 1234"})
    assert tab.run("askForCode", {"phoneNumber": f"{phone[:3]} {phone[3:5]} {phone[5:]}"})["status"] == "OK"
    user = tab.run("enterCode", place.code(phone))["user"]
    assert user["phoneNumbers"] == [phone]
    assert tab.session_info()["body"]["userId"] == user["id"]


@pytest.mark.exhaustive
def test_a_tenant_of_other_ways(visitor: Visitor, place: Place) -> None:
    """The page learns which these are. A link by mail signs in to the tenant; a code or a number does not."""
    everywhere = place.open(visitor).run("loginMethods")
    tab = place.open(visitor, tenant="school")
    ways = tab.run("loginMethods")
    assert sorted(everywhere["firstFactors"]) == ["emailpassword", "link-email", "link-phone", "otp-email", "otp-phone"]
    assert sorted(ways["firstFactors"]) == ["emailpassword", "link-email"]
    assert tab.run("failure", "askForCode", {"phoneNumber": "+4930901820"})["status"] == 401
    assert tab.run("askForCode", {"email": visitor.email})["flowType"] == "MAGIC_LINK"
    assert place.messages[-1].code is None
    linked = visitor.open(place.link(visitor.email))
    signed_in = linked.run("openLink")
    assert signed_in["status"] == "OK"
    assert tab.session_info()["body"] == {"userId": signed_in["user"]["id"], "tenantId": "school"}
    tab.run("signOut")
    assert tab.sign_up(f"p-{visitor.email}")["status"] == "OK"
    assert tab.session_info()["body"]["tenantId"] == "school"
    tab.run("signOut")
    assert place.open(visitor).sign_in(f"p-{visitor.email}")["status"] == "WRONG_CREDENTIALS_ERROR"
