// The page of a trigger: fields show where they apply, and each member's coefficient shows the share it means.
"use strict";
(() => {
  const field = (name) => document.getElementById(`id_${name}`);
  const value = (name) => (field(name) ? field(name).value : "");

  // What must be chosen for a field to mean anything.
  const APPLIES = {
    acceptance_clock: () => value("acceptance_minutes"),
    max_attempts: () => value("acceptance_minutes"),
    final_step: () => value("acceptance_minutes"),
    on_pause: () => value("acceptance_minutes"),
    responsible_available: () => value("responsible_check"),
    responsible_count: () => value("responsible_check"),
    duty: () => value("if_nobody") === "duty" || (value("acceptance_minutes") && value("final_step") === "duty"),
  };

  function showWhatApplies() {
    for (const [name, applies] of Object.entries(APPLIES)) {
      const control = field(name);
      const row = control && control.closest(`.field-${name}, .form-row`);
      // What is wrong must be seen, wherever it is.
      if (row) row.hidden = !applies() && !row.querySelector(".errorlist, .errors");
    }
  }

  function showShares() {
    const rows = [...document.querySelectorAll("input[name^='members-'][name$='-coefficient']")]
      .filter((input) => !input.name.includes("__prefix__"))
      .map((input) => {
        const gone = document.getElementsByName(input.name.replace("-coefficient", "-DELETE"))[0];
        const row = input.closest("tr");
        const cell = row && row.querySelector(".field-share");
        return { cell, weight: gone && gone.checked ? 0 : Math.max(0, Number(input.value) || 0) };
      });
    const whole = rows.reduce((sum, row) => sum + row.weight, 0);
    for (const { cell, weight } of rows) {
      if (!cell) continue;
      const text = whole ? `${Math.round((1000 * weight) / whole) / 10} %` : "–";
      const place = cell.querySelector(".lr-share") || cell.appendChild(document.createElement("span"));
      place.className = "lr-share";
      if (place.textContent !== text) {
        cell.replaceChildren(place);
        place.textContent = text;
      }
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("trigger_form");
    if (!form) return;
    const update = () => {
      showWhatApplies();
      showShares();
    };
    form.addEventListener("input", update);
    form.addEventListener("change", update);
    form.addEventListener("click", () => setTimeout(update));
    document.addEventListener("formset:added", update);
    document.addEventListener("formset:removed", update);
    if (window.django && window.django.jQuery) window.django.jQuery(form).on("change", update); // select2 speaks to it alone
    update();
  });
})();
