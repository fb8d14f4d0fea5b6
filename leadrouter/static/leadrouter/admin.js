// Names for the controls that select2 puts in the place of ours: it does not take them over by itself.
"use strict";
(() => {
  const nameOf = (select) =>
    select.getAttribute("aria-label") || (select.labels && select.labels[0] ? select.labels[0].textContent.trim() : "");

  function label(select) {
    const box = select.nextElementSibling;
    const name = nameOf(select);
    if (!name || !box || !box.classList.contains("select2")) return;
    for (const control of box.querySelectorAll(".select2-selection, .select2-search__field, .select2-selection__rendered[role=textbox]")) {
      control.setAttribute("aria-label", name);
    }
    // A list of what is chosen may hold a button to clear it, which is no item.
    const list = box.querySelector("ul.select2-selection__rendered");
    if (list) list.setAttribute("role", "presentation");
  }

  const labelAll = () => document.querySelectorAll("select.select2-hidden-accessible").forEach(label);

  document.addEventListener("DOMContentLoaded", () => {
    labelAll();
    new MutationObserver(labelAll).observe(document.body, { childList: true, subtree: true });
  });
})();
