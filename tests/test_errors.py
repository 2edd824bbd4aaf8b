"""Errors as values: what becomes of them in the hands of frameworks."""

from __future__ import annotations

import ast
import copy
import inspect
import itertools
import pickle
from collections.abc import Callable, Iterator
from typing import Any

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
    errors.MessageNotSent("detail"),
    errors.ProviderFailed("detail"),
    errors.InternalError("detail"),
    errors.SessionError("detail"),
    Unauthorised("detail", clear_tokens=False),
    errors.TryRefreshToken("detail"),
    errors.TokenTheftDetected(session_handle="a", user_id="b", recipe_user_id="c"),
    errors.InvalidClaims([("admin", "is missing")]),
    errors.DuplicateSessionCookies("detail"),
    errors.CoreUnavailable("detail"),
    errors.CoreBusy("detail", retry_after=2),
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


OTHERS: list[errors.SuperTokensError] = [
    errors.SuperTokensError("text"),
    errors.ConfigError("text"),
    errors.ArgumentError("text"),
    errors.MessageNotSent("text"),
    errors.CoreError("text"),
    errors.CoreRefused(status=500, text="text", method="GET", path="/users", host="http://core", remedy="Do this"),
    errors.TenantUnknown(status=400, text="text", method="GET", path="/t1/users"),
    errors.CoreTooOld(ours=["5.4"], theirs=["5.0"]),
    errors.CoreReplyInvalid(path="/users", problem="it is empty"),
]


def test_every_other_kind_is_tried_too() -> None:
    classes = {value for value in vars(errors).values() if isinstance(value, type)}
    assert {type(error) for error in [*MADE, *OTHERS]} - {Banned} == {
        kind for kind in classes if issubclass(kind, errors.SuperTokensError)
    }


@pytest.mark.parametrize("error", [*MADE, *OTHERS], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_can_be_copied_and_pickled(error: errors.SuperTokensError, how: Callable[[Any], Any]) -> None:
    """Pools of processes and task queues pickle the errors of their jobs."""
    again = how(error)
    assert type(again) is type(error)
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


def described_attributes(kind: type[Any]) -> Iterator[str]:
    """The attributes that a class and its bases declare, each with a text below it."""
    for owner in ast.parse(inspect.getsource(errors)).body:
        if isinstance(owner, ast.ClassDef) and owner.name in {base.__name__ for base in kind.__mro__}:
            for statement, text in itertools.pairwise(owner.body):
                if isinstance(statement, ast.AnnAssign) and isinstance(text, ast.Expr):
                    yield ast.unparse(statement.target)


@pytest.mark.parametrize("error", [*MADE[:-1], *OTHERS], ids=lambda error: type(error).__name__)
def test_every_attribute_has_a_type_and_a_description(error: errors.SuperTokensError) -> None:
    werkzeugs = {"description", "response"}
    assert set(vars(error)) - werkzeugs <= set(described_attributes(type(error)))


def test_an_error_made_of_another_kind_is_its_own() -> None:
    """Only the very class is meant: what an app makes of an error of ours is not that error."""
    cause = errors.Forbidden("why")
    assert Unauthorised(str(cause)).detail == "why"
    assert type(Unauthorised(cause)) is Unauthorised  # type: ignore[arg-type]  # as a careless app may do


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_no_framework_can_print_a_detail_for_the_client(error: Answerable) -> None:
    """``description`` is what werkzeug's own page shows, and what Flask-RESTful makes JSON of."""
    assert error.description == error.payload().get("message", error.message)
