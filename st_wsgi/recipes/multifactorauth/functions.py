"""The functions of the multifactorauth recipe: interface and default implementation."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal

from ...accounts import user_of_session
from ...codec import member_from_json
from ...errors import InvalidClaims, Unauthorised
from ...recipe_kit.recipe import Functions
from ...users import LoginMethod, RecipeUserId, User
from ..multitenancy import Multitenancy
from ..multitenancy.types import TenantConfig
from ..session import SessionContainer
from ..session.claim_types import MFAClaimValue, MultiFactorAuthClaimType
from ..session.functions import SessionFunctions
from ..usermetadata import UserMetadataFunctions
from .decisions import first_factors_of, next_step, setup_problem
from .settings import MultiFactorAuthSettings
from .types import Progress, Requirements

CLAIM: Final = MultiFactorAuthClaimType("st-mfa")
"""The claim for reading and writing payloads. ``MultiFactorAuthClaim`` in ``claims.py`` also fetches its value."""

_TRIES = 10
_TURN, _PAUSE = 10, 0.01  # seconds for which a turn lasts at most; between two looks whether it is free
_METADATA, _REQUIRED = "_supertokens", "requiredSecondaryFactors"


class MultiFactorAuthFunctions(Functions[MultiFactorAuthSettings]):
    """The functions of the multifactorauth recipe. What is required of a user is in their metadata."""

    def get_mfa_requirements_for_auth(
        self,
        *,
        tenant_id: str,
        access_token_payload: Mapping[str, Any],
        completed_factors: Mapping[str, float],
        user: Callable[[], User],
        factors_set_up_for_user: Callable[[], tuple[str, ...]],
        required_secondary_factors_for_user: Callable[[], tuple[str, ...]],
        required_secondary_factors_for_tenant: Callable[[], tuple[str, ...]],
    ) -> Requirements:
        """
        Return what a sign-in needs: one of the factors that the user or the tenant requires.

        An override may require something else. The last four arguments are functions, since each asks the core.

        :param completed_factors: when they were completed, in seconds since 1970.
        """
        factors = dict.fromkeys((*required_secondary_factors_for_user(), *required_secondary_factors_for_tenant()))
        return [{"oneOf": list(factors)}] if factors else []

    def assert_allowed_to_setup_factor_else_throw_invalid_claim_error(
        self,
        *,
        session: SessionContainer,
        factor_id: str,
        mfa_requirements_for_auth: Callable[[], Requirements],
        factors_set_up_for_user: Callable[[], tuple[str, ...]],
    ) -> None:
        """
        Check whether the user of a session may set up a factor now.

        :raises InvalidClaims: they have to complete another factor first: 403.
        """
        value = session.get_claim_value(CLAIM)
        step = next_step(() if value is None else value.c, mfa_requirements_for_auth())
        problem = setup_problem(factor_id, step=step, set_up=factors_set_up_for_user() if step else ())
        if problem is not None:
            raise InvalidClaims([(CLAIM.key, {"message": problem})])

    def mark_factor_as_complete_in_session(self, *, session: SessionContainer, factor_id: str) -> None:
        """
        Note in a session that its user has completed a factor just now.

        :raises Unauthorised: the session or its user does not exist any more.
        """
        progress = progress_in(self.functions, session, completed=factor_id)
        if len(progress.completed) > 1:
            record(self, "factor_completed", session, factor_id)

    def get_factors_setup_for_user(self, *, user: User) -> tuple[str, ...]:
        """Return the factors that a user has set up, in all tenants."""
        return tuple(dict.fromkeys(factor for one in self.recipe.offered for factor in one.set_up(user)))

    def get_required_secondary_factors_for_user(self, *, user_id: str) -> tuple[str, ...]:
        """
        Return the factors of which a user has to complete one at each sign-in, whatever their tenant requires.

        :raises CoreReplyInvalid: the app has written something else into the metadata.
        """
        required, _ = self._metadata(user_id)
        return required

    def add_to_required_secondary_factors_for_user(self, *, user_id: str, factor_id: str) -> None:
        """
        Add one to the factors of which a user has to complete one at each sign-in.

        Changes wait for each other. Over HTTP, a core cannot tell two processes whose turn it is: one of two changes
        that they make for one user within a few milliseconds may be lost.
        """
        self._change(user_id, lambda required: dict.fromkeys((*required, factor_id)))

    def remove_from_required_secondary_factors_for_user(self, *, user_id: str, factor_id: str) -> None:
        """Remove one from the factors of which a user has to complete one at each sign-in."""
        self._change(user_id, lambda required: (factor for factor in required if factor != factor_id))

    def _metadata(self, user_id: str) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Return the factors that are required of a user, and what else SuperTokens keeps in their metadata."""
        metadata = self.recipe.services.functions(UserMetadataFunctions).get_user_metadata(user_id=user_id)
        path = "/recipe/user/metadata"
        ours = {} if metadata.get(_METADATA) is None else member_from_json(dict, metadata, _METADATA, path=path)
        return tuple(member_from_json(list[str], {_REQUIRED: [], **ours}, _REQUIRED, path=path)), ours

    def _change(self, user_id: str, change: Callable[[tuple[str, ...]], Iterable[str]]) -> None:
        """Change what is required of a user: one change after the other, and again if another program undid it."""
        with self._turn(user_id):
            for _ in range(_TRIES):
                self.core.forget()  # what this request read earlier may be out of date
                before, ours = self._metadata(user_id)
                after = list(change(before))
                if after == list(before):
                    return
                self.recipe.services.functions(UserMetadataFunctions).update_user_metadata(
                    user_id=user_id, metadata_update={_METADATA: {**ours, _REQUIRED: after}}
                )

    @contextmanager
    def _turn(self, user_id: str) -> Iterator[None]:
        """
        Wait until no other change of the user's required factors is running.

        The core reads metadata in one call and writes them in another one, so two changes at the same moment could lose
        one of them. Embedded cores know whose turn it is, for all processes. With another core only the threads of this
        process take turns, and ``_change`` reads again what it wrote, which notices most changes of other processes.
        """
        turns = self.recipe.turns
        name = hashlib.sha256(f"required factors of {user_id}".encode("utf-8", "surrogatepass")).hexdigest()
        limit = time.monotonic() + 2 * _TURN
        while turns.add(name, _TURN)[0] > 1 and time.monotonic() < limit:
            time.sleep(_PAUSE)
        try:
            yield
        finally:
            turns.clear(name)


