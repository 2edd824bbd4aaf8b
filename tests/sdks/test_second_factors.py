"""
Second factors: the same requests to apps on the official SDKs for Node and Python and to one on ours, all on one core.

What differs on purpose is listed with its reason, and has to differ.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from recipes.totp.parts import totp, wrong
from sampling import exhaustive_but

from sdks.conftest import API_KEY, official
from sdks.ours import PASSWORD, Ours, form, frontend_of_ours
from sdks.peers import Peer
from sdks.school import SCHOOL, arrival, school, serving_school
from sdks.sides import Answer, Steps, Visitor, different_steps
from sdks.test_linking import App, Facts, both, facts, sign_in
from sdks.test_linking_functions import (
    ROWS as ROWS_OF_FUNCTIONS,
    TENANT as OTHER_TENANT,
    Bench,
    Row as RowOfFunctions,
    State,
    compare,
)
from st_wsgi import RecipeUserId
from st_wsgi.recipes.accountlinking import AccountLinkingFunctions
from st_wsgi.recipes.emailpassword import EmailPasswordFunctions, SignUpOk
from st_wsgi.recipes.emailverification import EmailVerificationFunctions
from st_wsgi.recipes.multifactorauth import MultiFactorAuthFunctions
from st_wsgi.recipes.multitenancy import MultitenancyFunctions, TenantConfigCreateOrUpdate
from st_wsgi.recipes.passwordless import CodeConsumed, PasswordlessFunctions
from st_wsgi.recipes.thirdparty import ThirdPartyFunctions, UserCreatedOrUpdated
from st_wsgi.recipes.totp import DeviceCreated, TotpFunctions
from st_wsgi.services import Services
from st_wsgi.users import PUBLIC_TENANT

#: Secrets, times, and texts for people.
APART = ("qrCodeString", "reason", "retryAfterMs", "secret")
#: Where users begin with a password or a code by mail, and need an authenticator app.
TENANT = "strict"
LINK = {"shouldTryLinkingWithSessionUser": True}


@attrs.frozen
class Pair:
    """
    An app on an official SDK, and ours.

    :param language: of the official SDK.
    :param functions: of ours, for both: they change what the core has.
    """

    language: str
    ours: Ours
    sdk: Peer
    mine: App
    theirs: App
    functions: MultiFactorAuthFunctions

    def set_rule(self, rule: str) -> None:
        self.mine.set_rule(rule)
        self.theirs.set_rule(rule)


@pytest.fixture(scope="module")
def ours(core_url: str) -> Iterator[Ours]:
    """Our app, and the tenant of both."""
    ours = frontend_of_ours(core_url, API_KEY, links=True, factors=True)
    config = TenantConfigCreateOrUpdate(
        first_factors=["emailpassword", "otp-email"], required_secondary_factors=["totp"]
    )
    tenants = ours.st.services.functions(MultitenancyFunctions)
    tenants.create_or_update_tenant(tenant_id=TENANT, config=config)
    tenants.create_or_update_tenant(tenant_id=OTHER_TENANT, config=TenantConfigCreateOrUpdate(first_factors=None))
    yield ours
    ours.st.close()


@pytest.fixture(scope="module", params=["node", pytest.param("python", marks=pytest.mark.exhaustive)])
def pair(
    request: pytest.FixtureRequest, core_url: str, ours: Ours, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    with official(request.param, core_url, tmp_path_factory, "links", "factors") as peer:
        yield Pair(request.param, ours, peer, *both(peer, ours), ours.st.services.functions(MultiFactorAuthFunctions))


@pytest.fixture(scope="module")
def provider(ours: Ours) -> Iterator[None]:
    """Both apps have a provider."""
    tenants = ours.st.services.functions(MultitenancyFunctions)
    with serving_school() as origin:
        tenants.create_or_update_third_party_config(config=school(origin), tenant_id=PUBLIC_TENANT)
        yield
        tenants.delete_third_party_config(tenant_id=PUBLIC_TENANT, third_party_id=SCHOOL)


@pytest.fixture(scope="module")
def makes(ours: Ours) -> Makes:
    return Makes(ours)


def told(answer: Answer) -> Answer:
    """
    Return an answer without secrets, texts for people, and the order of factors, which tells nothing.

    The SDK for Node also passes on what its types and the interface do not have: all members of the core's reply with a
    limit, and ``createdNewRecipeUser`` beside the older name. That is left out.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return sorted(map(plain, value), key=json.dumps)
        if isinstance(value, dict):
            return {name: "..." if name in APART else plain(one) for name, one in value.items()}
        return value

    body = plain(answer.body)
    if isinstance(body, dict) and body.get("status") == "LIMIT_REACHED_ERROR":
        body = {name: one for name, one in body.items() if not name.endswith("FailedAttempts")}
    if isinstance(body, dict) and "createdNewUser" in body:
        body.pop("createdNewRecipeUser", None)
    return attrs.evolve(answer, body=body)


