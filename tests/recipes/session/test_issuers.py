"""
Several back ends on one core, each with an API domain of its own, as while an app moves from one to the other.

Their access tokens have the same keys and another issuer each.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest

from recipes.shop import REFRESH, Borrowed, Shop, payload_of
from st_wsgi.errors import ConfigError
from st_wsgi.recipes import session
from st_wsgi.recipes.session import Session

OLD = {"api_domain": "https://old-api.shop.example"}
UNAUTHORISED = (401, {"message": "unauthorised"})


@pytest.mark.parametrize("mode", ["cookie", "header"])
def test_a_session_goes_on_at_the_other_back_end_and_back_again(core: Borrowed, mode: str) -> None:
    old, new = Shop(core, app_info=OLD), Shop(core)
    visitor = old.signed_in(mode)
    for shop in (new, old, new):
        visitor.shop = shop
        assert visitor.visit().json == {"userId": visitor.user_id}
        assert visitor.refresh().status_code == 200
        assert visitor.visit().json == {"userId": visitor.user_id}
        assert payload_of(str(visitor.access_token))["iss"] == "https://old-api.shop.example/auth"


def test_what_changes_at_the_other_back_end_is_part_of_the_session(core: Borrowed) -> None:
    old, new = Shop(core, app_info=OLD), Shop(core)
    visitor = old.signed_in(access_token_payload={"plan": "free"})
    visitor.shop = new
    assert new.with_session(visitor, lambda found: found.merge_into_access_token_payload({"plan": "paid"})) is not None
    visitor.shop = old
    told = old.with_session(visitor, lambda found: found.get_access_token_payload()["plan"])
    assert told.json == "paid"


def test_a_session_that_the_core_made_by_itself_has_no_issuer_and_is_accepted(shop: Shop) -> None:
    body = {"userId": "ada", "userDataInJWT": {}, "userDataInDatabase": {}, "enableAntiCsrf": False}
    reply = shop.st.services.core.post("/recipe/session", body, tenant_id="public")
    token = reply.ok(dict[str, Any], "accessToken")["token"]
    assert "iss" not in payload_of(token)
    answer = shop.visitor("header").visit(headers={"Authorization": f"Bearer {token}"})
    assert answer.json == {"userId": "ada"}


@pytest.mark.parametrize(
    ("accepted", "welcome"),
    [
        ([], False),
        (["https://other-api.shop.example/auth"], False),
        (["https://old-api.shop.example"], False),
        (["https://old-api.shop.example/auth"], True),
        (("https://other-api.shop.example/auth", "OLD-API.shop.example:443/auth/"), True),
    ],
)
def test_a_setting_names_the_others_that_are_accepted(
    core: Borrowed, accepted: Any, welcome: bool, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = Shop(core, app_info=OLD), Shop(core, sessions=Session(accepted_issuers=accepted))
    assert new.signed_in().visit().status_code == 200
    visitor = old.signed_in()
    visitor.shop = new
    with caplog.at_level(logging.DEBUG, "st_wsgi"):
        answer = visitor.visit()
    if welcome:
        assert answer.json == {"userId": visitor.user_id}
    else:
        assert (answer.status_code, answer.json) == UNAUTHORISED
        assert "accepted_issuers" in caplog.text


@pytest.mark.parametrize(
    "wrong", ["https://old-api.shop.example/auth", [""], [None], ["https://a.example, https://b.example"], ["x y"]]
)
def test_what_is_no_list_of_issuers_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="accepted_issuers"):
        Session(accepted_issuers=wrong)


def test_theft_is_noticed_whichever_back_end_the_thief_goes_to(core: Borrowed) -> None:
    old, new = Shop(core, app_info=OLD), Shop(core)
    visitor = old.signed_in()
    thief = visitor.snapshot()
    thief.shop = new
    visitor.refresh()
    assert visitor.visit().status_code == 200
    assert thief.call("POST", REFRESH).json == {"message": "token theft detected"}
    assert session.get_all_session_handles_for_user(user_id=visitor.user_id) == []
