"""
Three people sign up and in, link, verify, change addresses and delete in any order, in two tenants.

The model says which person owns which address, number, passkey and authenticator app. After each step, no two persons
can sign in as the same user, no login method belongs to two users, and no two primary users of a tenant have the same
address, number or account at a provider. Nobody has a factor in a session that they have not proved there, so that a
thief of a password gets nowhere when another factor is required.

``ST_LINKING_EXAMPLES=1000`` tries that many sequences on a core in memory.
"""

from __future__ import annotations

import itertools
import os
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from cluster import Cluster
from contract.authenticator import Credential, credential
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sampling import exhaustive_but

import st_wsgi
from recipes.accountlinking.parts import CODE, GITHUB, LINK_VERIFIED, NO_LINK, Site, token_in
from recipes.shop import QUICK, Borrowed, Clock, Visitor, form, payload_of
from recipes.totp.parts import totp
from recipes.webauthn.parts import RP, made, proved
from st_wsgi import LoginMethod, User
from st_wsgi.delivery import Message
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipes import accountlinking, emailpassword, multifactorauth as mfa, multitenancy, session
from st_wsgi.recipes.accountlinking import PrimaryUserCreated
from st_wsgi.recipes.emailpassword import EmailPassword, SignInOk
from st_wsgi.recipes.multifactorauth import MultiFactorAuth
from st_wsgi.recipes.totp import Totp
from st_wsgi.recipes.webauthn import Webauthn
from st_wsgi.request import current

EXAMPLES = int(os.environ.get("ST_LINKING_EXAMPLES", "30"))
#: How many sequences are tried on each database engine. What differs between engines shows soon.
ENGINES = {"memory": EXAMPLES, "file": 5, "postgres": 5}
NAMES = ["ada", "bob", "mallory"]
who = st.sampled_from(NAMES)
place, number, flag = st.sampled_from([0, 1]), st.sampled_from([1, 2]), st.booleans()
"""A tenant; which of a person's addresses or accounts; whether to link in the session."""
whose = st.tuples(who, number)
"""An address: who owns it, and which of theirs it is."""


class World:
    """One site for all sequences. Each has people and tenants of its own."""

    def __init__(self, core: EmbeddedCore, clock: Clock) -> None:
        self.site = Site(
            Borrowed(core),
            more=lambda send: [Webauthn(get_relying_party_id=RP, email_delivery=send), MultiFactorAuth(), Totp()],
            settings={"rate_limit": None, "clock": clock},
        )
        # Mails that a response does not wait for are sent before it all the same, so that a person can look for them.
        for recipe in (EmailPassword, Webauthn):
            background = self.site.shop.st.services.get(recipe).background
            background.run = lambda work: bool(work()) or True  # type: ignore[method-assign]
        self.runs = itertools.count()


