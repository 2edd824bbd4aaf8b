"""
Passwordless and multitenancy: the same requests to an app on the official Python SDK and to one on ours.

As in test_side_by_side, and with the messages that were sent.
"""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from contract.logins import phone
from sampling import exhaustive_but

from sdks.ours import Ours, form
from sdks.peers import Peer
from sdks.sides import (
    MODES,
    TURNS,
    VERSIONS,
    Answer,
    OurSide,
    Side,
    Steps,
    TheirSide,
    Visitor,
    different_steps,
    parts_of,
    sending,
)
from st_wsgi.recipes.multitenancy import Multitenancy, TenantConfigCreateOrUpdate

pytestmark = pytest.mark.parametrize("sdk", ["python"], indirect=True)

CODE = "/signinup/code"

TENANTS: dict[str, dict[str, Any]] = {
    "everything": {"first_factors": None},
    "nothing-yet": {},
    "by-code": {"first_factors": ["otp-email", "otp-phone"]},
    "by-link": {"first_factors": ["link-email", "link-phone"]},
    "mixed": {"first_factors": ["otp-email", "link-phone", "emailpassword", "thirdparty"]},
    "by-password": {"first_factors": ["emailpassword"]},
    "of-its-own": {"first_factors": ["badge", "otp-email"]},
    "one-guess": {"first_factors": None, "core_config": {"passwordless_max_code_input_attempts": 1}},
    "soon-over": {"first_factors": None, "core_config": {"passwordless_code_lifetime": 1}},
}


@pytest.fixture(scope="module")
def sides(sdk: Peer, ours: Ours) -> tuple[Side, Side]:
    """Our side and theirs, with the tenants."""
    functions = ours.st.services.get(Multitenancy).functions
    for tenant_id, config in TENANTS.items():
        functions.create_or_update_tenant(tenant_id=tenant_id, config=TenantConfigCreateOrUpdate(**config))
    return OurSide(ours), TheirSide(sdk)


@functools.cache
def phone_of(email: str) -> str:
    return phone()


def ids(answer: Answer) -> dict[str, Any]:
    return {name: answer.raw[name] for name in ("deviceId", "preAuthSessionId")}


class Asker(Visitor):
    """A visitor who asks for codes, of a tenant or of none, and gets the messages."""

    at = "/auth"

    def code(self, path: str, body: object, **how: str) -> Answer:
        """Send a request for one of the routes that codes have, without what tells one phone from another."""
        answer = self.post(f"{self.at}{CODE}{path}", body, rid="passwordless", **how)
        phone = self.mails()[-1]["to"] if self.mails() else ""
        text = json.dumps(answer.body)
        return attrs.evolve(answer, body=json.loads(text.replace(phone, "<phone>"))) if phone[:1] == "+" else answer

    def ask(self, **body: object) -> Answer:
        return self.code("", body)

    def mails(self) -> list[dict[str, str]]:
        return self.side.mails()

    def newest(self) -> dict[str, str]:
        """Return the newest message."""
        return self.mails()[-1]

    def message(self, answer: Answer) -> Answer:
        """Return the answer to a question for a code, with the form of the message that was sent."""
        message = self.newest()
        link = urlsplit(message["link"] or "")
        query = {name: values for name, values in parse_qs(link.query).items() if name != "preAuthSessionId"}
        parts = {"code": bool(message["code"]), "page": f"{link.netloc}{link.path}", "query": query}
        return attrs.evolve(answer, body=[answer.body, parts, bool(link.fragment)])

    def typed(self, asked: Answer) -> dict[str, Any]:
        """Return the code of the newest message, as a page sends it."""
        return {**ids(asked), "userInputCode": self.newest()["code"]}

    def other(self) -> Asker:
        """Return another browser at the same page."""
        other = Asker(self.side, mode=self.mode, fdi=self.fdi)
        other.at = self.at
        return other


