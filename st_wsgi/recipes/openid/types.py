"""Values of the openid recipe."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class DiscoveryConfiguration:
    """The discovery document of OpenID Connect: the issuer of the tokens, and the addresses of its endpoints."""

    issuer: str
    jwks_uri: str = attrs.field(metadata={"wire": "jwks_uri"})
    authorization_endpoint: str = attrs.field(metadata={"wire": "authorization_endpoint"})
    token_endpoint: str = attrs.field(metadata={"wire": "token_endpoint"})
    userinfo_endpoint: str = attrs.field(metadata={"wire": "userinfo_endpoint"})
    revocation_endpoint: str = attrs.field(metadata={"wire": "revocation_endpoint"})
    token_introspection_endpoint: str = attrs.field(metadata={"wire": "token_introspection_endpoint"})
    end_session_endpoint: str = attrs.field(metadata={"wire": "end_session_endpoint"})
    subject_types_supported: tuple[str, ...] = attrs.field(
        default=("public",), metadata={"wire": "subject_types_supported"}
    )
    id_token_signing_alg_values_supported: tuple[str, ...] = attrs.field(
        default=("RS256",), metadata={"wire": "id_token_signing_alg_values_supported"}
    )
    response_types_supported: tuple[str, ...] = attrs.field(
        default=("code", "id_token", "id_token token"), metadata={"wire": "response_types_supported"}
    )
