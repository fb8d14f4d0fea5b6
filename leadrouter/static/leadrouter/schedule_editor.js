// Hours drawn with the mouse or a finger. The boxes stay what counts: what is drawn is written into them, and what is
// written into them is drawn. A line shows a day and half of the next, so that a night is drawn in one pull.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const presets = document.getElementById("lr-presets");
  const kind = document.getElementById("id_kind");
  if (!presets || !kind) return;
  const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
  const DAY = 1440, SHOWN = 2160, STEP = 30;
  const { charts, monday } = JSON.parse(document.getElementById("lr-charts").textContent);
  const words = presets.dataset;
  const start = document.getElementById("id_cycle_start");
  const lines = document.getElementById("id_cycle_days");
  const boxes = DAYS.map((day) => document.getElementById(`id_${day}`));

  // Text and hours

  function read(text) {
    // Returns [start, end) pairs in minutes; null: the text is not finished.
    const found = [];
    if (/^\s*(off|-|–)?\s*$/i.test(text)) return found;
    for (const part of text.split(/[,;]/)) {
      if (!part.trim()) continue;
      const match = /^\s*(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)\s*$/.exec(part);
      if (!match) return null;
      const from = +match[1] * 60 + +match[2], to = +match[3] * 60 + +match[4];
      if (from >= DAY || to > DAY) return null;
      found.push([from, to > from ? to : to + DAY]);
    }
    return found.sort((a, b) => a[0] - b[0]);
  }

  const clock = (minutes) => {
    const m = minutes > DAY ? minutes - DAY : minutes;
    return `${String(Math.floor(m / 60)).padStart(2, "0")}:${String(m % 60).padStart(2, "0")}`;
  };
  const write = (hours) => hours.map(([from, to]) => `${clock(from)}-${clock(to)}`).join(", ");

  function added(hours, from, to) {
    const joined = [[from, Math.min(to, from + DAY)]];
    for (const [a, b] of hours) {
      if (b < joined[0][0] || a > joined[0][1]) joined.push([a, b]);
      else joined[0] = [Math.min(a, joined[0][0]), Math.max(b, joined[0][1])];
    }
    joined[0][1] = Math.min(joined[0][1], joined[0][0] + DAY);
    return joined.sort((a, b) => a[0] - b[0]);
  }

  const without = (hours, from, to) =>
    hours.flatMap(([a, b]) => [[a, Math.min(b, from)], [Math.max(a, to), b]].filter(([x, y]) => x < y && x < DAY));

  // What is edited: a week of seven boxes, or a box with a line for each day of the cycle

  const week = {
    texts: () => boxes.map((box) => box.value),
    put(changes) {
      for (const [day, text] of changes) set(boxes[day], text);
    },
  };
  const cycle = {
    texts: () => (lines.value.trim() ? lines.value.replace(/\n$/, "").split("\n") : []),
    put(changes) {
      const texts = cycle.texts();
      for (const [day, text] of changes) texts[day] = text || "off";
      set(lines, texts.join("\n"));
    },
  };

  function set(box, text) {
    box.value = text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }

  // Lines

  function newTrack(model, day) {
    const track = document.createElement("div");
    track.className = "lr-track";
    track.dataset.day = day;
    track.model = model;
    track.setAttribute("aria-hidden", "true"); // the box beside it says the same
    return track;
  }

  function draw(track, texts) {
    const day = +track.dataset.day, before = read(texts[(day + texts.length - 1) % texts.length] || "");
    const hours = read(texts[day] || "");
    track.classList.toggle("lr-unread", hours === null);
    track.replaceChildren();
    for (const [, to] of before || []) if (to > DAY && texts.length > 1) block(track, 0, to - DAY, "lr-carried");
    for (const [from, to] of hours || []) block(track, from, Math.min(to, SHOWN), to > DAY ? "lr-block lr-night" : "lr-block", `${clock(from)}–${clock(to)}`);
  }

  function block(track, from, to, names, label = "") {
    const made = document.createElement("span");
    made.className = names;
    made.textContent = label;
    made.style.insetInlineStart = `${(from / SHOWN) * 100}%`;
    made.style.inlineSize = `${((to - from) / SHOWN) * 100}%`;
    track.append(made);
    return made;
  }

  function ruler() {
    const made = document.createElement("div");
    made.className = "lr-ruler";
    made.setAttribute("aria-hidden", "true");
    for (let hour = 0; hour < 36; hour += 6) {
      const mark = document.createElement("span");
      mark.textContent = hour < 24 ? `${hour}:00` : hour === 24 ? words.next : "";
      made.append(mark);
    }
    return made;
  }

  const weekTracks = boxes.map((box, day) => {
    const track = newTrack(week, day);
    box.after(track);
    if (day === 0) track.before(ruler());
    return track;
  });
  const grid = document.createElement("div");
  grid.className = "lr-grid";
  lines.after(grid);
  const more = document.createElement("p");
  more.className = "lr-actions";
  grid.after(more);
  const button = (label, act, into) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "lr-button";
    made.textContent = label;
    made.addEventListener("click", act);
    into.append(made);
  };
  button(words.add, () => cycle.put([[cycle.texts().length, "off"]]), more);
  button(words.remove, () => set(lines, cycle.texts().slice(0, -1).join("\n")), more);

  function drawCycle() {
    const texts = cycle.texts();
    while (grid.children.length > (texts.length ? 2 * texts.length + 1 : 0)) grid.lastChild.remove();
    if (texts.length && !grid.children.length) grid.append(ruler());
    for (let day = (grid.children.length - 1) / 2; day >= 0 && day < texts.length; day++) {
      const name = document.createElement("span");
      name.className = "lr-day";
      name.setAttribute("aria-hidden", "true");
      grid.append(name, newTrack(cycle, day));
    }
    texts.forEach((text, day) => {
      grid.children[2 * day + 1].textContent = nameOf(day);
      draw(grid.children[2 * day + 2], texts);
    });
  }

  function nameOf(day) {
    const first = new Date(`${start.value}T12:00:00Z`);
    if (Number.isNaN(first.getTime())) return `${words.day} ${day + 1}`;
    first.setUTCDate(first.getUTCDate() + day);
    const written = first.toLocaleDateString(document.documentElement.lang || "en", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
    return `${words.day} ${day + 1} · ${written}`;
  }

  function drawAll() {
    const texts = week.texts();
    weekTracks.forEach((track) => draw(track, texts));
    drawCycle();
    const weekly = kind.value === "weekly";
    boxes[0].closest("fieldset").hidden = !weekly;
    lines.closest("fieldset").hidden = weekly;
  }

  // Pulling

  let pull = null;

  const minuteAt = (track, x) => {
    const box = track.getBoundingClientRect();
    const part = getComputedStyle(track).direction === "rtl" ? box.right - x : x - box.left;
    return Math.max(0, Math.min(SHOWN, (part / box.width) * SHOWN));
  };

  document.addEventListener("pointerdown", (event) => {
    const track = event.target.closest && event.target.closest(".lr-track");
    if (!track || event.button !== 0 || track.classList.contains("lr-unread")) return;
    const at = Math.floor(minuteAt(track, event.clientX) / STEP) * STEP;
    const there = read(track.model.texts()[+track.dataset.day] || "").find(([a, b]) => a <= at && at < b);
    if (at >= DAY && !there) return; // the next day's own line is below
    pull = { track, from: at, to: at + STEP, there, moved: false, last: track };
    event.preventDefault();
    track.setPointerCapture(event.pointerId);
    show();
  });

  document.addEventListener("pointermove", (event) => {
    if (!pull) return;
    const over = document.elementFromPoint(event.clientX, event.clientY);
    const track = over && over.closest(".lr-track");
    if (track && track.model === pull.track.model) pull.last = track;
    pull.to = Math.round(minuteAt(pull.track, event.clientX) / STEP) * STEP;
    pull.moved = pull.moved || Math.abs(pull.to - pull.from) > STEP || pull.last !== pull.track;
    show();
  });

  const span = () => {
    const [from, to] = pull.to > pull.from ? [pull.from, pull.to] : [pull.to, pull.from + STEP];
    return [from, Math.max(to, from + STEP)];
  };
  const pulled = () => {
    const days = [+pull.track.dataset.day, +pull.last.dataset.day].sort((a, b) => a - b);
    return [...document.querySelectorAll(".lr-track")].filter((t) => t.model === pull.track.model && +t.dataset.day >= days[0] && +t.dataset.day <= days[1]);
  };

  function show() {
    document.querySelectorAll(".lr-pulled").forEach((mark) => mark.remove());
    const [from, to] = span();
    for (const track of pulled()) block(track, from, Math.min(to, SHOWN), pull.there ? "lr-pulled lr-taken" : "lr-pulled", `${clock(from)}–${clock(to)}`);
  }

  function changed(hours) {
    const [from, to] = span();
    if (!pull.there) return added(hours, from, pull.moved ? to : from + 60);
    if (!pull.moved) return hours.filter((pair) => pair[0] !== pull.there[0]); // one press takes the whole shift
    return without(hours, from, to);
  }

  document.addEventListener("pointerup", () => {
    if (!pull) return;
    const texts = pull.track.model.texts();
    const changes = pulled().map((track) => [+track.dataset.day, read(texts[+track.dataset.day] || "")]);
    const model = pull.track.model;
    const written = changes.filter(([, hours]) => hours).map(([day, hours]) => [day, write(changed(hours))]);
    pull = null;
    document.querySelectorAll(".lr-pulled").forEach((mark) => mark.remove());
    model.put(written);
  });
  document.addEventListener("pointercancel", () => {
    pull = null;
    drawAll();
  });

  // Presets

  const hours = () => [...week.texts(), ...cycle.texts()].filter((text) => text.trim()).join("\n");
  let begun = ""; // what a preset has written may be replaced without asking

  function begin(chart) {
    if (hours() && hours() !== begun && !window.confirm(words.replace)) return;
    set(kind, chart.weekly ? "weekly" : "cycle");
    if (chart.weekly) week.put(DAYS.map((day, number) => [number, (chart.weekly[day] || []).join(", ")]));
    else {
      set(lines, chart.cycle.map((day) => day.join(", ") || "off").join("\n"));
      if (!start.value) set(start, monday);
    }
    begun = hours();
    const title = document.getElementById("id_title"), code = document.getElementById("id_code");
    if (!title.value) set(title, chart.title);
    if (!code.value) set(code, chart.code);
  }

  const bar = presets.querySelector(".lr-actions");
  for (const chart of charts) button(chart.title, () => begin(chart), bar);
  const help = document.createElement("p");
  help.className = "lr-faint";
  help.textContent = words.help;
  presets.append(help);
  presets.hidden = false;

  kind.form.addEventListener("input", drawAll);
  kind.form.addEventListener("change", drawAll);
  drawAll();
});
