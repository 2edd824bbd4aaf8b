"""The laws of errors.py: one tree, drawn in its docstring, and nothing else is raised."""

from __future__ import annotations

import ast
import builtins
import inspect
import pickle
import re
from pathlib import Path

import pytest

import st_verify
from st_verify import errors
from verify.minting import Bench, token

PACKAGE = Path(st_verify.__file__).parent
TREE = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}

#: Exceptions of the standard library and private ones, each with the reason why no caller ever sees it.
INSIDE = {
    ("fetch.py", "TimeoutError"): "becomes FetchFailed in HttpFetcher",
    ("fetch.py", "last"): "an OSError, becomes FetchFailed in HttpFetcher",
    ("jwk.py", "_KeyRefused"): "becomes an event or KeySetRefused",
}


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    """Names, parents and status codes."""
    ancestors: list[tuple[int, str]] = []
    drawn: dict[str, str] = {}
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]  # there is a docstring
        match = re.match(r"^([ │├└─]*)([A-Z]\w+)(?:\((\w+)\))?(?: +(\d{3}))?", line)
        if match is None or match[2] not in TREE:
            continue
        depth, kind = len(match[1]), TREE[match[2]]
        ancestors = [(at, name) for at, name in ancestors if at < depth]
        if ancestors:
            drawn[match[2]] = ancestors[-1][1]
            assert kind.__bases__[0].__name__ == ancestors[-1][1]
            assert match[3] is None or kind.__bases__[1].__name__ == match[3]
        if match[4] is not None:
            assert str(vars(errors)[match[2]].status) == match[4]
        ancestors.append((depth, match[2]))
    assert set(drawn) | {"VerifyError"} == set(TREE)


def raised(path: Path) -> set[str]:
    """The names of everything that a module raises."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and node.exc is not None:
            made = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            names.add(ast.unparse(made))
    return names


def test_nothing_else_is_raised() -> None:
    """Beside the tree: TypeError, AttributeError for a change to a token, and what never leaves its module."""
    helpers = {"self._unavailable": "KeysUnavailable"}
    elsewhere = {
        (path.name, name)
        for path in PACKAGE.glob("*.py")
        for name in raised(path)
        if helpers.get(name, name) not in TREE and name not in ("TypeError", "AttributeError")
    }
    assert elsewhere == set(INSIDE)


def test_the_check_sees_another_error(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("def f():\n    raise KeyError(1)\n")
    assert raised(tmp_path / "x.py") == {"KeyError"}
    assert hasattr(builtins, "KeyError")


@pytest.mark.parametrize("name", sorted(set(TREE) - {"VerifyError"}))
def test_every_error_is_public_and_a_verify_error(name: str) -> None:
    assert issubclass(TREE[name], st_verify.VerifyError)
    assert getattr(st_verify, name) is TREE[name]


def test_reading_json_and_keys_raises_errors_of_the_tree() -> None:
    """They were ValueErrors of their own, beside the tree."""
    with pytest.raises(st_verify.VerifyError):
        st_verify.strict_json.loads(b"{")
    with pytest.raises(st_verify.VerifyError):
        st_verify.jwk.read_key_set(b"{}")
    with pytest.raises(st_verify.VerifyError):
        st_verify.MultiFactorAuthClaim.has_completed_requirement_list("totp")


def test_a_token_is_neither_pickled_nor_changed() -> None:
    session = Bench().verifier.verify(token())
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(session)
    for name in ("user_id", "payload_json", "anything"):
        with pytest.raises(AttributeError, match=r"cannot (assign to|delete) field"):
            setattr(session, name, "x")
        with pytest.raises(AttributeError, match=r"cannot (assign to|delete) field"):
            delattr(session, name)
    assert session.user_id == "user-1"
