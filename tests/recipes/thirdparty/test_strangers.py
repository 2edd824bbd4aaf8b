"""What strangers try: forged id tokens, codes and tokens of others, addresses that lead inwards, other certificates."""

from __future__ import annotations

import base64
import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from transport.conftest import Certificate
from werkzeug.test import TestResponse

from recipes.shop import Borrowed, Shop
from recipes.thirdparty.parts import (
    FAILURE,
    Flow,
    ask,
    is_refused,
    only_method,
    outcome,
    settings,
    shop_with,
    use_tokens,
)
from recipes.thirdparty.provider_server import (
    CLIENT_ID,
    DIALECTS,
    KID,
    REDIRECT,
    Fault,
    Grant,
    Person,
    ProviderServer,
    jwk,
    signing_key,
)
from st_wsgi.recipes.multitenancy import (
    ProviderClientConfig,
    ProviderConfig,
    TenantConfigCreateOrUpdate,
    create_or_update_tenant,
    create_or_update_third_party_config,
)

BY_ID = {dialect.id: dialect for dialect in DIALECTS}


@pytest.fixture
def google() -> Iterator[ProviderServer]:
    with ProviderServer(BY_ID["google"]) as server:
        yield server


@pytest.fixture
def shop(core: Borrowed, google: ProviderServer) -> Shop:
    return shop_with(core, settings(google, client={"force_pkce": True}))


def forged(provider: ProviderServer, **more: Any) -> str:
    """Return an id token for a person of its own, honest but for what is given."""
    return provider.id_token(Grant(Person.of_its_own()), **more)


def edited(token: str, header: dict[str, Any]) -> str:
    """Return a token with another header and the signature that it had."""
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return ".".join([head, *token.split(".")[1:]])


