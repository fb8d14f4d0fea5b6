/* Passkeys: a form asks the browser for one, and takes its answer along. Without this file, or where the browser cannot,
   its button stays off and the page says why. */
(() => {
  "use strict";
  const unnamed = /^[\d.]+$|^\[/.test(location.hostname); // a passkey belongs to a name
  const able = Boolean(window.PublicKeyCredential && navigator.credentials) && !unnamed;

  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const read = (credentials) => (credentials || []).map((one) => ({ ...one, id: bytes(one.id) }));

  function asked(question) {
    const publicKey = { ...question, challenge: bytes(question.challenge) };
    if (question.user) {
      publicKey.user = { ...question.user, id: bytes(question.user.id) };
      publicKey.excludeCredentials = read(question.excludeCredentials);
    } else {
      publicKey.allowCredentials = read(question.allowCredentials);
    }
    return publicKey;
  }

  function told(credential) {
    const { response } = credential;
    const answer = {};
    for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (response[part]) answer[part] = text(response[part]);
    }
    if (response.getTransports) answer.transports = response.getTransports();
    return JSON.stringify({
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      response: answer,
      clientExtensionResults: credential.getClientExtensionResults(),
    });
  }

  async function ask(form) {
    const token = form.elements.csrfmiddlewaretoken.value;
    const answer = await fetch(form.dataset.question, {
      method: "POST",
      headers: { "X-CSRFToken": token },
      redirect: "manual",
    });
    if (!answer.ok) {
      window.location.reload(); // signed out meanwhile, or too late: the page knows where to go
      return;
    }
    const credential = await navigator.credentials[form.dataset.passkey]({ publicKey: asked(await answer.json()) });
    form.elements.passkey.value = told(credential);
    form.submit();
  }

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const button = form.querySelector("button");
    const say = (what) => {
      for (const line of form.querySelectorAll("[data-when]")) line.hidden = line.dataset.when !== what;
    };
    if (!able) continue;
    say("");
    button.disabled = false;
    if (form.dataset.passkey === "get") button.focus();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      say("");
      button.disabled = true;
      ask(form).catch((error) => {
        say(error.name === "InvalidStateError" ? "known" : "failed");
        button.disabled = false;
        button.focus();
      });
    });
  }
})();
