"""What an answer of the core means: a JSON object for the caller, or which error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import CoreAnswerInvalid, CoreRefused, TenantUnknown
from .transport import CoreRequest, CoreResponse

_SECRET = re.compile(r"password|token|code|secret|hash|key|jwt", re.IGNORECASE)


def read_answer(request: CoreRequest, response: CoreResponse) -> dict[str, Any]:
    """
    Return the JSON object that the core answered.

    :raises TenantUnknown: when the call is for a tenant that there is not.
    :raises CoreRefused: for a status of 400 and above, with what the core said, without the secrets of the request.
    :raises CoreAnswerInvalid: for any other status outside 200 to 299, and for anything that is no JSON object.
    """
    body = response.body
    if response.status >= 400:
        said = body if isinstance(body, str) else str(body.get("message", "a JSON object"))
        # The core tells this by its text alone (supertokens-core, TenantOrAppNotFoundException).
        unknown = response.status == 400 and said.startswith("AppId or tenantId not found")
        raise (TenantUnknown if unknown else CoreRefused)(
            status=response.status,
            text=_without_secrets(said, request),
            method=request.method,
            path=request.path,
            remedy=_remedy(response.status, said),
        )
    if not 200 <= response.status < 300:
        raise CoreAnswerInvalid(
            path=request.path,
            problem=f"status {response.status}; redirects are not followed: give the core's own address",
        )
    if isinstance(body, str):
        kind = response.headers.get("content-type", "no content type")
        raise CoreAnswerInvalid(
            path=request.path,
            problem=f"no JSON object but {len(body)} characters ({kind[:60]}); is this the address of a core?",
        )
    return body


def expect_status(body: Mapping[str, Any], path: str, *allowed: str) -> str:
    """
    Return the ``status`` of an answer of the core.

    :param path: of the call, for the error.
    :param allowed: every status that the caller can handle.
    :raises CoreAnswerInvalid: when it is missing, or none of these.
    """
    status = body.get("status")
    if not isinstance(status, str) or status not in allowed:
        told = f"{status[:80]!r}" if isinstance(status, str) else "missing" if status is None else "not a text"
        raise CoreAnswerInvalid(path=path, problem=f"status is {told}, expected {' or '.join(allowed)}")
    return status


def _without_secrets(text: str, request: CoreRequest) -> str:
    secrets = [*_secrets(request.headers), *_secrets(request.params), *_secrets(request.body or {})]
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _remedy(status: int, said: str) -> str:
    if status == 401:
        return "Set api_key to one of the keys that the core is configured with"
    if status == 402:
        return "This feature needs a licence of the official core; the embedded core has it switched on"
    if status == 404 and "Not found" in said:
        return "Is this the address of a core, with the right base path, and does the tenant exist?"
    return ""


def _secrets(value: object, *, named: bool = False) -> list[str]:
    """Return the texts in *value* that stand under a name which says that they are secret."""
    if isinstance(value, str):
        return [value] if named and len(value) > 3 else []
    if isinstance(value, Mapping):
        return [
            text
            for name, item in value.items()
            for text in _secrets(item, named=named or bool(_SECRET.search(str(name))))
        ]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _secrets(item, named=named)]
    return []
