"""What the tests of account linking have in common: a site with three ways to sign in, and what users do there."""

from __future__ import annotations

import queue
import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs

from recipes.shop import PASSWORD, Borrowed, Shop, Visitor, form
from st_wsgi import LoginMethod, Override, SecurityEvent, User, replace
from st_wsgi.delivery import Message
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes import accountlinking, passwordless
from st_wsgi.recipes.accountlinking import (
    AccountInfoWithRecipeId,
    AccountLinking,
    ShouldAutomaticallyLink,
    ShouldNotAutomaticallyLink,
)
from st_wsgi.recipes.emailpassword import EmailPassword, EmailPasswordAPIs, EmailPasswordFunctions
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multitenancy import ProviderClientConfig, ProviderConfig
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.thirdparty import ProviderInput, RawUserInfoFromProvider, ThirdParty, UserInfo, UserInfoEmail
from st_wsgi.recipes.thirdparty.providers.provider import Provider

CODE = "/auth/signinup/code"
GITHUB = ProviderConfig(third_party_id="github", clients=[ProviderClientConfig(client_id="c1", client_secret="s1")])
NO_LINK, LINK, LINK_VERIFIED = (
    ShouldNotAutomaticallyLink(),
    ShouldAutomaticallyLink(should_require_verification=False),
    ShouldAutomaticallyLink(),
)


@attrs.define
class Site:
    """
    A site, and what it sent and was told.

    :param answer: of the app's function, which a test may change.
    :param override: of the recipe emailpassword.
    :param more: makes further recipes, whose mails go to the function that it gets.
    :param settings: of the instance.
    """

    core: Borrowed
    answer: ShouldNotAutomaticallyLink | ShouldAutomaticallyLink = LINK_VERIFIED
    mode: Any = "OPTIONAL"
    override: Override[EmailPasswordFunctions, EmailPasswordAPIs] | None = None
    more: Callable[[Callable[[Message], None]], list[Recipe[Any, Any]]] = lambda _send: []
    flow_type: Any = "USER_INPUT_CODE"
    settings: dict[str, Any] = attrs.field(factory=dict)
    shop: Shop = attrs.field(init=False)
    messages: queue.Queue[Message] = attrs.field(factory=queue.Queue)
    linked: list[tuple[User, LoginMethod]] = attrs.field(factory=list)
    events: list[SecurityEvent] = attrs.field(factory=list)
    asked: list[tuple[AccountInfoWithRecipeId, User | None, Any, str]] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        listed: list[Recipe[Any, Any]] = [
            AccountLinking(
                should_do_automatic_account_linking=self._rule,
                on_account_linked=lambda user, method: self.linked.append((user, method)),
            ),
            EmailPassword(email_delivery=self.messages.put, override=self.override),
            EmailVerification(mode=self.mode, email_delivery=self.messages.put),
            ThirdParty(providers=[ProviderInput(config=GITHUB, override=self._says)]),
            Passwordless(
                contact_config=ContactEmailOrPhoneConfig(),
                flow_type=self.flow_type,
                email_delivery=self.messages.put,
                sms_delivery=self.messages.put,
            ),
            *self.more(self.messages.put),
        ]
        self.shop = Shop(self.core, recipes=listed, on_security_event=self.events.append, **self.settings)

    def _rule(
        self, account: AccountInfoWithRecipeId, user: User | None, session: Any, tenant_id: str, context: Any
    ) -> ShouldNotAutomaticallyLink | ShouldAutomaticallyLink:
        self.asked.append((account, user, session, tenant_id))
        return self.answer

    def _says(self, original: Provider) -> Provider:
        """Return a provider that believes what the test says of the user, without a network."""

        def get_user_info(*, oauth_tokens: dict[str, Any]) -> UserInfo:
            email = UserInfoEmail(id=oauth_tokens["email"], is_verified=oauth_tokens["verified"])
            raw = RawUserInfoFromProvider()
            return UserInfo(third_party_user_id=oauth_tokens["id"], email=email, raw_user_info_from_provider=raw)

        return replace(original, get_user_info=get_user_info)

    def person(self, email: str | None = None) -> Person:
        """Return somebody with an address of their own, and a browser without a session."""
        return Person(self, self.shop.visitor(), email or f"{uuid.uuid4().hex}@example.com")

    def person_with_rival(self) -> Person:
        """Return somebody in a session whose verified address belongs to another primary user, too."""
        self.answer = NO_LINK
        person = self.person()
        person.sign_up()
        person.verify()
        rival = passwordless.signinup(email=person.email)
        accountlinking.create_primary_user(recipe_user_id=rival.recipe_user_id)
        self.answer = LINK_VERIFIED
        return person


