// Asks the browser for a passkey and sends what it answers with an ordinary form. Without a script, or in a browser that
// knows no passkeys, these forms stay hidden and every other way works.

"use strict";

{
  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const described = (list) => (list ?? []).map((each) => ({ ...each, id: bytes(each.id) }));

  const made = async (options) => {
    const { id, rawId, type, response } = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        user: { ...options.user, id: bytes(options.user.id) },
        excludeCredentials: described(options.excludeCredentials),
      },
    });
    return {
      id, rawId: text(rawId), type,
      response: {
        clientDataJSON: text(response.clientDataJSON),
        attestationObject: text(response.attestationObject),
        transports: response.getTransports?.() ?? [],
      },
    };
  };

  const used = async (options) => {
    const { id, rawId, type, response } = await navigator.credentials.get({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        allowCredentials: described(options.allowCredentials),
      },
    });
    return {
      id, rawId: text(rawId), type,
      response: {
        clientDataJSON: text(response.clientDataJSON),
        authenticatorData: text(response.authenticatorData),
        signature: text(response.signature),
        userHandle: response.userHandle ? text(response.userHandle) : null,
      },
    };
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!window.PublicKeyCredential) break;
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const says = form.querySelector("[data-passkey-says]");
      says.hidden = true;
      try {
        const asked = await fetch(form.dataset.passkey, { method: "POST" });
        if (!asked.ok) throw new Error(String(asked.status));
        const { options, challenge } = await asked.json();
        const answer = await (options.user ? made : used)(options);
        form.elements.challenge.value = challenge;
        form.elements.passkey.value = JSON.stringify(answer);
        form.submit();
      } catch {
        says.hidden = false;
      }
    });
  }
}
