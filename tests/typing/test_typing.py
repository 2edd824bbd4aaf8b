"""
Type checkers hold overrides and calls to the recipes' signatures.

The files in ``accepted`` have no error; in ``refused`` every line that has one ends with a comment which names it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ACCEPTED = sorted((HERE / "accepted").glob("*.py"))
REFUSED = sorted((HERE / "refused").glob("*.py"))

_ERROR = re.compile(r"(?P<file>.+?):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]")
_EXPECTED = re.compile(r"# expect: (?P<codes>[a-z,-]+)$")

Errors = dict[tuple[str, int], set[str]]


@pytest.fixture(scope="module")
def found() -> Errors:
    """The errors that mypy finds, by file and line. One run, since starting is what takes the time."""
    command = [sys.executable, "-m", "mypy", "--hide-error-context", "--no-color-output", "--no-error-summary"]
    files = [str(path.relative_to(ROOT)) for path in (*ACCEPTED, *REFUSED)]
    run = subprocess.run([*command, *files], capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.returncode == 1, run.stdout + run.stderr
    errors: Errors = {}
    for match in _ERROR.finditer(run.stdout):
        errors.setdefault((Path(match["file"]).as_posix(), int(match["line"])), set()).add(match["code"])
    return errors


def errors_in(path: Path, found: Errors) -> dict[int, set[str]]:
    name = path.relative_to(ROOT).as_posix()
    return {line: codes for (file, line), codes in found.items() if file == name}


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda path: path.stem)
def test_what_is_right_is_accepted(path: Path, found: Errors) -> None:
    assert errors_in(path, found) == {}


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_what_is_wrong_is_refused_at_the_line_and_for_the_reason_that_the_comment_names(
    path: Path, found: Errors
) -> None:
    expected = {
        number: set(match["codes"].split(","))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (match := _EXPECTED.search(line))
    }
    assert len(expected) > 10
    assert errors_in(path, found) == expected


def test_every_file_is_checked() -> None:
    assert {path.stem for path in ACCEPTED} == {path.stem for path in REFUSED} == {"functions", "overrides"}
