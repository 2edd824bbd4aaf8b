"""Results and values of the jwt recipe."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import attrs

from ...recipe_kit.results import Ok, Outcome


@attrs.frozen
class JwtCreated(Ok):
    """A new token."""

    jwt: str = attrs.field(repr=False)


class UnsupportedAlgorithm(Outcome):
    """The core does not know the algorithm."""

    status: ClassVar[Literal["UNSUPPORTED_ALGORITHM_ERROR"]] = "UNSUPPORTED_ALGORITHM_ERROR"


@attrs.frozen
class Jwks:
    """
    The public keys of the core.

    :param keys: JWK objects.
    :param validity_in_secs: seconds until the set may change.
    """

    keys: tuple[dict[str, Any], ...]
    validity_in_secs: int = attrs.field(metadata={"wire": None})
