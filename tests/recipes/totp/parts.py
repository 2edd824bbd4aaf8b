"""What the tests of second factors have in common: authenticator apps, in software."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

from recipes.shop import Borrowed
from st_wsgi.core_client.transport import CoreRequest

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def totp(secret: str, *, at: float | None = None, period: int = 30, steps: int = 0) -> str:
    """
    Return the code that an app shows (RFC 6238, with SHA-1 and six digits).

    :param at: seconds since 1970, now by default.
    :param steps: periods later.
    """
    counter = int((time.time() if at is None else at) // period) + steps
    digest = hmac.digest(base64.b32decode(secret), counter.to_bytes(8, "big"), hashlib.sha1)
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 10**6:06}"


def wrong(secret: str) -> str:
    """Return a code that the app does not show now, before or after."""
    right = {totp(secret, steps=steps) for steps in (-2, -1, 0, 1, 2)}
    return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in right)


def import_device(core: Borrowed, user_id: str, *, name: str = "phone", secret: str = SECRET) -> None:
    """Give a user a verified device, without any recipe."""
    body = {"userId": user_id, "deviceName": name, "skew": 1, "period": 30, "secretKey": secret}
    request = CoreRequest(method="POST", path="/recipe/totp/device/import", body=body, headers={"cdi-version": "5.4"})
    assert core.core.send(request).status == 200
