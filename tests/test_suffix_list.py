"""The release step that renews the Public Suffix List, and the date that the copy states."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIST = "st_wsgi/public_suffix_list.dat"
STEP = ".ci/suffix_list.py"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the step reads and writes, with an old copy of the list."""
    for name in (LIST, STEP, "NOTICE"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    old = "// VERSION: 2020-01-31_08-36-41_UTC\n// ===BEGIN ICANN DOMAINS===\ncom\n// ===END ICANN DOMAINS===\n"
    (tmp_path / LIST).write_text(old)
    return tmp_path


def step(tree: Path, word: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, STEP, word]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False, timeout=60)


def date_in(text: str, before: str) -> str:
    match = re.search(rf"{before} ?(\d{{4}}-\d{{2}}-\d{{2}})", text)
    assert match is not None, before
    return match[1]


def rules(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("//")]


def test_renewing_takes_the_whole_list_of_the_package_and_states_its_date(tree: Path) -> None:
    original = files("publicsuffixlist").joinpath("public_suffix_list.dat").read_text("utf-8")
    renewed = step(tree, "renew")
    assert renewed.returncode == 0, renewed.stderr
    made = (tree / LIST).read_text("utf-8")
    assert rules(made) == rules(original)
    assert len(rules(made)) > 9_000
    assert "Mozilla Public" in made
    for line in ("// VERSION: ", "// COMMIT: "):
        assert [at for at in made.splitlines() if at.startswith(line)] == [
            at for at in original.splitlines() if at.startswith(line)
        ]
    day = date_in(original, "VERSION:")
    assert date_in((tree / "NOTICE").read_text(), "snapshot of") == day
    assert day in renewed.stdout


def test_the_copy_here_is_what_the_step_makes(tree: Path) -> None:
    """Of the same version of the list; of a newer one only the rules and the date differ."""
    step(tree, "renew")
    made, here = (tree / LIST).read_text("utf-8"), (ROOT / LIST).read_text("utf-8")
    if date_in(made, "VERSION:") == date_in(here, "VERSION:"):
        assert made == here
    assert made.splitlines()[:6] == here.splitlines()[:6]
    assert rules(here)


def test_the_notice_states_the_date_of_the_copy() -> None:
    assert date_in((ROOT / "NOTICE").read_text(), "snapshot of") == date_in((ROOT / LIST).read_text(), "VERSION:")


@pytest.mark.parametrize(("days", "fine"), [(0, True), (60, True), (120, False)])
def test_a_release_is_not_built_with_an_old_list(tree: Path, days: int, fine: bool) -> None:
    day = date.today() - timedelta(days=days)
    (tree / LIST).write_text(f"// VERSION: {day}_00-00-00_UTC\ncom\n")
    checked = step(tree, "check")
    assert (checked.returncode == 0) is fine
    if not fine:
        assert f"is of {day}" in checked.stderr
        assert "make suffixes" in checked.stderr
    assert "python .ci/suffix_list.py check" in (ROOT / "Makefile").read_text().partition("\nbuild:")[2]