def signing_in_with_a_code(visitor: Asker, email: str) -> Steps:
    """Codes and links by mail and by text message: asked for, wrong, resent, right, used twice, guessed."""
    yield "neither", visitor.ask()
    yield "both", visitor.ask(email=email, phoneNumber="+4930901820")
    yield "no address", visitor.ask(email="no address")
    yield "no number", visitor.ask(phoneNumber="030 1234")
    yield "fake address", visitor.ask(email=email.replace("example.com", "stfakeemail.supertokens.com"))
    yield "ways to sign in", visitor.send("/auth/loginmethods", rid="passwordless")
    exists = f"email/exists?email={email}"
    yield "free", visitor.send(f"/auth/passwordless/{exists}")
    asked = visitor.ask(email=f" {email.upper()} ")
    yield "ask", visitor.message(asked)
    yield "a wrong code", visitor.code("/consume", {**ids(asked), "userInputCode": "wrong"})
    yield "no code", visitor.code("/consume", ids(asked))
    yield "code and link", visitor.code("/consume", {**ids(asked), "userInputCode": "1", "linkCode": "1"})
    yield (
        "a wrong link",
        visitor.code("/consume", {"preAuthSessionId": ids(asked)["preAuthSessionId"], "linkCode": "x" * 43}),
    )
    yield "resend", visitor.message(visitor.code("/resend", ids(asked)))
    yield "resend to another session", visitor.code("/resend", {**ids(asked), "preAuthSessionId": "other"})
    yield "resend to no device", visitor.code("/resend", {"deviceId": "AAAA", "preAuthSessionId": "none"})
    yield "consume at no device", visitor.code("/consume", {"preAuthSessionId": "none", "linkCode": "AAAA"})
    typed = visitor.typed(asked)
    yield "sign up", visitor.code("/consume", typed)
    yield "the same code again", visitor.code("/consume", typed)
    yield "resend afterwards", visitor.code("/resend", ids(asked))
    yield "protected", visitor.send("/sessioninfo")
    yield "refresh", visitor.post("/auth/session/refresh", rid="session")
    yield "verified by the code", visitor.send("/auth/user/email/verify", rid="emailverification")
    yield "verified already", visitor.post("/auth/user/email/verify/token")
    for path in ("/auth/passwordless", "/auth/signup", "/auth/public/passwordless", "/auth/emailpassword"):
        yield f"taken, {path}", visitor.send(f"{path}/{exists}", rid="passwordless")
    yield "sign out", visitor.post("/auth/signout", rid="passwordless")

    yield "ask again", visitor.ask(email=email)
    link, other = parts_of(visitor.newest()["link"]), visitor.other()
    yield "a link in another browser", other.code("/consume", link)
    yield "protected there", other.send("/sessioninfo")
    yield "the same link again", visitor.code("/consume", link)
    two = [visitor.ask(email=email), visitor.ask(email=email)]
    yield (
        "mixed up devices",
        visitor.code("/consume", {**visitor.typed(two[1]), "preAuthSessionId": ids(two[0])["preAuthSessionId"]}),
    )
    for number in range(6):
        yield f"guess {number}", visitor.code("/consume", {**ids(two[0]), "userInputCode": "wrong"})
    yield "the code afterwards", visitor.code("/consume", visitor.typed(two[0]))

    phone = phone_of(email)
    exists = f"phonenumber/exists?phoneNumber=%2B{phone[1:]}"
    yield "a free number", visitor.send(f"/auth/passwordless/{exists}", rid="passwordless")
    asked = visitor.ask(phoneNumber=f"{phone[:3]} {phone[3:5]} {phone[5:]}")
    yield "ask by phone", visitor.message(asked)
    yield "resend by phone", visitor.message(visitor.code("/resend", ids(asked)))
    yield "sign up by phone", visitor.code("/consume", visitor.typed(asked))
    yield "nothing to verify", visitor.send("/auth/user/email/verify")
    yield "sign out by phone", visitor.post("/auth/signout")
    for path in ("/passwordless", "/signup", "/public/passwordless"):
        yield f"a taken number, {path}", visitor.send(f"/auth{path}/{exists}", rid="passwordless")
    yield "a link by phone", visitor.ask(phoneNumber=phone)
    yield "opened", visitor.code("/consume", parts_of(visitor.newest()["link"]))


def signing_in_with_a_session(visitor: Asker, email: str) -> Steps:
    """A page that does not know that its user is signed in."""
    yield "sign up", visitor.code("/consume", visitor.typed(visitor.ask(email=email)))
    asked = visitor.ask(email=email)
    yield "ask", visitor.message(asked)
    yield "resend", visitor.message(visitor.code("/resend", ids(asked)))
    yield "sign in", visitor.code("/consume", visitor.typed(asked))
    yield "protected", visitor.send("/sessioninfo")


