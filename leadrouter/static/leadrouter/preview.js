// The next six weeks, as the form stands: asked of the server again whenever somebody has stopped typing.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const section = document.getElementById("lr-preview");
  const form = section && section.closest("form");
  if (!form) return;
  const weeks = document.getElementById("lr-preview-weeks");
  document.getElementById("lr-preview-button").closest("p").remove();
  let timer, asked = 0;

  async function ask() {
    const mine = ++asked;
    const answer = await fetch(section.dataset.address, {
      method: "POST",
      body: new FormData(form),
      headers: { "X-Requested-With": "fetch" },
    }).catch(() => null);
    if (mine !== asked || !answer || !answer.ok) return; // another was asked for meanwhile
    weeks.innerHTML = await answer.text();
    section.dataset.ready = String(mine);
  }

  const later = () => { clearTimeout(timer); timer = setTimeout(ask, 350); };
  form.addEventListener("input", later);
  form.addEventListener("change", later);
  if (window.django && window.django.jQuery) window.django.jQuery(form).on("change", later); // select2 tells jQuery alone
  ask();
});
