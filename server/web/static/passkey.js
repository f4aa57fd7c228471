"use strict";
// Asks the browser for passkeys: a form with data-options sends the answer as its field "answer". Without this script the form stays hidden,
// and the other ways of the page work.
(function () {
  if (!window.PublicKeyCredential || !navigator.credentials) return;

  function decode(text) {
    const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(binary, (c) => c.charCodeAt(0)).buffer;
  }
  function encode(buffer) {
    let binary = "";
    for (const byte of new Uint8Array(buffer)) binary += String.fromCharCode(byte);
    return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }
  function questionOf(form) {
    const options = JSON.parse(form.dataset.options);
    options.challenge = decode(options.challenge);
    if (options.user) options.user.id = decode(options.user.id);
    for (const list of [options.allowCredentials, options.excludeCredentials]) {
      for (const credential of list || []) credential.id = decode(credential.id);
    }
    return options;
  }
  function answerOf(credential) {
    const from = credential.response, response = { clientDataJSON: encode(from.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (from[name]) response[name] = encode(from[name]);
    }
    if (from.getTransports) response.transports = from.getTransports();
    return JSON.stringify({
      id: credential.id, rawId: encode(credential.rawId), type: credential.type, response: response,
      authenticatorAttachment: credential.authenticatorAttachment || undefined, clientExtensionResults: {},
    });
  }

  for (const form of document.querySelectorAll("form[data-options]")) {
    const problems = form.querySelectorAll("[data-problem]");
    let waiting = null;
    const ask = async function (mediation) {
      if (waiting) waiting.abort();
      const mine = waiting = new AbortController();
      const request = { publicKey: questionOf(form), signal: mine.signal };
      if (mediation) request.mediation = mediation;
      try {
        const create = form.dataset.kind === "create";
        const credential = await (create ? navigator.credentials.create(request) : navigator.credentials.get(request));
        if (!credential) return;
        form.elements.answer.value = answerOf(credential);
        // What is ticked in the form beside it holds for a passkey, too.
        if (document.querySelector("input[type=checkbox][name=remember]:checked")) form.elements.remember.value = "on";
        form.submit();
      } catch (error) {
        if (mine.signal.aborted || mediation) return;
        // The authenticator has a passkey of this user already.
        const exists = error.name === "InvalidStateError" && form.dataset.kind === "create";
        for (const problem of problems) {
          problem.hidden = exists !== (problem.dataset.problem === "exists");
          problem.setAttribute("role", "alert");
        }
      }
    };
    form.hidden = false;
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      for (const problem of problems) problem.hidden = true;
      ask("");
    });
    if (form.dataset.conditional && PublicKeyCredential.isConditionalMediationAvailable) {
      PublicKeyCredential.isConditionalMediationAvailable().then((available) => available && ask("conditional"));
    }
  }
})();
