"""Settings, results and values of the jwt recipe."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class JwtConfig:
    """The settings of the recipe; the validity is in seconds."""

    jwt_validity_seconds: int


@attrs.frozen
class JwtCreated:
    """The token that was made."""

    jwt: str = attrs.field(repr=False)
    status = "OK"


@attrs.frozen
class UnsupportedAlgorithm:
    """The core does not know the algorithm that was asked for."""

    status = "UNSUPPORTED_ALGORITHM_ERROR"


@attrs.frozen
class Jwks:
    """
    The public keys of the core.

    :param keys: JWK objects.
    :param validity_in_secs: seconds until the set may change.
    """

    keys: tuple[dict[str, Any], ...]
    validity_in_secs: int = attrs.field(metadata={"wire": None})
