"""What only time, a restart or real load brings about: expiry, a server that was started again, hashes at full cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sdks.processes import free_port

from servers.running import APP, Site, running
from servers.visitor import Visitor, visit_together


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The example with access tokens of two seconds."""
    folder = tmp_path_factory.mktemp("hasty")
    with running(APP, "gunicorn-gthread", folder=folder, access_token_validity=2, argon2_memory_kb=64) as site:
        yield site


def test_an_expired_access_token_is_refreshed_and_the_call_repeated(hasty: Site, mode: str) -> None:
    with Visitor(hasty.origin, mode) as visitor:
        user = visitor.sign_up()["user"]
        visitor.wait_for_expiry()
        limit = time.monotonic() + 20
        while (answer := visitor.session_info()).status_code == 200 and time.monotonic() < limit:
            pass
        assert (answer.status_code, answer.json()["message"]) == (401, "try refresh token")
        while answer.status_code == 401 and time.monotonic() < limit:  # a slow machine may need a second refresh
            assert visitor.refresh().status_code == 200
            answer = visitor.session_info()
        assert answer.json()["userId"] == user["id"]


@pytest.mark.exhaustive
def test_a_restart_keeps_users_and_sessions(tmp_path: Path) -> None:
    port = free_port()
    with (
        running(APP, "itself", folder=tmp_path, port=port, argon2_memory_kb=64) as site,
        Visitor(site.origin, "header") as visitor,
    ):
        user, tokens = visitor.sign_up()["user"], visitor.tokens
    with (
        running(APP, "itself", folder=tmp_path, port=port, argon2_memory_kb=64) as site,
        Visitor(site.origin, "header") as returned,
    ):
        returned.email, returned.tokens = visitor.email, tokens
        assert returned.refresh().status_code == 200
        assert returned.session_info().json()["userId"] == user["id"]
        assert returned.sign_in()["user"]["id"] == user["id"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("server", ["gunicorn-gthread", "gunicorn-gevent"])
def test_sign_ups_at_the_same_time_pass_with_hashes_of_the_default_cost(server: str, tmp_path: Path) -> None:
    patience = {"hashing_queue_size": 8, "hashing_queue_timeout_ms": 60_000}
    with running(APP, server, folder=tmp_path, **patience) as site:
        visits = visit_together(site, "header", visitors=4)
        assert all(seen == {own} for own, seen in visits), site.log.read_text()