def signed_with_public_key(provider: ProviderServer) -> str:
    """Return a token whose HMAC key is what everyone can read: the public key."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = signing_key().public_key().public_bytes(serialization.Encoding.PEM, form)
    token = edited(forged(provider), {"alg": "HS256", "kid": KID, "typ": "JWT"})
    unsigned = token.rpartition(".")[0]
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    made = base64.urlsafe_b64encode(signature.sign(unsigned.encode(), pem)).rstrip(b"=").decode()
    return f"{unsigned}.{made}"


OTHER_KEY = rsa.generate_private_key(65537, 2048)
CURVE_KEY = ec.generate_private_key(ec.SECP256R1())
HEADER = {"alg": "RS256", "kid": KID, "typ": "JWT"}

FORGERIES: dict[str, Callable[[ProviderServer], str]] = {
    "no signature": lambda provider: forged(provider).rpartition(".")[0] + ".",
    "alg none": lambda provider: edited(forged(provider), {**HEADER, "alg": "none"}).rpartition(".")[0] + ".",
    "alg None with the signature": lambda provider: edited(forged(provider), {**HEADER, "alg": "None"}),
    "no alg": lambda provider: edited(forged(provider), {"kid": KID, "typ": "JWT"}),
    "alg is a list": lambda provider: edited(forged(provider), {**HEADER, "alg": ["RS256"]}),
    "the public key as a secret": signed_with_public_key,
    "another key": lambda provider: forged(provider, key=OTHER_KEY),
    "a key of another type": lambda provider: forged(provider, key=CURVE_KEY, algorithm="ES256"),
    "another kid": lambda provider: forged(provider, header={"kid": "another"}),
    "the kid of a file": lambda provider: forged(provider, header={"kid": "../../../../dev/null"}),
    "a key in the header": lambda provider: forged(provider, key=OTHER_KEY, header={"jwk": jwk(OTHER_KEY)}),
    "a critical header": lambda provider: forged(provider, header={"crit": ["b64"], "b64": False}),
    "another audience": lambda provider: forged(provider, aud="client-of-somebody-else"),
    "no audience": lambda provider: forged(provider, aud=None),
    "no audience in the list": lambda provider: forged(provider, aud=[]),
    "for another party": lambda provider: forged(provider, azp="client-of-somebody-else"),
    "two audiences, for the other one": lambda provider: forged(provider, aud=[CLIENT_ID, "other"], azp="other"),
    "another issuer": lambda provider: forged(provider, iss="https://issuer.example"),
    "the issuer with a slash": lambda provider: forged(provider, iss=f"{provider.origin}/"),
    "no issuer": lambda provider: forged(provider, iss=None),
    "expired": lambda provider: forged(provider, exp=int(time.time()) - 120),
    "never expires": lambda provider: forged(provider, exp=None),
    "not a time": lambda provider: forged(provider, exp="tomorrow"),
    "no subject": lambda provider: forged(provider, sub=None),
    "an empty subject": lambda provider: forged(provider, sub=""),
    "subject of another type": lambda provider: forged(provider, sub={"a": 1}),
    "a header with padding": lambda provider: forged(provider).replace(".", "=.", 1),
    "a header that is no JSON": lambda provider: "e30tLQ." + forged(provider).partition(".")[2],
    "a header that is a list": lambda provider: "W10." + forged(provider).partition(".")[2],
    "two parts": lambda provider: forged(provider).rpartition(".")[0],
    "five parts": lambda provider: forged(provider) + ".a.b",
    "no token": lambda _provider: "token",
    "empty": lambda _provider: "",
    "not in ASCII": lambda provider: forged(provider) + "\u00e9",
    "long": lambda provider: forged(provider) + "a" * 20_000,
}


class TestIdTokens:
    @pytest.mark.parametrize("how", FORGERIES)
    def test_a_forged_one(self, shop: Shop, google: ProviderServer, how: str) -> None:
        """With an honest access token beside it too: what an app on a phone sends."""
        tokens = google.tokens(Grant(Person.of_its_own()))
        for given in ({}, {"access_token": tokens["access_token"]}):
            assert is_refused(use_tokens(shop.visitor(), "google", {**given, "id_token": FORGERIES[how](google)}))

    @pytest.mark.parametrize("header", ["jku", "x5u"])
    def test_one_that_says_where_its_key_is(self, shop: Shop, google: ProviderServer, header: str) -> None:
        with ProviderServer(BY_ID["google"]) as attacker:
            attacker.key_set = [jwk(OTHER_KEY)]
            token = forged(google, key=OTHER_KEY, header={header: attacker.here(attacker.dialect.keys)})
            assert outcome(use_tokens(shop.visitor(), "google", {"id_token": token})) == FAILURE
            assert attacker.requests == []

    @pytest.mark.parametrize("claims", [{"nonce": "n"}, {"aud": [CLIENT_ID]}, {"custom": {"a": [1.5]}}])
    def test_honest_ones_in_other_words(self, shop: Shop, google: ProviderServer, claims: dict[str, Any]) -> None:
        assert only_method(use_tokens(shop.visitor(), "google", {"id_token": forged(google, **claims)}))["email"]

    @pytest.mark.parametrize(
        "keys",
        [
            [],
            [{"kty": "oct", "k": "AAAA", "kid": KID, "alg": "HS256"}],
            [jwk(use="enc")],
            [jwk(n="AQAB")],
            [jwk(alg="RS512")],
            [None, 1, "key", []],
        ],
    )
    def test_key_sets_without_a_usable_key(self, shop: Shop, google: ProviderServer, keys: list[Any]) -> None:
        google.key_set = keys
        assert outcome(use_tokens(shop.visitor(), "google", {"id_token": forged(google)})) == FAILURE

    def test_unusable_keys_in_a_set_are_skipped(self, shop: Shop, google: ProviderServer) -> None:
        google.key_set = [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "ed"}, {"kty": "?"}, *google.key_set]
        assert only_method(use_tokens(shop.visitor(), "google", {"id_token": forged(google)}))["email"]

    def test_a_key_that_is_not_for_signatures(self, shop: Shop, google: ProviderServer) -> None:
        google.key_set = [jwk(OTHER_KEY, kid="enc", use="enc"), jwk()]
        token = forged(google, key=OTHER_KEY, header={"kid": "enc"})
        assert outcome(use_tokens(shop.visitor(), "google", {"id_token": token})) == FAILURE

    @pytest.mark.parametrize(("wanted", "told"), [("acme.example", "other.example"), ("acme.example", None)])
    def test_another_organisation(self, core: Borrowed, wanted: str, told: str | None) -> None:
        """By an id token, by an access token, and by a code."""
        with ProviderServer(BY_ID["google-workspaces"]) as provider:
            config = settings(provider, client={"additional_config": {"hd": wanted}})
            visitor = shop_with(core, config).visitor()
            person = Person.of_its_own(domain=told)
            tokens = provider.tokens(Grant(person))
            for given in ({"id_token": tokens["id_token"]}, {"access_token": tokens["access_token"]}):
                assert outcome(use_tokens(visitor, "google-workspaces", given)) == FAILURE
            flow = Flow.begin(visitor, "google-workspaces")
            assert parse_qs(urlsplit(flow.url).query)["hd"] == [wanted]
            back = {"code": provider.code(Grant(person, redirect_uri=REDIRECT + "google-workspaces"))}
            assert outcome(flow.end(back)) == FAILURE
            member = {"id_token": provider.id_token(Grant(Person.of_its_own(domain=wanted)))}
            assert only_method(use_tokens(visitor, "google-workspaces", member))["email"]


class TestForeignCodes:
    def test_one_that_another_browser_began_to_ask_for(self, shop: Shop, google: ProviderServer) -> None:
        """An attacker has a victim's browser use a code for the attacker's account."""
        attacker, victim = Flow.begin(shop.visitor(), "google"), Flow.begin(shop.visitor(), "google")
        for verifier in (victim.verifier, None, "", "a" * 64):
            back = google.consent(attacker.url, Person.of_its_own())
            assert is_refused(attrs.evolve(victim, verifier=verifier).end(back))

    def test_one_that_many_use_at_once(self, shop: Shop, google: ProviderServer) -> None:
        flow = Flow.begin(shop.visitor(), "google")
        back = google.consent(flow.url, Person.of_its_own())
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: attrs.evolve(flow, visitor=shop.visitor()).end(back), range(8)))
        assert sorted(is_refused(answer) for answer in answers) == [False] + 7 * [True]

    def test_one_of_another_provider(self, core: Borrowed, google: ProviderServer) -> None:
        with ProviderServer(BY_ID["github"]) as github:
            shop = shop_with(core, settings(google), settings(github))
            flows = {name: Flow.begin(shop.visitor(), name) for name in ("google", "github")}
            person = Person.of_its_own()
            codes = {
                "google": google.consent(flows["google"].url, person),
                "github": github.consent(flows["github"].url, person),
            }
            assert outcome(flows["google"].end(codes["github"])) == FAILURE
            assert outcome(flows["github"].end(codes["google"])) == FAILURE
            # The redirect URI of the one in the request of the other.
            body = flows["google"].body(codes["github"])
            body["redirectURIInfo"]["redirectURIOnProviderDashboard"] = REDIRECT + "github"
            assert is_refused(shop.visitor().call("POST", "/auth/signinup", body))

    def test_tokens_of_another_provider(self, core: Borrowed, google: ProviderServer) -> None:
        with ProviderServer(BY_ID["okta"]) as okta:
            okta.key_set = [jwk(OTHER_KEY)]
            shop = shop_with(core, settings(google), settings(okta))
            tokens = google.tokens(Grant(Person.of_its_own()))
            for given in (tokens, {"id_token": tokens["id_token"]}, {"access_token": tokens["access_token"]}):
                assert outcome(use_tokens(shop.visitor(), "okta", given)) == FAILURE
            # An issuer that two providers share does not make them one.
            assert only_method(use_tokens(shop.visitor(), "google", tokens))["thirdParty"]["id"] == "google"

    @pytest.mark.parametrize("name", ["google", "facebook", "github", "gitlab", "discord"])
    def test_access_tokens_that_another_app_was_given(self, core: Borrowed, name: str) -> None:
        """Another app's access token says who its user is, which must not let that app sign in as them (F-24)."""
        with ProviderServer(BY_ID[name]) as provider:
            shop = shop_with(core, settings(provider))
            person = Person.of_its_own()
            foreign = provider.tokens(Grant(person, client_id="client-of-somebody-else"))["access_token"]
            answer = use_tokens(shop.visitor(), name, {"access_token": foreign})
            assert outcome(answer) == FAILURE
            assert urlsplit(str(provider.dialect.user_info)).path not in {request.path for request in provider.requests}
            own = provider.tokens(Grant(person))["access_token"]
            assert only_method(use_tokens(shop.visitor(), name, {"access_token": own}))["email"] == person.email

    @pytest.mark.parametrize("name", ["google", "facebook", "github", "gitlab", "discord"])
    @pytest.mark.parametrize(
        "fault",
        [Fault(status=500), Fault(status=401), Fault(body=b"{}"), Fault(body=b"null"), Fault(body=b"no"),
         Fault(body=b'{"aud":["x"],"app":[],"application":1,"data":"x"}')],
    )  # fmt: skip
    def test_a_check_that_fails_lets_nobody_in(self, core: Borrowed, name: str, fault: Fault) -> None:
        with ProviderServer(BY_ID[name]) as provider:
            shop = shop_with(core, settings(provider))
            provider.faults["check"] = fault
            own = provider.tokens(Grant(Person.of_its_own()))["access_token"]
            assert outcome(use_tokens(shop.visitor(), name, {"access_token": own})) == FAILURE


