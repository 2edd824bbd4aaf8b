"""Security events: each in the log and to the app's function, with who and where from, and never with a secret."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any, get_args

import pytest

import st_wsgi
from recipes.shop import Borrowed, Shop, Visitor, form, no_mail
from st_wsgi import AttemptLimits, SecurityEvent
from st_wsgi.delivery import Message
from st_wsgi.events import EventName
from st_wsgi.recipes import emailpassword, emailverification as ev, session, userroles
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.userroles import UserRoles
from st_wsgi.users import RecipeUserId

NEW_PASSWORD = "another horse 2"


@pytest.fixture
def events() -> list[SecurityEvent]:
    return []


@pytest.fixture
def mails() -> list[Message]:
    return []


@pytest.fixture
def shop(core: Borrowed, events: list[SecurityEvent], mails: list[Message]) -> Shop:
    recipes: list[Any] = [
        EmailPassword(email_delivery=mails.append),
        EmailVerification(mode="OPTIONAL", email_delivery=no_mail),
        UserRoles(),
    ]
    return Shop(core, recipes=recipes, on_security_event=events.append)


def signed_up(shop: Shop) -> tuple[Visitor, str]:
    visitor = shop.visitor()
    body = visitor.sign_up().get_json()
    return visitor, body["user"]["id"]


def test_from_sign_up_to_sign_out(shop: Shop, events: list[SecurityEvent]) -> None:
    visitor, user_id = signed_up(shop)
    visitor.sign_in("wrong horse 1")
    visitor.sign_in(headers={"User-Agent": "Firefox"}, environ={"REMOTE_ADDR": "192.0.2.7"})
    visitor.sign_out()
    assert [event.name for event in events] == ["signed_up", "sign_in_failed", "signed_in", "session_ended"]
    up, failed, signed_in, ended = events
    assert (up.user_id, up.recipe_id, up.tenant_id) == (user_id, "emailpassword", "public")
    assert (failed.reason, failed.account, failed.user_id) == ("WRONG_CREDENTIALS_ERROR", visitor.email, None)
    assert (signed_in.user_id, signed_in.address, signed_in.user_agent) == (user_id, "192.0.2.7", "Firefox")
    assert (ended.session_handle, ended.by) == (signed_in.session_handle, user_id)


def test_a_reset_and_changes_by_the_app(shop: Shop, events: list[SecurityEvent], mails: list[Message]) -> None:
    visitor, user_id = signed_up(shop)
    events.clear()
    visitor.call("POST", "/auth/user/password/reset/token", form(email=visitor.email))
    shop.st.services.get(EmailPassword).background.close()
    token = re.findall(r"token=([^&]+)", mails[0].link or "")[0]
    body = form(password=NEW_PASSWORD) | {"token": token, "method": "token"}
    assert visitor.call("POST", "/auth/user/password/reset", body).get_json() == {"status": "OK"}
    # The address was never verified, so another person may have signed up with it: their session ends.
    names = ["password_reset_requested", "password_changed", "session_ended", "email_verified"]
    assert [event.name for event in events][:4] == names
    events.clear()
    user = RecipeUserId(user_id)
    emailpassword.update_email_or_password(recipe_user_id=user, email=f"new-{visitor.email}")
    ev.unverify_email(recipe_user_id=user, email=visitor.email)
    userroles.create_new_role_or_add_permissions(role="admin", permissions=["read"])
    userroles.remove_permissions_from_role(role="admin", permissions=["read"])
    userroles.add_role_to_user(user_id=user_id, role="admin")
    userroles.add_role_to_user(user_id=user_id, role="admin")  # who has it already is no event
    userroles.remove_user_role(user_id=user_id, role="admin")
    userroles.delete_role(role="admin")
    session.revoke_all_sessions_for_user(user_id=user_id)
    st_wsgi.delete_user(user_id=user_id)
    assert [(event.name, event.user_id, event.role) for event in events if event.name != "session_ended"] == [
        ("email_changed", user_id, None),
        ("email_unverified", user_id, None),
        ("role_changed", None, "admin"),
        ("role_changed", None, "admin"),
        ("role_added", user_id, "admin"),
        ("role_removed", user_id, "admin"),
        ("role_deleted", None, "admin"),
        ("user_deleted", user_id, None),
    ]
    assert {event.by for event in events} == {None}


def test_what_an_administrator_does_names_them(shop: Shop, events: list[SecurityEvent]) -> None:
    _, user_id = signed_up(shop)
    admin, admin_id = signed_up(shop)
    userroles.create_new_role_or_add_permissions(role="editor", permissions=[])
    events.clear()

    def view(_session: session.SessionContainer) -> int:
        userroles.add_role_to_user(user_id=user_id, role="editor")
        return len(session.revoke_all_sessions_for_user(user_id=user_id))

    assert shop.with_session(admin, view, method="POST").get_json() == 1
    assert [(event.name, event.user_id, event.by) for event in events] == [
        ("role_added", user_id, admin_id),
        ("session_ended", user_id, admin_id),
    ]


def test_a_limited_attempt_and_a_stolen_token(core: Borrowed, events: list[SecurityEvent]) -> None:
    limit = AttemptLimits(per_account_and_address=1)
    shop = Shop(core, on_security_event=events.append, rate_limit=limit)
    visitor, user_id = signed_up(shop)
    thief = visitor.snapshot()
    visitor.refresh()
    visitor.visit()
    thief.refresh()
    visitor.sign_in("wrong horse 1")
    visitor.sign_in()
    stolen, limited = (
        next(event for event in events if event.name == name) for name in ("refresh_token_reused", "limited")
    )
    assert (stolen.user_id, stolen.session_handle) == (user_id, events[0].session_handle)
    assert (limited.reason, limited.account) == ("both", visitor.email)


def test_the_log_has_every_event_as_json_and_no_secret(
    shop: Shop, mails: list[Message], caplog: pytest.LogCaptureFixture
) -> None:
    """W-093."""
    agent = 'x" \\ \u2028 {"name": "forged"}' + "y" * 500
    with caplog.at_level(logging.INFO, logger="st_wsgi.security"):
        visitor, _ = signed_up(shop)
        visitor.sign_in("WRONG-SECRET 1", headers={"User-Agent": agent.encode("unicode-escape").decode()})
    first, second = caplog.records
    name, _, members = second.getMessage().partition(" ")
    parsed = json.loads(members)
    assert name == "sign_in_failed"
    assert (parsed["reason"], len(parsed["user_agent"])) == ("WRONG_CREDENTIALS_ERROR", 256)
    event = second.__dict__["event"]
    assert isinstance(event, SecurityEvent)
    assert (event.name, event.account) == ("sign_in_failed", visitor.email)
    for secret in ("WRONG-SECRET", visitor.email, *visitor.cookies.values()):
        assert secret not in first.getMessage() + second.getMessage()
    assert visitor.email not in repr(event)


def test_a_function_that_fails_changes_no_response(core: Borrowed, caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: SecurityEvent) -> None:
        raise RuntimeError(f"cannot store {event.user_id}")

    shop = Shop(core, on_security_event=fail)
    assert shop.visitor().sign_up().get_json()["status"] == "OK"
    assert "on_security_event raised RuntimeError" in caplog.text


def test_the_page_names_every_event() -> None:
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    table = page.partition("## Limits")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(get_args(EventName))
