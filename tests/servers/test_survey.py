"""
What servers do to requests at the edge of HTTP, each as its own process: the survey of docs/servers.md, again.

Here are the servers that pip installs without a compiler. The rest of the table is printed by ``survey.py``. They are
asked in ``make exhaustive``: each takes ten to thirty seconds, most of them waits, and what st-wsgi makes of what a
server hands on is shown by tests/test_server_boundary.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from sampling import exhaustive_but

from servers.survey import PROBES, SERVERS, Server, answers, main, survey, table

PAGE = (Path(__file__).parent.parent.parent / "docs" / "servers.md").read_text(encoding="utf-8")
WHEELS = ("gunicorn", "uWSGI", "waitress", "cheroot", "Tornado")

NEEDED = ("cookie", "authorization", "header", "slash", "head", "signed", "negative", "early", "bad chunk", "address")
"""Probes that succeed on each of these servers, with the settings that the page names."""


@attrs.frozen
class Surveyed:
    """A server and its cells."""

    server: Server
    cells: dict[str, str]


@pytest.fixture(scope="module", params=exhaustive_but(WHEELS, []))
def surveyed(request: pytest.FixtureRequest) -> Iterator[Surveyed]:
    (server,) = [server for server in SERVERS if server.name == request.param]
    yield Surveyed(server, survey(server, lambda _text: None))


def columns() -> dict[str, dict[str, str]]:
    """Return the table of the page: by the head of each column, its cells by the titles of the rows."""
    head, _, *lines = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in re.findall(r"^\|.*\|$", PAGE, re.MULTILINE)
    ]
    rows = [row for row in lines if len(row) == len(head)]
    return {name: {row[0]: row[place] for row in rows} for place, name in enumerate(head) if place}


def test_what_every_server_has_to_give_is_there(surveyed: Surveyed) -> None:
    """W-126 and W-127, and a bad body is never a 500."""
    for name in NEEDED:
        assert surveyed.cells[name].startswith(("yes", "with")), f"{surveyed.server.name}: {PROBES[name][0]}"
    assert not [cell for cell in surveyed.cells.values() if "500" in cell]
    assert "413" in surveyed.cells["too large"]  # and no part of the body was taken for another request


def test_the_page_says_what_was_found_here(surveyed: Surveyed) -> None:
    """For the version that the page names; another one may differ."""
    name = f"{surveyed.server.name} {surveyed.server.version}"
    page = columns()
    assert [column for column in page if column.startswith(surveyed.server.name)] != []
    if name in page:
        head, _, *lines = table({surveyed.server.name: surveyed.cells}).splitlines()
        assert head == f"|  | {name} |"
        assert [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines] == list(
            page[name].items()
        )


def test_each_server_of_the_survey_has_a_column() -> None:
    assert [column.split()[0] for column in columns()] == [server.name for server in SERVERS]
    assert all(list(column) == [title for title, _ in PROBES.values()] for column in columns().values())


def test_the_survey_says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"pip install {server.package}" in shown for server in SERVERS)
    with pytest.raises(SystemExit) as ended:
        main(["apache"])
    assert ended.value.code == 2
    assert "there is no server apache" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 400 No\r\n\r\n", [(200, b"ab"), (400, b"")]),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nA: b\r\n\r\nto the end", [(100, b""), (200, b"to the end")]),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", [(200, b"abc")]),
    ],
)
def test_responses_are_told_apart(data: bytes, expected: list[tuple[int, bytes]]) -> None:
    assert [(answer.status, answer.body) for answer in answers(data)] == expected
