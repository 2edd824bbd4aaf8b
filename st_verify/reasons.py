"""The fixed words in refusals and events, and their meanings: for logs, dashboards and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: Every word that `Refused.reason` can be.
REASONS: Mapping[str, str] = MappingProxyType(
    {
        # The request
        "no_token": "the request carries no session access token",
        "legacy_cookie": "the cookie sIdRefreshToken of an old SDK is there: the session must be refreshed",
        "duplicate_cookie": "there are several sAccessToken cookies (an old cookie domain?)",
        "csrf_origin": "a cross-site request from an origin that is not allowed",
        "csrf_header": "a request that changes something, with cookies and without a rid header",
        "csrf_token": "the anti-csrf header does not equal the session's anti-CSRF token",
        # Text and header
        "token_form": "not three base64url segments of possible length",
        "base64_form": "a base64url segment is not in canonical form",
        "header_json": "the header is not JSON with exactly one meaning",
        "header_members": "not exactly the header members of this kind of token (only session tokens have a version)",
        "algorithm": "alg is not RS256",
        "type": "typ is not JWT",
        "kid_form": "kid is not of the form d-… or s-… (older cores: set legacy_kids)",
        "version": "a token version that is not allowed here",
        "legacy_version": "a session token of version 1 or 2, which only a refresh replaces",
        # Key and signature
        "kid_type": "signed with a static key where a dynamic one is expected, or the other way round",
        "unknown_kid": "no published key has this kid",
        "signature_length": "the signature's length does not fit the key",
        "bad_signature": "the signature is wrong",
        "no_keys": "there is no usable key set: the key server cannot be reached, or serves nothing usable",
        "key_server": "the kid is new and the key server cannot be asked at the moment",
        # Claims of the protocol
        "payload_json": "the payload is not a JSON object with exactly one meaning",
        "token_kind": "another kind of token (see stt)",
        "sub_form": "sub is missing or malformed",
        "rsub_form": "rsub is missing or malformed",
        "tId_form": "tId is missing or malformed",
        "sessionHandle_form": "sessionHandle is missing or malformed",
        "refreshTokenHash1_form": "refreshTokenHash1 is missing or malformed: not a session token",
        "parentRefreshTokenHash1_form": "parentRefreshTokenHash1 is neither null nor a string",
        "antiCsrfToken_form": "antiCsrfToken is neither null nor a string",
        "client_id_form": "client_id is missing or malformed",
        "scp_form": "scp is not a list of strings",
        "tenant_and_handle": "sessionHandle and tId name different tenants",
        "issuer": "the setting issuer does not have this iss",
        "iss_form": "iss is malformed",
        "audience": "the setting audience does not have this aud (with no audience set, tokens with aud are refused)",
        "required_claim": "a required claim is missing or has another value",
        "iat_form": "iat is not an integer",
        "exp_form": "exp is not an integer",
        "nbf_form": "nbf is not an integer",
        "lifetime": "the token lives longer than allowed (milliseconds instead of seconds?)",
        "expired": "the token has expired",
        "issued_in_future": "the token was issued in the future: check the clocks",
        "not_yet_valid": "nbf lies in the future",
        # What it may do
        "tenant": "genuine, but of a tenant that is not served here",
        "client": "genuine, but of an OAuth2 client that is not served here",
        "insufficient_scope": "genuine, but without a required scope",
        "invalid_claims": "a claim validator failed",
        "revoked": "the session was revoked",
        "revocation": "the revocation hook gave no answer in time",
    }
)

#: Every word that `KeyEvent.name` can be.
EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "fetch_failed": "the key set could not be fetched; keys that are known stay in use until max_stale has passed",
        "all_keys_replaced": "no key of the previous key set is left",
        "key_without_usable_kid": "a published key is not used: it has no kid, or a malformed one",
        "kid_with_two_keys": "two different keys were published with one kid: neither is used",
        "key_of_other_algorithm": "a published key is not used: it is not for RS256",
        "key_not_for_signatures": "a published key is not used: it is not for verifying signatures",
        "malformed_key": "a published key is not used: it is malformed",
        "weak_key": "a published key is not used: RSA keys need 2048 to 8192 bits and a sound modulus and exponent",
        "key_not_pinned": "a published key is not used: the setting pins does not have its thumbprint",
        "private_key_published": "a private key was published: replace it at once; it is not used here",
    }
)
