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


def with_required_addresses(text: str) -> str:
    """Return the text of an app with passwords, in which users must confirm their e-mail address."""
    imported = "from st_wsgi.recipes.emailverification import EmailVerification\n"
    recipe = '[EmailPassword(), EmailVerification(mode="REQUIRED"), '
    changed = text.replace("import st_wsgi\n", "import st_wsgi\n" + imported, 1).replace("[EmailPassword(), ", recipe)
    assert len(changed) > len(text) + len(imported)
    return changed
