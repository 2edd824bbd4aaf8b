"""
The Public Suffix List in st_wsgi, which is a copy.

``renew`` takes the list out of the installed package publicsuffixlist, which has a release for every change of it.
``check`` refuses to go on when the copy is older than 90 days. ``make suffixes`` and ``make build`` call them.

A dependency would be one more package in every installation, for a list that matters when an app starts. An old copy
does little harm: below a suffix that it does not have, two customers of one hosting provider count as one site.
"""

from __future__ import annotations

import importlib.resources
import re
import sys
from datetime import date, timedelta
from pathlib import Path

ROOT = Path(__file__).parent.parent
COPY = ROOT / "st_wsgi" / "public_suffix_list.dat"
NOTICE = ROOT / "NOTICE"
MOST_DAYS = 90

_VERSION = re.compile(r"^// VERSION: (\d{4}-\d{2}-\d{2})_", re.MULTILINE)
_SECTION = re.compile(r"// ===(BEGIN|END) \w+ DOMAINS===")


def renew() -> None:
    """Write the list of the installed package in place of the copy, and its date into the notice."""
    text = importlib.resources.files("publicsuffixlist").joinpath("public_suffix_list.dat").read_text("utf-8")
    head, _, body = text.partition("\n// ===BEGIN ICANN DOMAINS===\n")
    # The licence, the source and the version; what follows are instructions for readers of the original.
    head = head[: head.index("\n\n", head.index("// COMMIT:"))]
    rules = [line for line in body.splitlines() if line and (_SECTION.match(line) or not line.startswith("//"))]
    snapshot = "// Snapshot without its comments; the list itself is at the address above."
    COPY.write_text("\n".join([head, "", snapshot, "", "// ===BEGIN ICANN DOMAINS===", *rules, ""]), "utf-8")
    NOTICE.write_text(re.sub(r"snapshot of \d{4}-\d{2}-\d{2}", f"snapshot of {date_of_copy()}", NOTICE.read_text()))
    print(f"{COPY.relative_to(ROOT)} is the list of {date_of_copy()}")


def check() -> None:
    """
    Require a copy that is not old.

    :raises SystemExit: it is.
    """
    if date.today() - date_of_copy() > timedelta(days=MOST_DAYS):
        sys.exit(f"{COPY.relative_to(ROOT)} is of {date_of_copy()}, more than {MOST_DAYS} days ago: make suffixes")


def date_of_copy() -> date:
    """Return the date that the copy states."""
    match = _VERSION.search(COPY.read_text("utf-8"))
    if match is None:
        sys.exit(f"{COPY.relative_to(ROOT)} states no version: make suffixes")
    return date.fromisoformat(match[1])


if __name__ == "__main__":
    {"renew": renew, "check": check}[sys.argv[1]]()
