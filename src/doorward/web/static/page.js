// What works only with a script: copying, the reader's own time zone, and a part of a form that follows a choice.
// Everything else on the pages works without.

"use strict";

for (const button of document.querySelectorAll("button.copy")) {
  if (!navigator.clipboard) break;
  const label = button.querySelector("span") ?? button;
  const words = label.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.dataset.copied = "";
    label.textContent = "Copied";
    setTimeout(() => {
      delete button.dataset.copied;
      label.textContent = words;
    }, 2000);
  });
}

// A second click does not send a form a second time. The server does nothing twice either, but would answer that it was
// sent already, in place of what the first click made.
const sentAt = new WeakMap();
document.addEventListener("submit", (event) => {
  if (event.timeStamp - (sentAt.get(event.target) ?? -Infinity) < 1000) event.preventDefault();
  else sentAt.set(event.target, event.timeStamp);
});

// A button with data-working="WORDS" has another server asked: that is said at once, and its form is not sent again
// meanwhile. Not disabled: that would take the focus away.
for (const button of document.querySelectorAll("button[data-working]")) {
  const said = document.createElement("span");
  said.className = "hint";
  said.setAttribute("role", "status");
  button.after(said);
  let working = false;
  const tell = (now) => {
    working = now;
    button.form.setAttribute("aria-busy", now);
    button.setAttribute("aria-disabled", now);
    said.textContent = now ? button.dataset.working : "";
  };
  button.form.addEventListener("submit", (event) => {
    if (working) event.preventDefault();
    else if (event.submitter === button) tell(true);
  });
  // Who comes back to the page as it was left can press it again.
  addEventListener("pageshow", (event) => event.persisted && tell(false));
}

for (const time of document.querySelectorAll("time[data-time]")) {
  const moment = new Date(time.dateTime);
  const style = time.dataset.time === "day" ? { dateStyle: "medium" } : { dateStyle: "medium", timeStyle: "medium" };
  time.title = time.textContent;
  time.textContent = moment.toLocaleString(document.documentElement.lang, style);
}

// An element with data-wait="URL" is shown, and asks every two seconds until the answer says {"used": true}.
for (const place of document.querySelectorAll("[data-wait]")) {
  place.hidden = false;
  const ask = async () => {
    const answer = await fetch(place.dataset.wait).catch(() => null);
    if (answer && !answer.ok) return;
    if (!answer || !(await answer.json()).used) {
      setTimeout(ask, 2000);
      return;
    }
    place.querySelector("[data-waits]").hidden = true;
    place.querySelector("[data-done]").hidden = false;
  };
  setTimeout(ask, 2000);
}

// A form with data-follow="FIELD VALUE": when a radio button changes, the server is asked (as the button
// FIELD=VALUE would) what the page looks like now, and the elements with data-follows are replaced, but not the one in
// which somebody is choosing. With data-follow-at="PATH" any change counts, and that path is asked.
for (const form of document.querySelectorAll("form[data-follow]")) {
  const [name, value] = form.dataset.follow.split(" ");
  let latest = 0;
  form.addEventListener("change", async (event) => {
    const at = form.dataset.followAt;
    if (!at && event.target.type !== "radio") return;
    const mine = ++latest;
    const fields = new URLSearchParams(new FormData(form));
    fields.set(name, value);
    const buttons = form.querySelectorAll("button[data-waits]");
    for (const button of buttons) button.disabled = true;
    try {
      const answer = await fetch(at ?? form.action, { method: "POST", body: fields });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok || mine !== latest) return;
      for (const part of form.querySelectorAll("[data-follows]")) {
        const fresh = page.getElementById(part.id);
        if (fresh && !part.contains(event.target)) part.replaceWith(document.importNode(fresh, true));
      }
    } finally {
      if (mine === latest) for (const button of buttons) button.disabled = false;
    }
  });
}

// A part of a page that tells how something stands: it is fetched again while somebody looks at it, for ten minutes.
for (const part of document.querySelectorAll("[data-live]")) {
  let left = 120;
  const timer = setInterval(async () => {
    if (--left <= 0) clearInterval(timer);
    if (document.hidden) return;
    const answer = await fetch(location.href).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(part.id);
    if (fresh && fresh.textContent !== part.textContent) part.replaceChildren(...document.importNode(fresh, true).childNodes);
  }, 5000);
}
