"""The functions of the totp recipe: interface and default implementation."""

from __future__ import annotations

from ...accounts import user_by_id
from ...codec import present
from ...recipe_kit.recipe import Functions
from ...recipe_kit.results import Ok, UnknownUserId
from ...users import PUBLIC_TENANT, User
from .settings import TotpSettings
from .types import (
    DeviceAlreadyExists,
    DeviceCreated,
    DeviceRemoved,
    Devices,
    DeviceVerified,
    InvalidTotp,
    LimitReached,
    NewDevice,
    UnknownDevice,
)

_PATH = "/recipe/totp"


class TotpFunctions(Functions[TotpSettings]):
    """The functions of the totp recipe (CDI 5.4, ``/recipe/totp`` and what is below)."""

    def create_device(
        self,
        *,
        user_id: str,
        user_identifier_info: str | None = None,
        device_name: str | None = None,
        skew: int | None = None,
        period: int | None = None,
    ) -> DeviceCreated | DeviceAlreadyExists | UnknownUserId:
        """
        Create a device of a user, which has to be verified before it can be used.

        :param user_identifier_info: which account the user's app shows. Default: their e-mail address or phone number.
        :param device_name: default: ``TOTP Device 0`` and so on.
        :param skew: how many periods before and after the present one count too. Default: that of the recipe.
        :param period: seconds for which the device shows a code. Default: that of the recipe.
        :raises CoreRefused: one of them is not usable.
        """
        if user_identifier_info is None:
            user = user_by_id(self.recipe.services.core, user_id)
            if user is None:
                return UnknownUserId()
            user_identifier_info = _account_of(user)
        period = self.recipe.default_period if period is None else period
        body = {
            "userId": user_id,
            "deviceName": device_name,
            "skew": self.recipe.default_skew if skew is None else skew,
            "period": period,
        }
        made = self.core.post(f"{_PATH}/device", present(body)).into(NewDevice, DeviceAlreadyExists)
        if not isinstance(made, NewDevice):
            return made
        uri = self.recipe.qr_code_string(made.secret, account=user_identifier_info, period=period)
        return DeviceCreated(device_name=made.device_name, secret=made.secret, qr_code_string=uri)

    def update_device(
        self, *, user_id: str, existing_device_name: str, new_device_name: str
    ) -> Ok | UnknownDevice | DeviceAlreadyExists:
        """Give a device another name."""
        body = {"userId": user_id, "existingDeviceName": existing_device_name, "newDeviceName": new_device_name}
        return self.core.put(f"{_PATH}/device", body).into(Ok, UnknownDevice, DeviceAlreadyExists)

    def list_devices(self, *, user_id: str) -> Devices:
        """Return all devices of a user, verified or not."""
        return self.core.get(f"{_PATH}/device/list", {"userId": user_id}).into(Devices)

    def remove_device(self, *, user_id: str, device_name: str) -> DeviceRemoved:
        """Remove a device of a user."""
        outcome = self.core.post(f"{_PATH}/device/remove", {"userId": user_id, "deviceName": device_name}).into(
            DeviceRemoved
        )
        if outcome.did_device_exist:
            self.context.record("totp_device_removed", user_id=user_id)
        return outcome

    def verify_device(
        self, *, user_id: str, device_name: str, totp: str, tenant_id: str = PUBLIC_TENANT
    ) -> DeviceVerified | UnknownDevice | InvalidTotp | LimitReached:
        """
        Verify a device by a code that it shows.

        :param tenant_id: in which wrong codes are counted.
        """
        body = {"userId": user_id, "deviceName": device_name, "totp": totp}
        reply = self.core.post(f"{_PATH}/device/verify", body, tenant_id=tenant_id)
        outcome = reply.into(DeviceVerified, UnknownDevice, InvalidTotp, LimitReached)
        if isinstance(outcome, DeviceVerified) and not outcome.was_already_verified:
            self.context.record("totp_device_added", tenant_id=tenant_id, user_id=user_id)
        return outcome

    def verify_totp(
        self, *, user_id: str, totp: str, tenant_id: str = PUBLIC_TENANT
    ) -> Ok | UnknownUserId | InvalidTotp | LimitReached:
        """
        Check a code of any verified device of a user. A code is good once.

        :param tenant_id: in which wrong codes are counted.
        """
        reply = self.core.post(f"{_PATH}/verify", {"userId": user_id, "totp": totp}, tenant_id=tenant_id)
        return reply.into(Ok, UnknownUserId, InvalidTotp, LimitReached)


def _account_of(user: User) -> str | None:
    """Return the account name in a user's app: an address or number, first of the method with their id."""
    own = [method for method in user.login_methods if method.recipe_user_id.value == user.id]
    texts = [text for method in own for text in (method.email, method.phone_number) if text]
    return next(iter((*texts, *user.emails, *user.phone_numbers)), None)
