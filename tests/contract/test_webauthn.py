"""Passkeys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contract.authenticator import (
    BACKED_UP,
    EXTENDED,
    NEW,
    ORIGIN,
    PRESENT,
    RP,
    VERIFIED,
    Credential,
    asserted,
    cbor,
    created,
    credential,
    encoded,
)
from contract.client import Answer, Caller, email, fresh
from contract.covered import covers
from contract.expectations import NOW, TEXT, UUID
from contract.logins import link, make_primary, social, user

BASE = "/recipe/webauthn"
CREDENTIAL = f"{BASE}/user/credential"
RECOVER = f"{BASE}/user/recover"
ASKED: dict[str, Any] = {
    "relyingPartyName": "Example",
    "relyingPartyId": RP,
    "origin": ORIGIN,
    "timeout": 60_000,
    "userPresence": True,
}
UNREADABLE = "Input data does not match expected form"


def to_register(app: Caller, address: str | None = None, **more: Any) -> dict[str, Any]:
    """Return options for a new credential."""
    body = {**ASKED, "email": address or email(), **more}
    options: dict[str, Any] = app.post(f"{BASE}/options/register", **body).has()
    return options


def to_sign_in(app: Caller, **more: Any) -> dict[str, Any]:
    """Return options to sign in."""
    options: dict[str, Any] = app.post(f"{BASE}/options/signin", **{**ASKED, **more}).has()
    return options


def send(app: Caller, path: str, options: dict[str, Any], sent: dict[str, Any], **more: Any) -> Answer:
    """Answer options with a credential."""
    options_id = options["webauthnGeneratedOptionsId"]
    return app.post(f"{BASE}/{path}", webauthnGeneratedOptionsId=options_id, credential=sent, **more)


def sign_up(app: Caller, address: str | None = None, own: Credential | None = None) -> tuple[str, Credential]:
    """Sign up with a passkey; return the user's id and the passkey."""
    own = own or credential()
    options = to_register(app, address)
    return str(send(app, "signup", options, created(options, own)).has()["recipeUserId"]), own


def sign_in(app: Caller, own: Credential, **more: Any) -> Answer:
    """Sign in with a passkey."""
    options = to_sign_in(app)
    return send(app, "signin", options, asserted(options, own, **more))


def add(app: Caller, user_id: str, own: Credential | None = None) -> Answer:
    """Register one more passkey."""
    options = to_register(app)
    sent = created(options, own or credential())
    return send(app, "user/credential/register", options, sent, recipeUserId=user_id)


@covers(f"POST {BASE}/options/register", f"POST {BASE}/options/signin", f"POST {BASE}/signup", f"POST {BASE}/signin")
@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_sign_up_and_in(app: Caller, algorithm: int) -> None:
    """A passkey of each usual algorithm signs up, and in again."""
    address, own = email(), credential(algorithm)
    options = to_register(app, address)
    method = {
        "tenantIds": ["public"],
        "recipeUserId": UUID,
        "verified": False,
        "timeJoined": NOW,
        "recipeId": "webauthn",
        "email": address,
        "webauthn": {"credentialIds": [own.name]},
    }
    new = {
        "id": UUID,
        "isPrimaryUser": False,
        "tenantIds": ["public"],
        "timeJoined": NOW,
        "emails": [address],
        "phoneNumbers": [],
        "thirdParty": [],
        "webauthn": {"credentialIds": [own.name]},
        "loginMethods": [method],
    }
    up = send(app, "signup", options, created(options, own)).says(
        "OK",
        user=new,
        recipeUserId=UUID,
        webauthnCredentialId=own.name,
        relyingPartyId=RP,
        relyingPartyName="Example",
    )
    sign_in(app, own).says("OK", user=up["user"], recipeUserId=up["user"]["id"])
    sign_in(app, own, counter=1000).has()
    again = to_register(app, address)
    assert again["user"]["id"] == encoded(up["user"]["id"].encode())
    send(app, "signup", again, created(again, credential())).says("EMAIL_ALREADY_EXISTS_ERROR")


