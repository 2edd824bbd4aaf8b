"""The examples in docstrings run, and the routes that they add to an app respond."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import flask
import flask_cors
import pytest
from werkzeug.test import Client

import st_wsgi
from st_wsgi.recipes import session
from st_wsgi.recipes.session import Session
from st_wsgi.request import current

DOORS = [
    st_wsgi.AppInfo,
    st_wsgi.Cors,
    st_wsgi.InMemoryRateLimit,
    st_wsgi.get_all_cors_expose_headers,
    st_wsgi.get_all_cors_headers,
    session.SessionContainer,
    session.create_new_session,
    session.get_session,
    session.get_session_or_none,
    session.verify_session,
]


@pytest.fixture
def app() -> Iterator[flask.Flask]:
    """A Flask app behind SuperTokens, with a route that signs its caller in."""
    made = flask.Flask(__name__)
    info = st_wsgi.AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost")
    st = st_wsgi.init(app_info=info, core="sqlite://?argon2_memory_kb=64", recipes=[Session()])
    made.wsgi_app = st.wrap(made.wsgi_app)  # type: ignore[assignment,method-assign]  # Flask's way to put something in front

    @made.post("/sign-in-for-the-test")
    def sign_in() -> str:
        session.create_new_session(flask.request, recipe_user_id=st_wsgi.RecipeUserId("ada"))
        return "in"

    yield made
    st.close()
    current.set_default(None)


def examples(door: object) -> list[str]:
    """Return the blocks of code in a docstring: what is indented below a line that ends with two colons."""
    text = (inspect.getdoc(door) or "") + "\n"
    return [textwrap.dedent(block) for block in re.findall(r"::\n\n((?:    .*\n|\n)+)", text)]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_the_example_of_a_door_runs(door: Any, app: flask.Flask) -> None:
    blocks = examples(door)
    assert blocks
    names = {"flask_cors": flask_cors, "request": flask.request, "app": app}
    known = {rule.endpoint for rule in app.url_map.iter_rules()}
    for block in blocks:
        exec(compile(block, door.__name__, "exec"), {**vars(st_wsgi), **vars(session), **names})
    client = Client(app)
    signed_in = client.post("/sign-in-for-the-test", headers={"st-auth-mode": "header"})
    token = {"Authorization": f"Bearer {signed_in.headers['st-access-token']}"}
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in known:
            (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            response = client.open(rule.rule, method=method, headers=token)
            assert (response.status_code, bool(response.text)) == (200, True)


def test_a_block_of_code_ends_where_the_text_goes_on() -> None:
    def door() -> None:
        """
        First::

            one = 1

            two = 2

        More text. ::

            three = 3
        """

    assert [block.split() for block in examples(door)] == [["one", "=", "1", "two", "=", "2"], ["three", "=", "3"]]
