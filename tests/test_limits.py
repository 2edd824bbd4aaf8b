"""Limits of attempts: how they are counted, the client's address, the keys, and the responses of the routes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from st_wsgi import AppInfo, AttemptLimits, MemoryAttempts, SecurityEvent, SuperTokens
from st_wsgi.attempts import AttemptStore
from st_wsgi.embedded import EmbeddedCore
from st_wsgi.errors import ConfigError
from st_wsgi.limits import Limiter, RateLimit, account_key, address_key, client_address
from st_wsgi.recipes.emailpassword import EmailPassword


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def in_memory(clock: Clock | None = None, **limits: int) -> AttemptLimits:
    """Limits that live in the time of the test."""
    return AttemptLimits(store=MemoryAttempts(clock=clock or Clock()), **limits)


def test_accounts_addresses_and_routes_are_counted_apart() -> None:
    limit = in_memory(per_account=1, per_address=1, per_account_and_address=1)
    keys = [
        ("account:public:a@b.co", "/signin"),
        ("account:public:a@b.co", "/signup"),
        ("account:t1:a@b.co", "/signin"),
    ]
    keys += [("account:public:b@b.co", "/signin"), ("address:10.0.0.1", "/signin"), ("address:10.0.0.2", "/signin")]
    keys += [("both:10.0.0.1 public:a@b.co", "/signin"), ("both:10.0.0.2 public:a@b.co", "/signin")]
    assert [limit(*key) for key in keys] == [None] * len(keys)
    assert all(limit(*key) is not None for key in keys)


@pytest.mark.parametrize(
    ("forwarded", "proxies", "expected"),
    [
        pytest.param("6.6.6.6", 0, "10.0.0.1", id="W-026 no proxy is trusted: the client may have made the header up"),
        pytest.param("6.6.6.6, 7.7.7.7", 1, "7.7.7.7", id="one proxy: the last entry is what it saw"),
        pytest.param("6.6.6.6, 7.7.7.7, 8.8.8.8", 2, "7.7.7.7", id="two proxies: the last but one"),
        pytest.param("7.7.7.7", 3, "7.7.7.7", id="fewer entries than proxies: the leftmost"),
        pytest.param(None, 1, "10.0.0.1", id="no header"),
        pytest.param("", 1, "10.0.0.1", id="an empty header"),
        pytest.param("6.6.6.6, ", 1, "10.0.0.1", id="an empty entry"),
        pytest.param("6.6.6.6, unknown", 1, "10.0.0.1", id="an entry that is no address: that of the proxy"),
        pytest.param("7.7.7.7:80:90", 1, "10.0.0.1", id="two ports"),
        pytest.param("7.7.7.7:http", 1, "10.0.0.1", id="a port that is no number"),
        pytest.param("07.7.7.7", 1, "10.0.0.1", id="an octal number, which some would read as another address"),
        pytest.param("7.7.7.7" + " " * 100_000 + "x", 1, "10.0.0.1", id="a very long entry"),
        pytest.param("6.6.6.6, 7.7.7.7:4711", 1, "7.7.7.7", id="an IPv4 address with a port"),
        pytest.param("[2001:db8::1]:4711", 1, "2001:db8::1", id="an IPv6 address with a port"),
        pytest.param("[2001:DB8:0:0::1]", 1, "2001:db8::1", id="an IPv6 address in brackets, in another spelling"),
        pytest.param("fe80::1%eth0", 1, "fe80::1", id="an IPv6 address with a zone"),
        pytest.param("::ffff:7.7.7.7", 1, "7.7.7.7", id="an IPv4 address inside an IPv6 address"),
        pytest.param("[::ffff:707:707]:4711", 1, "7.7.7.7", id="the same in hexadecimal, with a port"),
    ],
)
def test_the_address_is_read_from_the_right_and_kept_in_one_form(
    forwarded: str | None, proxies: int, expected: str
) -> None:
    assert client_address("10.0.0.1", forwarded, trusted_proxies=proxies) == expected


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("10.0.0.1:50123", "10.0.0.1"),
        ("", ""),
        ("unix:", ""),
        ("/run/app.sock", ""),
        ("localhost", ""),
    ],
)
def test_the_address_that_the_server_saw_is_kept_in_the_same_form_and_empty_if_it_is_none(
    remote: str, expected: str
) -> None:
    assert client_address(remote, None, trusted_proxies=0) == expected
    assert client_address(remote, "unknown", trusted_proxies=1) == expected


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("7.7.7.7", "address:7.7.7.7"),
        ("2001:db8:1:2::1", "address:2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "address:2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "address:2001:db8:1:3::/64"),
        ("", "address:unknown"),
    ],
)
def test_ipv6_is_counted_by_the_network_that_one_customer_gets(address: str, key: str) -> None:
    assert address_key(address) == key


def test_an_account_key_has_a_bounded_length_and_still_tells_long_accounts_apart() -> None:
    assert account_key("t1", "a@b.co") == "account:t1:a@b.co"
    longest, longer, other = ("a" * 251 + "@b.co", "a" * 252 + "@b.co", "b" * 100_000)
    assert account_key("public", longest) == f"account:public:{longest}"
    keys = {account_key("public", account) for account in (longer, other, other + "\ud800")}
    assert len(keys) == 3
    assert all(len(key) < 300 for key in keys)


def nothing(environ: Any, start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [])
    return []


class App:
    """An app with a rate limit, and a client of it."""

    def __init__(self, rate_limit: RateLimit, trusted_proxies: int | None = 0, **settings: Any) -> None:
        self.supertokens = SuperTokens(
            app_info=AppInfo(app_name="Shop", api_domain="http://localhost", website_domain="http://localhost"),
            core="sqlite://?argon2_memory_kb=64",
            recipes=[EmailPassword()],
            rate_limit=rate_limit,
            trusted_proxies=trusted_proxies,
            **settings,
        )
        self.client = Client(self.supertokens.wrap(nothing))

    def try_to(self, route: str, email: str, *, sender: str = "10.0.0.1", **headers: str) -> TestResponse:
        fields = [{"id": "email", "value": email}, {"id": "password", "value": "secret123"}]
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(
            f"/auth{route}", json={"formFields": fields}, headers=names, environ_base={"REMOTE_ADDR": sender}
        )


@pytest.fixture
def limited() -> Iterator[App]:
    app = App(in_memory(per_address=5, per_account=2), trusted_proxies=1)
    yield app
    app.supertokens.close()


def test_tries_at_one_account_are_limited_from_whatever_address() -> None:
    app = App(in_memory(per_account=2), trusted_proxies=1)
    answers = [app.try_to("/signin", "a@b.co", x_forwarded_for=f"10.0.0.{number}") for number in range(3)]
    app.supertokens.close()
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json == {
        "status": "GENERAL_ERROR",
        "message": "Too many attempts. Please try again in 5 minutes.",
    }
    assert answers[-1].headers["Retry-After"] == "300"


def test_the_case_of_an_email_gives_no_further_tries(limited: App) -> None:
    answers = [limited.try_to("/signin", email) for email in ("a@b.co", "A@B.CO", " a@b.Co ")]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_tries_from_one_address_are_limited_at_whatever_accounts(limited: App) -> None:
    answers = [limited.try_to("/signup", f"user{number}@b.co") for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    # The client cannot pass for another one by inventing entries on the left.
    assert limited.try_to("/signup", "x@b.co", x_forwarded_for="1.2.3.4").status_code == 200
    for number in range(4):
        limited.try_to("/signup", f"y{number}@b.co", x_forwarded_for="1.2.3.4")
    assert limited.try_to("/signup", "z@b.co", x_forwarded_for="9.9.9.9, 1.2.3.4").status_code == 429


def test_the_port_of_a_proxys_entry_and_the_end_of_an_ipv6_address_give_no_further_tries() -> None:
    """One client changes both at will: a port for every connection, an address for every request."""
    app = App(in_memory(per_address=2), trusted_proxies=1)
    for senders in (
        [f"7.7.7.7:{port}" for port in (50001, 50002)] + ["::ffff:7.7.7.7"],
        ["2001:db8::1", "2001:db8::ffff:1", "[2001:db8::2:1]:50001"],
        ["unknown", "_hidden", "not an address"],
    ):
        responses = [
            app.try_to("/signup", f"user{number}@b.co", x_forwarded_for=sender) for number, sender in enumerate(senders)
        ]
        assert [response.status_code for response in responses] == [200, 200, 429], senders
    app.supertokens.close()


def test_an_email_of_any_length_costs_the_limits_little_memory() -> None:
    keys: list[str] = []
    app = App(lambda key, _route: keys.append(key))
    for length in (1_000, 2_000):
        response = app.client.get(f"/auth/emailpassword/email/exists?email={'a' * length}@b.co")
        assert response.status_code == 200
    app.supertokens.close()
    accounts = [key for key in keys if key.startswith("account:")]
    assert len(set(accounts)) == 2
    assert max(map(len, accounts)) < 300


def test_asking_whether_an_email_is_known_is_limited_too(limited: App) -> None:
    url = "/auth/emailpassword/email/exists?email=a@b.co"
    assert [limited.client.get(url).status_code for _ in range(3)] == [200, 200, 429]


def test_a_function_of_the_app_decides_with_the_key_and_the_route() -> None:
    asked: list[tuple[str, str]] = []

    def decide(key: str, route: str, /) -> float | None:
        asked.append((key, route))
        return 7.2 if key.startswith("account:") else None

    app = App(decide)
    answer = app.try_to("/t1/signin", "a@b.co", x_forwarded_for="6.6.6.6")
    app.supertokens.close()
    assert asked == [
        ("address:10.0.0.1", "/signin"),
        ("both:10.0.0.1 t1:a@b.co", "/signin"),
        ("account:t1:a@b.co", "/signin"),
    ]
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "8"


@pytest.mark.parametrize(
    ("peer", "header"),
    [
        ("127.0.0.1", "x_forwarded_for"),
        ("::1", "forwarded"),
        ("10.1.2.3", "x_real_ip"),
        ("172.31.0.1", "via"),
        ("100.64.0.9", "x_forwarded_proto"),
        ("fd00::1", "x_forwarded_for"),
        ("", "x_forwarded_for"),
    ],
)
def test_visitors_of_a_proxy_that_nobody_named_do_not_share_the_limit_of_its_address(
    peer: str, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = App(in_memory(per_address=2), trusted_proxies=None)
    tries = [app.try_to("/signup", f"{n}@b.co", sender=peer, **{header: f"6.6.6.{n}"}) for n in range(4)]
    app.supertokens.close()
    assert [answer.status_code for answer in tries] == [200] * 4
    [record] = [record for record in caplog.records if record.name == "st_wsgi.limits"]
    assert record.levelname == "WARNING"
    assert "not limited by address" in record.getMessage()
    assert "set trusted_proxies" in record.getMessage()


@pytest.mark.parametrize(
    ("peer", "header"),
    [
        pytest.param("8.8.8.8", "6.6.6.{}", id="a client of the internet made the header up"),
        pytest.param("2606:4700::1", "6.6.6.{}", id="likewise by IPv6"),
        pytest.param("2002:808:808::1", "10.0.0.{}", id="6to4, which is of the internet"),
        pytest.param("2001:0:808:808::1", "10.0.0.{}", id="Teredo, likewise"),
        pytest.param("172.32.0.1", "6.6.6.{}", id="next to a private network"),
        pytest.param("10.0.0.1", None, id="a private network without a proxy"),
        pytest.param("127.0.0.1", None, id="the own machine without a proxy"),
    ],
)
def test_nobody_escapes_the_limit_of_their_address_by_a_header(
    peer: str, header: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    app = App(in_memory(per_address=2), trusted_proxies=None)
    tries = [
        app.try_to("/signup", f"{n}@b.co", sender=peer, **({"x_forwarded_for": header.format(n)} if header else {}))
        for n in range(4)
    ]
    app.supertokens.close()
    assert [answer.status_code for answer in tries] == [200, 200, 429, 429]
    # It may still be a proxy: of a service in front of the app, or one that says nothing.
    assert len([record for record in caplog.records if "set trusted_proxies" in record.getMessage()]) == 1


def test_behind_a_proxy_that_nobody_named_accounts_keep_both_their_limits() -> None:
    rate_limit = in_memory(per_account_and_address=2, per_account=3)
    app = App(rate_limit, trusted_proxies=None)
    senders = ("127.0.0.1", "127.0.0.1", "127.0.0.1", "10.0.0.1", "10.0.0.2")
    answers = [app.try_to("/signin", "a@b.co", sender=sender, x_forwarded_for="6.6.6.6") for sender in senders]
    app.supertokens.close()
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200, 429]


def test_no_proxy_in_words_counts_the_proxys_address_and_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    app = App(in_memory(per_address=2), trusted_proxies=0)
    answers = [app.try_to("/signup", f"{n}@b.co", sender="127.0.0.1", x_forwarded_for="6.6.6.6") for n in range(3)]
    app.supertokens.close()
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "trusted_proxies" not in caplog.text


def test_who_guesses_from_one_address_does_not_lock_the_owner_out() -> None:
    app = App(AttemptLimits())
    guesses = [app.try_to("/signin", "a@b.co", sender="6.6.6.6").status_code for _ in range(150)]
    assert guesses == [200] * 10 + [429] * 140
    assert app.try_to("/signin", "a@b.co", sender="7.7.7.7").status_code == 200
    others = [app.try_to("/signin", "a@b.co", sender=f"9.9.9.{n}").status_code for n in range(100)]
    app.supertokens.close()
    assert others == [200] * 89 + [429] * 11  # ten, one and 89 are a hundred


def test_refused_attempts_are_not_counted_and_make_one_event() -> None:
    store, events = Store(), list[SecurityEvent]()
    limits = AttemptLimits(store=store, per_account=2, per_account_and_address=2, per_address=3)
    app = App(limits, on_security_event=events.append)
    assert [app.try_to("/signin", "a@b.co").status_code for _ in range(3)] == [200, 200, 429]
    store.keys.clear()
    for _ in range(5):  # from one address, then from others
        assert app.try_to("/signin", "a@b.co").status_code == 429
    assert store.keys == []
    assert [event.reason for event in events if event.name == "limited"] == ["both"]
    assert app.try_to("/signup", "a@b.co").status_code == 200  # each route has limits of its own
    app.supertokens.close()


class Waits:
    """A limit of the app's own that refuses everything for as long as it is told."""

    def __init__(self, *waits: float) -> None:
        self.waits = list(waits)
        self.cleared: list[tuple[str, str]] = []

    def __call__(self, key: str, route: str, /) -> float | None:
        return self.waits.pop(0) if self.waits else None

    def clear(self, key: str, route: str, /) -> None:
        self.cleared.append((key, route))


