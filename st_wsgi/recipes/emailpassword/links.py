"""The link and the mail that set a new password."""

from __future__ import annotations

from ...delivery import Message
from ...recipe_kit.links import link
from ...services import Services


def reset_link(services: Services, *, token: str, tenant_id: str) -> str:
    """Return the address of the website's page where the user enters a new password (FDI, section 5)."""
    return link(services, "/reset-password", token=token, tenant_id=tenant_id)


def reset_message(services: Services, *, token: str, email: str, user_id: str, tenant_id: str) -> Message:
    """Return the mail with that link."""
    address = reset_link(services, token=token, tenant_id=tenant_id)
    return Message(kind="PASSWORD_RESET", to=email, tenant_id=tenant_id, user_id=user_id, link=address)
