"""
How the suite runs: which tests share a worker, which ones one Python is enough for, and that no process outlives it.

``make unit`` starts several workers. A file's tests stay together in one of them, in the order of the file, unless
``DIVISIONS`` says otherwise; files run in any order. Without workers (``pytest tests/x``) nothing of this matters.
"""

from __future__ import annotations

import gc
import itertools
import os
import sys
import time
import uuid
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path

import pytest
from browsing import chromium, executable, playwright  # noqa: F401  # fixtures

HERE = Path(__file__).parent

# The tests start hundreds of processes that run the same sources. Compiling these each time would cost more than most
# of the tests, so bytecode is kept even where the environment says not to.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

#: Folders and files that take longest, the longest first, so that no worker is left with one of them at the end. Each
#: is divided: ``file`` keeps files together, ``all`` the folder, ``test`` nothing, and a parameter's name the tests
#: that have the same value of it, because a server or a program runs for each value. Tests on PostgreSQL share one
#: worker and its server, whatever their file says.
DIVISIONS = {
    "browser/test_pages.py": "file",
    "browser/test_page_quality.py": "file",
    "browser": "all",
    "sdks": "sdk",
    "test_make.py": "test",
    "test_packaging.py": "file",
    "servers/test_scenarios.py": "site",
    "servers/test_survey.py": "surveyed",
    "servers": "file",
    "deployments/test_servers.py": "deployment",
    "test_docs.py": "test",
    "load": "test",
    "hardening/test_accounts_at_once.py": "place",
    "embedded/test_processes.py": "test",
    "frameworks": "all",
    "contract": "wire",
}

#: What one Python is enough for, with why. ``pytest --version-dependent`` leaves these out, and what is marked
#: ``one_python``: it runs only the tests whose outcome can differ between versions of Python or of what we depend on.
#: Each function, route, example and command runs once on every Python; tables of decisions and messages do not.
ONE_PYTHON = {
    "benchmarking": "measuring programs run on the default Python",
    "browser": "the browser sees HTTP, which the tests of the middleware see too",
    "contract/test_coverage.py": "a list of what other tests cover",
    "contract/test_types.py": "types of the official SDK",
    "deployments": "the servers differ, not what they call",
    "doctor/test_broken.py": "a table of decisions",
    "doctor/test_docs.py": "prose",
    "doctor/test_openapi.py": "what the sources say",
    "embedded/test_any_input.py": "random input",
    "embedded/test_bulkqueue.py": "decisions; the contract suite fills and empties the queue",
    "embedded/test_copying.py": "SQL that the contract suite runs too",
    "frameworks/test_protocol.py": "decisions; the other tests of this folder call each framework",
    "hardening/test_accounts_at_once.py": "the database decides its races; test_codes_at_once.py runs on every Python",
    "hardening/test_fuzz.py": "random input",
    "importing": "what other systems write is read by the standard library",
    "load": "load is put on real servers on the default Python",
    "migrating": "users of other packages come with what the bridges and the import are tested with on every Python",
    "openid": "the provider is a process of its own",
    "sdks": "the other side is an official SDK in a process of its own",
    "servers": "the servers differ, not what they call",
    "recipes/accountlinking/test_any_order.py": "decisions in any order",
    "recipes/accountlinking/test_decisions.py": "a table of decisions",
    "recipes/emailpassword/test_forms.py": "a table of decisions",
    "recipes/multifactorauth/test_decisions.py": "a table of decisions",
    "recipes/session/test_answers.py": "a table of decisions",
    "recipes/session/test_settings.py": "messages",
    "recipes/session/test_states.py": "decisions in any order",
    "recipes/session/test_strays.py": "decisions",
    "recipes/thirdparty/test_attacks.py": "decisions",
    "recipes/thirdparty/test_providers.py": "a table of decisions",
    "recipes/thirdparty/test_strangers.py": "a table of decisions",
    "test_api_reference.py": "what the sources say",
    "test_common_changes.py": "prose",
    "test_docs.py": "prose",
    "test_house.py": "what the sources say",
    "test_make.py": "the Makefile",
    "test_packaging.py": "both distributions are the same for every Python",
    "test_quickstarts.py": "both distributions are the same for every Python",
    "test_readme.py": "prose",
    "test_reference.py": "what the sources say",
    "test_requirements.py": "metadata",
    "test_suffix_list.py": "a step of a release",
    "test_suite.py": "how the tests run",
    "testing_kit/test_page.py": "prose",
    "typing": "mypy checks for the oldest Python wherever it runs",
    "verify/test_docs.py": "prose",
}

#: What tests may say of themselves.
MARKERS = {
    "exhaustive": "make test leaves it to make exhaustive, because shorter tests show the same in most cases",
    "one_python": "one Python is enough for it, as for what is exhaustive",
}

