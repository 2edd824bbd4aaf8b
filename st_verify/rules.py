"""The registered claims that all token kinds share: issuer, audience, times. Types first, then values."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from st_verify.errors import NoSession, TryRefresh
from st_verify.settings import AnyType, seconds, text_set

#: The core's own maximum for the life of an access token, in seconds.
MAX_LIFETIME = 86_400_000.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_TEXT = 1024
_PLAIN = bytes(range(0x20, 0x7F))


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """
    :param audiences: None refuses every token that has ``aud``; an empty set accepts any.
    :param leeway: seconds after ``exp`` in which a token still counts, 0 by default.
    :param skew: seconds that ``iat`` and ``nbf`` may lie in the future (RFC 7519 4.1.5).
    :param max_lifetime: largest ``exp - iat`` in seconds.
    """

    audiences: frozenset[str] | None
    leeway: float
    skew: float
    max_lifetime: float

    @classmethod
    def of(
        cls, *, audience: str | Collection[str] | AnyType | None, leeway: float, skew: float, max_lifetime: float
    ) -> ClaimRules:
        """
        :raises ConfigError: a time out of range, a malformed audience.
        """
        return cls(
            audiences=None if audience is None else text_set("audience", audience) or frozenset(),
            leeway=seconds("leeway", leeway, low=0, high=300),
            skew=seconds("clock_skew", skew, low=0, high=300),
            max_lifetime=seconds("max_lifetime", max_lifetime, low=1, high=MAX_LIFETIME),
        )

    def registered(
        self, payload: Mapping[str, Any], issuers: frozenset[str] | None, now: float
    ) -> tuple[str | None, int, int]:
        """
        Judge ``iss``, ``aud``, ``iat``, ``exp`` and ``nbf``.

        :param issuers: ``iss`` must equal one of them exactly; None accepts any, or none at all.
        :param now: wall time in seconds. A token whose ``exp`` is `now` is expired.
        :returns: ``iss``, ``iat`` and ``exp``, times in whole seconds.
        :raises NoSession: of another issuer or audience, malformed, or with a longer life than allowed.
        :raises TryRefresh: outside of its time.
        """
        issuer = payload.get("iss")
        if issuers is None:
            if issuer is not None or "iss" in payload:
                text(payload, "iss")
        elif not isinstance(issuer, str) or issuer not in issuers:
            raise NoSession("issuer")
        if self.audiences is None:
            if "aud" in payload:
                raise NoSession("audience")
        elif self.audiences:
            self._audience(payload.get("aud"), self.audiences)
        issued, expires, not_before = payload.get("iat"), payload.get("exp"), None
        if type(issued) is not int or issued < 0:
            raise NoSession("iat_form")
        if type(expires) is not int:
            raise NoSession("exp_form")
        if "nbf" in payload:
            not_before = payload["nbf"]
            if type(not_before) is not int:
                raise NoSession("nbf_form")
        if expires - issued > self.max_lifetime:
            raise NoSession("lifetime")
        if expires <= now - self.leeway:
            raise TryRefresh("expired")
        if issued > now + self.skew or issued > expires:
            raise TryRefresh("issued_in_future")
        if not_before is not None and not_before > now + self.skew:
            raise TryRefresh("not_yet_valid")
        return issuer, issued, expires

    @staticmethod
    def _audience(given: object, audiences: frozenset[str]) -> None:
        members = [given] if isinstance(given, str) else given
        if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
            raise NoSession("audience")
        if audiences.isdisjoint(members):
            raise NoSession("audience")


def are_plain_texts(*values: object) -> bool:
    """
    Whether all are non-empty strings of visible ASCII, together no longer than one `text` may be.

    One look instead of as many calls of `text`, since this runs for every token. Where it says no, `text` decides.
    """
    try:
        together = "".join(values)  # type: ignore[arg-type]  # what is no str raises
    except TypeError:
        return False
    if "" in values or len(together) > _MAX_TEXT or not together.isascii():
        return False
    return not together.encode().translate(None, _PLAIN)


def text(payload: Mapping[str, Any], name: str) -> str:
    """
    A non-empty string claim without control characters, unchanged.

    :raises NoSession: it is not.
    """
    value = payload.get(name)
    if not isinstance(value, str) or not value or len(value) > _MAX_TEXT:
        raise NoSession(f"{name}_form")
    if not (value.isascii() and value.isprintable()) and _CONTROL.search(value):
        raise NoSession(f"{name}_form")
    return value


def text_or_null(payload: Mapping[str, Any], name: str) -> str | None:
    """
    A string claim that may be null or absent.

    :raises NoSession: it is something else.
    """
    return None if payload.get(name) is None else text(payload, name)
