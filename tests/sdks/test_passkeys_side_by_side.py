"""
Passkeys: the same requests to an app on the official Python SDK and to one on ours.

As in test_side_by_side. The authenticator is in software, and its passkeys do not count: the official SDK has the core
verify each proof twice.
"""

from __future__ import annotations

import itertools
import re
import uuid
from json import dumps, loads
from typing import Any

import attrs
import pytest
from contract.authenticator import Credential, asserted, created, credential
from sampling import exhaustive_but

from sdks.ours import API, Ours, form
from sdks.peers import Peer
from sdks.sides import MODES, TURNS, Answer, OurSide, Side, Steps, TheirSide, Visitor, different_steps
from st_wsgi.recipes.multitenancy import MultitenancyFunctions, TenantConfigCreateOrUpdate

pytestmark = pytest.mark.parametrize("sdk", ["python"], indirect=True)

WHERE: dict[str, Any] = {"rp_id": "127.0.0.1", "origin": API}
RESET = "/auth/user/webauthn/reset"
#: Where users begin with a passkey or a password, and where they begin with a password alone.
TENANT, WITHOUT = "passkeys", "no-passkeys"


@pytest.fixture(scope="module")
def sides(sdk: Peer, ours: Ours) -> tuple[Side, Side]:
    tenants = ours.st.services.functions(MultitenancyFunctions)
    for tenant_id, factors in ((TENANT, ["webauthn", "emailpassword"]), (WITHOUT, ["emailpassword"])):
        tenants.create_or_update_tenant(tenant_id=tenant_id, config=TenantConfigCreateOrUpdate(first_factors=factors))
    return OurSide(ours), TheirSide(sdk)


class Holder(Visitor):
    """
    A visitor with passkeys. Their ids, and the words for people, are left out of answers.

    :ivar base: of the paths, with or without a tenant.
    """

    base = "/auth"

    def send(self, path: str, *, method: str = "GET", json: object = None, rid: str = "emailpassword") -> Answer:
        path = path.replace("/auth", self.base, 1)
        answer = super().send(path, method=method, json=json, rid=rid)
        text = re.sub(r'"([A-Za-z0-9_-]{22}|[A-Za-z0-9_-]{48})"', '"<passkey>"', dumps(answer.body))
        body = loads(text)
        if isinstance(body, dict) and "err" in body:
            body["err"] = "..."
        return attrs.evolve(answer, body=body)

    def ask(self, path: str, body: object = None) -> Answer:
        return self.post(f"/auth/webauthn/{path}", body, rid="webauthn")

    def options(self, **body: Any) -> dict[str, Any]:
        options: dict[str, Any] = self.ask("options/register", body).raw
        return options

    def make(self, path: str, options: dict[str, Any], key: Credential, **told: Any) -> Answer:
        """Send a new passkey to a route. *told* stands in the place of the truth, or beside it in the body."""
        names = ("token", "shouldTryLinkingWithSessionUser")
        more: dict[str, Any] = {name: told.pop(name) for name in names if name in told}
        body: dict[str, Any] = {**ids(options), "credential": created(options, key, **WHERE | told), **more}
        return self.post(path, body, rid="webauthn")

    def prove(self, key: Credential, **told: Any) -> Answer:
        options = self.ask("options/signin", {}).raw
        proof: dict[str, Any] = {**ids(options), "credential": asserted(options, key, counter=0, **WHERE | told)}
        return self.ask("signin", proof)

    def new_passkey(self, email: str, key: Credential, **told: Any) -> Answer:
        return self.make("/auth/webauthn/signup", self.options(email=email), key, **told)


def ids(options: dict[str, Any]) -> dict[str, str]:
    return {"webauthnGeneratedOptionsId": options["webauthnGeneratedOptionsId"]}


