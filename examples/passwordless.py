"""
Codes instead of passwords: ``python examples/passwordless.py``, then open http://127.0.0.1:3000.

The messages are printed on the console, mails and text messages alike. Phone numbers need ``pip install
"st-wsgi[phone]"``.
"""

from __future__ import annotations

import os

from flask import Flask, request

import st_wsgi
from st_wsgi import AppInfo
from st_wsgi.recipes import session
from st_wsgi.recipes.passwordless import ContactEmailOrPhoneConfig, Passwordless
from st_wsgi.recipes.session import Session

PORT = int(os.environ.get("PORT", "3000"))
API = os.environ.get("ST_API_DOMAIN", f"http://127.0.0.1:{PORT}")

st = st_wsgi.init(
    app_info=AppInfo(app_name="Example without passwords", api_domain=API, website_domain=API),
    core=os.environ.get("ST_CORE", "sqlite:///auth.db"),
    recipes=[
        Passwordless(contact_config=ContactEmailOrPhoneConfig(), flow_type="USER_INPUT_CODE_AND_MAGIC_LINK"),
        Session(),
    ],
)
app = Flask(__name__)
app.wsgi_app = st.wrap(app.wsgi_app)  # type: ignore[assignment]  # Flask documents this

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Without passwords</title>
<style>
body { max-width: 26rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; color-scheme: light dark; }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input, button { margin: .25rem 0 1rem; padding: .6rem; }
</style>
<h1>Sign in without a password</h1>
<form id="ask">
<label for="contact">E-mail address, or phone number that begins with + and the code of the country</label>
<input id="contact" placeholder="ada@example.com" required><button>Send a code</button></form>
<form id="enter" hidden><label for="code">Code from the message</label>
<input id="code" autocomplete="one-time-code" inputmode="numeric" required><button>Sign in</button></form>
<p id="state" role="status"></p>
<script>
const get = (id) => document.getElementById(id);
const post = async (path, body) => (await fetch("/auth/signinup/code" + path, {
    method: "POST", headers: {"Content-Type": "application/json", "st-auth-mode": "cookie"}, body: JSON.stringify(body),
})).json();
const show = (answer) => {
    const texts = {OK: "", INCORRECT_USER_INPUT_CODE_ERROR: "This code is wrong.",
        EXPIRED_USER_INPUT_CODE_ERROR: "This code is too old.", RESTART_FLOW_ERROR: "Please ask for a new code."};
    get("state").textContent = answer.message || answer.reason || (texts[answer.status] ?? answer.status);
    return answer;
};
const consume = async (body) => {
    if (show(await post("/consume", body)).status !== "OK") return;
    history.replaceState(null, "", "/");
    get("state").textContent = await (await fetch("/whoami")).text();
};
let ids;
get("ask").onsubmit = async (event) => {
    event.preventDefault();
    const contact = get("contact").value;
    const answer = show(await post("", contact.includes("@") ? {email: contact} : {phoneNumber: contact}));
    ids = {deviceId: answer.deviceId, preAuthSessionId: answer.preAuthSessionId};
    get("enter").hidden = answer.status !== "OK";
};
get("enter").onsubmit = (event) => { event.preventDefault(); consume({...ids, userInputCode: get("code").value}); };
if (location.pathname === "/auth/verify") {  // a link: ask first, since another person may have asked for it
    const preAuthSessionId = new URLSearchParams(location.search).get("preAuthSessionId");
    if (confirm("Sign in here?")) consume({preAuthSessionId, linkCode: location.hash.slice(1)});
}
</script></html>
"""


@app.get("/")
@app.get("/auth/verify")  # the links of messages lead here
def page() -> str:
    return PAGE


@app.get("/whoami")
def whoami() -> str:
    return f"You are {session.get_session(request).get_user_id()}."


if __name__ == "__main__":
    app.run(port=PORT)
