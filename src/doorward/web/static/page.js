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

for (const time of document.querySelectorAll("time[data-time]")) {
  const moment = new Date(time.dateTime);
  const style = time.dataset.time === "day" ? { dateStyle: "medium" } : { dateStyle: "medium", timeStyle: "medium" };
  time.title = time.textContent;
  time.textContent = moment.toLocaleString(document.documentElement.lang, style);
}

// A form with data-follow="FIELD VALUE": when a radio button changes, the server is asked (as the button
// FIELD=VALUE would) what the page looks like now, and the elements with data-follows are replaced.
for (const form of document.querySelectorAll("form[data-follow]")) {
  const [name, value] = form.dataset.follow.split(" ");
  let latest = 0;
  form.addEventListener("change", async (event) => {
    if (event.target.type !== "radio") return;
    const mine = ++latest;
    const fields = new URLSearchParams(new FormData(form));
    fields.set(name, value);
    const buttons = form.querySelectorAll("button[data-waits]");
    for (const button of buttons) button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body: fields });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok || mine !== latest) return;
      for (const part of form.querySelectorAll("[data-follows]")) {
        const fresh = page.getElementById(part.id);
        if (fresh) part.replaceWith(document.importNode(fresh, true));
      }
    } finally {
      if (mine === latest) for (const button of buttons) button.disabled = false;
    }
  });
}
