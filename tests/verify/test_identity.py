"""Catalogue 3.6: whose token it is, by whom, for which tenant, and of which kind."""

from __future__ import annotations

import base64
import logging
import pickle
from typing import Any

import pytest

from st_verify import (
    ANY,
    JwtVerifier,
    OAuth2AccessVerifier,
    Refused,
    SessionVerifier,
    SettingError,
    StaticKeys,
)
from verify.minting import (
    HASH,
    ISSUER,
    KID,
    NOW,
    Bench,
    b64,
    header,
    jwk,
    jwks,
    outcome,
    payload,
    these,
    token,
    with_claims,
)

HANDLE = payload()["sessionHandle"]


def of_version(version: str, **claims: Any) -> str:
    return token(header(version=version), payload(**claims))


WRONG_SUBS: list[Any] = [..., "", 123, {}, None, "u" * 10_000, ["u"], True]
WRONG_TENANTS: list[Any] = [..., 5, "", None, ["public"]]
WRONG_ISSUERS: list[Any] = [
    "https://api.example.com",
    ISSUER + ".evil.com",
    ISSUER + "/",
    ISSUER.upper(),
    "",
    "h",
    [ISSUER],
    ...,
    None,
]
WRONG_AUDIENCES: list[Any] = [..., "", "other", "min", "mine2", ["mine", 5], [], [["mine"]], None, {"mine": 1}]

CLAIMS: list[Any] = [
    *[pytest.param(with_claims(sub=sub), "401U", id=f"V-100 sub {str(sub)[:9]!r}") for sub in WRONG_SUBS],
    *[pytest.param(with_claims(rsub=rsub), "401U", id=f"V-102 rsub {rsub!r}") for rsub in these(..., 5, None, "")],
    *[
        pytest.param(with_claims(**{name: value}), "401U", id=f"V-103 {name} {value!r}")
        for name in ("sessionHandle", "refreshTokenHash1")
        for value in these(..., 5, None, "", [HASH])
    ],
    *[
        pytest.param(with_claims(**{name: value}), "401U", id=f"V-103 {name} {value!r}")
        for name in ("parentRefreshTokenHash1", "antiCsrfToken")
        for value in these(5, [HASH], {}, False)
    ],
    *[
        pytest.param(of_version(version, tId=tenant), "401U", id=f"V-104 version {version}, tId {tenant!r}")
        for version in ("4", "5")
        for tenant in WRONG_TENANTS
    ],
    pytest.param(with_claims(tId="t2", sessionHandle=f"{HANDLE}_t2"), "403F", id="V-105 another tenant"),
    pytest.param(with_claims(sessionHandle=f"{HANDLE}_t2"), "401U", id="V-106 public, handle of t2"),
    pytest.param(with_claims(tId="t1", sessionHandle=f"{HANDLE}_t2"), "401U", id="V-106 t1, handle of t2"),
    pytest.param(with_claims(tId="t1"), "401U", id="V-106 t1, handle of public"),
    pytest.param(of_version("3", tId=..., sessionHandle=f"{HANDLE}_t2"), "401U", id="V-106 version 3, handle of t2"),
    *[pytest.param(with_claims(iss=iss), "401U", id=f"V-110 iss {iss!r}") for iss in WRONG_ISSUERS],
    pytest.param(with_claims(aud="anything"), "401U", id="V-119 aud though none is configured"),
    pytest.param(with_claims(aud=None), "401U", id="V-119 aud null"),
    *[
        pytest.param(with_claims(stt=stt), "401U", id=f"V-123 stt {stt!r}")
        for stt in these("0", False, None, 0.0, [], 3, 1, 2, -1)
    ],
    pytest.param(with_claims(stt=0), "OK", id="V-123 stt 0"),
]


@pytest.mark.parametrize(("text", "expected"), CLAIMS)
def test_claims_of_the_protocol_are_type_strict(bench: Bench, text: str, expected: str) -> None:
    assert bench.outcome(text) == expected