def linking_to_a_session(visitor: Asker, email: str) -> Steps:
    """A page that asks for the login method to be added to the user who is signed in."""
    link = {"shouldTryLinkingWithSessionUser": True}
    asked = visitor.ask(email=email)
    typed = visitor.typed(asked)
    yield "ask without a session", visitor.ask(email=email, **link)
    yield "resend without a session", visitor.code("/resend", {**ids(asked), **link})
    yield "consume without a session", visitor.code("/consume", {**typed, **link})
    visitor.post("/auth/signout")
    yield (
        "sign up",
        visitor.code("/consume", {**visitor.typed(visitor.ask(email=email)), "shouldTryLinkingWithSessionUser": False}),
    )
    second = f"second-{email}"
    asked = visitor.ask(email=second, shouldTryLinkingWithSessionUser=False)
    typed = visitor.typed(asked)
    yield "ask", visitor.ask(email=second, **link)
    yield "ask by phone", visitor.ask(phoneNumber=phone_of(email), **link)
    yield "resend", visitor.code("/resend", {**ids(asked), **link})
    yield "consume", visitor.code("/consume", {**typed, **link})
    yield "protected", visitor.send("/sessioninfo")


def in_a_tenant(tenant: str) -> Callable[[Asker, str], Steps]:
    """Return the journey of a visitor who tries all ways to sign in to a tenant."""

    def journey(visitor: Asker, email: str) -> Steps:
        visitor.at = f"/auth/{tenant}"
        for query in ("", "?clientType=web"):
            yield f"ways to sign in {query}", visitor.send(f"{visitor.at}/loginmethods{query}", rid="multitenancy")
        for contact in ({"email": email}, {"phoneNumber": phone_of(email)}):
            [kind] = contact
            before = len(visitor.mails())
            asked = visitor.ask(**contact)
            if len(visitor.mails()) == before:
                yield f"ask, {kind}", asked
                continue
            yield f"ask, {kind}", visitor.message(asked)
            yield f"resend, {kind}", visitor.message(visitor.code("/resend", ids(asked)))
            yield f"a wrong code, {kind}", visitor.code("/consume", {**ids(asked), "userInputCode": "wrong"})
            flow_type = asked.raw["flowType"]
            if flow_type != "MAGIC_LINK":
                yield f"the code, {kind}", visitor.code("/consume", visitor.typed(asked))
                yield f"protected, {kind}", visitor.send("/sessioninfo")
                yield f"sign out after the code, {kind}", visitor.post("/auth/signout")
                visitor.ask(**contact)
            if flow_type != "USER_INPUT_CODE":
                link = parts_of(visitor.newest()["link"])
                public = visitor.other()
                public.at = "/auth"
                yield f"the link at another tenant, {kind}", public.code("/consume", link)
                yield f"the link, {kind}", visitor.code("/consume", link)
                yield f"protected by the link, {kind}", visitor.send("/sessioninfo")
                yield f"sign out, {kind}", visitor.post("/auth/signout")
        for place in (tenant, "public"):
            yield f"known, {place}", visitor.send(f"/auth/{place}/passwordless/email/exists?email={email}")
        yield "sign up with a password", visitor.post(f"{visitor.at}/signup", form(f"p-{email}"))
        yield "its session", visitor.send("/sessioninfo")
        yield "its address, of the tenant", visitor.send(f"{visitor.at}/emailpassword/email/exists?email=p-{email}")
        yield "its address, of the app", visitor.send(f"/auth/emailpassword/email/exists?email=p-{email}")
        yield "sign out again", visitor.post(f"{visitor.at}/signout")
        yield "sign in with a password", visitor.post(f"{visitor.at}/signin", form(f"p-{email}"))
        yield "sign in at the app", visitor.other().post("/auth/signin", form(f"p-{email}"))
        yield "the session at the app", visitor.send("/auth/user/email/verify")
        yield "the session at another tenant", visitor.send("/auth/everything/user/email/verify")
        yield "refresh", visitor.post("/auth/session/refresh")
        reset = {"formFields": [{"id": "email", "value": f"p-{email}"}]}
        yield "a forgotten password", visitor.post(f"{visitor.at}/user/password/reset/token", reset)

    return journey


JOURNEYS: dict[str, Callable[[Asker, str], Steps]] = {
    "signing in with a code": signing_in_with_a_code,
    "signing in with a session": signing_in_with_a_session,
    "linking to a session": linking_to_a_session,
    **{f"in {tenant}": in_a_tenant(tenant) for tenant in TENANTS},
}