class Accounts(RuleBasedStateMachine):
    """What people do at the site. Each act is one that the site lets a person do who knows what is theirs alone."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        site, run = self.world.site, next(self.world.runs)
        self.site, self.run, site.answer = site, run, LINK_VERIFIED
        self.browsers = {name: Visitor(site.shop) for name in NAMES}
        self.tenants = [f"t{run}-{number}" for number in (0, 1)]
        self.holders: dict[str, str] = {}
        self.kept: list[tuple[str, int, Message]] = []
        self.keys: list[tuple[str, Credential]] = []
        self.apps: dict[tuple[str, str], str] = {}  # person and user: the secret
        self.thieves: list[Visitor] = []
        self.with_app: set[str] = set()  # sessions in which a code of an app was proved
        self.from_before: set[str] = set()  # sessions from before a factor was required
        for tenant in self.tenants:
            multitenancy.create_or_update_tenant(
                tenant_id=tenant, config=multitenancy.TenantConfigCreateOrUpdate(first_factors=None)
            )
            multitenancy.create_or_update_third_party_config(tenant_id=tenant, config=GITHUB)

    def address(self, owner: tuple[str, int]) -> str:
        return f"{owner[0]}-{owner[1]}-{self.run}@example.com"

    def phone(self, name: str) -> str:
        return f"+4930{NAMES.index(name) + 1}{self.run:06}"

    def post(self, name: str, place: int | None, path: str, body: Any, *, link: bool = False) -> dict[str, Any]:
        """Send what a person's browser sends, and note whose session it has afterwards."""
        browser = self.browsers[name]
        answer = self.send(browser, place, path, body, link=link)
        if browser.access_token:
            self.holders[payload_of(browser.access_token)["sessionHandle"]] = name
        return answer

    def send(self, browser: Visitor, place: int | None, path: str, body: Any, *, link: bool = False) -> dict[str, Any]:
        more = {"shouldTryLinkingWithSessionUser": True} if link and browser.access_token else {}
        tenant = "" if place is None else f"/{self.tenants[place]}"
        answer = browser.call("POST", f"/auth{tenant}{path}", {**body, **more})
        assert answer.status_code < 500, answer.text
        done: dict[str, Any] = answer.get_json()
        return done

    def mail(self) -> Message | None:
        """Return the message that came last, and forget it and all before."""
        last = None
        while True:
            try:
                last = self.site.messages.get_nowait()
            except queue.Empty:
                return last

    def methods_of_session(self, name: str) -> tuple[LoginMethod, ...]:
        """Return the login methods of the user whom a person is, the one of the session first."""
        token = self.browsers[name].access_token
        claims = payload_of(token) if token else None
        if claims is None or session.get_session_information(session_handle=claims["sessionHandle"]) is None:
            return ()
        user = st_wsgi.get_user(user_id=claims["sub"])
        if user is None:
            return ()
        return tuple(sorted(user.login_methods, key=lambda one: one.recipe_user_id.value != claims["rsub"]))

    def somebody_has_a_session(self) -> bool:
        return any(self.browsers[name].access_token for name in NAMES)

    @initialize(protected=flag)
    def begin(self, protected: bool) -> None:
        """In every second sequence, somebody with a password has an authenticator app."""
        if protected:
            self.sign_up("ada", ("ada", 1), 0, link=False)
            self.require_an_app("ada")

    @rule()
    def change_the_rule(self) -> None:
        self.site.answer = LINK_VERIFIED if self.site.answer == NO_LINK else NO_LINK

    @rule(name=who, address=whose, place=place, link=flag)
    def sign_up(self, name: str, address: tuple[str, int], place: int, link: bool) -> None:
        self.post(name, place, "/signup", form(email=self.address(address), password=f"of {name} 1"), link=link)

    @rule(name=who, address=whose, place=place, link=flag)
    def sign_in(self, name: str, address: tuple[str, int], place: int, link: bool) -> None:
        self.post(name, place, "/signin", form(email=self.address(address), password=f"of {name} 1"), link=link)

    @rule(name=who, which=st.sampled_from([0, 1, 2]), place=place, link=flag)
    def enter_a_code(self, name: str, which: int, place: int, link: bool) -> None:
        """Which address it went to; 0 is for the phone."""
        contact = {"email": self.address((name, which))} if which else {"phoneNumber": self.phone(name)}
        device = self.post(name, place, CODE.removeprefix("/auth"), contact, link=link)
        message = self.mail()
        if message is not None:
            ids = {key: device[key] for key in ("deviceId", "preAuthSessionId")}
            body = {**ids, "userInputCode": message.code}
            self.post(name, place, f"{CODE}/consume".removeprefix("/auth"), body, link=link)

    @rule(name=who, which=number, address=whose, place=place, link=flag)
    def use_a_provider(self, name: str, which: int, address: tuple[str, int], place: int, link: bool) -> None:
        """The provider has verified addresses of the person's own, and no others."""
        tokens = {"id": f"{name}-{which}-{self.run}", "email": self.address(address), "verified": address[0] == name}
        body = {"thirdPartyId": "github", "oAuthTokens": {**tokens, "access_token": "t"}}
        self.post(name, place, "/signinup", body, link=link)

    @precondition(somebody_has_a_session)
    @rule(name=who)
    def verify(self, name: str) -> None:
        """People open only those mails of verification that they asked for."""
        methods = self.methods_of_session(name)
        self.post(name, None, "/user/email/verify/token", {})
        message = self.mail()
        if message is not None and methods and str(methods[0].email).startswith(f"{name}-"):
            place = self.tenants.index(parse_qs(urlsplit(str(message.link)).query)["tenantId"][0])
            self.post(name, place, "/user/email/verify", {"method": "token", "token": token_in(message)})

    @rule(name=who, which=number, place=place, at_once=flag)
    def forget_the_password(self, name: str, which: int, place: int, at_once: bool) -> None:
        """The mail is opened at once, or kept."""
        self.post(name, place, "/user/password/reset/token", form(email=self.address((name, which))))
        message = self.mail()
        if message is not None:
            self.kept.append((name, place, message))
            if at_once:
                self.set_a_password(-1)

    @precondition(lambda self: self.kept)
    @rule(which=st.integers(0, 9))
    def set_a_password(self, which: int) -> None:
        """By a mail that was kept."""
        name, place, message = self.kept.pop(which % len(self.kept))
        body = {"method": "token", "token": token_in(message), **form(password=f"of {name} 1")}
        self.post(name, place, "/user/password/reset", body)

    @precondition(somebody_has_a_session)
    @rule(name=who, address=whose)
    def change_the_address(self, name: str, address: tuple[str, int]) -> None:
        """Of the password with which the person has signed in."""
        for method in self.methods_of_session(name)[:1]:
            if method.recipe_id == "emailpassword":
                email = self.address(address)
                emailpassword.update_email_or_password(recipe_user_id=method.recipe_user_id, email=email)

    @precondition(somebody_has_a_session)
    @rule(name=who, pick=st.randoms(use_true_random=False))
    def link_by_hand(self, name: str, pick: Any) -> None:
        """The app's own code links what one person has proved."""
        own = [user for user in self.users() if self.people(user) == {name}]
        if len(own) > 1:
            first, second = pick.sample(own, 2)
            made = accountlinking.create_primary_user(recipe_user_id=first.login_methods[0].recipe_user_id)
            if isinstance(made, PrimaryUserCreated):
                accountlinking.link_accounts(
                    recipe_user_id=second.login_methods[0].recipe_user_id, primary_user_id=made.user.id
                )

    @precondition(somebody_has_a_session)
    @rule(name=who)
    def unlink(self, name: str) -> None:
        for method in self.methods_of_session(name)[:1]:
            accountlinking.unlink_account(recipe_user_id=method.recipe_user_id)

    @precondition(somebody_has_a_session)
    @rule(name=who, place=place, joins=flag)
    def move(self, name: str, place: int, joins: bool) -> None:
        for method in self.methods_of_session(name)[:1]:
            change = multitenancy.associate_user_to_tenant if joins else multitenancy.disassociate_user_from_tenant
            change(recipe_user_id=method.recipe_user_id, tenant_id=self.tenants[place])

    @precondition(somebody_has_a_session)
    @rule(name=who, everything=flag)
    def delete(self, name: str, everything: bool) -> None:
        for method in self.methods_of_session(name)[:1]:
            st_wsgi.delete_user(user_id=method.recipe_user_id.value, remove_all_linked_accounts=everything)

    @precondition(somebody_has_a_session)
    @rule(name=who)
    def sign_out(self, name: str) -> None:
        self.browsers[name] = Visitor(self.site.shop)

    # Passkeys.

    @rule(name=who, address=whose, place=place, link=flag)
    def sign_up_with_a_passkey(self, name: str, address: tuple[str, int], place: int, link: bool) -> None:
        options = self.post(name, place, "/webauthn/options/register", {"email": self.address(address)})
        self.keys.append((name, credential(-8)))
        self.post(name, place, "/webauthn/signup", made(options, self.keys[-1][1]), link=link)

    @precondition(lambda self: self.keys)
    @rule(which=st.integers(0, 9), place=place, link=flag)
    def sign_in_with_a_passkey(self, which: int, place: int, link: bool) -> None:
        name, key = self.keys[which % len(self.keys)]
        if name not in NAMES:
            return
        options = self.post(name, place, "/webauthn/options/signin", {})
        self.post(name, place, "/webauthn/signin", proved(options, key), link=link)

    @rule(name=who, which=number, place=place)
    def recover_with_a_passkey(self, name: str, which: int, place: int) -> None:
        """The mail goes to an address of the person's own."""
        self.post(name, place, "/user/webauthn/reset/token", {"email": self.address((name, which))})
        message = self.mail()
        if message is not None:
            token = token_in(message)
            options = self.post(name, place, "/webauthn/options/register", {"recoverAccountToken": token})
            if options["status"] == "OK":
                self.keys.append((name, credential(-8)))
                body = {"token": token, **made(options, self.keys[-1][1])}
                self.post(name, place, "/user/webauthn/reset", body)

    # Authenticator apps, and who has only stolen a password.

    def code(self, secret: str) -> str:
        """Return a code that was not used before."""
        self.site.shop.clock.wait(90)
        return totp(secret, at=self.site.shop.clock() / 1000)

    def wrong_code(self) -> str:
        """Return a code that no app shows at about this time."""
        now = self.site.shop.clock() / 1000
        shown = {totp(secret, at=now, steps=steps) for secret in self.apps.values() for steps in range(-2, 3)}
        return next(code for code in map("{:06}".format, itertools.count()) if code not in shown)

    @precondition(somebody_has_a_session)
    @rule(name=who)
    def require_an_app(self, name: str) -> None:
        """A person whose sign-in is complete sets an authenticator app up, and has it required from now on."""
        browser = self.browsers[name]
        user_id = browser.visit().get_json().get("userId") if browser.access_token else None
        if user_id is None or (name, user_id) in self.apps:
            return
        device = self.post(name, None, "/totp/device", {"deviceName": f"of {name}"})
        if device.get("status") == "OK":
            body = {"deviceName": device["deviceName"], "totp": self.code(device["secret"])}
            if self.post(name, None, "/totp/device/verify", body).get("status") == "OK":
                self.apps[name, user_id] = device["secret"]
                self.with_app.add(payload_of(str(browser.access_token))["sessionHandle"])
                mfa.add_to_required_secondary_factors_for_user(user_id=user_id, factor_id="totp")
                self.from_before |= set(session.get_all_session_handles_for_user(user_id=user_id))

    @precondition(lambda self: self.apps)
    @rule(name=who)
    def enter_the_code_of_the_app(self, name: str) -> None:
        token = self.browsers[name].access_token
        claims = payload_of(token) if token else {}
        secret = self.apps.get((name, claims.get("sub", "")))
        if secret and self.post(name, None, "/totp/verify", {"totp": self.code(secret)}).get("status") == "OK":
            self.with_app.add(claims["sessionHandle"])

    @precondition(lambda self: self.apps)
    @rule(which=st.integers(0, 9))
    def steal_a_password(self, which: int) -> None:
        """Sign in with the first factor of a person who has an app, and try to get further."""
        victim, user_id = list(self.apps)[which % len(self.apps)]
        user = st_wsgi.get_user(user_id=user_id)
        methods = user.login_methods if user else ()
        passwords = [one for one in methods if one.recipe_id == "emailpassword" and one.tenant_ids]
        for method in passwords[:1]:
            thief, place = Visitor(self.site.shop), self.tenants.index(next(iter(method.tenant_ids)))
            body = form(email=str(method.email), password=f"of {victim} 1")
            if self.send(thief, place, "/signin", body).get("status") == "OK":
                self.thieves.append(thief)
                self.go_on(thief, place)

    def go_on(self, thief: Visitor, place: int) -> None:
        """Add an app, a phone and a passkey, guess, and ask how far this has come."""
        device = self.send(thief, None, "/totp/device", {"deviceName": "mine"})
        if device.get("status") == "OK":
            self.send(thief, None, "/totp/device/verify", {"deviceName": "mine", "totp": self.code(device["secret"])})
        self.send(thief, None, "/totp/verify", {"totp": self.wrong_code()})
        device = self.send(thief, place, CODE.removeprefix("/auth"), {"phoneNumber": f"+49309{self.run:06}"}, link=True)
        message = self.mail()
        if message is not None:
            ids = {key: device[key] for key in ("deviceId", "preAuthSessionId")}
            body = {**ids, "userInputCode": str(message.code)}
            self.send(thief, place, f"{CODE}/consume".removeprefix("/auth"), body, link=True)
        options = self.send(thief, place, "/webauthn/options/register", {"email": f"thief-{self.run}@example.com"})
        self.keys.append(("thief", credential(-8)))
        self.send(thief, place, "/webauthn/signup", made(options, self.keys[-1][1]), link=True)
        thief.call("PUT", "/auth/mfa/info")

    def teardown(self) -> None:
        """Every sequence ends with thieves of all passwords beside an app."""
        for number in range(len(self.apps)):
            self.steal_a_password(number)
            self.a_factor_was_proved_in_the_session_that_has_it()
            self.nobody_shares_a_user()

    def users(self) -> list[User]:
        found = [user for tenant in self.tenants for user in st_wsgi.get_users_oldest_first(tenant_id=tenant).users]
        return list({user.id: user for user in found}.values())

    def people(self, user: User) -> set[str]:
        """Return the people who can sign in as a user, have a session of theirs, or have proved their address."""
        people = {
            self.holders[handle]
            for handle in session.get_all_session_handles_for_user(user_id=user.id)
            if handle in self.holders
        }
        for method in user.login_methods:
            if method.webauthn is not None:
                people |= {name for name, key in self.keys if key.name in method.webauthn.credential_ids}
            contact = method.email or ""
            if method.verified and method.email:
                people.add(contact.split("-")[0])
            if method.third_party is not None:
                people.add(method.third_party.user_id.split("-")[0])
            if method.recipe_id == "passwordless":
                people.add(contact.split("-")[0] or (*NAMES, *["thief"] * 6)[int(str(method.phone_number)[5]) - 1])
            if method.recipe_id == "emailpassword":
                people |= {
                    name
                    for tenant in method.tenant_ids
                    for name in NAMES
                    if isinstance(
                        emailpassword.verify_credentials(email=contact, password=f"of {name} 1", tenant_id=tenant),
                        SignInOk,
                    )
                }
        return people

    @invariant()
    def nobody_shares_a_user(self) -> None:
        for user in self.users():
            assert len(self.people(user)) <= 1, (self.people(user), user)

    @invariant()
    def a_login_method_has_one_user(self) -> None:
        users = self.users()
        ids = [method.recipe_user_id for user in users for method in user.login_methods]
        assert len(ids) == len(set(ids)), users
        assert all(user.is_primary_user or len(user.login_methods) == 1 for user in users), users

    @invariant()
    def a_factor_was_proved_in_the_session_that_has_it(self) -> None:
        for browser in [*self.browsers.values(), *self.thieves]:
            claims = payload_of(browser.access_token) if browser.access_token else {}
            handle = claims.get("sessionHandle")
            if not handle or session.get_session_information(session_handle=handle) is None:
                continue
            factors = set(claims["st-mfa"]["c"])
            assert "totp" not in factors or handle in self.with_app, claims
            user_id = browser.visit().get_json().get("userId")
            if user_id and handle not in self.from_before:
                required = set(mfa.get_required_secondary_factors_for_user(user_id=user_id))
                assert not required or required & factors, claims

    @invariant()
    def primary_users_have_nothing_in_common(self) -> None:
        for tenant in self.tenants:
            owners: dict[object, str] = {}
            for user in self.users():
                for method in user.login_methods if user.is_primary_user else ():
                    for fact in (method.email, method.phone_number, method.third_party):
                        if fact is not None and tenant in method.tenant_ids:
                            assert owners.setdefault(fact, user.id) == user.id, (fact, self.users())


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    address = {"memory": "sqlite://", "file": f"sqlite:///{tmp_path}/auth.db"}.get(request.param)
    if address is None:
        cluster: Cluster = request.getfixturevalue("cluster")
        address = cluster.address()
    clock = Clock()
    with EmbeddedCore.open(address, settings=QUICK, clock=clock) as core:
        yield World(core, clock)
    current.set_default(None)


RUNS = [("memory", 10), *ENGINES.items()]


@pytest.mark.parametrize(("world", "examples"), exhaustive_but(RUNS, RUNS[:1]), indirect=["world"])
def test_random_sequences_never_mix_people(world: World, examples: int) -> None:
    class Machine(Accounts):
        pass

    Machine.world = world
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=16,
            deadline=None,
            derandomize=examples <= 40,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
            database=None,
        ),
    )
