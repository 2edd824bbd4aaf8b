"""
Passkeys (CDI 1.9, semantics 3.16; ``webauthn/WebAuthN.java`` of the official core).

*Options* are what a browser is asked for; a credential answers them. ``authenticators.py`` checks what is in it.
"""

from __future__ import annotations

import functools
import re
import secrets
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import attrs

from . import authenticators, methods
from .authenticators import CeremonyRefused, Options, unreadable, unverified, url_text
from .call import Call, Endpoint
from .database import Database
from .emailpassword import token_hash
from .fields import Body, bad
from .methods import Identity
from .users import external_id, internal_id, normal_email, primary_id, touch, user_exists, user_json, users_json

RECIPE = "webauthn"

SINGLE_USE = (5, 5)
"""From this CDI version on, options to sign in are good once."""

_TIMEOUT, _LONGEST_TIMEOUT = 6000, 2**53 - 1
_LONGEST_ID = 1023
_ALGORITHMS = (-8, -7, -257)
_CHOICES = ("required", "discouraged", "preferred")
_ATTESTATIONS = ("none", "indirect", "direct", "enterprise")
_ANDROID = "android:apk-key-hash:"
_OPTIONS = ", ".join(attribute.name for attribute in attrs.fields(Options))


def _answering(handler: Callable[[Call], dict[str, Any]]) -> Callable[[Call], dict[str, Any]]:
    """Let a handler of a tenant answer with what it was refused for; nothing is stored then."""

    @functools.wraps(handler)
    def handle(call: Call) -> dict[str, Any]:
        call.admit()
        try:
            return handler(call)
        except CeremonyRefused as refused:
            return refused.answer

    return handle


def _invalid(reason: str) -> CeremonyRefused:
    return CeremonyRefused("INVALID_OPTIONS_ERROR", reason)


def _check_origin(origin: str, rp_id: str) -> None:
    if origin.startswith(_ANDROID):
        digest = origin.removeprefix(_ANDROID)
        if not digest:
            raise _invalid("Android origin must contain a valid base64 hash")
        if not re.fullmatch("[A-Za-z0-9_-]+", digest) or len(digest) % 4 == 1:
            raise _invalid("Android origin hash must be valid URL-safe base64 (no padding)")
        if len(digest) != 43:
            raise _invalid("Android origin hash must be 43 characters (base64url SHA-256)")
        return
    try:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or parts.port == 0:
            raise ValueError(origin)
    except ValueError:
        raise _invalid("Origin has to be a valid url!") from None
    if not re.sub(r":\d*\Z", "", parts.netloc.rpartition("@")[2]).endswith(rp_id):
        raise _invalid("Origin does not match RelyingParty Id")


def _choice(body: Body, name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = body.text_or_none(name) or default
    if value not in allowed:
        raise _invalid(f"Invalid value '{value}' for {name}. Must be one of: {', '.join(allowed)}")
    return value


def _algorithms(body: Body) -> list[int]:
    """Return the algorithms that are asked for; they may be quoted."""
    name = "supportedAlgorithmIDs"
    values = body.array(name) if name in body else list(_ALGORITHMS)
    for value in values:
        if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]{1,18}", value):
            raise _invalid(f'For input string: "{value}"')
    return [Body({name: value}).whole(name) for value in values]


def _options(call: Call, email: str | None) -> Options:
    """Return new options. :raises CeremonyRefused: when they make no sense."""
    body, now = call.body, call.now
    rp_name, rp_id, origin = map(body.text, ("relyingPartyName", "relyingPartyId", "origin"))
    timeout = body.whole_or_none("timeout")
    presence = body.flag_or_none("userPresence") is True
    body.text_or_none("userVerification")
    _check_origin(origin, rp_id)
    timeout = _TIMEOUT if timeout is None else timeout
    if not 0 <= timeout <= _LONGEST_TIMEOUT:
        raise _invalid("Timeout must be a positive value" if timeout < 0 else "Timeout is too long")
    verification = _choice(body, "userVerification", "preferred", _CHOICES)
    challenge, options_id = url_text(secrets.token_bytes(32)), str(uuid.uuid4())
    return Options(options_id, challenge, origin, rp_id, rp_name, email, presence, verification, now, now + timeout)


