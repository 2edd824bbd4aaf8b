"""Sign-in by a provider of a tenant: the same requests to an official SDK and ours, and users of one at the other."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from urllib.parse import quote

import attrs
import pytest
from sampling import exhaustive_but

from sdks.ours import Ours
from sdks.peers import Peer
from sdks.school import CALLBACK, arrival, school, serving_school
from sdks.sides import MODES, TURNS, Answer, OurSide, Side, Steps, TheirSide, Visitor, different_steps
from st_wsgi.recipes.multitenancy import Multitenancy, TenantConfigCreateOrUpdate

TENANT = "provided"


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The origin of the provider."""
    with serving_school() as origin:
        yield origin


@pytest.fixture(scope="module")
def sides(sdk: Peer, ours: Ours, provider: str) -> tuple[Side, Side]:
    """Our side and theirs, with a tenant that has the provider in three arrangements."""
    functions = ours.st.services.get(Multitenancy).functions
    functions.create_or_update_tenant(
        tenant_id=TENANT, config=TenantConfigCreateOrUpdate(first_factors=["thirdparty", "emailpassword"])
    )
    plain = school(provider)
    [client] = plain.clients
    two = [attrs.evolve(client, client_type=name, force_pkce=name == "app") for name in ("web", "app")]
    arranged = [
        plain,
        attrs.evolve(plain, third_party_id="two", name="Two clients", clients=two),
        attrs.evolve(plain, third_party_id="mailless", name="Without addresses", require_email=False),
    ]
    for config in arranged:
        functions.create_or_update_third_party_config(config=config, tenant_id=TENANT)
    return OurSide(ours), TheirSide(sdk)


class Guest(Visitor):
    """A visitor who has an account at the provider."""

    account = "nobody in particular"

    def url(self, query: str, tenant: str = TENANT) -> Answer:
        """Ask where to go to sign in. What is random in the answer is masked."""
        answer = self.send(f"/auth/{tenant}/authorisationurl{query}", rid="thirdparty")
        return self._alike(answer)

    def arrive(self, code: str, third_party_id: str = "school", **more: object) -> Answer:
        """Come back from the provider with a code."""
        return self.sign_in_up(arrival(code, third_party_id, **more))

    def sign_in_up(self, body: object, tenant: str = TENANT) -> Answer:
        return self._alike(self.post(f"/auth/{tenant}/signinup", body, rid="thirdparty"))

    def _alike(self, answer: Answer) -> Answer:
        text = json.dumps(answer.body, sort_keys=True).replace(self.account, "<account>")
        text = text.replace('"pkceCodeVerifier": null, ', "")  # which the SDK for Node leaves out, as ours does
        text = re.sub(r'code_challenge=[\w-]+|(?<="pkceCodeVerifier": ")[^"]+', "<random>", text)
        return attrs.evolve(answer, body=json.loads(text))


