"""
What other packages call the user, from the session: one module for each package. Nothing else imports them.

Here is what they share: how a sign-out of such a package ends the session.
"""

from __future__ import annotations

from typing import Any

from st_wsgi.recipes.session import get_session_or_none


def end_session(request: Any) -> None:
    """
    End the session of a request, if there is one. Its claims need not be satisfied.

    :raises TryRefreshToken: the access token has expired: 401. The frontend renews it and repeats the request.
    """
    session = get_session_or_none(request, override_global_claim_validators=lambda _validators, _session: [])
    if session is not None:
        session.revoke_session()