def tenant() -> str:
    """Create a tenant that allows every first factor of the app."""
    name = f"t{uuid.uuid4().hex}"
    create_or_update_tenant(tenant_id=name, config=TenantConfigCreateOrUpdate(first_factors=None))
    return name


#: Addresses of the network that the app runs in, as whoever configures a tenant may write them.
INSIDE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "localhost", "localhost.", "LOCALHOST", "169.254.169.254", "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]", "[fe80::1]", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "[64:ff9b::a9fe:a9fe]",
    "[2002:7f00:1::]", "224.0.0.1", "255.255.255.255", "inside.shop.test", "rebound.shop.test",
]  # fmt: skip


#: An address of the internet. Nothing of the tests reaches it.
PUBLIC = "93.184.215.14"


class TestAddressesOfTenants:
    @pytest.fixture(autouse=True)
    def _names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Names that lead into the network, one of them only when it is resolved for the second time."""
        real, asked = socket.getaddrinfo, []

        def resolve(host: Any, port: Any, *args: Any, **more: Any) -> Any:
            if host == "inside.shop.test":
                return real("10.0.0.1", port, *args, **more)
            if host == "rebound.shop.test":
                asked.append(host)
                return real(PUBLIC if len(asked) == 1 else "127.0.0.1", port, *args, **more)
            return real(host, port, *args, **more)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)

    @pytest.fixture
    def connections(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """The addresses that a connection was tried to; none of them is reached."""
        tried: list[Any] = []

        class Watched(socket.socket):
            def connect(self, address: Any) -> None:
                tried.append(address)
                raise ConnectionRefusedError

        monkeypatch.setattr(socket, "socket", Watched)
        return tried

    @pytest.mark.parametrize("host", INSIDE)
    @pytest.mark.parametrize("scheme", ["https", "http"])
    def test_nothing_inside_is_asked(self, core: Borrowed, connections: list[Any], scheme: str, host: str) -> None:
        shop = shop_with(core, allow_private_networks=False)
        name = tenant()
        config = ProviderConfig(
            third_party_id="custom",
            clients=[ProviderClientConfig(client_id=CLIENT_ID)],
            oidc_discovery_endpoint=f"{scheme}://{host}/.well-known/openid-configuration",
        )
        create_or_update_third_party_config(tenant_id=name, config=config, skip_validation=True)
        answer = ask(shop.visitor(), "custom", tenant=name)
        assert outcome(answer) == FAILURE
        reached = {address[0] for address in connections}
        assert reached == ({PUBLIC} if (scheme, host) == ("https", "rebound.shop.test") else set())

    @pytest.mark.parametrize("endpoint", ["token_endpoint", "user_info_endpoint", "jwks_uri"])
    @pytest.mark.parametrize("address", ["https://169.254.169.254/", "https://localhost/", "http://inside.shop.test/"])
    def test_no_endpoint_leads_there(
        self, core: Borrowed, connections: list[Any], google: ProviderServer, endpoint: str, address: str
    ) -> None:
        names = ["authorization_endpoint", "token_endpoint", "user_info_endpoint"]
        places: dict[str, Any] = {**dict.fromkeys(names, f"https://{PUBLIC}/"), endpoint: address}
        config = ProviderConfig(
            third_party_id="custom",
            clients=[ProviderClientConfig(client_id=CLIENT_ID, client_secret="s")],
            validate_access_token=lambda _token, _config: None,
            **places,
        )
        visitor = shop_with(core, config, allow_private_networks=False).visitor()
        if endpoint == "token_endpoint":
            answer = Flow.begin(visitor, "custom").end({"code": "c"})
        else:
            token = {"jwks_uri": {"id_token": forged(google)}}.get(endpoint, {"access_token": "t"})
            answer = use_tokens(visitor, "custom", token)
        assert outcome(answer) == FAILURE
        assert connections == []

    @pytest.mark.parametrize("place", ["discovery", "token", "user", "keys"])
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_no_redirect_is_followed(self, core: Borrowed, google: ProviderServer, place: str, status: int) -> None:
        with ProviderServer(BY_ID["google"]) as elsewhere:
            fault = Fault(status=status, headers={"Location": f"{elsewhere.origin}/"})
            shop = shop_with(core, settings(google))
            if place == "discovery":
                google.faults[place] = fault
                answer = ask(shop.visitor(), "google")
            else:
                flow = Flow.begin(shop.visitor(), "google")
                back = google.consent(flow.url, Person.of_its_own())
                google.faults[place] = fault
                answer = flow.end(back)
            assert outcome(answer) == FAILURE
            assert elsewhere.requests == []


class TestTLS:
    """With a certificate for 127.0.0.1, which the app trusts only if a test says so."""

    @pytest.fixture
    def trust(self, monkeypatch: pytest.MonkeyPatch, certificate: Certificate) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))

    def signed_in(self, core: Borrowed, provider: ProviderServer) -> TestResponse:
        """Return what a visitor gets who comes back with a code."""
        dialect = provider.dialect
        config = settings(provider, authorization_endpoint=dialect.authorization)
        flow = Flow.begin(shop_with(core, config).visitor(), dialect.id)
        code = provider.code(Grant(Person.of_its_own(), redirect_uri=REDIRECT + dialect.id))
        return flow.end({"code": code})

    @pytest.mark.usefixtures("trust")
    def test_a_trusted_provider(self, core: Borrowed, certificate: Certificate) -> None:
        with ProviderServer(BY_ID["github"], tls=certificate.server) as provider:
            assert only_method(self.signed_in(core, provider))["thirdParty"]["id"] == "github"

    def test_one_that_nobody_vouches_for(self, core: Borrowed, certificate: Certificate) -> None:
        with ProviderServer(BY_ID["github"], tls=certificate.server) as provider:
            assert outcome(self.signed_in(core, provider)) == FAILURE
            assert provider.requests == []

    @pytest.mark.usefixtures("trust")
    def test_one_of_another_name(self, core: Borrowed, certificate: Certificate) -> None:
        with ProviderServer(BY_ID["github"], tls=certificate.server, host="localhost") as provider:
            assert outcome(self.signed_in(core, provider)) == FAILURE
            assert provider.requests == []

    def test_one_without_tls(self, core: Borrowed) -> None:
        with ProviderServer(BY_ID["github"]) as provider:
            provider.origin = provider.origin.replace("http:", "https:")
            assert outcome(self.signed_in(core, provider)) == FAILURE
            assert provider.requests == []
