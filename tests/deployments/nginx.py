"""nginx for the tests: a site on ports of the tests' own, with all that nginx writes in a folder of the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sdks.installs import missing
from sdks.processes import serving

#: Around the site, as the nginx.conf of a distribution is: a site is what stands inside ``http``.
_MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


def program(name: str) -> str | None:
    """Return where a server is. Debian puts them where only the search path of root looks."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))


@contextmanager
def nginx(site: str, *, folder: Path, port: int) -> Iterator[Path]:
    """
    Serve a site until the block ends; gives the file that takes what nginx prints.

    :param site: what stands inside the block ``http``: ``upstream`` and ``server`` blocks.
    :param folder: for all files of nginx.
    :param port: the one that shows that nginx has started. The site may listen on others, too.
    """
    where = program("nginx")
    if where is None:
        missing("nginx (on Debian: apt-get install nginx)")
    # Started by root, nginx works as another user, who cannot read folders of the tests.
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "site.conf").write_text(site)
    (folder / "main.conf").write_text(_MAIN.format(folder=folder, user=user))
    command, log = [where, "-e", "stderr", "-p", str(folder), "-c", str(folder / "main.conf")], folder / "nginx.log"
    with serving(command, port=port, log=log):
        yield log
