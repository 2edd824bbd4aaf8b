"""Whatever comes in, the answer is a clear one in the protocol's form, and a wrong setting is refused at start-up."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from recipes.shop import PASSWORD, QUICK, Borrowed, Shop, Visitor, form

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.core_client.transport import CoreReply, CoreRequest, HTTPTransport, Transport
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import ConfigError, CoreUnavailable
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.session import Session
from st_wsgi.request import current


@pytest.fixture(scope="module")
def core() -> Iterator[Borrowed]:
    with EmbeddedCore(settings=QUICK) as embedded:
        yield Borrowed(embedded)


@pytest.fixture
def shop(core: Borrowed) -> Iterator[Shop]:
    core.answer = lambda _request: None
    yield Shop(core)
    current.set_default(None)


FORM = form(email="ada@example.com", password=PASSWORD)


def post(path: str, **more: Any) -> Callable[[Visitor], Any]:
    return lambda visitor: visitor.call("POST", path, **more)


def raw(path: str, data: bytes, content_type: str = "application/json", **environ: Any) -> Callable[[Visitor], Any]:
    return lambda visitor: visitor.call("POST", path, data=data, content_type=content_type, environ=environ)


def get(path: str, query: str = "") -> Callable[[Visitor], Any]:
    return lambda visitor: visitor.call("GET", path, environ={"QUERY_STRING": query})


BAD = {
    "no JSON": (raw("/auth/signin", b"{"), 400, "the body is not valid JSON"),
    "an array": (raw("/auth/signin", b"[]"), 400, "the body must be a JSON object"),
    "no body": (raw("/auth/signup", b""), 400, "the body is not valid JSON"),
    "another content type": (
        raw("/auth/signin", json.dumps(FORM).encode(), "text/plain"),
        400,
        "the content type must be application/json",
    ),
    "a form": (raw("/auth/signup", b"email=a", "application/x-www-form-urlencoded"), 400, "the content type must be"),
    "a huge body": (raw("/auth/signup", b" " * 100_001), 413, "request body too large"),
    "no fields": (post("/auth/signup", body={}), 400, "formFields must be an array"),
    "fields null": (post("/auth/signup", body={"formFields": None}), 400, "formFields must be an array"),
    "an unknown field": (post("/auth/signup", body=form(email="a@b.example", x="y")), 400, "unknown field"),
    "an unknown tenant": (post("/auth/nope/signin", body=FORM), 400, "this tenant does not exist"),
    "an unknown tenant, GET": (
        get("/auth/nope/emailpassword/email/exists", "email=a@b.example"),
        400,
        "tenant does not exist",
    ),
    "no e-mail": (get("/auth/emailpassword/email/exists"), 400, "please give one email"),
    "two e-mails": (get("/auth/emailpassword/email/exists", "email=a@b.example&email=c@d.example"), 400, "one email"),
    "a flag that is no flag": (
        post("/auth/signin", body={**FORM, "shouldTryLinkingWithSessionUser": "true"}),
        400,
        "must be true or false",
    ),
    "a garbage access token": (lambda v: v.visit(headers={"Authorization": "Bearer a.b.c"}), 401, "unauthorised"),
    "a garbage cookie": (lambda v: v.visit(headers={"Cookie": "sAccessToken=%00\xff"}), 401, "unauthorised"),
    "a garbage refresh token": (lambda v: v.refresh(headers={"Cookie": "sRefreshToken=%2%"}), 401, "unauthorised"),
    "a refresh with a huge token": (
        lambda v: v.refresh(headers={"Authorization": "Bearer " + "x" * 1_000_000}),
        401,
        "unauthorised",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_the_client_is_told_what_was_wrong_with_its_request(
    name: str, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    ask, status, message = BAD[name]
    answer = ask(shop.visitor())
    assert answer.status_code == status
    assert answer.mimetype == "application/json"
    assert message in answer.json["message"]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "query",
    ["email=\xff", "email=%ff", "email=%ed%a0%80", "email=a%00b", "email=" + "a" * 100_000, "email=%F0%9F%98%80"],
)
def test_an_odd_e_mail_in_a_query_is_just_not_known(shop: Shop, query: str) -> None:
    """W-122: raw bytes included."""
    answer = get("/auth/emailpassword/email/exists", query)(shop.visitor())
    assert answer.json == {"status": "OK", "exists": False}


def test_an_e_mail_in_a_query_may_have_letters_of_any_alphabet(shop: Shop) -> None:
    visitor = shop.visitor()
    visitor.email = "zoë+tag@example.com"
    assert (visitor.sign_up().json or {})["status"] == "OK"
    for query in (
        "email=zoë%2Btag@example.com",
        "email=ZO%C3%8B%2btag%40example.com%20",
        "email=zo%C3%AB%2Btag@example.com",
    ):
        sent = query.encode().decode("latin-1")
        assert get("/auth/emailpassword/email/exists", sent)(visitor).json == {"status": "OK", "exists": True}


HOSTILE = [
    "<script>alert(1)</script>",
    "'; DROP TABLE users; --",
    "$(reboot)",
    "%s%n%x{0}{self}",
    "../../etc/passwd",
    "\u202eexe.txt",
    "\u200b\ufeff",
    "😀" * 50,
    "\x01\x1f\x7f",
    "NULL",
    "__proto__",
    "a" * 90_000,
    "İ",
    "ﬀ",
    "\ufdfa" * 20,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_in_any_field_never_break_a_route(text: str, shop: Shop) -> None:
    """W-051."""
    visitor = shop.visitor()
    calls = [
        post("/auth/signup", body=form(email=text, password=PASSWORD)),
        post("/auth/signup", body=form(email=f"{text[:20]}@example.com", password=text)),
        post("/auth/signin", body=form(email="ada@example.com", password=text)),
        post("/auth/signin", body={"formFields": [{"id": text, "value": text}]}),
        lambda v: v.call("POST", "/auth/signin", FORM, headers={"rid": None, "fdi-version": None}),
        get("/auth/emailpassword/email/exists", "email=" + text.encode().decode("latin-1").replace("&", "")),
    ]
    for call in calls:
        answer = call(visitor)
        assert answer.status_code in (200, 400, 413)
        assert text not in answer.text or answer.mimetype == "application/json"


class TestUnusableCores:
    """Cores that do not do what they should."""

    def statuses(self, answer: Callable[[CoreRequest], CoreReply]) -> dict[str, tuple[int, Any]]:
        """What our routes answer on top of such a core."""

        class Odd(Transport):
            def send(self, request: CoreRequest, /) -> CoreReply:
                return answer(request)

            def close(self) -> None: ...

        shop = Shop(Odd())  # type: ignore[arg-type]  # another transport
        visitor = shop.visitor()
        calls = {
            "sign in": visitor.sign_in(),
            "exists": visitor.call("GET", "/auth/emailpassword/email/exists?email=a@b.example"),
            "refresh": visitor.refresh(headers={"Authorization": "Bearer x"}),
            "keys": visitor.call("GET", "/auth/jwt/jwks.json"),
        }
        current.set_default(None)
        return {name: (answer.status_code, answer.json) for name, answer in calls.items()}

    def test_one_that_is_down_is_a_503(self) -> None:
        def down(_request: CoreRequest) -> CoreReply:
            raise CoreUnavailable("http://core:3567 does not answer")

        assert set(map(str, self.statuses(down).values())) == {str((503, {"message": "service unavailable"}))}

    @pytest.mark.parametrize(
        "answer",
        [
            CoreReply(200, "<html>a login page</html>"),
            CoreReply(200, {}),
            CoreReply(200, {"status": 5}),
            CoreReply(200, {"status": "SOMETHING_NEW"}),
            CoreReply(200, {"status": "OK"}),
            CoreReply(200, {"status": "OK", "user": [], "users": {}, "keys": "x", "session": None, "versions": []}),
            CoreReply(301, "moved"),
            CoreReply(401, "Invalid API key"),
            CoreReply(500, "a stack trace with password=hunter2"),
        ],
        ids=lambda answer: f"{answer.status} {str(answer.body)[:20]}",
    )
    def test_one_that_talks_nonsense_is_a_500_that_says_nothing(
        self, answer: CoreReply, caplog: pytest.LogCaptureFixture
    ) -> None:
        """W-094."""
        versions = CoreReply(200, {"versions": ["5.4"]})
        found = self.statuses(lambda request: versions if request.path == "/apiversion" else answer)
        assert set(map(str, found.values())) == {str((500, {"message": "internal error"}))}
        errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert len(errors) == len(found)
        assert all("the core" in line and "\n" not in line for line in errors)
        assert "Traceback" not in caplog.text

    def test_one_with_no_common_version_says_which_to_use(self, caplog: pytest.LogCaptureFixture) -> None:
        old = CoreReply(200, {"versions": ["2.21", "3.0"]})
        found = self.statuses(lambda _request: old)
        assert found["sign in"] == (500, {"message": "internal error"})
        assert "no CDI version in common: this app uses 5.4, the core has 2.21, 3.0. Upgrade the core" in caplog.text


APP_INFO = AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost")


def start(core: str | Transport, **more: Any) -> None:
    try:
        st_wsgi.init(app_info=APP_INFO, core=core, recipes=[EmailPassword(), Session()], **more).close()
    finally:
        current.set_default(None)


class TestStartUp:
    """Wrong settings are refused before the first request, by name and with what to do."""

    @pytest.mark.parametrize(
        ("core", "says"),
        [
            ("", "core"),
            ("not an address", "address"),
            ("ftp://core", "http"),
            ("mysql://core/db", "http"),
            ("sqlite:///{folder}", r"director|folder"),
            ("sqlite:///{text}/auth.db", r"notes\.txt"),
            ("sqlite://?acess_token_validity=2", "access_token_validity"),
            ("sqlite://?access_token_validity=soon", "access_token_validity"),
            ("sqlite:///{text}", "database"),
        ],
    )
    def test_a_core_that_cannot_be_used(self, core: str, says: str, tmp_path: Path) -> None:
        text = tmp_path / "notes.txt"
        text.write_text("not a database at all, but a text of some length" * 100)
        with pytest.raises(ConfigError, match=says):
            start(core.format(folder=tmp_path, text=text))

    def test_a_memory_core_for_a_site_that_is_public(self) -> None:
        public = AppInfo(app_name="Shop", api_domain="https://api.shop.example", website_domain="https://shop.example")
        for core in ("sqlite://", "sqlite:///:memory:", "sqlite://?access_token_validity=60", "sqlite:"):
            with pytest.raises(ConfigError, match=r"loses all users at every restart.*sqlite:///auth\.db"):
                st_wsgi.init(app_info=public, core=core, recipes=[Session()])
        st_wsgi.init(app_info=public, core="sqlite://", recipes=[Session()], allow_in_memory_core=True).close()
        current.set_default(None)

    @pytest.mark.parametrize("key", ["", " ", "a\nb", "ä"])
    def test_an_api_key_that_no_header_can_carry(self, key: str) -> None:
        with pytest.raises(ConfigError, match="api_key"):
            start("http://localhost:3567", api_key=key)

    @pytest.mark.parametrize(
        "core",
        [
            "http://core.internal:3567",
            "http://10.0.0.5:3567",
            "http://[2001:db8::1]:3567",
            "http://localhost.example:3567",
            "https://core-1.internal;http://core-2.internal",
        ],
    )
    def test_an_api_key_that_others_on_the_network_can_read(self, core: str) -> None:
        key = "the-key-of-the-core"
        for way in (core, HTTPTransport(core)):
            with pytest.raises(ConfigError, match=r"use https, or say allow_insecure_core=True") as refusal:
                start(way, api_key=key)
            assert key not in str(refusal.value)
        start(core, api_key=key, allow_insecure_core=True)
        start(core)

    @pytest.mark.parametrize(
        "core",
        ["https://core.internal", "http://localhost:3567", "http://127.0.0.1", "http://127.0.0.2", "http://[::1]:3567"],
    )
    def test_an_api_key_that_stays_on_this_machine_or_is_encrypted_is_fine(self, core: str) -> None:
        start(core, api_key="the-key-of-the-core")

    def test_a_core_that_does_not_answer_is_no_reason_not_to_start(self) -> None:
        """It may come up later; requests get a 503 until then."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        start(f"http://127.0.0.1:{port}")