@covers(f"GET {BASE}/options", f"DELETE {BASE}/options/remove")
def test_options(app: Caller, tenant: Caller) -> None:
    """Options are what was asked for, and belong to a tenant."""
    least = {name: ASKED[name] for name in ("relyingPartyName", "relyingPartyId", "origin")}
    address = email()
    made = app.post(f"{BASE}/options/register", email=f" {address.upper()}", **least).says(
        "OK",
        webauthnGeneratedOptionsId=UUID,
        rp={"id": RP, "name": "Example"},
        user={"id": TEXT, "name": address, "displayName": address},
        email=address,
        timeout=6000,
        challenge=TEXT,
        attestation="none",
        createdAt=NOW,
        expiresAt=NOW,
        pubKeyCredParams=[{"alg": number, "type": "public-key"} for number in (-8, -7, -257)],
        excludeCredentials=[],
        authenticatorSelection={
            "requireResidentKey": True,
            "residentKey": "required",
            "userVerification": "preferred",
        },
    )
    name = made["webauthnGeneratedOptionsId"]
    assert made["user"]["id"] == encoded(name.encode())
    assert made["expiresAt"] == made["createdAt"] + 6000
    shown = {
        **{key: made[key] for key in ("webauthnGeneratedOptionsId", "challenge", "timeout", "createdAt", "expiresAt")},
        **least,
        "email": address,
        "userPresence": False,
        "userVerification": "preferred",
    }
    for caller, found in ((app, True), (tenant, False)):
        answer = caller.get(f"{BASE}/options", webauthnGeneratedOptionsId=name)
        answer.says("OK", **shown) if found else answer.says("OPTIONS_NOT_FOUND_ERROR")
    for caller, status in ((tenant, "OPTIONS_NOT_FOUND_ERROR"), (app, "OK"), (app, "OPTIONS_NOT_FOUND_ERROR")):
        caller.delete(f"{BASE}/options/remove", webauthnGeneratedOptionsId=name).says(status)
    signing = app.post(f"{BASE}/options/signin", **least).says(
        "OK",
        webauthnGeneratedOptionsId=UUID,
        relyingPartyId=RP,
        challenge=TEXT,
        timeout=6000,
        userVerification="preferred",
        userPresence=False,
        createdAt=NOW,
        expiresAt=NOW,
    )
    name = signing["webauthnGeneratedOptionsId"]
    app.get(f"{BASE}/options", webauthnGeneratedOptionsId=name).has(email=None)
    every = to_register(
        app,
        displayName="Ann",
        attestation="direct",
        residentKey="preferred",
        userVerification="required",
        supportedAlgorithmIDs=[-7, "-257"],
    )
    assert (every["user"]["displayName"], every["attestation"]) == ("Ann", "direct")
    assert [row["alg"] for row in every["pubKeyCredParams"]] == [-7, -257]
    selection = {"requireResidentKey": False, "residentKey": "preferred", "userVerification": "required"}
    assert every["authenticatorSelection"] == selection


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("origin", "example.com", "Origin has to be a valid url!"),
        ("origin", "ftp:/", "Origin has to be a valid url!"),
        ("origin", "https://example.com:x", "Origin has to be a valid url!"),
        ("origin", "https://[", "Origin has to be a valid url!"),
        ("origin", "https://other.org", "Origin does not match RelyingParty Id"),
        ("origin", "https://example.com.other.org", "Origin does not match RelyingParty Id"),
        ("origin", "https://example.com@other.org", "Origin does not match RelyingParty Id"),
        ("origin", "android:apk-key-hash:", "Android origin must contain a valid base64 hash"),
        ("origin", "android:apk-key-hash:!", "Android origin hash must be valid URL-safe base64 (no padding)"),
        ("origin", "android:apk-key-hash:AAAA", "Android origin hash must be 43 characters (base64url SHA-256)"),
        ("relyingPartyId", "EXAMPLE.com", "Origin does not match RelyingParty Id"),
        ("timeout", -1, "Timeout must be a positive value"),
        ("timeout", 2**60, "Timeout is too long"),
        (
            "userVerification",
            "x",
            "Invalid value 'x' for userVerification. Must be one of: required, discouraged, preferred",
        ),
    ],
)
def test_options_that_make_no_sense(app: Caller, field: str, value: object, reason: str) -> None:
    """They are refused with a reason."""
    for path, more in (("register", {"email": "a@example.com"}), ("signin", {})):
        answer = app.post(f"{BASE}/options/{path}", **{**ASKED, **more, field: value})
        answer.says("INVALID_OPTIONS_ERROR", reason=reason)


