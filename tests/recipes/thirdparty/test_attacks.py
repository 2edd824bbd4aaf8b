"""What providers, tenants and strangers may try: forged tokens, addresses inside the network, broken answers."""

from __future__ import annotations

import base64
import json
import socket
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from verify.minting import b64, private_key

from recipes.shop import WEBSITE, Borrowed, clears_nothing
from recipes.thirdparty.providers import (
    IdP,
    Json,
    begin,
    client,
    come_back,
    oauth,
    openid,
    send_tokens,
    shop_with,
    sign_in,
)
from recipes.thirdparty.test_sign_in import FAILED, person
from st_wsgi.recipes.multitenancy import (
    TenantConfigCreateOrUpdate,
    create_or_update_tenant,
    create_or_update_third_party_config,
)
from st_wsgi.recipes.thirdparty import ProviderConfig, ProviderFailed
from st_wsgi.recipes.thirdparty.providers import calls
from st_wsgi.recipes.thirdparty.providers.calls import Calls
from st_wsgi.recipes.thirdparty.providers.oidc import Document


class TestIdTokens:
    @pytest.mark.parametrize(
        ("claims", "is_good"),
        [
            ({}, True),
            ({"iss": "https://other.example"}, False),
            ({"iss": None}, False),
            ({"aud": "other"}, False),
            ({"aud": None}, False),
            ({"aud": []}, False),
            ({"aud": ["client-1"]}, True),
            ({"aud": ["client-1", "other"]}, False),
            ({"aud": ["client-1", "other"], "azp": "client-1"}, True),
            ({"azp": "other"}, False),
            ({"azp": ["client-1"]}, False),
            ({"exp": 1}, False),
            ({"exp": None}, False),
            ({"exp": "9999999999"}, False),
            ({"iat": 9_999_999_999, "exp": 9_999_999_999}, False),
            ({"nbf": 9_999_999_999}, False),
            ({"sub": None}, False),
            ({"sub": 1.5}, False),
            ({"sub": True}, False),
            ({"sub": ""}, False),
        ],
    )
    def test_claims(
        self, core: Borrowed, idp: IdP, claims: Json, is_good: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        ada = person()
        idp.claims = claims
        answer = send_tokens(shop_with(core, openid(idp)).visitor(), id_token=idp.signed(ada))
        assert answer.get_json()["status"] == ("OK" if is_good else "GENERAL_ERROR")
        assert clears_nothing(answer) is not is_good
        assert "setting" not in caplog.text  # strangers cannot make it look as if one were wrong

    def test_a_subject_that_is_a_number(self, core: Borrowed, idp: IdP) -> None:
        """FDI, rule F-28."""
        number = uuid.uuid4().int % 10**12
        answer = send_tokens(shop_with(core, openid(idp)).visitor(), id_token=idp.signed(person(sub=number)))
        assert answer.get_json()["user"]["thirdParty"] == [{"id": "idp", "userId": str(number)}]

    @pytest.mark.parametrize(
        ("header", "is_good"),
        [
            ({"typ": None}, True),
            ({"typ": "at+jwt"}, False),
            ({"x5t": "abc"}, True),
            ({"crit": ["exp"]}, False),
            ({"kid": "unknown"}, False),
            ({"kid": ""}, False),
            ({"kid": 7}, False),
        ],
    )
    def test_headers(self, core: Borrowed, idp: IdP, header: Json, is_good: bool) -> None:
        token = signed_with_header(idp, person(), header)
        answer = send_tokens(shop_with(core, openid(idp)).visitor(), id_token=token)
        assert answer.get_json()["status"] == ("OK" if is_good else "GENERAL_ERROR")

    @pytest.mark.parametrize("algorithm", ["none", "HS256", "RS512", "rs256"])
    def test_other_algorithms(self, core: Borrowed, idp: IdP, algorithm: str) -> None:
        token = signed_with_header(idp, person(), {"alg": algorithm})
        assert send_tokens(shop_with(core, openid(idp)).visitor(), id_token=token).get_json() == FAILED

    def test_a_key_of_another_provider(self, core: Borrowed, idp: IdP) -> None:
        visitor, ada = shop_with(core, openid(idp)).visitor(), person()
        idp.key = "another"
        token = idp.signed(ada)
        idp.key = "provider"
        assert send_tokens(visitor, id_token=token).get_json() == FAILED

    def test_a_key_that_is_replaced(self, core: Borrowed, idp: IdP) -> None:
        visitor = shop_with(core, openid(idp)).visitor()
        assert sign_in(idp, visitor, person()).get_json()["status"] == "OK"
        idp.key, idp.kid = "another", "key-2"
        assert sign_in(idp, visitor, person()).get_json()["status"] == "OK"
        assert idp.paths().count("/jwks") == 2

    def test_unknown_keys_cause_few_fetches(self, core: Borrowed, idp: IdP) -> None:
        visitor = shop_with(core, openid(idp), shop={"rate_limit": None}).visitor()
        for kid in range(10):
            send_tokens(visitor, id_token=signed_with_header(idp, person(), {"kid": f"unknown-{kid}"}))
        assert idp.paths().count("/jwks") <= 3
        assert idp.paths().count("/.well-known/openid-configuration") == 1

    def test_the_users_of_a_tenant_of_microsoft(self, core: Borrowed, idp: IdP) -> None:
        idp.document = {"issuer": "https://login.example/{tenantid}/v2.0"}
        visitor, ada = shop_with(core, openid(idp)).visitor(), person(tid="t1")
        idp.claims = {"iss": "https://login.example/t1/v2.0"}
        assert send_tokens(visitor, id_token=idp.signed(ada)).get_json()["status"] == "OK"
        idp.claims = {"iss": "https://login.example/t2/v2.0"}
        assert send_tokens(visitor, id_token=idp.signed(ada)).get_json() == FAILED

    @pytest.mark.parametrize("token", ["x", "a.b.c", ".." + "x" * 600, "é" * 700, "a" * 100_00, "x.y.z" * 100])
    def test_no_tokens(self, core: Borrowed, idp: IdP, token: str) -> None:
        assert send_tokens(shop_with(core, openid(idp)).visitor(), id_token=token).get_json() == FAILED


def signed_with_header(idp: IdP, user: Json, header: Json) -> str:
    """Return an id token with a header that a library would not write, signed all the same."""
    payload = idp.signed(user).split(".")[1]
    members = {"alg": "RS256", "typ": "JWT", "kid": idp.kid, **header}
    written = b64(json.dumps({name: value for name, value in members.items() if value is not None}).encode())
    signature = private_key(idp.key).sign(f"{written}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{written}.{payload}.{b64(signature)}"


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1%eth0",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001:db8::1",
            "fec0::1",
            "fec0::a9fe:a9fe",
            "3fff::1",
            "192.88.99.1",
            "192.0.0.192",
        ],
    )
    def test_an_address_inside_a_network_is_refused(self, address: str) -> None:
        assert calls._is_public(address) is False

    @pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
    def test_an_address_of_the_internet_is_not(self, address: str) -> None:
        assert calls._is_public(address) is True

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1:{port}/",
            "https://127.0.0.1:{port}/",
            "https://localhost:{port}/",
            "https://[::1]:{port}/",
            "https://2130706433:{port}/",
            "https://0x7f.1:{port}/",
            "https://[::ffff:127.0.0.1]:{port}/",
            "https://0.0.0.0:{port}/",
            "https://example.com@127.0.0.1:{port}/",
            "file:///etc/passwd",
            "ftp://127.0.0.1:{port}/",
            "https://",
            "https://127.0.0.1:{port}\\@example.com/",
            "https://127.0.0.1:99999/",
            "//127.0.0.1:{port}/",
            "",
        ],
    )
    def test_no_connection_goes_into_the_network(self, url: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            with pytest.raises(ProviderFailed):
                Calls(timeout=2).get(url.format(port=listener.getsockname()[1]))
            with pytest.raises(BlockingIOError):
                listener.accept()

    def test_plain_http_goes_to_this_machine_only(self) -> None:
        with pytest.raises(ProviderFailed, match=r"8\.8\.8\.8 has no address of this machine"):
            Calls(allow_private_networks=True).get("http://8.8.8.8/")

    def test_a_name_that_is_none(self) -> None:
        with pytest.raises(ProviderFailed, match=r"the name nowhere\.invalid cannot be resolved"):
            Calls().get("https://nowhere.invalid/")

    def test_the_message_says_what_allows_it(self) -> None:
        with pytest.raises(ProviderFailed, match="allow_private_networks=True"):
            Calls().get("https://localhost/")

    def test_a_tenant_cannot_have_the_app_call_its_own_network(self, core: Borrowed, idp: IdP) -> None:
        """By its settings as well as by what a discovery document names."""
        shop = shop_with(core, allow_private_networks=False)
        inside = idp.origin.replace("http://127.0.0.1", "https://localhost")
        for config in (
            ProviderConfig(third_party_id="idp", oidc_discovery_endpoint=inside, clients=[client()]),
            openid(idp),
            oauth(idp, token_endpoint=f"{inside}/token"),
        ):
            tenant_id = f"t-{uuid.uuid4().hex}"
            create_or_update_tenant(tenant_id=tenant_id, config=TenantConfigCreateOrUpdate(first_factors=None))
            create_or_update_third_party_config(config=config, skip_validation=True, tenant_id=tenant_id)
            answer = come_back(shop.visitor(), "x", {}, tenant=tenant_id)
            assert answer.get_json() == FAILED
        assert idp.requests == []

    @pytest.mark.parametrize(
        "said",
        [
            {"token_endpoint": "http://8.8.8.8/token"},
            {"token_endpoint": "gopher://127.0.0.1/"},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"authorization_endpoint": ["https://x.example"]},
            {"jwks_uri": "file:///etc/passwd"},
            {"issuer": 7},
            {"issuer": None},
            {"userinfo_endpoint": "https://user:password@x.example/"},
        ],
    )
    def test_a_discovery_document_names_other_addresses(self, core: Borrowed, idp: IdP, said: Json) -> None:
        idp.document = said
        shop = shop_with(core, openid(idp))
        started = begin(shop.visitor())
        if said == {"token_endpoint": "http://8.8.8.8/token"}:
            assert come_back(shop.visitor(), "x", {}).get_json() == FAILED
        else:
            assert started.get_json() == FAILED


