"""
Many requests at once about one account: the owner and strangers sign up, link, verify, change addresses and recover,
and what is required of a user, authenticator apps and passkeys are changed.

Whichever request comes first: an address has one user afterwards, no stranger can open the owner's account, nothing
that was acknowledged is lost, and no request fails. Over HTTP, with threads of the server and of the visitors, on each
database engine, and with several processes of a server where the database can be shared.

``ST_RACE_ROUNDS=60`` runs each race that many times.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests
from cluster import Cluster
from contract.authenticator import credential
from contract.logins import phone
from recipes.totp.parts import totp
from recipes.webauthn.parts import made, proved
from sampling import exhaustive_but
from sdks.processes import free_port, serving
from threads import answering
from werkzeug.serving import make_server

from hardening.busy_site import WITH_FACTORS, Busy, Outbox
from hardening.test_codes_at_once import LIMIT, _Quiet
from st_wsgi import AccountInfo, RecipeUserId, User
from st_wsgi.accounts import users_by_account_info
from st_wsgi.recipes.emailpassword import EmailPassword, ResetToken
from st_wsgi.recipes.emailverification import EmailVerification, VerificationToken
from st_wsgi.recipes.multifactorauth import MultiFactorAuth
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.totp import Totp
from st_wsgi.recipes.webauthn import RecoverAccountToken, Webauthn

TESTS = Path(__file__).parent.parent
VISITORS = 16
"""Threads that send at the same time."""

ROUNDS = int(os.environ.get("ST_RACE_ROUNDS", "2"))
PASSWORD = "correct horse 1"
OK, RESTART, REFUSED = "OK", "RESTART_FLOW_ERROR", "SIGN_IN_UP_NOT_ALLOWED"
LINK = {"shouldTryLinkingWithSessionUser": True}


@attrs.define
class Place:
    """A site, the same in this process to look into it, and the messages that it sent."""

    origin: str
    here: Busy
    folder: Path

    def post(self, path: str, body: dict[str, Any], token: str = "", *, base: str = "/auth") -> dict[str, Any]:
        """Send a request without cookies; *token* is of a session."""
        headers = {"st-auth-mode": "header", "fdi-version": "4.1"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        with requests.Session() as client:
            client.trust_env = False
            response = client.post(f"{self.origin}{base}{path}", json=body, headers=headers, timeout=LIMIT)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return {**answer, "token": response.headers.get("st-access-token", "")}

    def do(self, what: str, **arguments: str) -> dict[str, Any]:
        """Have the app's own code do something."""
        return self.post(f"/{what}", arguments, base="/do")

    def factor(self, path: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
        """Send a request to the instance with second factors."""
        return self.post(path, body, token, base=WITH_FACTORS)

    def device(self, token: str = "", **contact: str) -> dict[str, Any]:
        """Begin to sign in with a code, and return what ends it."""
        more = LINK if token else {}
        asked = self.post("/signinup/code", {**contact, **more}, token)
        [to] = contact.values()
        code = Outbox(self.folder).code(to)
        return {**{name: asked[name] for name in ("deviceId", "preAuthSessionId")}, "userInputCode": code, **more}

    def enter(self, device: dict[str, Any], token: str = "") -> dict[str, Any]:
        return self.post("/signinup/code/consume", device, token)

    def sign_up(self, email: str, token: str = "") -> dict[str, Any]:
        return self.post("/signup", {**form(email=email, password=PASSWORD), **(LINK if token else {})}, token)

    def sign_up_apart(self, email: str) -> dict[str, Any]:
        """Sign up with a password, and with a code, as before the app linked accounts; return the first user."""
        apart = self.folder / "apart"
        apart.touch()
        try:
            user: dict[str, Any] = self.sign_up(email)["user"]
            self.enter(self.device(email=email))
        finally:
            apart.unlink()
        return user

    def users(self, email: str) -> tuple[User, ...]:
        core = self.here.linking.services.core
        return users_by_account_info(core, account_info=AccountInfo(email=email), tenant_id="public")


def form(**fields: str) -> dict[str, Any]:
    return {"formFields": [{"id": name, "value": value} for name, value in fields.items()]}


def at_once(acts: Sequence[Callable[[], dict[str, Any]]]) -> list[dict[str, Any]]:
    """Do all of it at the same time, each by a visitor of its own."""
    together = threading.Barrier(len(acts), timeout=LIMIT)

    def act(one: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        together.wait()
        return one()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def statuses(answers: list[dict[str, Any]]) -> Counter[str]:
    return Counter(answer["status"] for answer in answers)


PLACES = ["memory", "file", "postgres", "processes on a file", "processes on postgres"]


@pytest.fixture(scope="module", params=exhaustive_but(PLACES, ["memory", "processes on postgres"]))
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The site on a core of one form: on threads of this process, or on two processes of eight threads."""
    folder = tmp_path_factory.mktemp("core")
    cheap = {"argon2_memory_kb": 64, "hashing_queue_size": 100}  # many may hash at once
    if request.param.endswith("postgres"):
        cluster: Cluster = request.getfixturevalue("cluster")
        core = cluster.address(None, **cheap)
    else:
        path = "" if request.param == "memory" else f"/{folder}/auth.db"
        core = f"sqlite://{path}?{'&'.join(f'{name}={value}' for name, value in cheap.items())}"
    here = Busy.on(core, folder)
    with ExitStack() as stack:
        stack.callback(here.close)
        if request.param.startswith("processes"):
            port = free_port()
            command = [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{port}", "--no-control-socket"]
            command += ["--workers=2", "--threads=8", "hardening.busy_site:served()"]
            env = {"ST_CORE": core, "ST_FOLDER": str(folder)}
            stack.enter_context(serving(command, port=port, log=folder / "site.log", env=env, cwd=TESTS))
        else:
            server = make_server("127.0.0.1", 0, here.app(), threaded=True, request_handler=_Quiet)
            stack.enter_context(answering(server))
            port = server.server_port
        yield Place(f"http://127.0.0.1:{port}", here, folder)


@pytest.fixture(params=exhaustive_but(range(ROUNDS), [0]))
def email(request: pytest.FixtureRequest) -> str:
    return f"{uuid.uuid4().hex}@example.com"


def test_the_owner_and_strangers_sign_up_with_one_address(place: Place, email: str) -> None:
    """Either of them has it then, or neither: the other one is refused, and has no account and no session."""
    device = place.device(email=email)
    answers = at_once(
        [lambda: place.enter(device)] * (VISITORS // 2) + [lambda: place.sign_up(email)] * (VISITORS // 2)
    )
    by_code, by_password = statuses(answers[: VISITORS // 2]), statuses(answers[VISITORS // 2 :])
    assert by_code[OK] + by_password[OK] <= 1
    assert set(by_code) <= {OK, RESTART, REFUSED}
    assert set(by_password) <= {OK, "FIELD_ERROR", "SIGN_UP_NOT_ALLOWED"}
    ids = {answer["user"]["id"] for answer in answers if answer["status"] == OK}
    users = place.users(email)
    assert {user.id for user in users} == ids
    assert [len(user.login_methods) for user in users] == [1] * len(ids)
    assert all(user.is_primary_user is (by_code[OK] == 1) for user in users)


def test_a_stranger_changes_to_an_address_whose_owner_signs_up(place: Place, email: str) -> None:
    """Others ask for a new password with it meanwhile."""
    stranger = place.sign_up(f"stranger-{email}")["user"]["id"]
    device = place.device(email=email)
    answers = at_once(
        [lambda: place.enter(device)] * 6
        + [lambda: place.do("change", user_id=stranger, email=email)] * 5
        + [lambda: place.post("/user/password/reset/token", form(email=email))] * 5
    )
    assert statuses(answers[11:]) == {OK: 5}
    signed_in = {answer["user"]["id"] for answer in answers[:6] if answer["status"] == OK}
    for user in place.users(email):
        assert (user.id in signed_in) is user.is_primary_user
        assert len(user.login_methods) == 1
    assert len(place.users(email)) <= 1


def test_ways_that_join_one_account_in_its_session(place: Place, email: str) -> None:
    """A password and a phone, each of them many times: one of each is there, and the session is that of its user."""
    owner = place.enter(place.device(email=email))
    token, user_id = owner["token"], owner["user"]["id"]
    number = phone()
    device = place.device(token, phoneNumber=number)
    half = VISITORS // 2
    answers = at_once([lambda: place.sign_up(email, token)] * half + [lambda: place.enter(device, token)] * half)
    assert statuses(answers[:half]) == {OK: 1, "FIELD_ERROR": half - 1}
    assert statuses(answers[half:]) == {OK: 1, RESTART: half - 1}
    [user] = place.users(email)
    assert (user.id, user.phone_numbers) == (user_id, (number,))
    ways = sorted((method.recipe_id, method.verified) for method in user.login_methods)
    assert ways == [("emailpassword", True), ("passwordless", True), ("passwordless", True)]
    handles = place.here.linking.services.get(Session).functions.get_all_session_handles_for_user(user_id=user_id)
    assert len(handles) == 1


def test_one_address_is_verified_signed_in_with_and_recovered(place: Place, email: str) -> None:
    """Two accounts from before the app linked any: they become one, whichever request is the first."""
    method = RecipeUserId(place.sign_up_apart(email)["id"])
    addresses = place.here.linking.services.get(EmailVerification).functions
    proof = addresses.create_email_verification_token(recipe_user_id=method, email=email)
    passwords = place.here.linking.services.get(EmailPassword).functions
    reset = passwords.create_reset_password_token(user_id=method.value, email=email)
    assert isinstance(proof, VerificationToken)
    assert isinstance(reset, ResetToken)
    new = {"method": "token", "token": reset.token, **form(password=PASSWORD)}
    devices = [place.device(email=email) for _ in range(4)]
    answers = at_once(
        [lambda: place.post("/user/email/verify", {"method": "token", "token": proof.token})] * 4
        + [lambda: place.post("/user/password/reset", new)] * 4
        + [functools.partial(place.enter, device) for device in devices]
        + [lambda: place.post("/signin", form(email=email, password=PASSWORD))] * 4
    )
    # A reset by mail proves the address too, and ends every link that would verify it.
    verified = statuses(answers[:4])
    assert verified[OK] <= 1
    assert set(verified) <= {OK, "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR"}
    assert statuses(answers[4:8]) == {OK: 1, "RESET_PASSWORD_INVALID_TOKEN_ERROR": 3}
    assert set(statuses(answers[8:12])) <= {OK, RESTART}
    assert set(statuses(answers[12:])) <= {OK, "SIGN_IN_NOT_ALLOWED"}
    [user] = place.users(email)
    ways = sorted((method.recipe_id, method.verified) for method in user.login_methods)
    assert (user.is_primary_user, ways) == (True, [("emailpassword", True), ("passwordless", True)])


def test_one_address_is_linked_verified_signed_up_with_and_changed_to(place: Place, email: str) -> None:
    """The owner has a password and a phone. They verify and link the password, while a stranger wants the address."""
    own = place.sign_up_apart(email)["id"]
    token = place.enter(place.device(phoneNumber=phone()))["token"]
    stranger = place.sign_up(f"stranger-{email}")["user"]["id"]
    addresses = place.here.linking.services.get(EmailVerification).functions
    proof = addresses.create_email_verification_token(recipe_user_id=RecipeUserId(own), email=email)
    assert isinstance(proof, VerificationToken)
    device = place.device(email=email)
    password = form(email=email, password=PASSWORD)
    answers = at_once(
        [lambda: place.post("/user/email/verify", {"method": "token", "token": proof.token})] * 4
        + [lambda: place.enter(device)] * 4
        + [lambda: place.post("/signin", {**password, **LINK}, token)] * 4
        + [lambda: place.do("change", user_id=stranger, email=email)] * 2
        + [lambda: place.sign_up(email)] * 2
    )
    assert statuses(answers[:4])[OK] <= 1
    assert set(statuses(answers[4:8])) <= {OK, RESTART}
    assert set(statuses(answers[8:12])) <= {OK, "SIGN_IN_NOT_ALLOWED"}
    assert OK not in statuses(answers[12:])
    users = place.users(email)
    assert all(stranger != method.recipe_user_id.value for user in users for method in user.login_methods)
    assert [user.is_primary_user for user in users].count(True) <= 1
    owners = Counter(method.recipe_user_id for user in users for method in user.login_methods)
    assert set(owners.values()) == {1}
    [password_user] = [user for user in users if any(one.recipe_user_id.value == own for one in user.login_methods)]
    opened = {answer["user"]["id"] for answer in answers[8:12] if answer["status"] == OK}
    assert opened <= {password_user.id}


def test_what_is_required_of_a_user_is_changed_by_many(place: Place, email: str) -> None:
    """All that was added is there, and nothing that was removed."""
    user_id, half = f"user of {email}", VISITORS // 2
    for number in range(half):
        place.do("require", user_id=user_id, factor_id=f"old-{number}")
    acts = [
        (what, f"{name}-{number}") for number in range(half) for what, name in (("require", "new"), ("release", "old"))
    ]
    at_once([functools.partial(place.do, what, user_id=user_id, factor_id=factor) for what, factor in acts])
    functions = place.here.factors.services.get(MultiFactorAuth).functions
    required = functions.get_required_secondary_factors_for_user(user_id=user_id)
    assert sorted(required) == [f"new-{number}" for number in range(half)]


def test_authenticator_apps_are_made_verified_and_used_by_many(place: Place, email: str) -> None:
    """A name is that of one app, an app is verified once, and a code completes one sign-in."""
    signed_up = place.factor("/signup", form(email=email, password=PASSWORD))
    token, user_id = signed_up["token"], signed_up["user"]["id"]
    names = ["phone" if number % 2 else f"app {number}" for number in range(VISITORS)]
    made_apps = at_once([functools.partial(place.factor, "/totp/device", {"deviceName": one}, token) for one in names])
    assert statuses(made_apps) == {OK: VISITORS}  # of those with one name, the last stays: none is verified yet
    devices = place.here.factors.services.get(Totp).functions.list_devices(user_id=user_id).devices
    assert sorted(device.name for device in devices) == sorted(set(names))

    secret = made_apps[0]["secret"]
    body = {"deviceName": "app 0", "totp": totp(secret)}
    answers = at_once([lambda: place.factor("/totp/device/verify", body, token)] * VISITORS)
    assert statuses(answers) == {OK: VISITORS}
    assert [answer["wasAlreadyVerified"] for answer in answers].count(False) == 1

    place.do("require", user_id=user_id, factor_id="totp")
    token = place.factor("/signin", form(email=email, password=PASSWORD))["token"]
    code = {"totp": totp(secret, steps=1)}
    used = statuses(at_once([lambda: place.factor("/totp/verify", code, token)] * VISITORS))
    assert used[OK] == 1
    assert set(used) <= {OK, "INVALID_TOTP_ERROR", "LIMIT_REACHED_ERROR"}


def test_one_passkey_signs_up_for_many_addresses(place: Place, email: str) -> None:
    """It opens one account: that which it was stored for first."""
    key = credential()
    bodies = [
        made(place.post("/webauthn/options/register", {"email": f"{number}-{email}"}), key)
        for number in range(VISITORS // 2)
    ]
    acts = [functools.partial(place.post, "/webauthn/signup", body) for body in bodies * 2]
    answers = at_once(acts)
    refusals = {"INVALID_CREDENTIALS_ERROR", "OPTIONS_NOT_FOUND_ERROR", "EMAIL_ALREADY_EXISTS_ERROR"}
    assert set(statuses(answers)) <= {OK, "SIGN_UP_NOT_ALLOWED", *refusals}
    assert statuses(answers)[OK] == 1
    users = [user for number in range(VISITORS // 2) for user in place.users(f"{number}-{email}")]
    [owner] = [answer["user"]["id"] for answer in answers if answer["status"] == OK]
    assert [user.id for user in users] == [owner]
    signed_in = place.post("/webauthn/signin", proved(place.post("/webauthn/options/signin", {}), key))
    assert signed_in["user"]["id"] == owner


def test_one_mail_recovers_an_account_once(place: Place, email: str) -> None:
    """Of many passkeys that are sent with its token, one is stored; that of before opens nothing afterwards."""
    old, new = credential(), [credential() for _ in range(VISITORS // 2)]
    body = made(place.post("/webauthn/options/register", {"email": email}), old)
    user_id = place.post("/webauthn/signup", body)["user"]["id"]
    functions = place.here.linking.services.get(Webauthn).functions
    mail = functions.generate_recover_account_token(user_id=user_id, email=email)
    assert isinstance(mail, RecoverAccountToken)
    options = [place.post("/webauthn/options/register", {"recoverAccountToken": mail.token}) for _ in new]
    uses = [
        functools.partial(place.post, "/user/webauthn/reset", {"token": mail.token, **made(one, key)})
        for one, key in zip(options, new, strict=True)
    ]
    sign_ins = [
        functools.partial(place.post, "/webauthn/signin", proved(place.post("/webauthn/options/signin", {}), old))
        for _ in new
    ]
    answers = at_once([*uses, *sign_ins])
    assert statuses(answers[: len(new)]) == {OK: 1, "RECOVER_ACCOUNT_TOKEN_INVALID_ERROR": len(new) - 1}
    assert set(statuses(answers[len(new) :])) <= {OK, "INVALID_CREDENTIALS_ERROR"}
    stored = next(key for key, answer in zip(new, answers, strict=False) if answer["status"] == OK)
    left = functions.list_credentials(recipe_user_id=RecipeUserId(user_id))
    assert [one.webauthn_credential_id for one in left] == [stored.name]
