"""Links in messages lead to the website's own origin, whatever the request says."""

from __future__ import annotations

from typing import Any

import pytest
from toy import Browser, NoCore, Toy
from werkzeug.wrappers import Response

from st_wsgi import AppInfo, SuperTokens
from st_wsgi.errors import BadInput
from st_wsgi.recipe_kit.links import link
from st_wsgi.request.context import RequestContext
from st_wsgi.request.respond import json_response


def instance(toy: Toy | None = None, **app_info: Any) -> SuperTokens:
    settings = {"app_name": "Shop", "api_domain": "https://api.shop.example", "website_domain": "https://shop.example"}
    return SuperTokens(app_info=AppInfo(**(settings | app_info)), core=NoCore(), recipes=[toy or Toy()])


def test_the_pages_of_the_frontend_driver_interface() -> None:
    services = instance().services
    assert link(services, "/reset-password", token="a+b", tenant_id="public") == (
        "https://shop.example/auth/reset-password?token=a%2Bb&tenantId=public"
    )
    assert link(services, "/verify", pre_auth_session_id="x", tenant_id="t1", fragment="code=") == (
        "https://shop.example/auth/verify?preAuthSessionId=x&tenantId=t1#code%3D"
    )
    assert link(services, "") == "https://shop.example/auth"
    assert link(instance(website_base_path="/").services, "/verify-email", token="t") == (
        "https://shop.example/verify-email?token=t"
    )


def by_header(request: Any, user_context: Any) -> str:
    return "https://shop.example" if request is None else str(request.headers.get("X-Shop", "https://evil.example"))


def test_an_origin_function_is_asked_for_the_request_in_flight() -> None:
    def act(context: RequestContext) -> Response:
        return json_response({"link": link(context.services, "/verify-email", token="t")})

    origins = ["https://shop.example", "https://two.example"]
    st = instance(Toy(act=act), website_domain=None, origin=by_header, allowed_origins=origins)
    client = Browser(st.wrap(Response("app")))
    answer = client.post("/auth/act", headers={"X-Shop": "https://two.example", "Host": "evil.example"})
    assert (answer.json or {})["link"] == "https://two.example/auth/verify-email?token=t"
    assert client.post("/auth/act").status_code == 400
    assert link(st.services, "/verify-email", token="t") == "https://shop.example/auth/verify-email?token=t"


def test_an_origin_that_is_not_allowed_makes_no_link() -> None:
    st = instance(
        website_domain=None, origin=lambda _request, _context: "https://evil.example", allowed_origins=["a.example"]
    )
    with pytest.raises(BadInput, match="origin is not allowed"):
        link(st.services, "/verify-email", token="t")
