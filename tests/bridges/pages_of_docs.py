"""The blocks of a page of docs as the files of a project."""

from __future__ import annotations

from pathlib import Path

from pages import blocks

DOCS = Path(__file__).parent.parent.parent / "docs"


def files_of(page: str) -> dict[str, str]:
    """Return the text of each file, which its first line names."""
    found = blocks((DOCS / f"{page}.md").read_text(encoding="utf-8"))
    assert all(code.startswith("# ") for code in found)
    return {code.partition("\n")[0].removeprefix("# "): code for code in found}
