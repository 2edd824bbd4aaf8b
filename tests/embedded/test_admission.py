"""Who may call a core that has no API key: programs on this machine, and no page in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests
from contract.client import serving

from embedded.conftest import caller
from st_wsgi.embedded import EmbeddedCore

KEY = "k" * 20
BODY = '{"email":"a@example.com","password":"x"}'


@pytest.fixture
def url(core: EmbeddedCore) -> Iterator[str]:
    """The address of a core without a key."""
    with serving(core) as server:
        yield server.address


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:3567", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:3567"])
def test_names_of_this_machine(url: str, host: str) -> None:
    """A program that calls the core by a name of this machine is served."""
    assert requests.get(f"{url}/apiversion", headers={"Host": host}, timeout=30).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "evil:3567", "@"],
)
def test_other_names(url: str, host: str) -> None:
    """A page whose name was bound to this machine's address (DNS rebinding) reads nothing."""
    refused = requests.get(f"{url}/users", headers={"Host": host}, timeout=30)
    assert refused.status_code in (400, 403)
    assert "users" not in refused.text or "API key" in refused.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_in_browsers(url: str, headers: dict[str, str]) -> None:
    """A request that a browser makes for a page is refused, whatever it asks for."""
    sent = {"content-type": "application/json", **headers}
    for method, path, data in (("GET", "/users", None), ("POST", "/recipe/signup", BODY), ("OPTIONS", "/users", None)):
        refused = requests.request(method, url + path, headers=sent, data=data, timeout=30)
        assert (refused.status_code, "pages in browsers" in refused.text) == (403, True)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonx", 415),
        (None, 415),
    ],
)
def test_content_types(url: str, kind: str | None, status: int) -> None:
    """A body is taken as JSON only: a form of a page can have any other type, unasked."""
    headers = {} if kind is None else {"content-type": kind}
    assert requests.post(f"{url}/recipe/signup", BODY, headers=headers, timeout=30).status_code == status


def test_a_key_lifts_all_of_it(make_core: Callable[..., EmbeddedCore]) -> None:
    """No page knows the key, so that a core with one is served under any name, and takes any type."""
    headers = {"Host": "core.internal", "Origin": "https://a.example", "content-type": "text/plain", "api-key": KEY}
    with serving(make_core(api_keys=KEY)) as server:
        made = requests.post(f"{server.address}/recipe/signup", BODY, headers=headers, timeout=30)
        assert made.json()["status"] == "OK"
        assert requests.get(f"{server.address}/hello", headers={"Host": "core.internal"}, timeout=30).text == "Hello\n"


def test_an_app_with_a_key_in_a_core_without(core: EmbeddedCore, url: str) -> None:
    """What counts is the key of the app that is called."""
    caller(core).put("/recipe/multitenancy/app/v2", appId="a", coreConfig={"api_keys": KEY}).has()
    for app, status in (("/appid-a", 200), ("", 403)):
        headers = {"Host": "core.internal", "api-key": KEY}
        assert requests.get(f"{url}{app}/recipe/roles", headers=headers, timeout=30).status_code == status
