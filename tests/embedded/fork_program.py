"""Uses a core before and after a fork; prints what parent and child saw."""

from __future__ import annotations

import os
import sys

from st_wsgi.core_client.transport import CoreRequest
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import ConfigError


def roles(core: EmbeddedCore, role: str) -> list[str]:
    """Add a role and return all of them."""
    core.send(CoreRequest("PUT", "/recipe/role", body={"role": role}))
    body = core.send(CoreRequest("GET", "/recipe/roles")).body
    assert isinstance(body, dict)
    return sorted(body["roles"])


def main() -> None:
    """Fork with an open connection."""
    core = EmbeddedCore.open(sys.argv[1], settings={"argon2_memory_kb": 64})
    roles(core, "before")
    child = os.fork()
    if child == 0:
        try:
            print("child", roles(core, "child"), flush=True)
        except ConfigError as error:
            print("child", error, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print("parent", roles(core, "parent"), flush=True)
    core.close()


main()
