"""Catalogue 3.9, the exchange: real sockets, a server that misbehaves, deadlines and counts of requests."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from st_verify import FetchFailed, KeysUnavailable, RemoteKeys, SettingError
from st_verify.fetch import HttpFetcher
from st_verify.jwk import MAX_DOCUMENT
from verify.hostile_server import hostile_server, reply
from verify.minting import FakeClock, jwk, jwks, private_key

GOOD = jwks(jwk())
# For a server that never answers. Any other has as long as a loaded machine may need.
DEADLINE = 0.4
PATIENCE = 20.0
# Far more than a fetch with the short deadline may take, on the slowest machine.
GENEROUS = 10.0


def fetch(url: str | list[str], **options: Any) -> str:
    """The reason of the failure; "" if there was none. Never takes long."""
    start = time.monotonic()
    try:
        HttpFetcher(url, **{"timeout": PATIENCE, **options})()
    except FetchFailed as failure:
        return failure.reason
    finally:
        assert time.monotonic() - start < GENEROUS
    return ""


def endless(part: bytes) -> Iterator[bytes]:
    return itertools.repeat(part)


def dripping(data: bytes, pause: float) -> Iterator[bytes | float]:
    for byte in itertools.cycle(data):
        yield bytes([byte])
        yield pause


HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BLANKS = b" " * 65_536

EXCHANGES: list[Any] = [
    pytest.param(lambda: reply(GOOD), "", id="V-184 a good answer"),
    pytest.param(lambda: itertools.chain([HEAD], endless(BLANKS)), "document_too_large", id="V-180 endless body"),
    pytest.param(lambda: reply(BLANKS, length=64 * 1024 * 1024), "document_too_large", id="V-180 64 MB announced"),
    pytest.param(lambda: reply(b" " * (MAX_DOCUMENT + 1)), "document_too_large", id="V-180 one byte more"),
    pytest.param(lambda: reply(GOOD[:100], length=len(GOOD)), "incomplete", id="V-180 less than announced"),
    pytest.param(lambda: reply(GOOD, length=-5), "", id="V-180 negative length"),
    pytest.param(lambda: [CHUNKED, b"zzz\r\n"], "connection", id="V-180 broken chunk"),
    pytest.param(
        lambda: itertools.chain([CHUNKED], endless(b"1000\r\n" + b" " * 4096 + b"\r\n")),
        "document_too_large",
        id="V-180 endless chunks",
    ),
    pytest.param(lambda: dripping(b"HTTP/1.1 200 OK\r\nA", 0.05), "timeout", id="V-181 dripping head"),
    pytest.param(lambda: itertools.chain([HEAD], dripping(b" ", 0.05)), "timeout", id="V-181 dripping body"),
    pytest.param(
        lambda: itertools.chain([HEAD[:-2]], endless(b"A: b\r\n")), "connection", id="V-181 endless headers"
    ),
    pytest.param(lambda: [HEAD[:9], 20.0], "timeout", id="V-182 falls silent"),
    pytest.param(lambda: [20.0], "timeout", id="V-182 never answers"),
    pytest.param(list, "connection", id="V-182 hangs up"),
    pytest.param(lambda: [b"\x00\xff" * 50 + b"\r\n\r\n"], "connection", id="V-182 is no web server"),
    *[
        pytest.param(
            lambda status=status, target=target: reply(b"", status=f"{status} Moved", headers=[("Location", target)]),
            f"status_{status}",
            id=f"V-183 {status} to {target}",
        )
        for status in (301, 302, 307, 308)
        for target in ("https://evil.example/jwks", "file:///etc/passwd", "http://169.254.169.254/", "/jwks.json")
    ],
    *[
        pytest.param(
            lambda status=status, body=body: reply(body, status=f"{status} X"), f"status_{status}", id=f"V-185 {status}"
        )
        for status, body in {204: b"", 206: GOOD, 304: b"", 404: GOOD, 429: b"", 500: GOOD, 503: b"", 201: GOOD}.items()
    ],
    pytest.param(
        lambda: reply(gzip.compress(b" " * 10_000_000), headers=[("Content-Encoding", "gzip")]),
        "content_encoding",
        id="V-186 gzip bomb",
    ),
    pytest.param(lambda: reply(GOOD, headers=[("Content-Encoding", "br")]), "content_encoding", id="V-186 brotli"),
    pytest.param(lambda: reply(GOOD, headers=[("Content-Encoding", "identity")]), "", id="V-186 identity"),
]  # fmt: skip


@pytest.mark.parametrize(("replies", "reason"), EXCHANGES)
def test_every_exchange_ends_in_time_with_one_request(replies: Any, reason: str) -> None:
    with hostile_server(replies()) as server:
        assert fetch(server.url, timeout=DEADLINE if reason == "timeout" else PATIENCE) == reason
        assert server.wait_for_requests(1)
        assert len(server.requests) == 1


def test_the_request_is_plain() -> None:
    """V-183, V-186: nothing but the document is asked for, and no client is identified."""
    with hostile_server(reply(GOOD)) as server:
        assert fetch(server.url + "?a=b") == ""
        lines = server.requests[0].split("\r\n")
    assert lines[0] == "GET /jwks.json?a=b HTTP/1.1"
    names = sorted(line.partition(":")[0].lower() for line in lines[1:] if line)
    assert names == ["accept", "accept-encoding", "connection", "host", "user-agent"]
    assert "Accept-Encoding: identity" in lines


def test_nothing_listens() -> None:
    """V-182. The port is taken, so that no other program can listen there meanwhile."""
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        assert fetch(f"http://127.0.0.1:{placeholder.getsockname()[1]}/") == "connection"


def test_a_connection_that_is_never_accepted_ends_in_time() -> None:
    """V-182: no connection is taken from the queue, and no answer comes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        assert fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=DEADLINE) == "timeout"


