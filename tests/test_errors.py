"""Errors as values: what becomes of them in the hands of frameworks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from st_wsgi import errors
from st_wsgi.errors import Answerable, BadInput, Unauthorised


class Banned(errors.SessionError):
    """An error of an app, with a constructor of its own."""

    code = 403
    message = "banned"

    def __init__(self, *, until: str) -> None:
        self.until = until
        super().__init__("internal note")


MADE: list[Answerable] = [
    Answerable("detail"),
    BadInput("the field is missing"),
    errors.BodyTooLarge("too much"),
    errors.FieldErrors([("email", "is wrong")]),
    errors.Forbidden("detail"),
    errors.TooManyRequests(retry_after=3),
    errors.InternalError("detail"),
    errors.SessionError("detail"),
    Unauthorised("detail", clear_tokens=False),
    errors.TryRefreshToken("detail"),
    errors.TokenTheftDetected(session_handle="a", user_id="b", recipe_user_id="c"),
    errors.InvalidClaims([("admin", "is missing")]),
    errors.DuplicateSessionCookies("detail"),
    errors.CoreUnavailable("detail"),
    Banned(until="friday"),
]


def kinds(kind: type[Answerable]) -> Iterator[type[Answerable]]:
    yield kind
    for narrower in kind.__subclasses__():
        if narrower.__module__ in (errors.__name__, __name__):
            yield from kinds(narrower)


def test_every_kind_is_tried_here() -> None:
    assert {type(error) for error in MADE} == set(kinds(Answerable))


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_an_error_survives_being_made_of_itself(error: Answerable) -> None:
    """Bottle does that to an error of an app that is mounted in it: ``raise exc_info[0](exc_info[1])``."""
    kind: type = type(error)
    again: Answerable = kind(error)
    assert again is error
    assert again.plain_response().get_data() == error.plain_response().get_data()


def test_an_error_made_of_another_kind_is_its_own() -> None:
    """Only the very class is meant: what an app makes of an error of ours is not that error."""
    cause = errors.Forbidden("why")
    assert Unauthorised(str(cause)).detail == "why"
    assert type(Unauthorised(cause)) is Unauthorised  # type: ignore[arg-type]  # as a careless app may do


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_no_framework_can_print_a_detail_for_the_client(error: Answerable) -> None:
    """``description`` is what werkzeug's own page shows, and what Flask-RESTful makes JSON of."""
    assert error.description == error.payload().get("message", error.message)