RUNS = [
    (name, fdi, mode)
    for name in JOURNEYS
    for place, fdi in enumerate(["1.17", "4.2"] if name.startswith("in ") else TURNS)
    for mode in (MODES if fdi == VERSIONS[-1] and not name.startswith("in ") else [MODES[place % 2]])
]

#: Pages of these versions do not say whether a session matters.
SILENT = tuple(VERSIONS[: VERSIONS.index("3.1")])
KNOWING = tuple(VERSIONS[len(SILENT) :])
NEW_SESSION = (
    "Every sign-in gives a new session, and a session that is there changes nothing unless the page asks for linking. "
    "The official SDK takes such a page for one that asks for a second factor, and sends a code without a link."
)
SAME_MESSAGE = (
    "A further message has what the first one had. The official SDK sends a code and a link if one of them is allowed "
    "by mail and the other by text message."
)
CRASH = "Accounts are not linked in this app, which is no reason for a crash: the official SDK answers 500."
NO_HINT = "A tenant that does not allow the factor refuses before it looks at the credentials, so it tells nothing."

#: From a journey, its step, and the versions in which that differs on purpose, to the reason.
STEPS_ON_PURPOSE: dict[tuple[str, str, tuple[str, ...]], str] = {
    ("signing in with a code", "fake address", tuple(VERSIONS)): (
        "Nobody may sign in with such an address, so no message is sent there. The official SDK sends one."
    ),
    ("signing in with a code", "mixed up devices", tuple(VERSIONS)): "It is the client's fault: 400. Theirs is 500.",
    **dict.fromkeys(
        (("signing in with a session", step, SILENT) for step in ("ask", "resend", "sign in")), NEW_SESSION
    ),
    **dict.fromkeys((("linking to a session", step, SILENT) for step in ("ask", "ask by phone")), NEW_SESSION),
    **dict.fromkeys(
        (("linking to a session", step, KNOWING) for step in ("ask", "ask by phone", "resend", "consume")), CRASH
    ),
    **dict.fromkeys(
        (("in mixed", f"resend, {kind}", tuple(VERSIONS)) for kind in ("email", "phoneNumber")), SAME_MESSAGE
    ),
    **dict.fromkeys(
        (
            (f"in {tenant}", "sign in with a password", tuple(VERSIONS))
            for tenant in ("nothing-yet", "by-code", "by-link", "of-its-own")
        ),
        NO_HINT,
    ),
}


@pytest.mark.parametrize(
    ("name", "fdi", "mode"),
    exhaustive_but(RUNS, [RUNS[0], *(run for run in RUNS if run[1] == VERSIONS[-1])]),
    ids=[" ".join(run) for run in RUNS],
)
def test_a_journey(sides: tuple[Side, Side], name: str, fdi: str, mode: str) -> None:
    mine, theirs = (
        JOURNEYS[name](Asker(side, mode=mode, fdi=fdi), f"{uuid.uuid4().hex}@example.com") for side in sides
    )
    on_purpose = {step for of, step, versions in STEPS_ON_PURPOSE if of == name and fdi in versions}
    different = different_steps(mine, theirs)
    assert different.keys() == on_purpose, "\n".join(step + answers for step, answers in different.items())


EMAIL = {"email": "bodies@example.com"}
DEVICE = {"deviceId": "<device>", "preAuthSessionId": "<session>"}
SESSION = {"preAuthSessionId": "<session>"}

NO_OBJECTS: dict[str, object] = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": [],
    "a list of texts": ["email", "preAuthSessionId", "deviceId", "linkCode"],
    "null": None,
    "a text": "email preAuthSessionId deviceId",
    "a number": 7,
    "an empty object": {},
    "no UTF-8": b'{"email": "\xff"}',
    "deeply nested": b"[" * 5_000 + b"]" * 5_000,
}

EMAILS: dict[str, object] = {
    "null": None,
    "a number": 7,
    "true": True,
    "a list": ["bodies@example.com"],
    "an object": {},
    "empty": "",
    "white space": " ",
    "very long": f"{'a' * 3000}@example.com",
    "two": "a@example.com, b@example.com",
    "one with a line": "a@example.com\nBcc: b@example.com",
    "one with a control character": "a\0@example.com",
    "a lone surrogate": "\ud800@example.com",
}