def test_user_ids_are_passed_on_unchanged(bench: Bench) -> None:
    """V-101"""
    assert bench.verifier.verify(with_claims(sub=" u1 ", rsub="\u00dc")).user_id == " u1 "
    assert bench.verifier.verify(with_claims(sub="u1", rsub="\u00dc")).recipe_user_id == "\u00dc"


def test_older_versions_have_no_recipe_user_id(bench: Bench) -> None:
    """V-102: in version 4 rsub is nothing of the protocol's."""
    for rsub in (..., "someone else"):
        assert bench.verifier.verify(of_version("4", rsub=rsub)).recipe_user_id == "user-1"


def test_the_tenant_of_version_3_is_public_whatever_the_app_wrote(bench: Bench) -> None:
    """V-104"""
    for tenant in (..., "t9", 5):
        assert bench.verifier.verify(of_version("3", rsub=..., tId=tenant)).tenant_id == "public"


@pytest.mark.parametrize("tenant", ["T1", "t1 ", "t1/../t2", "t", "t11"])
def test_tenants_are_compared_exactly(tenant: str) -> None:
    """V-107"""
    bench = Bench(tenants={"t1"})
    assert bench.outcome(with_claims(tId=tenant, sessionHandle=f"{HANDLE}_{tenant}")) == "403F"
    assert bench.outcome(with_claims(tId="t1", sessionHandle=f"{HANDLE}_t1")) == "OK"
    assert Bench(tenants=ANY).outcome(with_claims(tId=tenant, sessionHandle=f"{HANDLE}_{tenant}")) == "OK"


def test_the_tenant_is_asked_after_everything_else(bench: Bench) -> None:
    """V-105: who wants to check an anti-CSRF token in between can."""
    verified = bench.verifier.authenticate(with_claims(tId="t2", sessionHandle=f"{HANDLE}_t2"))
    assert verified.tenant_id == "t2"
    assert outcome(lambda: bench.verifier.check_tenant(verified)) == "403F"


def test_a_foreign_issuer_is_refused_before_any_fetch_and_named_in_the_log_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """V-112: also with a kid that would be worth a fetch; the log line has the token's issuer, escaped."""
    unknown = header(kid=f"d-{NOW * 1000}")
    for _ in range(3):
        assert bench.outcome(token(unknown, payload(iss="https://evil.example/\u00fc\r\n"))) == "401U"
    assert bench.extra_fetches == 0
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert ISSUER in record.getMessage() and "evil.example/\\xfc\\r\\n" in record.getMessage()
    bench.time.advance(61)
    bench.outcome(with_claims(iss="https://evil.example"))
    assert len(caplog.records) == 2


def test_an_unverified_payload_that_has_expired_or_is_of_another_kind_is_worth_no_fetch(bench: Bench) -> None:
    """V-038: the pre-checks on the unknown-kid path."""
    unknown = header(kid=f"d-{NOW * 1000}")
    assert bench.outcome(token(unknown, payload(exp=NOW - 1))) == "401R"
    assert bench.outcome(token(unknown, payload(stt=1))) == "401U"
    assert bench.outcome(token(unknown, payload(refreshTokenHash1=...))) == "401U"
    assert bench.extra_fetches == 0


KEYS = StaticKeys.from_jwks(jwks(jwk()))
BAD_ISSUERS: list[Any] = [
    "https://a.example/auth,https://b.example/auth",
    "https://a.example/auth https://b.example/auth",
    "https://a.example/auth;https://b.example/auth",
    None,
    [],
    [""],
    [None],
    5,
    "",
]


@pytest.mark.parametrize("issuer", BAD_ISSUERS)
def test_a_vague_issuer_is_refused_at_construction(issuer: Any) -> None:
    """V-113"""
    with pytest.raises(SettingError, match="issuer"):
        SessionVerifier(keys=KEYS, issuer=issuer, tenants=ANY)