def record(
    functions: MultiFactorAuthFunctions,
    name: Literal["factor_completed", "sign_in_failed"],
    session: SessionContainer,
    reason: str,
    *,
    recipe_id: str | None = None,
) -> None:
    """Record a security event about the user of a session."""
    functions.context.record(
        name,
        tenant_id=session.get_tenant_id(),
        user_id=session.get_user_id(),
        session_handle=session.get_handle(),
        reason=reason,
        recipe_id=recipe_id,
    )


@contextmanager
def refusals_recorded(functions: MultiFactorAuthFunctions, session: SessionContainer) -> Iterator[None]:
    """Record an event when another factor has to be completed first: a stranger with the password may be trying."""
    try:
        yield
    except InvalidClaims:
        record(functions, "sign_in_failed", session, "FACTOR_REQUIRED")
        raise


def progress_in(
    functions: MultiFactorAuthFunctions, session: SessionContainer, *, completed: str | None = None
) -> Progress:
    """
    Return how far the sign-in of a session is, by the present requirements, and write it into the claim of the session.

    :param completed: a factor that was completed just now.
    :raises Unauthorised: the session, its user or its tenant does not exist any more.
    """
    payload = session.get_access_token_payload()
    progress = progress_of(
        functions, session.get_recipe_user_id(), session.get_tenant_id(), payload, completed=completed
    )
    value = MFAClaimValue(c=progress.completed, v=progress.is_complete)
    # A completed factor is written even if nothing changes: within one second, its time is the same as before.
    if completed is not None or value != CLAIM.get_value_from_payload(payload):
        session.set_claim_value(CLAIM, value)
    return progress