class Member(Visitor):
    """
    A visitor who signs in, and what is required of them.

    :ivar base: of the paths, with or without a tenant.
    """

    functions: MultiFactorAuthFunctions
    user_id = ""
    base = "/auth"

    def send(self, path: str, *, method: str = "GET", json: object = None, rid: str = "emailpassword") -> Answer:
        return told(super().send(path.replace("/auth", self.base, 1), method=method, json=json, rid=rid))

    def info(self) -> Answer:
        return self.send("/auth/mfa/info", method="PUT", rid="multifactorauth")

    def ask(self, path: str, body: object) -> Answer:
        return self.post(f"/auth/totp/{path}", body, rid="totp")

    def devices(self) -> Answer:
        return self.send("/auth/totp/device/list", rid="totp")

    def page(self) -> Answer:
        return self.send("/sessioninfo")

    def require(self, *factors: str) -> None:
        for factor in factors:
            self.functions.add_to_required_secondary_factors_for_user(user_id=self.user_id, factor_id=factor)

    def sign_up(self, email: str) -> Answer:
        answer = self.post("/auth/signup", form(email))
        self.user_id = answer.raw["user"]["id"]
        return answer


def an_authenticator_app(visitor: Member, email: str) -> Steps:
    """It is required, set up, and asked for at the next sign-in."""
    yield "no session", visitor.info()
    yield "sign up", visitor.sign_up(email)
    yield "open", visitor.page()
    yield "what comes next: nothing", visitor.info()
    yield "a code without a device", visitor.ask("verify", {"totp": "000000"})
    visitor.require("totp")
    yield "still open", visitor.page()
    yield "what comes next", visitor.info()
    yield "closed", visitor.page()
    yield "no devices", visitor.devices()
    made = visitor.ask("device", {"deviceName": "phone"})
    yield "a device", made
    unnamed = visitor.ask("device", {})
    yield "a device without a name", unnamed
    yield "two devices", visitor.devices()
    secret = made.raw["secret"]
    first, following = totp(secret), totp(secret, steps=1)  # the next half minute may begin meanwhile
    yield "an unknown device", visitor.ask("device/verify", {"deviceName": "none", "totp": "000000"})
    yield "a wrong code", visitor.ask("device/verify", {"deviceName": "phone", "totp": wrong(secret)})
    yield "the first code", visitor.ask("device/verify", {"deviceName": "phone", "totp": first})
    yield "open again", visitor.page()
    yield "the same name", visitor.ask("device", {"deviceName": "phone"})
    yield "what is set up", visitor.info()
    yield "sign in", visitor.sign_in(email)
    yield "closed again", visitor.page()
    yield "what is asked for", visitor.info()
    yield "one more device", visitor.ask("device", {"deviceName": "mine"})
    yield "to verify another", visitor.ask("device/verify", {"deviceName": "phone", "totp": "000000"})
    yield "to remove it", visitor.ask("device/remove", {"deviceName": "phone"})
    yield "to remove one that there is not", visitor.ask("device/remove", {"deviceName": "none"})
    yield "to remove the unverified one", visitor.ask("device/remove", {"deviceName": unnamed.raw["deviceName"]})
    yield "the used code", visitor.ask("verify", {"totp": first})
    yield "the next code", visitor.ask("verify", {"totp": following})
    yield "open at last", visitor.page()
    yield "refresh", visitor.post("/auth/session/refresh", rid="session")
    yield "open after a refresh", visitor.page()
    for number in range(5):
        yield f"too many {number}", visitor.ask("verify", {"totp": wrong(secret)})
    yield "remove it", visitor.ask("device/remove", {"deviceName": "phone"})
    yield "remove it again", visitor.ask("device/remove", {"deviceName": "phone"})


