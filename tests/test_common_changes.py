"""Each section of docs/common-changes.md is a program that runs here, and does what its text says."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pages import Programs, blocks, sections
from recipes.shop import PASSWORD
from website.person import Person
from werkzeug.test import Client

import st_wsgi
from st_wsgi.delivery import SMTP, Message
from st_wsgi.pages import Pages
from st_wsgi.recipes import emailpassword, session, usermetadata, userroles
from st_wsgi.request import current

PAGE = (Path(__file__).parent.parent / "docs" / "common-changes.md").read_text(encoding="utf-8")
SECTIONS = sections(PAGE)
PROGRAMS = Programs()
ORIGIN = "http://127.0.0.1:3000"
ADA = "ada@example.com"


class Site:
    """
    An app with the recipes of a section, and pages.

    :ivar names: what the section defines.
    """

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        if "st" in names:  # the section has an app of its own
            self.st, self.app = names["st"], names["app"].wsgi_app
            return
        info = st_wsgi.AppInfo(app_name="Shop", api_domain=ORIGIN, website_domain=ORIGIN)
        recipes = [*names["recipes"], Pages()]
        self.st = st_wsgi.SuperTokens(
            app_info=info, core="sqlite://?argon2_memory_kb=64", recipes=recipes, rate_limit=None
        )
        current.set_default(self.st.services)
        self.app = self.st.wrap(who)

    def client(self) -> Client:
        return Client(self.app)

    def sign(self, page: str, email: str = ADA, password: str = PASSWORD, **fields: object) -> Any:
        """Sign in or up at the route, and return the response."""
        values = {"email": email, "password": password, **fields}
        form = [{"id": name, "value": value} for name, value in values.items()]
        return self.client().post(f"/auth/{page}", json={"formFields": form}, headers={"st-auth-mode": "header"})

    def status(self, page: str, email: str = ADA, password: str = PASSWORD, **fields: object) -> str:
        answer = self.sign(page, email, password, **fields)
        return str((answer.json or {}).get("status", answer.status_code))

    def person(self) -> Person:
        """A browser without scripts."""
        return Person(SimpleNamespace(app=self.app), origin=ORIGIN)


def who(environ: Any, start_response: Any) -> list[bytes]:
    """An app of one view: the payload of the session."""
    found = session.get_session(environ)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"userId": found.get_user_id(), **found.get_access_token_payload()}).encode()]


def new_address(site: Site, email: str) -> Any:
    """Sign in on the pages, and ask for another e-mail address on the account page."""
    person = site.person()
    person.open("/auth")
    person.submit(email=ADA, password=PASSWORD)
    person.open("/auth/account/email")
    return person.submit(current=PASSWORD, email=email)


def bearer(answer: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.headers['st-access-token']}"}


def section(title: str) -> pytest.MarkDecorator:
    PROGRAMS.claim(*blocks(SECTIONS[title]))
    return pytest.mark.parametrize("site", [title], ids=["section"], indirect=True)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    names = PROGRAMS.names(SECTIONS[request.param])
    site = Site(names)
    yield site
    site.st.close()
    sys.modules.pop("page", None)
    current.set_default(None)


@section("Sign-up needs an invitation")
def test_an_invitation_is_good_for_one_sign_up(site: Site) -> None:
    assert site.status("signup") == "FIELD_ERROR"
    refused = site.sign("signup", invitation="guess").json
    assert refused["message"] == "This invitation is not known, or was used already."
    assert site.status("signup", invitation=["spring-4711"]) == "FIELD_ERROR"
    assert site.status("signup", "no address", invitation="spring-4711") == "FIELD_ERROR"
    assert site.status("signup", invitation="spring-4711") == "OK"
    assert site.status("signup", "bob@example.com", invitation="spring-4711") == "GENERAL_ERROR"
    site.names["invitations"].add("summer")
    assert site.status("signup", invitation="summer") == "FIELD_ERROR"  # the address is taken
    person = site.person()
    person.open("/auth?show=signup")
    screen = person.submit(email="bob@example.com", password=PASSWORD, invitation="guess")
    assert "This invitation is not known" in screen.html
    assert site.status("signup", "bob@example.com", invitation="summer") == "OK"


@section("Only your code creates users")
def test_only_the_app_makes_users(site: Site) -> None:
    assert site.status("signup") == "401"  # the app answers
    assert emailpassword.sign_up(email=ADA, password=PASSWORD).status == "OK"
    assert site.status("signin") == "OK"


@section("Only some addresses may sign up")
def test_an_address_to_throw_away_is_refused_beside_its_field(site: Site) -> None:
    refused = site.sign("signup", "ada@Mailinator.example").json
    (field,) = refused["formFields"]
    assert (refused["status"], field["id"], field["error"][:10]) == ("FIELD_ERROR", "email", "Please use")
    assert site.status("signup") == "OK"
    screen = new_address(site, "ada@Mailinator.example")
    assert "Please use an address" in screen.html
    assert site.status("signin") == "OK"


@section("The sign-up form has more fields")
def test_the_name_of_the_form_is_kept(site: Site) -> None:
    assert site.status("signup") == "FIELD_ERROR"
    assert site.status("signup", name=["Ada"]) == "FIELD_ERROR"
    made = site.sign("signup", name="Ada").json
    assert usermetadata.get_user_metadata(user_id=made["user"]["id"]) == {"name": "Ada"}


@section("Users sign in with a name")
def test_a_name_and_an_address_sign_in_and_only_an_address_signs_up(site: Site) -> None:
    for wrong in ("ada", "no address"):
        assert site.status("signup", wrong) == "FIELD_ERROR"
    assert site.status("signup") == "OK"
    user_id = site.sign("signin", "Ada").json["user"]["id"]
    assert site.sign("signin").json["user"]["id"] == user_id
    assert site.status("signin", "ada", "wrong horse 1") == "WRONG_CREDENTIALS_ERROR"
    assert site.status("signin", "bob") == "WRONG_CREDENTIALS_ERROR"
    assert site.status("signin", "a b") == "FIELD_ERROR"
    assert "This address cannot be used" in new_address(site, "bob").html  # a name is nobody's address
    assert site.status("signin") == "OK"


@section("Users sign in with a name")
def test_a_name_also_gets_the_mail_for_a_forgotten_password(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.status("signup") == "OK"
    for entered in ("ada", "nobody_here"):
        fields = [{"id": "email", "value": entered}]
        sent = site.client().post("/auth/user/password/reset/token", json={"formFields": fields})
        assert sent.json == {"status": "OK"}
    site.st.close()  # all mails are sent then
    printed = capsys.readouterr()
    assert (printed.out + printed.err).count(ADA) == 1


@section("A user is blocked, and told why")
def test_a_blocked_user_is_told_so_after_the_password_was_checked(site: Site) -> None:
    made = site.sign("signup")
    user_id, client = made.json["user"]["id"], site.client()
    assert client.get("/", headers=bearer(made)).status_code == 200
    site.names["block"](user_id)
    assert client.get("/", headers=bearer(made)).status_code == 401
    renewed = {"Authorization": f"Bearer {made.headers['st-refresh-token']}"}
    assert client.post("/auth/session/refresh", headers=renewed).status_code == 401
    refused = site.sign("signin")
    assert refused.json == {"status": "GENERAL_ERROR", "message": "Your account is blocked. Please write to us."}
    assert "st-access-token" not in refused.headers
    assert site.status("signin", password="wrong horse 1") == "WRONG_CREDENTIALS_ERROR"
    person = site.person()
    person.open("/auth")
    screen = person.submit(email=ADA, password=PASSWORD)
    assert "Your account is blocked. Please write to us." in screen.html
    assert person.cookie("sAccessToken") is None
    assert session.get_all_session_handles_for_user(user_id=user_id) == []


@section("A user is blocked, and told why")
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_sign_in_at_the_same_time_does_not_outlive_the_block(site: Site, moment: str) -> None:
    """The whole of ``block()`` runs between two steps of a sign-in: before or after this reads the metadata."""
    user_id = site.sign("signup").json["user"]["id"]
    read = site.names["get_user_metadata"]

    def meanwhile(**which: Any) -> Any:
        site.names["get_user_metadata"] = read
        found = read(**which) if moment == "after" else None
        site.names["block"](user_id)
        return read(**which) if found is None else found

    site.names["get_user_metadata"] = meanwhile
    made = site.sign("signin")
    assert site.names["get_user_metadata"] is read
    assert session.get_all_session_handles_for_user(user_id=user_id) == []
    assert (made.json["status"], "st-access-token" in made.headers) == (
        ("OK", True) if moment == "after" else ("GENERAL_ERROR", False)
    )
    if moment == "after":
        assert site.client().get("/", headers=bearer(made)).status_code == 401


@section("The access token has more values")
def test_the_plan_is_in_the_token_and_a_new_one_comes_with_the_renewal(site: Site) -> None:
    made = site.sign("signup")
    user_id, client = made.json["user"]["id"], site.client()
    assert (client.get("/", headers=bearer(made)).json or {})["plan"] == "free"
    site.names["upgrade"](user_id, "gold")
    token = {"Authorization": f"Bearer {made.headers['st-refresh-token']}"}
    renewed = client.post("/auth/session/refresh", headers=token)
    assert (client.get("/", headers=bearer(renewed)).json or {})["plan"] == "gold"
    assert (client.get("/", headers=bearer(site.sign("signin"))).json or {})["plan"] == "gold"


@section("Users have a row in your own table")
def test_every_user_has_one_row(site: Site) -> None:
    user_id = site.sign("signup").json["user"]["id"]
    with closing(sqlite3.connect("shop.db")) as connection, connection:
        connection.execute("UPDATE customers SET points = 5")
    assert site.status("signin") == "OK"
    assert site.names["run"]("SELECT * FROM customers") == [(user_id, 5)]
    emailpassword.sign_up(email="bob@example.com", password=PASSWORD)
    assert site.status("signin", "bob@example.com") == "OK"
    assert site.names["run"]("SELECT count(*) FROM customers") == [(2,)]
    site.names["forget"](user_id)
    assert user_id not in dict(site.names["run"]("SELECT * FROM customers"))
    assert site.status("signin") == "WRONG_CREDENTIALS_ERROR"


@section("One device at a time")
def test_the_newest_session_stays(site: Site) -> None:
    first, second = site.sign("signup"), site.sign("signin")
    assert [site.client().get("/", headers=bearer(made)).status_code for made in (first, second)] == [401, 200]


@section("A tenant sends its own mails")
def test_the_tenant_chooses_the_service(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The services are SMTP's, of which only the last step is replaced: these servers do not exist."""
    used: list[str] = []
    monkeypatch.setattr(SMTP, "__call__", lambda self, message: used.append(self.host))
    for tenant in ("public", "acme"):
        site.names["send"](Message(kind="PASSWORD_RESET", to=ADA, tenant_id=tenant))
    assert used == ["smtp.shop.example", "smtp.acme.example"]


