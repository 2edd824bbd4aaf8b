"""What the tests of the providers have in common: a shop whose visitors sign in at a provider on loopback."""

from __future__ import annotations

from typing import Any

import attrs
from werkzeug.test import TestResponse

from recipes.shop import Borrowed, Shop, Visitor, clears_nothing
from recipes.thirdparty.provider_server import (
    APPLE_KEY,
    CLIENT_ID,
    CLIENT_SECRET,
    REDIRECT,
    TEAM,
    Person,
    ProviderServer,
    apple_key_text,
)
from st_wsgi.recipes.multitenancy import ProviderClientConfig, ProviderConfig
from st_wsgi.recipes.thirdparty import ProviderInput, ThirdParty

FAILED = "Signing in with this provider failed. Please try again, or choose another way to sign in."


def settings(provider: ProviderServer, **more: Any) -> ProviderConfig:
    """Return what an app writes of a provider, at the origin of the server."""
    dialect, origin = provider.dialect, provider.origin
    client: dict[str, Any] = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    by_base = {"gitlab": "gitlabBaseUrl", "okta": "oktaDomain", "boxy-saml": "boxyURL"}
    if dialect.id in by_base:
        client["additional_config"] = {by_base[dialect.id]: origin}
    elif dialect.discovery is not None:
        more = {"oidc_discovery_endpoint": provider.here(dialect.discovery), **more}
    else:
        addresses = {
            "authorization_endpoint": dialect.authorization,
            "token_endpoint": dialect.token,
            "user_info_endpoint": dialect.user_info,
        }
        more = {**{name: provider.here(documented) for name, documented in addresses.items()}, **more}
    if dialect.client_by == "apple":
        client.pop("client_secret")
        client["additional_config"] = {"keyId": APPLE_KEY, "teamId": TEAM, "privateKey": apple_key_text()}
    client |= more.pop("client", {})
    return ProviderConfig(third_party_id=dialect.id, clients=[ProviderClientConfig(**client)], **more)


def shop_with(core: Borrowed, *configs: ProviderConfig, origin: str | None = None, **more: Any) -> Shop:
    """Return a shop with these providers."""
    inputs = [ProviderInput(config=config) for config in configs]
    recipe = ThirdParty(providers=inputs, **{"allow_private_networks": True, **more})
    return Shop(core, recipes=[recipe], origin=origin)


def ask(visitor: Visitor, provider: str, *, tenant: str = "", **query: str) -> TestResponse:
    """Ask for the authorisation URL of a provider."""
    path = f"/auth/{tenant}/authorisationurl" if tenant else "/auth/authorisationurl"
    asked = {"thirdPartyId": provider, "redirectURIOnProviderDashboard": REDIRECT + provider, **query}
    return visitor.call("GET", path, query_string=asked)


@attrs.frozen
class Flow:
    """A sign-in that began: what the frontend keeps of it until the provider sends the visitor back."""

    visitor: Visitor
    provider: str
    url: str
    verifier: str | None

    @classmethod
    def begin(cls, visitor: Visitor, provider: str, **more: str) -> Flow:
        answer = ask(visitor, provider, **more)
        told = answer.get_json()
        assert (answer.status_code, told["status"]) == (200, "OK"), answer.text
        return cls(visitor, provider, told["urlWithQueryParams"], told.get("pkceCodeVerifier"))

    def body(self, query: dict[str, str]) -> dict[str, Any]:
        """Return what the frontend sends when the visitor is back with this query."""
        info: dict[str, Any] = {
            "redirectURIOnProviderDashboard": REDIRECT + self.provider,
            "redirectURIQueryParams": query,
        }
        if self.verifier is not None:
            info["pkceCodeVerifier"] = self.verifier
        return {"thirdPartyId": self.provider, "redirectURIInfo": info}

    def end(self, query: dict[str, str], *, tenant: str = "") -> TestResponse:
        """Send the visitor back with what the provider gave."""
        path = f"/auth/{tenant}/signinup" if tenant else "/auth/signinup"
        return self.visitor.call("POST", path, self.body(query))


def sign_in(visitor: Visitor, provider: ProviderServer, person: Person) -> TestResponse:
    """Go to the provider, consent there, and come back."""
    flow = Flow.begin(visitor, provider.dialect.id)
    return flow.end(provider.consent(flow.url, person))


def use_tokens(visitor: Visitor, provider: str, tokens: dict[str, Any], **more: Any) -> TestResponse:
    """Sign in with tokens that an app on a phone got."""
    return visitor.call("POST", "/auth/signinup", {"thirdPartyId": provider, "oAuthTokens": tokens, **more})


def outcome(answer: TestResponse) -> tuple[int, str | None, str | None]:
    """Return status code, status, and the message if there is one."""
    told = answer.get_json()
    return answer.status_code, told.get("status"), told.get("message")


def is_refused(answer: TestResponse) -> bool:
    """Return whether nobody was signed in, by a failure of the provider or because the request is none."""
    return (outcome(answer) == FAILURE or answer.status_code == 400) and clears_nothing(answer)


FAILURE = (200, "GENERAL_ERROR", FAILED)


def only_method(answer: TestResponse) -> dict[str, Any]:
    """Return the only login method of the user who signed in."""
    told = answer.get_json()
    assert (answer.status_code, told["status"]) == (200, "OK"), answer.text
    [method] = told["user"]["loginMethods"]
    found: dict[str, Any] = method
    return found
