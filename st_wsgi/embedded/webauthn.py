"""
Passkeys (CDI 1.9, semantics 3.16; ``webauthn/WebAuthN.java`` of the official core).

*Options* are what a browser is asked for; a credential answers them. ``authenticators.py`` checks what is in it.
"""

from __future__ import annotations

import re
import secrets
import uuid
from typing import Any
from urllib.parse import urlsplit

import attrs

from . import authenticators, methods, signin
from .authenticators import Options, unreadable, unverified, url_text
from .call import Call, Endpoint
from .emailpassword import token_hash
from .fields import Answered, Body, bad
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


def _invalid(reason: str) -> Answered:
    return Answered("INVALID_OPTIONS_ERROR", reason=reason)


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
    """Return new options. :raises Answered: when they make no sense."""
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


def _store(call: Call, options: Options) -> None:
    call.db.insert("webauthn_options", **call.here.place, **attrs.asdict(options))
    call.services.cleaner.a_little(call.db, call.now)


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
    _store(call, options)
    users = users_json(call.db, call.app, methods.groups_in_tenant(call.db, call.here, Identity(email)), call.version)
    oldest = min(users, key=lambda user: int(user["timeJoined"]), default={"id": options.options_id})
    user_id = internal_id(call.db, call.app, oldest["id"])
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


def sign_in_options(call: Call) -> dict[str, Any]:
    """``POST /recipe/webauthn/options/signin``: to sign in with any credential of the relying party."""
    options = _options(call, None)
    _store(call, options)
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


def _find(call: Call, options_id: str, *, anywhere: bool = False) -> Options:
    """Return options of the tenant, or of *anywhere* in the app. :raises Answered: when there are none."""
    row = call.db.first("webauthn_options", f"{_OPTIONS}, tenant_id", app=call.app, options_id=options_id)
    if row is None or not (anywhere or row[-1] == call.here.tenant_id):
        raise Answered("OPTIONS_NOT_FOUND_ERROR")
    return Options(*row[:-1])


def _forget(call: Call, options: Options) -> None:
    """Remove options. :raises Answered: when another call was quicker."""
    if not call.db.delete("webauthn_options", app=call.app, options_id=options.options_id):
        raise Answered("OPTIONS_NOT_FOUND_ERROR")


def get_options(call: Call) -> dict[str, Any]:
    """``GET /recipe/webauthn/options``."""
    options_id = call.query.text("webauthnGeneratedOptionsId")
    return _shown(_find(call, options_id))


def remove_options(call: Call) -> dict[str, Any]:
    """``DELETE /recipe/webauthn/options/remove``."""
    options_id = call.query.text("webauthnGeneratedOptionsId")
    _forget(call, _find(call, options_id))
    return {"status": "OK"}


def _credential_id(credential: dict[str, Any]) -> str:
    """
    Return the id of a credential, whatever else is in it, and also when the attested one is another (as officially).

    :raises Answered: when it is not one.
    """
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


def _registered(call: Call, options: Options) -> dict[str, Any]:
    """Return the row of the credential of a call. :raises Answered: when it is not what was asked for."""
    credential, now = call.body.object("credential"), call.now
    credential_id = _credential_id(credential)
    _check_expiry(options, now)
    key, counter = authenticators.registered(credential, options)
    if options.email is None:
        raise _invalid("The options are for signing in")
    row = {"credential_id": credential_id, "public_key": key, "counter": counter, "rp_id": options.rp_id}
    return {**row, "created_at": now, "updated_at": now}


def _add(call: Call, options: Options, user_id: str, row: dict[str, Any], *, taken: Answered) -> dict[str, Any]:
    """Store a credential and return what answers say about it. :raises Answered: *taken*, if there is one of its id."""
    if not call.db.insert_new("webauthn_credentials", app=call.app, user_id=user_id, **row):
        raise taken
    about = {"relyingPartyId": options.rp_id, "relyingPartyName": options.rp_name}
    return {"status": "OK", "webauthnCredentialId": row["credential_id"], **about}


