"""Programs for test_processes.py, each run by an interpreter of its own: ``python -m verify.programs NAME``."""

from __future__ import annotations

import os
import sys
import threading
import time


def imports() -> None:
    """Importing and constructing start no thread and open nothing."""
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    from st_verify import ANY, RemoteKeys, SessionVerifier
    from st_verify.wsgi import CsrfMode, SessionGuard

    keys = RemoteKeys("https://api.example.com/jwks.json")
    SessionGuard(SessionVerifier(keys=keys, issuer=ANY, tenants=ANY), csrf=CsrfMode.NONE, transport="any")
    after = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    assert threading.active_count() == 1
    assert len(after) == len(before)


def fetching_imports_nothing() -> None:
    """Who sets a key source up imports what a fetch needs: a fork amid an import of a thread would hang the child."""
    import json
    import socket

    from cryptography.hazmat.primitives.asymmetric import rsa

    from st_verify import RemoteKeys, base64url

    number = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    jwk = {"kty": "RSA", "kid": "s-1", "n": base64url.encode(number.to_bytes(256, "big")), "e": "AQAB"}
    body = json.dumps({"keys": [jwk]}).encode()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    threading.Thread(target=serve, daemon=True).start()
    assert "jwt" not in sys.modules
    keys = RemoteKeys(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    before = set(sys.modules)
    keys.preload()
    assert list(keys.snapshot().keys) == ["s-1"]
    assert set(sys.modules) - before == set(), set(sys.modules) - before


def exit_while_fetching() -> None:
    """A fetch that never ends does not keep the interpreter."""
    from st_verify import KeysUnavailable, RemoteKeys

    entered = threading.Event()

    def fetch() -> bytes:
        entered.set()
        threading.Event().wait()
        return b""

    keys = RemoteKeys(fetch=fetch, timeout=0.05)
    try:
        keys.snapshot()
    except KeysUnavailable:
        assert entered.wait(10)
        assert threading.active_count() == 2
        return
    raise AssertionError("nothing was fetched")


def fork_while_fetching() -> None:
    """The child has the keys, no lock that is held, and can fetch; the parent's fetch ends undisturbed."""
    from st_verify import RemoteKeys, SessionVerifier
    from verify.minting import ISSUER, NOW, FakeClock, header, jwk, jwks, token

    clock = FakeClock()
    entered, release = threading.Event(), threading.Event()
    new = f"d-{NOW * 1000}"
    documents = [jwks(jwk())]
    parent = os.getpid()
    fetches: list[int] = []

    def fetch() -> bytes:
        fetches.append(os.getpid())
        if len(fetches) > 1 and os.getpid() == parent:
            entered.set()
            release.wait(20)
        return documents[-1]

    keys = RemoteKeys(fetch=fetch, clock=clock.clock, timeout=20, jitter=lambda: 0)
    verifier = SessionVerifier(keys=keys, issuer=ISSUER, tenants="public", clock=clock.clock)
    good, by_new_key = token(), token(header(kid=new), key="next")
    verifier.verify(good)
    clock.advance(1000)
    verifier.verify(good)
    assert entered.wait(10)
    documents.append(jwks(jwk(), jwk("next", kid=new)))
    # The worst moment: another thread is fetching, and this one holds the lock.
    with keys._lock:
        child = os.fork()
    if child == 0:
        verifier.verify(good)
        verifier.verify(by_new_key)
        os._exit(0 if fetches[-1] == os.getpid() else 3)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    release.set()
    verifier.verify(by_new_key)
    assert set(fetches) == {parent}


def _gevent(patch_first: bool) -> None:
    """A cold start of many greenlets over a slow server: one fetch, the others go on meanwhile, a deadline is kept."""
    from gevent import monkey  # type: ignore[import-untyped]  # it comes without types

    if patch_first:
        monkey.patch_all()
    from st_verify import KeysUnavailable, RemoteKeys, SessionVerifier
    from verify.minting import ISSUER, FakeClock, jwk, jwks, token

    if not patch_first:
        monkey.patch_all()
    import socket

    import gevent

    body = jwks(jwk())
    requests: list[int] = []
    go_on = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            requests.append(1)
            connection.recv(4096)
            go_on.wait(20)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            connection.close()

    gevent.spawn(serve)
    clock, good = FakeClock(), token()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    keys = RemoteKeys(url, clock=clock.clock, timeout=10)
    verifier = SessionVerifier(keys=keys, issuer=ISSUER, tenants="public", clock=clock.clock)
    workers = [gevent.spawn(verifier.verify, good) for _ in range(50)]
    while not requests:
        gevent.sleep(0.01)
    assert not any(worker.ready() for worker in workers)
    go_on.set()
    gevent.joinall(workers, timeout=20, raise_error=True)
    assert [worker.value.user_id for worker in workers] == ["user-1"] * 50
    assert len(requests) == 1

    go_on.clear()
    start = time.monotonic()
    try:
        RemoteKeys(url, timeout=0.2).snapshot()
    except KeysUnavailable:
        assert time.monotonic() - start < 5
    else:
        raise AssertionError("the server never answered")


def gevent_patched_first() -> None:
    _gevent(patch_first=True)


def gevent_patched_later() -> None:
    _gevent(patch_first=False)


def revocation_after_fork() -> None:
    """What the parent's hook threads hold at the moment of the fork is not held in the child."""
    from st_verify.errors import RevocationUnavailable
    from st_verify.wsgi import RevocationCheck
    from verify.minting import Bench, token

    session = Bench().verifier.verify(token())
    entered, release = threading.Event(), threading.Event()
    parent = os.getpid()

    def hook(_: object) -> bool:
        entered.set()
        if os.getpid() == parent:
            release.wait(20)
        return False

    check = RevocationCheck(hook, timeout=0.05, max_waiting=1)
    try:
        check.check(session)
    except RevocationUnavailable:
        assert entered.wait(10)
    child = os.fork()
    if child == 0:
        check.check(session)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    release.set()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    print("done")
