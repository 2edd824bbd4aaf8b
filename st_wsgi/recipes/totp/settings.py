"""The settings of the totp recipe."""

from __future__ import annotations

from urllib.parse import quote

import attrs

from ...checks import Check, a_number
from ...recipe_kit.recipe import Settings


@attrs.define(kw_only=True, eq=False, slots=False)
class TotpSettings(Settings):
    """The settings of the recipe, for its functions and APIs."""

    issuer: str | None = attrs.field(
        default=None,
        validator=Check("a text, or None", lambda value: value is None or (isinstance(value, str) and value != "")),
    )
    default_skew: int = attrs.field(default=1, validator=a_number("periods", least=0, most=10))
    default_period: int = attrs.field(default=30, validator=a_number("seconds", least=1, most=600))

    def qr_code_string(self, secret: str, *, account: str | None, period: int) -> str:
        """Return the text of a QR code, as authenticator apps read it (Key Uri Format of Google Authenticator)."""
        issuer = quote(self.issuer or self.services.app_info.app_name, safe="")
        label = issuer if account is None else f"{issuer}:{quote(account, safe='', errors='replace')}"
        return f"otpauth://totp/{label}?secret={secret}&issuer={issuer}&digits=6&period={period}"