def a_code_by_mail(visitor: Member, email: str) -> Steps:
    """It is required, set up by entering it, and asked for at the next sign-in."""
    code = "/auth/signinup/code"
    yield "sign up", visitor.sign_up(email)
    visitor.require("otp-email")
    for turn in ("set up", "again"):
        yield f"sign in, {turn}", visitor.sign_in(email)
        yield f"what comes next, {turn}", visitor.info()
        yield f"another address, {turn}", visitor.post(code, {"email": f"x{email}", **LINK}, rid="passwordless")
        asked = visitor.post(code, {"email": email, **LINK}, rid="passwordless")
        yield f"ask, {turn}", asked
        ids = {name: asked.raw[name] for name in ("deviceId", "preAuthSessionId")}
        entered = {**ids, **LINK, "userInputCode": visitor.side.mails()[-1]["code"]}
        yield f"enter, {turn}", visitor.post(f"{code}/consume", entered, rid="passwordless")
        yield f"open, {turn}", visitor.page()
        yield f"what is set up, {turn}", visitor.info()


def a_password(visitor: Member, email: str) -> Steps:
    """It is the second factor of a user who begins with a code."""
    code = "/auth/signinup/code"
    for turn in ("first", "second"):
        asked = visitor.post(code, {"email": email}, rid="passwordless")
        ids = {name: asked.raw[name] for name in ("deviceId", "preAuthSessionId")}
        entered = {**ids, "userInputCode": visitor.side.mails()[-1]["code"]}
        answer = visitor.post(f"{code}/consume", entered, rid="passwordless")
        yield f"enter, {turn}", answer
        visitor.user_id = answer.raw["user"]["id"]
        visitor.require("emailpassword")
        yield f"what comes next, {turn}", visitor.info()
        yield f"closed, {turn}", visitor.page()
        path = "/auth/signup" if turn == "first" else "/auth/signin"
        yield f"password, {turn}", visitor.post(path, {**form(email), **LINK})
        yield f"open, {turn}", visitor.page()


def at_a_tenant(visitor: Member, email: str) -> Steps:
    """A tenant has first factors of its own, and requires an authenticator app of everybody."""
    code = "/auth/signinup/code"
    visitor.base = f"/auth/{TENANT}"
    yield "ways to sign in", visitor.send("/auth/loginmethods")
    yield "a first factor of other tenants", visitor.post(code, {"phoneNumber": "+4930123456"}, rid="passwordless")
    yield "sign up", visitor.sign_up(email)
    yield "closed", visitor.page()
    yield "what comes next", visitor.info()
    yield "a factor that does not", visitor.post(code, {"email": email, **LINK}, rid="passwordless")
    visitor.base = "/auth/nowhere"
    yield "by the path of another tenant", visitor.info()
    yield "a first factor there", Member(visitor.side, mode=visitor.mode).post(f"{visitor.base}/signin", form(email))
    visitor.base = "/auth"
    yield "by the path of none", visitor.info()
    visitor.base = f"/auth/{TENANT}"
    made = visitor.ask("device", {"deviceName": "phone"})
    yield "a device", made
    first, following = (totp(made.raw["secret"], steps=steps) for steps in (0, 1))
    yield "its first code", visitor.ask("device/verify", {"deviceName": "phone", "totp": first})
    yield "its devices", visitor.devices()
    yield "open", visitor.page()
    yield "sign in", visitor.sign_in(email)
    yield "what is asked for", visitor.info()
    yield "the next code", visitor.ask("verify", {"totp": following})
    yield "open again", visitor.page()
    yield "remove it", visitor.ask("device/remove", {"deviceName": "phone"})