#: Characters of a parameter in a test's name.
LONGEST_ID = 80

#: More workers than this have nothing to do: the longest group is the limit then.
MOST_WORKERS = 8

#: Signing keys of cores, as many as no single test compares.
KEYS = 8

#: In the environment of every process that the tests start, and of theirs.
RUN = "ST_TEST_RUN"

#: Seconds that processes have to end after the last test; a loaded machine needs a few.
PATIENCE = float(os.environ.get("ST_TEST_PATIENCE", "30"))


def entry(path: Path, table: dict[str, str]) -> str | None:
    """Return the first entry of *table* that is the file *path* or a folder above it."""
    inside = path.relative_to(HERE)
    names = {inside.as_posix(), *(folder.as_posix() for folder in inside.parents)}
    return next((name for name in table if name in names), None)


@cache
def division(path: Path) -> tuple[str, str | None, int]:
    """Return the name of a test file inside this folder, its entry in ``DIVISIONS`` and the place of that."""
    name = entry(path, DIVISIONS)
    return path.relative_to(HERE).as_posix(), name, len(DIVISIONS) if name is None else list(DIVISIONS).index(name)


def group(item: pytest.Item) -> str | None:
    """Return the name of the group that shares a worker with a test; None for a test that needs no company."""
    inside, name, _ = division(item.path)
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    asked = (name.endswith("cluster") for name in getattr(item, "fixturenames", ()))
    if any(asked) or any(value == "postgres" for value in parameters.values()):
        return "postgres"
    how = "file" if name is None else DIVISIONS[name]
    if how in ("file", "test"):
        return inside if how == "file" else None
    return f"{name} {parameters.get(how, inside)}" if how != "all" else name


def one_is_enough(item: pytest.Item) -> bool:
    """Return whether a test says that it need not run on every Python."""
    return any(item.get_closest_marker(name) for name in MARKERS)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--version-dependent",
        action="store_true",
        help="run only the tests whose outcome can depend on the version of Python or of a dependency",
    )


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name what is too long to read by its parameter: a token, which also differs between workers."""
    return argname if isinstance(val, str) and len(val) > LONGEST_ID else None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what one Python is enough for, before it is imported: it may need packages that are not there."""
    if not config.getoption("--version-dependent") or HERE not in collection_path.parents:
        return None
    return entry(collection_path, ONE_PYTHON) is not None or None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two more workers than processors: browsers, servers and installations wait a good part of their time."""
    return min((os.cpu_count() or 1) + 2, MOST_WORKERS)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """
    Look for no garbage while the tests are made.

    There are more than ten thousand and none of them is garbage. Looking through them again and again took half of the
    time of collecting them, in each worker. ``gc.freeze`` is not for here: with it, hypothesis 6.100 calls tests flaky.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order and divide the tests for workers, before xdist reads their groups."""
    if config.getoption("--version-dependent"):
        config.hook.pytest_deselected(items=[item for item in items if one_is_enough(item)])
        items[:] = [item for item in items if not one_is_enough(item)]
    if not config.pluginmanager.hasplugin("xdist"):
        return
    places = {}
    for item in items:
        name = group(item)
        # The first is the browser; then comes PostgreSQL, which takes long, too.
        places[item] = 0.5 if name == "postgres" else division(item.path)[2]
        if name is not None and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(name))
    items.sort(key=places.__getitem__)


@pytest.fixture(scope="session", autouse=True)
def keys_from_a_supply() -> Iterator[None]:
    """Give cores in this process eight signing keys in turn: making one takes longer than most tests."""
    keys = sys.modules.get("st_wsgi.embedded.keys")
    if keys is None:  # no test of this run has a core here
        yield
        return
    made: list[str] = []
    new_pem, turns = keys._new_pem, itertools.count()

    def from_supply() -> str:
        if len(made) < KEYS:
            made.append(new_pem())
            return made[-1]
        return made[next(turns) % KEYS]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_new_pem", from_supply)
        yield


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    if not hasattr(config, "workerinput"):
        os.environ[RUN] = uuid.uuid4().hex


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that leaves processes behind."""
    if hasattr(session.config, "workerinput"):
        return
    limit = time.monotonic() + PATIENCE
    while (left := processes_of_this_run()) and time.monotonic() < limit:
        time.sleep(0.1)
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        for pid, command in left.items():
            print(f"\nThe tests left a process running: {pid} {command}")


def processes_of_this_run() -> dict[int, str]:
    """Return the command lines of the processes that these tests started, by process id; on Linux only."""
    mark = f"{RUN}={os.environ[RUN]}".encode()
    left = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            marked = mark in (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:  # it has ended, or is another user's
            continue
        if marked and command and int(folder.name) != os.getpid():
            left[int(folder.name)] = command
    return left
