"""
A second factor after the password: ``python examples/second_factor.py``, then open http://127.0.0.1:3000.

The second factor is a code of an authenticator app, or a code by mail. The mails are printed on the console.
"""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, request

import st_wsgi
from st_wsgi import AppInfo, Override, replace
from st_wsgi.recipes import session
from st_wsgi.recipes.accountlinking import AccountLinking, ShouldAutomaticallyLink
from st_wsgi.recipes.emailpassword import EmailPassword
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.multifactorauth import MultiFactorAuth, MultiFactorAuthFunctions, Requirements, require_factors
from st_wsgi.recipes.passwordless import ContactEmailOnlyConfig, Passwordless
from st_wsgi.recipes.session import Session, verify_session
from st_wsgi.recipes.totp import Totp

PORT = int(os.environ.get("PORT", "3000"))
API = os.environ.get("ST_API_DOMAIN", f"http://127.0.0.1:{PORT}")


def for_everybody(original: MultiFactorAuthFunctions) -> MultiFactorAuthFunctions:
    """Require a second factor of all users."""

    def get_mfa_requirements_for_auth(**_: Any) -> Requirements:
        return [{"oneOf": ["totp", "otp-email"]}]

    return replace(original, get_mfa_requirements_for_auth=get_mfa_requirements_for_auth)


st = st_wsgi.init(
    app_info=AppInfo(app_name="Example with second factors", api_domain=API, website_domain=API),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[
        EmailPassword(),
        Passwordless(contact_config=ContactEmailOnlyConfig(), flow_type="USER_INPUT_CODE"),
        Totp(),
        MultiFactorAuth(first_factors=["emailpassword"], override=Override(functions=for_everybody)),
        # A code by mail becomes a second login method of the user, if the address is verified.
        AccountLinking(should_do_automatic_account_linking=lambda *_: ShouldAutomaticallyLink()),
        EmailVerification(mode="OPTIONAL"),
        Session(),
    ],
)
app = Flask(__name__)
app.wsgi_app = st.wrap(app.wsgi_app)  # type: ignore[assignment]  # Flask documents this

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Second factors</title>
<style>
body { max-width: 26rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; color-scheme: light dark; }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input, button { margin: .25rem 0 1rem; padding: .6rem; }
code { overflow-wrap: anywhere; }
</style>
<h1>Second factors</h1>
<form id="start">
<label for="email">E-mail address</label><input id="email" type="email" autocomplete="username" required>
<label for="password">Password</label><input id="password" type="password" autocomplete="current-password" required>
<button>Sign in</button><button id="up" type="button">Sign up</button></form>
<div id="choose" hidden><button id="app">Use an authenticator app</button>
<button id="mail">Send a code by mail</button></div>
<p id="setup" hidden>Add this account to your authenticator app: <a id="link">open the app</a>, or type in
<code id="secret"></code>.</p>
<form id="enter" hidden><label for="code">Code</label>
<input id="code" autocomplete="one-time-code" inputmode="numeric" required><button>Continue</button></form>
<p id="state" role="status"></p>
<div id="done" hidden><button id="transfer">Transfer money (needs the authenticator app)</button>
<button id="out">Sign out</button></div>
<script>
const get = (id) => document.getElementById(id);
const call = async (method, path, body) => (await fetch("/auth" + path, {method, body: body && JSON.stringify(body),
    headers: {"Content-Type": "application/json", "st-auth-mode": "cookie", "fdi-version": "4.2"}})).json();
const texts = {OK: "", WRONG_CREDENTIALS_ERROR: "Address or password is wrong.",
    INVALID_TOTP_ERROR: "This code is wrong.", INCORRECT_USER_INPUT_CODE_ERROR: "This code is wrong.",
    EXPIRED_USER_INPUT_CODE_ERROR: "This code is too old.", RESTART_FLOW_ERROR: "Please ask for a new code.",
    LIMIT_REACHED_ERROR: "Too many wrong codes. Please try again later."};
const show = (answer) => {
    const field = answer.formFields?.[0]?.error;
    get("state").textContent = field || answer.reason || (texts[answer.status] ?? answer.message ?? answer.status);
    return answer.status === "OK";
};
const only = (...ids) => {
    for (const id of ["start", "choose", "setup", "enter", "done"]) get(id).hidden = !ids.includes(id);
    get("code").value = "";
};
// What comes next is what the backend says: the page decides nothing.
const next = async () => {
    const answer = await call("PUT", "/mfa/info");
    if (answer.status !== "OK") return only("start");
    const {next, alreadySetup} = answer.factors;
    if (!next.length) {
        only("done");
        get("state").textContent = await (await fetch("/account")).text();
        return;
    }
    only("choose");
    get("app").hidden = !next.includes("totp");
    get("mail").hidden = !next.includes("otp-email");
    get("app").onclick = () => useApp(alreadySetup.includes("totp"));
    get("mail").onclick = () => sendMail(answer.emails["otp-email"][0]);
};
const askCode = (send) => {
    get("enter").onsubmit = async (event) => {
        event.preventDefault();
        if (show(await send(get("code").value.trim()))) next();
    };
};
const useApp = async (isSetUp) => {
    if (isSetUp) {
        only("enter");
        return askCode((totp) => call("POST", "/totp/verify", {totp}));
    }
    const device = await call("POST", "/totp/device", {});
    if (!show(device)) return;
    get("link").href = device.qrCodeString;
    get("secret").textContent = device.secret;
    only("setup", "enter");
    askCode((totp) => call("POST", "/totp/device/verify", {deviceName: device.deviceName, totp}));
};
const sendMail = async (email) => {
    const asked = await call("POST", "/signinup/code", {email, shouldTryLinkingWithSessionUser: true});
    if (!show(asked)) return;
    only("enter");
    askCode((userInputCode) => call("POST", "/signinup/code/consume", {userInputCode, deviceId: asked.deviceId,
        preAuthSessionId: asked.preAuthSessionId, shouldTryLinkingWithSessionUser: true}));
};
const first = async (path) => {
    const formFields = ["email", "password"].map((id) => ({id, value: get(id).value}));
    if (show(await call("POST", path, {formFields}))) next();
};
get("start").onsubmit = (event) => { event.preventDefault(); first("/signin"); };
get("up").onclick = () => { if (get("start").reportValidity()) first("/signup"); };
get("out").onclick = async () => { show(await call("POST", "/signout", {})); next(); };
get("transfer").onclick = async () => {
    const response = await fetch("/transfer");
    if (response.ok) {
        get("state").textContent = await response.text();
        return;
    }
    const {factors} = await call("PUT", "/mfa/info");
    if (!factors) return next();
    await useApp(factors.alreadySetup.includes("totp"));
    get("state").textContent = "Your authenticator app is needed for this.";
};
next();
</script></html>
"""


@app.get("/")
def page() -> str:
    return PAGE


@app.get("/account")
def account() -> str:
    return f"You are {session.get_session(request).get_user_id()}."


@app.get("/transfer")
@verify_session(override_global_claim_validators=require_factors(requirement_list=["totp"]))
def transfer() -> str:
    return "The money is on its way."


if __name__ == "__main__":
    app.run(port=PORT)
