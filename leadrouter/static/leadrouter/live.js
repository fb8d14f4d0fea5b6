/* Pages that stay up to date: countdowns by the server's clock, what is being typed kept, and word of a lost connection.
   Everything works without this file; with it nothing has to be loaded anew. */
(() => {
  "use strict";
  const live = () => document.getElementById("live");
  const offline = document.getElementById("offline");
  const unsent = document.getElementById("unsent");
  const title = document.title;
  let ahead = 0; // milliseconds by which the server's clock is ahead of ours

  function heard(instant, when) {
    const server = Date.parse(instant);
    if (!Number.isNaN(server)) ahead = server - when;
  }

  // Countdowns

  function left(milliseconds) {
    const seconds = Math.ceil(milliseconds / 1000);
    const two = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor((seconds % 3600) / 60);
    return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
  }

  function tick() {
    let over = false;
    for (const place of document.querySelectorAll("[data-deadline]")) {
      const rest = Date.parse(place.dataset.deadline) - (Date.now() + ahead);
      const bar = place.querySelector("progress");
      place.querySelector(".countdown").textContent = rest > 0 ? left(rest) : offline.dataset.over;
      place.classList.toggle("soon", rest > 0 && rest < 60000);
      place.classList.toggle("over", rest <= 0);
      if (bar) bar.value = Math.max(0, rest / 1000);
      if (rest <= 0 && !place.dataset.told) {
        place.dataset.told = "yes";
        over = true;
        const accept = place.closest("article")?.querySelector("button.accept");
        if (accept) accept.disabled = true;
      }
    }
    if (over && live()) window.htmx?.trigger(live(), "again");
  }

  // What is open or being typed survives the exchange of the live part

  let kept = null;

  function keep() {
    const at = document.activeElement;
    kept = {
      open: [...live().querySelectorAll("details[open][id]")].map((details) => details.id),
      typed: [...live().querySelectorAll("input:not([type=hidden])[id]")].map((field) => [field.id, field.value, field.checked]),
      focus: at && live().contains(at) ? at.id : "",
      caret: at && typeof at.selectionStart === "number" ? [at.selectionStart, at.selectionEnd] : null,
    };
  }

  function restore() {
    for (const id of kept.open) document.getElementById(id)?.setAttribute("open", "");
    for (const [id, value, checked] of kept.typed) {
      const field = document.getElementById(id);
      if (field) [field.value, field.checked] = [value, checked];
    }
    const field = kept.focus && document.getElementById(kept.focus);
    if (field) {
      field.focus({ preventScroll: true });
      if (kept.caret) field.setSelectionRange?.(...kept.caret);
    }
    kept = null;
  }

  // Who looks at the page is seen by its requests, so a hidden one sends none; it looks again when it is shown.

  let seen = ""; // the mark of what is shown, where an answer without content has told a newer one

  const polls = (event) => event.detail.elt === live() && event.detail.requestConfig.verb === "get";
  const sends = () => live().querySelector("form.htmx-request");
  document.addEventListener("htmx:beforeRequest", (event) => {
    if ((document.hidden || sends()) && polls(event)) event.preventDefault();
  });
  document.addEventListener("htmx:configRequest", (event) => {
    if (seen && event.detail.elt === live() && event.detail.verb === "get")
      event.detail.path = event.detail.path.replace(/([?&]seen=)[^&]*/, `$1${seen}`);
  });

  // The connection

  function lost(event) {
    offline.hidden = false;
    if (event.detail.requestConfig?.verb === "post") unsent.hidden = false;
  }

  function found() {
    offline.hidden = unsent.hidden = true;
  }

  function badge() {
    const urgent = Number(live()?.dataset.urgent || 0);
    document.title = urgent ? `(${urgent}) ${title}` : title;
  }

  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:timeout", lost);
  document.addEventListener("htmx:responseError", (event) => {
    const status = event.detail.xhr.status;
    if (status >= 500) lost(event);
    else window.location.reload(); // a form that is too old, a lead that is gone
  });
  // The answer to what was sent says what became of it: a poll that was on its way meanwhile does not take its place.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (polls(event) && sends()) {
      event.preventDefault();
      return;
    }
    heard(event.detail.xhr.getResponseHeader("X-Now"), Date.now());
    seen = event.detail.xhr.getResponseHeader("X-Seen") || seen;
    if (event.detail.xhr.status < 500) found();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.requestConfig.verb === "get") keep();
  });
  document.addEventListener("htmx:afterSwap", () => {
    seen = "";
    if (kept) restore();
    badge();
    tick();
  });
  window.addEventListener("offline", () => { offline.hidden = false; });
  window.addEventListener("online", () => window.htmx?.trigger(live(), "again"));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && live()) window.htmx?.trigger(live(), "again");
  });
  // A menu closes when something else is touched.
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.removeAttribute("open");
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.removeAttribute("open");
      menu.querySelector("summary").focus();
    }
  });

  const [loaded] = performance.getEntriesByType("navigation");
  heard(document.querySelector("[data-now]")?.dataset.now, Date.now() - performance.now() + (loaded?.responseStart || 0));
  badge();
  tick();
  setInterval(tick, 500);
})();