def test_options_to_register_that_make_no_sense(app: Caller) -> None:
    """What only a registration has is looked at, too."""
    texts = {
        "attestation": "Invalid value 'x' for attestation. Must be one of: none, indirect, direct, enterprise",
        "residentKey": "Invalid value 'x' for residentKey. Must be one of: required, discouraged, preferred",
    }
    path = f"{BASE}/options/register"
    for field, reason in texts.items():
        body = {**ASKED, "email": "a@example.com", field: "x"}
        app.post(path, **body).says("INVALID_OPTIONS_ERROR", reason=reason)
    body = {**ASKED, "email": "a@example.com"}
    reason = 'For input string: "x"'
    app.post(path, **body, supportedAlgorithmIDs=["x"]).says("INVALID_OPTIONS_ERROR", reason=reason)
    for value in (None, [None], [True], [[-7]], "x"):
        refusal = "Field name 'supportedAlgorithmIDs' is invalid in JSON input"
        app.post(path, **body, supportedAlgorithmIDs=value).refused(400, refusal)
    for field in ("relyingPartyName", "relyingPartyId", "origin"):
        app.post(path, **{**body, field: None}).refused(400, f"Field name '{field}' is invalid in JSON input")


LIES: list[tuple[dict[str, Any], str]] = [
    (
        {"origin": "https://evil.org"},
        "The collectedClientData 'https://evil.org' origin doesn't match any of the preconfigured server origin.",
    ),
    (
        {"origin": "http://www.example.com"},
        "The collectedClientData 'http://www.example.com' origin doesn't match any of the preconfigured server origin.",
    ),
    (
        {"origin": "https://www.example.com:444"},
        "The collectedClientData 'https://www.example.com:444' origin doesn't match any of the preconfigured server"
        " origin.",
    ),
    (
        {"crossOrigin": True},
        "The collectedClientData topOrigin 'None' doesn't match any of the preconfigured server topOrigin.",
    ),
    (
        {"topOrigin": "https://evil.org"},
        "The collectedClientData topOrigin 'https://evil.org' doesn't match any of the preconfigured server topOrigin.",
    ),
    ({"rp_id": "other.org"}, "rpIdHash doesn't match the hash of preconfigured rpId."),
    ({"challenge": encoded(bytes(32))}, "The actual challenge does not match the expected challenge"),
    ({"challenge": ""}, "The actual challenge does not match the expected challenge"),
    (
        {"flags": VERIFIED},
        "Verifier is configured to check user present, but UP flag in authenticatorData is not set.",
    ),
    (
        {"flags": PRESENT},
        "Verifier is configured to check user verified, but UV flag in authenticatorData is not set.",
    ),
    (
        {"flags": PRESENT | VERIFIED | BACKED_UP},
        "Backup state bit must not be set if backup eligibility bit is not set",
    ),
]


@pytest.mark.parametrize(("lie", "reason"), LIES)
def test_lies(app: Caller, lie: dict[str, Any], reason: str) -> None:
    """A credential that was not made for these options is refused, to sign up and to sign in."""
    options = to_register(app, userVerification="required")
    told = {**lie, "flags": lie["flags"] | NEW} if "flags" in lie else lie
    send(app, "signup", options, created(options, credential(), **told)).says(
        "INVALID_AUTHENTICATOR_ERROR", reason=reason
    )
    _, own = sign_up(app)
    options = to_sign_in(app, userVerification="required")
    send(app, "signin", options, asserted(options, own, **lie)).says("INVALID_AUTHENTICATOR_ERROR", reason=reason)
    send(app, "signin", options, asserted(options, own)).has()