#: Both ways in which tokens travel, and a version of each form that a request or a response has.
TURNS = {
    "node": [("header", "1.17"), ("cookie", "3.0"), ("header", "4.2")],
    "python": [("cookie", "1.18"), ("header", "2.0"), ("cookie", "4.1")],
}
CRASH = "theirs crashes: 500"


def on_purpose(journey: Any, language: str, *, asks: bool) -> dict[str, str]:
    """
    Return the steps at which we answer otherwise on purpose, with the reason.

    :param asks: whether the frontend asks for a link. Otherwise a sign-in within a session keeps its factors.
    """
    if journey is at_a_tenant:
        return {"a first factor there": CRASH}
    if journey is not an_authenticator_app:
        return {}
    found = {"the same name": CRASH} if language == "python" else {}
    if not asks:
        return {**found, "to verify another": "theirs completes the factor with a code that nobody has looked at"}
    if language == "node":
        found["to remove one that there is not"] = "the core's database may find a device by another spelling: F-16"
    return found


@pytest.mark.parametrize("turn", exhaustive_but(range(3), [2]))
@pytest.mark.parametrize("journey", [an_authenticator_app, a_code_by_mail, a_password, at_a_tenant])
def test_every_version_and_mode_gets_the_same_answers(pair: Pair, journey: Any, turn: int) -> None:
    pair.set_rule("link")
    mode, fdi = TURNS[pair.language][turn]
    journeys = []
    for app in (pair.mine, pair.theirs):
        visitor = Member(app.side, mode=mode, fdi=fdi)
        visitor.functions = pair.functions
        journeys.append(journey(visitor, f"{uuid.uuid4().hex}@example.com"))
    different = different_steps(*journeys)
    expected = on_purpose(journey, pair.language, asks=fdi > "3.0")
    assert different.keys() == expected.keys(), (mode, fdi, different)


DEVICE: dict[str, Any] = {"deviceName": "phone", "totp": "000000"}
KINDS: dict[str, Any] = {"null": None, "a number": 7, "an empty text": "", "an object": {}, "a long text": "x" * 300}
#: Bodies that no frontend sends.
BODIES: dict[str, Any] = {
    **{f"no {name}": {key: value for key, value in DEVICE.items() if key != name} for name in DEVICE},
    **{f"{kind} as {name}": {**DEVICE, name: value} for name in DEVICE for kind, value in KINDS.items()},
    "a list": [],
    "a text": "x",
    "broken": b"{",
    "nothing": b"",
}
PATHS = ("device/verify", "device/remove", "verify", "device")  # which makes devices comes last
#: What the official SDKs do not crash at. They take an unreadable body for an empty one. The core of SuperTokens stores
#: names of at most 256 characters.
TOLERATED = {
    "node": {("device", name) for name in ("a list", "a text", "nothing")},
    "python": {("device", name) for name in ("broken", "nothing")},
}
LONG = {(path, "a long text as deviceName") for path in PATHS if path != "verify"}


