/* Asks the browser to make or to find a passkey, and sends its answer with the form. Without script the form stays hidden. */
"use strict";

const form = document.querySelector("form[data-passkey]");

function octets(text) {
  const padded = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
}

function letters(buffer) {
  const text = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function readable(options) {
  const listed = (list) => (list || []).map((one) => ({ ...one, id: octets(one.id) }));
  const read = { ...options, challenge: octets(options.challenge) };
  if (options.user) {
    read.user = { ...options.user, id: octets(options.user.id) };
    read.excludeCredentials = listed(options.excludeCredentials);
  } else {
    read.allowCredentials = listed(options.allowCredentials);
  }
  return read;
}

function answer(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) {
      response[name] = letters(credential.response[name]);
    }
  }
  return JSON.stringify({
    id: credential.id,
    rawId: letters(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: {},
  });
}

async function ask(event) {
  event.preventDefault();
  const options = readable(JSON.parse(form.dataset.passkey));
  try {
    const makes = Boolean(options.user);
    const credential = makes
      ? await navigator.credentials.create({ publicKey: options })
      : await navigator.credentials.get({ publicKey: options });
    form.elements.answer.value = answer(credential);
    form.submit();
  } catch {
    form.querySelector("[data-failed]").hidden = false;
  }
}

if (form && window.PublicKeyCredential) {
  form.hidden = false;
  form.addEventListener("submit", ask);
  for (const one of document.querySelectorAll("[data-without-passkeys]")) {
    one.hidden = true;
  }
}
