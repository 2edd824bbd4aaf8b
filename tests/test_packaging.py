"""The two distributions, built as a release is: a source archive, the wheel from that, looked into and installed."""

from __future__ import annotations

import ast
import configparser
import json
import re
import subprocess
import time
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import requests
from distributions import Built, build, copy_of_sources, installed_alone
from sdks.processes import free_port, serving
from servers.running import running
from servers.visitor import Visitor

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def sdk(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(sources, tmp_path_factory.mktemp("sdk"))


@pytest.fixture(scope="module")
def verifier(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(sources / "st_verify", tmp_path_factory.mktemp("verifier"))


def files_below(package: str) -> set[str]:
    """What belongs to a package: all its files but those that build it."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / package).rglob("*")
        if path.is_file()
        and not {"__pycache__", "build", "dist"} & set(path.parts)
        and not any(part.endswith(".egg-info") for part in path.parts)
        and not (package == "st_verify" and path.name in ("LICENSE", "README.md", "pyproject.toml"))
    }


def required(metadata: Message) -> set[str]:
    """The names of what is installed along, without extras."""
    lines = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    return {re.match(r"[A-Za-z0-9._-]+", line)[0].lower() for line in lines}  # type: ignore[index]  # names come first


def literal_version(package: str) -> str:
    for node in ast.parse((ROOT / package / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            version = ast.literal_eval(node.value)
            assert isinstance(version, str)
            return version
    raise AssertionError(f"{package}/__init__.py assigns no literal to __version__")


def test_both_wheels_hold_every_file_of_their_package_and_nothing_else(sdk: Built, verifier: Built) -> None:
    assert sdk.contents == files_below("st_wsgi") | {"pytest_st_wsgi.py"}
    assert verifier.contents == files_below("st_verify")


def test_both_are_marked_as_typed(sdk: Built, verifier: Built) -> None:
    assert "st_wsgi/py.typed" in sdk.contents
    assert "st_verify/py.typed" in verifier.contents


def test_source_archives_hold_no_part_of_the_test_suite(sdk: Built, verifier: Built) -> None:
    assert not [name for name in sdk.source_names | verifier.source_names if name.startswith("tests")]


def test_the_versions_are_literals_and_equal(sdk: Built, verifier: Built) -> None:
    version = literal_version("st_wsgi")
    assert literal_version("st_verify") == version
    assert sdk.metadata["Version"] == verifier.metadata["Version"] == version


def test_the_sdk_takes_the_verifier_of_its_own_minor_release(sdk: Built) -> None:
    major, minor, _ = literal_version("st_wsgi").split(".")
    assert f"st-verify=={major}.{minor}.*" in sdk.metadata.get_all("Requires-Dist", [])


def test_the_changelog_speaks_of_this_version() -> None:
    assert f"## {literal_version('st_wsgi')}" in (ROOT / "CHANGELOG.md").read_text()


def test_what_is_installed_along(sdk: Built, verifier: Built) -> None:
    sdk_requires = {"attrs", "cryptography", "pyjwt", "requests", "st-verify", "urllib3", "werkzeug"}
    assert required(sdk.metadata) == sdk_requires
    assert required(verifier.metadata) == {"cryptography", "pyjwt"}


def test_names_pythons_and_descriptions(sdk: Built, verifier: Built) -> None:
    assert sdk.metadata["Name"] == "st-wsgi"
    assert verifier.metadata["Name"] == "st-verify"
    for metadata in (sdk.metadata, verifier.metadata):
        assert metadata["Requires-Python"] == ">=3.10"
        assert metadata["Summary"]
        assert metadata["Description-Content-Type"] == "text/markdown"
        assert "```" in metadata.get_payload()


def test_both_name_the_pythons_that_ci_tests(sdk: Built, verifier: Built) -> None:
    """A Python that CI would test has no classifier until it was there, so the last may be missing."""
    named = [
        re.findall(r"^Programming Language :: Python :: (3\.\d+)$", line, re.MULTILINE)
        for line in ("\n".join(one.metadata.get_all("Classifier", [])) for one in (sdk, verifier))
    ]
    tested = re.search(
        r'^oldest=(.+)\n(?:#.*\n)*supported="\$oldest (.+)"$', (ROOT / ".ci" / "run").read_text(), re.MULTILINE
    )
    assert tested is not None
    assert named[0] == named[1] == f"{tested[1]} {tested[2]}".split()[: len(named[0])]
    first, last = named[0][0], named[0][-1]
    assert sdk.metadata["Requires-Python"] == f">={first}"
    assert f"on Python {first} to {last}." in (ROOT / "SECURITY.md").read_text()


def test_both_lead_to_the_protocol_that_they_speak(sdk: Built, verifier: Built) -> None:
    for metadata in (sdk.metadata, verifier.metadata):
        urls = dict(line.split(", ") for line in metadata.get_all("Project-URL", []))
        assert "SuperTokens" in urls
        assert all(url.startswith("https://") for url in urls.values())


def test_the_security_policy_covers_this_version_and_travels_with_the_source(sdk: Built) -> None:
    policy = (ROOT / "SECURITY.md").read_text()
    major, minor, _ = literal_version("st_wsgi").split(".")
    assert f"| {major}.{minor}.x | yes |" in policy
    assert {"SECURITY.md", "CHANGELOG.md"} <= sdk.source_names
    assert "[SECURITY.md](SECURITY.md)" in (ROOT / "README.md").read_text()


def test_licences_travel_with_the_code(sdk: Built, verifier: Built) -> None:
    assert sdk.metadata["License-Expression"] == "Apache-2.0 AND MIT AND MPL-2.0"
    assert verifier.metadata["License-Expression"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert sdk.about("licenses/LICENSE") == verifier.about("licenses/LICENSE") == text


def test_the_part_under_another_licence_is_named(sdk: Built) -> None:
    """The suffix list is MPL-2.0: the notice says so and where its source is, and so does the file itself."""
    notice = sdk.about("licenses/NOTICE")
    assert "st_wsgi/public_suffix_list.dat" in notice
    assert "Mozilla Public License" in notice
    assert b"Mozilla Public" in sdk.files["st_wsgi/public_suffix_list.dat"]


def test_the_command_and_the_plugin_of_pytest_exist(sdk: Built) -> None:
    scripts = configparser.ConfigParser()
    scripts.read_string(sdk.about("entry_points.txt"))
    assert dict(scripts["console_scripts"]) == {"st-wsgi": "st_wsgi.cli:main"}
    assert dict(scripts["pytest11"]) == {"pytest_st_wsgi": "pytest_st_wsgi"}


def names_in(interpreter: Path) -> set[str]:
    code = (
        "import importlib.metadata, json; "
        "print(json.dumps([found.metadata['Name'].lower() for found in importlib.metadata.distributions()]))"
    )
    run = subprocess.run([interpreter, "-I", "-c", code], capture_output=True, text=True, check=True)
    # typing_extensions stands in for what Python 3.10 lacks
    return set(json.loads(run.stdout)) - {"typing_extensions"}


@pytest.fixture(scope="module")
def verifier_alone(verifier: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with nothing but the verifier's wheel and what that asks for."""
    folder = tmp_path_factory.mktemp("verifier-alone")
    return installed_alone(folder / "env", str(verifier.wheel), cwd=folder)


@pytest.mark.exhaustive
def test_a_clean_environment_gets_five_packages_for_the_verifier(verifier_alone: Path, tmp_path: Path) -> None:
    assert names_in(verifier_alone) == {"cffi", "cryptography", "pycparser", "pyjwt", "st-verify"}
    subprocess.run([verifier_alone, "-I", "-c", "import st_verify, st_verify.wsgi"], check=True, cwd=tmp_path)


@pytest.mark.exhaustive
def test_the_verifier_alone_judges_the_sessions_of_an_app_that_signs_users_in(
    verifier_alone: Path, tmp_path: Path
) -> None:
    """The example of a resource server, from the wheel, beside the Flask example whose keys it fetches."""
    port = free_port()
    with running("flask_app", "itself", folder=tmp_path, access_token_validity=10, argon2_memory_kb=1024) as site:
        env = {
            "PORT": str(port),
            "ST_ISSUER": f"{site.origin}/auth",
            "ST_JWKS_URL": f"{site.origin}/auth/jwt/jwks.json",
        }
        server = [str(verifier_alone), "-I", str(ROOT / "examples" / "resource_server.py")]
        with serving(server, port=port, log=tmp_path / "verifier.log", env=env), Visitor(site.origin, "header") as user:

            def ask(path: str, token: str | None) -> tuple[int, dict[str, Any]]:
                headers = {} if token is None else {"Authorization": f"Bearer {token}"}
                answer = requests.get(f"http://127.0.0.1:{port}{path}", headers=headers, timeout=30)
                return answer.status_code, answer.json()

            user_id = user.sign_up()["user"]["id"]
            good = user.tokens.access
            assert good is not None
            status, told = ask("/sessioninfo", good)
            assert (status, told["userId"]) == (200, user_id)
            assert told["sessionHandle"] == user.session_info().json()["sessionHandle"]
            assert ask("/sessioninfo", None) == (401, {"message": "unauthorised"})
            head, payload, signature = good.split(".")
            forged = ".".join((head, payload, signature[::-1]))
            assert ask("/sessioninfo", forged)[0] == 401
            status, told = ask("/admin", good)
            assert (status, told["message"]) == (403, "invalid claim")
            assert [error["id"] for error in told["claimValidationErrors"]] == ["st-role"]
            user.wait_for_expiry()
            limit = time.monotonic() + 30
            while (expired := ask("/sessioninfo", good))[0] == 200 and time.monotonic() < limit:
                pass
            assert expired == (401, {"message": "try refresh token"})
            assert user.refresh().status_code == 200
            assert ask("/sessioninfo", user.tokens.access)[1]["userId"] == user_id


@pytest.mark.exhaustive
def test_a_clean_environment_gets_fourteen_packages_for_the_sdk(sdk: Built, verifier: Built, tmp_path: Path) -> None:
    """From the wheels; ``make demo`` in test_make installs from the sources."""
    interpreter = installed_alone(tmp_path / "env", str(verifier.wheel), str(sdk.wheel), cwd=tmp_path)
    names = names_in(interpreter)
    assert len(names) == 14, names
    code = "from st_wsgi.recipes import emailpassword, session; import st_wsgi.embedded"
    subprocess.run([interpreter, "-I", "-c", code], check=True, cwd=tmp_path)
    command = [str(interpreter.with_name("st-wsgi")), "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "core" in shown.stdout