NUMBERS: dict[str, object] = {
    "null": None,
    "a number": 4930901820,
    "true": True,
    "a list": ["+4930901820"],
    "empty": "",
    "white space": " ",
    "only a plus": "+",
    "very long": "+49" + "1" * 3000,
    "of no country": "+999123456789",
    "too short": "+4912",
    "letters": "+49 CALL ME",
    "an extension": "+4930901820;ext=7",
    "without a country": "030901820",
}

TEXTS: dict[str, object] = {
    "null": None,
    "a number": 7,
    "a list": ["x"],
    "an object": {},
    "empty": "",
    "of another alphabet": "\u00e4\u2028\ud83d\ude00",
    "very long": "A" * 3000,
    "a lone surrogate": "\ud800",
}

LINK_CODES: dict[str, object] = {
    "null": None,
    "a number": 7,
    "empty": "",
    "a path": "../../x",
    "very long": "A" * 3000,
}

#: Bodies that no frontend sends. The ids in angle brackets are those of an attempt that is there.
BODIES: dict[str, tuple[str, object]] = {
    **{
        f"{name}, {path or 'ask'}": (path, body)
        for path in ("", "/resend", "/consume")
        for name, body in NO_OBJECTS.items()
    },
    **{f"an e-mail that is {name}": ("", {"email": value}) for name, value in EMAILS.items()},
    **{f"a number that is {name}": ("", {"phoneNumber": value}) for name, value in NUMBERS.items()},
    "an e-mail and a number that is null": ("", {**EMAIL, "phoneNumber": None}),
    "a member beside": ("", {**EMAIL, "more": 1}),
    "a flag that is a text": ("", {**EMAIL, "shouldTryLinkingWithSessionUser": "yes"}),
    "a flag that is null": ("", {**EMAIL, "shouldTryLinkingWithSessionUser": None}),
    "a flag that is a number, resend": ("/resend", {**DEVICE, "shouldTryLinkingWithSessionUser": 1}),
    **{
        f"a {member} that is {name}, {path}": (path, {**DEVICE, **more, member: value})
        for path, more in {"/resend": {}, "/consume": {"userInputCode": "000000"}}.items()
        for member in ("deviceId", "preAuthSessionId", "userInputCode")[: 2 + len(more)]
        for name, value in TEXTS.items()
    },
    **{
        f"a linkCode that is {name}": ("/consume", {**SESSION, "linkCode": value}) for name, value in LINK_CODES.items()
    },
    "a device without a code": ("/consume", DEVICE),
    "a code without a device": ("/consume", {**SESSION, "userInputCode": "000000"}),
    "no session": ("/consume", {"linkCode": "x"}),
    "a link and a device": ("/consume", {**DEVICE, "linkCode": "x"}),
    "a link and a null code": ("/consume", {**SESSION, "linkCode": "x", "userInputCode": None}),
    "a null link and a code": ("/consume", {**DEVICE, "userInputCode": "000000", "linkCode": None}),
    "a member beside the link": ("/consume", {**SESSION, "linkCode": "x", "more": 1}),
}

NOT_A_TEXT = "What is no text is malformed. The official SDK goes on with it, or calls it an invalid number."
ONLY_A_FLAG = "Only a boolean says whether accounts are to be linked."

#: What we answer with 400 and the official SDK does not crash at (500), with the reason.
STRICTER: dict[str, str] = {
    **dict.fromkeys((f"a number that is {name}" for name in ("a number", "true", "a list")), NOT_A_TEXT),
    **dict.fromkeys(
        (
            f"a preAuthSessionId that is {name}, {path}"
            for name in ("null", "a number", "a list", "an object")
            for path in ("/resend", "/consume")
        ),
        NOT_A_TEXT,
    ),
    **dict.fromkeys(
        (
            *("a deviceId that is null, /resend", "a deviceId that is null, /consume"),
            *("a userInputCode that is null, /consume", "a linkCode that is null"),
        ),
        NOT_A_TEXT,
    ),
    "a preAuthSessionId that is a lone surrogate, /resend": "It is in no text that can be stored or compared.",
    **dict.fromkeys(("a flag that is a text", "a flag that is null", "a flag that is a number, resend"), ONLY_A_FLAG),
    "an e-mail that is one with a control character": "Two accounts would look like one.",
    "an e-mail that is very long": "No mail server takes an address of more than 254 characters.",
}


