"""Signing in at the certified OpenID provider: with PKCE, with a secret, with rotated keys, without consent."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from recipes.shop import QUICK, Borrowed, Shop
from recipes.thirdparty.parts import FAILURE, Flow, only_method, outcome, shop_with

from openid.real_provider import CURVE_CLIENT, PUBLIC_CLIENT, SECRET, SECRET_CLIENT, RealProvider, answer_of, running
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipes.multitenancy import ProviderClientConfig, ProviderConfig
from st_wsgi.request import current

REDIRECT = "https://shop.example/auth/callback/"
WAYS: dict[str, dict[str, Any]] = {
    "pkce": {"client_id": PUBLIC_CLIENT},
    "es256": {"client_id": CURVE_CLIENT},
    "secret": {"client_id": SECRET_CLIENT, "client_secret": SECRET},
    "both": {"client_id": SECRET_CLIENT, "client_secret": SECRET, "force_pkce": True},
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProvider]:
    with running(tmp_path_factory.mktemp("provider"), *(REDIRECT + way for way in WAYS)) as started:
        yield started


@pytest.fixture(scope="module")
def shared_core() -> Iterator[EmbeddedCore]:
    with EmbeddedCore(settings=QUICK) as core:
        yield core


@pytest.fixture
def shop(shared_core: EmbeddedCore, provider: RealProvider) -> Iterator[Shop]:
    """A shop with the provider under three names, one for each way."""
    configs = [
        ProviderConfig(
            third_party_id=way,
            clients=[ProviderClientConfig(scope=["openid", "email"], **client)],
            oidc_discovery_endpoint=provider.discovery,
        )
        for way, client in WAYS.items()
    ]
    yield shop_with(Borrowed(shared_core), *configs)
    current.set_default(None)


def name() -> str:
    return f"ada-{uuid.uuid4().hex}"


@pytest.mark.parametrize("way", WAYS)
def test_a_visitor_signs_up_and_in(shop: Shop, way: str) -> None:
    someone = name()
    created = []
    for _ in range(2):
        flow = Flow.begin(shop.visitor(), way)
        assert ("code_challenge=" in flow.url) == (way != "secret") == (flow.verifier is not None)
        answer = flow.end(answer_of(flow.url, someone))
        method = only_method(answer)
        assert method["thirdParty"] == {"id": way, "userId": someone}
        assert (method["email"], method["verified"]) == (f"{someone}@example.com", True)
        created.append(answer.get_json()["createdNewRecipeUser"])
        assert flow.visitor.visit().get_json() == {"userId": answer.get_json()["user"]["id"]}
    assert created == [True, False]


def test_an_address_that_the_provider_did_not_verify(shop: Shop) -> None:
    flow = Flow.begin(shop.visitor(), "pkce")
    assert only_method(flow.end(answer_of(flow.url, f"unverified-{name()}")))["verified"] is False


@pytest.mark.parametrize("way", WAYS)
def test_a_denied_consent(shop: Shop, way: str) -> None:
    flow = Flow.begin(shop.visitor(), way)
    back = answer_of(flow.url, name(), consent=False)
    assert back["error"] == "access_denied"
    answer = flow.end(back)
    assert (answer.status_code, answer.get_json()["status"]) == (200, "GENERAL_ERROR")


@pytest.mark.parametrize("keep", [True, False], ids=["the old key kept", "the old key gone"])
@pytest.mark.parametrize("way", ["pkce", "es256"])
def test_a_rotated_key(shop: Shop, provider: RealProvider, way: str, keep: bool) -> None:
    """The keys are in the cache when the provider begins to sign with another one."""
    before = Flow.begin(shop.visitor(), way)
    assert only_method(before.end(answer_of(before.url, name())))["verified"] is True
    provider.rotate(keep=keep)
    after = Flow.begin(shop.visitor(), way)
    assert only_method(after.end(answer_of(after.url, name())))["verified"] is True


def test_codes_are_bound_to_the_browser_that_began(shop: Shop) -> None:
    """Another browser has another verifier. So has an attacker's, whose code a victim is made to use."""
    flow = Flow.begin(shop.visitor(), "both")
    other = Flow.begin(shop.visitor(), "both")
    assert outcome(other.end(answer_of(flow.url, name()))) == FAILURE


def test_a_code_is_spent_after_its_first_use(shop: Shop) -> None:
    flow = Flow.begin(shop.visitor(), "secret")
    back = answer_of(flow.url, name())
    assert only_method(flow.end(back))["verified"] is True
    assert outcome(flow.end(back)) == FAILURE