@attrs.define
class Person:
    """Somebody at a browser. Each act returns the body of the response; ``link`` asks to link to the session's user."""

    site: Site
    visitor: Visitor
    email: str

    def sign_up(self, *, link: bool = False, email: str | None = None) -> dict[str, Any]:
        return self._send("/auth/signup", form(email=email or self.email, password=PASSWORD), link)

    def sign_in(self, *, link: bool = False, email: str | None = None, password: str = PASSWORD) -> dict[str, Any]:
        return self._send("/auth/signin", form(email=email or self.email, password=password), link)

    def ask_for_code(self, *, link: bool = False, **contact: str) -> dict[str, Any]:
        return self._send(CODE, contact or {"email": self.email}, link)

    def enter_code(self, device: dict[str, Any], *, link: bool = False, code: str | None = None) -> dict[str, Any]:
        code = code or self.site.messages.get(timeout=20).code
        ids = {name: device[name] for name in ("deviceId", "preAuthSessionId")}
        return self._send(f"{CODE}/consume", {**ids, "userInputCode": code}, link)

    def by_code(self, *, link: bool = False, **contact: str) -> dict[str, Any]:
        return self.enter_code(self.ask_for_code(link=link, **contact), link=link)

    def by_provider(
        self, *, link: bool = False, email: str | None = None, verified: bool = True, name: str = ""
    ) -> dict[str, Any]:
        """Sign in with the person's account at a provider, or with another one of the name."""
        tokens: dict[str, Any] = {"id": f"{name}{self.email}", "email": email or self.email, "verified": verified}
        tokens["access_token"] = "t"
        return self._send("/auth/signinup", {"thirdPartyId": "github", "oAuthTokens": tokens}, link)

    def verify(self) -> dict[str, Any]:
        """Verify the address of the session's login method by the link of a mail."""
        self.visitor.call("POST", "/auth/user/email/verify/token")
        token = token_in(self.site.messages.get(timeout=20))
        return self._send("/auth/user/email/verify", {"method": "token", "token": token})

    def forget_password(self) -> dict[str, Any]:
        return self._send("/auth/user/password/reset/token", form(email=self.email))

    def set_password(self, password: str) -> dict[str, Any]:
        """Set a password by the link of the mail that came last."""
        body = {"method": "token", "token": token_in(self.site.messages.get(timeout=20)), **form(password=password)}
        return self._send("/auth/user/password/reset", body)

    def who(self) -> str | None:
        """Return the user's id as the site's own pages see it."""
        body = self.visitor.visit().get_json()
        user_id: str | None = body.get("userId")
        return user_id

    def _send(self, path: str, body: dict[str, Any], link: bool = False) -> dict[str, Any]:
        if link:
            body = {**body, "shouldTryLinkingWithSessionUser": True}
        answer: dict[str, Any] = self.visitor.call("POST", path, body).get_json()
        return answer


def token_in(message: Message) -> str:
    assert message.link is not None
    return parse_qs(urlsplit(message.link).query)["token"][0]


def support_code(answer: dict[str, Any]) -> tuple[str, str]:
    """Return the status of a refusal, and its support code."""
    return answer["status"], re.findall(r"ERR_CODE_[0-9]{3}", answer["reason"])[0]