def test_each_ceremony_has_its_type(app: Caller) -> None:
    """What was signed to sign in registers nothing, and the other way round; nor does a credential come twice."""
    options = to_register(app)
    sent = created(options, credential(), type="webauthn.get")
    reason = "ClientData.type must be 'create' on registration, but it isn't."
    send(app, "signup", options, sent).says("INVALID_AUTHENTICATOR_ERROR", reason=reason)
    bare = created(options, credential(), flags=PRESENT, attested=b"")
    reason = "attestedCredentialData must not be null on registration"
    send(app, "signup", options, bare).says("INVALID_AUTHENTICATOR_ERROR", reason=reason)
    signing = to_sign_in(app)
    reason = "The options are for signing in"
    send(app, "signup", signing, created(signing, credential())).says("INVALID_OPTIONS_ERROR", reason=reason)
    _, own = sign_up(app)
    reason = "ClientData.type must be 'get' on authentication, but it isn't."
    sign_in(app, own, type="webauthn.create").says("INVALID_AUTHENTICATOR_ERROR", reason=reason)
    attested = bytes(16) + len(own.id).to_bytes(2, "big") + own.id + cbor(own.cose)
    reason = "attestedCredentialData must be null on authentication"
    flags = PRESENT | VERIFIED | NEW
    sign_in(app, own, flags=flags, after=attested).says("INVALID_AUTHENTICATOR_ERROR", reason=reason)


def test_signatures_and_counters(app: Caller) -> None:
    """A wrong signature and a copy of an authenticator are noticed; one that does not count is fine."""
    _, own = sign_up(app)
    sign_in(app, own, spoilt=True).says("INVALID_AUTHENTICATOR_ERROR", reason="Assertion signature is not valid.")
    clone = "Malicious counter value is detected. Cloned authenticators exist in parallel."
    sign_in(app, own, counter=5).has()
    for counter in (5, 4, 0):
        sign_in(app, own, counter=counter).says("INVALID_AUTHENTICATOR_ERROR", reason=clone)
    sign_in(app, own, counter=6).has()
    _, synced = sign_up(app)
    for _ in range(2):
        sign_in(app, synced, counter=0).has()
    other = credential()
    other.id = own.id
    sign_in(app, other, counter=100).says("INVALID_AUTHENTICATOR_ERROR", reason="Assertion signature is not valid.")
    sign_in(app, credential()).says("CREDENTIAL_NOT_FOUND_ERROR")


def test_a_credential_belongs_to_its_relying_party(app: Caller) -> None:
    """Another relying party of the app does not know it."""
    _, own = sign_up(app)
    options = to_sign_in(app, relyingPartyId="www.example.com")
    sent = asserted(options, own, rp_id="www.example.com")
    send(app, "signin", options, sent).says("CREDENTIAL_NOT_FOUND_ERROR")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": None}, "credential id is missing!"),
        ({"id": ""}, "credential id is empty!"),
        ({"id": "!!!"}, UNREADABLE),
        ({"type": None}, "credential type is missing!"),
        ({"type": ""}, "credential type is empty!"),
        ({"type": "password"}, "not supported credential type: 'password'"),
        ({"response": None}, UNREADABLE),
        ({"response": {}}, UNREADABLE),
        ({"response": []}, UNREADABLE),
    ],
)
def test_what_is_no_credential(app: Caller, change: dict[str, Any], reason: str) -> None:
    """Parts that are missing or odd are named, or said to be."""
    _, own = sign_up(app)
    for path, options, make in (("signup", to_register(app), created), ("signin", to_sign_in(app), asserted)):
        good: dict[str, Any] = make(options, own)
        send(app, path, options, {**good, **change}).says("INVALID_CREDENTIALS_ERROR", reason=reason)
    reason = "credentialId exceeds maxCredentialIdSize(1023 bytes)"
    long = {**good, "id": encoded(bytes(1024))}
    send(app, "signin", options, long).says("INVALID_AUTHENTICATOR_ERROR", reason=reason)
    text = "Field name 'credential' is invalid in JSON input"
    send(app, "signup", options, {**good, "id": 5}).refused(400, text)


@pytest.mark.parametrize("part", ["clientDataJSON", "attestationObject"])
def test_what_is_no_attestation(app: Caller, part: str) -> None:
    """Base64url, JSON and CBOR that cannot be read are refused alike."""
    options = to_register(app)
    good = created(options, credential())
    longer = good["response"][part] + encoded(b"!!!")
    for bad in (None, 5, "", "A", "AAAA", "=", "\u00fc", encoded(b"[1]"), encoded(b"[" * 5000), longer):
        sent = {**good, "response": {**good["response"], part: bad}}
        send(app, "signup", options, sent).says("INVALID_CREDENTIALS_ERROR", reason=UNREADABLE)
    for client in ({"origin": ...}, {"type": 5}, {"challenge": ...}, {"origin": "https://a:b"}):
        sent = created(options, credential(), **client)
        send(app, "signup", options, sent).says("INVALID_CREDENTIALS_ERROR", reason=UNREADABLE)


