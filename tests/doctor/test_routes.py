"""``st-wsgi routes``: what is mounted, and what answers it."""

from __future__ import annotations

import json

import pytest

from doctor.setups import Place
from st_wsgi import Override, cli, replace
from st_wsgi.pages import Pages
from st_wsgi.recipes.emailpassword import EmailPassword, EmailPasswordAPIs
from st_wsgi.recipes.session import Session


def never_exists(*, email: str, tenant_id: str, context: object) -> object:
    raise AssertionError


def changed(original: EmailPasswordAPIs) -> EmailPasswordAPIs:
    return replace(original, sign_up_post=None, email_exists_get=never_exists)


def rows(place: Place, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    st = place.local(
        "http://127.0.0.1:8000",
        recipes=lambda: [EmailPassword(override=Override(apis=changed)), Session(), Pages()],
    )
    assert cli.main(["routes", "--app", place.named(st), *arguments]) == 0
    return capsys.readouterr().out


def test_each_route_is_listed_with_what_answers_it(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    found = {(row["method"], row["path"]): row for row in json.loads(rows(place, capsys, "--json"))}
    ours = "st_wsgi.recipes.emailpassword.apis.EmailPasswordAPIs"
    assert found["POST", "/auth/signin"] == {
        "method": "POST",
        "path": "/auth/signin",
        "recipe": "emailpassword",
        "answers": f"{ours}.sign_in_post",
        "state": "",
    }
    assert found["POST", "/auth/signup"]["answers"] == ""
    assert found["POST", "/auth/signup"]["state"] == "disabled"
    overridden = found["GET", "/auth/emailpassword/email/exists"]
    assert overridden["answers"] == "doctor.test_routes.never_exists"
    assert overridden["state"] == "overridden"
    assert found["POST", "/auth/session/refresh"]["recipe"] == "session"
    assert found["GET", "/auth/jwt/jwks.json"]["recipe"] == "jwt"
    assert found["GET", "/auth"]["recipe"] == "pages"


def test_the_list_for_people(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    lines = rows(place, capsys).splitlines()
    assert [line.split() for line in lines if " /auth/signup " in line] == [
        ["POST", "/auth/signup", "emailpassword", "disabled"]
    ]
    assert lines == sorted(lines, key=lambda line: line.split()[1])


def test_an_app_that_cannot_be_loaded(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["routes", "--app", "no_such_module:st"]) == 1
    assert "no_such_module:st cannot be loaded" in capsys.readouterr().err
