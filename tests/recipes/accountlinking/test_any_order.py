"""
Three people sign up and in, link, verify, change addresses and delete in any order, in two tenants.

The model says which person owns which address and number. After each step, no two persons can sign in as the same user,
no login method belongs to two users, and no two primary users of a tenant have the same address, number or account at
a provider.

``ST_LINKING_EXAMPLES=1000`` tries that many sequences.
"""

from __future__ import annotations

import itertools
import os
import queue
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

import st_wsgi
from recipes.accountlinking.parts import CODE, GITHUB, LINK_VERIFIED, NO_LINK, Site, token_in
from recipes.shop import QUICK, Borrowed, Visitor, form, payload_of
from st_wsgi import LoginMethod, User
from st_wsgi.delivery import Message
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.recipes import accountlinking, emailpassword, multitenancy, session
from st_wsgi.recipes.accountlinking import PrimaryUserCreated
from st_wsgi.recipes.emailpassword import EmailPassword, SignInOk

EXAMPLES = int(os.environ.get("ST_LINKING_EXAMPLES", "40"))
NAMES = ["ada", "bob", "mallory"]
who = st.sampled_from(NAMES)
place, number, flag = st.sampled_from([0, 1]), st.sampled_from([1, 2]), st.booleans()
"""A tenant; which of a person's addresses or accounts; whether to link in the session."""
whose = st.tuples(who, number)
"""An address: who owns it, and which of theirs it is."""


class World:
    """One site for all sequences. Each has people and tenants of its own."""

    def __init__(self, core: EmbeddedCore) -> None:
        self.site = Site(Borrowed(core), settings={"rate_limit": None})
        # Mails that a response does not wait for are sent before it all the same, so that a person can look for them.
        background = self.site.shop.st.services.get(EmailPassword).background
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
        more = {"shouldTryLinkingWithSessionUser": True} if link and browser.access_token else {}
        tenant = "" if place is None else f"/{self.tenants[place]}"
        answer = browser.call("POST", f"/auth{tenant}{path}", {**body, **more})
        assert answer.status_code < 500, answer.text
        if browser.access_token:
            self.holders[payload_of(browser.access_token)["sessionHandle"]] = name
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
            contact = method.email or ""
            if method.verified and method.email:
                people.add(contact.split("-")[0])
            if method.third_party is not None:
                people.add(method.third_party.user_id.split("-")[0])
            if method.recipe_id == "passwordless":
                people.add(contact.split("-")[0] or NAMES[int(str(method.phone_number)[5]) - 1])
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
    def primary_users_have_nothing_in_common(self) -> None:
        for tenant in self.tenants:
            owners: dict[object, str] = {}
            for user in self.users():
                for method in user.login_methods if user.is_primary_user else ():
                    for fact in (method.email, method.phone_number, method.third_party):
                        if fact is not None and tenant in method.tenant_ids:
                            assert owners.setdefault(fact, user.id) == user.id, (fact, self.users())


@pytest.fixture(scope="module")
def own_core() -> Iterator[EmbeddedCore]:
    with EmbeddedCore(settings=QUICK) as core:
        yield core


def test_random_sequences_never_mix_people(own_core: EmbeddedCore) -> None:
    class Machine(Accounts):
        world = World(own_core)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=14,
            deadline=None,
            derandomize=EXAMPLES <= 40,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
            database=None,
        ),
    )
