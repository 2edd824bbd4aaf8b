"""The link and the mail that verify an e-mail address."""

from __future__ import annotations

from ...delivery import Message
from ...recipe_kit.links import link
from ...services import Services


def verification_link(services: Services, *, token: str, tenant_id: str) -> str:
    """Return the address of the website's page that verifies the address when it is opened (FDI, section 5)."""
    return link(services, "/verify-email", token=token, tenant_id=tenant_id)


def verification_message(services: Services, *, token: str, email: str, user_id: str, tenant_id: str) -> Message:
    """Return the mail with that link."""
    address = verification_link(services, token=token, tenant_id=tenant_id)
    return Message(kind="EMAIL_VERIFICATION", to=email, tenant_id=tenant_id, user_id=user_id, link=address)
