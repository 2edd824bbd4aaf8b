"""The APIs behind the totp routes: interface and default implementation."""

from __future__ import annotations

import unicodedata

from ...errors import Unauthorised
from ...recipe_kit.recipe import APIs
from ...recipe_kit.results import GeneralError, Ok, UnknownUserId
from ...request.context import RequestContext
from ..multifactorauth import MultiFactorAuth, MultiFactorAuthFunctions
from ..multifactorauth.functions import record
from ..multifactorauth.recipe import check_complete, check_setup
from ..multitenancy.types import TOTP
from ..session import SessionContainer
from .functions import TotpFunctions
from .settings import TotpSettings
from .types import (
    Device,
    DeviceAlreadyExists,
    DeviceCreated,
    DeviceRemoved,
    Devices,
    DeviceVerified,
    InvalidTotp,
    LimitReached,
    UnknownDevice,
)


class TotpAPIs(APIs[TotpSettings, TotpFunctions]):
    """The APIs of the totp recipe. An override may be None, which switches the route off."""

    def create_device_post(
        self, *, device_name: str | None, session: SessionContainer, context: RequestContext
    ) -> DeviceCreated | DeviceAlreadyExists | GeneralError:
        """
        Create a device of the user of a session.

        :raises InvalidClaims: they have to complete another factor first: 403.
        :raises Unauthorised: the user does not exist any more.
        """
        check_setup(self.recipe.services, session, TOTP)
        outcome = self.functions.create_device(user_id=session.get_user_id(), device_name=device_name)
        if isinstance(outcome, UnknownUserId):
            raise Unauthorised("the user of the session does not exist")
        return outcome

    def list_devices_get(self, *, session: SessionContainer, context: RequestContext) -> Devices | GeneralError:
        """Return the devices of the user of a session."""
        return self.functions.list_devices(user_id=session.get_user_id())

    def remove_device_post(
        self, *, device_name: str, session: SessionContainer, context: RequestContext
    ) -> DeviceRemoved | GeneralError:
        """
        Remove a device of the user of a session.

        :raises InvalidClaims: the device may be verified, and the sign-in is not complete: 403.
        """
        user_id = session.get_user_id()
        if not may_remove(device_name, self.functions.list_devices(user_id=user_id).devices):
            check_complete(self.recipe.services, session)
        return self.functions.remove_device(user_id=user_id, device_name=device_name)

    def verify_device_post(
        self, *, device_name: str, totp: str, session: SessionContainer, context: RequestContext
    ) -> DeviceVerified | UnknownDevice | InvalidTotp | LimitReached | GeneralError:
        """
        Verify a device by a code that it shows, which completes the factor. One that is verified completes nothing.

        :raises InvalidClaims: the user has to complete another factor first: 403.
        """
        check_setup(self.recipe.services, session, TOTP)
        outcome = self.functions.verify_device(
            user_id=session.get_user_id(), device_name=device_name, totp=totp, tenant_id=session.get_tenant_id()
        )
        if not isinstance(outcome, DeviceVerified):
            record(self._mfa, "sign_in_failed", session, outcome.status, recipe_id=TOTP)
        elif not outcome.was_already_verified:  # else the code was not looked at
            self._mfa.mark_factor_as_complete_in_session(session=session, factor_id=TOTP)
        return outcome

    def verify_totp_post(
        self, *, totp: str, session: SessionContainer, context: RequestContext
    ) -> Ok | UnknownUserId | InvalidTotp | LimitReached | GeneralError:
        """Check a code of the user of a session, which completes the factor."""
        user_id, tenant_id = session.get_user_id(), session.get_tenant_id()
        outcome = self.functions.verify_totp(user_id=user_id, totp=totp, tenant_id=tenant_id)
        if isinstance(outcome, Ok):
            self._mfa.mark_factor_as_complete_in_session(session=session, factor_id=TOTP)
        else:
            record(self._mfa, "sign_in_failed", session, outcome.status, recipe_id=TOTP)
        return outcome

    @property
    def _mfa(self) -> MultiFactorAuthFunctions:
        return self.recipe.services.get(MultiFactorAuth).functions


def may_remove(device_name: str, devices: tuple[Device, ...]) -> bool:
    """
    Return whether a device may be removed before a sign-in is complete (FDI, rule F-16).

    ==================  =====================================================  =======
    the user has        the name is                                            allowed
    ==================  =====================================================  =======
    no verified device  any name                                               yes
    a verified device   exactly that of an unverified device, and that of no   yes
                        verified device in another spelling
    a verified device   any other name                                         no
    ==================  =====================================================  =======

    Spellings count because the database of a core may compare names without case or normalisation.
    """
    verified = {_folded(device.name) for device in devices if device.verified}
    is_unverified = any(device.name == device_name and not device.verified for device in devices)
    return not verified or (is_unverified and _folded(device_name) not in verified)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).lower()
