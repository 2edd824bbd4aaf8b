"""Whether an access token is good: st_verify, with the keys of this app's core."""

from __future__ import annotations

import json
from collections.abc import Callable

from st_verify.errors import KeysUnavailable, NoSession, Refused, TryRefresh
from st_verify.fetch import FetchedKeys
from st_verify.remote import RemoteKeys
from st_verify.settings import ANY, Clock
from st_verify.token import AccessToken
from st_verify.verifier import SessionVerifier

from ...core_client.querier import Querier
from ...core_client.transport import Transport
from ...errors import CoreUnavailable, Forbidden, SuperTokensError, TryRefreshToken, Unauthorised
from .config import SessionConfig


class TokenVerification:
    """
    The verifier of one app.

    :param issuer: the ``iss`` of the tokens that this app makes. Its core may have more back ends, whose tokens have
        another one: which of them are accepted is a setting.
    :param transport: to the core. Logs name the keys by it. If the core is part of this process, a fetch costs
        microseconds.
    :param clock: returns seconds since 1970.
    :ivar authenticate: from the text of an access token to what is in it; its refusals go through :func:`session_error`
        (a method of ours in between would cost every request with a session).
    """

    def __init__(
        self, *, config: SessionConfig, core: Querier, issuer: str, transport: Transport, clock: Callable[[], float]
    ) -> None:
        self._core = core
        in_process = transport.in_process
        keys = RemoteKeys(
            fetch=self._fetch,
            name=repr(transport),
            max_refresh=config.jwks_refresh_interval_sec,
            min_refresh=min(60, config.jwks_refresh_interval_sec),
            default_refresh=min(900, config.jwks_refresh_interval_sec),
            background=not in_process,
            lookup_interval=0 if in_process else 10,
        )
        accepted = config.accepted_issuers
        verifier = SessionVerifier(
            keys=keys,
            issuer=ANY if accepted is None else [issuer, *accepted],
            # The tenant of a session is a fact that the app acts on; every tenant of the app is served here.
            tenants=ANY,
            use_dynamic_signing_key=config.use_dynamic_access_token_signing_key,
            clock=Clock(wall=clock),
        )
        self._parse = verifier.parse
        self.authenticate: Callable[[str], AccessToken] = verifier.authenticate

    def has_form(self, text: str) -> bool:
        """
        Return whether *text* is a session's access token by its form. Its payload is not looked at, nothing is fetched.

        :raises TryRefreshToken: it is one of a very old core.
        """
        try:
            return self._parse(text) is not None
        except TryRefresh as refusal:
            raise TryRefreshToken(refusal.reason) from None

    def _fetch(self) -> FetchedKeys:
        document, max_age = self._core.get_jwks()
        return FetchedKeys(json.dumps(document).encode(), max_age)


def session_error(refusal: Refused) -> SuperTokensError:
    """
    Return what this package raises for a token that was refused.

    :returns: :class:`Unauthorised` if it is no access token of this app, :class:`TryRefreshToken` if it must be
        renewed, :class:`CoreUnavailable` if there are no keys to verify it with.
    """
    if isinstance(refusal, NoSession):
        hint = ": it is not among accepted_issuers" if refusal.reason == "issuer" else ""
        return Unauthorised(refusal.reason + hint, clear_tokens=False)
    if isinstance(refusal, TryRefresh):
        return TryRefreshToken(refusal.reason)
    if isinstance(refusal, KeysUnavailable):
        return CoreUnavailable(f"no keys to verify an access token with: {refusal.reason}")
    return Forbidden(refusal.reason)
