"""
Checks of a token's text and header, before the payload is decoded; and verified access tokens.

The law: the header does not choose how a token is treated. It must be exactly the header that the core writes
(`io.supertokens.session.accessToken`, `io.supertokens.utils.Utils` in supertokens-core), or the text is no access
token. The payload is not decoded here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, NoReturn, cast

from st_verify import base64url, strict_json
from st_verify.errors import NoSession, NotStrictJSON, TryRefresh
from st_verify.jwk import RS256
from st_verify.settings import count, text_list

#: Default and largest length of a token, in characters.
MAX_TOKEN = 16_384

# 1368 characters are a header of 1 KiB, 1366 the signature of an 8192 bit key.
_MIN_HEADER, _MAX_HEADER, _MIN_PAYLOAD, _MAX_SIGNATURE = 20, 1368, 2, 1366

_KID = re.compile(r"[ds]-[A-Za-z0-9-]{1,128}")
_KNOWN_HEADERS = 64

# Access tokens of versions 1 and 2 have one constant header each, in padded standard base64, and no kid.
_LEGACY = re.compile(
    rb"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsInZlcnNpb24iOiI[xy]In0="
    rb"\.[A-Za-z0-9+/]{2,16384}={0,2}\.[A-Za-z0-9+/]{342,1368}={0,2}"
)

#: Claims of the protocol that no handler needs and no log may show.
SECRET_CLAIMS: frozenset[str] = frozenset({"refreshTokenHash1", "parentRefreshTokenHash1", "antiCsrfToken"})


@dataclass(frozen=True, slots=True)
class TokenHeader:
    """The members of a header that differ between genuine tokens."""

    #: The id of the key.
    kid: str
    #: "3", "4" or "5"; None for kinds of tokens whose header has no version.
    version: str | None
    #: The algorithm. The key must be for it.
    alg: str = RS256


#: A token in parts: its header, the header's text (None if a token with this header was verified before), the bytes
#: that the signature covers, and payload and signature, both still in base64url.
Parts = tuple[TokenHeader, bytes | None, bytes, bytes, bytes]


class UnverifiedToken(NamedTuple):
    """A token whose text and header have the right form. Nothing in it is verified. `repr` shows the header alone."""

    #: The token itself, as ASCII.
    data: bytes
    parts: Parts
    #: The parser that made it. Another verifier parses the token again.
    parser: TokenParser

    def __repr__(self) -> str:
        return f"UnverifiedToken(header={self.header!r})"

    @property
    def header(self) -> TokenHeader:
        """The token's header."""
        return self.parts[0]

    @property
    def text(self) -> str:
        """The token itself."""
        return self.data.decode("ascii")


class TokenParser:
    """
    Judges text and header of one kind of token.

    :param versions: allowed values of the header member ``version``; None for kinds that have none.
    :param legacy_kids: exact key ids without the prefix ``d-`` or ``s-`` (static keys of cores below 5.0).
    :param max_token: longest token, in characters.
    :raises SettingError: one of them is malformed or out of range.
    """

    #: Of a signature, in characters. The default is that of a 2048 bit key.
    min_signature: ClassVar[int] = 342

    def __init__(
        self, *, versions: Collection[str] | None, legacy_kids: Collection[str] = (), max_token: int = MAX_TOKEN
    ) -> None:
        self._min_token = _MIN_HEADER + 1 + _MIN_PAYLOAD + 1 + self.min_signature
        self.max_token: int = count("max_token", max_token, low=self._min_token, high=MAX_TOKEN)
        cure = 'pass versions such as "5"'
        self._versions = None if versions is None else text_list("versions", versions, "[1-9][0-9]?", cure)
        self._legacy_kids = text_list("legacy_kids", legacy_kids, "[!-~]{1,256}", "pass key ids of visible ASCII")
        self._members = {"alg", "typ", "kid"} if versions is None else {"alg", "typ", "kid", "version"}
        self._known: dict[bytes, TokenHeader] = {}

    def candidate(self, text: str) -> bytes | None:
        """
        Return the bytes of a text; None if its length, that of its first segment, or its characters are no token's.

        This is cheap, since strangers can send texts of any length. Raises `TypeError` for anything but a str.
        """
        if not isinstance(text, str):
            raise TypeError(f"token: pass a str, not {type(text).__name__}")
        if not self._min_token <= len(text) <= self.max_token or not _MIN_HEADER <= text.find(".") <= _MAX_HEADER:
            return None
        return text.encode() if text.isascii() else None

    def parse(self, text: str) -> UnverifiedToken:
        """
        Judge text and header. Raises `NoSession` if it is not a token of this kind, `TryRefresh` if it is a session
        token of version 1 or 2, which only a refresh replaces.
        """
        candidate = self.candidate(text)
        if candidate is None:
            raise NoSession("token_form")
        return UnverifiedToken(candidate, self.parts(candidate), self)

    def parts(self, candidate: bytes) -> Parts:
        """Do the same for the result of `candidate`, and raise the same."""
        signing_input, _, signature = candidate.rpartition(b".")
        header_text, _, payload = signing_input.partition(b".")
        if len(payload) < _MIN_PAYLOAD or not self.min_signature <= len(signature) <= _MAX_SIGNATURE:
            raise NoSession("token_form")
        # Without the alphabet exactly the two dots are left.
        if candidate.translate(None, base64url.ALPHABET) != b"..":
            if self._versions is not None and _LEGACY.fullmatch(candidate):
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
        """Cache the header of a verified token. There are only a few different ones for each key."""
        if len(self._known) < _KNOWN_HEADERS:
            self._known[header_text] = header

    def _read_header(self, header_text: bytes) -> TokenHeader:
        if not base64url.is_canonical(header_text):
            raise NoSession("base64_form")
        try:
            header = strict_json.loads(base64url.decode(header_text))
        except NotStrictJSON:
            raise NoSession("header_json") from None
        if not isinstance(header, dict):
            raise NoSession("header_json")
        if header.keys() != self._members:
            # This refuses jwk, jku, x5*, crit, b64, zip, enc, cty and a missing version. None is ever read.
            raise NoSession("header_members")
        if header["alg"] != RS256:
            raise NoSession("algorithm")
        if header["typ"] != "JWT":
            raise NoSession("type")
        kid, version = header["kid"], header.get("version")
        if not isinstance(kid, str) or not (_KID.fullmatch(kid) or kid in self._legacy_kids):
            raise NoSession("kid_form")
        if self._versions is not None and (not isinstance(version, str) or version not in self._versions):
            raise NoSession("version")
        return TokenHeader(kid, version)


