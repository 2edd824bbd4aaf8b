"""What comes next in a sign-in, what a user may set up, and for which addresses: functions without side effects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from ...errors import ConfigError
from ...grammar import FAKE_EMAIL_DOMAINS
from ...users import LoginMethod, User
from ..multitenancy.types import EMAIL_PASSWORD, LINK_EMAIL, LINK_PHONE, OTP_EMAIL, OTP_PHONE, THIRD_PARTY, WEBAUTHN
from .types import Addresses, Requirements, SecondFactors

EMAIL_FACTORS = (LINK_EMAIL, OTP_EMAIL)
PHONE_FACTORS = (LINK_PHONE, OTP_PHONE)


def next_step(completed: Collection[str], requirements: Requirements) -> tuple[str, ...]:
    """
    Return the factors of the first step that is not done.

    ============================  =============  ======================
    the step                      it is done by  otherwise next
    ============================  =============  ======================
    a factor                      the factor     the factor
    ``oneOf``                     any of them    all of them
    ``oneOf`` with an empty list  (always done)  -
    ``allOfInAnyOrder``           all of them    those that are missing
    ============================  =============  ======================

    :raises ConfigError: a step is something else.
    """
    if not isinstance(requirements, list | tuple):
        raise ConfigError(f"get_mfa_requirements_for_auth must return a list of steps, not {requirements!r}")
    for step in requirements:
        kind, factors = _kind_and_factors(step)
        missing = [factor for factor in factors if factor not in completed]
        if missing and (kind == "allOfInAnyOrder" or len(missing) == len(factors)):
            return tuple(dict.fromkeys(missing))
    return ()


def _kind_and_factors(step: object) -> tuple[str, Sequence[str]]:
    """Return the kind of a step and its factors. A single factor is all of one."""
    if isinstance(step, str):
        return "allOfInAnyOrder", [step]
    if isinstance(step, dict) and len(step) == 1:
        [(kind, factors)] = step.items()
        is_list = isinstance(factors, list | tuple) and all(isinstance(factor, str) for factor in factors)
        if is_list and kind in ("oneOf", "allOfInAnyOrder"):
            return kind, factors
    raise ConfigError(
        "get_mfa_requirements_for_auth must return a list of factors, "
        f'{{"oneOf": [...]}} and {{"allOfInAnyOrder": [...]}}; one of its steps is {step!r}'
    )


def setup_problem(factor_id: str, *, step: Collection[str], set_up: Collection[str]) -> str | None:
    """
    Return why a user may not set up a factor in a session; None if they may.

    =============  ==============================  ==========================  =======
    the next step  a factor of the step is set up  the factor is of the step   allowed
    =============  ==============================  ==========================  =======
    none           -                               -                           yes
    some           yes: it has to be completed     any                         no
    some           no                              yes                         yes
    some           no                              no                          no
    =============  ==============================  ==========================  =======

    The last row matters. With the steps "authenticator app or e-mail, then phone", a person who knows the password
    could otherwise add a phone of theirs first, and pass the last step with it.
    """
    if not step:
        return None
    if any(factor in set_up for factor in step):
        return "a factor that is set up has to be completed first"
    return None if factor_id in step else "this factor is not among those that come next"


def first_factors_of(method: LoginMethod) -> tuple[str, ...]:
    """Return the factors by which a session of a login method may have begun, the likeliest first."""
    own = {EMAIL_PASSWORD: (EMAIL_PASSWORD,), THIRD_PARTY: (THIRD_PARTY,), WEBAUTHN: (WEBAUTHN,)}.get(method.recipe_id)
    if own is not None:
        return own
    return (EMAIL_FACTORS if method.email else ()) + (PHONE_FACTORS if method.phone_number else ())


def contacts(
    user: User, session_method: LoginMethod, of: Callable[[LoginMethod], str | None], *, recipe_id: str
) -> list[str]:
    """
    Return the addresses or numbers of a user for a factor: those that they have set up, else all that they have.

    The one of the session's login method comes first, then the oldest.

    :param of: from a login method to its address or number.
    """
    methods = sorted(user.login_methods, key=lambda method: method.time_joined)
    own = [method for method in methods if method.recipe_id == recipe_id and of(method) is not None]
    first = of(session_method)
    found = [text for method in own or methods if (text := of(method)) is not None]
    return list(dict.fromkeys([first, *found] if first is not None and first in found else found))


def real_email(method: LoginMethod) -> str | None:
    """Return the e-mail address of a login method; None for a made-up one, which receives no mail."""
    email = method.email
    return None if email is None or email.endswith(FAKE_EMAIL_DOMAINS) else email


def sign_in_emails(user: User, session_method: LoginMethod, *, recipe_id: str) -> list[str]:
    """
    Return the addresses that a user can name when they sign in with a password or a passkey, the best one first.

    Those that have one: verified ones first, made-up ones last. If none has: all real ones, else the made-up ones.
    """
    methods = sorted(user.login_methods, key=lambda method: method.time_joined)
    own = [method for method in methods if method.recipe_id == recipe_id]
    if own:
        own.sort(key=lambda method: (real_email(method) is None, not method.verified))
        found = [method.email for method in own if method.email]
    else:
        found = [email for method in methods if (email := real_email(method))]
        found = found or [method.email for method in methods if method.email]
    found.sort(key=lambda email: email != session_method.email)
    return list(dict.fromkeys(found))


def made_up_email(method: LoginMethod) -> str:
    """Return the made-up address with which a user without one signs in with a password as second factor."""
    return f"{method.recipe_user_id.value.lower()}@stfakeemail.supertokens.com"


def factor_by_email(recipe_id: str, *, makes_up: bool = False) -> SecondFactors:
    """
    Return the second factor of a recipe whose users name an e-mail address: a password, or a passkey.

    :param makes_up: users without an address get one that is made up.
    """

    def emails(user: User, session_method: LoginMethod) -> Addresses:
        found = sign_in_emails(user, session_method, recipe_id=recipe_id)
        return {recipe_id: found or ([made_up_email(session_method)] if makes_up else [])}

    def set_up(user: User) -> list[str]:
        return [recipe_id] if any(method.recipe_id == recipe_id for method in user.login_methods) else []

    return SecondFactors(factors=(recipe_id,), set_up=set_up, emails=emails)


def factors_by_code(recipe_id: str, factors: Iterable[str]) -> SecondFactors:
    """Return the second factors of a recipe that sends codes and links."""
    offered = tuple(factors)

    def addresses(
        names: Collection[str], of: Callable[[LoginMethod], str | None]
    ) -> Callable[[User, LoginMethod], Addresses]:
        return lambda user, session_method: {
            factor: contacts(user, session_method, of, recipe_id=recipe_id) for factor in offered if factor in names
        }

    def set_up(user: User) -> list[str]:
        methods = [method for method in user.login_methods if method.recipe_id == recipe_id]
        emails = EMAIL_FACTORS if any(map(real_email, methods)) else ()
        phones = PHONE_FACTORS if any(method.phone_number for method in methods) else ()
        return [factor for factor in offered if factor in (*emails, *phones)]

    return SecondFactors(
        factors=offered,
        set_up=set_up,
        emails=addresses(EMAIL_FACTORS, real_email),
        phone_numbers=addresses(PHONE_FACTORS, lambda method: method.phone_number),
    )
