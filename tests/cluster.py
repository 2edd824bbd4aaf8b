"""A PostgreSQL server of the tests' own, and a pooler in front of it: made in a folder, gone with the tests."""

from __future__ import annotations

import atexit
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sdks.installs import missing
from sdks.processes import free_port, serving

#: Where Debian and others put the programs, the newest version last.
_FOLDERS = (*map(str, sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))), "/usr/local/pgsql/bin")

POSTGRESQL = "PostgreSQL with initdb and pg_ctl (on Debian: apt-get install postgresql)"
PGBOUNCER = "pgbouncer (on Debian: apt-get install pgbouncer)"

_POOLER = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
pool_mode = transaction
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
default_pool_size = {size}
"""


def program(name: str) -> str | None:
    """Return where a program of PostgreSQL or pgbouncer is, None when it is not installed."""
    path = os.pathsep.join((*reversed(_FOLDERS), os.environ.get("PATH", ""), "/usr/sbin"))
    return shutil.which(name, path=path)


def needed(what: str, *names: str) -> None:
    """Skip the test where programs are not installed; fail it there if all tests have to run."""
    if None in map(program, names):
        missing(what)


class Cluster:
    """A server that listens on the loopback interface."""

    def __init__(self, folder: pathlib.Path, port: int) -> None:
        self.folder = folder
        self.port = port

    def address(self, schema: str | None = None, **settings: object) -> str:
        """Return the address of a schema, a new one if none is named."""
        named = {"schema": schema or f"t{uuid.uuid4().hex}", **settings}
        query = "&".join(f"{name}={value}" for name, value in named.items())
        return f"postgresql://tests@127.0.0.1:{self.port}/postgres?{query}"

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder}"
        # Nothing here has to outlive the machine: only the processes of the server are killed.
        options += " -c fsync=off -c max_connections=200"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server: *immediate* is as if it had been killed."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", mode, "stop")

    def make(self) -> None:
        """Make the files of the server, or copy those that were made first: making them takes two seconds."""
        if not _made:
            first = Cluster(pathlib.Path(_until_the_end.enter_context(_folder())), 0)
            first._run(
                *("initdb", "-D", str(first.folder / "data"), "-U", "tests", "-A", "trust", "-E", "UTF8"),
                *("--locale=C.UTF-8", "--no-sync"),
            )
            _made.append(first)
        # The copy keeps the owner.
        subprocess.run(["cp", "-a", _made[0].folder / "data", self.folder / "data"], check=True)

    def _run(self, name: str, *arguments: str) -> None:
        found = program(name)
        assert found is not None, POSTGRESQL
        # The server refuses to run as root. What it prints goes to a file: it would keep a pipe open.
        with (self.folder / "output").open("a+") as output:
            done = subprocess.run(
                [found, *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=_owner(),
                cwd=self.folder,
            )
            output.seek(0)
            assert done.returncode == 0, output.read()


#: The server whose files the others copy. It never runs.
_made: list[Cluster] = []
_until_the_end = ExitStack()
atexit.register(_until_the_end.close)


@contextmanager
def _folder() -> Iterator[str]:
    """Make a folder for a server. It is not below pytest's own, which only its owner may enter."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        owner = _owner()
        if owner is not None:
            shutil.chown(folder, owner)
        yield folder


def _owner() -> str | None:
    """Return the account that the server runs as, None for our own."""
    if os.geteuid() != 0:
        return None
    return "postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody"


@contextmanager
def running() -> Iterator[Cluster]:
    """Run a server until the block ends; skip the test where PostgreSQL is not installed."""
    needed(POSTGRESQL, "initdb", "pg_ctl")
    with _started(Cluster.make) as server:
        yield server


@contextmanager
def standby(primary: Cluster) -> Iterator[Cluster]:
    """Run a server that follows another one, and takes no writes until it is promoted."""
    needed(POSTGRESQL, "pg_basebackup")
    source = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "tests")

    def make(server: Cluster) -> None:
        server._run("pg_basebackup", *source, "-D", str(server.folder / "data"), "-R", "--checkpoint=fast")

    with _started(make) as server:
        yield server


@contextmanager
def _started(make: Callable[[Cluster], None]) -> Iterator[Cluster]:
    """Run a server in a new folder that *make* fills."""
    with _folder() as folder:
        server = Cluster(pathlib.Path(folder), free_port())
        make(server)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def small_disk(megabytes: int) -> Iterator[pathlib.Path]:
    """Mount a disk for files of a server; skip the test where that is not allowed."""
    with _folder() as folder:
        options = f"size={megabytes}m,mode=0700,uid={pathlib.Path(folder).stat().st_uid}"
        mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        if shutil.which("mount") is None or subprocess.run(mount, check=False, capture_output=True).returncode:
            missing("a small disk, which only root can mount")
        try:
            yield pathlib.Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A server for all tests of this run."""
    with running() as made:
        yield made


@contextmanager
def pooler(server: Cluster, size: int = 3) -> Iterator[int]:
    """Run pgbouncer in front of a server, in transaction mode with so many connections; yield its port."""
    needed(PGBOUNCER, "pgbouncer")
    port, owner = free_port(), _owner()
    with tempfile.TemporaryDirectory(prefix="pooler-") as name:
        folder = pathlib.Path(name)
        (folder / "users").write_text('"tests" ""\n')
        (folder / "settings").write_text(_POOLER.format(server=server.port, port=port, folder=folder, size=size))
        folder.chmod(0o755)
        command = [str(program("pgbouncer")), *(() if owner is None else ("-u", owner)), str(folder / "settings")]
        with serving(command, port=port, log=folder / "log"):
            yield port


@pytest.fixture(scope="session")
def pooled(cluster: Cluster) -> Iterator[Callable[..., str]]:
    """Addresses as of :meth:`Cluster.address`, behind a pooler."""
    with pooler(cluster) as port:
        yield lambda *schema, **settings: cluster.address(*schema, **settings).replace(f":{cluster.port}", f":{port}")