def _store(db: Database, call: Call, options: Options) -> None:
    db.execute(
        f"INSERT INTO webauthn_options (app, tenant_id, {_OPTIONS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (call.app, call.here.tenant_id, *attrs.astuple(options)),
    )
    call.services.cleaner.a_little(db, call.now)


@_answering
def register_options(call: Call) -> dict[str, Any]:
    """``POST /recipe/webauthn/options/register``: to make a credential, for a new user or one who is there."""
    body = call.body
    email = normal_email(body.text("email"))
    name = body.text_or_none("displayName") or email
    for choice in ("attestation", "residentKey"):
        body.text_or_none(choice)
    options = _options(call, email)
    attestation = _choice(body, "attestation", "none", _ATTESTATIONS)
    resident_key = _choice(body, "residentKey", "required", _CHOICES)
    algorithms = _algorithms(body)
    with call.write() as db:
        _store(db, call, options)
        users = users_json(db, call.app, methods.groups_in_tenant(db, call.here, Identity(email)), call.version)
        oldest = min(users, key=lambda user: int(user["timeJoined"]), default={"id": options.options_id})
        user_id = internal_id(db, call.app, oldest["id"])
    shown = _shown(options, "webauthnGeneratedOptionsId", "email", "timeout", "challenge", "createdAt", "expiresAt")
    return {
        **shown,
        "rp": {"id": options.rp_id, "name": options.rp_name},
        "user": {"id": url_text(user_id.encode()), "name": email, "displayName": name},
        "attestation": attestation,
        "pubKeyCredParams": [{"alg": algorithm, "type": "public-key"} for algorithm in algorithms],
        "excludeCredentials": [],
        "authenticatorSelection": {
            "requireResidentKey": resident_key == "required",
            "residentKey": resident_key,
            "userVerification": options.user_verification,
        },
    }


@_answering
def sign_in_options(call: Call) -> dict[str, Any]:
    """``POST /recipe/webauthn/options/signin``: to sign in with any credential of the relying party."""
    options = _options(call, None)
    with call.write() as db:
        _store(db, call, options)
    shown = _shown(options)
    return {name: value for name, value in shown.items() if name not in ("relyingPartyName", "origin", "email")}


def _shown(options: Options, *names: str) -> dict[str, Any]:
    """Return options as answers show them: all of them, or those of some *names*."""
    shown = {
        "webauthnGeneratedOptionsId": options.options_id,
        "relyingPartyId": options.rp_id,
        "relyingPartyName": options.rp_name,
        "challenge": options.challenge,
        "timeout": options.expires_at - options.created_at,
        "origin": options.origin,
        "email": options.email,
        "createdAt": options.created_at,
        "expiresAt": options.expires_at,
        "userVerification": options.user_verification,
        "userPresence": bool(options.user_presence),
    }
    return {"status": "OK", **{name: shown[name] for name in names or shown}}


def _find(db: Database, call: Call, options_id: str, *, anywhere: bool = False) -> Options:
    """Return options of the tenant, or of *anywhere* in the app. :raises CeremonyRefused: when there are none."""
    row = db.execute(
        f"SELECT {_OPTIONS}, tenant_id FROM webauthn_options WHERE app = ? AND options_id = ?", (call.app, options_id)
    ).fetchone()
    if row is None or not (anywhere or row[-1] == call.here.tenant_id):
        raise CeremonyRefused("OPTIONS_NOT_FOUND_ERROR")
    return Options(*row[:-1])


def _forget(db: Database, call: Call, options: Options) -> None:
    """Remove options. :raises CeremonyRefused: when another call was quicker."""
    query = "DELETE FROM webauthn_options WHERE app = ? AND options_id = ?"
    if not db.execute(query, (call.app, options.options_id)).rowcount:
        raise CeremonyRefused("OPTIONS_NOT_FOUND_ERROR")


@_answering
def get_options(call: Call) -> dict[str, Any]:
    """``GET /recipe/webauthn/options``."""
    options_id = call.query.text("webauthnGeneratedOptionsId")
    with call.read() as db:
        return _shown(_find(db, call, options_id))