def test_a_key_is_asked_for_again_when_its_wait_is_over() -> None:
    limiter = Limiter(Waits(1000, 0, 2000))
    assert limiter.refusal(["account:a"], "/signin") == (1000, "account")
    wait, kind = limiter.refusal(["account:a"], "/signin") or (0, "")
    assert (0 < wait < 1000, kind) == (True, None)
    assert limiter.refusal(["account:b"], "/signin") == (0, "account")
    assert limiter.refusal(["account:b"], "/signin") == (2000, "account")


def test_a_process_remembers_a_bounded_number_of_refused_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("st_wsgi.limits._MOST_REFUSED", 2)
    limiter = Limiter(Waits(1000, 1001, 1002, 1003))
    keys = ("account:a", "account:b", "account:c", "account:a", "account:c")
    kinds = [(limiter.refusal([key], "/signin") or (0, ""))[1] for key in keys]
    assert kinds == ["account"] * 4 + [None]  # the third one made room, so the first one is asked for again


@pytest.mark.parametrize("rate_limit", [AttemptLimits(per_account=1), in_memory(per_account=1)])
def test_what_is_forgotten_may_be_tried_again(rate_limit: RateLimit) -> None:
    limiter = Limiter(rate_limit)
    for _ in range(2):
        assert limiter.refusal(["account:a"], "/signin") is None
        assert limiter.refusal(["account:a"], "/signin") is not None
        limiter.forget(["account:a"], "/signin")


