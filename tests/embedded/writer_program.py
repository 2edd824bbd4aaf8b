"""
Writes without end and says on standard output what was acknowledged, one line of JSON each, until it is killed.

Its argument is the address of the database; its process id makes its names its own.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from typing import Any

from st_wsgi.core_client.transport import CoreRequest, Method
from st_wsgi.embedded import EmbeddedCore

core = EmbeddedCore.open(sys.argv[1], settings={"argon2_memory_kb": 64})


def call(method: Method, path: str, **body: Any) -> dict[str, Any]:
    """Make a call that must be answered OK."""
    answer = core.send(CoreRequest(method, path, body=body))
    assert isinstance(answer.body, dict), answer
    assert answer.body["status"] == "OK", answer
    return answer.body


def say(**acknowledged: str) -> None:
    """Tell the test what the core answered."""
    print(json.dumps(acknowledged), flush=True)


session = call("POST", "/recipe/session", userId="u", enableAntiCsrf=False, userDataInJWT={}, userDataInDatabase={})
token = session["refreshToken"]["token"]
for number in itertools.count():
    name = f"{os.getpid()}-{number}"
    user = call("POST", "/recipe/signup", email=f"{name}@example.com", password="secret")["user"]
    say(user=user["id"])
    call("PUT", "/recipe/role", role=name)
    call("PUT", "/recipe/user/role", userId=user["id"], role=name)
    say(role=name, of=user["id"])
    used = token
    token = call("POST", "/recipe/session/refresh", refreshToken=used, enableAntiCsrf=False, useDynamicSigningKey=True)[
        "refreshToken"
    ]["token"]
    # The refresh made "used" the session's current token: after a crash it must still be, or be followed by its child.
    say(current=used, child=token)