@_answering
def remove_options(call: Call) -> dict[str, Any]:
    """``DELETE /recipe/webauthn/options/remove``."""
    options_id = call.query.text("webauthnGeneratedOptionsId")
    with call.write() as db:
        _forget(db, call, _find(db, call, options_id))
    return {"status": "OK"}


def _credential_id(credential: dict[str, Any]) -> str:
    """Return the id of a credential, whatever else is in it. :raises CeremonyRefused: when it is not one."""
    for name in ("id", "type"):
        value = credential.get(name)
        if value is None or value == "":
            raise unreadable(f"credential {name} is {'missing' if value is None else 'empty'}!")
        if not isinstance(value, str):
            raise bad("Field name 'credential' is invalid in JSON input")
    if credential["type"].lower() != "public-key":
        raise unreadable(f"not supported credential type: '{credential['type']}'")
    if len(authenticators.base64_url(credential["id"])) > _LONGEST_ID:
        raise unverified(f"credentialId exceeds maxCredentialIdSize({_LONGEST_ID} bytes)")
    return str(credential["id"])


def _check_expiry(options: Options, now: int) -> None:
    if options.expires_at < now:
        raise _invalid("Options expired")


_New = tuple[str, bytes, int, int]
"""Id, key, counter and time of a new credential."""


def _registered(call: Call, options: Options) -> _New:
    """Return the credential of a call. :raises CeremonyRefused: when it is not what was asked for."""
    credential, now = call.body.object("credential"), call.now
    credential_id = _credential_id(credential)
    _check_expiry(options, now)
    return credential_id, *authenticators.registered(credential, options), now


def _add(db: Database, call: Call, options: Options, user_id: str, new: _New) -> dict[str, Any] | None:
    """Store a credential and return what answers say about it, None when the relying party has one of that id."""
    added = db.execute(
        "INSERT INTO webauthn_credentials (app, user_id, rp_id, updated_at, credential_id, public_key, counter,"
        " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (call.app, user_id, options.rp_id, new[-1], *new),
    ).rowcount
    about = {"relyingPartyId": options.rp_id, "relyingPartyName": options.rp_name}
    return {"status": "OK", "webauthnCredentialId": new[0], **about} if added else None


@_answering
def sign_up(call: Call) -> dict[str, Any]:
    """``POST /recipe/webauthn/signup``: a new user with a credential."""
    options_id = call.body.text("webauthnGeneratedOptionsId")
    call.body.object("credential")
    with call.read() as db:
        options = _find(db, call, options_id, anywhere=True)
    # Checked before the transaction: strangers send credentials, and all other writes would wait.
    new = _registered(call, options)
    if options.email is None:
        raise _invalid("The options are for signing in")
    with call.write() as db:
        user_id = methods.insert(db, call.here, RECIPE, new[-1], Identity(options.email))
        if user_id is None:
            raise CeremonyRefused("EMAIL_ALREADY_EXISTS_ERROR")
        answer = _add(db, call, options, user_id, new)
        if answer is None:
            raise unreadable("The credential is registered already")
        touch(db, call.app, user_id, new[-1])
        return {**answer, "user": user_json(db, call.app, user_id, call.version), "recipeUserId": user_id}


@_answering
def register(call: Call) -> dict[str, Any]:
    """``POST /recipe/webauthn/user/credential/register``: one more credential of a user."""
    name, options_id = call.body.text("recipeUserId"), call.body.text("webauthnGeneratedOptionsId")
    call.body.object("credential")
    with call.read() as db:
        options = _find(db, call, options_id)
    new = _registered(call, options)
    with call.write() as db:
        user_id = internal_id(db, call.app, name)
        if methods.find(db, call.app, user_id, RECIPE) is None:
            raise CeremonyRefused("UNKNOWN_USER_ID_ERROR")
        answer = _add(db, call, options, user_id, new)
    if answer is None:
        raise CeremonyRefused("CREDENTIAL_ALREADY_EXISTS_ERROR")
    return {**answer, "recipeUserId": name, "email": options.email}


