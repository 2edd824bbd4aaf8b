"""Results and values of the totp recipe."""

from __future__ import annotations

from typing import ClassVar, Literal

import attrs

from ...recipe_kit.results import Ok, Outcome


@attrs.frozen(kw_only=True)
class NewDevice(Ok):
    """The core's reply when a device was created."""

    device_name: str
    secret: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class DeviceCreated(NewDevice):
    """
    A device, which has to be verified by a code that it shows.

    :param secret: base32, for users who type it in.
    :param qr_code_string: the text of the QR code that the user's app reads. It contains the secret.
    """

    qr_code_string: str = attrs.field(repr=False)


class DeviceAlreadyExists(Outcome):
    """The user has a device of this name."""

    status: ClassVar[Literal["DEVICE_ALREADY_EXISTS_ERROR"]] = "DEVICE_ALREADY_EXISTS_ERROR"


class UnknownDevice(Outcome):
    """The user has no device of this name."""

    status: ClassVar[Literal["UNKNOWN_DEVICE_ERROR"]] = "UNKNOWN_DEVICE_ERROR"


@attrs.frozen(kw_only=True)
class Device:
    """
    An authenticator app of a user.

    :param period: seconds for which it shows a code.
    :param skew: how many periods before and after the present one count too.
    :param verified: whether the user has entered a code of it.
    """

    name: str
    period: int
    skew: int
    verified: bool


@attrs.frozen
class Devices(Ok):
    """All devices of a user."""

    devices: tuple[Device, ...]


@attrs.frozen
class DeviceRemoved(Ok):
    """The user has no device of this name any more."""

    did_device_exist: bool


@attrs.frozen
class DeviceVerified(Ok):
    """The device can be used."""

    was_already_verified: bool


@attrs.frozen(kw_only=True)
class InvalidTotp(Outcome):
    """The code is wrong, too old, or was used before."""

    current_number_of_failed_attempts: int
    max_number_of_failed_attempts: int
    status: ClassVar[Literal["INVALID_TOTP_ERROR"]] = "INVALID_TOTP_ERROR"


@attrs.frozen
class LimitReached(Outcome):
    """
    There were too many wrong codes. No code is accepted for a while.

    :param retry_after_ms: how long, in milliseconds.
    """

    retry_after_ms: int
    status: ClassVar[Literal["LIMIT_REACHED_ERROR"]] = "LIMIT_REACHED_ERROR"
