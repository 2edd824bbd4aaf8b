// Passkeys: the browser asks the user for one, and the form takes it to the server, which says what is wrong.
"use strict";
if (window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
  const place = document.querySelector("[data-passkey]");
  const form = place.querySelector("form"), failed = place.querySelector("[data-failed]");
  document.querySelector("[data-without]").hidden = true;
  place.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    failed.hidden = true;
    const {passkey, options: path, token} = place.dataset, email = form.elements.email;
    const body = token ? {recoverAccountToken: token} : email ? {email: email.value} : {};
    try {
      const headers = {"Content-Type": "application/json", "rid": "anti-csrf"};
      const reply = await fetch(path, {method: "POST", headers, body: JSON.stringify(body)});
      const options = reply.ok ? await reply.json() : {};
      if (options.status === "OK") {
        const credential = passkey === "create"
          ? await navigator.credentials.create({publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options)})
          : await navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options)});
        form.elements.optionsId.value = options.webauthnGeneratedOptionsId;
        form.elements.credential.value = JSON.stringify(credential.toJSON());
      }
      form.submit();
    } catch {
      failed.hidden = false;
      failed.focus();
    }
  });
}
