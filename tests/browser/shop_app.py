"""
A shop with pages, for gunicorn: ``FRAMEWORK`` names the framework of its views.

``ORIGIN`` is its own origin, ``CORE`` the core, and ``PROVIDER`` the discovery document of the provider that its
visitors can sign in with. Mails are printed.
"""

from __future__ import annotations

import html
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.pages import Brand, Pages
from st_wsgi.recipes import session
from st_wsgi.recipes.accountlinking import AccountLinking, ShouldAutomaticallyLink
from st_wsgi.recipes.emailpassword import EmailPassword, FormField, SignUpFeature
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multifactorauth import MultiFactorAuth, require_factors
from st_wsgi.recipes.multitenancy import ProviderClientConfig, ProviderConfig
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.thirdparty import ProviderInput, ThirdParty
from st_wsgi.recipes.totp import Totp

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ORIGIN = os.environ["ORIGIN"]

provider = ProviderConfig(
    third_party_id="idp",
    name="the provider",
    clients=[ProviderClientConfig(client_id="client-with-pkce", scope=["openid", "email"])],
    oidc_discovery_endpoint=os.environ["PROVIDER"],
)
st = st_wsgi.init(
    app_info=AppInfo(app_name="Shop", api_domain=ORIGIN, website_domain=ORIGIN),
    core=os.environ["CORE"],
    recipes=[
        EmailPassword(sign_up_feature=SignUpFeature(form_fields=[FormField(id="name")])),
        EmailVerification(mode="REQUIRED"),
        Passwordless(contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE"),
        ThirdParty(providers=[ProviderInput(config=provider)], allow_private_networks=True),
        AccountLinking(should_do_automatic_account_linking=lambda *_: ShouldAutomaticallyLink()),
        Totp(),
        MultiFactorAuth(),
        Session(record_sign_in=True),
        Pages(brand=Brand(terms="/terms")),
    ],
)


def shown(request: Any) -> str:
    """Return what every view of the shop shows to users: its path, and who they are."""
    needed = require_factors(requirement_list=["totp"]) if request.path == "/transfer" else None
    user_id = session.get_session(request, override_global_claim_validators=needed).get_user_id()
    return f"<!doctype html><html lang=en><title>Shop</title><h1>{html.escape(request.path)}</h1><p>{user_id}</p>"


LETTER = """
<form method=post enctype=multipart/form-data>
<label>Text <input name=text></label><label>Picture <input type=file name=picture></label><button>Send</button>
</form>
"""

# Each framework takes a while to import, so a process imports only its own.


def in_flask() -> WSGIApplication:
    import flask

    def letter() -> str:
        """Show a form, or what of it has arrived."""
        page = shown(flask.request)
        if flask.request.method == "GET":
            return page + LETTER
        size = len(flask.request.files["picture"].read())
        return f"{page}<output>{html.escape(flask.request.form['text'])}, {size} bytes</output>"

    app = flask.Flask("shop")
    app.add_url_rule("/letter", "letter", letter, methods=["GET", "POST"])
    app.add_url_rule("/", "home", lambda: shown(flask.request))
    app.add_url_rule("/<path:rest>", "page", lambda rest: shown(flask.request))
    return st.wrap(app.wsgi_app)


def in_bottle() -> WSGIApplication:
    import bottle

    site = bottle.Bottle()
    site.route("/<rest:re:.*>", callback=lambda rest: shown(bottle.request))
    wrapped: WSGIApplication = st.wrap(site)
    return wrapped


def in_pyramid() -> WSGIApplication:
    from pyramid.config import Configurator
    from pyramid.request import Request
    from pyramid.response import Response

    def page(request: Request) -> Response:
        return Response(shown(request))

    with Configurator() as config:
        config.add_route("page", "/*rest")
        config.add_view(page, route_name="page")
        wrapped: WSGIApplication = st.wrap(config.make_wsgi_app())
    return wrapped


def in_django() -> WSGIApplication:
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpRequest, HttpResponse
    from django.urls import re_path

    def page(request: HttpRequest) -> HttpResponse:
        return HttpResponse(shown(request))

    settings.configure(
        SUPERTOKENS=st,
        MIDDLEWARE=["st_wsgi.frameworks.django.SuperTokensMiddleware"],
        ROOT_URLCONF=(re_path("", page),),
        ALLOWED_HOSTS=["localhost"],
    )
    served: WSGIApplication = get_wsgi_application()
    return served


def in_falcon() -> WSGIApplication:
    import falcon

    from st_wsgi.frameworks.falcon import init_app

    def page(req: falcon.Request, resp: falcon.Response, **_: Any) -> None:
        resp.content_type = falcon.MEDIA_HTML
        resp.text = shown(req)

    app = falcon.App()
    app.add_sink(page, "/")
    return init_app(app, st)


FRAMEWORKS: dict[str, Callable[[], WSGIApplication]] = {
    "flask": in_flask,
    "bottle": in_bottle,
    "pyramid": in_pyramid,
    "django": in_django,
    "falcon": in_falcon,
}

app = FRAMEWORKS[os.environ["FRAMEWORK"]]()