class TestPayloads:
    """What cannot be in an access token is refused when a session is made, not when its user comes back."""

    @pytest.mark.parametrize(
        "payload",
        [
            {"x": float("nan")},
            {"x": float("inf")},
            {"x": "\ud800"},
            {"x": {1, 2}},
            {"x": object()},
            {"x": b"bytes"},
            {("a", "b"): 1},
            {"x": 10**2000},
            {"x": json.loads("[" * 60 + "]" * 60)},
            {"x": "y" * 12_000},
        ],
        ids=lambda payload: repr(payload)[:24],
    )
    def test_a_payload_that_no_verifier_would_take(self, shop: Shop, payload: dict[Any, Any]) -> None:
        visitor = shop.visitor()
        with pytest.raises(ValueError, match="an access token payload"):
            visitor.start_session(access_token_payload=payload)
        assert visitor.start_session().status_code == 200
        for change in (
            lambda found: found.merge_into_access_token_payload(payload),
            lambda found: st_wsgi.recipes.session.merge_into_access_token_payload(
                session_handle=found.get_handle(), access_token_payload_update=payload
            ),
        ):
            with pytest.raises(ValueError, match="an access token payload"):
                shop.with_session(visitor, change)
        assert visitor.visit().status_code == 200

    @pytest.mark.parametrize("payload", [{"x": "y" * 9_000}, {"x": [(1, 2), {"ä": None}]}, {"": ""}, {1: 2}])
    def test_a_payload_that_is_plain_json_is_taken(self, shop: Shop, payload: dict[Any, Any]) -> None:
        visitor = shop.visitor("header")
        visitor.start_session(access_token_payload=payload)
        assert visitor.visit().status_code == 200
