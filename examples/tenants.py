"""
A tenant for each sub-domain: ``python examples/tenants.py``, then open http://acme.localhost:3000.

Browsers take every name below ``localhost`` for this machine. Users of Acme sign in with passwords, those of the school
with codes, which are printed on the console. An account at one of them does not exist at the other. The ready pages are
for one address, so this example has a page of its own.
"""

from __future__ import annotations

import os

from flask import Flask, abort, request

import st_wsgi
from st_wsgi import AppInfo, Override, RequestContext, like, replace
from st_wsgi.frameworks.flask import init_app
from st_wsgi.recipes import multitenancy, session
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.multitenancy import Multitenancy, MultitenancyFunctions, TenantConfigCreateOrUpdate
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.session import Session

PORT = int(os.environ.get("PORT", "3000"))
API = os.environ.get("ST_API_DOMAIN", f"http://localhost:{PORT}")
SCHEME, _, HOST = API.partition("://")
FACTORS = {"acme": ["emailpassword"], "school": ["otp-email"]}
ORIGINS = {f"{SCHEME}://{name}.{HOST}": name for name in FACTORS}


def tenant_of(host: str | None) -> str:
    """Return the tenant whose sub-domain a Host header names. Clients can write anything there."""
    return ORIGINS.get(f"{SCHEME}://{(host or '').lower()}", "nowhere")


def by_sub_domain(original: MultitenancyFunctions) -> MultitenancyFunctions:
    @like(original.get_tenant_id)
    def get_tenant_id(*, tenant_id_from_frontend: str, context: RequestContext) -> str:
        return tenant_of(context.header("host"))  # whatever the path says

    return replace(original, get_tenant_id=get_tenant_id)


st = st_wsgi.init(
    app_info=AppInfo(app_name="Tenants example", api_domain=API, website_domain=API),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[
        EmailPassword(),
        Passwordless(contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE"),
        Multitenancy(override=Override(functions=by_sub_domain)),
        Session(),
    ],
)
for tenant_id, factors in FACTORS.items():
    multitenancy.create_or_update_tenant(tenant_id=tenant_id, config=TenantConfigCreateOrUpdate(first_factors=factors))
app = Flask(__name__)
init_app(app, st)

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Tenants</title>
<style>
:root { color-scheme: light dark; }
body { max-width: 26rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input, button { margin: .25rem 0 1rem; padding: .6rem; }
</style>
<h1 id="name">Tenants</h1>
<form id="passwords" hidden>
<label for="email">E-mail address</label><input id="email" type="email" autocomplete="username" required>
<label for="password">Password</label>
<input id="password" type="password" autocomplete="current-password" required>
<button value="signin">Sign in</button><button value="signup">Sign up</button></form>
<form id="codes" hidden>
<label for="contact">E-mail address</label><input id="contact" type="email" required><button>Send a code</button></form>
<form id="enter" hidden><label for="code">Code from the message</label>
<input id="code" autocomplete="one-time-code" inputmode="numeric" required><button>Sign in</button></form>
<p id="state" role="status"></p>
<script>
const get = (id) => document.getElementById(id);
const call = async (path, body) => (await fetch("/auth" + path, body && {
    method: "POST", headers: {"Content-Type": "application/json", "st-auth-mode": "cookie"}, body: JSON.stringify(body),
})).json();
const texts = {OK: "", WRONG_CREDENTIALS_ERROR: "The address and the password do not match.",
    INCORRECT_USER_INPUT_CODE_ERROR: "This code is wrong.", EXPIRED_USER_INPUT_CODE_ERROR: "This code is too old.",
    RESTART_FLOW_ERROR: "Please ask for a new code."};
const show = (answer) => {
    const errors = (answer.formFields || []).map(({error}) => error).join(" ");
    get("state").textContent = errors || answer.message || answer.reason || (texts[answer.status] ?? answer.status);
    return answer.status === "OK";
};
const finish = async (answer) => {
    if (show(answer)) get("state").textContent = await (await fetch("/whoami")).text();
};
get("passwords").onsubmit = async (event) => {
    event.preventDefault();
    const formFields = ["email", "password"].map((id) => ({id, value: get(id).value}));
    finish(await call("/" + event.submitter.value, {formFields}));
};
let ids;
get("codes").onsubmit = async (event) => {
    event.preventDefault();
    const {deviceId, preAuthSessionId, ...answer} = await call("/signinup/code", {email: get("contact").value});
    ids = {deviceId, preAuthSessionId};
    get("enter").hidden = !show(answer);
};
get("enter").onsubmit = async (event) => {
    event.preventDefault();
    finish(await call("/signinup/code/consume", {...ids, userInputCode: get("code").value}));
};
call("/loginmethods").then((ways) => {  // the page shows what the tenant allows
    get("name").textContent = location.hostname;
    if (ways.status !== "OK") get("state").textContent = "Open one of: TENANTS";
    else get(ways.emailPassword.enabled ? "passwords" : "codes").hidden = false;
});
</script></html>
"""


@app.get("/")
def page() -> str:
    return PAGE.replace("TENANTS", ", ".join(ORIGINS))


@app.get("/whoami")
def whoami() -> str:
    found = session.get_session(request)
    if found.get_tenant_id() != tenant_of(request.host):
        abort(403)  # browsers keep the cookies of two sub-domains apart, other clients need not
    return f"You are {found.get_user_id()} at {found.get_tenant_id()}."


if __name__ == "__main__":
    app.run(port=PORT)
