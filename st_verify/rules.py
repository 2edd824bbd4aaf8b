"""The registered claims that all kinds of tokens share (issuer, audience, times), and claims that are texts."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from st_verify.errors import NoSession, TryRefresh
from st_verify.settings import AnyType, seconds, text_set

#: The core's own maximum for the life of an access token, in seconds.
MAX_LIFETIME = 86_400_000.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_TEXT = 1024
_PLAIN = bytes(range(0x20, 0x7F))


class ClaimRules:
    """
    Rules for ``iss``, ``aud``, ``iat``, ``exp`` and ``nbf``. See `SessionVerifier` for the parameters.

    :raises SettingError: a time out of range, a malformed audience.
    """

    def __init__(
        self, *, audience: str | Collection[str] | AnyType | None, leeway: float, clock_skew: float, max_lifetime: float
    ) -> None:
        # None refuses every token with an audience, an empty set accepts any.
        self._audiences = None if audience is None else text_set("audience", audience) or frozenset()
        #: Seconds after ``exp`` in which a token is still accepted.
        self.leeway: float = seconds("leeway", leeway, low=0, high=300)
        self._skew = seconds("clock_skew", clock_skew, low=0, high=300)
        self._max_lifetime = seconds("max_lifetime", max_lifetime, low=1, high=MAX_LIFETIME)

    def check(
        self, payload: Mapping[str, Any], issuers: frozenset[str] | None, now: float
    ) -> tuple[str | None, int, int]:
        """
        Check all registered claims: types first, then values.

        :param issuers: ``iss`` must equal one of them; None accepts any, or none at all.
        :param now: wall time in seconds. A token whose ``exp`` is `now` is expired.
        :returns: ``iss``, ``iat`` and ``exp``, the times in whole seconds.
        :raises NoSession: another issuer or audience, a malformed claim, or a longer life than allowed.
        :raises TryRefresh: the token is outside of its time.
        """
        issuer = payload.get("iss")
        if issuers is None:
            if issuer is not None or "iss" in payload:
                text(payload, "iss")
        elif not isinstance(issuer, str) or issuer not in issuers:
            raise NoSession("issuer")
        if self._audiences is None:
            if "aud" in payload:
                raise NoSession("audience")
        elif self._audiences:
            _check_audience(payload.get("aud"), self._audiences)
        issued, expires = payload.get("iat"), payload.get("exp")
        if type(issued) is not int or issued < 0:
            raise NoSession("iat_form")
        if type(expires) is not int:
            raise NoSession("exp_form")
        not_before = payload.get("nbf", issued)
        if type(not_before) is not int:
            raise NoSession("nbf_form")
        if expires - issued > self._max_lifetime:
            raise NoSession("lifetime")
        if expires <= now - self.leeway:
            raise TryRefresh("expired")
        if issued > now + self._skew or issued > expires:
            raise TryRefresh("issued_in_future")
        if not_before > now + self._skew:
            raise TryRefresh("not_yet_valid")
        return issuer, issued, expires


def _check_audience(value: Any, audiences: frozenset[str]) -> None:
    members = [value] if isinstance(value, str) else value
    is_list = isinstance(members, list) and all(isinstance(member, str) for member in members)
    if not is_list or audiences.isdisjoint(members):
        raise NoSession("audience")


def are_plain_texts(*values: object) -> bool:
    """
    Return whether all are non-empty strings of visible ASCII, together no longer than one `text` may be.

    This is one fast check for every token instead of a call of `text` for each claim. If it says no, `text` decides.
    """
    try:
        together = "".join(values)  # type: ignore[arg-type]  # raises TypeError for anything but strings
    except TypeError:
        return False
    if "" in values or len(together) > _MAX_TEXT or not together.isascii():
        return False
    return not together.encode().translate(None, _PLAIN)


def text(payload: Mapping[str, Any], name: str) -> str:
    """Return a claim that is a non-empty string without control characters. Raises `NoSession` for anything else."""
    value = payload.get(name)
    if not isinstance(value, str) or not value or len(value) > _MAX_TEXT:
        raise NoSession(f"{name}_form")
    if not (value.isascii() and value.isprintable()) and _CONTROL.search(value):
        raise NoSession(f"{name}_form")
    return value


def text_or_null(payload: Mapping[str, Any], name: str) -> str | None:
    """Return such a claim; None if it is null or absent."""
    return None if payload.get(name) is None else text(payload, name)
