"""The doctor at the command line, and places for set-ups."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cluster import Cluster, cluster  # noqa: F401  # fixture

from doctor.setups import SECRET, Place
from st_wsgi import cli

Doctor = Callable[..., set[str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An empty folder, which is the current one. What a set-up opens is closed in the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GUNICORN_CMD_ARGS", raising=False)
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    with ExitStack() as stack:
        yield Place(tmp_path, stack, monkeypatch)


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Run the doctor; return the ids of what it finds. Its status fits, and no secret is in its output."""

    def run(*arguments: str) -> set[str]:
        capsys.readouterr()
        status = cli.main(["doctor", "--json", *arguments])
        output = capsys.readouterr()
        assert SECRET not in output.out + output.err
        assert output.err == ""
        report: dict[str, Any] = json.loads(output.out)
        assert status == (1 if report["findings"] else 0)
        for finding in report["findings"]:
            assert set(finding) == {"id", "severity", "problem", "cure", "docs"}
            assert not any("\n" in text for text in finding.values())
        print(output.out)  # for the report of a test that fails
        return {finding["id"] for finding in report["findings"]}

    return run
