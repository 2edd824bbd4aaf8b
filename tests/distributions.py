"""The two distributions, built as a release is, and environments in which they are installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import attrs

ROOT = Path(__file__).parent.parent


@attrs.frozen
class Built:
    """A distribution's two archives: the names in the source one, and the files of the wheel by name."""

    wheel: Path
    archive: Path
    source_names: frozenset[str]
    files: dict[str, bytes]

    def about(self, name: str) -> str:
        """The text of a file of the wheel's dist-info folder."""
        found = [data for path, data in self.files.items() if path.endswith(f".dist-info/{name}")]
        assert len(found) == 1, f"{name}: {sorted(self.files)}"
        return found[0].decode()

    @property
    def metadata(self) -> Message:
        return Parser().parsestr(self.about("METADATA"))

    @property
    def contents(self) -> set[str]:
        """What the wheel installs, apart from the description of itself."""
        return {path for path in self.files if ".dist-info/" not in path}


def build(folder: Path, out: Path) -> Built:
    # With the setuptools that is here, which may be older than a release is built with.
    command = [sys.executable, "-m", "build", "--no-isolation", "--skip-dependency-check", "--outdir", str(out)]
    run = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    (wheel,) = out.glob("*.whl")
    (archive,) = out.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as zipped, tarfile.open(archive) as tarred:
        source_names = frozenset(name.partition("/")[2] for name in tarred.getnames())
        return Built(wheel, archive, source_names, {name: zipped.read(name) for name in zipped.namelist()})


def copy_of_sources(folder: Path) -> Path:
    """Copy what is built: building leaves files beside the sources, which later builds would pick up."""
    left_out = shutil.ignore_patterns(".*", "tests", "node_modules", "build", "dist", "*.egg-info", "__pycache__")
    return shutil.copytree(ROOT, folder / "repository", ignore=left_out)


def installed_alone(folder: Path, *what: str, cwd: Path) -> Path:
    """The interpreter of a new environment in which *what* was installed, with what that asks for."""
    venv.create(folder)
    interpreter = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "--disable-pip-version-check", "--no-input"]
    run = subprocess.run(
        [*pip, "install", "--quiet", "--no-compile", *what], capture_output=True, text=True, check=False, cwd=cwd
    )
    assert run.returncode == 0, run.stderr
    return interpreter