def test_a_resolver_that_hangs_delays_nobody_beyond_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """V-182: the system's resolver has no deadline of its own, so the wait for the fetch has one."""
    release = threading.Event()
    asked = threading.Event()

    def hang(*args: Any, **options: Any) -> list[Any]:
        asked.set()
        release.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    keys = RemoteKeys("https://api.example.com/jwks.json", timeout=0.1)
    start = time.monotonic()
    try:
        with pytest.raises(KeysUnavailable):
            keys.snapshot()
        assert time.monotonic() - start < GENEROUS
        assert asked.wait(PATIENCE)
    finally:
        release.set()


def test_readers_with_keys_are_not_delayed_by_a_server_that_hangs() -> None:
    """V-182, V-214: fresh and stale keys are served at once, the refresh goes on behind."""
    time_now = FakeClock()
    with hostile_server(reply(GOOD)) as server:
        keys = RemoteKeys(server.url, clock=time_now.clock, timeout=20)
        keys.preload()
        server.replies = [20.0]
        time_now.advance(20_000)
        start = time.monotonic()
        for _ in range(100):
            assert set(keys.snapshot().keys) == {jwk()["kid"]}
        assert time.monotonic() - start < GENEROUS
        assert server.wait_for_requests(2)
        keys.snapshot()
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("100000", 300), ("-5", 0), ("soon", 0), ("Wed, 21 Oct 2099 07:28:00 GMT", 0)]
)
def test_retry_after_is_heard_up_to_five_minutes(header: str, seconds: float) -> None:
    """V-185"""
    with hostile_server(reply(b"", status="429 Slow down", headers=[("Retry-After", header)])) as server:
        with pytest.raises(FetchFailed) as caught:
            HttpFetcher(server.url)()
        assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("header", "max_age"),
    [
        ("max-age=600, must-revalidate", 600),
        ("public,max-age=1", 1),
        ("max-age=0", 0),
        ("MAX-AGE=60", 60),
        ("max-age=-5", None),
        ("max-age=abc", None),
        ("max-age=" + "9" * 18, 1e18),
        ("max-age=" + "9" * 40, None),
        ("s-max-age=5", None),
        ("no-store", 0),
        ("no-cache, max-age=600", 0),
        ("", None),
    ],
)
def test_max_age_is_read(header: str, max_age: float | None) -> None:
    """V-202: what it is clamped to is shown where keys are kept."""
    with hostile_server(reply(GOOD, headers=[("Cache-Control", header), ("Age", "99"), ("Date", "never")])) as server:
        assert HttpFetcher(server.url)().max_age == max_age


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Self-signed certificates: right.pem, expired.pem, other.pem (another host)."""
    folder = tmp_path_factory.mktemp("certificates")
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    for name, host, end in (
        ("right", "127.0.0.1", now + day),
        ("expired", "127.0.0.1", now - day),
        ("other", "10.0.0.1", now + day),
    ):
        key = private_key("tls")
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 3 * day)
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.pem").write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    return folder


@pytest.mark.parametrize(
    ("name", "trusted", "reason"),
    [("right", True, ""), ("right", False, "tls"), ("expired", True, "tls"), ("other", True, "tls")],
)
def test_certificates_are_verified(certificates: Path, name: str, trusted: bool, reason: str) -> None:
    """V-200: expired, self-signed and not trusted, of another host."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificates / f"{name}.pem")
    context = ssl.create_default_context(cafile=certificates / f"{name}.pem") if trusted else None
    with hostile_server(reply(GOOD), context=server_side) as server:
        assert fetch(server.url, ssl_context=context) == reason
        assert len(server.requests) == (reason == "")


