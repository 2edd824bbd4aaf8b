"""
What a package costs before the first request: the time to import it, and its size on disk.

The time is that of the processor in a new interpreter, less that of one that imports nothing; everything was imported
once before, so that it is compiled and in the disk's cache. The size is that of the package and of all that it
requires, without the web framework, which is the app's.
"""

from __future__ import annotations

import importlib.metadata
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks.programs import ROOT
from benchmarks.report import Goal, Row, main, quotients, row

PROGRAMS = {
    "st_wsgi": "import benchmarks.apps.flask_site, st_wsgi\nfrom st_wsgi.recipes import emailpassword, session",
    "supertokens-python": "import benchmarks.apps.flask_site\n"
    "from supertokens_python.framework.flask import Middleware\n"
    "from supertokens_python.recipe import emailpassword, session",
}
FRAMEWORK = "import benchmarks.apps.flask_site"
VERIFIER = "import st_verify"
# PyJWT, http.client and ssl are imported with the first key source: what the import above leaves for later.
KEY_SOURCE = "import st_verify\nst_verify.RemoteKeys('https://api.example.com/auth/jwt/jwks.json')"
MEGABYTE = 1_000_000


def measure(quick: bool) -> list[Row]:
    return [*_times(7 if quick else 25), *_sizes()]


def _times(rounds: int) -> list[Row]:
    programs = {"": "", "framework": FRAMEWORK, "st_verify": VERIFIER, "keys": KEY_SOURCE, **PROGRAMS}
    taken: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(-1, rounds):
        for name, program in programs.items():
            seconds = _seconds(program)
            if number >= 0:
                taken[name].append(seconds * 1000)

    def beyond(name: str, base: str) -> list[float]:
        return [full - bare for full, bare in zip(taken[name], taken[base], strict=True)]

    ours, theirs = beyond("st_wsgi", "framework"), beyond("supertokens-python", "framework")
    return [
        row("import, beyond Flask", "st_wsgi", ours, "ms", goal=Goal(of="value", at_most=350)),
        row("import, beyond Flask", "supertokens-python", theirs, "ms", ratios=quotients(theirs, ours)),
        row("import, beyond Python", "st_verify", beyond("st_verify", ""), "ms", goal=Goal(of="value", at_most=100)),
        row("import, beyond Python", "st_verify and a key source", beyond("keys", ""), "ms"),
    ]


def _seconds(program: str) -> float:
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime


def _sizes() -> Iterator[Row]:
    ours = _required("st-wsgi")
    theirs = _required("supertokens-python")
    for measure, unit, of in (
        ("installed, with all that it needs", "MB", _megabytes),
        ("installed distributions", "", len),
    ):
        mine, other = float(of(ours)), float(of(theirs))
        yield Row(measure, "st_wsgi", mine, unit)
        yield Row(measure, "supertokens-python", other, unit, ratio=other / mine)


def _required(name: str) -> dict[str, importlib.metadata.Distribution]:
    """Return a distribution and all that it requires here, by their names."""
    found: dict[str, importlib.metadata.Distribution] = {}
    wanted = [(name, "")]
    while wanted:
        name, extra = wanted.pop()
        distribution = importlib.metadata.distribution(name)
        key = distribution.metadata["Name"].lower().replace("_", "-")
        if key in found and not extra:
            continue
        found[key] = distribution
        for line in distribution.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                wanted += [(requirement.name, ""), *((requirement.name, one) for one in requirement.extras)]
    return found


def _megabytes(distributions: dict[str, importlib.metadata.Distribution]) -> float:
    return sum(_size(name, distribution) for name, distribution in distributions.items()) / MEGABYTE


def _size(name: str, distribution: importlib.metadata.Distribution) -> int:
    package = ROOT / name.replace("-", "_")
    if name in ("st-wsgi", "st-verify"):  # installed as a link to this folder
        files = [path for path in package.rglob("*") if _is_installed(path)]
    else:
        files = [Path(str(path.locate())) for path in distribution.files or ()]
    return sum(path.stat().st_size for path in files if path.is_file())


def _is_installed(path: Path) -> bool:
    if path.suffix == ".pyc":
        return f".{sys.implementation.cache_tag}." in path.name
    return path.suffix in (".py", ".dat") or path.name == "py.typed"


if __name__ == "__main__":
    main(__doc__ or "", measure)
