"""
Many requests at once for one code or link: no wrong try is lost from the count, and what is right signs in once.

Over HTTP, with threads of the server and of the attackers, on each form of core: in memory, on a file, on a file that
two instances of the app share, and served by a process of its own.
"""

from __future__ import annotations

import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
import requests
from sdks.processes import free_port, serving
from threads import answering
from werkzeug.serving import WSGIRequestHandler, make_server

from st_wsgi import AppInfo, AttemptLimits, SuperTokens
from st_wsgi.delivery import Message
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.session import Session

ATTACKERS = 12
"""Threads that send at the same time."""

LIMIT = 30  # seconds after which something that was to happen has failed
OK, WRONG, RESTART = "OK", "INCORRECT_USER_INPUT_CODE_ERROR", "RESTART_FLOW_ERROR"


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


def nothing(environ: Any, start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"nothing here"]


@attrs.frozen
class Targets:
    """Servers of one app on one core, and the messages that all of them sent."""

    apps: list[SuperTokens]
    origins: list[str]
    messages: list[Message]

    def post(self, path: str, body: object, number: int = 0) -> dict[str, Any]:
        """Send a request to one of the servers, by turns."""
        origin = self.origins[number % len(self.origins)]
        with requests.Session() as client:
            client.trust_env = False
            response = client.post(f"{origin}/auth/signinup/code{path}", json=body, timeout=LIMIT)
        assert response.status_code in (200, 429), response.text
        answer: dict[str, Any] = response.json()
        return answer

    def ask(self, email: str) -> dict[str, str]:
        asked = self.post("", {"email": email})
        return {name: asked[name] for name in ("deviceId", "preAuthSessionId")}

    def at_once(self, path: str, bodies: list[dict[str, str]]) -> list[dict[str, Any]]:
        """Send one request for each body; as many as there are attackers leave together."""
        together = threading.Barrier(min(ATTACKERS, len(bodies)), timeout=LIMIT)

        def attack(numbered: tuple[int, dict[str, str]]) -> dict[str, Any]:
            number, body = numbered
            if number < together.parties:
                together.wait()
            return self.post(path, body, number)

        with ThreadPoolExecutor(together.parties) as pool:
            return list(pool.map(attack, enumerate(bodies)))

    def users(self, email: str) -> int:
        """Return how many users have an address."""
        reply = self.apps[0].services.core.get(
            "/users/by-accountinfo", {"email": email, "doUnionOfAccountInfo": "false"}, tenant_id="public"
        )
        return len(reply.body["users"])


Start = Callable[..., Targets]


