"""
Authenticator apps: codes that change with the time, as a second factor.

::

    recipes = [EmailPassword(), Totp(issuer="Shop"), MultiFactorAuth(first_factors=["emailpassword"]), Session()]

    assert create_device(user_id="nobody").status == "UNKNOWN_USER_ID_ERROR"

A user creates a device, enters its secret into their app, and verifies it by the first code.
"""

from __future__ import annotations

from typing import Final

from ...recipe_kit.recipe import user_facing
from ...recipe_kit.results import UnknownUserId as UnknownUserId
from .apis import TotpAPIs as TotpAPIs
from .functions import TotpFunctions as TotpFunctions
from .recipe import Totp as Totp
from .types import (
    Device as Device,
    DeviceAlreadyExists as DeviceAlreadyExists,
    DeviceCreated as DeviceCreated,
    DeviceRemoved as DeviceRemoved,
    Devices as Devices,
    DeviceVerified as DeviceVerified,
    InvalidTotp as InvalidTotp,
    LimitReached as LimitReached,
    UnknownDevice as UnknownDevice,
)

create_device: Final = user_facing(Totp, TotpFunctions.create_device)
list_devices: Final = user_facing(Totp, TotpFunctions.list_devices)
remove_device: Final = user_facing(Totp, TotpFunctions.remove_device)
update_device: Final = user_facing(Totp, TotpFunctions.update_device)
verify_device: Final = user_facing(Totp, TotpFunctions.verify_device)
verify_totp: Final = user_facing(Totp, TotpFunctions.verify_totp)
