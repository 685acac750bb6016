"use strict";

/* Tables: the headings become buttons. Rows of class "part" stay with the row above them. */
const missing = new Set(["", "-"]);
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], groups = [];
  for (const row of body.rows) {
    if (row.classList.contains("part") && groups.length) groups.at(-1).push(row);
    else groups.push([row]);
  }
  if (groups.length < 2) continue;
  const heads = [...table.tHead.rows].at(-1).cells;
  [...heads].forEach((head, place) => {
    if (!head.textContent.trim()) return;
    const key = group => {
      const cell = group[0].cells[place];
      const text = (cell?.dataset.value ?? cell?.innerText ?? "").trim();
      return missing.has(text) ? null : text;
    };
    const number = text => parseFloat(text.replace("\u2212", "-").replace(/^[^\d.+-]+/, "").replaceAll(",", ""));
    const keys = groups.map(key).filter(text => text !== null);
    const isNumeric = place > 0 && keys.some(text => /^[+\u2212-]?[\d.]/.test(text));
    const compare = (a, b) => {
      const x = key(a), y = key(b);
      if (x === null || y === null) return (x === null) - (y === null) || 0;
      const difference = isNumeric ? number(x) - number(y) : x.localeCompare(y, "en", {numeric: true});
      return head.ariaSort === "descending" ? -difference : difference;
    };
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const orders = isNumeric ? ["descending", "ascending"] : ["ascending", "descending"];
    button.addEventListener("click", () => {
      const next = orders[orders.indexOf(head.ariaSort) + 1];
      for (const other of heads) other.ariaSort = null;
      head.ariaSort = next ?? null;
      body.append(...(next ? groups.toSorted(compare) : groups).flat());
    });
  });
}

/* Commands: a button that copies. */
document.querySelectorAll(".command").forEach((command, place) => {
  const code = command.querySelector("code");
  code.id = `command-${place}`;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-live", "polite");
  button.setAttribute("aria-describedby", code.id);
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(code);
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
    }
  });
  command.append(button);
});

/* Plots: Tab leads to a plot, arrow keys to its points; a tip shows the values of the point. */
const tip = document.createElement("div");
tip.className = "tip";
tip.ariaHidden = "true";
tip.hidden = true;
document.body.append(tip);
const steps = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity};
for (const plot of document.querySelectorAll(".plot")) {
  const points = [...plot.querySelectorAll(".point")];
  points.forEach((point, place) => { point.tabIndex = place ? -1 : 0; });
  plot.addEventListener("keydown", event => {
    const at = points.indexOf(event.target);
    if (event.key === "Escape") tip.hidden = true;
    if (at < 0 || !(event.key in steps)) return;
    event.preventDefault();
    const next = points[Math.min(Math.max(at + steps[event.key], 0), points.length - 1)];
    points[at].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  plot.addEventListener("focusin", event => {
    const point = event.target.closest(".point");
    tip.textContent = point.querySelector("title")?.textContent ?? point.title;
    tip.hidden = false;
    const at = point.getBoundingClientRect(), width = document.documentElement.clientWidth;
    const left = at.left + at.width / 2 - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(8, Math.min(left, width - tip.offsetWidth - 8)) + scrollX}px`;
    tip.style.top = `${at.top - tip.offsetHeight - 12 + scrollY}px`;
  });
  plot.addEventListener("focusout", () => { tip.hidden = true; });
}