def test_bodies_that_no_frontend_sends(pair: Pair) -> None:
    """Ours says what is wrong with a body (400). Both answer the rest in the same way."""
    members = [Member(app.side, mode="header") for app in (pair.mine, pair.theirs)]
    for member in members:
        member.sign_up(f"{uuid.uuid4().hex}@example.com")
    tolerated = set()
    for path, (name, body) in itertools.product(PATHS, BODIES.items()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        how = {"content_type": "application/json", "mode": "header"}
        mine, theirs = (
            told(
                member.side.send(
                    f"/auth/totp/{path}", method="POST", data=data, token=member.held["st-access-token"], **how
                )
            )
            for member in members
        )
        if mine != theirs and theirs.status == 500:
            assert mine.status == 400 or (path, name) == ("device", "null as deviceName"), (path, name)
        elif mine != theirs:
            assert mine.status == 400, (path, name, mine.body, theirs.body)
            tolerated.add((path, name))
    assert tolerated == TOLERATED[pair.language] | LONG
    mine, theirs = (member.send("/auth/mfa/info", method="PUT", json=["x"]) for member in members)  # reads no body
    assert mine == theirs
    assert mine.status == 200
    email = f"{uuid.uuid4().hex}@example.com"
    for value in ("yes", None):  # only true asks for a link; theirs link at every value but false
        for path, body in (("signup", form("none")), ("signin", form(email)), ("signinup/code", {"email": email})):
            flagged = {**body, "shouldTryLinkingWithSessionUser": value}
            mine, theirs = (member.post(f"/auth/{path}", flagged) for member in members)
            assert (mine.status, theirs.status) == (400, 200), path


@attrs.frozen
class Row:
    """
    A user signs in, and then in another way, whose factor may be required.

    :param rule: what the app says about linking, "none", "link" or "verified".
    :param first: "password" or "code". Its address is verified.
    :param second: the other one, or "passkey".
    :param whose: the second login method: "nobody's", "the user's", "nobody's, with another address", "a stranger's",
        or "a stranger's, who needs an app".
    :param needs: the user: "nothing", "it", "an app", "an app of theirs", or "an app, and has used it".
    :param asks: whether the second way is to be linked to the session's user: a second factor, and not a first one.
    """

    rule: str
    first: str
    second: str
    whose: str
    needs: str
    asks: bool

    def __str__(self) -> str:
        factor = "second" if self.asks else "first"
        return f"{self.rule}: {self.first}, then {self.second} of {self.whose} as {factor} factor, needs {self.needs}"


WHOSE = ["nobody's", "the user's", "nobody's, with another address", "a stranger's", "a stranger's, who needs an app"]
NEEDS = ["nothing", "it", "an app", "an app of theirs", "an app, and has used it"]
FACTORS = {"password": "emailpassword", "code": "otp-email", "passkey": "webauthn"}
WAYS = [("password", "code"), ("code", "password")]
ROWS = [
    *(Row("link", *ways, whose, needs, True) for ways in WAYS for whose in WHOSE[:2] for needs in NEEDS),
    *(Row("link", *ways, whose, needs, True) for ways in WAYS for whose in WHOSE[2:] for needs in NEEDS[1:2]),
    *(Row("link", *ways, WHOSE[2], NEEDS[3], True) for ways in WAYS),
    *(Row("link", *ways, whose, NEEDS[3], False) for ways in WAYS for whose in WHOSE[:2]),
    *(Row("verified", *ways, whose, "it", True) for ways in WAYS for whose in WHOSE),
    *(Row("none", *ways, whose, "it", True) for ways in WAYS for whose in WHOSE[:2]),
    *(Row("link", "password", "passkey", WHOSE[0], needs, True) for needs in NEEDS[1::2]),
]


@attrs.frozen
class Makes:
    """Makes what rows begin with, by functions of our SDK: the core has it for both."""

    ours: Ours

    @property
    def services(self) -> Services:
        return self.ours.st.services

    def without_a_rule(self, app: App) -> AccountLinkingFunctions:
        """Switch automatic linking off, here and in an app, and return the functions that link by hand."""
        app.set_rule("none")
        self.ours.rule = "none"
        return self.services.functions(AccountLinkingFunctions)

    def user(self, way: str, email: str, *, is_verified: bool = True) -> str:
        if way == "code":
            codes = self.services.functions(PasswordlessFunctions)
            sent = codes.create_code(email=email)
            made = codes.consume_code(pre_auth_session_id=sent.pre_auth_session_id, link_code=sent.link_code)
            assert isinstance(made, CodeConsumed)
            return made.recipe_user_id.value
        if way == "provider":
            pupil = self.services.functions(ThirdPartyFunctions).manually_create_or_update_user(
                third_party_id=SCHOOL,
                third_party_user_id=email.partition("@")[0],
                email=email,
                is_verified=is_verified,
            )
            assert isinstance(pupil, UserCreatedOrUpdated)
            return pupil.recipe_user_id.value
        signed_up = self.services.functions(EmailPasswordFunctions).create_new_recipe_user(
            email=email, password=PASSWORD
        )
        assert isinstance(signed_up, SignUpOk)
        if is_verified:
            addresses = self.services.functions(EmailVerificationFunctions)
            token = addresses.create_email_verification_token(recipe_user_id=signed_up.recipe_user_id, email=email)
            assert token.status == "OK"
            addresses.verify_email_using_token(token=token.token, attempt_account_linking=False)
        return signed_up.recipe_user_id.value

    def app(self, user_id: str) -> str:
        """Make an authenticator app; return its next code."""
        devices = self.services.functions(TotpFunctions)
        made = devices.create_device(user_id=user_id, device_name="phone")
        assert isinstance(made, DeviceCreated)
        code, following = totp(made.secret), totp(made.secret, steps=1)
        assert devices.verify_device(user_id=user_id, device_name="phone", totp=code).status == "OK"
        return following

    def start(self, row: Row, email: str, other: str) -> tuple[str, str]:
        """Make the users of a row; return the id of the one who will sign in, and the next code of their app."""
        self.ours.rule = "none"
        linking = self.services.functions(AccountLinkingFunctions)
        require = self.services.functions(MultiFactorAuthFunctions).add_to_required_secondary_factors_for_user
        user_id = self.user(row.first, email)
        linking.create_primary_user(recipe_user_id=RecipeUserId(user_id))
        if row.whose == "the user's":
            method = RecipeUserId(self.user(row.second, email))
            assert linking.link_accounts(recipe_user_id=method, primary_user_id=user_id).status == "OK"
        elif "stranger" in row.whose:
            stranger = self.user(row.second, other, is_verified=False)
            if "app" in row.whose:
                self.app(stranger)
                require(user_id=stranger, factor_id="totp")
        if row.needs != "nothing":
            require(user_id=user_id, factor_id=FACTORS[row.second] if row.needs == "it" else "totp")
        return user_id, self.app(user_id) if row.needs in NEEDS[3:] else ""


def walk(app: App, makes: Makes, row: Row) -> Iterator[tuple[str, Facts]]:
    """Take one row, with a user of its own."""
    email = f"{uuid.uuid4().hex}@example.com"
    other = email if row.whose in WHOSE[:2] else f"other-{email}"
    user_id, code = makes.start(row, email, other)
    app.set_rule(row.rule)
    member = Member(app.side, mode="header")
    yield "first", facts(sign_in(app, member, row.first, email, link=False, is_new=False), user_id)
    if row.needs == "an app, and has used it":
        yield "app", facts(member.ask("verify", {"totp": code}), user_id)
    is_new = row.whose.startswith("nobody's")
    yield "second", facts(sign_in(app, member, row.second, other, link=row.asks, is_new=is_new), user_id)
    page = member.page()
    yield "page", (*facts(page, user_id), (page.raw or {}).get("userId") == user_id)


@pytest.mark.parametrize("start", exhaustive_but(range(6), [0]))
def test_the_same_decisions(pair: Pair, makes: Makes, start: int) -> None:
    """The SDK for Python follows the one for Node, and meets every fourth row."""
    rows = ROWS[start::6]
    for row in rows if pair.language == "node" else rows[::4]:
        mine, theirs = (list(walk(app, makes, row)) for app in (pair.mine, pair.theirs))
        both_sides = zip(mine, theirs, strict=True)
        different = {step: (fact, other) for (step, fact), (_, other) in both_sides if fact != other}
        if (row.whose, row.needs) == (WHOSE[4], "it"):
            # Whoever has the stranger's password alone does not take over an account that needs an app. Theirs asks
            # for no second factor of the stranger.
            assert {"password": "ERR_CODE_010", "code": "ERR_CODE_017"}[row.second] in dict(mine)["second"], row
            assert different.pop("second") and different.keys() <= {"page"}, row
        else:
            assert different == {}, row


#: Why a login method cannot be added to the session's user, what it is, and the numbers of the support codes: for a new
#: one, and for one that there is.
CODES: list[tuple[str, str, int | None, int | None]] = [
    ("nobody has verified its address", "password", 13, 9),
    ("nobody has verified its address", "passkey", 26, 31),
    ("nobody has verified its address", "provider", 20, 20),
    ("it is another primary user's", "password", None, 10),
    ("it is another primary user's", "code", None, 17),
    ("it is another primary user's", "passkey", None, 32),
    ("it is another primary user's", "provider", None, 21),
    ("its address is another primary user's", "password", 15, 11),
    ("its address is another primary user's", "code", 18, None),
    ("its address is another primary user's", "passkey", 28, 33),
    ("its address is another primary user's", "provider", 22, 22),
    ("the session's address is another primary user's", "password", 16, 12),
    ("the session's address is another primary user's", "code", 19, None),
    ("the session's address is another primary user's", "passkey", 29, 34),
    ("the session's address is another primary user's", "provider", 23, 23),
]


def refusal(app: App, makes: Makes, cause: str, way: str, *, is_new: bool) -> Facts:
    """Return what a user hears who adds a login method to their account."""
    own = f"{uuid.uuid4().hex}@example.com"
    address = f"{'unverified' if cause.startswith('nobody') else 'other'}-{own}"
    linking = makes.without_a_rule(app)
    user_id = makes.user("password", own)
    primary = [makes.user("code", own) if cause.startswith("the session") else user_id]
    if cause.startswith("its address"):
        primary.append(makes.user("password" if way == "code" else "code", address))
    if not is_new and way == "passkey":
        there = Member(app.side, mode="header")
        method = str(sign_in(app, there, way, address, link=False, is_new=True).raw["user"]["id"])
    elif not is_new:
        method = makes.user(way, address, is_verified=False)
    if cause.startswith("it is"):
        primary.append(method)
    for one in primary:
        assert linking.create_primary_user(recipe_user_id=RecipeUserId(one)).status == "OK"
    member = Member(app.side, mode="header")
    assert member.sign_in(own).raw["status"] == "OK"
    app.set_rule("link" if cause.startswith("it") else "verified")
    return facts(sign_in(app, member, way, address, link=True, is_new=is_new), user_id)


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("way", exhaustive_but(["password", "code", "passkey", "provider"], ["password"]))
def test_the_same_support_codes(pair: Pair, makes: Makes, way: str) -> None:
    """The SDK for Python crashes at the refusal of a passkey."""
    for cause, of, *numbers in CODES:
        for number, is_new in zip(numbers, (True, False), strict=True):
            if of == way and number is not None:
                mine, theirs = (refusal(app, makes, cause, way, is_new=is_new) for app in (pair.mine, pair.theirs))
                assert f"ERR_CODE_{number:03}" in mine, (cause, mine)
                crashes = pair.language == "python" and way == "passkey"
                assert theirs == ((500, None, [], None, None) if crashes else mine), cause


#: Why nobody may sign in with an account at a provider, and the number of the support code: what the account is, whose
#: the address is that the provider names, and whether the provider has verified it.
PROVIDER_CODES: list[tuple[str, str, bool, int]] = [
    ("nobody's", "a primary user's", False, 6),
    ("of this address", "a primary user's", False, 4),
    ("a primary user's", "a primary user's", True, 5),
    ("a primary user's", "a primary user's", False, 5),
    ("a primary user's", "a user's", False, 24),
    ("a user's", "a primary user's", False, 24),
]


def refusal_by_provider(app: App, makes: Makes, account: str, address: str, *, is_verified: bool) -> Facts:
    """Return what a user of the provider hears who signs in without a session."""
    name = uuid.uuid4().hex
    claimed = name if is_verified else f"unverified-{name}"
    linking = makes.without_a_rule(app)
    owner = makes.user("password", f"{claimed}@example.com", is_verified=address.startswith("a primary"))
    primary = [owner] if address.startswith("a primary") else []
    code = f"of-{claimed}"
    if account == "of this address":
        makes.user("provider", f"{claimed}@example.com", is_verified=False)
    elif account != "nobody's":
        pupil = makes.user("provider", f"pupil-{name}@example.com")
        code = f"of-pupil-{name}~{claimed}"
        primary += [pupil] if account.startswith("a primary") else []
    for one in primary:
        assert linking.create_primary_user(recipe_user_id=RecipeUserId(one)).status == "OK"
    app.set_rule("verified")
    return facts(Member(app.side, mode="header").post("/auth/signinup", arrival(code), rid="thirdparty"), owner)


@pytest.mark.usefixtures("provider")
def test_the_same_support_codes_at_a_sign_in_by_a_provider(pair: Pair, makes: Makes) -> None:
    for account, address, is_verified, number in PROVIDER_CODES:
        mine, theirs = (
            refusal_by_provider(app, makes, account, address, is_verified=is_verified)
            for app in (pair.mine, pair.theirs)
        )
        assert f"ERR_CODE_{number:03}" in mine, (account, address, is_verified, mine, theirs)
        assert theirs == mine, (account, address, is_verified)


#: Where a user asks for a mail with which they replace what they signed in with.
RECOVERIES = {"password": "/auth/user/password/reset/token", "passkey": "/auth/user/webauthn/reset/token"}


def recovery(app: App, makes: Makes, way: str) -> Facts:
    """Return what a user hears whose address nobody has verified, and who has another address beside it."""
    own = f"{uuid.uuid4().hex}@example.com"
    address = f"other-{own}"
    linking = makes.without_a_rule(app)
    user_id = makes.user("code", own)
    assert linking.create_primary_user(recipe_user_id=RecipeUserId(user_id)).status == "OK"
    there = Member(app.side, mode="header")
    method = sign_in(app, there, way, address, link=False, is_new=True).raw["user"]["id"]
    outcome = linking.link_accounts(recipe_user_id=RecipeUserId(method), primary_user_id=user_id)
    assert outcome.status == "OK"
    app.set_rule("link")
    body = {"email": address} if way == "passkey" else {"formFields": form(address)["formFields"][:1]}
    return facts(Member(app.side, mode="header").post(RECOVERIES[way], body), user_id)


def test_the_same_support_code_at_a_recovery(pair: Pair, makes: Makes) -> None:
    for way in RECOVERIES:
        mine, theirs = (recovery(app, makes, way) for app in (pair.mine, pair.theirs))
        assert "ERR_CODE_001" in mine, (way, mine)
        assert theirs == mine, way


class StrictBench(Bench):
    """A bench whose users need an authenticator app, and have not used it."""

    def state(self, row: RowOfFunctions) -> State:
        state = super().state(row)
        require = self.ours.st.services.functions(MultiFactorAuthFunctions).add_to_required_secondary_factors_for_user
        for user_id in filter(None, (state.method, state.other, state.alone_primary)):
            require(user_id=user_id, factor_id="totp")
        return state


@pytest.mark.parametrize("row", exhaustive_but(ROWS_OF_FUNCTIONS[1::7], ROWS_OF_FUNCTIONS[1::21]), ids=str)
def test_no_function_of_account_linking_asks_for_a_second_factor(pair: Pair, row: RowOfFunctions) -> None:
    """The rows of test_linking_functions have the same outcomes: what a session may do is asked at the sign-in."""
    compare(StrictBench(pair.ours, pair.sdk), row, pair.language)
