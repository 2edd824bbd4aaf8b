"""Links to the pages of the website, for mails and messages."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from ..codec import camel_case
from ..request import current
from ..services import Services


def link(services: Services, page: str, *, fragment: str = "", **query: str) -> str:
    """
    Return the address of a page below the website's base path.

    The origin comes from the settings, or from the ``origin`` function for the request in flight; the ``Host`` header
    is never used. The pages are those of the frontend driver interface::

        link(services, "/reset-password", token="...", tenant_id="public")
        link(services, "/verify-email", token="...", tenant_id="public")
        link(services, "/webauthn/recover", token="...", tenant_id="public")
        link(services, "/verify", pre_auth_session_id="...", tenant_id="public", fragment="link code")

    :param page: its path, with a leading slash; empty for the base path itself.
    :param fragment: what follows ``#``, which browsers do not send to servers.
    :param query: parameters in snake case, which become camel case in the address.
    :raises BadInput: the ``origin`` function returned an origin that is not allowed.
    """
    app_info = services.app_info
    address = current.website_origin(app_info) + app_info.website_base_path + page
    if query:
        address += "?" + urlencode({camel_case(name): value for name, value in query.items()})
    return f"{address}#{quote(fragment)}" if fragment else address
