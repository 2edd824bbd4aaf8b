"""Phone numbers in E.164, with the package that reads them and without it."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest

from st_wsgi import phone
from st_wsgi.errors import ConfigError


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as it is where phonenumbers is not installed."""
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    spec = importlib.util.find_spec("st_wsgi.phone")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BOTH_WAYS = [
    ("+4930123456", "+4930123456"),
    (" +49 30 12 34 56\n", "+4930123456"),
    ("+49-30-123456", "+4930123456"),
    ("+49 (30) 123.456", "+4930123456"),
    ("+1 650 253 0000", "+16502530000"),
    ("+683 4000", "+6834000"),
    ("030 123456", None),
    ("0049 30 123456", None),
    ("4930123456", None),
    ("+", None),
    ("+12", None),
    ("", None),
    ("ada@example.com", None),
    ("+4930123456789012", None),
    ("+" + "1" * 10_000, None),
]


@pytest.mark.parametrize(("text", "number"), BOTH_WAYS)
def test_both_ways_agree(bare: ModuleType, text: str, number: str | None) -> None:
    assert phone.normalised_phone_number(text) == number
    assert bare.normalised_phone_number(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+49 (0)30 123456", "+4930123456"),
        ("\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH DIGIT FOUR}9 30 123456", "+4930123456"),
        ("+1 800 FLOWERS", "+18003569377"),
    ],
)
def test_only_the_package_reads_every_spelling(bare: ModuleType, text: str, number: str) -> None:
    assert phone.normalised_phone_number(text) == number
    assert bare.normalised_phone_number(text) is None


@pytest.mark.parametrize(
    ("number", "in_a_plan"),
    [
        ("+4930123456", True),
        ("+16502530000", True),
        ("+15555550100", False),
        ("+1234567890", False),
        ("+999123456789", False),
    ],
)
def test_the_numbering_plan_is_known_to_the_package_only(bare: ModuleType, number: str, in_a_plan: bool) -> None:
    assert phone.is_phone_number(number) == in_a_plan
    assert bare.is_phone_number(number)


@pytest.mark.parametrize("text", ["", "030 123456", "+49 30 123456", "+4930123456\n", "+9991234567890123"])
def test_what_is_not_normalised_is_no_number(bare: ModuleType, text: str) -> None:
    assert not phone.is_phone_number(text)
    assert not bare.is_phone_number(text)


def test_what_needs_the_package_says_how_to_install_it(bare: ModuleType) -> None:
    phone.require_phonenumbers("an embedded core")
    with pytest.raises(ConfigError) as error:
        bare.require_phonenumbers("an embedded core")
    assert str(error.value) == 'an embedded core needs the package phonenumbers: run pip install "st-wsgi[phone]"'
