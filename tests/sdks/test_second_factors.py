"""
Second factors: the same requests to an app on the official Python SDK and to one on ours, both on one embedded core.

What differs on purpose is listed with its reason, and has to differ.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from recipes.totp.parts import totp, wrong

from sdks.conftest import API_KEY, HERE
from sdks.installs import python_environment
from sdks.ours import Ours, form, frontend_of_ours
from sdks.peers import Peer, running
from sdks.sides import MODES, Answer, OurSide, Side, Steps, TheirSide, Visitor, different_steps
from st_wsgi.recipes.multifactorauth import MultiFactorAuthFunctions

#: Secrets, times, and texts for people.
APART = ("qrCodeString", "reason", "retryAfterMs", "secret")

#: What differs on purpose.
ON_PURPOSE = {
    "the same name": "theirs crashes at the core's reply: 500",
}


@pytest.fixture(scope="module")
def ours(core_url: str) -> Iterator[Ours]:
    """Our app, whose rule links without verification."""
    ours = frontend_of_ours(core_url, API_KEY, links=True, factors=True)
    ours.rule = "link"
    yield ours
    ours.st.close()


@pytest.fixture(scope="module")
def sides(core_url: str, ours: Ours, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    """Our side and theirs."""
    command = [str(python_environment(HERE)), str(HERE / "python_app.py"), core_url, "links", "factors"]
    peer: Peer
    with running(command, tmp_path_factory.mktemp("factors") / "errors.log", api_key=API_KEY) as peer:
        peer.call("linking_rule", rule="link")
        yield OurSide(ours), TheirSide(peer)


def told(answer: Answer) -> Answer:
    """Return an answer without secrets, texts for people, and the order of factors, which tells nothing."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return sorted(map(plain, value), key=json.dumps)
        if isinstance(value, dict):
            return {name: "..." if name in APART else plain(one) for name, one in value.items()}
        return value

    return attrs.evolve(answer, body=plain(answer.body))


class Member(Visitor):
    """A visitor who signs in, and what is required of them."""

    functions: MultiFactorAuthFunctions
    user_id = ""

    def info(self) -> Answer:
        return told(self.send("/auth/mfa/info", method="PUT", rid="multifactorauth"))

    def ask(self, path: str, body: object) -> Answer:
        return told(self.post(f"/auth/totp/{path}", body, rid="totp"))

    def page(self) -> Answer:
        return told(self.send("/sessioninfo"))

    def require(self, factor_id: str) -> None:
        self.functions.add_to_required_secondary_factors_for_user(user_id=self.user_id, factor_id=factor_id)

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
    yield "no devices", told(visitor.send("/auth/totp/device/list", rid="totp"))
    made = visitor.ask("device", {"deviceName": "phone"})
    yield "a device", made
    yield "a device without a name", visitor.ask("device", {})
    yield "two devices", told(visitor.send("/auth/totp/device/list", rid="totp"))
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
    yield "to remove the unverified one", visitor.ask("device/remove", {"deviceName": "TOTP Device 1"})
    yield "the used code", visitor.ask("verify", {"totp": first})
    yield "the next code", visitor.ask("verify", {"totp": following})
    yield "open at last", visitor.page()
    yield "refresh", visitor.post("/auth/session/refresh", rid="session")
    yield "open after a refresh", visitor.page()
    yield "remove it", visitor.ask("device/remove", {"deviceName": "phone"})
    yield "remove it again", visitor.ask("device/remove", {"deviceName": "phone"})
    for number in range(6):
        yield f"too many {number}", visitor.ask("verify", {"totp": wrong(secret)})


def a_code_by_mail(visitor: Member, email: str) -> Steps:
    """It is required, set up by entering it, and asked for at the next sign-in."""
    code = "/auth/signinup/code"
    link = {"shouldTryLinkingWithSessionUser": True}
    yield "sign up", visitor.sign_up(email)
    visitor.require("otp-email")
    for turn in ("set up", "again"):
        yield f"sign in, {turn}", visitor.sign_in(email)
        yield f"what comes next, {turn}", visitor.info()
        yield f"another address, {turn}", told(visitor.post(code, {"email": f"x{email}", **link}, rid="passwordless"))
        asked = visitor.post(code, {"email": email, **link}, rid="passwordless")
        yield f"ask, {turn}", asked
        ids = {name: asked.raw[name] for name in ("deviceId", "preAuthSessionId")}
        entered = {**ids, **link, "userInputCode": visitor.side.mails()[-1]["code"]}
        yield f"enter, {turn}", visitor.post(f"{code}/consume", entered, rid="passwordless")
        yield f"open, {turn}", visitor.page()
        yield f"what is set up, {turn}", visitor.info()


def a_password(visitor: Member, email: str) -> Steps:
    """It is the second factor of a user who begins with a code."""
    code = "/auth/signinup/code"
    link = {"shouldTryLinkingWithSessionUser": True}
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
        yield f"password, {turn}", told(visitor.post(path, {**form(email), **link}))
        yield f"open, {turn}", visitor.page()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fdi", ["3.1", "4.2"])
@pytest.mark.parametrize("journey", [an_authenticator_app, a_code_by_mail, a_password])
def test_the_same_answers(sides: tuple[Side, Side], ours: Ours, journey: Any, mode: str, fdi: str) -> None:
    functions = ours.st.services.functions(MultiFactorAuthFunctions)
    journeys = []
    for side in sides:
        visitor = Member(side, mode=mode, fdi=fdi)
        visitor.functions = functions
        journeys.append(journey(visitor, f"{uuid.uuid4().hex}@example.com"))
    different = different_steps(*journeys)
    assert {step: text for step, text in different.items() if step not in ON_PURPOSE} == {}
    assert different.keys() == (ON_PURPOSE.keys() if journey is an_authenticator_app else set())
