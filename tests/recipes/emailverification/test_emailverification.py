"""Verified e-mail addresses: routes in both modes, functions, the claim, mails and overrides."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import TestResponse

from recipes.shop import PASSWORD, QUICK, WEBSITE, Borrowed, Shop, Visitor, form, no_mail, payload_of
from st_wsgi import Override, RecipeUserId, like, replace
from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.delivery import Delivery, Message
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import ArgumentError, ConfigError
from st_wsgi.recipes import emailverification as ev
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import (
    EmailAlreadyVerified,
    EmailDoesNotExist,
    EmailOfUser,
    EmailVerification,
    EmailVerificationAPIs,
    EmailVerificationClaim,
    EmailVerificationFunctions,
    EmailVerified,
    InvalidVerificationToken,
    UnknownUserId,
    VerificationLink,
    VerificationToken,
)

VERIFY = "/auth/user/email/verify"
INVALID = {"status": "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR"}


@pytest.fixture
def mails() -> list[Message]:
    """The mails that were sent."""
    return []


def shop_with(core: Borrowed, mails: list[Message], *, mode: Any = "REQUIRED", **settings: Any) -> Shop:
    recipe = EmailVerification(mode=mode, email_delivery=mails.append, **settings)
    return Shop(core, recipes=[EmailPassword(email_delivery=no_mail), recipe])


@pytest.fixture
def shop(core: Borrowed, mails: list[Message]) -> Shop:
    return shop_with(core, mails)


def signed_up(shop: Shop, mode: str = "cookie") -> Visitor:
    visitor = shop.visitor(mode)
    answer = visitor.sign_up()
    assert answer.get_json()["status"] == "OK"
    visitor.user_id = answer.get_json()["user"]["id"]
    return visitor


def ask_for_mail(visitor: Visitor) -> TestResponse:
    response = visitor.call("POST", f"{VERIFY}/token")
    visitor.shop.st.services.get(EmailVerification).background.close()  # the mail is sent
    return response


def token_in(message: Message) -> str:
    assert message.link is not None
    return parse_qs(urlsplit(message.link).query)["token"][0]


def send_token(visitor: Visitor, token: object, **call: Any) -> TestResponse:
    return visitor.call("POST", VERIFY, {"method": "token", "token": token}, **call)


def claim_of(visitor: Visitor) -> Any:
    assert visitor.access_token is not None
    return payload_of(visitor.access_token)["st-ev"]["v"]


@pytest.mark.parametrize("mode", ["cookie", "header"])
def test_a_required_address_is_verified_by_the_link_of_the_mail(shop: Shop, mails: list[Message], mode: str) -> None:
    visitor = signed_up(shop, mode)
    refused = visitor.visit()
    assert refused.status_code == 403
    assert [error["id"] for error in refused.get_json()["claimValidationErrors"]] == ["st-ev"]

    assert ask_for_mail(visitor).get_json() == {"status": "OK"}
    [mail] = mails
    assert (mail.kind, mail.to, mail.user_id) == ("EMAIL_VERIFICATION", visitor.email, visitor.user_id)
    assert mail.link is not None
    assert mail.link.startswith(f"{WEBSITE}/auth/verify-email?token=")
    assert parse_qs(urlsplit(mail.link).query)["tenantId"] == ["public"]

    assert send_token(visitor, token_in(mail)).get_json() == {"status": "OK"}
    assert claim_of(visitor) is True
    assert visitor.visit().get_json() == {"userId": visitor.user_id}


def test_a_link_that_another_browser_opens_shows_in_the_session_when_it_is_asked(
    shop: Shop, mails: list[Message]
) -> None:
    visitor = signed_up(shop)
    ask_for_mail(visitor)
    assert send_token(shop.visitor(), token_in(mails[0])).get_json() == {"status": "OK"}
    assert claim_of(visitor) is False
    assert visitor.call("GET", VERIFY).get_json() == {"status": "OK", "isVerified": True}
    assert claim_of(visitor) is True


def test_the_state_of_an_unverified_user(shop: Shop) -> None:
    visitor = signed_up(shop)
    assert visitor.call("GET", VERIFY).get_json() == {"status": "OK", "isVerified": False}
    assert claim_of(visitor) is False


def test_optional_verification_lets_unverified_users_in(core: Borrowed, mails: list[Message]) -> None:
    visitor = signed_up(shop_with(core, mails, mode="OPTIONAL"))
    assert claim_of(visitor) is False
    assert visitor.visit().status_code == 200


def test_a_token_works_once(shop: Shop, mails: list[Message]) -> None:
    visitor = signed_up(shop)
    ask_for_mail(visitor)
    assert send_token(visitor, token_in(mails[0])).get_json() == {"status": "OK"}
    assert send_token(visitor, token_in(mails[0])).get_json() == INVALID


def test_an_invented_token_is_invalid(shop: Shop) -> None:
    assert send_token(shop.visitor(), "invented").get_json() == INVALID


def test_a_verified_user_gets_no_mail_and_a_current_session(shop: Shop, mails: list[Message]) -> None:
    visitor = signed_up(shop)
    ask_for_mail(visitor)
    send_token(shop.visitor(), token_in(mails.pop()))
    assert ask_for_mail(visitor).get_json() == {"status": "EMAIL_ALREADY_VERIFIED_ERROR"}
    assert mails == []
    assert claim_of(visitor) is True


def test_the_session_of_another_user_stays_as_it_is(shop: Shop, mails: list[Message]) -> None:
    owner, other = signed_up(shop), signed_up(shop)
    ask_for_mail(owner)
    assert send_token(other, token_in(mails[0])).get_json() == {"status": "OK"}
    assert claim_of(other) is False


def test_an_address_that_was_made_unverified_shows_in_the_session(shop: Shop, mails: list[Message]) -> None:
    visitor = signed_up(shop)
    ask_for_mail(visitor)
    send_token(visitor, token_in(mails[0]))
    ev.unverify_email(recipe_user_id=RecipeUserId(visitor.user_id))
    assert ask_for_mail(visitor).get_json() == {"status": "OK"}
    assert claim_of(visitor) is False


@pytest.mark.parametrize(
    "body", [{}, {"method": "token"}, {"token": 1}, {"token": None}, {"token": ["x"]}, {"token": {"a": 1}}]
)
def test_a_body_without_a_token_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    answer = shop.visitor().call("POST", VERIFY, body)
    assert answer.status_code == 400
    assert "token" in answer.get_json()["message"]


@pytest.mark.parametrize(("method", "path"), [("POST", f"{VERIFY}/token"), ("GET", VERIFY)])
def test_routes_of_a_session_answer_401_without_one(shop: Shop, method: str, path: str) -> None:
    answer = shop.visitor().call(method, path)
    assert (answer.status_code, answer.get_json()) == (401, {"message": "unauthorised"})


@pytest.mark.parametrize(("method", "path"), [("POST", f"{VERIFY}/token"), ("GET", VERIFY)])
def test_a_session_whose_user_does_not_exist_ends(shop: Shop, method: str, path: str) -> None:
    assert shop.signed_in().call(method, path).status_code == 401


def test_a_mail_that_fails_does_not_show_in_the_response(core: Borrowed, mails: list[Message]) -> None:
    failures: list[str] = []

    def broken(message: Message) -> None:
        raise ConnectionRefusedError

    delivery = Delivery(broken, lambda message, error: failures.append(type(error).__name__))
    shop = Shop(
        core,
        recipes=[EmailPassword(email_delivery=no_mail), EmailVerification(mode="OPTIONAL", email_delivery=delivery)],
    )
    assert ask_for_mail(signed_up(shop)).get_json() == {"status": "OK"}
    assert failures == ["ConnectionRefusedError"]


def test_a_login_method_without_address_counts_as_verified(core: Borrowed, mails: list[Message]) -> None:
    shop = shop_with(core, mails, get_email_for_recipe_user_id=lambda recipe_user_id: EmailDoesNotExist())
    visitor = shop.signed_in()
    assert claim_of(visitor) is True
    assert visitor.visit().status_code == 200
    assert visitor.call("GET", VERIFY).get_json() == {"status": "OK", "isVerified": True}
    assert ask_for_mail(visitor).get_json() == {"status": "EMAIL_ALREADY_VERIFIED_ERROR"}
    assert ev.is_email_verified(recipe_user_id=RecipeUserId(visitor.user_id)) is True


def test_the_app_names_addresses_that_the_core_does_not_know(core: Borrowed, mails: list[Message]) -> None:
    shop = shop_with(core, mails, get_email_for_recipe_user_id=lambda recipe_user_id: EmailOfUser("ada@example.com"))
    visitor = shop.signed_in()
    ask_for_mail(visitor)
    assert [mail.to for mail in mails] == ["ada@example.com"]
    assert send_token(visitor, token_in(mails[0])).get_json() == {"status": "OK"}
    assert visitor.visit().status_code == 200


def test_the_core_is_asked_when_the_app_does_not_know_the_user(core: Borrowed, mails: list[Message]) -> None:
    shop = shop_with(core, mails, get_email_for_recipe_user_id=lambda recipe_user_id: UnknownUserId())
    visitor = signed_up(shop)
    ask_for_mail(visitor)
    assert [mail.to for mail in mails] == [visitor.email]


def test_every_function_by_the_id_of_a_login_method(shop: Shop, mails: list[Message]) -> None:
    visitor = signed_up(shop)
    user = RecipeUserId(visitor.user_id)
    outcome = ev.create_email_verification_token(recipe_user_id=user)
    assert isinstance(outcome, VerificationToken)
    ev.revoke_email_verification_tokens(recipe_user_id=user)
    assert ev.verify_email_using_token(token=outcome.token) == InvalidVerificationToken()

    assert ev.send_email_verification_email(user_id=visitor.user_id, recipe_user_id=user) is True
    assert ev.is_email_verified(recipe_user_id=user) is False
    verified = EmailVerified(recipe_user_id=user, email=visitor.email)
    assert ev.verify_email_using_token(token=token_in(mails[0])) == verified
    assert ev.is_email_verified(recipe_user_id=user, email=visitor.email) is True
    assert ev.is_email_verified(recipe_user_id=user, email="other@example.com") is False

    assert ev.create_email_verification_token(recipe_user_id=user) == EmailAlreadyVerified()
    assert ev.create_email_verification_link(recipe_user_id=user) == EmailAlreadyVerified()
    already = ev.send_email_verification_email(user_id=visitor.user_id, recipe_user_id=user)
    assert already == EmailAlreadyVerified()
    ev.unverify_email(recipe_user_id=user)
    assert ev.is_email_verified(recipe_user_id=user) is False
    link = ev.create_email_verification_link(recipe_user_id=user)
    assert isinstance(link, VerificationLink)
    assert link.link.startswith(f"{WEBSITE}/auth/verify-email?token=")
    assert "token" not in repr(link)


@pytest.mark.parametrize(
    "function",
    [
        ev.create_email_verification_token,
        ev.create_email_verification_link,
        ev.is_email_verified,
        ev.revoke_email_verification_tokens,
        ev.unverify_email,
    ],
    ids=lambda function: function.__name__,
)
def test_an_unknown_login_method_needs_its_address(shop: Shop, function: Any) -> None:
    with pytest.raises(ArgumentError, match="pass the e-mail address"):
        function(recipe_user_id=RecipeUserId(uuid.uuid4().hex))


def test_overrides_of_functions_and_apis_are_called(core: Borrowed, mails: list[Message]) -> None:
    calls: list[str] = []

    def functions(original: EmailVerificationFunctions) -> EmailVerificationFunctions:
        @like(original.send_email)
        def send_email(*, message):  # type: ignore[no-untyped-def]
            calls.append(message.kind)
            return original.send_email(message=message)

        return replace(original, send_email=send_email)

    def apis(original: EmailVerificationAPIs) -> EmailVerificationAPIs:
        @like(original.verify_email_post)
        def verify_email_post(*, token, tenant_id, session, context):  # type: ignore[no-untyped-def]
            calls.append("verify_email_post")
            return original.verify_email_post(token=token, tenant_id=tenant_id, session=session, context=context)

        return replace(original, verify_email_post=verify_email_post, is_email_verified_get=None)

    shop = shop_with(core, mails, override=Override(functions=functions, apis=apis))
    visitor = signed_up(shop)
    ask_for_mail(visitor)
    send_token(visitor, token_in(mails[0]))
    assert calls == ["EMAIL_VERIFICATION", "verify_email_post"]
    assert visitor.call("GET", VERIFY).get_json() == {"userId": visitor.user_id}  # switched off: the app answers


def test_only_a_false_claim_is_fetched_again() -> None:
    validator = EmailVerificationClaim.is_verified()
    long_ago = 0
    assert validator.should_refetch({"st-ev": {"v": False, "t": long_ago}}) is True
    assert validator.should_refetch({"st-ev": {"v": True, "t": long_ago}}) is False


@pytest.mark.parametrize("mode", ["required", "", None, "MAYBE"])
def test_an_unknown_mode_is_refused(mode: Any) -> None:
    with pytest.raises(ConfigError, match="mode must be one of REQUIRED, OPTIONAL"):
        EmailVerification(mode=mode)


def test_a_mail_is_printed_in_development_and_refused_for_https(
    core: Borrowed, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="email_delivery has no service"):
        Shop(core, recipes=[EmailVerification(mode="OPTIONAL")])
    local = {"api_domain": "http://127.0.0.1:3000", "website_domain": "http://127.0.0.1:3000"}
    shop = Shop(
        core, recipes=[EmailPassword(email_delivery=no_mail), EmailVerification(mode="OPTIONAL")], app_info=local
    )
    ask_for_mail(signed_up(shop))
    printed = capsys.readouterr().err.splitlines()
    assert [line for line in printed if line.startswith("http://127.0.0.1:3000/auth/verify-email?token=")]


@pytest.fixture(scope="module")
def core_with_tenants() -> Iterator[EmbeddedCore]:
    with EmbeddedCore(settings=QUICK) as core:
        for tenant_id in ("t1", "t2"):
            made = {"tenantId": tenant_id, "firstFactors": ["emailpassword"]}
            core.send(CoreRequest("PUT", "/recipe/multitenancy/tenant/v2", body=made, headers={"cdi-version": "5.4"}))
        yield core


class TestTwoTenants:
    """A session belongs to the tenant in which the user signed in, whatever tenant a path names."""

    @pytest.mark.parametrize("path", ["", "/public", "/t1", "/t2"])
    def test_the_tenant_of_the_session_comes_before_that_of_the_path(
        self, core_with_tenants: EmbeddedCore, mails: list[Message], path: str
    ) -> None:
        seen: list[str] = []

        def noting(original: EmailVerificationAPIs) -> EmailVerificationAPIs:
            @like(original.generate_email_verify_token_post)
            def generate(*, session, context):  # type: ignore[no-untyped-def]
                seen.append(context.tenant_id)
                return original.generate_email_verify_token_post(session=session, context=context)

            return replace(original, generate_email_verify_token_post=generate)

        shop = shop_with(Borrowed(core_with_tenants), mails, override=Override(apis=noting))
        visitor = shop.visitor()
        signed = visitor.call("POST", "/auth/t1/signup", form(email=visitor.email, password=PASSWORD))
        assert signed.get_json()["status"] == "OK"
        assert visitor.call("POST", f"/auth{path}/user/email/verify/token").get_json() == {"status": "OK"}
        shop.st.services.get(EmailVerification).background.close()
        assert seen == ["t1"]
        assert [mail.tenant_id for mail in mails] == ["t1"]
        elsewhere = send_token(shop.visitor(), token_in(mails[0]))
        assert elsewhere.get_json() == INVALID
        there = {"method": "token", "token": token_in(mails[0])}
        assert shop.visitor().call("POST", "/auth/t1/user/email/verify", there).get_json() == {"status": "OK"}
        assert visitor.call("GET", f"/auth{path}/user/email/verify").get_json()["isVerified"] is True

    def test_a_user_of_one_tenant_is_unknown_in_the_other(
        self, core_with_tenants: EmbeddedCore, mails: list[Message]
    ) -> None:
        shop = shop_with(Borrowed(core_with_tenants), mails)
        visitor = shop.visitor()
        visitor.call("POST", "/auth/t1/signup", form(email=visitor.email, password=PASSWORD))
        wrong = visitor.call("POST", "/auth/t2/signin", form(email=visitor.email, password=PASSWORD))
        assert wrong.get_json() == {"status": "WRONG_CREDENTIALS_ERROR"}
        assert visitor.call("POST", "/auth/t2/signout").get_json() == {"status": "OK"}