def test_a_limit_of_the_apps_own_is_told_of_a_sign_in_that_succeeded() -> None:
    waits = Waits()
    app = App(waits)
    app.try_to("/signup", "a@b.co")
    app.try_to("/signin", "a@b.co")
    app.supertokens.close()
    assert waits.cleared == [("both:10.0.0.1 public:a@b.co", "/signin"), ("account:public:a@b.co", "/signin")]


def test_a_child_process_does_not_wait_for_a_lock_that_a_thread_of_its_parent_holds() -> None:
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "tests/transport/lock_fork_program.py", "limits"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests"), *sys.path])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "fine\n", done.stdout + done.stderr


def test_a_negative_number_of_proxies_is_refused() -> None:
    with pytest.raises(ConfigError, match="trusted_proxies"):
        App(AttemptLimits(), trusted_proxies=-1)


class Store:
    """A store of the app's own, as one on Redis would be."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.memory = MemoryAttempts()

    def add(self, key: str, seconds: int, /) -> tuple[int, float]:
        self.keys.append(key)
        return self.memory.add(key, seconds)

    def clear(self, key: str, /) -> None:
        self.memory.clear(key)


class BrokenStore:
    """A store that is down."""

    def add(self, key: str, seconds: int, /) -> tuple[int, float]:
        raise ConnectionError(f"no server for {key}")

    def clear(self, key: str, /) -> None:
        raise ConnectionError(f"no server for {key}")


@pytest.fixture(params=["memory", "embedded core"])
def store_and_clock(request: pytest.FixtureRequest) -> Iterator[tuple[AttemptStore, Clock]]:
    clock = Clock()
    if request.param == "memory":
        yield MemoryAttempts(clock=clock), clock
    else:
        with EmbeddedCore(clock=lambda: int(clock.now * 1000)) as core:
            yield core.attempts, clock


def test_a_store_counts_in_periods_that_begin_with_the_first_attempt(
    store_and_clock: tuple[AttemptStore, Clock],
) -> None:
    store, clock = store_and_clock
    assert store.add("a", 60) == (1, 60)
    clock.now += 20
    assert store.add("a", 60) == (2, 40)
    assert store.add("b", 60) == (1, 60)
    clock.now += 40
    assert store.add("a", 60) == (1, 60)
    store.clear("a")
    assert store.add("a", 60) == (1, 60)
    assert store.add("b", 60) == (2, 20)


def test_the_memory_keeps_no_more_counters_than_its_size() -> None:
    memory = MemoryAttempts(size=2, clock=Clock())
    for key in ("a", "b", "c"):
        memory.add(key, 60)
    assert memory.add("c", 60)[0] == 2
    assert memory.add("a", 60)[0] == 1


def test_two_processes_on_one_file_share_their_limits(tmp_path: Path) -> None:
    """Each worker has an embedded core of its own; the file is the same."""
    with EmbeddedCore(tmp_path / "auth.db") as one, EmbeddedCore(tmp_path / "auth.db") as other:
        numbers = [core.attempts.add("a", 60)[0] for core in (one, other, one, other)]
    assert numbers == [1, 2, 3, 4]


def test_expired_counters_leave_the_file() -> None:
    clock = Clock()
    with EmbeddedCore(clock=lambda: int(clock.now * 1000)) as core:
        for number in range(40):
            core.attempts.add(f"old {number}", 60)
        clock.now += 2 * 3600
        for _ in range(40):
            core.attempts.add("new", 60)
        with core.services.store.read() as db:
            assert db.run("SELECT count(*) FROM attempts").fetchone() == (1,)


def test_a_store_of_the_apps_own_learns_neither_address_nor_account() -> None:
    store = Store()
    limits = AttemptLimits(store=store, per_account=1)
    assert limits("account:public:ada@example.com", "/signin") is None
    assert limits("account:public:ada@example.com", "/signup") is None
    assert (limits("account:public:ada@example.com", "/signin") or 0) > 0
    limits.clear("account:public:ada@example.com", "/signin")
    assert limits("account:public:ada@example.com", "/signin") is None
    assert {len(key) for key in store.keys} == {64}
    assert len(set(store.keys)) == 2


def test_while_a_store_is_down_each_process_counts_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    limits = AttemptLimits(store=BrokenStore(), per_account=2)
    waits = [limits("account:public:ada@example.com", "/signin") for _ in range(3)]
    assert [wait is None for wait in waits] == [True, True, False]
    limits.clear("account:public:ada@example.com", "/signin")
    assert "the store raised ConnectionError" in caplog.text
    assert "no server" not in caplog.text


def test_a_store_may_be_an_empty_container() -> None:
    class Counters(dict[str, int]):
        def add(self, key: str, seconds: int, /) -> tuple[int, float]:
            self[key] = self.get(key, 0) + 1
            return self[key], seconds

        def clear(self, key: str, /) -> None:  # type: ignore[override]  # a store's, not a dictionary's
            self.pop(key, None)

    store = Counters()
    limits = AttemptLimits(store=store)
    limits("account:public:ada@example.com", "/signin")
    assert list(store.values()) == [1]


def test_a_limit_that_cannot_forget_fails_no_sign_in(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def __call__(self, key: str, route: str, /) -> float | None:
            return None

        def clear(self, key: str, route: str, /) -> None:
            raise ConnectionError(f"no server for {key}")

    Limiter(Broken()).forget(["account:public:ada@example.com"], "/signin")
    assert "attempts were not forgotten: rate_limit raised ConnectionError" in caplog.text
    assert "ada@example.com" not in caplog.text


def test_mails_have_limits_of_their_own() -> None:
    limits = AttemptLimits(per_account=1, per_account_and_address=1, mails_per_account=3, mail_period=3600)
    route = "/user/password/reset/token"
    assert [limits("both:6.6.6.6 public:a@b.co", route) for _ in range(4)] == [None] * 4
    assert [limits("account:public:a@b.co", route) is None for _ in range(4)] == [True, True, True, False]
    wait = limits("account:public:a@b.co", route)
    assert wait == pytest.approx(3600, abs=60)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"per_account": 0}, "per_account must be a number of attempts"),
        ({"per_address": -1}, "per_address must be a number of attempts"),
        ({"per_account_and_address": "9"}, "per_account_and_address must be a number of attempts"),
        ({"mail_period": 1.5}, "mail_period must be a number of seconds"),
        ({"store": "redis://localhost"}, r"store must be an object with add\(\) and clear\(\)"),
        ({"store": MemoryAttempts}, r"store must be an object with add\(\) and clear\(\)"),  # the class itself
    ],
)
def test_a_wrong_limit_is_named(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        AttemptLimits(**settings)