def from_sign_up_to_sign_out(visitor: Holder, email: str) -> Steps:
    """Passkeys are made, proved, listed and removed."""
    key, spare = credential(), credential(-8)
    yield "ways to sign in", visitor.send("/auth/loginmethods")
    yield "free", visitor.send(f"/auth/webauthn/email/exists?email={email}", rid="webauthn")
    yield "options", visitor.ask("options/register", {"email": f" {email}"})
    yield "options for none", visitor.ask("options/register", {"email": "none"})
    yield "options for a token", visitor.ask("options/register", {"recoverAccountToken": "none"})
    yield "options to sign in", visitor.ask("options/signin", {})
    yield "another origin", visitor.new_passkey(email, key, origin="https://evil.example")
    yield "another party", visitor.new_passkey(email, key, rp_id="evil.example")
    yield "another challenge", visitor.new_passkey(email, key, challenge="AAAA")
    yield "another type", visitor.new_passkey(email, key, type="webauthn.get")
    yield "no options", visitor.make("/auth/webauthn/signup", {**visitor.options(email=email), **UNKNOWN}, key)
    yield "sign up", visitor.new_passkey(f" {email.upper()} ", key)
    yield "taken", visitor.new_passkey(email, spare)
    yield "known", visitor.send(f"/auth/webauthn/email/exists?email={email}", rid="webauthn")
    yield "protected", visitor.send("/sessioninfo")
    yield "refresh", visitor.post("/auth/session/refresh", rid="session")
    yield "list", visitor.send("/auth/webauthn/credential/list", rid="webauthn")
    yield "add", visitor.make("/auth/webauthn/credential", visitor.options(email=email), spare)
    wrong = visitor.make(
        "/auth/webauthn/credential", visitor.options(email=email), spare, origin="https://evil.example"
    )
    yield "add from another origin", wrong
    no_options = {**visitor.options(email=email), **UNKNOWN}
    yield "add without options", visitor.make("/auth/webauthn/credential", no_options, spare)
    yield "remove", visitor.ask("credential/remove", {"webauthnCredentialId": key.name})
    yield "sign out", visitor.post("/auth/signout", rid="webauthn")
    yield "list without a session", visitor.send("/auth/webauthn/credential/list", rid="webauthn")
    yield "sign in with the removed one", visitor.prove(key)
    base, visitor.base = visitor.base, f"/auth/{WITHOUT}"
    yield "sign up where passkeys are no first factor", visitor.new_passkey(f"x{email}", credential())
    yield "sign in where passkeys are no first factor", visitor.prove(spare)
    visitor.base = base
    yield "sign in from another origin", visitor.prove(spare, origin="https://evil.example")
    yield "sign in with a wrong signature", visitor.prove(spare, spoilt=True)
    yield "sign in", visitor.prove(spare)
    yield "protected again", visitor.send("/sessioninfo")


UNKNOWN = {"webauthnGeneratedOptionsId": str(uuid.uuid4())}


def recovering(visitor: Holder, email: str) -> Steps:
    """A lost passkey, and a password that gets one."""
    key, new = credential(), credential()
    visitor.new_passkey(email, key)
    visitor.post("/auth/signout")
    yield "mail for nobody", visitor.post(f"{RESET}/token", {"email": f"no-{email}"}, rid="webauthn")
    before = len(visitor.side.mails())
    yield "mail", visitor.post(f"{RESET}/token", {"email": email}, rid="webauthn")
    [mail] = visitor.side.mails()[before:]
    address, _, query = mail["link"].partition("?token=")
    token = query.partition("&")[0]
    yield (
        "link",
        attrs.evolve(visitor.ask("options/signin", {}), body=[address, query.partition("&")[2], mail["to"] == email]),
    )
    yield "options", visitor.ask("options/register", {"recoverAccountToken": token})
    yield "another token", visitor.make(RESET, visitor.options(email=email), new, token="none")
    options = visitor.options(recoverAccountToken=token)
    yield "recover", visitor.make(RESET, options, new, token=token)
    yield "again", visitor.make(RESET, visitor.options(email=email), new, token=token)
    yield "sign in", visitor.prove(new)
    yield "verified", visitor.send("/auth/user/email/verify", rid="emailverification")
    visitor.post("/auth/signout")
    visitor.post("/auth/signup", form(f"p-{email}"))
    yield "mail for a password", visitor.post(f"{RESET}/token", {"email": f"p-{email}"}, rid="webauthn")


JOURNEYS = {"from sign-up to sign-out": from_sign_up_to_sign_out, "recovering": recovering}


