"""
A token's text and header, judged before anything is decoded that could grow; and the values that come out.

The header does not choose how a token is treated: it must be exactly the header that the core writes
(`io.supertokens.session.accessToken`, `io.supertokens.utils.Utils` in supertokens-core), or the text is
not an access token at all. The payload stays untouched here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from st_verify import base64url, strict_json
from st_verify.errors import ConfigError, NoSession, TryRefresh

#: Default cap on the whole token, in characters.
MAX_TOKEN = 16_384

# 1368 characters are a header of 1 KiB; 342 are the signature of a 2048 bit key, 1366 that of one of 8192 bits.
_MIN_HEADER, _MAX_HEADER, _MIN_PAYLOAD, _MIN_SIGNATURE, _MAX_SIGNATURE = 20, 1368, 2, 342, 1366
_MIN_TOKEN = _MIN_HEADER + 1 + _MIN_PAYLOAD + 1 + _MIN_SIGNATURE

_KID = re.compile(r"[ds]-[A-Za-z0-9-]{1,128}")
_LEGACY_KID = re.compile(r"[!-~]{1,256}")

# Access tokens of versions 1 and 2 have one constant header each, in padded standard base64, and no kid.
_LEGACY = re.compile(
    rb"(?:eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsInZlcnNpb24iOiIxIn0=|eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsInZlcnNpb24iOiIyIn0=)"
    rb"\.[A-Za-z0-9+/]{2,16384}={0,2}\.[A-Za-z0-9+/]{342,1368}={0,2}"
)
_LEGACY_START = b"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsInZlcnNpb24iOi"

_KNOWN_HEADERS = 64


@dataclass(frozen=True, slots=True)
class TokenHeader:
    """The two members of a header that differ between genuine tokens."""

    kid: str
    #: "3", "4" or "5"; None for token kinds whose header has no version.
    version: str | None


#: A token in parts: its header, the header's text (None if it is one that came with a good signature before), the
#: bytes that the signature covers, and payload and signature, still in base64url.
Parts = tuple[TokenHeader, bytes | None, bytes, bytes, bytes]


class GatedToken(NamedTuple):
    """A token whose text and header are right. Nothing about it is verified."""

    #: The token itself, as ASCII.
    data: bytes
    parts: Parts
    #: Who judged it; another verifier judges it again.
    gate: Gate

    def __repr__(self) -> str:
        return f"GatedToken(header={self.header!r})"

    @property
    def header(self) -> TokenHeader:
        """What the header says."""
        return self.parts[0]

    @property
    def text(self) -> str:
        """The token itself."""
        return self.data.decode("ascii")


class Gate:
    """
    Judges text and header of one kind of token.

    :param versions: the allowed values of the header member ``version``, or None for kinds that have none.
    :param legacy_kids: exact key ids without ``d-`` or ``s-`` prefix (static keys of cores below 5.0).
    :param max_token: cap on the token, in characters.
    """

    def __init__(
        self, *, versions: Collection[str] | None, legacy_kids: Collection[str] = (), max_token: int = MAX_TOKEN
    ) -> None:
        if not _MIN_TOKEN <= max_token <= MAX_TOKEN:
            raise ConfigError(f"max_token: must lie between {_MIN_TOKEN} and {MAX_TOKEN} characters")
        if isinstance(legacy_kids, str) or not all(_LEGACY_KID.fullmatch(kid) for kid in legacy_kids):
            raise ConfigError("legacy_kids: give a list of key ids of printable ASCII")
        if versions is not None and not all(re.fullmatch(r"[1-9][0-9]?", version) for version in versions):
            raise ConfigError('versions: give strings such as "5"')
        self.max_token = max_token
        self._versions = None if versions is None else frozenset(versions)
        self._legacy_kids = frozenset(legacy_kids)
        self._members = {"alg", "typ", "kid"} if versions is None else {"alg", "typ", "kid", "version"}
        self._known: dict[bytes, TokenHeader] = {}

    def candidate(self, text: str) -> bytes | None:
        """
        Refuse what cannot be a token before anything is copied or hashed.

        :returns: None if its length or its first segment is impossible, or it is not ASCII.
        :raises TypeError: it is no str.
        """
        if not isinstance(text, str):
            raise TypeError(f"a token is a str, not {type(text).__name__}")
        if not _MIN_TOKEN <= len(text) <= self.max_token or not _MIN_HEADER <= text.find(".") <= _MAX_HEADER:
            return None
        return text.encode() if text.isascii() else None

    def gated(self, text: str) -> GatedToken:
        """
        Judge text and header.

        :raises NoSession: it is not a token of this kind.
        :raises TryRefresh: it is a session token of version 1 or 2, which only a refresh replaces.
        :raises TypeError: it is no str.
        """
        candidate = self.candidate(text)
        if candidate is None:
            raise NoSession("token_form")
        return GatedToken(candidate, self.parts(candidate), self)

    def parts(self, candidate: bytes) -> Parts:
        """
        :param candidate: what `candidate` returned.
        :raises NoSession, TryRefresh: as `gated`.
        """
        signing_input, _, signature = candidate.rpartition(b".")
        header_text, _, payload = signing_input.partition(b".")
        if len(payload) < _MIN_PAYLOAD or not _MIN_SIGNATURE <= len(signature) <= _MAX_SIGNATURE:
            raise NoSession("token_form")
        # Without the alphabet exactly the two dots are left.
        if candidate.translate(None, base64url.ALPHABET) != b"..":
            if self._versions is not None and candidate.startswith(_LEGACY_START) and _LEGACY.fullmatch(candidate):
                raise TryRefresh("legacy_version")
            raise NoSession("token_form")
        last = base64url.LAST
        if payload[-1] not in last[len(payload) % 4] or signature[-1] not in last[len(signature) % 4]:
            raise NoSession("base64_form")
        known = self._known.get(header_text)
        if known is not None:
            return known, None, signing_input, payload, signature
        return self._read_header(header_text), header_text, signing_input, payload, signature

    def remember(self, header_text: bytes, header: TokenHeader) -> None:
        """Keep the parsed header of a token whose signature was good: a handful for each key."""
        if len(self._known) < _KNOWN_HEADERS:
            self._known[header_text] = header

    def _read_header(self, header_text: bytes) -> TokenHeader:
        if not base64url.is_canonical(header_text):
            raise NoSession("base64_form")
        try:
            header = strict_json.loads(base64url.decode(header_text))
        except strict_json.NotStrictJSON:
            raise NoSession("header_json") from None
        if not isinstance(header, dict):
            raise NoSession("header_json")
        if header.keys() != self._members:
            # Covers jwk, jku, x5*, crit, b64, zip, enc, cty and a missing version: none is ever read.
            raise NoSession("header_members")
        if header["alg"] != "RS256":
            raise NoSession("algorithm")
        if header["typ"] != "JWT":
            raise NoSession("type")
        kid, version = header["kid"], header.get("version")
        if not isinstance(kid, str) or not (_KID.fullmatch(kid) or kid in self._legacy_kids):
            raise NoSession("kid_form")
        if self._versions is not None and (not isinstance(version, str) or version not in self._versions):
            raise NoSession("version")
        return TokenHeader(kid, version)


#: Protocol members that no handler needs and no log may show.
SECRET_CLAIMS: frozenset[str] = frozenset({"refreshTokenHash1", "parentRefreshTokenHash1", "antiCsrfToken"})


class Pickleless:
    """Values that carry secrets do not leave the process by accident."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not pickled: it carries secrets of a session")


