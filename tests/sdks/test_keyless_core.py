"""A core without an API key serves the official SDKs on the same machine: their requests are not a browser's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sdks.installs import node, node_packages, python_environment
from sdks.peers import running
from sdks.processes import free_port, serving

HERE = Path(__file__).parent


@pytest.mark.parametrize(("sdk", "host"), [("node", "localhost"), ("python", "127.0.0.1")])
def test_a_user_signs_up_and_in(sdk: str, host: str, tmp_path: Path) -> None:
    port = free_port()
    options = ["--db", str(tmp_path / "auth.db"), "--port", str(port), "--set", "argon2_memory_kb=64"]
    if sdk == "node":
        node_packages(HERE)
        command = [node(), str(HERE / "node_app.mjs")]
    else:
        command = [str(python_environment(HERE)), str(HERE / "python_app.py")]
    serve = [sys.executable, "-m", "st_wsgi", "core", "serve", *options]
    with (
        serving(serve, port=port, log=tmp_path / "core.log"),
        running([*command, f"http://{host}:{port}"], tmp_path / "sdk.log", api_key=None) as peer,
    ):
        made = peer.call("sign_up", email="ada@example.com", password="correct horse 1")
        assert peer.call("sign_in", email="ada@example.com", password="correct horse 1") == made
