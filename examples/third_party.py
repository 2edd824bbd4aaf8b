"""
Sign-in with other providers: ``python examples/third_party.py``, then open http://127.0.0.1:3000.

A small OpenID provider on loopback is always there. For GitHub or Google, register an app there with the redirect URI
``http://127.0.0.1:3000/auth/callback/github`` or ``.../google``, and put its id and secret into the environment:
``GITHUB_CLIENT_ID``, ``GITHUB_CLIENT_SECRET``, ``GOOGLE_CLIENT_ID``, ``GOOGLE_CLIENT_SECRET``.
"""

from __future__ import annotations

import os

import openid_provider
from flask import Flask, request

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.recipes import session
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.thirdparty import ProviderClientConfig, ProviderConfig, ProviderInput, ThirdParty

PORT = int(os.environ.get("PORT", "3000"))
API = os.environ.get("ST_API_DOMAIN", f"http://127.0.0.1:{PORT}")

provider = openid_provider.start(client_id="example", redirect_uri=f"{API}/auth/callback/loopback")
providers = [
    ProviderConfig(
        third_party_id="loopback",
        name="the provider on loopback",
        clients=[ProviderClientConfig(client_id="example", scope=["openid", "email"])],
        oidc_discovery_endpoint=f"http://127.0.0.1:{provider.port}/.well-known/openid-configuration",
    )
]
for name in ("GitHub", "Google"):
    client_id, secret = (os.environ.get(f"{name.upper()}_CLIENT_{part}") for part in ("ID", "SECRET"))
    if client_id and not secret:
        raise SystemExit(f"Set {name.upper()}_CLIENT_SECRET, too.")
    if client_id:
        client = ProviderClientConfig(client_id=client_id, client_secret=secret)
        providers.append(ProviderConfig(third_party_id=name.lower(), name=name, clients=[client]))

st = st_wsgi.init(
    app_info=AppInfo(app_name="Example with providers", api_domain=API, website_domain=API),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[
        ThirdParty(
            providers=[ProviderInput(config=config) for config in providers],
            allow_private_networks=True,  # only for the provider on loopback
        ),
        Session(),
    ],
)
app = Flask(__name__)
app.wsgi_app = st.wrap(app.wsgi_app)  # type: ignore[assignment]  # Flask documents this

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in with a provider</title>
<style>
body { max-width: 26rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; color-scheme: light dark; }
button { display: block; width: 100%; margin: .25rem 0 1rem; padding: .6rem; font: inherit; }
</style>
<h1>Sign in</h1>
<div id="providers"></div>
<p id="state" role="status"></p>
<button id="out" hidden onclick="leaveForGood()">Sign out</button>
<script>
const API = "@API@";  // where the providers send the visitor back to, as it is registered there
if (location.origin !== API) location.replace(API + location.pathname + location.search);
const show = (text) => { document.getElementById("state").textContent = text; };
const json = async (path, options) => (await fetch("/auth" + path, options)).json();

async function leave(thirdPartyId) {
    const redirectURI = `${API}/auth/callback/${thirdPartyId}`;
    const query = new URLSearchParams({thirdPartyId, redirectURIOnProviderDashboard: redirectURI});
    const answer = await json(`/authorisationurl?${query}`);
    if (answer.status !== "OK") return show(answer.message ?? answer.status);
    const state = crypto.randomUUID();  // says that this tab began, when the provider sends the visitor back
    sessionStorage.setItem("flow", JSON.stringify({state, redirectURI, verifier: answer.pkceCodeVerifier}));
    const url = new URL(answer.urlWithQueryParams);
    url.searchParams.set("state", state);
    location.assign(url);
}

async function comeBack(thirdPartyId) {
    const redirectURIQueryParams = Object.fromEntries(new URLSearchParams(location.search));
    const flow = JSON.parse(sessionStorage.getItem("flow") ?? "{}");
    sessionStorage.removeItem("flow");
    history.replaceState(null, "", "/");
    if (!flow.state || flow.state !== redirectURIQueryParams.state) return "This sign-in did not begin here.";
    if (redirectURIQueryParams.error) return "You did not sign in.";
    const body = {thirdPartyId, redirectURIInfo: {redirectURIOnProviderDashboard: flow.redirectURI,
        redirectURIQueryParams, pkceCodeVerifier: flow.verifier}};
    const answer = await json("/signinup", {method: "POST", body: JSON.stringify(body),
        headers: {"Content-Type": "application/json", "st-auth-mode": "cookie"}});
    const texts = {OK: "", NO_EMAIL_GIVEN_BY_PROVIDER: "The provider named no e-mail address."};
    return answer.message || answer.reason || (texts[answer.status] ?? answer.status);
}

async function leaveForGood() {
    await fetch("/auth/signout", {method: "POST", headers: {"rid": "anti-csrf"}});
    location.assign("/");
}

async function start() {
    const [, page, thirdPartyId] = /^\\/auth\\/(callback)\\/([^/]+)$/.exec(location.pathname) ?? [];
    const outcome = page ? await comeBack(decodeURIComponent(thirdPartyId)) : "";
    for (const {id, name} of (await json("/loginmethods")).thirdParty.providers) {
        const button = document.createElement("button");
        button.textContent = `Continue with ${name ?? id}`;
        button.onclick = () => leave(id);
        document.getElementById("providers").append(button);
    }
    const who = await fetch("/whoami");
    const user = who.ok ? await who.text() : "";
    document.getElementById("out").hidden = !user;
    show([outcome, user].filter(Boolean).join(" "));
}

start();
</script></html>
""".replace("@API@", API)


@app.get("/")
@app.get("/auth/callback/<provider_id>")  # where providers send the visitor back to
def page(provider_id: str = "") -> str:
    return PAGE


@app.get("/whoami")
def whoami() -> str:
    return f"You are {session.get_session(request).get_user_id()}."


if __name__ == "__main__":
    app.run(port=PORT)
