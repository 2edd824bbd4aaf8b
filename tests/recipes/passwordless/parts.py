"""What the tests of the passwordless recipe have in common: a shop, its messages, and who answers them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
from werkzeug.test import TestResponse

from recipes.shop import Borrowed, Shop, Visitor
from st_wsgi.delivery import Message
from st_wsgi.recipe_kit.recipe import Recipe
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless

CODE = "/auth/signinup/code"
BOTH: Any = "USER_INPUT_CODE_AND_MAGIC_LINK"


@attrs.define
class Mailbox:
    """The shop with the recipe, and the messages that it sent."""

    shop: Shop
    messages: list[Message] = attrs.field(factory=list)

    def visitor(self, mode: str = "cookie") -> Visitor:
        return self.shop.visitor(mode)


def mailbox(core: Borrowed, *more: Recipe[Any, Any], shop: dict[str, Any] | None = None, **settings: Any) -> Mailbox:
    """Return a shop with the recipe; messages go to the mailbox unless the settings say otherwise."""
    messages: list[Message] = []
    settings = {
        "contact_config": ContactEmailOrPhoneConfig(),
        "flow_type": BOTH,
        "email_delivery": messages.append,
        "sms_delivery": messages.append,
        **settings,
    }
    return Mailbox(Shop(core, recipes=[Passwordless(**settings), *more], **(shop or {})), messages)


def ask(visitor: Visitor, *, tenant: str = "", **body: Any) -> Any:
    """Ask for a code, for the visitor's own e-mail address by default, and return what the frontend gets."""
    path = CODE.replace("/auth", f"/auth/{tenant}") if tenant else CODE
    return visitor.call("POST", path, body or {"email": visitor.email}).get_json()


def resend(visitor: Visitor, device: dict[str, Any], **more: Any) -> Any:
    return visitor.call("POST", f"{CODE}/resend", {**ids(device), **more}).get_json()


def ids(device: dict[str, Any]) -> dict[str, Any]:
    return {name: device[name] for name in ("deviceId", "preAuthSessionId")}


def enter(visitor: Visitor, device: dict[str, Any], code: str | None, **call: Any) -> TestResponse:
    """Type a code in."""
    return visitor.call("POST", f"{CODE}/consume", {**ids(device), "userInputCode": code}, **call)


def parts_of(link: str | None) -> dict[str, str]:
    """Return what the page that a link leads to sends."""
    address = urlsplit(str(link))
    return {"preAuthSessionId": parse_qs(address.query)["preAuthSessionId"][0], "linkCode": address.fragment}


def follow(visitor: Visitor, link: str | None, **call: Any) -> TestResponse:
    """Open a link."""
    return visitor.call("POST", f"{CODE}/consume", parts_of(link), **call)


def wrong(code: str | None) -> str:
    """Return another code."""
    return "000000" if code != "000000" else "111111"