class TestBrokenProviders:
    @pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/me", "/jwks"])
    @pytest.mark.parametrize(
        "answer",
        [
            (500, {}),
            (404, b"<html>"),
            (302, {}),
            (204, b""),
            (200, b""),
            (200, b"not json"),
            (200, b"access_token=x"),
            (200, []),
            (200, None),
            (200, {}),
            (200, {"error": {"code": 190}}),
            (200, b'{"a": 1, "a": 2}'),
            (200, b"[" * 10_000),
            (200, b"x" * 600_000),
            (200, {"access_token": 7, "id_token": ["x"], "sub": {}, "keys": "x", "issuer": 1}),
        ],
    )
    def test_an_answer_that_cannot_be_used(self, core: Borrowed, idp: IdP, path: str, answer: Any) -> None:
        visitor = shop_with(core, openid(idp)).visitor()
        idp.answers[path] = lambda _: answer
        started = begin(visitor).get_json()
        if path == "/.well-known/openid-configuration":
            assert started == FAILED
            return
        code = idp.log_in(started["urlWithQueryParams"], person())
        outcome = come_back(visitor, code, started)
        if path == "/me" and answer == (200, {}):  # the id token has said everything
            assert outcome.get_json()["status"] == "OK"
        else:
            assert (outcome.get_json(), clears_nothing(outcome)) == (FAILED, True)
        assert "/elsewhere" not in idp.paths()

    def test_a_provider_that_is_slow(self, core: Borrowed, idp: IdP, caplog: pytest.LogCaptureFixture) -> None:
        done = threading.Event()

        def wait(_: Any) -> tuple[int, Json]:
            done.wait(20)
            return 200, {}

        idp.answers["/token"] = wait
        visitor = shop_with(core, openid(idp), timeout=0.2).visitor()
        assert come_back(visitor, "x", {}).get_json() == FAILED
        done.set()
        assert "did not reply in 0.2 seconds" in caplog.text

    def test_a_provider_that_sends_a_byte_at_a_time(self) -> None:
        stop = threading.Event()

        def drip(listener: socket.socket) -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not stop.wait(0.02):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=drip, args=(listener,))
            thread.start()
            with pytest.raises(ProviderFailed, match="did not reply in"):
                Calls(allow_private_networks=True, timeout=0.3).get(f"http://127.0.0.1:{listener.getsockname()[1]}/")
            stop.set()
            thread.join()

    def test_a_provider_that_is_down_is_not_asked_again_and_again(self, core: Borrowed, idp: IdP) -> None:
        idp.answers["/.well-known/openid-configuration"] = lambda _: (500, {})
        visitor = shop_with(core, openid(idp)).visitor()
        for _ in range(5):
            assert begin(visitor).get_json() == FAILED
        assert len(idp.requests) == 1


