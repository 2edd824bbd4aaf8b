"""
Passkeys instead of passwords: ``python examples/passkeys.py``, then open http://localhost:3000.

Browsers make no passkeys for addresses such as 127.0.0.1. Mails, for those who lost theirs, are printed on the console.
"""

from __future__ import annotations

import os

from flask import Flask, request

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.recipes import session
from st_wsgi.recipes.emailverification import EmailVerification
from st_wsgi.recipes.session import Session
from st_wsgi.recipes.webauthn import Webauthn

PORT = int(os.environ.get("PORT", "3000"))
API = os.environ.get("ST_API_DOMAIN", f"http://localhost:{PORT}")

st = st_wsgi.init(
    app_info=AppInfo(app_name="Example with passkeys", api_domain=API, website_domain=API),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    # Without emailverification no address is known to be the user's, so a recovery would remove all other passkeys.
    recipes=[Webauthn(), EmailVerification(mode="OPTIONAL"), Session()],
)
app = Flask(__name__)
app.wsgi_app = st.wrap(app.wsgi_app)  # type: ignore[assignment]  # Flask documents this

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Passkeys</title>
<style>
body { max-width: 26rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; color-scheme: light dark; }
label, input, form button, #new { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input, form button, #new { margin: .25rem 0 1rem; padding: .6rem; }
li { margin: .5rem 0; overflow-wrap: anywhere; }
</style>
<h1>Passkeys</h1>
<form id="start"><button id="in" type="button">Sign in with a passkey</button>
<label for="email">E-mail address</label><input id="email" type="email" autocomplete="username webauthn" required>
<button>Sign up with a new passkey</button>
<button id="lost" type="button">I lost my passkey</button></form>
<button id="new" hidden>Add a passkey</button>
<p id="state" role="status"></p>
<ul id="list"></ul>
<script>
const get = (id) => document.getElementById(id);
const call = async (path, body) => (await fetch("/auth" + path, {
    method: body ? "POST" : "GET", headers: {"Content-Type": "application/json", "st-auth-mode": "cookie"},
    body: body && JSON.stringify(body),
})).json();
const texts = {OK: "", EMAIL_ALREADY_EXISTS_ERROR: "There is an account with this address. Please sign in.",
    INVALID_CREDENTIALS_ERROR: "This passkey is not known here.", INVALID_OPTIONS_ERROR: "Please try again.",
    RECOVER_ACCOUNT_TOKEN_INVALID_ERROR: "This link has been used, or is too old. Please ask for a new one."};
const show = (answer) => {
    get("state").textContent = answer.reason || answer.err || answer.message || (texts[answer.status] ?? answer.status);
    return answer.status === "OK";
};
const said = (path, body) => call(path, body).then(show);
// Asks the browser for a passkey, and sends it to a route. A user who changes their mind is an error of the browser's.
const ask = async (path, options, more, make) => {
    if (!show(options)) return false;
    try {
        const credential = await make(options);
        const webauthnGeneratedOptionsId = options.webauthnGeneratedOptionsId;
        return await said(path, {...more, webauthnGeneratedOptionsId, credential: credential.toJSON()});
    } catch (error) {
        return show({message: error.message});
    }
};
const create = async (path, whom, more) => ask(path, await call("/webauthn/options/register", whom), more, (options) =>
    navigator.credentials.create({publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options)}));
const prove = async () => ask("/webauthn/signin", await call("/webauthn/options/signin", {}), {}, (options) =>
    navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options)}));
const listed = async () => {
    const answer = await call("/webauthn/credential/list");
    const signedIn = answer.status === "OK";
    get("start").hidden = signedIn;
    get("new").hidden = !signedIn;
    if (signedIn) get("state").textContent = await (await fetch("/whoami")).text();
    get("list").replaceChildren(...(answer.credentials ?? []).map((one) => {
        const item = document.createElement("li"), button = document.createElement("button");
        button.textContent = "Remove";
        button.onclick = async () => {
            if (await said("/webauthn/credential/remove", {webauthnCredentialId: one.webauthnCredentialId})) listed();
        };
        item.append(new Date(one.createdAt).toLocaleString(), " ", button);
        return item;
    }));
};
get("start").onsubmit = async (event) => {
    event.preventDefault();
    if (await create("/webauthn/signup", {email: get("email").value})) listed();
};
get("in").onclick = async () => { if (await prove()) listed(); };
get("lost").onclick = async () => {
    const email = get("email");
    if (email.reportValidity() && await said("/user/webauthn/reset/token", {email: email.value}))
        get("state").textContent = "If there is an account with this address, a mail is on its way.";
};
const token = new URLSearchParams(location.search).get("token");
if (location.pathname === "/auth/webauthn/recover" && token) {  // the link of a mail
    get("start").hidden = true;
    get("new").hidden = false;
    get("new").onclick = async () => {
        if (!await create("/user/webauthn/reset", {recoverAccountToken: token}, {token})) return;
        history.replaceState(null, "", "/");
        get("new").hidden = true;
        get("start").hidden = false;
        get("state").textContent = "You have a new passkey. Please sign in with it.";
    };
} else {
    get("new").onclick = async () => {
        const email = await (await fetch("/email")).text();
        if (await create("/webauthn/credential", {email})) listed();
    };
    listed();
}
</script></html>
"""


@app.get("/")
@app.get("/auth/webauthn/recover")  # the links of mails lead here
def page() -> str:
    return PAGE


@app.get("/whoami")
def whoami() -> str:
    return f"You are {session.get_session(request).get_user_id()}."


@app.get("/email")
def email() -> str:
    user = st_wsgi.get_user(user_id=session.get_session(request).get_user_id())
    return "" if user is None else user.emails[0]


if __name__ == "__main__":
    app.run(host="localhost", port=PORT)