def test_what_browsers_send_is_taken(app: Caller) -> None:
    """Statements of any format, extensions, unknown fields, an origin with its port, and no raw id."""
    own, options = credential(), to_register(app)
    statement = {"fmt": "packed", "attStmt": {"alg": -7, "sig": b"s" * 70, "x5c": [b"c" * 500]}}
    flags = PRESENT | NEW | EXTENDED
    sent = created(
        options,
        own,
        statement=statement,
        flags=flags,
        after=cbor({"credProtect": 2}),
        origin="https://WWW.example.com:443",
        androidPackageName="com.example",
    )
    del sent["rawId"], sent["clientExtensionResults"]
    send(app, "signup", options, {**sent, "authenticatorAttachment": "platform"}).has()
    sign_in(app, own, flags=PRESENT | EXTENDED, after=cbor({"x": 1})).has()


@pytest.mark.parametrize(
    "change",
    [{1: 5}, {3: -65535}, {3: -8}, {-1: 2}, {-2: b"x" * 32}, {-2: "text"}, {-3: b""}, {-2: None}],
)
def test_keys_that_are_none(app: Caller, change: dict[int, Any]) -> None:
    """A key of an unknown kind, or that is on no curve, is refused when it is registered."""
    own, options = credential(), to_register(app)
    own.cose = {name: value for name, value in {**own.cose, **change}.items() if value is not None}
    sent = created(options, own)
    send(app, "signup", options, sent).says("INVALID_CREDENTIALS_ERROR", reason=UNREADABLE)


def test_a_credential_that_is_taken(app: Caller) -> None:
    """It signs no other user up, and is no second credential of any user."""
    user_id, own = sign_up(app)
    address = email()
    options = to_register(app, address)
    reason = "The credential is registered already"
    send(app, "signup", options, created(options, own)).says("INVALID_CREDENTIALS_ERROR", reason=reason)
    app.get("/users/by-accountinfo", email=address, doUnionOfAccountInfo="true").says("OK", users=[])
    add(app, user_id, own).says("CREDENTIAL_ALREADY_EXISTS_ERROR")


@covers(f"POST {CREDENTIAL}/register", f"GET {CREDENTIAL}/list", f"GET {CREDENTIAL}/", f"DELETE {CREDENTIAL}/remove")
def test_credentials(app: Caller, tenant: Caller) -> None:
    """A user may have several, and lose them all; each signs in."""
    user_id, first = sign_up(app)
    other_id, _ = sign_up(app)
    second = credential()
    says = add(app, user_id, second).says(
        "OK",
        webauthnCredentialId=second.name,
        recipeUserId=user_id,
        email=TEXT,
        relyingPartyId=RP,
        relyingPartyName="Example",
    )
    assert says["email"].endswith("@example.com")
    add(app, "nobody").says("UNKNOWN_USER_ID_ERROR")
    rows = [
        {"webauthnCredentialId": own.name, "recipeUserId": user_id, "relyingPartyId": RP, "createdAt": NOW}
        for own in (first, second)
    ]
    for caller in (app, tenant):
        caller.get(f"{CREDENTIAL}/list", recipeUserId=user_id).says("OK", credentials=rows)
    app.get(f"{CREDENTIAL}/list", recipeUserId="nobody").says("OK", credentials=[])
    one = {"recipeUserId": user_id, "webauthnCredentialId": second.name}
    sign_in(app, second).has(recipeUserId=user_id)
    for path in (f"{CREDENTIAL}/", CREDENTIAL):
        app.get(path, **one).says("OK", **rows[1], updatedAt=NOW)
    app.get(f"{CREDENTIAL}/", **{**one, "recipeUserId": other_id}).says("CREDENTIAL_NOT_FOUND_ERROR")
    shown = user(app, user_id)
    assert shown["webauthn"] == shown["loginMethods"][0]["webauthn"] == {"credentialIds": [first.name, second.name]}
    gone = f"{CREDENTIAL}/remove"
    app.delete(gone, **{**one, "recipeUserId": other_id}).says("CREDENTIAL_NOT_FOUND_ERROR")
    app.delete(gone, **one).says("OK")
    app.delete(gone, **one).says("CREDENTIAL_NOT_FOUND_ERROR")
    sign_in(app, second).says("CREDENTIAL_NOT_FOUND_ERROR")
    app.delete(gone, **{**one, "webauthnCredentialId": first.name}).says("OK")
    assert user(app, user_id)["webauthn"] == {"credentialIds": [None]}