def test_bodies_that_no_frontend_sends(sides: tuple[Side, Side]) -> None:
    different: dict[str, str] = {}
    for name, (path, body) in BODIES.items():
        answers = []
        for side in sides:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            if b"<" in data:
                known = ids(Asker(side, mode="header").ask(**EMAIL))
                data = data.replace(b"<device>", known["deviceId"].encode())
                data = data.replace(b"<session>", known["preAuthSessionId"].encode())
            answers.append(side.send(f"/auth{CODE}{path}", method="POST", data=data, content_type="application/json"))
        mine, theirs = answers
        assert mine.status in (200, 400), name
        if mine != theirs and (mine.status, theirs.status) != (400, 500):
            different[name] = f"{mine.status} {mine.body}, {theirs.status} {theirs.body}"
    assert different.keys() == STRICTER.keys(), json.dumps(
        {name: different.get(name) for name in different.keys() ^ STRICTER.keys()}, indent=1
    )


REQUESTS: dict[str, dict[str, Any]] = {
    **{
        f"{kind} exists, {name}": {"path": f"/auth/passwordless/{path}/exists{query}"}
        for kind, path, member, good in (
            ("an e-mail", "email", "email", "x@example.com"),
            ("a number", "phonenumber", "phoneNumber", "%2B4930901820"),
        )
        for name, query in {
            "none": "",
            "empty": f"?{member}=",
            "two": f"?{member}={good}&{member}={good}",
            "another name": f"?other={good}",
            "no such thing": f"?{member}=x",
            "in other letters": f"?{member.upper()}={good}",
            "a plus that became a space": f"?{member}=+4930901820",
            "not UTF-8": f"?{member}=%ff",
        }.items()
    },
    "an older path without a number": {"path": "/auth/signup/phonenumber/exists"},
    "ways of a tenant that does not exist": {"path": "/auth/nowhere/loginmethods"},
    "ways of a tenant in other letters": {"path": "/auth/By-Code/loginmethods"},
    "ways of a tenant that is none": {"path": "/auth/a_b/loginmethods"},
    "ways for two types of client": {"path": "/auth/loginmethods?clientType=web&clientType=ios"},
    "ways, with another recipe": {"path": "/auth/loginmethods", "rid": "session"},
    "ways, by POST": sending({}, "/auth/loginmethods"),
    "a code of a tenant that does not exist": sending(EMAIL, f"/auth/nowhere{CODE}"),
    "a code by GET": {"path": f"/auth{CODE}"},
    "a code by PUT": {**sending(EMAIL, f"/auth{CODE}"), "method": "PUT"},
    "a code, a slash behind": sending(EMAIL, f"/auth{CODE}/"),
    "a code, as a form": sending(EMAIL, f"/auth{CODE}", content_type="text/plain"),
    "a code, without a type": sending(EMAIL, f"/auth{CODE}", content_type=""),
    "a code, with another recipe": sending(EMAIL, f"/auth{CODE}", rid="emailpassword"),
    "a code, with a recipe of two": sending(EMAIL, f"/auth{CODE}", rid="thirdpartypasswordless"),
    "a code, with a recipe that there is not": sending(EMAIL, f"/auth{CODE}", rid="webauthn"),
    "a code, with an unknown token": sending(EMAIL, f"/auth{CODE}", rid="passwordless", token="junk"),
    "a code to link, with an unknown token": sending(
        {**EMAIL, "shouldTryLinkingWithSessionUser": True}, f"/auth{CODE}", rid="passwordless", token="junk"
    ),
}

#: What differs apart from requests that the official SDK crashes at, with the reason.
REQUESTS_ON_PURPOSE: dict[str, str] = {
    "an e-mail exists, two": "It is not clear which one is meant; the official SDK takes the first.",
    "a number exists, two": "As before.",
    "ways of a tenant in other letters": "A tenant has one name. The core keeps ids in small letters.",
}


def test_single_requests(sides: tuple[Side, Side]) -> None:
    different: dict[str, str] = {}
    for name, request in REQUESTS.items():
        mine, theirs = (side.send(**request) for side in sides)
        assert mine.status < 500, name
        if mine != theirs and (mine.status, theirs.status) != (400, 500):
            different[name] = f"{mine}\n   {theirs}"
    assert different.keys() == REQUESTS_ON_PURPOSE.keys(), "\n".join(
        f"{name}: {different.get(name)}" for name in different.keys() ^ REQUESTS_ON_PURPOSE.keys()
    )