@pytest.fixture(
    scope="module", params=["memory", "file", "shared file", pytest.param("served", marks=pytest.mark.exhaustive)]
)
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts the app on a core of one form, with the limits of the test."""
    folder = tmp_path_factory.mktemp("core")
    with ExitStack() as cores:
        core = "sqlite://" if request.param == "memory" else f"sqlite:///{folder}/auth.db"
        if request.param == "served":
            port = free_port()
            command = [
                sys.executable,
                "-m",
                "st_wsgi",
                "core",
                "serve",
                "--db",
                f"{folder}/auth.db",
                "--port",
                str(port),
            ]
            cores.enter_context(serving(command, port=port, log=folder / "core.log"))
            core = f"http://127.0.0.1:{port}"
        with ExitStack() as stack:

            def run(rate_limit: AttemptLimits | None = None) -> Targets:
                targets = Targets([], [], [])
                for _ in range(2 if request.param == "shared file" else 1):
                    server = started(stack, core, targets, rate_limit)
                    targets.origins.append(f"http://127.0.0.1:{server}")
                return targets

            yield run


def started(stack: ExitStack, core: str, targets: Targets, rate_limit: AttemptLimits | None) -> int:
    """Serve an instance of the app until the stack is closed, and return the port."""
    origin = "http://127.0.0.1:3000"
    codes = Passwordless(
        contact_config=ContactEmailOnlyConfig(),
        flow_type="USER_INPUT_CODE_AND_MAGIC_LINK",
        email_delivery=targets.messages.append,
    )
    st = SuperTokens(
        app_info=AppInfo(app_name="Target", api_domain=origin, website_domain=origin),
        core=core,
        recipes=[codes, Session()],
        rate_limit=rate_limit,
    )
    stack.callback(st.close)
    targets.apps.append(st)
    server = make_server("127.0.0.1", 0, st.wrap(nothing), threaded=True, request_handler=_Quiet)
    stack.enter_context(answering(server))
    return int(server.server_port)


@pytest.fixture(scope="module")
def targets(start: Start) -> Targets:
    """Without limits of attempts, which would end the attacks too early."""
    return start()


@pytest.fixture
def email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def guesses(code: str | None, times: int) -> Iterator[str]:
    """Return that many different codes that are not the right one."""
    wrong = (f"{number:06}" for number in range(times + 1))
    return (guess for guess, _ in zip((guess for guess in wrong if guess != code), range(times), strict=False))


def link_of(message: Message) -> dict[str, str]:
    address = urlsplit(str(message.link))
    return {"preAuthSessionId": parse_qs(address.query)["preAuthSessionId"][0], "linkCode": address.fragment}


def test_no_wrong_try_is_lost(targets: Targets, email: str) -> None:
    """Of any number of guesses at once, five are looked at, and the right code comes too late."""
    ids = targets.ask(email)
    code = targets.messages[-1].code
    answers = targets.at_once("/consume", [{**ids, "userInputCode": guess} for guess in guesses(code, 36)])
    statuses = Counter(answer["status"] for answer in answers)
    assert statuses == {WRONG: 4, RESTART: 32}
    counts = [answer["failedCodeInputAttemptCount"] for answer in answers if answer["status"] == WRONG]
    assert sorted(counts) == [1, 2, 3, 4]
    assert targets.post("/consume", {**ids, "userInputCode": str(code)})["status"] == RESTART
    assert targets.post("/consume", link_of(targets.messages[-1]))["status"] == RESTART
    assert targets.users(email) == 0


def test_further_codes_give_no_further_tries(targets: Targets, email: str) -> None:
    """Wrong codes and demands for another message come together; the tries belong to the device."""
    ids = targets.ask(email)
    wrong = {**ids, "userInputCode": "wrong"}
    assert [targets.post("/consume", wrong)["status"] for _ in range(3)] == [WRONG] * 3
    bodies = [wrong if number % 2 else ids for number in range(ATTACKERS)]
    paths = ["/consume" if number % 2 else "/resend" for number in range(ATTACKERS)]
    together = threading.Barrier(ATTACKERS, timeout=LIMIT)

    def attack(number: int) -> str:
        together.wait()
        return str(targets.post(paths[number], bodies[number], number)["status"])

    with ThreadPoolExecutor(ATTACKERS) as pool:
        statuses = Counter(status for number, status in enumerate(pool.map(attack, range(ATTACKERS))) if number % 2)
    assert statuses == {WRONG: 1, RESTART: ATTACKERS // 2 - 1}
    for message in [message for message in targets.messages if message.to == email]:
        assert targets.post("/consume", {**ids, "userInputCode": str(message.code)})["status"] == RESTART


@pytest.mark.parametrize("way", ["code", "link", "both"])
def test_a_code_or_link_that_many_send_at_once_signs_in_once(targets: Targets, email: str, way: str) -> None:
    """And makes one user with one session."""
    ids = targets.ask(email)
    message = targets.messages[-1]
    bodies = {"code": [{**ids, "userInputCode": str(message.code)}], "link": [link_of(message)]}
    bodies["both"] = bodies["code"] + bodies["link"]
    answers = targets.at_once("/consume", [bodies[way][number % len(bodies[way])] for number in range(ATTACKERS)])
    assert Counter(answer["status"] for answer in answers) == {OK: 1, RESTART: ATTACKERS - 1}
    [user] = [answer["user"]["id"] for answer in answers if answer["status"] == OK]
    assert targets.users(email) == 1
    sessions = targets.apps[0].services.get(Session).functions.get_all_session_handles_for_user(user_id=user)
    assert len(sessions) == 1


def test_codes_of_many_attempts_at_one_account_sign_in_once(targets: Targets, email: str) -> None:
    """A sign-in ends all other attempts at the account, so that older messages are worth nothing."""
    devices = [targets.ask(email) for _ in range(4)]
    codes = [str(message.code) for message in targets.messages[-4:]]
    bodies = [{**ids, "userInputCode": code} for ids, code in zip(devices, codes, strict=True)]
    answers = targets.at_once("/consume", bodies)
    assert Counter(answer["status"] for answer in answers) == {OK: 1, RESTART: 3}
    assert targets.users(email) == 1


def test_further_attempts_give_few_further_guesses(start: Start, email: str) -> None:
    """Who asks for one code after the other is limited at the account, however many guess at once."""
    limited = start(AttemptLimits(per_account_and_address=10))
    rounds: list[Counter[str]] = []
    for _ in range(3):
        ids = limited.ask(email)
        bodies = [{**ids, "userInputCode": guess} for guess in guesses(limited.messages[-1].code, ATTACKERS)]
        rounds.append(Counter(answer["status"] for answer in limited.at_once("/consume", bodies)))
    assert 4 <= sum(guessed[WRONG] for guessed in rounds) <= 8
    assert rounds[-1] == {"GENERAL_ERROR": ATTACKERS}  # 429: five tries or more were counted in each round before
