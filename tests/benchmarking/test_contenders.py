"""What the benchmarks measure still works; how long it takes is not asserted on a machine that others share."""

from __future__ import annotations

import importlib.util
from contextlib import closing
from pathlib import Path

import pytest
from sampling import exhaustive_but

from benchmarks import core_size
from benchmarks.__main__ import BENCHMARKS
from benchmarks.embedded_core import USED, Floor, filled
from benchmarks.programs import CannotRun, child, core, free_port, running
from benchmarks.request_cost import CASES
from benchmarks.throughput import CHEAP
from st_wsgi.embedded.maintenance import check
from st_wsgi.embedded.storage.sqlite import SQLiteStore

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_what_the_runner_starts_is_there(name: str) -> None:
    first, second, *_ = BENCHMARKS[name].command
    found = importlib.util.find_spec(second) if first == "-m" else (ROOT / first).is_file()
    assert found


@pytest.mark.parametrize(
    "app", exhaustive_but(["flask_st_wsgi", "flask_st_wsgi_pages", "django_st_wsgi"], ["flask_st_wsgi_pages"])
)
def test_a_request_costs_something_with_and_without_sessions(app: str, tmp_path: Path) -> None:
    module = f"benchmarks.apps.{app}"
    with core(tmp_path, **CHEAP) as url, child("benchmarks.request_child", module, env={"BENCH_CORE": url}) as process:
        for case in CASES:
            answer = process.ask({"case": case, "count": 10})
            assert answer["bare"] > 0
            assert answer["bare"] + answer["added"] > 0


def test_a_core_with_many_rows_answers_for_its_users(tmp_path: Path) -> None:
    subject, floor = filled(tmp_path / "auth.db", 300), Floor(tmp_path / "auth.db")
    for act in (subject.refresh, subject.verify, subject.sign_in, subject.list_users, floor.sign_and_commit):
        act()
    floor.close()
    with subject.core.services.store.read() as db:
        assert db.run("SELECT count(*) FROM sessions").fetchone() == (300 + USED,)
        assert db.run("SELECT count(DISTINCT primary_user_id) FROM method_tenants").fetchone() == (300 + USED,)
    subject.core.close()


def test_a_core_that_was_filled_answers_as_one_that_was_asked(tmp_path: Path) -> None:
    """Each act checks what it gets; the database is sound, and tells the planner what it told before."""
    subject = core_size.Subject(tmp_path / "auth.db", 600)
    for act in core_size.ACTS:
        getattr(subject, act)()
    assert len(subject.users.tokens) == 1
    subject.core.close()
    report = check(tmp_path / "auth.db")
    assert (report.problems, report.rows["last_active"]) == ((), 600)
    assert _told(tmp_path / "auth.db") == _told(tmp_path / "new.db")


def _told(path: Path) -> list[list[tuple[str, ...]]]:
    """Return what the schema of a file says, and what it tells SQLite's planner."""
    queries = "SELECT name, sql FROM sqlite_master ORDER BY name", "SELECT * FROM sqlite_stat1 ORDER BY tbl, idx"
    with closing(SQLiteStore(path)) as store, store.read() as db:
        return [db.rows(query) for query in queries]


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    command = ["python3", "-c", "import sys; sys.exit('no database here')"]
    with pytest.raises(CannotRun, match="no database here"), running(command, port=free_port(), log=tmp_path / "log"):
        pass


def test_a_child_that_ends_is_named() -> None:
    with pytest.raises(CannotRun, match=r"benchmarks\.nothing ended"), child("benchmarks.nothing"):
        pass
