// Names for the controls that select2 puts in the place of ours, since it does not take them over by itself, and for the cells
// of rows that a phone shows as cards; letters that are typed into a list of choices are no shortcuts; a page that shows progress
// asks for it only while it is visible.
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

  // The theme hides the heading of a table on a phone; in its newer version its cells do not have it, either.
  function labelCells() {
    for (const heading of document.querySelectorAll(".formset-wrapper thead th")) {
      const name = [...heading.classList].find((name) => name.startsWith("column-"));
      if (!name) continue;
      const cells = heading.closest("table").querySelectorAll(`td.field-${CSS.escape(name.slice("column-".length))}`);
      const text = heading.querySelector("span span")?.textContent.replace(/\s*\*\s*$/, "").trim();
      for (const cell of cells) if (text && !cell.dataset.label) cell.dataset.label = text;
    }
    for (const { dataset } of document.querySelectorAll("td[data-label]")) {
      dataset.label = dataset.label.charAt(0).toUpperCase() + dataset.label.slice(1);
    }
  }

  // The newer theme takes "c" for "create", "f" for "filter" and "[" for the sidebar wherever no text is being typed: it forgets
  // that a letter chooses in a list. What reaches the document is done with; the theme listens at the window.
  document.addEventListener("keydown", (event) => {
    const letter = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (letter && event.target.closest?.("select, [role=combobox], [role=listbox]")) event.stopPropagation();
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.detail.elt.getAttribute("hx-trigger")?.startsWith("every")) event.preventDefault();
  });

  document.addEventListener("DOMContentLoaded", () => {
    labelAll();
    labelCells();
    new MutationObserver(labelAll).observe(document.body, { childList: true, subtree: true });
  });
})();
