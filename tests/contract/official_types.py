"""The official Node SDK's types for the core's answers, and what of an answer does not fit them."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sdks.installs import node, node_packages

SDKS = Path(__file__).parent.parent / "sdks"
SCHEMA = "supertokens-node/lib/ts/core/versions/5.4/schema.d.ts"

WRONG = {
    # A login method without credentials has a null in place of them.
    r"GET /user/id: answer\.user(\.loginMethods\[\])?\.webauthn\.credentialIds\[\]: null .*",
    r"POST /recipe/accountlinking/user/primary: answer.description: not named",
    # What a login method does not have is null.
    r"POST /bulk-import/users: answer\.users\.loginMethods\[\]\.(email|phoneNumber): null .*",
    # Only users with a hash show one.
    r"GET /bulk-import/users: answer.users\[\].loginMethods\[\]\.superTokensUserId: not named",
    r"GET /bulk-import/users: answer.users\[\].loginMethods\[\]\.(passwordHash|hashingAlgorithm): missing",
    r"GET /recipe/dashboard/tenant/core-config: answer.config\[\].valueType: \"enum\" .*",
    r"GET /recipe/dashboard/user/sessions: answer.status: not named",
    r"(POST|PUT) /recipe/dashboard/user: answer\.user\.timeJoined: not named",
    r"GET /recipe/dashboard/users: answer\.users\[\]\.timeJoined: not named",
    # A parameter that is not to be sent is null.
    r"GET /recipe/multitenancy/tenant/v2: answer\.thirdParty\.providers\[\]\.tokenEndpointBodyParams\.a: null .*",
    # Times are numbers everywhere.
    r"GET /recipe/signinup/codes: answer\.devices\[\]\.codes\[\]\.timeCreated: [0-9]+ .*",
    r"GET /recipe/webauthn/options: answer.email: null .*",
    r"GET /recipe/webauthn/user/credential: answer.updatedAt: not named",
    r"GET /recipe/webauthn/user/recover: answer.recipeUserId: null .*",
    r"POST /recipe/webauthn/options/register: answer.authenticatorSelection.residentKey: not named",
    # Errors that the types leave out.
    r"POST /recipe/dashboard/(session/verify|signin): answer.status: \"INVALID_(SESSION|CREDENTIALS)_ERROR\" .*",
    r"POST /recipe/multitenancy/tenant/user/remove: answer\.(status: \"UNKNOWN_USER_ID.*|wasAssociated: missing)",
    r"PUT /recipe/oauth/clients: answer.status: \"CLIENT_NOT_FOUND_ERROR\" .*",
    r"POST /recipe/signinup/code: answer.status: \"(RESTART_FLOW|USER_INPUT_CODE_ALREADY_USED)_ERROR\" .*",
    r"GET /recipe/webauthn/options: answer\.status: \"OPTIONS_NOT_FOUND_ERROR\" .*",
    r"POST /recipe/webauthn/user/credential/register: answer\.status: \"UNKNOWN_USER_ID_ERROR\" .*",
    r"POST /recipe/webauthn/user/credential/register: answer\.status: \"CREDENTIAL_ALREADY_EXISTS_ERROR\" .*",
    r"PUT /recipe/webauthn/user/email: answer\.status: \"USER_WITH_EMAIL_ALREADY_EXISTS_ERROR\" .*",
}
"""Where the official core (11.4.7) itself does not answer as the types say: patterns of misfits, and how it is."""

Types = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]
"""By method and path, then status, the alternatives that ``core_types.mjs`` describes."""


@functools.cache
def official_types() -> Types:
    """
    Return the types of the installed package for CDI 5.4. Skips without Node.js, fails without it in CI.

    Reading them takes longer than most files of tests. So one worker of one run does, and what it found stays beside
    the package, until there is another package or another program that reads it.
    """
    packages, reader = node_packages(SDKS), SDKS / "core_types.mjs"
    kept = packages / f".core-types-{hashlib.sha256(reader.read_bytes()).hexdigest()}.json"
    with reader.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not kept.is_file():
            found = subprocess.run([node(), str(reader), str(packages / SCHEMA)], stdout=subprocess.PIPE, check=True)
            written = kept.with_suffix(".part")
            written.write_bytes(found.stdout)
            written.replace(kept)
    types: Types = json.loads(kept.read_text("utf-8"))
    return types


def misfits(value: Any, alternatives: Sequence[Mapping[str, Any]], at: str = "answer") -> list[str]:
    """Return a line for each field that a type requires and that is missing, or that none names, and so on."""
    found = [list(_misfits(value, alternative, at)) for alternative in alternatives]
    return min(found, key=_distance, default=[f"{at}: no type"])


def _distance(lines: list[str]) -> tuple[bool, int]:
    """Order alternatives: the one that differs least, and best one whose ``status`` is right."""
    return any(line.startswith("answer.status:") for line in lines), len(lines)


def _misfits(value: Any, expected: Mapping[str, Any], at: str) -> Iterator[str]:
    if "object" in expected and isinstance(value, dict):
        fields = expected["object"]
        for name, field in fields.items():
            if name in value:
                yield from misfits(value[name], field["is"], f"{at}.{name}")
            elif not field["optional"]:
                yield f"{at}.{name}: missing"
        for name in value.keys() - fields.keys():
            if "others" in expected:
                yield from misfits(value[name], expected["others"], f"{at}.{name}")
            else:
                yield f"{at}.{name}: not named"
    elif "items" in expected and isinstance(value, list):
        for item in value:
            yield from misfits(item, expected["items"], f"{at}[]")
    elif expected and not _fits(value, expected):
        yield f"{at}: {json.dumps(value)} is no {json.dumps(expected)[:60]}"


def _fits(value: Any, expected: Mapping[str, Any]) -> bool:
    if "value" in expected:
        return type(value) is type(expected["value"]) and value == expected["value"]
    kinds = {"string": (str,), "number": (int, float)}.get(expected.get("type", ""), ())
    return isinstance(value, kinds) and not isinstance(value, bool)


def _as_typed(call: str, answer: Any) -> list[Any]:
    """Return what the types describe of an answer, where the official core gives it another shape."""
    users = answer.get("users") if isinstance(answer, dict) else None
    if not isinstance(users, list):
        return [answer]
    if call == "GET /users":
        # Users are in the list themselves, not below a key.
        return [{**answer, "users": [{"user": user} for user in users]}]
    if call == "POST /bulk-import/users":
        # Many users come back, not one.
        return [{**answer, "users": user} for user in users] or [answer]
    if call == "GET /bulk-import/users":
        # Metadata is an object, not a list of some.
        return [{**answer, "users": [_with_list(user, "userMetadata") for user in users]}]
    return [answer]


def _with_list(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {**value, name: [value[name]]} if name in value else dict(value)


def unlike_the_types(types: Types, method: str, path: str, answer: Any) -> list[str]:
    """Return the misfits of an answer of status 200, but for those that the official core's answers have too."""
    call = f"{method} {path.rstrip('/') or '/'}"
    known = types.get(call, {}).get("200")
    shapes = _as_typed(call, answer) if known else []
    found = [f"{call}: {line}" for shape in shapes for line in misfits(shape, known or ())]
    return [line for line in found if not any(re.fullmatch(pattern, line) for pattern in WRONG)]