class AccessToken(Pickleless):
    """
    A verified session access token. Immutable, so that threads and requests may share it.

    Times are whole seconds since the epoch. `repr` shows no secret and no claim of the app.
    """

    # By hand, since a verifier makes one for every token: a frozen dataclass takes five times as long to fill, and
    # names at the call cost as much again.
    __slots__ = (
        "_expires_at",
        "_header",
        "_issued_at",
        "_issuer",
        "_parent_hash",
        "_payload_json",
        "_recipe_user_id",
        "_session_handle",
        "_tenant_id",
        "_user_id",
    )

    def __init__(  # noqa: PLR0917  by position: see above
        self,
        user_id: str,
        recipe_user_id: str,
        tenant_id: str,
        session_handle: str,
        issued_at: int,
        expires_at: int,
        issuer: str | None,
        parent_hash: str | None,
        header: TokenHeader,
        payload_json: bytes,
    ) -> None:
        self._user_id = user_id
        self._recipe_user_id = recipe_user_id
        self._tenant_id = tenant_id
        self._session_handle = session_handle
        self._issued_at = issued_at
        self._expires_at = expires_at
        self._issuer = issuer
        self._parent_hash = parent_hash
        self._header = header
        self._payload_json = payload_json

    def __eq__(self, other: object) -> bool:
        # All the rest follows from these two.
        if not isinstance(other, AccessToken):
            return NotImplemented
        return self._payload_json == other._payload_json and self._header == other._header

    def __hash__(self) -> int:
        return hash(self._payload_json)

    def __repr__(self) -> str:
        return (
            f"AccessToken(user_id={self._user_id!r}, recipe_user_id={self._recipe_user_id!r}, "
            f"tenant_id={self._tenant_id!r}, session_handle={self._session_handle!r}, issued_at={self._issued_at!r}, "
            f"expires_at={self._expires_at!r}, issuer={self._issuer!r}, header={self._header!r})"
        )

    @property
    def user_id(self) -> str:
        """``sub``: the primary user id, unchanged."""
        return self._user_id

    @property
    def recipe_user_id(self) -> str:
        """``rsub``; equals `user_id` in tokens of versions 3 and 4."""
        return self._recipe_user_id

    @property
    def tenant_id(self) -> str:
        """``tId``; ``public`` in tokens of version 3."""
        return self._tenant_id

    @property
    def session_handle(self) -> str:
        """``sessionHandle``"""
        return self._session_handle

    @property
    def issued_at(self) -> int:
        """``iat``"""
        return self._issued_at

    @property
    def expires_at(self) -> int:
        """``exp``"""
        return self._expires_at

    @property
    def issuer(self) -> str | None:
        """``iss``; None only where the verifier's issuer is ANY."""
        return self._issuer

    @property
    def kid(self) -> str:
        """The id of the key that signed it."""
        return self._header.kid

    @property
    def version(self) -> str:
        """One of "3", "4" and "5"."""
        return self._header.version or ""

    @property
    def parent_refresh_token_hash_1(self) -> str | None:
        """``parentRefreshTokenHash1``, not None right after a refresh. A secret."""
        return self._parent_hash

    @property
    def payload_json(self) -> bytes:
        """The payload as it was signed, with the protocol's secrets."""
        return self._payload_json

    # What is rarely asked for is read anew: a verifier makes many tokens, and few hosts look at these.

    @property
    def refresh_token_hash_1(self) -> str:
        """``refreshTokenHash1``. A secret."""
        value: str = self.payload()["refreshTokenHash1"]
        return value

    @property
    def anti_csrf_token(self) -> str | None:
        """``antiCsrfToken``, for hosts in mode VIA_TOKEN. A secret."""
        value: str | None = self.payload().get("antiCsrfToken")
        return value

    @property
    def claims(self) -> Mapping[str, Any]:
        """
        The claims without the protocol's secrets: read-only, and a fresh copy at every access, so that
        nobody's change reaches another request. Take it once into a local name.
        """
        claims = self.payload()
        for name in SECRET_CLAIMS:
            claims.pop(name, None)
        return MappingProxyType(claims)

    def payload(self) -> dict[str, Any]:
        """The whole payload as a fresh dict, **with** the protocol's secrets (``front-token`` needs them)."""
        payload: dict[str, Any] = json.loads(self.payload_json)
        return payload
