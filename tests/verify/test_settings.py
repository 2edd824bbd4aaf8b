"""Arguments are checked where they are passed: the error names the setting and the cure."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from st_verify import (
    ANY,
    Clock,
    FetchFailed,
    JwtVerifier,
    MultiFactorAuthClaim,
    OAuth2AccessVerifier,
    PrimitiveArrayClaim,
    PrimitiveClaim,
    RemoteKeys,
    SessionVerifier,
    SettingError,
    StaticKeys,
    UserRoleClaim,
    require_claims,
)
from st_verify.wsgi import CsrfMode, Protect, RevocationCheck, SessionGuard, check_cors
from verify.minting import ISSUER, KID, Bench, FakeClock, header, jwk, jwks, outcome, payload, token, with_claims

URL = "https://api.example.com/auth/jwt/jwks.json"
KEYS = StaticKeys.from_jwks(jwks(jwk()))
# Settings of wrong types, which a type checker would refuse too.
ODD: Any = object()


def session(**options: Any) -> SessionVerifier:
    return SessionVerifier(**{"keys": KEYS, "issuer": ISSUER, "tenants": "public", **options})


def oauth2(**options: Any) -> OAuth2AccessVerifier:
    return OAuth2AccessVerifier(**{"keys": KEYS, "issuer": ISSUER, "audience": "a", "clients": "c", **options})


def jwts(**options: Any) -> JwtVerifier:
    return JwtVerifier(**{"keys": KEYS, "issuer": ISSUER, "required_claims": ANY, **options})


def guard(**options: Any) -> SessionGuard:
    return SessionGuard(**{"verifier": session(), "csrf": CsrfMode.NONE, "transport": "any", **options})


def app(environ: Any, start_response: Any) -> Any:
    raise AssertionError("never called")


Make = Callable[[], object]
WRONG: list[tuple[str, Make, str]] = [
    ("a URL as keys", lambda: session(keys=URL), r"keys: pass a key source such as RemoteKeys\(url\).*not a str"),
    ("a JWK set as keys", lambda: session(keys={"keys": [jwk()]}, issuer=None), r"keys: .*from_jwks.*not a list"),
    ("a class as keys", lambda: session(keys=RemoteKeys), "keys: pass a key source"),
    ("no keys", lambda: session(keys=None), "keys: .*not a NoneType"),
    ("an empty mapping of keys", lambda: session(keys={}, issuer=None), "keys: the mapping is empty"),
    ("an issuer beside a mapping", lambda: session(keys={ISSUER: KEYS}), "issuer: leave it out"),
    ("no issuer", lambda: session(issuer=None), "issuer: pass the exact iss"),
    ("an issuer with a slash", lambda: session(issuer=ISSUER + "/"), "issuer: .*ends with a slash.*remove it"),
    ("one with a slash in a list", lambda: session(issuer=[ISSUER, "https://b.example/"]), "b.example/' ends with a"),
    ("one in a mapping", lambda: session(keys={ISSUER + "/": KEYS}, issuer=None), "issuer: .*ends with a slash"),
    ("two issuers in one str", lambda: session(issuer=f"{ISSUER},{ISSUER}"), "issuer: .*pass them as a list"),
    ("an empty issuer", lambda: session(issuer=[""]), "issuer: pass a str, .* empty or has white space, not ''"),
    ("an issuer of bytes", lambda: session(issuer=b"x"), "issuer: pass a str, a list of str, or ANY"),
    ("no tenants", lambda: session(tenants=None), "tenants: pass a str, a list of str, or ANY"),
    ("an empty list of tenants", lambda: session(tenants=[]), "tenants: pass a str, a list of str, or ANY"),
    ("a tenant that is no str", lambda: session(tenants=[5]), "tenants: pass a str, .*, not 5"),
    ("a padded audience", lambda: session(audience=" a"), "audience: pass a str, .* has white space, not ' a'"),
    ("a truthy text for a key kind", lambda: session(use_dynamic_signing_key="no"), "signing_key: pass True or False"),
    ("a single version", lambda: session(versions="5"), 'versions: pass versions such as "5", in a list'),
    ("a version that is an int", lambda: session(versions=[5]), 'versions: pass versions such as "5", not 5'),
    ("an old version", lambda: session(versions=["2", "5"]), "versions: .*are never accepted"),
    ("no version", lambda: session(versions=[]), "versions: pass a list"),
    ("a single legacy kid", lambda: session(legacy_kids="a"), "legacy_kids: pass key ids .*in a list"),
    ("a legacy kid that is an int", lambda: session(legacy_kids=[5]), "legacy_kids: .*not 5"),
    (
        "legacy kids without static keys",
        lambda: session(legacy_kids=["a"], use_dynamic_signing_key=True),
        "legacy_kids: .*pass one of the two",
    ),
    ("leeway as text", lambda: session(leeway="5"), "leeway: pass seconds between 0 and 300, not '5'"),
    ("a clock skew of a day", lambda: session(clock_skew=86_400), "clock_skew: pass seconds between 0 and 300"),
    ("no lifetime", lambda: session(max_lifetime=0), "max_lifetime: pass seconds between 1"),
    ("a tiny max_token", lambda: session(max_token=5), "max_token: pass an int between 366 and 16384, not 5"),
    ("max_token as text", lambda: session(max_token="5"), "max_token: pass an int"),
    ("a negative cache", lambda: session(cache_size=-1), "cache_size: pass an int of at least 0, not -1"),
    ("another clock", lambda: session(clock=FakeClock()), "clock: pass a st_verify.Clock"),
    ("a clock of numbers", lambda: Clock(wall=5.0), "wall: pass a function, not 5.0"),  # type: ignore[arg-type]
    ("an OAuth2 API without a name", lambda: oauth2(audience=None), "audience: pass the name of your API in aud"),
    ("no clients", lambda: oauth2(clients=None), "clients: pass a str, a list of str, or ANY"),
    ("a URL as keys of another verifier", lambda: oauth2(keys=URL), "keys: pass a key source"),
    ("no required claims", lambda: jwts(required_claims={}), "required_claims: pass a mapping such as"),
    ("a list of required claims", lambda: jwts(required_claims=["a"]), "required_claims: pass a mapping such as"),
    ("neither URLs nor fetch", RemoteKeys, "urls: pass JWKS URLs, or fetch=, and not both"),
    ("URLs that are a number", lambda: RemoteKeys(ODD), "urls: pass a JWKS URL, or a list of them"),
    ("no URL", lambda: RemoteKeys([]), "urls: pass a JWKS URL"),
    ("plain http", lambda: RemoteKeys("http://core/jwks"), "urls: http://core is not loopback; use https, or add"),
    ("an address without scheme", lambda: RemoteKeys("core:3567/jwks"), "urls: .*must start with https://"),
    ("a URL as fetch", lambda: RemoteKeys(fetch=URL), "fetch: pass a function"),  # type: ignore[arg-type]
    ("TLS without URLs", lambda: RemoteKeys(fetch=bytes, ssl_context=ODD), "fetch: ssl_context and .*leave them out"),
    ("another TLS context", lambda: RemoteKeys(URL, ssl_context=ODD), "ssl_context: pass an ssl.SSLContext"),
    (
        "a TLS context that trusts every server",
        lambda: RemoteKeys(URL, ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)),
        "ssl_context: .*verifies certificates",
    ),
    ("a single host", lambda: RemoteKeys(URL, insecure_http_hosts="core"), "insecure_http_hosts: .*in a list"),
    ("a URL as host", lambda: RemoteKeys(URL, insecure_http_hosts=["http://core"]), "insecure_http_hosts: pass host"),
    ("a timeout of zero", lambda: RemoteKeys(URL, timeout=0), "timeout: pass seconds between 0.05 and 60, not 0"),
    ("min above max", lambda: RemoteKeys(URL, min_refresh=90, max_refresh=60), "min_refresh: pass seconds between 0"),
    ("background as text", lambda: RemoteKeys(URL, background=ODD), "background: pass True or False"),
    ("a single pin", lambda: RemoteKeys(URL, pins="x" * 43), "pins: pass RFC 7638 thumbprints .*in a list"),
    ("a pin in hexadecimal", lambda: RemoteKeys(URL, pins=["ab" * 32]), "pins: pass RFC 7638 thumbprints of 43"),
    ("a fractional burst", lambda: RemoteKeys(URL, lookup_burst=1.5), "lookup_burst: pass an int"),  # type: ignore[arg-type]
    ("a name of bytes", lambda: RemoteKeys(URL, name=b"x"), "name: pass a str"),  # type: ignore[arg-type]
    ("an event list", lambda: RemoteKeys(URL, on_event=[]), "on_event: pass a function"),  # type: ignore[arg-type]
    ("a constant jitter", lambda: RemoteKeys(URL, jitter=5), "jitter: pass a function, not 5"),  # type: ignore[arg-type]
    ("a clock function", lambda: RemoteKeys(URL, clock=ODD), "clock: pass a st_verify.Clock"),
    ("text to load", lambda: RemoteKeys(URL).load("{}"), "document: pass the bytes that"),  # type: ignore[arg-type]
    ("a broken document", lambda: RemoteKeys(URL).load(b"{}"), "document: pass what export.*no_keys"),
    ("a JWK set as a list of keys", lambda: StaticKeys([jwk()]), "keys: pass a list of VerificationKey, or use"),  # type: ignore[list-item]
    ("no static key", lambda: StaticKeys([]), "keys: pass at least one key"),
    ("a path as JWK set", lambda: StaticKeys.from_jwks(Path("x")), "jwks: pass a JWK set, as JSON"),  # type: ignore[arg-type]
    ("a JWK set that is no JSON", lambda: StaticKeys.from_jwks("keys.json"), "jwks: cannot be used: not_json"),
    ("a JWK set of objects", lambda: StaticKeys.from_jwks({"keys": [ODD]}), "jwks: cannot be used: not_json"),
    ("a number as PEM", lambda: StaticKeys.from_pem(5, kid=KID), "pem: pass the text of a PEM file"),  # type: ignore[arg-type]
    ("a text that is no PEM", lambda: StaticKeys.from_pem("x", kid=KID), "pem: not a PEM public key; it starts with"),
    ("no file", lambda: StaticKeys.from_file("/no/such"), "keys: cannot read /no/such: No such file"),
    ("a number as path", lambda: StaticKeys.from_file(5), "path: pass the path of a file"),  # type: ignore[arg-type]
    ("another verifier", lambda: guard(verifier=oauth2()), "verifier: pass a SessionVerifier"),
    ("a mode as text", lambda: guard(csrf="NONE"), "csrf: pass CsrfMode.NONE, CsrfMode.VIA_CUSTOM_HEADER or"),
    ("another transport", lambda: guard(transport="cookies"), "transport: pass one of any, header, cookie"),
    (
        "anti-CSRF for headers",
        lambda: guard(transport="header", csrf=CsrfMode.VIA_TOKEN),
        "csrf: tokens in headers need no check",
    ),
    ("a method that changes things", lambda: guard(csrf_safe_methods=["POST"]), "csrf_safe_methods: .*not 'POST'"),
    ("a single method", lambda: guard(csrf_safe_methods="GET"), "csrf_safe_methods: .*in a list"),
    ("a single origin", lambda: guard(allowed_origins="https://a.example"), "allowed_origins: .*in a list"),
    ("an origin with a slash", lambda: guard(allowed_origins=["https://a.example/"]), "allowed_origins: .*not 'https"),
    ("a host as origin", lambda: guard(allowed_origins=["a.example"]), "allowed_origins: pass origins such as"),
    ("a header as environ key", lambda: guard(authorization="Authorization"), "authorization: pass an environ key"),
    ("a list of revoked sessions", lambda: guard(is_revoked=["h"]), "is_revoked: pass a function"),
    ("a late hook as text", lambda: RevocationCheck(bool, fail_open="no"), "fail_open: pass True or False"),  # type: ignore[arg-type]
    ("no time for the hook", lambda: RevocationCheck(bool, timeout=0), "timeout: pass seconds between 0.01"),
    ("no hook may run", lambda: RevocationCheck(bool, max_waiting=0), "max_waiting: pass an int of at least 1"),
    ("protect without its call", lambda: guard().protect(app), r"validators: .*@guard.protect\(\)"),  # type: ignore[arg-type]
    ("a list of validators", lambda: Protect(app, guard(), [UserRoleClaim.includes("a")]), "validators: .*one by one"),  # type: ignore[arg-type]
    ("a verifier as guard", lambda: Protect(app, session()), "guard: pass a SessionGuard"),  # type: ignore[arg-type]
    ("no app", lambda: Protect(None, guard()), "app: pass a function"),  # type: ignore[arg-type]
    ("required as text", lambda: Protect(app, guard(), required="no"), "required: pass True or False"),  # type: ignore[arg-type]
    ("an environ as its function", lambda: guard().required(environ_of={}), "environ_of: pass a function"),  # type: ignore[arg-type]
    ("a claim as validator", lambda: guard().required(UserRoleClaim, environ_of=dict), "validators: pass Claim"),  # type: ignore[arg-type]
    ("a path without slash", lambda: check_cors(app, path="me", origin="https://a.example"), "path: pass a path such"),
    ("a host as the frontend's origin", lambda: check_cors(app, path="/", origin="a.example"), "origin: pass 'https://"),
    ("a claim without a name", lambda: PrimitiveClaim(""), "key: pass the name of the claim"),
    ("a value to fetch", lambda: PrimitiveClaim("a", fetch_value=5), "fetch_value: pass a function"),  # type: ignore[arg-type]
    ("an age as text", lambda: PrimitiveClaim("a", default_max_age_in_sec="5"), "default_max_age_in_sec: pass seconds"),  # type: ignore[arg-type]
    ("a time as clock", lambda: PrimitiveArrayClaim("a", clock=5), "clock: pass a function"),  # type: ignore[arg-type]
    ("an id that is no text", lambda: UserRoleClaim.includes("a", None, 5), "id_: pass the key of the claim"),  # type: ignore[arg-type]
    (
        "a single factor",
        lambda: MultiFactorAuthClaim.has_completed_requirement_list("totp"),
        "requirement_list: pass a list",
    ),
    (
        "an unknown step",
        lambda: MultiFactorAuthClaim.has_completed_requirement_list([{"anyOf": ["totp"]}]),  # type: ignore[list-item]
        "requirement_list: a step is a factor id",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), [pytest.param(*row[1:], id=row[0]) for row in WRONG])
def test_a_wrong_setting_is_named_with_its_cure(make: Make, message: str) -> None:
    with pytest.raises(SettingError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_url_with_a_password_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingError) as caught:
        RemoteKeys("https://user:secret-1@api.example.com/jwks.json")
    assert "secret-1" not in str(caught.value)


def test_a_request_with_wrong_arguments_is_a_type_error_that_says_what_to_pass() -> None:
    """V-019: a mistake in the code of a handler, not in a setting and not in the request."""
    environ = {"REQUEST_METHOD": "GET", "HTTP_AUTHORIZATION": f"Bearer {token()}"}
    reader = SessionGuard(Bench().verifier, csrf=CsrfMode.NONE, transport="any")
    with pytest.raises(TypeError, match=r"environ: pass the WSGI environ, such as request\.environ, not object"):
        reader.session(ODD)
    with pytest.raises(TypeError, match="validators: pass ClaimValidators one by one"):
        reader.session(environ, [UserRoleClaim.includes("a")])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="validators: pass ClaimValidators"):
        require_claims([UserRoleClaim], {})  # type: ignore[list-item]
    with pytest.raises(TypeError, match="token: pass a str, not bytes"):
        session().verify(token().encode())  # type: ignore[arg-type]
    for scopes in ("read", None):
        with pytest.raises(TypeError, match="scopes: pass a list such as"):
            oauth2().verify(token(), scopes=scopes)  # type: ignore[arg-type]


# What is logged names what it is about.


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"urls": "http://127.0.0.1:1/jwks.json?key=secret-2"}, "http://127.0.0.1:1/jwks.json"),
        ({"urls": ["http://127.0.0.1:1/a", "http://localhost:1/b"]}, "http://127.0.0.1:1/a, http://localhost:1/b"),
        ({"urls": "http://127.0.0.1:1/jwks.json", "name": "the core"}, "the core"),
    ],
)
def test_a_failed_fetch_is_logged_with_the_address(
    keys: dict[str, Any], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[Any] = []
    source = RemoteKeys(**keys, background=False, on_event=events.append)
    assert outcome(source.preload) == "503"
    (record,) = caplog.records
    assert record.getMessage().startswith(f"keys of {name}: fetch_failed (connection")
    assert "max_stale" in record.getMessage()
    assert "secret-2" not in record.getMessage() + repr(source)
    assert [(event.name, event.source) for event in events] == [("fetch_failed", name)]


def fetch_from_a_file() -> bytes:
    raise FetchFailed("no_file")


def test_a_fetcher_of_your_own_is_logged_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    assert outcome(RemoteKeys(fetch=fetch_from_a_file, background=False).preload) == "503"
    assert "keys of fetch_from_a_file: fetch_failed (no_file)" in caplog.text


def test_errors_of_hooks_are_logged_by_their_name(caplog: pytest.LogCaptureFixture) -> None:
    def ask_the_database(session: object) -> bool:
        raise OSError("down")

    def count(event: object) -> None:
        raise OSError("down")

    bench = Bench()
    strict = SessionGuard(bench.verifier, csrf=CsrfMode.NONE, transport="any", is_revoked=ask_the_database)
    environ = {"REQUEST_METHOD": "GET", "HTTP_AUTHORIZATION": f"Bearer {token()}"}
    assert outcome(lambda: strict.session(environ)) == "503"
    assert "ask_the_database raised" in caplog.text
    assert outcome(RemoteKeys(fetch=fetch_from_a_file, background=False, on_event=count).preload) == "503"
    assert "keys of fetch_from_a_file: on_event raised for fetch_failed" in caplog.text


def test_several_issuers_with_one_key_source_are_accepted_and_a_refused_one_is_logged_with_the_setting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two back ends on one core have two API domains, and so two issuers for the same keys."""
    other, stranger = "https://api.old.example/auth", "https://api.example.org/auth"
    bench = Bench(issuer=[ISSUER, other])
    assert [bench.outcome(with_claims(iss=issuer)) for issuer in (ISSUER, other, stranger)] == ["OK", "OK", "401U"]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == (
        f"SessionVerifier refuses a token with iss '{stranger}': its setting issuer allows only '{ISSUER}', '{other}'. "
        "Add the issuer there to accept it."
    )


