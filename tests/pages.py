"""Pages of prose whose blocks of code the tests run: a file of tests says which blocks it runs while it is imported."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import attrs
import pytest

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\w+\.py)\n")


def blocks(text: str, language: str = "python") -> list[str]:
    """Return the blocks of code of one language on a page, or in a section of it."""
    return [code for of, code in FENCE.findall(text) if of == language]


def sections(page: str) -> dict[str, str]:
    """Return the text below each heading. What looks like a heading inside a block is a comment of that block."""
    marked = FENCE.sub(lambda block: block[0].replace("\n#", "\n\0#"), page)
    parts = re.split(r"^#+ (.+)\n", marked, flags=re.MULTILINE)
    return {title: text.replace("\0", "") for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def links(page: str) -> list[str]:
    """Return the targets of the links on a page."""
    return re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page))


def anchors(page: str) -> set[str]:
    """Return what a link to a heading of the page may name: GitHub makes it of the heading's text."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@attrs.frozen
class Programs:
    """
    The programs that a file of tests makes of pages.

    :param files: the names of files that are only written, because other blocks import them. A block whose first line
        is a comment with another file's name is written too, and runs.
    """

    files: frozenset[str] = frozenset()
    #: The blocks that have a test. Known as soon as the tests are collected, whichever of them run.
    run: set[str] = attrs.field(factory=set, init=False)

    def of(self, *texts: str, ids: list[str] | None = None) -> pytest.MarkDecorator:
        """Run the decorated test once for each text; its fixture ``names`` gets the text as ``request.param``."""
        for text in texts:
            self.claim(*blocks(text))
        return pytest.mark.parametrize("names", texts, ids=ids or ["page"] * len(texts), indirect=True)

    def claim(self, *codes: str) -> None:
        """Say that a test runs these blocks."""
        self.run.update(codes)

    def names(self, text: str) -> dict[str, Any]:
        """Run the blocks of a text as one program in the current folder; return the names that it defines."""
        program = types.ModuleType("page")
        sys.modules["page"] = program  # some frameworks look up the module that calls them
        for code in blocks(text):
            name = self.write(code)
            if name not in self.files:
                exec(compile(code, name or "page", "exec"), vars(program))
        return vars(program)

    @staticmethod
    def write(code: str) -> str | None:
        """Write a block that names its file into the current folder; return the name, None for other blocks."""
        named = _FILE.match(code)
        if named is None:
            return None
        Path(named[1]).write_text(code)
        return named[1]
