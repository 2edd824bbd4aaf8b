"""What the tests of passkeys have in common: a site, and somebody with an authenticator in software."""

from __future__ import annotations

from typing import Any

import attrs
from contract import authenticator
from contract.authenticator import Credential

from recipes.accountlinking.parts import LINK_VERIFIED, Person, Site, token_in
from recipes.shop import WEBSITE, Borrowed
from st_wsgi.recipes.webauthn import Webauthn

RP = "shop.example"
RESET = "/auth/user/webauthn/reset"
INVALID_TOKEN = {"status": "RECOVER_ACCOUNT_TOKEN_INVALID_ERROR"}


def passkey_site(core: Borrowed, *, answer: Any = LINK_VERIFIED, **settings: Any) -> Site:
    """Return a site with account linking, whose users may have passkeys, too."""
    party = {"get_relying_party_id": RP, **settings}
    return Site(core, answer=answer, more=lambda send: [Webauthn(email_delivery=send, **party)])


@attrs.define
class Holder:
    """Somebody at a browser with a passkey. Each act returns the body of the response."""

    person: Person
    key: Credential = attrs.field(factory=authenticator.credential)

    def register_options(self, **body: Any) -> dict[str, Any]:
        return self.send("/auth/webauthn/options/register", body or {"email": self.person.email})

    def sign_in_options(self) -> dict[str, Any]:
        return self.send("/auth/webauthn/options/signin", {})

    def sign_up(self, options: dict[str, Any] | None = None, *, link: bool = False, **told: Any) -> dict[str, Any]:
        return self.send("/auth/webauthn/signup", made(options or self.register_options(), self.key, **told), link)

    def sign_in(self, options: dict[str, Any] | None = None, *, link: bool = False, **told: Any) -> dict[str, Any]:
        return self.send("/auth/webauthn/signin", proved(options or self.sign_in_options(), self.key, **told), link)

    def add(self, key: Credential, options: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Add a passkey to the account."""
        return self.send("/auth/webauthn/credential", {**made(options or self.register_options(), key), **more})

    def remove(self, key: Credential) -> dict[str, Any]:
        return self.send("/auth/webauthn/credential/remove", {"webauthnCredentialId": key.name})

    def keys(self) -> list[str]:
        """Return the ids of the passkeys that the site lists."""
        body = self.person.visitor.call("GET", "/auth/webauthn/credential/list").get_json()
        return [one["webauthnCredentialId"] for one in body["credentials"]]

    def ask_for_mail(self, email: str | None = None) -> dict[str, Any]:
        answer = self.send(f"{RESET}/token", {"email": email or self.person.email})
        site = self.person.site.shop.st.services.get(Webauthn)
        site.background.close()  # the mail is sent
        return answer

    def token(self) -> str:
        """Return the token of the mail that came last."""
        return token_in(self.person.site.messages.get(timeout=20))

    def recover(self, token: str, options: dict[str, Any] | None = None, **told: Any) -> dict[str, Any]:
        """Add the passkey to the account of a token."""
        options = options or self.register_options(recoverAccountToken=token)
        return self.send(RESET, {"token": token, **made(options, self.key, **told)})

    def send(self, path: str, body: dict[str, Any], link: bool = False) -> dict[str, Any]:
        return self.person._send(path, body, link)


def made(options: dict[str, Any], key: Credential, **told: Any) -> dict[str, Any]:
    """Return the answer to options: a new passkey. *told* stands in the place of the truth."""
    answer = authenticator.created(options, key, **{"rp_id": RP, "origin": WEBSITE, **told})
    return {"webauthnGeneratedOptionsId": options["webauthnGeneratedOptionsId"], "credential": answer}


def proved(options: dict[str, Any], key: Credential, **told: Any) -> dict[str, Any]:
    """Return the answer to options: the proof of a passkey. *told* stands in the place of the truth."""
    answer = authenticator.asserted(options, key, **{"rp_id": RP, "origin": WEBSITE, **told})
    return {"webauthnGeneratedOptionsId": options["webauthnGeneratedOptionsId"], "credential": answer}