# What objects show of themselves.


def test_objects_show_their_settings_and_no_secrets() -> None:
    remote = RemoteKeys([URL + "?key=secret-3", "https://core.example/.well-known/jwks.json"])
    assert repr(remote) == f"RemoteKeys({URL}, https://core.example/.well-known/jwks.json, not fetched yet)"
    assert repr(KEYS) == f"StaticKeys('{KID}')"
    shown = repr(session(keys=remote, tenants=ANY, max_lifetime=3600))
    for setting in (f"keys={remote!r}", f"issuer='{ISSUER}'", "tenants=ANY", "max_lifetime=3600", "audience=None"):
        assert setting in shown
    assert "clients='c'" in repr(oauth2()) and "required_claims=ANY" in repr(jwts())
    strict = guard(csrf=CsrfMode.VIA_TOKEN, transport="cookie", is_revoked=fetch_from_a_file)
    assert "csrf=VIA_TOKEN, transport='cookie'" in repr(strict)
    assert "RevocationCheck(fetch_from_a_file, timeout=1, fail_open=False)" in repr(strict)
    assert repr(strict) in repr(Protect(app, strict))
    assert repr(UserRoleClaim) == "PrimitiveArrayClaim('st-role')"
    assert "'st-role'" in repr(UserRoleClaim.includes("admin"))
    bench = Bench()
    assert "1 keys" in repr(bench.keys)
    unverified = bench.verifier.parse(token(header(), payload(antiCsrfToken="secret-4")))
    assert repr(unverified) == f"UnverifiedToken(header=TokenHeader(kid='{KID}', version='5', alg='RS256'))"
    assert "secret" not in repr([remote, strict, bench.verifier, unverified, bench.verifier.verify(unverified or "")])