class TestDiscoveryDocuments:
    def test_a_good_one_stays_while_the_provider_is_down(self, idp: IdP) -> None:
        now = [0.0]
        address = f"{idp.origin}/.well-known/openid-configuration"
        document = Document(Calls(allow_private_networks=True), address, clock=lambda: now[0])
        good = document.read()
        idp.answers["/.well-known/openid-configuration"] = lambda _: (503, {})
        now[0] += 3600
        assert document.read() == good
        assert document.read() == good
        assert len(idp.requests) == 2
        del idp.answers["/.well-known/openid-configuration"]
        idp.document = {"token_endpoint": f"{idp.origin}/new"}
        now[0] += 10
        assert document.read().token_endpoint == f"{idp.origin}/new"

    def test_many_readers_fetch_it_once(self, idp: IdP) -> None:
        document = Document(Calls(allow_private_networks=True), f"{idp.origin}/.well-known/openid-configuration")
        ready = threading.Barrier(16)

        def read(_: int) -> Any:
            ready.wait(10)
            return document.read()

        with ThreadPoolExecutor(16) as pool:
            assert len(set(pool.map(read, range(16)))) == 1
        assert len(idp.requests) == 1


def state_of(url: object, encode: Callable[[bytes], bytes] = base64.b64encode) -> str:
    return encode(json.dumps({"frontendRedirectURI": url}).encode()).decode()


