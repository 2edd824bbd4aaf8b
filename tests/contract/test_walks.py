"""
The same random calls to two forms of the core get the same answers, ids, tokens and times masked.

Everybody collides with everybody in a small world: few addresses, ids, tenants and roles. A walk depends on its seed
and on what earlier calls made; ``ST_WALK_SEEDS=20`` walks with twenty seeds.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.authenticator import Credential, asserted, created, credential
from contract.client import Answer, Caller, InProcess, OverHTTP, serving
from contract.test_totp import SECRET, code
from contract.test_webauthn import to_register, to_sign_in
from st_wsgi.embedded import EmbeddedCore

CALLS = 150
SEEDS = range(1, int(os.environ.get("ST_WALK_SEEDS", "2")) + 1)

MAILS = ["ann@example.com", "bob@example.com", "Cat@Example.com ", "dan@example.org"]
START = 1_800_000_000_000
CODE_NOW = code(SECRET, period=30, now=START / 1000)
"""The one-time code of that moment; a walk ends before the next one."""

PLACES = ["", "", "t1", "t2"]
EXTERNAL = ["ext-1", "ext-2"]
# Ids, times in seconds and milliseconds, and what is long and random: tokens, codes, secrets.
RANDOM = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b1[0-9]{12}\b|\b1[0-9]{9}\b|[\w+/=.%-]{22,}")
CODE = re.compile(r'("userInputCode": )"[^"]*"')
LIFETIME = re.compile(r'("(?:expiry|createdTime|timeJoined|timeCreated|paginationToken)": )(?:\d+|"[^"]*")')


class Walk:
    """Calls one core and keeps what it answered."""

    def __init__(self, app: Caller, seed: int) -> None:
        self.app = app
        self.random = random.Random(seed)
        self.names: dict[str, str] = {}
        self.people = ["nobody", *EXTERNAL]
        self.tokens: list[str] = []
        self.sessions: list[dict[str, Any]] = []
        self.passkeys: list[Credential] = []
        self.seen: list[str] = []

    def masked(self, answer: Answer) -> str:
        text = LIFETIME.sub(r'\1"..."', CODE.sub(r'\1"..."', json.dumps(answer.body, sort_keys=True)))
        text = RANDOM.sub(lambda found: self.names.setdefault(found[0], f"<{len(self.names)}>"), text)
        return f"{answer.status} {text}"

    def call(self, verb: str, path: str, *, place: str = "", **fields: Any) -> Answer:
        app = self.app.below(place) if place else self.app
        if verb == "GET":
            answer = app.call(verb, path, params={key: str(value) for key, value in fields.items()})
        else:
            answer = app.call(verb, path, fields)
        self.seen.append(f"{verb} {place}{path} -> {self.masked(answer)}")
        if isinstance(answer.body, dict):
            self.people += [answer.body["recipeUserId"]] if "recipeUserId" in answer.body else []
            self.tokens += [answer.body["token"]] if "token" in answer.body else []
        return answer

    def step(self) -> None:
        pick = self.random.choice
        who, other, mail, place, role = pick(self.people), pick(self.people), pick(MAILS), pick(PLACES), pick("xyz")
        linking, account = "/recipe/accountlinking/user/", {"id": mail, "isVerified": pick([True, False])}
        address, both = mail.strip().lower(), pick(["true", "false"])
        everywhere = pick([True, False])
        steps: list[Callable[[], Answer]] = [
            lambda: self.call("POST", "/recipe/signup", place=place, email=mail, password="secret 1"),
            lambda: self.call("POST", "/recipe/signin", place=place, email=mail, password="secret 1"),
            lambda: self.call(
                "POST", "/recipe/signinup", place=place, thirdPartyId="google", thirdPartyUserId=role, email=account
            ),
            lambda: self.by_code(place, mail),
            lambda: self.call("POST", f"{linking}primary", recipeUserId=who),
            lambda: self.call("POST", f"{linking}link", recipeUserId=who, primaryUserId=other),
            lambda: self.call("POST", f"{linking}unlink", recipeUserId=who),
            lambda: self.call("POST", "/recipe/multitenancy/tenant/user", place=place, recipeUserId=who),
            lambda: self.call("POST", "/recipe/multitenancy/tenant/user/remove", place=place, recipeUserId=who),
            lambda: self.call(
                "POST", "/recipe/userid/map", superTokensUserId=who, externalUserId=pick(EXTERNAL), force=everywhere
            ),
            lambda: self.call("POST", "/recipe/userid/map/remove", userId=who, userIdType="ANY"),
            lambda: self.call("PUT", "/recipe/user/role", place=place, userId=who, role=role),
            lambda: self.call("GET", "/recipe/user/roles", place=place, userId=who),
            lambda: self.call("PUT", "/recipe/user/metadata", userId=who, metadataUpdate={role: everywhere}),
            lambda: self.call("POST", "/recipe/user/email/verify/token", userId=who, email=address),
            lambda: self.call("POST", "/recipe/user/email/verify", method="token", token=pick(["?", *self.tokens])),
            lambda: self.call("GET", "/recipe/user/email/verify", userId=who, email=address),
            lambda: self.call("PUT", "/recipe/user", place=place, recipeUserId=who, email=address),
            lambda: self.session(place, who),
            self.refreshed,
            lambda: self.call("POST", "/recipe/session/remove", place=place, userId=who, revokeAcrossAllTenants=True),
            lambda: self.passkey(place, mail),
            lambda: self.signed_in_by_passkey(place),
            lambda: self.call("POST", "/recipe/dashboard/user", email=address, password="password1"),
            lambda: self.dashboard(address),
            lambda: self.call("POST", "/bulk-import/import", **self.imported(mail, role, everywhere)),
            lambda: self.call(
                "POST", "/recipe/totp/device/import", userId=who, deviceName=role, skew=1, period=30, secretKey=SECRET
            ),
            lambda: self.call("POST", "/recipe/totp/verify", place=place, userId=who, totp=pick([CODE_NOW, "000000"])),
            lambda: self.call("GET", "/recipe/session/user", place=place, userId=who, fetchAcrossAllTenants=both),
            lambda: self.call("POST", "/recipe/totp/device", userId=who, deviceName=role, skew=1, period=30),
            lambda: self.call("GET", "/recipe/totp/device/list", userId=who),
            lambda: self.call("GET", "/users", place=place, limit=pick([2, 100])),
            lambda: self.call("GET", "/users", place=place, email=pick(["ann", "bob;cat"])),
            lambda: self.call("GET", "/users/count", place=place, includeAllTenants=both),
            lambda: self.call("GET", "/users/count/active", since=0),
            lambda: self.call("GET", "/users/by-accountinfo", place=place, email=address, doUnionOfAccountInfo=both),
            lambda: self.call("GET", "/user/id", userId=who),
            lambda: self.call("POST", "/user/remove", userId=who, removeAllLinkedAccounts=everywhere),
        ]
        pick(steps)()

    def by_code(self, place: str, mail: str) -> Answer:
        made = self.call("POST", "/recipe/signinup/code", place=place, email=mail).body
        fields = {name: made[name] for name in ("preAuthSessionId", "linkCode")}
        return self.call("POST", "/recipe/signinup/code/consume", place=place, **fields)

    def session(self, place: str, user_id: str) -> Answer:
        fields: dict[str, Any] = {"userDataInJWT": {"a": 1}, "userDataInDatabase": {}, "enableAntiCsrf": False}
        made = self.call("POST", "/recipe/session", place=place, userId=user_id, **fields)
        self.sessions.append(made.body)
        return made

    def refreshed(self) -> Answer:
        """Use a refresh token, and then the access token that came for it."""
        if not self.sessions:
            return self.session("", "nobody")
        token = self.random.choice(self.sessions)["refreshToken"]["token"]
        fields: dict[str, Any] = {"enableAntiCsrf": False, "useDynamicSigningKey": True}
        made = self.call("POST", "/recipe/session/refresh", refreshToken=token, **fields)
        if made.body["status"] != "OK":
            return made
        self.sessions.append(made.body)
        fields = {"enableAntiCsrf": False, "doAntiCsrfCheck": False, "checkDatabase": True}
        return self.call("POST", "/recipe/session/verify", accessToken=made.body["accessToken"]["token"], **fields)

    def passkey(self, place: str, mail: str) -> Answer:
        own, app = credential(), self.app.below(place) if place else self.app
        options = to_register(app, mail.strip())
        self.passkeys.append(own)
        fields = {"webauthnGeneratedOptionsId": options["webauthnGeneratedOptionsId"]}
        return self.call("POST", "/recipe/webauthn/signup", place=place, credential=created(options, own), **fields)

    def signed_in_by_passkey(self, place: str) -> Answer:
        if not self.passkeys:
            return self.passkey(place, MAILS[0])
        options = to_sign_in(self.app.below(place) if place else self.app)
        sent = asserted(options, self.random.choice(self.passkeys))
        fields = {"webauthnGeneratedOptionsId": options["webauthnGeneratedOptionsId"]}
        return self.call("POST", "/recipe/webauthn/signin", place=place, credential=sent, **fields)

    def dashboard(self, address: str) -> Answer:
        made = self.call("POST", "/recipe/dashboard/signin", email=address, password="password1")
        if made.body["status"] != "OK":
            return self.call("GET", "/recipe/dashboard/users")
        return self.call("POST", "/recipe/dashboard/session/verify", sessionId=made.body["sessionId"])

    def imported(self, mail: str, role: str, linked: bool) -> dict[str, Any]:
        joined = START - 10**6 + 2 * len(self.seen)
        methods: list[dict[str, Any]] = [
            {"recipeId": "emailpassword", "email": mail, "plainTextPassword": "secret 1", "isPrimary": linked},
            {"recipeId": "thirdparty", "email": mail, "thirdPartyId": "github", "thirdPartyUserId": role},
        ]
        for number, method in enumerate(methods):
            method["timeJoinedInMSSinceEpoch"] = joined + number
        roles = [{"role": role, "tenantIds": ["public"]}]
        return {"externalUserId": f"import-{role}", "userRoles": roles, "loginMethods": methods[: 1 + linked]}


def walked(core: EmbeddedCore | None, url: str | None, seed: int) -> list[str]:
    """Return what a core answers to a walk."""
    wire = OverHTTP(url) if url is not None else InProcess(core)  # type: ignore[arg-type]  # one of the two is given
    app = Caller(wire, headers={"cdi-version": "5.4"})
    walk = Walk(app, seed)
    for tenant in ("t1", "t2"):
        walk.call("PUT", "/recipe/multitenancy/tenant/v2", tenantId=tenant)
    for role in "xy":
        walk.call("PUT", "/recipe/role", role=role, permissions=[role])
    while len(walk.seen) < CALLS:
        walk.step()
    if isinstance(wire, OverHTTP):
        wire.close()
    return walk.seen


def core_at(path: Path | None) -> EmbeddedCore:
    """Return a core whose clock goes on with every look at it: users who join at one moment have no order."""
    ticks = itertools.count(START, 7)
    return EmbeddedCore(path, settings={"argon2_memory_kb": 64}, clock=ticks.__next__)


@pytest.fixture(params=["file", "served"])
def form(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[int], list[str]]]:
    """A form of the core that is compared with one in memory."""
    with core_at(tmp_path / "auth.db") as core:
        if request.param == "file":
            yield lambda seed: walked(core, None, seed)
            return
        with serving(core) as server:
            yield lambda seed: walked(core, server.address, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_forms_of_the_core_answer_alike(form: Callable[[int], list[str]], seed: int) -> None:
    """Whether it is in memory, in a file or at an address does not show in any answer."""
    with core_at(None) as core:
        expected = walked(core, None, seed)
    assert form(seed) == expected
    assert len(expected) >= CALLS
    assert sum(line.count("-> 200") for line in expected) > CALLS // 2