def test_the_issuer_check_is_switched_off_by_name_only() -> None:
    """V-113"""
    bench = Bench(issuer=ANY)
    assert bench.outcome(with_claims(iss="https://whoever.example")) == "OK"
    assert bench.outcome(with_claims(iss=...)) == "OK"
    assert bench.outcome(with_claims(iss=5)) == "401U"
    assert Bench(issuer=["https://a.example", ISSUER]).outcome(token()) == "OK"


@pytest.mark.parametrize("audience", WRONG_AUDIENCES)
def test_an_audience_is_matched_exactly(audience: Any) -> None:
    """V-118"""
    assert Bench(audience="mine").outcome(with_claims(aud=audience)) == "401U"


@pytest.mark.parametrize("audience", ["mine", ["mine"], ["x", "mine"]])
def test_an_audience_may_be_one_of_several(audience: Any) -> None:
    """V-118"""
    assert Bench(audience=["mine", "ours"]).outcome(with_claims(aud=audience)) == "OK"


OAUTH2_HEADER = {"alg": "RS256", "typ": "JWT", "kid": KID}
OAUTH2 = {
    **payload(refreshTokenHash1=..., parentRefreshTokenHash1=..., antiCsrfToken=...),
    "stt": 1,
    "client_id": "client-1",
    "scp": ["read", "write"],
    "gid": "g",
    "jti": "j",
    "aud": ["api"],
}
MACHINE = {"iss": ISSUER, "sub": "svc", "source": "microservice", "iat": NOW - 10, "exp": NOW + 3590}


def oauth2(**claims: Any) -> str:
    return token(OAUTH2_HEADER, {name: value for name, value in (OAUTH2 | claims).items() if value is not ...})


def machine(**claims: Any) -> str:
    return token(OAUTH2_HEADER, {name: value for name, value in (MACHINE | claims).items() if value is not ...})


OTHER_KINDS = [
    pytest.param(oauth2(), id="V-120 OAuth2 access token"),
    pytest.param(oauth2(refreshTokenHash1=HASH), id="V-121 with a hash added by the app"),
    pytest.param(token(header(), OAUTH2 | {"refreshTokenHash1": HASH, "aud": "x"}), id="V-121 and a version"),
    pytest.param(oauth2(stt=2), id="V-122 ID token"),
    pytest.param(machine(), id="V-124 token of the jwt recipe"),
]
FOREIGN = [
    pytest.param("tR0Yx" * 30 + "." + "ab01" * 16 + ".V2", id="V-127 refresh token"),
    pytest.param(base64.b64encode(b'{"ate":1,"uid":"u","up":{}}').decode(), id="V-128 front token"),
    pytest.param("5d0b3b3e-8f43-4d9c-9b5c-3f5a4f2c1e11", id="V-128 anti-csrf token"),
    pytest.param("ZjY5ZTk" * 12, id="V-128 password reset token"),
    pytest.param(token({"alg": "RS256", "kid": "f833e8a7", "typ": "JWT"}, MACHINE), id="V-129 ID token of a provider"),
    pytest.param("ya29." + "a0AfH6SMB" * 20, id="V-129 access token of a provider"),
    pytest.param("gho_" + "16C7e42F292c6912E7" * 2, id="V-129 opaque token"),
]


@pytest.mark.parametrize("text", [*OTHER_KINDS, *FOREIGN])
def test_tokens_of_other_kinds_are_no_sessions(bench: Bench, text: str) -> None:
    assert bench.outcome(text) == "401U"
    assert bench.extra_fetches == 0


def oauth2_verifier(bench: Bench, **options: Any) -> OAuth2AccessVerifier:
    full = {"issuer": ISSUER, "audience": "api", "clients": "client-1", **options}
    return OAuth2AccessVerifier(keys=bench.keys, clock=bench.time.clock, **full)