@covers(f"POST {RECOVER}/token", f"POST {RECOVER}/token/consume", f"GET {RECOVER}")
def test_recovery(app: Caller, tenant: Caller) -> None:
    """A token shows whose it is; its use takes the others for the same address along."""
    address = email()
    user_id, _ = sign_up(app, address)

    def token(who: str) -> str:
        return str(
            app.post(f"{RECOVER}/token", userId=who, email=f" {address.upper()}").says("OK", token=TEXT)["token"]
        )

    first, second = token(user_id), token(user_id)
    invalid = "RECOVER_ACCOUNT_TOKEN_INVALID_ERROR"
    app.get(RECOVER, token=first).says("OK", user=user(app, user_id), recipeUserId=user_id)
    tenant.get(RECOVER, token=first).says(invalid)
    tenant.post(f"{RECOVER}/token/consume", token=first).says(invalid)
    app.post(f"{RECOVER}/token/consume", token=first).says("OK", userId=user_id, email=address)
    for used in (first, second, "x"):
        app.get(RECOVER, token=used).says(invalid)
        app.post(f"{RECOVER}/token/consume", token=used).says(invalid)
    app.post(f"{RECOVER}/token", userId="nobody", email=address).says("UNKNOWN_USER_ID_ERROR")
    plain = social(app)
    app.get(RECOVER, token=token(plain)).says("OK", user=user(app, plain), recipeUserId=None)
    last = token(user_id)
    app.post("/user/remove", userId=user_id).says("OK")
    app.get(RECOVER, token=last).says(invalid)


@covers(f"PUT {BASE}/user/email")
def test_email(app: Caller) -> None:
    """It is changed as it is written, unless another passkey or another primary user has it."""
    user_id, _ = sign_up(app)
    address = email()
    other, _ = sign_up(app, address)
    path = f"{BASE}/user/email"
    app.put(path, recipeUserId=user_id, email=f"X{address}").says("OK")
    assert user(app, user_id)["emails"] == [f"X{address}"]
    app.put(path, recipeUserId=user_id, email=address).says("EMAIL_ALREADY_EXISTS_ERROR")
    for stranger in ("nobody", social(app)):
        app.put(path, recipeUserId=stranger, email=email()).says("UNKNOWN_USER_ID_ERROR")
    taken = email()
    make_primary(app, social(app, taken)).has()
    app.put(path, recipeUserId=other, email=taken).says("OK")
    app.put(path, recipeUserId=other, email=address).says("OK")
    make_primary(app, other).has()
    app.put(path, recipeUserId=other, email=taken).says("USER_WITH_EMAIL_ALREADY_EXISTS_ERROR")


def test_linked_and_mapped(app: Caller) -> None:
    """The passkey of a linked account signs the user in; ids that leave the core are external ones."""
    user_id, own = sign_up(app)
    primary = social(app)
    make_primary(app, primary).has()
    link(app, user_id, primary).has()
    external = fresh("external")
    app.post("/recipe/userid/map", superTokensUserId=user_id, externalUserId=external, force=True).says("OK")
    found = sign_in(app, own).has(recipeUserId=external)["user"]
    assert (found["id"], found["webauthn"]) == (primary, {"credentialIds": [own.name]})
    app.get(f"{CREDENTIAL}/list", recipeUserId=external).has(
        credentials=[
            {"webauthnCredentialId": own.name, "recipeUserId": external, "relyingPartyId": RP, "createdAt": NOW}
        ]
    )
    add(app, external).has(recipeUserId=external)
    token = app.post(f"{RECOVER}/token", userId=external, email="a@example.com").has()["token"]
    app.post(f"{RECOVER}/token/consume", token=token).has(userId=external)
    app.put(f"{BASE}/user/email", recipeUserId=external, email=email()).says("OK")
    app.post("/user/remove", userId=external).says("OK")
    sign_in(app, own).says("CREDENTIAL_NOT_FOUND_ERROR")
    app.get(f"{CREDENTIAL}/list", recipeUserId=user_id).says("OK", credentials=[])


