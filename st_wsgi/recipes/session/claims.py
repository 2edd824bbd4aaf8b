"""When the user signed in, as a claim of their session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...checks import a_number
from ...request import current
from ...users import RecipeUserId
from .claim_types import PrimitiveClaim, SessionClaimValidator
from .functions import SessionFunctions

_ONE_YEAR = 31_536_000


class SignInTimeClaimType(PrimitiveClaim[int]):
    """When the user signed in, in seconds since 1970."""

    def within(self, *, seconds: int) -> SessionClaimValidator:
        """
        Require that the user signed in at most this many seconds ago, for views that need more than a session.

        ::

            def recently(validators, _session):
                return [*validators, SignInTimeClaim.within(seconds=600)]

            @app.post("/delete-account")
            @verify_session(override_global_claim_validators=recently)
            def delete_account():
                return "deleted"

        :raises ConfigError: *seconds* is no whole number from 1 to a year.
        """
        a_number("seconds", least=1, most=_ONE_YEAR).argument("seconds", seconds)
        return self._validator(
            lambda value: type(value) is int and self.now_ms() <= (value + seconds) * 1000,
            {"expectedMaxAgeInSeconds": seconds},
            None,
            None,
        )


def _created_at(
    _user_id: str, _recipe_user_id: RecipeUserId, _tenant_id: str, payload: Mapping[str, Any]
) -> int | None:
    handle = payload.get("sessionHandle")
    if not isinstance(handle, str):
        return None
    information = current.services().functions(SessionFunctions).get_session_information(session_handle=handle)
    return None if information is None else information.time_created // 1000


def _now() -> float:
    return current.services().functions(SessionFunctions).recipe.clock()


SignInTimeClaim: SignInTimeClaimType = SignInTimeClaimType("st-sign-in", fetch_value=_created_at, clock=_now)
"""When the user signed in (``st-sign-in``): when the session was created, unless the app has set another time."""
