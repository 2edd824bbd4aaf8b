"""
What other packages call the user, from the session: one module for each package. Nothing else imports them.

Here is what they share: how a sign-out of such a package ends the session.
"""

from __future__ import annotations

import inspect
from types import CodeType
from typing import Any

from st_wsgi.errors import InvalidClaims
from st_wsgi.recipes.session import SessionContainer, get_session_or_none


def session_of(request: Any, *, check_database: bool, sign_out: CodeType) -> SessionContainer | None:
    """
    Return the session of a request, or None. Errors are those of ``get_session``.

    :param sign_out: the code of the package's function that signs users out. It reads the user before it calls us. If
        a claim is not satisfied then, there is no user, but no error either: everybody may sign out.
    """
    try:
        return get_session_or_none(request, check_database=check_database)
    except InvalidClaims:
        frame = inspect.currentframe()
        while frame is not None and frame.f_code is not sign_out:
            frame = frame.f_back
        if frame is None:
            raise
        return None


def end_session(request: Any) -> None:
    """
    End the session of a request, if there is one. Its claims need not be satisfied.

    :raises TryRefreshToken: the access token has expired: 401. The frontend renews it and repeats the request.
    """
    session = get_session_or_none(request, override_global_claim_validators=lambda _validators, _session: [])
    if session is not None:
        session.revoke_session()