def test_tenants(app: Caller, tenant: Caller, base: Caller) -> None:
    """Users belong to the tenant where they signed up, and options to theirs; a passkey is known in the whole app."""
    address = email()
    user_id, own = sign_up(tenant, address)
    assert user(app, user_id)["tenantIds"] == [tenant.prefix.rpartition("/")[2]]
    sign_in(app, own).has(recipeUserId=user_id)
    sign_up(app, address)
    options = to_register(app)
    sent = created(options, credential())
    send(tenant, "user/credential/register", options, sent, recipeUserId=user_id).says("OPTIONS_NOT_FOUND_ERROR")
    base.post(f"{BASE}/options/signin", **ASKED).has()
    sign_in(base, own).says("CREDENTIAL_NOT_FOUND_ERROR")
    nowhere = app.below("nowhere").post(f"{BASE}/options/signin", **ASKED)
    assert (nowhere.status, "nowhere" in nowhere.body) == (400, True)


def test_users(make_app: Callable[..., Caller]) -> None:
    """Users with passkeys are listed, counted and found like others, by their credentials too."""
    app = make_app()
    address = email()
    user_id, own = sign_up(app, address)
    social(app)
    one = user(app, user_id)
    app.get("/users", includeRecipeIds="webauthn").says("OK", users=[one])
    app.get("/users", email=address[:8]).says("OK", users=[one])
    app.get("/users/count", includeRecipeIds="webauthn").says("OK", count=1)
    path = "/users/by-accountinfo"
    for union in ("true", "false"):
        app.get(path, webauthnCredentialId=own.name, doUnionOfAccountInfo=union).says("OK", users=[one])
        app.get(path, webauthnCredentialId="x", doUnionOfAccountInfo=union).says("OK", users=[])
    both = {"webauthnCredentialId": own.name, "email": "other@example.com"}
    app.get(path, **both, doUnionOfAccountInfo="true").says("OK", users=[one])
    app.get(path, **both, doUnionOfAccountInfo="false").says("OK", users=[])


@pytest.mark.parametrize("version", ["5.0", "5.1", "5.2", "5.3", "5.4"])
def test_versions(app: Caller, version: str) -> None:
    """Credentials are shown from CDI 5.3 on; before that a user has no email by a passkey."""
    address = email()
    user_id, _ = sign_up(app, address)
    answer = app.call("GET", "/user/id", params={"userId": user_id}, headers={"cdi-version": version})
    shown, new = answer.has()["user"], version >= "5.3"
    assert ("webauthn" in shown) is ("webauthn" in shown["loginMethods"][0]) is new
    assert shown["emails"] == ([address] if new else [])
    assert shown["loginMethods"][0]["email"] == address
    body = {**ASKED, "email": email()}
    headers = {"cdi-version": version}
    options = app.call("POST", f"{BASE}/options/register", body, headers=headers).has()
    sent = {
        "webauthnGeneratedOptionsId": options["webauthnGeneratedOptionsId"],
        "credential": created(options, credential()),
    }
    assert ("webauthn" in app.call("POST", f"{BASE}/signup", sent, headers=headers).has()["user"]) is new


def test_fields(app: Caller) -> None:
    """Fields that are missing are named."""
    for path in ("signup", "signin", "user/credential/register"):
        body: dict[str, Any] = {"webauthnGeneratedOptionsId": "x", "credential": {}, "recipeUserId": "u"}
        app.post(f"{BASE}/{path}", **body).says("OPTIONS_NOT_FOUND_ERROR")
        for name in ("webauthnGeneratedOptionsId", "credential"):
            text = f"Field name '{name}' is invalid in JSON input"
            app.post(f"{BASE}/{path}", **{**body, name: None}).refused(400, text)
    for path in (f"{CREDENTIAL}/list", f"{CREDENTIAL}/"):
        app.get(path).refused(400, "Field name 'recipeUserId' is missing in GET request")
    app.get(RECOVER).refused(400, "Field name 'token' is missing in GET request")
    app.delete(f"{BASE}/options/remove").refused(
        400, "Field name 'webauthnGeneratedOptionsId' is missing in GET request"
    )