def sign_up(call: Call) -> dict[str, Any]:
    """``POST /recipe/webauthn/signup``: a new user with a credential."""
    options_id = call.body.text("webauthnGeneratedOptionsId")
    call.body.object("credential")
    with call.reading() as db:
        options = _find(call, options_id, anywhere=True)
    # Checked before the transaction: strangers send credentials, and all other writes would wait.
    row = _registered(call, options)
    with call.writing() as db:
        user_id = methods.insert(db, call.here, RECIPE, row["created_at"], Identity(options.email))
        if user_id is None:
            raise Answered("EMAIL_ALREADY_EXISTS_ERROR")
        answer = _add(call, options, user_id, row, taken=unreadable("The credential is registered already"))
        touch(db, call.app, user_id, row["created_at"])
        return {**answer, "user": user_json(db, call.app, user_id, call.version), "recipeUserId": user_id}


def register(call: Call) -> dict[str, Any]:
    """``POST /recipe/webauthn/user/credential/register``: one more credential of a user."""
    name, options_id = call.body.text("recipeUserId"), call.body.text("webauthnGeneratedOptionsId")
    call.body.object("credential")
    with call.reading():
        options = _find(call, options_id)
    row = _registered(call, options)
    with call.writing():
        user_id = signin.method_of(call, RECIPE, name).user_id
        answer = _add(call, options, user_id, row, taken=Answered("CREDENTIAL_ALREADY_EXISTS_ERROR"))
    return {**answer, "recipeUserId": name, "email": options.email}


def sign_in(call: Call) -> dict[str, Any]:
    """``POST /recipe/webauthn/signin``: whose credential it is, in whatever tenant they are."""
    options_id, credential = call.body.text("webauthnGeneratedOptionsId"), call.body.object("credential")
    with call.reading() as db:
        options = _find(call, options_id, anywhere=True)
        key = {"app": call.app, "credential_id": _credential_id(credential), "rp_id": options.rp_id}
        row = db.first("webauthn_credentials", "user_id, public_key, counter", **key)
    if row is None:
        raise Answered("CREDENTIAL_NOT_FOUND_ERROR")
    _check_expiry(options, call.now)
    user_id, public_key, before = row
    changes = {"counter": authenticators.signed(credential, options, public_key, before), "updated_at": call.now}
    with call.writing() as db:
        # The credential may have been removed meanwhile, or have signed in with a higher counter.
        if not db.update("webauthn_credentials", changes, **key, counter=before):
            raise Answered("CREDENTIAL_NOT_FOUND_ERROR")
        if call.version >= SINGLE_USE:
            _forget(call, options)
        touch(db, call.app, primary_id(db, call.app, user_id), call.now)
        user = user_json(db, call.app, user_id, call.version)
        return {"status": "OK", "user": user, "recipeUserId": external_id(db, call.app, user_id)}


def _credentials(call: Call, name: str) -> list[dict[str, Any]]:
    """Return the credentials of a user, the oldest first, under the id by which they were asked for."""
    user_id, columns = internal_id(call.db, call.app, name), "credential_id, rp_id, created_at, updated_at"
    rows = call.db.select("webauthn_credentials", columns, app=call.app, user_id=user_id)
    names = ("webauthnCredentialId", "relyingPartyId", "createdAt", "updatedAt")
    return [{"recipeUserId": name, **dict(zip(names, row, strict=True))} for row in rows]


def list_credentials(call: Call) -> dict[str, Any]:
    """``GET /recipe/webauthn/user/credential/list``."""
    name = call.query.text("recipeUserId")
    credentials = _credentials(call, name)
    for credential in credentials:
        del credential["updatedAt"]
    return {"status": "OK", "credentials": credentials}


def get_credential(call: Call) -> dict[str, Any]:
    """``GET /recipe/webauthn/user/credential``."""
    name, credential_id = call.query.text("recipeUserId"), call.query.text("webauthnCredentialId")
    for credential in _credentials(call, name):
        if credential["webauthnCredentialId"] == credential_id:
            return {"status": "OK", **credential}
    raise Answered("CREDENTIAL_NOT_FOUND_ERROR")