def test_an_oauth2_token_is_accepted_by_its_own_verifier(bench: Bench) -> None:
    """V-126"""
    verified = oauth2_verifier(bench).verify(oauth2(), scopes=["read"])
    assert (verified.client_id, verified.scopes, verified.user_id) == ("client-1", ("read", "write"), "user-1")
    assert verified.claims["jti"] == "j"


@pytest.mark.parametrize(
    ("text", "scopes", "expected"),
    [
        pytest.param(token(), [], "401U", id="V-125 session token"),
        pytest.param(oauth2(stt=0), [], "401U", id="V-125 session by its stt"),
        pytest.param(oauth2(stt=...), [], "401U", id="V-125 no stt"),
        pytest.param(oauth2(stt=2), [], "401U", id="V-125 ID token"),
        pytest.param(oauth2(stt=True), [], "401U", id="V-125 stt true"),
        pytest.param(machine(), [], "401U", id="V-125 token of the jwt recipe"),
        pytest.param(oauth2(scp="read write"), ["read"], "401U", id="V-126 scopes in a string"),
        pytest.param(oauth2(scp=["read", 5]), ["read"], "401U", id="V-126 a scope that is no string"),
        pytest.param(oauth2(scp=...), [], "401U", id="V-126 no scopes"),
        pytest.param(oauth2(client_id=["client-1"]), [], "401U", id="V-126 list of clients"),
        pytest.param(oauth2(client_id=...), [], "401U", id="V-126 no client"),
        pytest.param(oauth2(), ["read", "write", "admin"], "403F", id="V-126 one scope more than there is"),
        pytest.param(oauth2(), ["rea"], "403F", id="V-126 part of a scope"),
        pytest.param(oauth2(), ["read write"], "403F", id="V-126 two scopes in one"),
        pytest.param(oauth2(), [], "OK", id="V-126 no scope asked for"),
        pytest.param(oauth2(client_id="client-2"), [], "403F", id="V-126 another client"),
        pytest.param(oauth2(aud="other"), [], "401U", id="V-118 another audience"),
        pytest.param(oauth2(aud=...), [], "401U", id="V-118 no audience"),
        pytest.param(oauth2(iss="https://evil.example"), [], "401U", id="V-110 another issuer"),
        pytest.param(oauth2(exp=NOW), [], "401R", id="V-080 expired"),
        pytest.param(oauth2(sub=...), [], "401U", id="V-100 no sub"),
    ],
)
def test_what_the_oauth2_verifier_refuses(bench: Bench, text: str, scopes: list[str], expected: str) -> None:
    verifier = oauth2_verifier(bench)
    assert outcome(lambda: verifier.verify(text, scopes=scopes)) == expected


def test_scopes_are_a_list_and_never_forgotten(bench: Bench) -> None:
    """V-126"""
    with pytest.raises(TypeError):
        oauth2_verifier(bench).verify(oauth2(), scopes="read")
    for option in these({"audience": None}, {"clients": None}, {"clients": []}, {"issuer": None}):
        with pytest.raises(SettingError):
            oauth2_verifier(bench, **option)


def jwt_verifier(bench: Bench, **options: Any) -> JwtVerifier:
    full = {"issuer": ISSUER, "required_claims": {"source": "microservice"}, **options}
    return JwtVerifier(keys=bench.keys, clock=bench.time.clock, **full)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(machine(), "OK", id="V-124 its own kind"),
        pytest.param(token(), "401U", id="V-125 session token"),
        pytest.param(oauth2(source="microservice", aud=...), "401U", id="V-120 OAuth2 token"),
        pytest.param(machine(stt=0), "401U", id="V-123 any stt"),
        pytest.param(machine(refreshTokenHash1=HASH), "401U", id="V-121 claims of a session"),
        pytest.param(machine(source=...), "401U", id="V-124 required claim missing"),
        pytest.param(machine(source=["microservice"]), "401U", id="V-124 required claim in a list"),
        pytest.param(machine(source="microservice2"), "401U", id="V-124 another value"),
        pytest.param(machine(aud="x"), "401U", id="V-119 aud though none is configured"),
        pytest.param(machine(iss=...), "401U", id="V-110 no issuer"),
        pytest.param(machine(exp=NOW), "401R", id="V-080 expired"),
    ],
)
def test_what_the_verifier_of_the_jwt_recipe_takes(bench: Bench, text: str, expected: str) -> None:
    verifier = jwt_verifier(bench)
    assert outcome(lambda: verifier.verify(text)) == expected