class VerifiedToken:
    """The base of all verified tokens. They carry secrets of a session, so they cannot be pickled."""

    __slots__ = ()
    #: Seconds since the epoch.
    expires_at: int

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is not pickled: it carries secrets of a session")


@dataclass(frozen=True, slots=True)
class VerifiedClaims(VerifiedToken):
    """What OAuth2 access tokens and tokens of the jwt recipe have in common. Immutable."""

    #: ``iat`` and ``exp``, in seconds since the epoch.
    issued_at: int
    expires_at: int
    #: ``iss``; None only if the verifier's issuer is ANY.
    issuer: str | None
    #: The id of the key that signed the token.
    kid: str
    #: The payload as it was signed.
    payload_json: bytes = field(repr=False)

    @property
    def claims(self) -> Mapping[str, Any]:
        """All claims: read-only, and a fresh copy at every access."""
        return MappingProxyType(json.loads(self.payload_json))


@dataclass(frozen=True, init=False, eq=False, repr=False)
class AccessToken(VerifiedToken):
    """
    A verified session access token. Immutable, so threads and requests may share it.

    `repr` shows no secret and no claim of the app.
    """

    #: ``sub``: the primary user id, unchanged.
    user_id: str
    #: ``rsub``; equals `user_id` in tokens of versions 3 and 4.
    recipe_user_id: str
    #: ``tId``; ``public`` in tokens of version 3.
    tenant_id: str
    #: ``sessionHandle``.
    session_handle: str
    #: ``iat`` and ``exp``, in seconds since the epoch.
    issued_at: int
    expires_at: int
    #: ``iss``; None only if the verifier's issuer is ANY.
    issuer: str | None
    #: ``parentRefreshTokenHash1``: not None in the first token after a refresh. A secret.
    parent_refresh_token_hash_1: str | None
    #: The payload as it was signed, including the protocol's secrets.
    payload_json: bytes
    _header: TokenHeader

    def __init__(self, attributes: dict[str, Any]) -> None:
        # A verifier makes one for every token, and the __init__ of a frozen dataclass takes three times as long.
        object.__setattr__(self, "__dict__", attributes)

    def __eq__(self, other: object) -> bool:
        # All other attributes follow from these two.
        if not isinstance(other, AccessToken):
            return NotImplemented
        return self.payload_json == other.payload_json and self._header == other._header

    def __hash__(self) -> int:
        return hash(self.payload_json)

    def __repr__(self) -> str:
        names = ("user_id", "recipe_user_id", "tenant_id", "session_handle", "issued_at", "expires_at", "issuer")
        return f"AccessToken({', '.join(f'{name}={getattr(self, name)!r}' for name in names)}, kid={self.kid!r})"

    @property
    def kid(self) -> str:
        """The id of the key that signed the token."""
        return self._header.kid

    @property
    def version(self) -> str:
        """One of "3", "4" and "5"."""
        return self._header.version or ""

    @property
    def refresh_token_hash_1(self) -> str:
        """``refreshTokenHash1``. A secret."""
        return str(self.payload()["refreshTokenHash1"])

    @property
    def anti_csrf_token(self) -> str | None:
        """``antiCsrfToken``, for the anti-CSRF mode VIA_TOKEN. A secret."""
        return cast("str | None", self.payload().get("antiCsrfToken"))

    @property
    def claims(self) -> Mapping[str, Any]:
        """
        The claims without the protocol's secrets: read-only, and a fresh copy at every access, so that no change
        reaches another request. Keep it in a local name if you need it twice.
        """
        return MappingProxyType({name: value for name, value in self.payload().items() if name not in SECRET_CLAIMS})

    def payload(self) -> dict[str, Any]:
        """Return the whole payload as a fresh dict, **with** the protocol's secrets (``front-token`` needs them)."""
        return dict(json.loads(self.payload_json))