class TestApple:
    """FDI, rule F-20."""

    def post(self, core: Borrowed, form: Any, **settings: Any) -> Any:
        visitor = shop_with(core, **settings).visitor()
        return visitor.call("POST", "/auth/callback/apple", data=form)

    @pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
    def test_the_form_goes_to_the_website(self, core: Borrowed, encode: Any) -> None:
        url = f"{WEBSITE}/auth/callback/apple?a=1&code=old#x"
        form = {"state": state_of(url, encode).rstrip("="), "code": "c&=?", "user": '{"name": "Ada ä"}'}
        answer = self.post(core, form)
        assert (answer.status_code, answer.data) == (303, b"")
        target = urlsplit(answer.headers["Location"])
        assert target._replace(query="").geturl() == f"{WEBSITE}/auth/callback/apple#x"
        assert dict(parse_qsl(target.query)) == {"a": "1", **form}
        assert answer.headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.example/",
            "http://shop.example/",
            "https://shop.example:8443/",
            "https://shop.example.evil.example/",
            "https://shop.example@evil.example/",
            "https://evil.example\\@shop.example/",
            "https://shop.example\\.evil.example/",
            "https:/\\evil.example/",
            "https:evil.example",
            "https:///evil.example",
            "//shop.example/",
            "/auth",
            "",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://shop.example/\r\nSet-Cookie: a=b",
            "https://shop.example/ x",
            " https://shop.example/",
            "https://shop.exam\tple/",
            "https://shop%2Eexample/",
            "https://shöp.example/",
            "https://shop.example/\ud800",
            "https://shop.example:x/",
            "https://[shop.example/",
            "https://shop.example/" + "x" * 10_000,
            7,
            None,
            ["https://shop.example/"],
        ],
    )
    def test_it_goes_nowhere_else(self, core: Borrowed, url: object) -> None:
        answer = self.post(core, {"state": state_of(url), "code": "x"})
        assert (answer.status_code, "Location" in answer.headers) == (400, False)

    @pytest.mark.parametrize("state", ["", "x", "ä", "e30", "W10", base64.b64encode(b"[" * 1000).decode(), "=" * 50])
    def test_a_state_that_cannot_be_read(self, core: Borrowed, state: str) -> None:
        assert self.post(core, {"state": state}).status_code == 400

    def test_a_form_that_cannot_be_read(self, core: Borrowed) -> None:
        visitor = shop_with(core).visitor()
        state = state_of(WEBSITE)
        for body in (f"state={state}&state={state}", "state=%ff", "a&" * 100, ""):
            kind = "application/x-www-form-urlencoded"
            answer = visitor.call("POST", "/auth/callback/apple", data=body, content_type=kind)
            assert (answer.status_code, list(answer.get_json())) == (400, ["message"])
        assert visitor.call("POST", "/auth/callback/apple", {"state": state}).status_code == 400
        assert self.post(core, {"state": state, "user": "x" * 100_001}).status_code == 413

    def test_an_app_has_a_rule_of_its_own(self, core: Borrowed) -> None:
        seen: list[str] = []

        def rule(url: str) -> Any:
            seen.append(url)
            return url.startswith("com.example.app://signed-in?") or "yes"

        answer = self.post(
            core, {"state": state_of("com.example.app://signed-in"), "code": "x"}, is_valid_frontend_redirect_uri=rule
        )
        assert answer.headers["Location"] == seen[0]
        assert parse_qs(urlsplit(seen[0]).query)["code"] == ["x"]
        for url in (WEBSITE, "javascript:alert(1)"):
            form = {"state": state_of(url), "code": "x"}
            assert self.post(core, form, is_valid_frontend_redirect_uri=rule).status_code == 400
        assert len(seen) == 2


def test_parallel_sign_ups_make_one_user(core: Borrowed, idp: IdP) -> None:
    """FDI, rule F-08."""
    shop, ada = shop_with(core, openid(idp), shop={"rate_limit": None}), person()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sign_in(idp, shop.visitor(), ada).get_json(), range(16)))
    assert {answer["user"]["id"] for answer in answers} == {answers[0]["user"]["id"]}
    assert sum(answer["createdNewRecipeUser"] for answer in answers) == 1


def test_providers_are_not_mixed_up(core: Borrowed, idp: IdP) -> None:
    """A code and a token are good at the provider only that they came from."""
    with IdP() as other:
        shop = shop_with(core, openid(idp), openid(other, third_party_id="other"))
        visitor, ada = shop.visitor(), person()
        code = idp.log_in(begin(visitor).get_json()["urlWithQueryParams"], ada)
        assert come_back(visitor, code, {}, third_party_id="other").get_json() == FAILED
        token = idp.signed(ada)
        assert send_tokens(visitor, third_party_id="other", id_token=token).get_json() == FAILED
        assert send_tokens(visitor, id_token=token).get_json()["status"] == "OK"