def test_plain_http_behind_an_https_url_is_refused() -> None:
    """V-200"""
    with hostile_server(reply(GOOD)) as server:
        assert fetch(server.url.replace("http:", "https:"), timeout=DEADLINE) in ("tls", "timeout")
        assert server.requests == []


def test_proxies_in_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """V-200"""
    with hostile_server(reply(GOOD)) as proxy, hostile_server(reply(GOOD)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert fetch(server.url) == ""
        assert (len(server.requests), len(proxy.requests)) == (1, 0)


def contexts_that_verify_nothing() -> Iterable[ssl.SSLContext]:
    careless = ssl.create_default_context()
    careless.check_hostname = False
    yield careless
    blind = ssl.create_default_context()
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    yield blind


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/jwks.json",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://10.0.0.1/",
        "http://[2001:db8::1]/",
        "file:///etc/passwd",
        "ftp://api.example.com/",
        "data:application/json,{}",
        "https://user:pass@api.example.com/",
        "https://user@api.example.com/",
        "https://api.example.com/ ",
        " https://api.example.com/",
        "https://api.example.com/\n",
        "https://api.example.com/#x",
        "https:///jwks.json",
        "https://api.example.com:99999/",
        "https://[::1/",
        "https://b\u00fccher.example/",
        "//api.example.com/",
        "",
        [],
        [5],
    ],
)  # fmt: skip
def test_other_urls_are_refused_at_construction(url: Any) -> None:
    """V-201"""
    with pytest.raises(SettingError):
        RemoteKeys(url)


def test_plain_http_needs_a_loopback_or_a_name() -> None:
    """V-201"""
    for url in (
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://[::1]:1/",
        "http://127.9.9.9/",
        "https://x.example/",
    ):
        RemoteKeys(url)
    RemoteKeys("http://core:3567/.well-known/jwks.json", insecure_http_hosts=["core"])
    with pytest.raises(SettingError):
        RemoteKeys("http://core2:3567/.well-known/jwks.json", insecure_http_hosts=["core"])


def test_settings_that_make_no_sense_are_refused_at_construction() -> None:
    url = "https://api.example.com/"
    wrong: list[dict[str, Any]] = [
        {},
        {"urls": url, "fetch": lambda: b""},
        {"fetch": lambda: b"", "insecure_http_hosts": ["core"]},
        {"fetch": lambda: b"", "ssl_context": ssl.create_default_context()},
        {"urls": url, "insecure_http_hosts": "core"},
        {"urls": url, "pins": "abc"},
        {"urls": url, "timeout": 0},
        {"urls": url, "timeout": float("nan")},
        {"urls": url, "max_stale": -1},
        {"urls": url, "min_refresh": 100, "max_refresh": 50},
        {"urls": url, "lookup_burst": -1},
        *[{"urls": url, "ssl_context": context} for context in contexts_that_verify_nothing()],
    ]
    for options in wrong:
        with pytest.raises(SettingError):
            RemoteKeys(**options)


def test_several_urls_are_tried_inside_one_deadline() -> None:
    """V-204: the first is silent, the second broken, the third good."""
    with (
        hostile_server([20.0]) as silent,
        hostile_server(reply(b"", status="500 X")) as broken,
        hostile_server(reply(GOOD)) as good,
    ):
        assert fetch([silent.url, broken.url, good.url], timeout=6) == ""
        assert [len(server.requests) for server in (silent, broken, good)] == [1, 1, 1]
        assert fetch([good.url, silent.url]) == ""
        assert len(silent.requests) == 1


def test_remote_keys_work_over_real_sockets() -> None:
    with hostile_server(reply(GOOD, headers=[("Cache-Control", "max-age=3600")])) as server:
        keys = RemoteKeys(server.url)
        assert set(keys.snapshot().keys) == {jwk()["kid"]}
        assert set(keys.snapshot().keys) == {jwk()["kid"]}
        assert len(server.requests) == 1