@section("Users of an old system are moved when they sign in")
def test_the_old_system_is_asked_once(site: Site) -> None:
    asked: list[str] = []
    accepts = site.names["old_system_accepts"]

    def counted(email: str, password: str) -> bool:
        asked.append(email)
        return bool(accepts(email, password))

    site.names["old_system_accepts"] = counted
    grace = "grace@example.com"
    assert site.status("signin", grace, "wrong horse 1") == "WRONG_CREDENTIALS_ERROR"
    user_id = site.sign("signin", grace).json["user"]["id"]
    assert site.sign("signin", grace).json["user"]["id"] == user_id
    assert asked == [grace, grace]
    user = st_wsgi.get_user(user_id=user_id)
    assert user is not None
    emailpassword.update_email_or_password(recipe_user_id=user.login_methods[0].recipe_user_id, password="another 2 b")
    assert site.status("signin", grace) == "WRONG_CREDENTIALS_ERROR"
    assert asked == [grace, grace]
    st_wsgi.delete_user(user_id=user_id)
    assert site.status("signin", grace) == "WRONG_CREDENTIALS_ERROR"


@section("Staff see what a user sees")
def test_an_employee_looks_at_a_user_and_changes_nothing(site: Site) -> None:
    app = site.names["app"]
    user_id = site.sign("signup").json["user"]["id"]
    userroles.create_new_role_or_add_permissions(role="support", permissions=[])
    staff_id = site.sign("signup", "eve@example.com").json["user"]["id"]
    client, outsider = app.test_client(), app.test_client()
    fields = [{"id": "email", "value": "eve@example.com"}, {"id": "password", "value": PASSWORD}]
    cookies = {"st-auth-mode": "cookie"}
    outsider.post("/auth/signin", json={"formFields": fields}, headers=cookies)
    assert outsider.post(f"/look-at/{user_id}").status_code == 403
    userroles.add_role_to_user(user_id=staff_id, role="support")
    client.post("/auth/signin", json={"formFields": fields}, headers=cookies)
    assert client.get("/orders").text == f"orders of {staff_id}"
    assert client.post(f"/look-at/{user_id}").status_code == 200
    assert client.get("/orders").text == f"orders of {user_id}"
    assert client.post("/orders").status_code == 403
    assert client.post("/auth/session/refresh", headers=cookies).status_code == 200
    assert client.get("/orders").text == f"orders of {user_id}"
    assert client.post("/look-away").text == "done"
    assert client.post("/orders").text == f"orders of {staff_id}"
    assert client.post(f"/look-at/{user_id}").status_code == 200
    userroles.remove_user_role(user_id=staff_id, role="support")
    assert client.get("/orders").status_code == 403
    assert client.post("/look-away").text == "done"
    assert client.get("/orders").text == f"orders of {staff_id}"
    assert len(session.get_all_session_handles_for_user(user_id=user_id)) == 1  # the user's own


def test_every_section_is_run_by_one_of_these_tests() -> None:
    assert set(blocks(PAGE)) == PROGRAMS.run