@_answering
def sign_in(call: Call) -> dict[str, Any]:
    """``POST /recipe/webauthn/signin``: whose credential it is, in whatever tenant they are."""
    options_id, credential = call.body.text("webauthnGeneratedOptionsId"), call.body.object("credential")
    place = "WHERE app = ? AND credential_id = ? AND rp_id = ?"
    with call.read() as db:
        options = _find(db, call, options_id, anywhere=True)
        values = call.app, _credential_id(credential), options.rp_id
        row = db.execute(f"SELECT user_id, public_key, counter FROM webauthn_credentials {place}", values).fetchone()
    if row is None:
        raise CeremonyRefused("CREDENTIAL_NOT_FOUND_ERROR")
    _check_expiry(options, call.now)
    user_id, key, before = row
    counter = authenticators.signed(credential, options, key, before)
    with call.write() as db:
        # The credential may have been removed meanwhile, or have signed in with a higher counter.
        changes = "UPDATE webauthn_credentials SET counter = ?, updated_at = ?"
        changed = db.execute(f"{changes} {place} AND counter = ?", (counter, call.now, *values, before))
        if not changed.rowcount:
            raise CeremonyRefused("CREDENTIAL_NOT_FOUND_ERROR")
        if call.version >= SINGLE_USE:
            _forget(db, call, options)
        touch(db, call.app, primary_id(db, call.app, user_id), call.now)
        user = user_json(db, call.app, user_id, call.version)
        return {"status": "OK", "user": user, "recipeUserId": external_id(db, call.app, user_id)}


def _credentials(db: Database, call: Call, name: str) -> list[dict[str, Any]]:
    """Return the credentials of a user, the oldest first, under the id by which they were asked for."""
    rows = db.execute(
        "SELECT credential_id, rp_id, created_at, updated_at FROM webauthn_credentials WHERE app = ? AND user_id = ?",
        (call.app, internal_id(db, call.app, name)),
    ).fetchall()
    names = ("webauthnCredentialId", "relyingPartyId", "createdAt", "updatedAt")
    return [{"recipeUserId": name, **dict(zip(names, row, strict=True))} for row in rows]


@_answering
def list_credentials(call: Call) -> dict[str, Any]:
    """``GET /recipe/webauthn/user/credential/list``."""
    name = call.query.text("recipeUserId")
    with call.read() as db:
        credentials = _credentials(db, call, name)
    for credential in credentials:
        del credential["updatedAt"]
    return {"status": "OK", "credentials": credentials}


@_answering
def get_credential(call: Call) -> dict[str, Any]:
    """``GET /recipe/webauthn/user/credential``."""
    name, credential_id = call.query.text("recipeUserId"), call.query.text("webauthnCredentialId")
    with call.read() as db:
        for credential in _credentials(db, call, name):
            if credential["webauthnCredentialId"] == credential_id:
                return {"status": "OK", **credential}
    raise CeremonyRefused("CREDENTIAL_NOT_FOUND_ERROR")


@_answering
def remove_credential(call: Call) -> dict[str, Any]:
    """``DELETE /recipe/webauthn/user/credential/remove``."""
    name, credential_id = call.query.text("recipeUserId"), call.query.text("webauthnCredentialId")
    with call.write() as db:
        gone = db.execute(
            "DELETE FROM webauthn_credentials WHERE app = ? AND user_id = ? AND credential_id = ?",
            (call.app, internal_id(db, call.app, name), credential_id),
        ).rowcount
    return {"status": "OK" if gone else "CREDENTIAL_NOT_FOUND_ERROR"}


@_answering
def create_token(call: Call) -> dict[str, Any]:
    """``POST /recipe/webauthn/user/recover/token``: for any user and any address."""
    email, user_id = normal_email(call.body.text("email")), call.body.text("userId")
    here, token = call.here, url_text(secrets.token_bytes(32))
    with call.write() as db:
        user_id = internal_id(db, here.app, user_id)
        if not user_exists(db, here.app, user_id):
            raise CeremonyRefused("UNKNOWN_USER_ID_ERROR")
        expires_at = call.now + call.settings.whole("webauthn_recover_account_token_lifetime")
        db.execute(
            "INSERT INTO webauthn_recovery_tokens (app, tenant_id, token_hash, user_id, email, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (here.app, here.tenant_id, token_hash(token), user_id, email, expires_at),
        )
        call.services.cleaner.a_little(db, call.now)
    return {"status": "OK", "token": token}


