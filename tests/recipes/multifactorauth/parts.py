"""What the tests of second factors have in common: a site with four ways to sign in, and its users."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import attrs

from recipes.accountlinking.parts import Person, Site
from recipes.shop import Borrowed, payload_of
from recipes.totp.parts import SECRET, import_device, totp
from st_wsgi import Override, replace
from st_wsgi.recipes.multifactorauth import MultiFactorAuth, add_to_required_secondary_factors_for_user
from st_wsgi.recipes.totp import Totp

INFO = "/auth/mfa/info"


def site(
    core: Borrowed, *, first: list[str] | None = None, override: Override[Any, Any] | None = None, **more: Any
) -> Site:
    """Return a site with second factors."""
    mfa = MultiFactorAuth(first_factors=first, override=override)
    return Site(core, more=lambda _send: [mfa, Totp()], **more)


@attrs.frozen
class Member:
    """A person who has signed up with a password, and their session."""

    person: Person
    user_id: str

    @classmethod
    def of(cls, at: Site, *, requires: tuple[str, ...] = (), has_app: bool = False) -> Member:
        """
        Sign a person up.

        :param requires: what is required of them, once they are signed up.
        :param has_app: whether they have a verified authenticator app.
        """
        person = at.person()
        answer = person.sign_up()
        assert answer["status"] == "OK", answer
        member = cls(person, answer["user"]["id"])
        for factor in requires:
            add_to_required_secondary_factors_for_user(user_id=member.user_id, factor_id=factor)
        if has_app:
            import_device(at.core, member.user_id)
        if requires:
            assert person.sign_in()["status"] == "OK"
        return member

    def info(self) -> dict[str, Any]:
        """Ask what comes next."""
        answer: dict[str, Any] = self.call("PUT", INFO).get_json()
        return answer

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        return self.person.visitor.call(method, path, body, **more)

    def enter_totp(self, code: str | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = self.call("POST", "/auth/totp/verify", {"totp": code or totp(SECRET)}).get_json()
        return answer

    @property
    def claim(self) -> dict[str, Any]:
        """The claim in the session's access token."""
        value: dict[str, Any] = payload_of(str(self.person.visitor.access_token)).get("st-mfa", {})
        return value

    @property
    def done(self) -> set[str]:
        """The factors that the session has."""
        assert all(0 <= time.time() - at < 120 for at in self.claim["c"].values()), self.claim
        return set(self.claim["c"])

    def page(self) -> Any:
        """Open a page of the site, and return what it says: the user's id, or why it does not open."""
        body = self.person.visitor.visit().get_json()
        return body.get("userId") or body.get("claimValidationErrors") or body


def requirements(*steps: Any) -> Override[Any, Any]:
    """Return an override by which every sign-in needs these steps."""
    return replaced(lambda **_: list(steps))


def replaced(get_mfa_requirements_for_auth: Callable[..., Any]) -> Override[Any, Any]:
    return Override(
        functions=lambda original: replace(original, get_mfa_requirements_for_auth=get_mfa_requirements_for_auth)
    )
