"""``python -m st_verify TOKEN --jwks URL --issuer URL``: explain a session token without printing its secrets."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from st_verify import base64url
from st_verify.errors import REASONS, NoSession, Refused, SettingError
from st_verify.jwk import KeySet
from st_verify.keys import KeySource, StaticKeys
from st_verify.remote import RemoteKeys
from st_verify.settings import ANY
from st_verify.token import SECRET_CLAIMS, TokenParser, UnverifiedToken
from st_verify.verification import read_payload
from st_verify.verifier import SessionVerifier

_SHOWN = ("sub", "rsub", "tId", "sessionHandle", "iss", "aud", "stt")
_TIMES = ("iat", "exp", "nbf")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return the exit status: 0 accepted, 1 refused, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    text = sys.stdin.read() if options.token == "-" else options.token
    try:
        keys: KeySource = StaticKeys.from_file(options.keys) if options.keys else RemoteKeys(options.jwks)
        verifier = SessionVerifier(
            keys=keys,
            issuer=options.issuer or ANY,
            tenants=options.tenant or ANY,
            audience=options.audience or None,
            legacy_kids=options.legacy_kid,
            cache_size=0,
        )
    except SettingError as error:
        print(f"st_verify: {error}", file=sys.stderr)
        return 2
    # A shell, or a copy from a browser, may add white space.
    report = _explain(verifier, keys, text.strip(), options.legacy_kid)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        for name, value in report.items():
            print(f"{name + ':':<12}{value if isinstance(value, str) else json.dumps(value)}")
    return 0 if report["verdict"] == "accepted" else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m st_verify",
        description="Explain a SuperTokens session access token, and why it is refused. Prints no secrets.",
    )
    parser.add_argument("token", metavar="TOKEN", help="the token; - reads it from standard input")
    keys = parser.add_mutually_exclusive_group(required=True)
    keys.add_argument("--jwks", metavar="URL", action="append", help="JWKS URL; may be repeated")
    keys.add_argument("--keys", metavar="FILE", help="a file with a JWK set instead")
    parser.add_argument("--issuer", metavar="URL", action="append", help="expected iss; may be repeated; default: any")
    parser.add_argument("--tenant", metavar="ID", action="append", help="tenant served; may be repeated; default: any")
    parser.add_argument("--audience", metavar="AUD", action="append", help="expected aud; default: none")
    parser.add_argument("--legacy-kid", metavar="KID", action="append", default=[], help="kid without prefix to allow")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _explain(verifier: SessionVerifier, keys: KeySource, text: str, legacy_kids: list[str]) -> dict[str, Any]:
    report: dict[str, Any] = {"kind": "no access token", "verdict": "refused"}
    try:
        known = keys.snapshot()
    except Refused:
        known = KeySet({})
    is_genuine = False
    for versions in (("3", "4", "5"), None):
        try:
            token = TokenParser(versions=versions, legacy_kids=legacy_kids).parse(text)
        except Refused:
            continue
        payload = _payload(token)
        report |= {"kind": _kind(token, payload), "kid": token.header.kid, "claims": _claims(payload)}
        key, (_, _, signing_input, _, signature) = known.get(token.header.kid), token.parts
        is_genuine = key is not None and key.verifies(signing_input, base64url.decode(signature))
        break
    try:
        verifier.verify(text)
        report["verdict"] = "accepted"
    except Refused as refused:
        report["answer"] = f"{refused.status} {refused.message}"
        report |= {"reason": refused.reason, "meaning": REASONS[refused.reason]}
        report["keys"] = [ascii(kid[:64])[1:-1] for kid in known.keys]
    if not is_genuine:
        report["note"] = "kind and claims are what the text says; they are not verified"
    return report


def _kind(token: UnverifiedToken, payload: dict[str, Any]) -> str:
    if token.header.version is not None:
        return f"session access token, version {token.header.version}"
    kind = payload.get("stt")
    if type(kind) is int and kind in (1, 2):
        return f"OAuth2 {'access' if kind == 1 else 'ID'} token, no session token"
    return "token of the jwt recipe or of another issuer, no session token"


def _payload(token: UnverifiedToken) -> dict[str, Any]:
    _, _, _, payload_text, _ = token.parts
    try:
        return read_payload(payload_text)[1]
    except NoSession:
        return {}


def _claims(payload: dict[str, Any]) -> dict[str, Any]:
    claims: dict[str, Any] = {name: payload[name] for name in _SHOWN if name in payload}
    for name in _TIMES:
        seconds = payload.get(name)
        if type(seconds) is int and 0 <= seconds < 253402300800:  # year 10000
            claims[name] = datetime.fromtimestamp(seconds, timezone.utc).isoformat()
        elif name in payload:
            claims[name] = "malformed"
    # The values of other claims belong to the app.
    claims["others"] = sorted(set(payload) - set(_SHOWN) - set(_TIMES) - SECRET_CLAIMS)
    return claims


if __name__ == "__main__":
    sys.exit(main())
