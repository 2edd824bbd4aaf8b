"""The suite covers what the embedded core serves: its list of endpoints is held against the table."""

from __future__ import annotations

import pathlib
import re

from contract import (  # noqa: F401 - importing a file of tests puts its endpoints on the list
    test_absent,
    test_bulkimport,
    test_dashboard,
    test_emailpassword,
    test_emailverification,
    test_general,
    test_idmapping,
    test_jwt,
    test_linking,
    test_metadata,
    test_multitenancy,
    test_passwordless,
    test_roles,
    test_sessions,
    test_thirdparty,
    test_totp,
    test_users,
    test_webauthn,
)
from contract.covered import COVERED
from contract.expectations import JWT, NUMBER, TEXT, AnyOrder, differences
from st_wsgi.embedded.core import ENDPOINTS


def test_every_endpoint_is_covered() -> None:
    """Each endpoint is covered by a test that says so, and no test speaks of one that is not served."""
    served = {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    assert {f"{method} {path}" for method, path in served - COVERED} == set()
    assert {f"{method} {path}" for method, path in COVERED - served} == set()


def test_differences_on_purpose_are_few_and_have_reasons() -> None:
    """Where the embedded core answers differently from the official core on purpose is a short list."""
    path = pathlib.Path(__file__).with_name("accepted-differences.txt")
    _, *kinds = path.read_text(encoding="utf-8").strip().split("\n\n")
    patterns = [line for kind in kinds for line in kind.splitlines() if not line.startswith("#")]
    assert 0 < len(patterns) <= 60
    assert all(kind.startswith("# ") and "\n" in kind for kind in kinds)
    assert all(re.fullmatch(r"[a-z*]+[0-9]*/.+", pattern) for pattern in patterns)
    assert len(set(patterns)) == len(patterns)


def test_the_matchers_tell_values_apart() -> None:
    """What the suite calls a text, a number and so on is not anything."""
    assert TEXT.accepts("x")
    assert not TEXT.accepts("")
    assert not NUMBER.accepts(True)
    assert not JWT.accepts("a.b.c")
    assert differences({"a": 1}, {"a": True}) == ["answer.a: expected True, got 1"]
    assert differences([1, 2], AnyOrder(2, 3)) == ["answer: no item is 3", "answer: not expected, is 1"]
    assert differences({"a": 1, "b": 2}, {"a": NUMBER, "c": TEXT}) == [
        "answer.c: missing",
        "answer.b: not expected, is 2",
    ]