def progress_of(
    functions: MultiFactorAuthFunctions,
    recipe_user_id: RecipeUserId,
    tenant_id: str,
    payload: Mapping[str, Any],
    *,
    completed: str | None = None,
) -> Progress:
    """Return how far a sign-in is, from the payload of an access token. This changes no session."""
    services = functions.recipe.services
    sessions = services.functions(SessionFunctions)

    @functools.cache
    def user() -> User:
        return user_of_session(services.core, recipe_user_id.value)

    @functools.cache
    def tenant() -> TenantConfig:
        found = services.get(Multitenancy).functions.get_tenant(tenant_id=tenant_id)
        if found is None:
            raise Unauthorised("the tenant of the session does not exist")
        return found

    def began_with() -> dict[str, float]:
        """Return the first factor of a session without the claim. It is new, or from before the app had this recipe."""
        method = user().login_method(recipe_user_id)
        candidates = () if method is None else first_factors_of(method)
        if completed in candidates:
            return {}
        allowed = services.get(Multitenancy).first_factors_of(tenant())
        factor = next((one for one in candidates if one in allowed), None)
        handle = payload.get("sessionHandle")
        session = sessions.get_session_information(session_handle=handle) if isinstance(handle, str) else None
        if factor is None or session is None:
            raise Unauthorised("the session began with no first factor of its tenant, or has ended")
        return {factor: session.time_created // 1000}

    value = CLAIM.get_value_from_payload(payload)
    factors: dict[str, float] = began_with() if value is None else dict(value.c)
    if completed is not None:
        factors[completed] = int(sessions.recipe.clock())
    requirements = functions.get_mfa_requirements_for_auth(
        tenant_id=tenant_id,
        access_token_payload=payload,
        completed_factors=factors,
        user=user,
        factors_set_up_for_user=lambda: functions.get_factors_setup_for_user(user=user()),
        required_secondary_factors_for_user=lambda: functions.get_required_secondary_factors_for_user(
            user_id=user().id
        ),
        required_secondary_factors_for_tenant=lambda: tenant().required_secondary_factors or (),
    )
    return Progress(completed=factors, requirements=requirements, next_step=next_step(factors, requirements))


def factors_to_set_up(
    functions: MultiFactorAuthFunctions,
    session: SessionContainer,
    user: User,
    factors: Iterable[str],
    *,
    progress: Progress | None = None,
) -> tuple[str, ...]:
    """
    Return those of some factors that the user of a session may set up now.

    :param progress: of the session, if it is known already.
    :raises InvalidClaims: there is none: 403.
    """
    requirements = (progress or progress_in(functions, session)).requirements
    set_up = functools.cache(lambda: functions.get_factors_setup_for_user(user=user))
    allowed, refusal = [], None
    for factor_id in factors:
        try:
            functions.assert_allowed_to_setup_factor_else_throw_invalid_claim_error(
                session=session,
                factor_id=factor_id,
                mfa_requirements_for_auth=lambda: requirements,
                factors_set_up_for_user=set_up,
            )
            allowed.append(factor_id)
        except InvalidClaims as error:
            refusal = error
    if refusal is not None and not allowed:
        raise refusal
    return tuple(allowed)


def is_protected(functions: MultiFactorAuthFunctions, user: User, method: LoginMethod, tenant_id: str) -> bool:
    """
    Return whether a user who signs in with a login method alone would need another factor, which is theirs already.

    That is one of those that are required of the user, or one that they have set up.
    """
    now = int(functions.recipe.services.functions(SessionFunctions).recipe.clock())
    value = MFAClaimValue(c=dict.fromkeys(first_factors_of(method), now), v=False)
    payload = {"sub": user.id, "rsub": method.recipe_user_id.value, "tId": tenant_id}
    step = progress_of(functions, method.recipe_user_id, tenant_id, CLAIM.add_to_payload(payload, value)).next_step
    if not step:
        return False
    required = functions.get_required_secondary_factors_for_user(user_id=user.id)
    return bool(required) or not set(step).isdisjoint(functions.get_factors_setup_for_user(user=user))
