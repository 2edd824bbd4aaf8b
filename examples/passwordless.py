"""
Codes instead of passwords: ``python examples/passwordless.py``, then open http://127.0.0.1:3000.

The messages are printed on the console, mails and text messages alike.
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
<html lang="en"><meta charset="utf-8"><title>Without passwords</title>
<form id="ask"><input id="contact" placeholder="e-mail or +49 30 ..." required><button>Send a code</button></form>
<form id="enter" hidden><input id="code" autocomplete="one-time-code"><button>Sign in</button></form>
<p id="state"></p>
<script>
const get = (id) => document.getElementById(id);
const post = async (path, body) => (await fetch("/auth/signinup/code" + path, {
    method: "POST", headers: {"Content-Type": "application/json", "st-auth-mode": "cookie"}, body: JSON.stringify(body),
})).json();
const show = (answer) => {
    get("state").textContent = answer.message || answer.reason || answer.status;
    return answer;
};
const consume = async (body) => {
    if (show(await post("/consume", body)).status === "OK") history.replaceState(null, "", "/");
    get("state").textContent += await (await fetch("/whoami")).text();
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
    return f" You are {session.get_session(request).get_user_id()}."


if __name__ == "__main__":
    app.run(port=PORT)
