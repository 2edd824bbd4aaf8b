"""Every setting of the recipe refuses a value of the wrong type with its own name and what it must be."""

from __future__ import annotations

import logging
from typing import Any

import attrs
import pytest

from recipes.shop import Borrowed, Shop
from st_wsgi.core_client.transport import CoreReply
from st_wsgi.errors import ConfigError
from st_wsgi.recipes.session import ErrorHandlers, Session

NEVER = [b"x", 1.5, object(), {"a": 1}]
"""Values of types that no setting has."""
TEXTS = ["yes", "", "true", "GET"]
NUMBERS = [0, -1, 10**9]
FLAGS = [True, False]
EMPTY: list[Any] = [None, [], ()]

WRONG: dict[str, list[Any]] = {
    "override": [*TEXTS, *NUMBERS, *FLAGS, [], ()],
    "cookie_domain": [*NUMBERS, *FLAGS, [], [".shop.example"]],
    "older_cookie_domain": [*NUMBERS, *FLAGS, [], [".shop.example"]],
    "cookie_secure": [*TEXTS, *NUMBERS, [], ()],
    "cookie_same_site": [*TEXTS, *NUMBERS, *FLAGS, [], ["lax"]],
    "session_expired_status_code": [*TEXTS, *NUMBERS, *FLAGS, *EMPTY, "401", 401.0, 200],
    "invalid_claim_status_code": [*TEXTS, *NUMBERS, *FLAGS, *EMPTY, "403", 403.0, 200],
    "anti_csrf": [*TEXTS, *NUMBERS, *FLAGS, [], ["NONE"]],
    "allow_insecure_cookies": [*TEXTS, *NUMBERS, *EMPTY],
    "allow_insecure_anti_csrf": [*TEXTS, *NUMBERS, *EMPTY],
    "csrf_safe_methods": [*TEXTS, *NUMBERS, *FLAGS, None, {}, ["POST"], [1], [None], [["GET"]], print],
    "check_request_origin": [*TEXTS, *NUMBERS, *EMPTY],
    "get_token_transfer_method": [*TEXTS, *NUMBERS, *FLAGS, *EMPTY, ["cookie"], ErrorHandlers],
    "error_handlers": [*TEXTS, *NUMBERS, *FLAGS, *EMPTY, ErrorHandlers],
    "use_dynamic_access_token_signing_key": [*TEXTS, *NUMBERS, *EMPTY],
    "expose_access_token_to_frontend_in_cookie_based_auth": [*TEXTS, *NUMBERS, *EMPTY],
    "jwks_refresh_interval_sec": [*TEXTS, *NUMBERS, *FLAGS, *EMPTY, "60", 60.0],
    "check_database": [*TEXTS, *NUMBERS, *EMPTY],
    "absolute_timeout_sec": [*TEXTS, *NUMBERS, *FLAGS, [], "3600", 3600.0, 59],
    "idle_timeout_sec": [*TEXTS, *NUMBERS, *FLAGS, [], "3600", 3600.0, 59],
    "max_sessions_per_user": [*TEXTS, *NUMBERS, *FLAGS, [], "3", 3.0],
    "record_sign_in": [*TEXTS, *NUMBERS, *EMPTY],
    "accepted_issuers": [*TEXTS, *NUMBERS, *FLAGS, {}, [1], [None], [""], print],
}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        pytest.param(name, value, id=f"{name}-{number}")
        for name in WRONG
        for number, value in enumerate([*WRONG[name], *NEVER])
    ],
)
def test_a_wrong_value_is_refused_with_the_name_of_the_setting(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"\b{setting}\b.* must be (?!.*0x0)|\b{setting}\b: "):
        Session(**{setting: value})


def test_every_setting_is_in_the_table() -> None:
    assert {field.name for field in attrs.fields(Session) if field.init} == set(WRONG)


@pytest.mark.parametrize("handler", [field.name for field in attrs.fields(ErrorHandlers)])
@pytest.mark.parametrize("value", ["unauthorised", 401, Session, True])
def test_an_error_handler_is_a_function(handler: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{handler} must be a function"):
        ErrorHandlers(**{handler: value})


def test_the_log_names_the_core_whose_keys_cannot_be_fetched(core: Borrowed, caplog: pytest.LogCaptureFixture) -> None:
    shop = Shop(core)
    visitor = shop.signed_in()
    core.answer = lambda request: CoreReply(500, "down") if "jwks" in request.path else None
    with caplog.at_level(logging.WARNING, "st_verify"):
        assert visitor.visit().status_code == 503
    (record,) = [record for record in caplog.records if record.name == "st_verify.keys"]
    assert f"keys of {core!r}: fetch_failed" in record.getMessage()