def signing_in_by_a_provider(visitor: Guest, email: str) -> Steps:
    account = visitor.account = email.partition("@")[0]
    back = f"&redirectURIOnProviderDashboard={quote(CALLBACK, safe='')}"
    for query in ("", "?clientType=web", "?clientType=other"):
        yield f"ways {query}", visitor.send(f"/auth/{TENANT}/loginmethods{query}")
    yield "where to go", visitor.url(f"?thirdPartyId=school{back}")
    yield "where to go, of two", visitor.url(f"?thirdPartyId=two&clientType=web{back}")
    yield "where to go, with PKCE", visitor.url(f"?thirdPartyId=two&clientType=app{back}")
    yield "no redirect", visitor.url("?thirdPartyId=school")
    yield "no provider", visitor.url(f"?{back[1:]}")
    yield "an unknown provider", visitor.url(f"?thirdPartyId=other{back}")
    yield "an unknown client", visitor.url(f"?thirdPartyId=two&clientType=other{back}")
    yield "which of two clients", visitor.url(f"?thirdPartyId=two{back}")
    yield "a provider of another tenant", visitor.url(f"?thirdPartyId=school{back}", tenant="public")
    yield (
        "a redirect elsewhere",
        visitor.url("?thirdPartyId=school&redirectURIOnProviderDashboard=https%3A%2F%2Fevil.example%2F"),
    )
    yield "sign up", visitor.arrive(f"of-{account}")
    yield "protected", visitor.send("/sessioninfo")
    yield "verified", visitor.send("/auth/user/email/verify")
    yield "sign out", visitor.post("/auth/signout")
    yield "sign in", visitor.arrive(f"of-{account}")
    yield "sign out again", visitor.post("/auth/signout")
    tokens: dict[str, object] = {"thirdPartyId": "school", "oAuthTokens": {"access_token": account}}
    yield "by a token", Guest(visitor.side, mode=visitor.mode, fdi=visitor.fdi).sign_in_up(tokens)
    yield "a code of nobody", visitor.arrive("expired")
    yield "a token of nobody", visitor.sign_in_up({**tokens, "oAuthTokens": {"access_token": f"nobody-{account}"}})
    yield "no address", visitor.arrive(f"of-nomail-{account}")
    yield "no address needed", visitor.arrive(f"of-nomail-{account}", "mailless")
    yield "sign out without an address", visitor.post("/auth/signout")
    yield "an address that is not verified", visitor.arrive(f"of-unverified-{account}")
    yield "its state", visitor.send("/auth/user/email/verify")
    yield "sign out at last", visitor.post("/auth/signout")
    yield "neither code nor token", visitor.sign_in_up({"thirdPartyId": "school"})
    yield "an empty body", visitor.sign_in_up({})
    yield (
        "no redirect of the code",
        visitor.sign_in_up(
            {"thirdPartyId": "school", "redirectURIInfo": {"redirectURIQueryParams": {"code": f"of-{account}"}}}
        ),
    )
    yield (
        "no parameters of the code",
        visitor.sign_in_up({"thirdPartyId": "school", "redirectURIInfo": {"redirectURIOnProviderDashboard": CALLBACK}}),
    )
    yield "an unknown provider's code", visitor.arrive(f"of-{account}", "other")
    yield "at another tenant", visitor.sign_in_up(tokens, "public")
    yield "at a tenant without the factor", visitor.sign_in_up(tokens, "by-code")
    yield "at no tenant", visitor.sign_in_up(tokens, "nowhere")
    yield (
        "denied",
        visitor.sign_in_up(
            {
                "thirdPartyId": "school",
                "redirectURIInfo": {
                    "redirectURIOnProviderDashboard": CALLBACK,
                    "redirectURIQueryParams": {"error": "access_denied"},
                },
            }
        ),
    )


#: From a step to the reason for which the two differ on purpose.
STEPS_ON_PURPOSE: dict[str, str] = {
    "a redirect elsewhere": "Codes go to the website and to addresses that the app lists, and nowhere else (F-25).",
    "by a token": "Nothing says that the token was made for this app, so another app may have passed it on (F-24).",
}


@pytest.mark.parametrize("sdk", ["python"], indirect=True)
@pytest.mark.parametrize(("place", "fdi"), exhaustive_but(enumerate(TURNS), [(5, "4.2")]))
def test_a_journey(sides: tuple[Side, Side], place: int, fdi: str) -> None:
    mine, theirs = (
        signing_in_by_a_provider(Guest(side, mode=MODES[place % 2], fdi=fdi), f"{uuid.uuid4().hex}@example.com")
        for side in sides
    )
    different = different_steps(mine, theirs, but_crashes=True)
    assert different.keys() == STEPS_ON_PURPOSE.keys(), "\n".join(step + both for step, both in different.items())


@pytest.mark.parametrize("sdk", ["python", "node"], indirect=True)
def test_a_user_of_a_provider_is_the_same_at_both(sides: tuple[Side, Side]) -> None:
    """Whoever made them; and a provider that one side has set is used by the other."""
    for first, second in (sides, sides[::-1]):
        account = uuid.uuid4().hex
        made, found = (Guest(side, mode="header") for side in (first, second))
        created, again = (guest.arrive(f"of-{account}").raw for guest in (made, found))
        assert (created["createdNewRecipeUser"], again["createdNewRecipeUser"]) == (True, False)
        assert created["user"]["id"] == again["user"]["id"]
        assert found.send("/sessioninfo").raw["userId"] == created["user"]["id"]
        assert first.send("/sessioninfo", token=found.held["st-access-token"]).status == 200
