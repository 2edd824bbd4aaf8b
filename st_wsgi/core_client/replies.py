"""The core's reply to a call: a JSON object that can be read as a result, or an error that says what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar, overload

from ..codec import from_json, member_from_json
from ..errors import CoreBusy, CoreRefused, CoreReplyInvalid, TenantUnknown
from .transport import CoreReply, CoreRequest

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")
T7 = TypeVar("T7")

_NO_CORE = "Set core to the address of a SuperTokens core, with the base path if it has one"

_TEXT_LIMIT = 300
_SECONDS = re.compile(r"[0-9]{1,5}")
_SECRET = re.compile(r"password|token|code|secret|hash|key|jwt", re.IGNORECASE)


class Reply:
    """
    The core's reply to one call, which knows the call for its error messages::

        credentials = {"email": "ada@example.com", "password": "correct horse 1"}
        core.post("/recipe/signin", credentials, tenant_id="public").into(SignInOk, WrongCredentials)
        core.get("/recipe/user/metadata", {"userId": "ada"}).ok(dict[str, Any], "metadata")
        core.post("/recipe/session/remove", {"sessionHandles": []}).check()

    Every reading method raises :class:`~st_wsgi.errors.CoreReplyInvalid` for any other status, and for a member that is
    missing or of another type.

    :ivar body: the JSON object, which belongs to the caller.
    :ivar path: of the call, with the tenant.
    """

    __slots__ = ("body", "path")

    body: dict[str, Any]
    path: str

    def __init__(self, body: dict[str, Any], *, path: str) -> None:
        self.body = body
        self.path = path

    def __repr__(self) -> str:
        return f"<Reply to {self.path}: {self.body.get('status', 'no status')}>"

    @overload
    def into(self, one: type[T1], /) -> T1: ...
    @overload
    def into(self, one: type[T1], two: type[T2], /) -> T1 | T2: ...
    @overload
    def into(self, one: type[T1], two: type[T2], three: type[T3], /) -> T1 | T2 | T3: ...
    @overload
    def into(self, one: type[T1], two: type[T2], three: type[T3], four: type[T4], /) -> T1 | T2 | T3 | T4: ...
    @overload
    def into(
        self, one: type[T1], two: type[T2], three: type[T3], four: type[T4], five: type[T5], /
    ) -> T1 | T2 | T3 | T4 | T5: ...
    @overload
    def into(
        self, one: type[T1], two: type[T2], three: type[T3], four: type[T4], five: type[T5], six: type[T6], /
    ) -> T1 | T2 | T3 | T4 | T5 | T6: ...
    @overload
    def into(
        self,
        one: type[T1],
        two: type[T2],
        three: type[T3],
        four: type[T4],
        five: type[T5],
        six: type[T6],
        seven: type[T7],
        /,
    ) -> T1 | T2 | T3 | T4 | T5 | T6 | T7: ...
    def into(self, *results: type[Any]) -> Any:
        """Return the reply as the result class (an attrs class with a ``status``) whose status it has."""
        status = self.body.get("status")
        for result in results:
            if result.status == status:
                return from_json(result, self.body, path=self.path)
        raise self._unexpected([result.status for result in results])

    def is_ok(self, *otherwise: str) -> bool:
        """Return whether the status is ``OK``; the only other ones that it may be are those in *otherwise*."""
        status = self.body.get("status")
        if status != "OK" and (not isinstance(status, str) or status not in otherwise):
            raise self._unexpected(["OK", *otherwise])
        return bool(status == "OK")

    def check(self) -> None:
        """Require the status ``OK``."""
        if self.body.get("status") != "OK":
            raise self._unexpected(["OK"])

    def ok(self, kind: type[T], name: str) -> T:
        """Require the status ``OK`` and return the member *name*, such as ``ok(list[str], "roles")``."""
        self.check()
        return member_from_json(kind, self.body, name, path=self.path)

    def member(self, kind: type[T], name: str) -> T:
        """Return the member *name*, whatever the status: some replies have none."""
        return member_from_json(kind, self.body, name, path=self.path)

    def _unexpected(self, expected: list[str]) -> CoreReplyInvalid:
        status = self.body.get("status")
        shown = f"{status[:80]!r}" if isinstance(status, str) else "missing" if status is None else "not a text"
        return CoreReplyInvalid(path=self.path, problem=f"status is {shown}, expected {' or '.join(expected)}")


def read_reply(request: CoreRequest, response: CoreReply) -> Reply:
    """
    Return the core's reply.

    :raises CoreBusy: a status of 503 that says when to try again.
    :raises TenantUnknown: the tenant of the call does not exist.
    :raises CoreRefused: a status of 400 and above, with the core's text, without the secrets of the request.
    :raises CoreReplyInvalid: any other status outside 200 to 299, and a body that is no JSON object.
    """
    body, status, path, host = response.body, response.status, request.path, response.host
    kind = response.headers.get("content-type", "no content type")[:60]
    is_first = path.endswith("/apiversion")  # the call with which every client begins
    if status >= 400:
        text = body if isinstance(body, str) else str(body.get("message") or json.dumps(body))
        is_page = text.lstrip().startswith("<")
        retry_after = response.headers.get("retry-after", "")
        if status == 503 and _SECONDS.fullmatch(retry_after):
            said = _without_secrets(text, request).strip()[:_TEXT_LIMIT]
            raise CoreBusy(f"{request.method} {path}: the core is busy: {said}", retry_after=int(retry_after))
        # Only the text tells an unknown tenant from other refusals (supertokens-core, TenantOrAppNotFoundException).
        unknown = status == 400 and text.startswith("AppId or tenantId not found")
        raise (TenantUnknown if unknown else CoreRefused)(
            status=status,
            text=f"a page of {len(text)} characters ({kind})" if is_page else _without_secrets(text, request),
            method=request.method,
            path=path,
            host=host,
            remedy=_NO_CORE if is_page or (is_first and status == 404) else _remedy(status),
        )
    if not 200 <= status < 300:
        problem = f"status {status}; redirects are not followed. Set core to the core's own address"
        raise CoreReplyInvalid(path=path, host=host, problem=problem)
    if isinstance(body, str):
        problem = f"no JSON object but {len(body)} characters ({kind}). {_NO_CORE}"
        raise CoreReplyInvalid(path=path, host=host, problem=problem)
    if is_first and "versions" not in body:
        raise CoreReplyInvalid(path=path, host=host, problem=f"no versions. {_NO_CORE}")
    return Reply(body, path=path)


def _without_secrets(text: str, request: CoreRequest) -> str:
    secrets = [*_secrets(request.headers), *_secrets(request.params), *_secrets(request.body or {})]
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _remedy(status: int) -> str:
    if status == 401:
        return "Set api_key to one of the keys that the core is configured with"
    if status == 402:
        return "This feature needs a licence of the official core; the embedded core has all features"
    if status in (404, 405):
        return "Is the base path in core right, and is the core recent enough for this call?"
    return ""


def _secrets(value: object, *, is_secret: bool = False) -> list[str]:
    """Return the texts in *value* whose member names, or those above them, say that they are secret."""
    if isinstance(value, str):
        return [value] if is_secret and len(value) > 3 else []
    if isinstance(value, Mapping):
        return [
            text
            for name, item in value.items()
            for text in _secrets(item, is_secret=is_secret or bool(_SECRET.search(str(name))))
        ]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _secrets(item, is_secret=is_secret)]
    return []
