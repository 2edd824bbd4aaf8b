"""
Many requests at once about one address: the owner and strangers sign up, link, verify, change addresses and recover.

Whichever request comes first: the address has one user afterwards, no stranger can open the owner's account, and no
request fails. Over HTTP, with threads of the server and of the visitors, on a core in memory, on a file, and served.
"""

from __future__ import annotations

import functools
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import attrs
import pytest
import requests
from sdks.processes import free_port, serving
from werkzeug.serving import make_server

from hardening.test_codes_at_once import LIMIT, _Quiet, nothing
from st_wsgi import AccountInfo, AppInfo, RecipeUserId, SuperTokens, User
from st_wsgi.accounts import users_by_account_info
from st_wsgi.delivery import Message
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.accountlinking import AccountLinking, ShouldAutomaticallyLink, ShouldNotAutomaticallyLink
from st_wsgi.recipes.emailpassword import EmailPassword, ResetToken
from st_wsgi.recipes.emailverification import EmailVerification, VerificationToken
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.session import Session

VISITORS = 16
"""Threads that send at the same time."""

ROUNDS = 3
PASSWORD = "correct horse 1"
OK, RESTART, REFUSED = "OK", "RESTART_FLOW_ERROR", "SIGN_IN_UP_NOT_ALLOWED"
LINK = {"shouldTryLinkingWithSessionUser": True}


@attrs.define
class Place:
    """A site, and the messages that it sent."""

    origin: str
    st: SuperTokens
    messages: list[Message]
    links: list[bool]

    def post(self, path: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
        """Send a request without cookies; *token* is of a session."""
        headers = {"st-auth-mode": "header", "fdi-version": "4.1"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        with requests.Session() as client:
            client.trust_env = False
            response = client.post(f"{self.origin}/auth{path}", json=body, headers=headers, timeout=LIMIT)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return {**answer, "token": response.headers.get("st-access-token", "")}

    def device(self, token: str = "", **contact: str) -> dict[str, Any]:
        """Begin to sign in with a code, and return what ends it."""
        more = LINK if token else {}
        asked = self.post("/signinup/code", {**contact, **more}, token)
        code = next(message.code for message in reversed(self.messages) if message.to in contact.values())
        return {**{name: asked[name] for name in ("deviceId", "preAuthSessionId")}, "userInputCode": code, **more}

    def enter(self, device: dict[str, Any], token: str = "") -> dict[str, Any]:
        return self.post("/signinup/code/consume", device, token)

    def sign_up(self, email: str, token: str = "") -> dict[str, Any]:
        return self.post("/signup", {**form(email=email, password=PASSWORD), **(LINK if token else {})}, token)

    def users(self, email: str) -> tuple[User, ...]:
        core = self.st.services.core
        return users_by_account_info(core, account_info=AccountInfo(email=email), tenant_id="public")


def form(**fields: str) -> dict[str, Any]:
    return {"formFields": [{"id": name, "value": value} for name, value in fields.items()]}


def at_once(acts: list[Callable[[], dict[str, Any]]]) -> list[dict[str, Any]]:
    """Do all of it at the same time, each by a visitor of its own."""
    together = threading.Barrier(len(acts), timeout=LIMIT)

    def act(one: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        together.wait()
        return one()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def statuses(answers: list[dict[str, Any]]) -> Counter[str]:
    return Counter(answer["status"] for answer in answers)


@pytest.fixture(scope="module", params=["memory", "file", "served"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The app on a core of one form."""
    folder = tmp_path_factory.mktemp("core")
    with ExitStack() as stack:
        settings = ["argon2_memory_kb=64", "hashing_queue_size=100"]  # many may hash at once
        cheap = "&".join(settings)
        core = f"sqlite://?{cheap}" if request.param == "memory" else f"sqlite:///{folder}/auth.db?{cheap}"
        if request.param == "served":
            port = free_port()
            command = [sys.executable, "-m", "st_wsgi", "core", "serve", "--db", f"{folder}/auth.db"]
            command += ["--port", str(port), *(part for setting in settings for part in ("--set", setting))]
            stack.enter_context(serving(command, port=port, log=folder / "core.log"))
            core = f"http://127.0.0.1:{port}"
        messages: list[Message] = []
        links = [True]
        keep = messages.append
        recipes: list[Recipe[Any, Any]] = [
            AccountLinking(
                should_do_automatic_account_linking=lambda *_: (
                    ShouldAutomaticallyLink() if links[0] else ShouldNotAutomaticallyLink()
                )
            ),
            EmailPassword(email_delivery=keep),
            EmailVerification(mode="OPTIONAL", email_delivery=keep),
            Passwordless(
                contact_config=ContactEmailOrPhoneConfig(),
                flow_type="USER_INPUT_CODE",
                email_delivery=keep,
                sms_delivery=keep,
            ),
            Session(),
        ]
        origin = "http://127.0.0.1:3000"
        st = SuperTokens(
            app_info=AppInfo(app_name="Place", api_domain=origin, website_domain=origin),
            core=core,
            recipes=recipes,
            rate_limit=None,
        )
        stack.callback(st.close)
        server = make_server("127.0.0.1", 0, st.wrap(nothing), threaded=True, request_handler=_Quiet)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        stack.callback(server.server_close)
        stack.callback(thread.join, LIMIT)
        stack.callback(server.shutdown)
        yield Place(f"http://127.0.0.1:{server.server_port}", st, messages, links)


@pytest.fixture(params=range(ROUNDS))
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
    stranger = RecipeUserId(place.sign_up(f"stranger-{email}")["user"]["id"])
    functions = place.st.services.get(EmailPassword).functions
    device = place.device(email=email)

    def change() -> dict[str, Any]:
        return {"status": functions.update_email_or_password(recipe_user_id=stranger, email=email).status}

    answers = at_once(
        [lambda: place.enter(device)] * 6
        + [change] * 5
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
    phone = f"+49301{uuid.uuid4().int % 10**6:06}"
    device = place.device(token, phoneNumber=phone)
    half = VISITORS // 2
    answers = at_once([lambda: place.sign_up(email, token)] * half + [lambda: place.enter(device, token)] * half)
    assert statuses(answers[:half]) == {OK: 1, "FIELD_ERROR": half - 1}
    assert statuses(answers[half:]) == {OK: 1, RESTART: half - 1}
    [user] = place.users(email)
    assert (user.id, user.phone_numbers) == (user_id, (phone,))
    ways = sorted((method.recipe_id, method.verified) for method in user.login_methods)
    assert ways == [("emailpassword", True), ("passwordless", True), ("passwordless", True)]
    handles = place.st.services.get(Session).functions.get_all_session_handles_for_user(user_id=user_id)
    assert len(handles) == 1


def test_one_address_is_verified_signed_in_with_and_recovered(place: Place, email: str) -> None:
    """Two accounts from before the app linked any: they become one, whichever request is the first."""
    place.links[0] = False
    try:
        method = RecipeUserId(place.sign_up(email)["user"]["id"])
        place.enter(place.device(email=email))
    finally:
        place.links[0] = True
    addresses = place.st.services.get(EmailVerification).functions
    proof = addresses.create_email_verification_token(recipe_user_id=method, email=email)
    passwords = place.st.services.get(EmailPassword).functions
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
