"""Where the tests' visitors go: the Flask example, and the test page on its origin or on one of its own."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from attrs import frozen
from sdks.installs import node_packages
from sdks.processes import ROOT, free_port, serving

HERE = Path(__file__).parent
EXAMPLE = ROOT / "examples" / "flask_app.py"


@frozen
class Site:
    """An API and the page of the website that uses it. Both are origins, such as ``http://127.0.0.1:3000``."""

    api: str
    website: str
    page: str

    def address(self, mode: str, **more: str) -> str:
        """The page's address for a token transfer ``mode``, ``cookie`` or ``header``."""
        return f"{self.website}{self.page}?{urlencode({'api': self.api, 'mode': mode, **more})}"


def built_page(folder: Path) -> Path:
    """Bundle the page with the official web SDK into ``folder``; returns the folder, ready to be served."""
    packages = node_packages(HERE)
    subprocess.run(
        [
            packages / ".bin" / "esbuild",
            HERE / "page.mjs",
            "--bundle",
            "--log-level=error",
            f"--outfile={folder}/page.js",
        ],
        check=True,
    )
    shutil.copy(HERE / "page.html", folder / "page.html")
    return folder


class _PageHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the log of the tests is no place for requests."""


@contextmanager
def page_server(folder: Path) -> Iterator[str]:
    """Serve the built page on a port of its own; gives the origin."""

    def handler(*args: object) -> _PageHandler:
        return _PageHandler(*args, directory=str(folder))  # type: ignore[arg-type]  # passed through

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def example_alone(*, core: str, port: int, website: str, log: Path) -> Iterator[str]:
    """The Flask example as its users start it, ``python examples/flask_app.py``; gives its origin."""
    api = f"http://127.0.0.1:{port}"
    env = {"ST_CORE": core, "ST_API_DOMAIN": api, "ST_WEBSITE_DOMAIN": website, "PORT": str(port)}
    with serving([sys.executable, str(EXAMPLE)], port=port, log=log, env=env):
        yield api


@contextmanager
def example_beside_page(*, core: str, page: Path, log: Path) -> Iterator[str]:
    """The Flask example and the page on one origin, under gunicorn with two processes of four threads."""
    port = free_port()
    api = f"http://127.0.0.1:{port}"
    env = {
        "ST_CORE": core,
        "ST_API_DOMAIN": api,
        "ST_WEBSITE_DOMAIN": api,
        "EXAMPLE": str(EXAMPLE),
        "PAGE_FOLDER": str(page),
    }
    options = ["--workers=2", "--threads=4", f"--bind=127.0.0.1:{port}", "--no-control-socket"]
    command = [sys.executable, "-m", "gunicorn", *options, "beside:app"]
    with serving(command, port=port, log=log, env=env, cwd=HERE):
        yield api


@contextmanager
def site(*, origins: str, core: str, page: Path, log: Path) -> Iterator[Site]:
    """The example and the page: ``origins`` is ``one origin`` or ``two origins``."""
    if origins == "one origin":
        with example_beside_page(core=core, page=page, log=log) as api:
            yield Site(api=api, website=api, page="/testpage/page.html")
        return
    with page_server(page) as website, example_alone(core=core, port=free_port(), website=website, log=log) as api:
        yield Site(api=api, website=website, page="/page.html")
