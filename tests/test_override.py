"""An override takes the original and returns a new one; it never changes the original."""

from __future__ import annotations

from typing import Any

import pytest

from st_wsgi import Override, like, replace
from st_wsgi.errors import ConfigError
from st_wsgi.recipe_kit.override import compose


class Greetings:
    """Something with two methods, one of which goes through the other as recipes do."""

    limit = 3

    def __init__(self, word: str = "hello") -> None:
        self.word = word

    def greet(self, *, name: str) -> str:
        return f"{self.word} {name}"

    def part(self, *, name: str) -> str:
        return f"bye {name}"

    def _private(self) -> None: ...


def louder(original: Greetings) -> Greetings:
    @like(original.greet)
    def greet(*, name: str) -> str:
        return original.greet(name=name).upper()

    return replace(original, greet=greet)


def politer(original: Greetings) -> Greetings:
    @like(original.greet)
    def greet(*, name: str) -> str:
        return original.greet(name=name) + ", please"

    return replace(original, greet=greet)


def test_overrides_are_applied_left_to_right_so_that_the_last_is_outermost() -> None:
    assert compose(Greetings(), [louder, politer]).greet(name="Ada") == "HELLO ADA, please"
    assert compose(Greetings(), [politer, louder]).greet(name="Ada") == "HELLO ADA, PLEASE"


def test_an_override_leaves_the_original_and_all_other_methods_as_they_were() -> None:
    original = Greetings()
    changed = compose(original, [louder])
    assert original.greet(name="Ada") == "hello Ada"
    assert changed.part(name="Ada") == "bye Ada"
    assert Greetings().greet(name="Ada") == "hello Ada"


def test_the_same_override_on_two_originals_keeps_them_apart() -> None:
    first, second = (compose(Greetings(word), [louder]) for word in ("hello", "good day"))
    assert [first.greet(name="A"), second.greet(name="A")] == ["HELLO A", "GOOD DAY A"]


@pytest.mark.parametrize("name", ["gret", "limit", "word", "_private", "__init__", ""])
def test_only_public_methods_can_be_replaced_and_a_typo_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"Greetings has no method '{name}'"):
        replace(Greetings(), **{name: lambda: None})


@pytest.mark.parametrize("value", ["x", 5, {}, []])
def test_a_replacement_is_callable_or_none(value: Any) -> None:
    with pytest.raises(ConfigError, match="'greet' must be callable or None"):
        replace(Greetings(), greet=value)


def test_none_switches_a_method_off() -> None:
    changed: Any = replace(Greetings(), greet=None)
    assert changed.greet is None


@pytest.mark.parametrize(
    "override",
    [lambda original: None, lambda original: object(), lambda original: Greetings],
    ids=["none", "other", "class"],
)
def test_an_override_that_returns_something_else_is_refused_with_the_remedy(override: Any) -> None:
    with pytest.raises(ConfigError, match=r"override of Greetings returned .*; return replace\(original, \.\.\.\)"):
        compose(Greetings(), [override])


def test_an_override_may_be_a_subclass() -> None:
    class Short(Greetings):
        def greet(self, *, name: str) -> str:
            return name

    assert compose(Greetings(), [lambda original: Short(original.word), louder]).greet(name="Ada") == "ADA"


@pytest.mark.parametrize(
    ("given", "kept"),
    [((), ()), (louder, (louder,)), ([louder, politer], (louder, politer)), (iter([louder]), (louder,))],
    ids=["none", "one", "several", "iterator"],
)
def test_one_override_or_several_are_taken(given: Any, kept: Any) -> None:
    assert Override[Greetings, Greetings](functions=given).functions == kept
    assert Override[Greetings, Greetings](apis=given).functions == ()


@pytest.mark.parametrize("given", [None, 5, [louder, None], "ab"])
def test_what_is_no_function_is_refused(given: Any) -> None:
    with pytest.raises(ConfigError, match="function from the original to a new one"):
        Override[Greetings, Greetings](functions=given)


@pytest.mark.parametrize(
    ("greet", "is_taken"),
    [
        (lambda *, name: name, True),
        (lambda *, name, more="": name, True),
        (lambda **given: str(given), True),
        (str, True),
        (lambda: "", False),
        (lambda *, nam="": nam, False),
    ],
)
def test_a_replacement_takes_the_arguments_of_the_method(greet: Any, is_taken: bool) -> None:
    if is_taken:
        replace(Greetings(), greet=greet)
    else:
        with pytest.raises(ConfigError, match="'greet' does not take the argument name"):
            replace(Greetings(), greet=greet)
