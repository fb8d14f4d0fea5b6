// Rows that are put in order by dragging can be moved by two buttons as well: by keyboard, and by who cannot drag.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table[data-ordering-field]")) {
    const place = (row) => row.querySelector(`input[name$='-${table.dataset.orderingField}']`);
    const rows = () => [...table.querySelectorAll(":scope > tbody.original")].filter(place);

    // What a row is called: its first choice, or the first text in it.
    const name = (row) => {
      const control = row.querySelector("tr.form-row select, tr.form-row input[type='text']");
      if (!control) return "";
      return control.selectedOptions ? (control.selectedOptions[0] || { text: "" }).text : control.value;
    };

    function showEnds() {
      const all = rows();
      all.forEach((row, index) => {
        const [up, down] = row.querySelectorAll(".lr-move button");
        up.disabled = index === 0;
        down.disabled = index === all.length - 1;
      });
    }

    function move(row, step, pressed) {
      const all = rows(), to = all[all.indexOf(row) + step];
      if (!to) return;
      if (step < 0) to.before(row);
      else to.after(row);
      rows().forEach((each, index) => (place(each).value = index));
      showEnds();
      // Who has reached the end goes on with the other button.
      (pressed.disabled ? row.querySelector(".lr-move button:enabled") : pressed).focus();
      place(row).dispatchEvent(new Event("change", { bubbles: true }));
    }

    function button(row, sign, words, step) {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = sign;
      made.title = words;
      made.setAttribute("aria-label", `${words}: ${name(row)}`);
      made.addEventListener("click", () => move(row, step, made));
      return made;
    }

    for (const row of rows()) {
      const { up, down } = place(row).dataset, box = document.createElement("span");
      box.className = "lr-move";
      box.append(button(row, "↑", up, -1), button(row, "↓", down, 1));
      row.querySelector("[x-sort\\:handle]").after(box);
    }
    showEnds();
    table.addEventListener("pointerup", () => setTimeout(showEnds)); // dragged
  }
});