def _token(db: Database, call: Call, token: str) -> tuple[str, str]:
    """Return whose token it is and for which email. :raises CeremonyRefused: when it is not good."""
    row = db.execute(
        "SELECT user_id, email, expires_at FROM webauthn_recovery_tokens"
        " WHERE app = ? AND tenant_id = ? AND token_hash = ?",
        (call.app, call.here.tenant_id, token_hash(token)),
    ).fetchone()
    if row is None or row[2] < call.now:
        raise CeremonyRefused("RECOVER_ACCOUNT_TOKEN_INVALID_ERROR")
    return row[0], row[1]


@_answering
def consume_token(call: Call) -> dict[str, Any]:
    """``POST /recipe/webauthn/user/recover/token/consume``: all tokens for that address are used up."""
    token = call.body.text("token")
    with call.write() as db:
        user_id, email = _token(db, call, token)
        db.execute(
            "DELETE FROM webauthn_recovery_tokens WHERE app = ? AND tenant_id = ? AND email = ?",
            (call.app, call.here.tenant_id, email),
        )
        return {"status": "OK", "userId": external_id(db, call.app, user_id), "email": email}


@_answering
def token_user(call: Call) -> dict[str, Any]:
    """``GET /recipe/webauthn/user/recover``: whose token it is, and their login method of the tenant, if any."""
    token, here = call.query.text("token"), call.here.tenant_id
    with call.read() as db:
        user = user_json(db, call.app, _token(db, call, token)[0], call.version)
    if user is None:
        raise CeremonyRefused("RECOVER_ACCOUNT_TOKEN_INVALID_ERROR")
    own = [one for one in user["loginMethods"] if one["recipeId"] == RECIPE and here in one["tenantIds"]]
    return {"status": "OK", "user": user, "recipeUserId": own[-1]["recipeUserId"] if own else None}


@_answering
def put_email(call: Call) -> dict[str, Any]:
    """``PUT /recipe/webauthn/user/email``. The email is taken as it is, not normalised."""
    user_id, email = call.body.text("recipeUserId"), call.body.text("email")
    with call.write() as db:
        method = methods.find(db, call.app, internal_id(db, call.app, user_id), RECIPE)
        if method is None:
            raise CeremonyRefused("UNKNOWN_USER_ID_ERROR")
        if methods.is_taken(db, call.app, method, Identity(email)):
            raise CeremonyRefused("USER_WITH_EMAIL_ALREADY_EXISTS_ERROR")
        if not methods.change(db, call.app, method.user_id, "email", email):
            raise CeremonyRefused("EMAIL_ALREADY_EXISTS_ERROR")
    return {"status": "OK"}


_BASE = "/recipe/webauthn"
ENDPOINTS = (
    Endpoint("POST", f"{_BASE}/options/register", "tenant", register_options),
    Endpoint("POST", f"{_BASE}/options/signin", "tenant", sign_in_options),
    Endpoint("GET", f"{_BASE}/options", "tenant", get_options),
    Endpoint("DELETE", f"{_BASE}/options/remove", "tenant", remove_options),
    Endpoint("POST", f"{_BASE}/signup", "tenant", sign_up),
    Endpoint("POST", f"{_BASE}/signin", "tenant", sign_in),
    Endpoint("POST", f"{_BASE}/user/credential/register", "tenant", register),
    Endpoint("GET", f"{_BASE}/user/credential/", "tenant", get_credential),
    Endpoint("GET", f"{_BASE}/user/credential/list", "tenant", list_credentials),
    Endpoint("DELETE", f"{_BASE}/user/credential/remove", "tenant", remove_credential),
    Endpoint("POST", f"{_BASE}/user/recover/token", "tenant", create_token),
    Endpoint("POST", f"{_BASE}/user/recover/token/consume", "tenant", consume_token),
    Endpoint("GET", f"{_BASE}/user/recover", "tenant", token_user),
    Endpoint("PUT", f"{_BASE}/user/email", "tenant", put_email),
)
