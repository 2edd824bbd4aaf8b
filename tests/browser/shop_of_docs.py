"""The shop of ``docs/frontend.md``: its blocks become the files of an app and of a website, and run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
from pages import FENCE
from sdks.installs import node_packages
from sdks.processes import ROOT, free_port, serving

from browser.sites import CHEAP_HASHES, HERE, link_in_mail, page_server

PAGE = (ROOT / "docs" / "frontend.md").read_text(encoding="utf-8")

#: The first line of a block that begins a file.
_FILE = re.compile(r"(?:# |// |<!-- )([\w./]+\.\w+)(?: -->)?\n")

#: What the page calls the app, and the core of its app.
API, CORE = "http://127.0.0.1:3000", "sqlite:///auth.db"


@attrs.frozen
class Block:
    """A block of the page; ``part`` is the heading of the second level above it."""

    part: str
    language: str
    code: str

    @property
    def file(self) -> str | None:
        """The name of the file that begins with this block."""
        named = _FILE.match(self.code)
        return None if named is None else named[1]


def _blocks() -> list[Block]:
    parts = re.split(r"^## (.+)\n", PAGE, flags=re.MULTILINE)[1:]
    return [
        Block(title, language, code)
        for title, text in zip(parts[::2], parts[1::2], strict=True)
        for language, code in FENCE.findall(text)
    ]


BLOCKS = _blocks()


def of_part(part: str, *languages: str) -> list[Block]:
    """Return the blocks of a part of the page that are in these languages."""
    return [block for block in BLOCKS if block.part == part and block.language in languages]


def files(blocks: Sequence[Block]) -> dict[str, str]:
    """Return files by name. A block that names no file goes on with the newest one of its language."""
    made: dict[str, str] = {}
    newest: dict[str, str] = {}
    for block in blocks:
        newest[block.language] = name = block.file or newest[block.language]
        made[name] = made.get(name, "") + block.code
    return made


@attrs.frozen
class Shop:
    """The app and the website of the page, as they run; both are origins."""

    api: str
    website: str
    folder: Path

    def link(self, email: str, path: str) -> str:
        """Return the newest link to a page in a mail for an address."""
        return link_in_mail(self.folder / "server.log", email, path)


@contextmanager
def running(
    folder: Path,
    blocks: Sequence[Block],
    *,
    two_origins: bool = False,
    token_seconds: int = 3600,
    host: str = "127.0.0.1",
    port: int | None = None,
    replaced: Sequence[tuple[str, str]] = (),
) -> Iterator[Shop]:
    """
    Write the files of the blocks, and of the app, into a folder; run the commands among the blocks; serve the app.

    :param host: what browsers call this machine.
    :param replaced: pairs of a text that the page has and what stands there instead.
    """
    port = free_port() if port is None else port
    api = f"http://{host}:{port}"
    core = f"{CORE}?{CHEAP_HASHES}&access_token_validity={token_seconds}"
    with ExitStack() as stack:
        website = api
        if two_origins:
            website_port = stack.enter_context(page_server(folder / "website", single_page=True))
            website = f"http://{host}:{website_port}"
        changes = [(API, api), (CORE, core), ("WEBSITE = API\n", f'WEBSITE = "{website}"\n'), *replaced]
        app = of_part("The app of the examples", "python")
        for name, text in files([*app, *(block for block in blocks if block.language != "sh")]).items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(with_changes(text, changes))
        for block in blocks:
            if block.language == "sh":
                run(block.code, folder)
        (command,) = of_part("The app of the examples", "sh")
        flask, *words = shlex.split(command.code.replace("3000", str(port)))
        log = folder / "server.log"
        stack.enter_context(serving([sys.executable, "-m", flask, *words], port=port, log=log, cwd=folder))
        yield Shop(api, website, folder)


def with_changes(text: str, changes: Sequence[tuple[str, str]]) -> str:
    for old, new in changes:
        text = text.replace(old, new)
    return text


def run(commands: str, folder: Path) -> None:
    """Run the commands of a block: those that bundle, from our installed packages. Others install these packages."""
    packages = node_packages(HERE)
    for line in commands.splitlines():
        program, name, *words = shlex.split(line)
        if program == "npx":
            env = {**os.environ, "NODE_PATH": str(packages)}
            subprocess.run([packages / ".bin" / name, "--log-level=error", *words], check=True, cwd=folder, env=env)
        else:
            assert [program, name] == ["npm", "install"]
            assert all((packages / word).is_dir() for word in words)