#: The official SDK looks in the tenant public for the options of a further passkey, and of one for a recovered account.
#: So it fails at both elsewhere, and the passkey is not there later.
AT_A_TENANT = {
    "from sign-up to sign-out": {
        *("add", "add from another origin", "sign in where passkeys are no first factor", "sign in", "protected again"),
    },
    "recovering": {"recover", "sign in", "verified"},
}


#: Neither how tokens travel nor the tenant depends on the version.
RUNS = list(zip(itertools.cycle(MODES), itertools.cycle(["/auth", f"/auth/{TENANT}", "/auth/public"]), TURNS))


@pytest.mark.parametrize(("mode", "base", "fdi"), exhaustive_but(RUNS, (RUNS[1], RUNS[-1])))
@pytest.mark.parametrize("journey", JOURNEYS)
def test_every_version_and_mode_gets_the_same_answers(
    sides: tuple[Side, Side], journey: str, mode: str, base: str, fdi: str
) -> None:
    holders = [Holder(side, mode=mode, fdi=fdi) for side in sides]
    for holder in holders:
        holder.base = base
    mine, theirs = (JOURNEYS[journey](holder, f"{uuid.uuid4().hex}@example.com") for holder in holders)
    different = different_steps(mine, theirs)
    assert different.keys() == (AT_A_TENANT[journey] if TENANT in base else set()), different


GOOD: dict[str, Any] = {"webauthnGeneratedOptionsId": "none", "token": "none", "webauthnCredentialId": "none"}
CREDENTIAL = {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "clientExtensionResults": {}, "response": {}}

#: Bodies that no frontend sends, with options that there are not.
BODIES: dict[str, Any] = {
    **{f"no {name}": {**GOOD, "credential": CREDENTIAL, name: None} for name in GOOD},
    **{f"a number as {name}": {**GOOD, "credential": CREDENTIAL, name: 7} for name in GOOD},
    "no credential": {**GOOD, "credential": None},
    "a credential that is a text": {**GOOD, "credential": "x"},
    "a credential that is empty": {**GOOD, "credential": {}},
    "a credential of another type": {**GOOD, "credential": {**CREDENTIAL, "type": "password"}},
    "an empty object": {},
    "a list": [],
}


SHORT: dict[str, Any] = {"a list": [], "a text": "x", "an empty object": {}, "a number": 7}


def other_than_text(name: str) -> dict[str, Any]:
    return {**SHORT, f"a number as {name}": {name: 7}, f"null as {name}": {name: None}}


BODIES_OF: dict[str, dict[str, Any]] = {
    **dict.fromkeys([f"/auth/webauthn/{path}" for path in ("signup", "signin", "credential")], BODIES),
    RESET: BODIES,
    f"{RESET}/token": other_than_text("email"),
    "/auth/webauthn/options/register": {**other_than_text("email"), "a number as token": {"recoverAccountToken": 7}},
    "/auth/webauthn/options/signin": SHORT,
    "/auth/webauthn/credential/remove": other_than_text("webauthnCredentialId"),
}

INVALID = {"status": "INVALID_CREDENTIALS_ERROR"}
OURS: list[Any] = [(400, {"message": "..."}), (200, {"status": "OPTIONS_NOT_FOUND_ERROR"}), (200, INVALID)]


@pytest.mark.parametrize("path", BODIES_OF)
def test_bodies_that_no_frontend_sends(sides: tuple[Side, Side], path: str) -> None:
    """
    The official SDK fails (500), or looks at the form of the credential only and calls it invalid. Ours says that a
    body is malformed (400), or that there are no such options. The rest both answer in the same way.
    """
    holders = [Holder(side, mode="header") for side in sides]
    for holder in holders:
        holder.post("/auth/signup", form(f"{uuid.uuid4().hex}@example.com"))
    for name, body in BODIES_OF[path].items():
        mine, theirs = (holder.post(path, body, rid="webauthn") for holder in holders)
        assert (mine.status, mine.body) in OURS or path.endswith("options/signin"), name
        assert mine == theirs or theirs.status == 500 or theirs.body == INVALID, name


def test_an_address_that_is_not_given(sides: tuple[Side, Side]) -> None:
    mine, theirs = (side.send("/auth/webauthn/email/exists", rid="webauthn") for side in sides)
    assert mine == theirs
    assert mine.status == 400
