"""
The site of the races, in the process of the tests or in those of gunicorn.

What it sends goes into a folder, and it links no accounts while that has a file *apart*: so all processes agree. The
environment of gunicorn names both: ``ST_CORE=… ST_FOLDER=… gunicorn 'hardening.busy_site:served()'``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from recipes.shop import API, WEBSITE
from recipes.webauthn.parts import RP

from st_wsgi import AppInfo, RecipeUserId, SuperTokens
from st_wsgi.delivery import Message
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.accountlinking import AccountLinking, ShouldAutomaticallyLink, ShouldNotAutomaticallyLink
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multifactorauth import MultiFactorAuth
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.totp import Totp
from st_wsgi.recipes.webauthn import Webauthn

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

WITH_FACTORS = "/factors"
"""Where the routes of the instance with second factors are; those of the other one are below ``/auth``."""


@attrs.frozen
class Outbox:
    """Messages that were sent, in the order of sending."""

    folder: Path

    def send(self, message: Message) -> None:
        line = json.dumps({"to": message.to, "code": message.code}).encode() + b"\n"
        # Appended by one call, so that the lines of several processes stay whole.
        file = os.open(self.folder / "messages", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(file, line)
        finally:
            os.close(file)

    def code(self, to: str) -> str:
        """Return the code that was sent there last."""
        lines = (json.loads(line) for line in (self.folder / "messages").read_text().splitlines())
        return str([line["code"] for line in lines if line["to"] == to][-1])


@attrs.frozen
class Busy:
    """
    The site: an instance that links accounts, and one with second factors, on one core.

    :ivar app: serves both, and at ``/do/…`` what an app's own code would do.
    """

    linking: SuperTokens
    factors: SuperTokens

    @classmethod
    def on(cls, core: str, folder: Path) -> Busy:
        send = Outbox(folder).send

        def rule(*_: object) -> ShouldAutomaticallyLink | ShouldNotAutomaticallyLink:
            return ShouldNotAutomaticallyLink() if (folder / "apart").exists() else ShouldAutomaticallyLink()

        def instance(base_path: str, *more: Recipe[Any, Any]) -> SuperTokens:
            about = AppInfo(app_name="Busy", api_domain=API, website_domain=WEBSITE, api_base_path=base_path)
            links = AccountLinking(should_do_automatic_account_linking=rule)
            return SuperTokens(
                app_info=about,
                core=core,
                recipes=[links, EmailPassword(email_delivery=send), *more, Session()],
                rate_limit=None,
                allow_in_memory_core=True,
            )

        codes = Passwordless(
            contact_config=ContactEmailOrPhoneConfig(),
            flow_type="USER_INPUT_CODE",
            email_delivery=send,
            sms_delivery=send,
        )
        addresses = EmailVerification(mode="OPTIONAL", email_delivery=send)
        passkeys = Webauthn(get_relying_party_id=RP, email_delivery=send)
        return cls(instance("/auth", addresses, codes, passkeys), instance(WITH_FACTORS, MultiFactorAuth(), Totp()))

    def close(self) -> None:
        self.linking.close()
        self.factors.close()

    def app(self) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
        linking, factors = self.linking.wrap(self._act), self.factors.wrap(self._act)
        return lambda environ, start: (factors if environ["PATH_INFO"].startswith(WITH_FACTORS) else linking)(
            environ, start
        )

    def _act(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Do what a request asks for, and say with which status it ended."""
        asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        factors = self.factors.services.get(MultiFactorAuth).functions
        passwords = self.linking.services.get(EmailPassword).functions
        acts: dict[str, Callable[..., Any]] = {
            "/do/require": factors.add_to_required_secondary_factors_for_user,
            "/do/release": factors.remove_from_required_secondary_factors_for_user,
            "/do/change": lambda user_id, email: passwords.update_email_or_password(
                recipe_user_id=RecipeUserId(user_id), email=email
            ),
        }
        outcome = acts[environ["PATH_INFO"]](**asked)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"status": getattr(outcome, "status", "OK")}).encode()]


def served() -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """Return the site of this process's environment."""
    return Busy.on(os.environ["ST_CORE"], Path(os.environ["ST_FOLDER"])).app()
