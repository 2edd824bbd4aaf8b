"""
``compose.yaml``, the official core with PostgreSQL. Its images cannot be had where the tests run, so the file is held
against the schema of the Compose specification, and against the rules that it promises.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from sdks.installs import missing
from sdks.processes import free_port, serving

from deployments.machine import FILES

COMPOSE = FILES / "compose.yaml"
TEXT = COMPOSE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def file() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(TEXT)
    return loaded


def checked(path: Path) -> subprocess.CompletedProcess[str]:
    """Hold a file against the schema, of which check-jsonschema has a copy."""
    program = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.exhaustive
def test_the_file_fits_the_schema_of_compose(tmp_path: Path) -> None:
    found = checked(COMPOSE)
    assert found.returncode == 0, found.stdout
    other = tmp_path / "compose.yaml"
    other.write_text(TEXT.replace("start_period", "startperiod"))
    assert checked(other).returncode == 1


def test_nobody_but_the_core_reaches_the_database_and_only_this_machine_the_core(file: dict[str, Any]) -> None:
    database, core = file["services"]["database"], file["services"]["core"]
    assert "ports" not in database
    assert "expose" not in database
    assert database["networks"] == ["database"]
    assert file["networks"]["database"] == {"internal": True}
    assert core["ports"] == ["127.0.0.1:3567:3567"]
    assert core["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert core["environment"]["POSTGRESQL_HOST"] == "database"


def test_no_secret_stands_in_the_file_and_none_may_be_missing(file: dict[str, Any]) -> None:
    database, core = file["services"]["database"], file["services"]["core"]
    assert core["environment"]["API_KEYS"] == "${CORE_API_KEY:?is missing in .env}"
    assert file["secrets"] == {"database-password": {"environment": "DATABASE_PASSWORD"}}
    for service, name in ((database, "POSTGRES_PASSWORD_FILE"), (core, "POSTGRESQL_PASSWORD_FILE")):
        assert service["secrets"] == ["database-password"]
        assert service["environment"][name] == "/run/secrets/database-password"
    told = set(re.findall(r'^#   echo "(\w+)=', TEXT, re.MULTILINE))
    assert told == {*re.findall(r"\$\{(\w+)", TEXT), "DATABASE_PASSWORD"}
    assert [core["environment"][f"POSTGRESQL_{name}"] for name in ("USER", "DATABASE_NAME")] == [
        database["environment"][f"POSTGRES_{name}"] for name in ("USER", "DB")
    ]


@pytest.mark.exhaustive
def test_the_check_of_the_core_succeeds_with_a_core_and_fails_without(file: dict[str, Any], tmp_path: Path) -> None:
    """With the embedded core, which answers ``/hello`` as the official one does."""
    if shutil.which("curl") is None:
        missing("curl (on Debian: apt-get install curl)")
    port = free_port()
    _, *words = [word.replace("3567", str(port)) for word in file["services"]["core"]["healthcheck"]["test"]]

    def check() -> int:
        return subprocess.run([*words, "--noproxy", "*"], check=False, capture_output=True, timeout=60).returncode

    command = [sys.executable, "-m", "st_wsgi", "core", "serve", "--db", str(tmp_path / "auth.db")]
    with serving([*command, "--port", str(port)], port=port, log=tmp_path / "log"):
        assert check() == 0
    assert check() != 0