def remove_credential(call: Call) -> dict[str, Any]:
    """``DELETE /recipe/webauthn/user/credential/remove``."""
    name, credential_id = call.query.text("recipeUserId"), call.query.text("webauthnCredentialId")
    user_id = internal_id(call.db, call.app, name)
    gone = call.db.delete("webauthn_credentials", app=call.app, user_id=user_id, credential_id=credential_id)
    return {"status": "OK" if gone else "CREDENTIAL_NOT_FOUND_ERROR"}


def create_token(call: Call) -> dict[str, Any]:
    """``POST /recipe/webauthn/user/recover/token``: for any user and any address."""
    email, user_id = normal_email(call.body.text("email")), call.body.text("userId")
    here, token = call.here, url_text(secrets.token_bytes(32))
    user_id = internal_id(call.db, here.app, user_id)
    if not user_exists(call.db, here.app, user_id):
        raise Answered("UNKNOWN_USER_ID_ERROR")
    expires_at = call.now + call.settings.whole("webauthn_recover_account_token_lifetime")
    row = {"token_hash": token_hash(token), "user_id": user_id, "email": email, "expires_at": expires_at}
    call.db.insert("webauthn_recovery_tokens", **here.place, **row)
    call.services.cleaner.a_little(call.db, call.now)
    return {"status": "OK", "token": token}


def _token(call: Call, token: str) -> tuple[str, str]:
    """Return whose token it is and for which email. :raises Answered: when it is not good."""
    place = {**call.here.place, "token_hash": token_hash(token)}
    row = call.db.first("webauthn_recovery_tokens", "user_id, email, expires_at", **place)
    if row is None or row[2] < call.now:
        raise Answered("RECOVER_ACCOUNT_TOKEN_INVALID_ERROR")
    return row[0], row[1]


def consume_token(call: Call) -> dict[str, Any]:
    """``POST /recipe/webauthn/user/recover/token/consume``: all tokens for that address are used up."""
    token = call.body.text("token")
    user_id, email = _token(call, token)
    call.db.delete("webauthn_recovery_tokens", **call.here.place, email=email)
    return {"status": "OK", "userId": external_id(call.db, call.app, user_id), "email": email}


def token_user(call: Call) -> dict[str, Any]:
    """``GET /recipe/webauthn/user/recover``: whose token it is, and their login method of the tenant, if any."""
    token, here = call.query.text("token"), call.here.tenant_id
    user = user_json(call.db, call.app, _token(call, token)[0], call.version)
    if user is None:
        raise Answered("RECOVER_ACCOUNT_TOKEN_INVALID_ERROR")
    own = [one for one in user["loginMethods"] if one["recipeId"] == RECIPE and here in one["tenantIds"]]
    return {"status": "OK", "user": user, "recipeUserId": own[-1]["recipeUserId"] if own else None}


def put_email(call: Call) -> dict[str, Any]:
    """``PUT /recipe/webauthn/user/email``. The email is taken as it is, not normalised."""
    user_id, email = call.body.text("recipeUserId"), call.body.text("email")
    method = signin.method_of(call, RECIPE, user_id)
    if methods.is_taken(call.db, call.app, method, Identity(email)):
        raise Answered("USER_WITH_EMAIL_ALREADY_EXISTS_ERROR")
    if not methods.change(call.db, call.app, method.user_id, "email", email):
        raise Answered("EMAIL_ALREADY_EXISTS_ERROR")
    return {"status": "OK"}


_CONCURRENT = (register_options, sign_in_options, sign_up, sign_in)

ENDPOINTS = tuple(
    Endpoint(method, f"/recipe/webauthn{path}", "tenant", handler, early=True, concurrent=handler in _CONCURRENT)
    for method, path, handler in (
        ("POST", "/options/register", register_options),
        ("POST", "/options/signin", sign_in_options),
        ("GET", "/options", get_options),
        ("DELETE", "/options/remove", remove_options),
        ("POST", "/signup", sign_up),
        ("POST", "/signin", sign_in),
        ("POST", "/user/credential/register", register),
        ("GET", "/user/credential/", get_credential),
        ("GET", "/user/credential/list", list_credentials),
        ("DELETE", "/user/credential/remove", remove_credential),
        ("POST", "/user/recover/token", create_token),
        ("POST", "/user/recover/token/consume", consume_token),
        ("GET", "/user/recover", token_user),
        ("PUT", "/user/email", put_email),
    )
)
