"""
The lowest versions that the metadata of both distributions allows, as constraints for pip: ``name==version`` lines.

An untested lower bound is only a guess. Run the tests with these versions::

    python3.10 .ci/lowest.py > .venv-lowest.txt
    make unit PYTHON=python3.10 VENV=.venv-lowest CONSTRAINTS=.venv-lowest.txt
"""

from __future__ import annotations

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[(?P<extras>[^\]]*)\])?\s*(?P<versions>[^;]*)")


def requirements() -> dict[str, dict[str, str]]:
    """Return what each distribution and each extra asks for: names as PEP 503 compares them, with their versions."""
    sdk = configparser.ConfigParser()
    sdk.read(ROOT / "setup.cfg")
    verifier = (ROOT / "st_verify" / "pyproject.toml").read_text("utf-8")
    dependencies = re.search(r"^dependencies = \[([^\n]*)\]$", verifier, re.MULTILINE)
    assert dependencies is not None
    lines = {
        "st-wsgi": sdk["options"]["install_requires"].split("\n"),
        "st-verify": re.findall(r'"([^"]+)"', dependencies[1]),
        **{name: text.split("\n") for name, text in sdk["options.extras_require"].items()},
    }
    return {name: dict(_parsed(line) for line in asked if line.strip()) for name, asked in lines.items()}


def normalised(name: str) -> str:
    """Return a project's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints() -> dict[str, str]:
    """Return the lowest version of each project that has a floor. The linters, held to one minor release, have none."""
    floors: dict[str, str] = {}
    for asked in requirements().values():
        for name, versions in asked.items():
            floor = re.match(r">=\s*([\d.]+)", versions)
            if floor is not None:
                assert floors.setdefault(name, floor[1]) == floor[1], f"{name} has two floors"
    return floors


def _parsed(line: str) -> tuple[str, str]:
    match = _REQUIREMENT.match(line)
    assert match is not None, line
    return normalised(match["name"]), match["versions"].strip()


if __name__ == "__main__":
    print("\n".join(f"{name}=={version}" for name, version in constraints().items()))
