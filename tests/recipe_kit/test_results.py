"""Results are values, also those whose class adds no member to its base and has no decorator."""

from __future__ import annotations

import copy
import pickle

import attrs
import pytest

from st_wsgi.codec import to_json
from st_wsgi.recipe_kit.results import Ok, Outcome, SignInNotAllowed, SignUpNotAllowed, UnknownUserId
from st_wsgi.recipes.session import SessionDoesNotExist

VALUES = [Ok(), UnknownUserId(), SessionDoesNotExist(), SignUpNotAllowed("no"), SignUpNotAllowed("not now")]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_result_equals_those_of_its_class_with_the_same_members(value: Outcome) -> None:
    assert [other for other in [*VALUES, SignInNotAllowed("no")] if other == value] == [value]
    for same in (copy.copy(value), pickle.loads(pickle.dumps(value)), attrs.evolve(value)):
        assert same == value
        assert (type(same), hash(same), repr(same)) == (type(value), hash(value), repr(value))


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_result_does_not_change(value: Outcome) -> None:
    for name in ("reason", "status", "another"):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, name, "changed")


def test_a_result_says_its_class_and_members() -> None:
    assert [repr(value) for value in VALUES[1:4]] == [
        "UnknownUserId()",
        "SessionDoesNotExist()",
        "SignUpNotAllowed(reason='no')",
    ]
    assert to_json(VALUES[3]) == {"status": "SIGN_UP_NOT_ALLOWED", "reason": "no"}
