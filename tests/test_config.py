"""Settings are accepted in many forms, kept in one, and refused with the name of the setting and a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from st_wsgi import AppInfo, Cors
from st_wsgi.errors import BadInput, ConfigError

SHOP = {"app_name": "Shop", "api_domain": "https://api.shop.example", "website_domain": "https://shop.example"}


def app_info(**changes: Any) -> AppInfo:
    given: dict[str, Any] = {**SHOP, **changes}
    return AppInfo(**{name: value for name, value in given.items() if value != "left out"})


def test_an_app_is_described_by_three_values() -> None:
    made = app_info()
    assert made.fixed_origin == "https://shop.example"
    assert made.issuer == "https://api.shop.example/auth"
    assert made.public_base_path == "/auth"
    assert made.website_base_path == "/auth"


@pytest.mark.parametrize(
    ("setting", "value", "kept"),
    [
        ("api_domain", "API.shop.example:443/", "https://api.shop.example"),
        ("website_domain", "localhost:3000", "http://localhost:3000"),
        ("api_base_path", "login/", "/login"),
        ("website_base_path", "/", ""),
        ("api_gateway_path", "gateway", "/gateway"),
        ("origin", "HTTPS://shop.example/", "https://shop.example"),
    ],
)
def test_settings_are_kept_in_one_form(setting: str, value: Any, kept: Any) -> None:
    changes: dict[str, Any] = {setting: value}
    if setting == "origin":
        changes["website_domain"] = "left out"
    assert getattr(app_info(**changes), setting) == kept


def test_a_gateway_path_is_part_of_what_the_browser_sees() -> None:
    made = app_info(api_gateway_path="/gateway", api_base_path="/login")
    assert made.public_base_path == "/gateway/login"
    assert made.issuer == "https://api.shop.example/gateway/login"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"app_name": ""}, "app_name"),
        ({"app_name": "  "}, "app_name"),
        ({"app_name": None}, "app_name"),
        ({"api_domain": "ftp://x"}, "api_domain must be an http or https"),
        ({"api_domain": None}, "api_domain must be an address such as"),
        ({"website_domain": "shop..example"}, "website_domain"),
        ({"website_domain": "left out"}, "either website_domain or origin"),
        ({"origin": "https://other.example"}, "either website_domain or origin"),
        ({"website_domain": "left out", "origin": 5}, "origin must be an address or a function"),
        ({"website_domain": "left out", "origin": lambda r, c: "x"}, "needs allowed_origins"),
        ({"allowed_origins": "https://shop.example"}, "allowed_origins must be a list"),
        ({"allowed_origins": 5}, "allowed_origins must be a list of addresses such as https:..shop.example, not 5"),
        ({"allowed_origins": [5]}, "allowed_origins must be an address such as"),
        ({"allowed_origins": ["nonsense://"]}, "allowed_origins"),
        ({"api_base_path": "/auth?x"}, "api_base_path"),
        ({"api_gateway_path": 5}, "api_gateway_path"),
    ],
)
def test_a_setting_that_is_not_usable_is_refused_by_its_name(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        app_info(**changes)


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(app_info(), "app_name", "Other")  # noqa: B010 - typed code cannot even say it


def asked_by(origin: str | None) -> Request:
    headers = [] if origin is None else [("Origin", origin)]
    return Request(EnvironBuilder(headers=headers).get_environ())


def from_header(request: Request | None, user_context: Mapping[str, Any]) -> str:
    return "" if request is None else request.headers.get("Origin", "")


def per_request(**changes: Any) -> AppInfo:
    allowed = ["https://shop.example", "https://other.example"]
    return app_info(**{"website_domain": "left out", "origin": from_header, "allowed_origins": allowed, **changes})


def test_an_origin_function_is_asked_anew_for_each_request() -> None:
    made = per_request()
    assert made.fixed_origin is None
    for origin in ("https://shop.example", "https://other.example", "https://shop.example"):
        assert made.origin_for(asked_by(origin), {}) == origin


def test_an_origin_function_sees_the_user_context() -> None:
    made = per_request(origin=lambda _request, user_context: user_context["origin"])
    assert made.origin_for(None, {"origin": "https://other.example"}) == "https://other.example"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://shop.example.evil.example",
        "http://shop.example",
        "https://shop.example:8443",
        "null",
        "javascript:alert(1)",
        "https://shop.example evil",
        "https://user@shop.example",
        None,
    ],
)
def test_an_origin_that_is_not_listed_is_the_clients_mistake(origin: str | None) -> None:
    """W-025: a function that hands on the Origin header cannot be used to be anyone's website."""
    with pytest.raises(BadInput, match="origin is not allowed"):
        per_request().origin_for(asked_by(origin), {})


def test_a_fixed_origin_does_not_depend_on_the_request() -> None:
    made = app_info(website_domain="left out", origin="https://shop.example")
    assert made.origin_for(asked_by("https://evil.example"), {}) == "https://shop.example"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://shop.example/", ("https://shop.example",)),
        (["https://shop.example", "localhost:3000"], ("https://shop.example", "http://localhost:3000")),
    ],
)
def test_cors_origins_are_one_or_several(given: Any, kept: tuple[str, ...]) -> None:
    assert Cors(origins=given).origins == kept


@pytest.mark.parametrize(
    "given", ["*", ["*"], ["https://shop.example", "*"], [], ["https://*.shop.example"], ["ftp://x"]]
)
def test_cors_origins_are_exact(given: Any) -> None:
    """W-014: the wildcard cannot be combined with credentials, which sessions need."""
    with pytest.raises(ConfigError, match="Cors"):
        Cors(origins=given)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("origins", 5),
        ("origins", [None]),
        ("allow_headers", 5),
        ("allow_headers", [5]),
        ("whole_app", "yes"),
        ("max_age", "600"),
        ("max_age", -1),
        ("max_age", 10**9),
    ],
)
def test_a_setting_of_cors_that_is_not_usable_is_refused_by_its_name(setting: str, value: Any) -> None:
    settings: dict[str, Any] = {"origins": ["https://shop.example"], setting: value}
    with pytest.raises(ConfigError, match=setting):
        Cors(**settings)
