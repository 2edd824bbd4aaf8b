"""Each way to sign in as a first and as a second factor, and what a person with the first factor alone cannot do."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from contract.logins import phone as number

import st_wsgi
from recipes.accountlinking.parts import NO_LINK, Person, Site, token_in
from recipes.multifactorauth.parts import Member, requirements, site
from recipes.multifactorauth.test_sessions import REFUSED
from recipes.shop import PASSWORD, Borrowed, form, payload_of
from recipes.totp.parts import SECRET, import_device, totp
from st_wsgi.recipes import multifactorauth as mfa, multitenancy, session
from st_wsgi.recipes.multitenancy import TenantConfigCreateOrUpdate

FAILED = {"message": "invalid claim"}


def refusal(answer: dict[str, Any]) -> str:
    """Return why a request was refused with 403."""
    [error] = answer["claimValidationErrors"]
    assert error["id"] == "st-mfa"
    message: str = error["reason"]["message"]
    return message


class TestFirst:
    @pytest.mark.parametrize(
        ("way", "factor"), [("sign_up", "emailpassword"), ("by_code", "otp-email"), ("by_provider", "thirdparty")]
    )
    def test_the_claim_has_the_first_factor(self, core: Borrowed, way: str, factor: str) -> None:
        person = site(core).person()
        answer = getattr(person, way)()
        member = Member(person, answer["user"]["id"])
        assert (member.done, member.claim["v"]) == ({factor}, True)
        person.visitor.sign_out()
        getattr(person, "sign_in" if way == "sign_up" else way)()
        assert member.done == {factor}

    def test_the_claim_has_a_first_factor_by_phone(self, core: Borrowed) -> None:
        person = site(core).person()
        member = Member(person, person.by_code(phoneNumber=number())["user"]["id"])
        assert member.done == {"otp-phone"}

    def test_a_sign_in_without_linking_starts_a_new_session_without_the_old_factors(self, core: Borrowed) -> None:
        """Without ``shouldTryLinkingWithSessionUser``, the new session has none of the factors of the former one."""
        member = Member.of(site(core), requires=("totp",), has_app=True)
        member.enter_totp()
        member.person.sign_in()
        assert (member.done, member.page()) == ({"emailpassword"}, REFUSED)


class TestSecond:
    def test_entering_a_code_by_mail_sets_the_factor_up(self, core: Borrowed) -> None:
        at = site(core)
        member = Member.of(at)
        member.person.verify()
        mfa.add_to_required_secondary_factors_for_user(user_id=member.user_id, factor_id="otp-email")
        member.person.sign_in()
        told = member.info()
        assert told["factors"] == {
            "next": ["otp-email"],
            "alreadySetup": ["emailpassword"],
            "allowedToSetup": ["otp-email"],
        }
        assert told["emails"]["otp-email"] == [member.person.email]
        before = payload_of(str(member.person.visitor.access_token))["sessionHandle"]
        assert member.person.by_code(link=True)["user"]["id"] == member.user_id
        assert (member.done, member.page()) == ({"emailpassword", "otp-email"}, member.user_id)
        assert payload_of(str(member.person.visitor.access_token))["sessionHandle"] == before
        # From now on it is set up: the next sign-in asks for it, and nothing else may be set up before.
        member.person.sign_in()
        assert member.info()["factors"] == {
            "next": ["otp-email"],
            "alreadySetup": ["emailpassword", "otp-email"],
            "allowedToSetup": [],
        }
        member.person.by_code(link=True)
        assert member.page() == member.user_id

    def test_a_message_in_a_session_has_a_code_and_no_link(self, core: Borrowed) -> None:
        at = site(core, flow_type="USER_INPUT_CODE_AND_MAGIC_LINK")
        member = Member.of(at)
        member.person.verify()
        assert member.person.ask_for_code(link=True)["flowType"] == "USER_INPUT_CODE"

    def test_a_password_after_a_code(self, core: Borrowed) -> None:
        person = site(core).person()
        member = Member(person, person.by_code()["user"]["id"])
        mfa.add_to_required_secondary_factors_for_user(user_id=member.user_id, factor_id="emailpassword")
        person.by_code()
        assert member.info()["emails"]["emailpassword"] == [person.email]
        assert person.sign_up(link=True)["user"]["id"] == member.user_id
        assert (member.done, member.page()) == ({"otp-email", "emailpassword"}, member.user_id)
        person.by_code()
        assert person.sign_in(link=True, password="another horse 2")["status"] == "WRONG_CREDENTIALS_ERROR"
        assert member.page() == REFUSED
        assert person.sign_in(link=True)["status"] == "OK"
        assert member.page() == member.user_id

    def test_a_password_for_a_user_without_an_address(self, core: Borrowed) -> None:
        person = site(core).person()
        member = Member(person, person.by_code(phoneNumber=(phone := number()))["user"]["id"])
        mfa.add_to_required_secondary_factors_for_user(user_id=member.user_id, factor_id="emailpassword")
        person.by_code(phoneNumber=phone)
        [address] = member.info()["emails"]["emailpassword"]
        assert address == f"{member.user_id}@stfakeemail.supertokens.com"
        # That of another user is not taken, in a session or without one.
        assert person.sign_up(link=True, email=f"{uuid.uuid4()}@stfakeemail.supertokens.com")["status"] == "FIELD_ERROR"
        assert person.site.person().sign_up(email=address)["status"] == "FIELD_ERROR"
        assert person.sign_up(link=True, email=address)["user"]["id"] == member.user_id
        assert member.page() == member.user_id

    def test_a_provider_after_a_password(self, core: Borrowed) -> None:
        member = Member.of(site(core, override=requirements("emailpassword", "thirdparty")))
        member.person.verify()
        assert member.page() == REFUSED
        assert member.person.by_provider(link=True)["user"]["id"] == member.user_id
        assert (member.done, member.page()) == ({"emailpassword", "thirdparty"}, member.user_id)

    def test_several_second_factors_in_order(self, core: Borrowed) -> None:
        at = site(core, override=requirements("emailpassword", {"allOfInAnyOrder": ["totp", "otp-phone"]}))
        member = Member.of(at)
        member.person.verify()
        assert member.info()["factors"]["next"] == ["totp", "otp-phone"]
        made = member.call("POST", "/auth/totp/device", {}).get_json()
        body = {"deviceName": made["deviceName"], "totp": totp(made["secret"])}
        assert member.call("POST", "/auth/totp/device/verify", body).get_json()["status"] == "OK"
        assert member.info()["factors"]["next"] == ["otp-phone"]
        assert member.page() == REFUSED
        member.person.by_code(link=True, phoneNumber=number())
        assert member.page() == member.user_id

    def test_a_second_factor_in_another_tenant(self, core: Borrowed) -> None:
        at = site(core)
        tenant = f"t{uuid.uuid4().hex}"
        config = TenantConfigCreateOrUpdate(first_factors=["emailpassword"], required_secondary_factors=["otp-phone"])
        multitenancy.create_or_update_tenant(tenant_id=tenant, config=config)
        visitor, phone = at.shop.visitor(), number()
        visitor.call("POST", f"/auth/{tenant}/signup", form(email=visitor.email, password=PASSWORD))
        ask = {"phoneNumber": phone, "shouldTryLinkingWithSessionUser": True}
        # The rule demands that the session's own address is verified before it gets a login method.
        member = Member(Person(at, visitor, visitor.email), "")
        visitor.call("POST", "/auth/user/email/verify/token")
        token = token_in(at.messages.get(timeout=20))
        visitor.call("POST", f"/auth/{tenant}/user/email/verify", {"method": "token", "token": token})
        device = visitor.call("POST", f"/auth/{tenant}/signinup/code", ask).get_json()
        answer = member.person.enter_code(device, link=True)
        assert answer.get("status") == "OK", answer
        assert visitor.visit().status_code == 200

    def test_a_code_that_the_user_set_up_in_another_tenant(self, core: Borrowed) -> None:
        """The code is sent, and entering it adds the login method to the tenant of the session."""
        at = site(core)
        tenant = f"t{uuid.uuid4().hex}"
        config = TenantConfigCreateOrUpdate(first_factors=["emailpassword"], required_secondary_factors=["otp-email"])
        multitenancy.create_or_update_tenant(tenant_id=tenant, config=config)
        person = at.person()
        member = Member(person, person.by_code()["user"]["id"])
        person.sign_up(link=True)
        user = st_wsgi.get_user(user_id=member.user_id)
        assert user is not None
        word = next(method for method in user.login_methods if method.recipe_id == "emailpassword")
        multitenancy.associate_user_to_tenant(recipe_user_id=word.recipe_user_id, tenant_id=tenant)
        person.visitor.call("POST", f"/auth/{tenant}/signin", form(email=person.email, password=PASSWORD))
        assert member.info()["factors"]["next"] == ["otp-email"]
        link = {"email": person.email, "shouldTryLinkingWithSessionUser": True}
        device = person.visitor.call("POST", f"/auth/{tenant}/signinup/code", link).get_json()
        assert device.get("status") == "OK", device
        resent = {**{name: device[name] for name in ("deviceId", "preAuthSessionId")}, **link}
        assert person.visitor.call("POST", f"/auth/{tenant}/signinup/code/resend", resent).get_json()["status"] == "OK"
        assert person.enter_code(device, link=True)["user"]["id"] == member.user_id
        assert member.page() == member.user_id


class TestWhoHasThePasswordAlone:
    """A thief knows the password of a user who is required to have another factor. W-077, and rule F-09."""

    @pytest.fixture
    def thief(self, core: Borrowed) -> Member:
        at = site(core)
        member = Member.of(at)
        member.person.verify()
        import_device(core, member.user_id)
        mfa.add_to_required_secondary_factors_for_user(user_id=member.user_id, factor_id="totp")
        thief = Member(Person(at, at.shop.visitor(), member.person.email), member.user_id)
        assert thief.person.sign_in()["status"] == "OK"
        assert thief.page() == REFUSED
        return thief

    def test_f_09_links_no_login_method(self, thief: Member) -> None:
        own = f"thief-{uuid.uuid4()}@example.com"
        first = "a factor that is set up has to be completed first"
        assert refusal(thief.person.ask_for_code(link=True, email=own)) == first
        assert refusal(thief.person.ask_for_code(link=True, phoneNumber=number())) == first
        assert refusal(thief.person.by_provider(link=True, email=own)) == first
        assert refusal(thief.person.sign_up(link=True, email=own)) == first
        assert thief.person.site.linked == []

    def test_its_attempts_are_events(self, thief: Member) -> None:
        events = thief.person.site.events
        for path, body in [
            ("/auth/totp/device", {}),
            ("/auth/totp/device/remove", {"deviceName": "phone"}),
            ("/auth/signinup/code", {"phoneNumber": number(), "shouldTryLinkingWithSessionUser": True}),
        ]:
            events.clear()
            assert thief.call("POST", path, body).status_code == 403
            [event] = [one for one in events if one.name == "sign_in_failed"]
            assert (event.reason, event.user_id, bool(event.session_handle)) == ("FACTOR_REQUIRED", thief.user_id, True)

    def test_a_completed_second_factor_is_an_event(self, thief: Member) -> None:
        events = thief.person.site.events
        assert "factor_completed" not in [one.name for one in events]
        thief.enter_totp()
        assert (events[-1].name, events[-1].reason, events[-1].user_id) == ("factor_completed", "totp", thief.user_id)

    def test_f_09_changes_no_address(self, thief: Member) -> None:
        """There is no route for it: a view of the app's own gets no session."""
        changed: list[str] = []
        thief.person.site.shop.view = lambda environ: changed.append(session.get_session(environ).get_user_id())
        assert thief.page() == REFUSED
        assert changed == []

    def test_f_09_adds_and_removes_no_device(self, thief: Member) -> None:
        for path, body in [
            ("/auth/totp/device", {}),
            ("/auth/totp/device", {"deviceName": "mine"}),
            ("/auth/totp/device/verify", {"deviceName": "phone", "totp": "000000"}),
            ("/auth/totp/device/remove", {"deviceName": "phone"}),
            ("/auth/totp/device/remove", {"deviceName": "Phone"}),
            ("/auth/totp/device/remove", {"deviceName": "\uff50hone"}),
            ("/auth/totp/device/remove", {"deviceName": "nothing"}),
        ]:
            response = thief.call("POST", path, body)
            assert response.status_code == 403, path
            assert response.get_json() | FAILED == response.get_json()
        listed = thief.call("GET", "/auth/totp/device/list").get_json()["devices"]
        assert [(one["name"], one["verified"]) for one in listed] == [("phone", True)]

    def test_a_factor_that_comes_later_is_not_set_up_first(self, core: Borrowed) -> None:
        steps = {"oneOf": ["totp", "otp-email"]}, "otp-phone"
        at = site(core, override=requirements("emailpassword", *steps))
        member = Member.of(at)
        member.person.verify()
        assert refusal(member.person.ask_for_code(link=True, phoneNumber=number())) == (
            "this factor is not among those that come next"
        )
        assert member.info()["factors"]["allowedToSetup"] == ["otp-email", "totp"]

    def test_the_code_of_another_user_is_no_second_factor(self, thief: Member) -> None:
        """The thief has an account of their own, and signs in to it within the session."""
        own = thief.person.site.person()
        own.by_code()
        answer = thief.person.ask_for_code(link=True, email=own.email)
        assert refusal(answer) == "a factor that is set up has to be completed first"
        answer = thief.person.by_code(email=own.email)  # without shouldTryLinkingWithSessionUser, it is another session
        assert answer["user"]["id"] != thief.user_id

    def test_a_code_of_the_thiefs_own_app_is_wrong(self, thief: Member) -> None:
        other = Member.of(thief.person.site)
        import_device(thief.person.site.core, other.user_id, secret="GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
        assert thief.enter_totp(totp("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"))["status"] == "INVALID_TOTP_ERROR"
        assert thief.page() == REFUSED

    @pytest.mark.parametrize("path", ["/auth/mfa/info", "/auth/totp/verify", "/auth/session/refresh", "/page"])
    def test_a_client_writes_no_factor_into_its_session(self, thief: Member, path: str) -> None:
        forged = {"c": {"totp": 1}, "v": True}
        thief.call(
            "PUT" if path.endswith("info") else "POST", path, {"st-mfa": forged, "totp": "x", "userDataInJWT": forged}
        )
        assert (thief.done, thief.page()) == ({"emailpassword"}, REFUSED)

    def test_a_session_that_was_revoked_completes_nothing(self, thief: Member) -> None:
        session.revoke_all_sessions_for_user(user_id=thief.user_id)
        for method, path, body in [
            ("PUT", "/auth/mfa/info", None),
            ("POST", "/auth/totp/verify", {"totp": totp(SECRET)}),
            ("POST", "/auth/totp/device", {}),
            ("GET", "/auth/totp/device/list", None),
            ("POST", "/auth/totp/device/remove", {"deviceName": "phone"}),
            ("POST", "/auth/totp/device/verify", {"deviceName": "phone", "totp": "000000"}),
        ]:
            copy = thief.person.visitor.snapshot()
            assert copy.call(method, path, body).status_code == 401, path

    def test_routes_without_a_session_get_401(self, thief: Member) -> None:
        visitor = thief.person.site.shop.visitor()
        assert visitor.call("PUT", "/auth/mfa/info").get_json() == {"message": "unauthorised"}
        assert visitor.call("POST", "/auth/totp/verify", {"totp": "000000"}).status_code == 401


def test_without_a_rule_for_linking_nothing_is_a_second_factor(core: Borrowed) -> None:
    at = site(core, answer=NO_LINK)
    member = Member.of(at)
    assert member.person.ask_for_code(link=True) == {
        "message": "the app does not link this way to sign in to the user of the session"
    }


@pytest.mark.parametrize("version", ["1.17", "2.0", "3.0"])
def test_older_frontends_link_whenever_there_is_a_session(core: Borrowed, version: str) -> None:
    """Below FDI 3.1 a frontend cannot say so."""
    at: Site = site(core)
    member = Member.of(at)
    member.person.verify()
    member.person.visitor.fdi_version = version
    member.person.by_code()
    assert member.done == {"emailpassword", "otp-email"}
