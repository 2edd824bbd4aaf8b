"""gunicorn with ``--preload``: the core was used before the fork. Workers go on with connections of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import requests
from cluster import Cluster
from sdks.processes import free_port, serving

from st_wsgi.embedded.storage.postgres import PostgresStore, split

TESTS = Path(__file__).parent.parent


@contextmanager
def gunicorn(address: str, folder: Path, *options: str) -> Iterator[str]:
    """Serve the app until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", f"--bind=127.0.0.1:{port}", "--preload"]
    command += [*options, "embedded.preload_app:app"]
    with serving(command, port=port, log=folder / "log", env={"CORE": address, "PYTHONPATH": str(TESTS)}, cwd=TESTS):
        yield f"http://127.0.0.1:{port}"


@pytest.mark.one_python
def test_workers_open_connections_of_their_own(cluster: Cluster, tmp_path: Path) -> None:
    """None uses one of the parent or of another worker. The parent's stays open when a worker ends."""
    options = ("--workers=2", "--threads=4", "--max-requests=10")
    with gunicorn(cluster.address(), tmp_path, *options) as site, ThreadPoolExecutor(8) as pool:
        answers = [answer.json() for answer in pool.map(lambda _: requests.get(f"{site}/role", timeout=30), range(60))]
        (of_parent,) = {answer["of_parent"] for answer in answers}
        with psycopg.connect(split(cluster.address())[0]) as db:
            query = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
            assert db.execute(query, (of_parent,)).fetchone() == (1,)
    processes = {answer["process"] for answer in answers}
    assert len(processes) > 2  # workers have ended, and others took their places
    used = {(answer["backend"], answer["process"]) for answer in answers}
    assert len({backend for backend, _ in used}) == len(used)
    assert of_parent not in {backend for backend, _ in used}


@pytest.mark.exhaustive
def test_gevent_goes_on_while_a_call_waits_for_the_server(cluster: Cluster, tmp_path: Path) -> None:
    """psycopg was imported before gunicorn made the process cooperative. It waits cooperatively all the same."""
    address = cluster.address()
    store = PostgresStore(*split(address)[:2])
    with gunicorn(address, tmp_path, "--workers=1", "--worker-class=gevent") as site, ThreadPoolExecutor(1) as pool:
        with store.write():
            writing = pool.submit(requests.get, f"{site}/role", timeout=30)
            with psycopg.connect(split(address)[0], autocommit=True) as db:
                while db.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").rowcount == 0:
                    pass
            assert requests.get(f"{site}/roles", timeout=5).status_code == 200
            assert not writing.done()
        assert writing.result().status_code == 200
    store.close()