def test_required_claims_are_compared_with_their_type(bench: Bench) -> None:
    verifier = jwt_verifier(bench, required_claims={"level": 1})
    assert outcome(lambda: verifier.verify(machine(level=1))) == "OK"
    assert outcome(lambda: verifier.verify(machine(level=True))) == "401U"
    assert outcome(lambda: jwt_verifier(bench, required_claims=ANY).verify(machine())) == "OK"
    for vague in these({}, None, "source"):
        with pytest.raises(SettingError, match="required_claims"):
            jwt_verifier(bench, required_claims=vague)


def test_no_secret_is_shown_or_pickled(bench: Bench) -> None:
    """V-229"""
    text = with_claims(antiCsrfToken="anti-secret", parentRefreshTokenHash1="parent-secret", card="4111")
    gated = bench.verifier.parse(text)
    verified = bench.verifier.verify(text)
    others = [oauth2_verifier(bench).verify(oauth2(), scopes=[]), jwt_verifier(bench).verify(machine())]
    shown = repr([verified, gated, *others, verified.claims])
    for secret in (HASH, "anti-secret", "parent-secret", *text.split(".")[1:]):
        assert secret not in shown
    assert "4111" not in repr(verified)
    for value in (verified, *others):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(value)


def test_claims_are_read_only_and_fresh(bench: Bench) -> None:
    """V-171: what one request does to its claims is never seen by another, not even through the cache."""
    text = with_claims(**{"st-role": {"v": ["user"], "t": 1}})
    first = bench.verifier.verify(text).claims
    with pytest.raises(TypeError):
        first["sub"] = "admin"  # type: ignore[index]  # that is the point
    first["st-role"]["v"].append("admin")
    assert bench.verifier.verify(text).claims["st-role"]["v"] == ["user"]
    with pytest.raises(AttributeError):
        bench.verifier.verify(text).user_id = "admin"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    "options",
    [
        {"tenants": []},
        {"tenants": None},
        {"tenants": ["a b"]},
        {"audience": []},
        {"audience": ""},
        {"cache_size": -1},
        {"cache_size": True},
        {"max_lifetime": 0},
        {"max_token": 10},
        {"max_token": 100_000},
        {"versions": []},
        {"versions": "5"},
        {"versions": ["2"]},
        {"versions": ["five"]},
        {"legacy_kids": "abc"},
        {"legacy_kids": ["ü"]},
        {"legacy_kids": ["a"], "use_dynamic_signing_key": True},
    ],
)
def test_contradictions_and_gaps_fail_at_construction(options: dict[str, Any]) -> None:
    """R10"""
    with pytest.raises(SettingError):
        SessionVerifier(**{"keys": KEYS, "issuer": ISSUER, "tenants": "public", **options})


def test_issuers_are_said_once() -> None:
    """R10: a mapping of key sources has the issuers already."""
    for options in these({"keys": {ISSUER: KEYS}, "issuer": ISSUER}, {"keys": {}}, {"keys": KEYS}):
        with pytest.raises(SettingError):
            SessionVerifier(tenants=ANY, **options)


def test_refusals_say_why_in_a_word_that_is_not_from_the_token(bench: Bench) -> None:
    with pytest.raises(Refused) as caught:
        bench.verifier.verify(with_claims(sub="", name="Ada"))
    assert caught.value.reason == "sub_form"
    assert caught.value.body() == {"message": "unauthorised"}
    assert b64(b"Ada") not in str(caught.value)
