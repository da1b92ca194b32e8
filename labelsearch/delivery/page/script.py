"""The script of a page: draws the figures, follows the theme, sorts tables. Nothing is fetched."""

SCRIPT = r"""
(function () {
"use strict";
const specs = JSON.parse(document.getElementById("figures").textContent);
const root = document.documentElement;
const THEMES = {
  light: {ink: "#1d2430", muted: "#5a6473", grid: "#e4e7ec", zero: "#9aa3af", market: "#4d4d4d", paper: "#ffffff",
          blue: "#0072B2", heat0: "#f7fafc", heat1: "#005a94"},
  dark: {ink: "#e4e8ee", muted: "#9aa4b2", grid: "#2b333f", zero: "#6c7685", market: "#c9ced6", paper: "#14181f",
         blue: "#3d9fdb", heat0: "#1c222b", heat1: "#0072B2"}
};
const system = window.matchMedia("(prefers-color-scheme: dark)");
const asked = new URLSearchParams(window.location.hash.slice(1)).get("theme");
let printing = false;
let chosen = asked === "dark" || asked === "light" ? asked : null;
const variant = {};  // of each figure, by name
const drawn = new Set();

function theme() { return printing ? "light" : chosen || (system.matches ? "dark" : "light"); }

function resolve(value, colours) {
  if (typeof value === "string") { return value[0] === "@" ? colours[value.slice(1)] : value; }
  if (Array.isArray(value)) {
    const numeric = typeof value[0] === "number" && typeof value[value.length - 1] === "number";
    return numeric ? value.slice() : value.map(function (v) { return resolve(v, colours); });
  }
  if (value && typeof value === "object") {
    const out = {};
    for (const key of Object.keys(value)) { out[key] = resolve(value[key], colours); }
    return out;
  }
  return value;
}

function assign(target, path, value) {
  const steps = path.split(".");
  const last = steps.pop();
  for (const step of steps) { target = target[step] = target[step] || {}; }
  target[last] = value;
}

function built(name) {
  const colours = THEMES[theme()];
  const spec = {data: resolve(specs[name].data, colours), layout: resolve(specs[name].layout, colours)};
  const changes = specs[name].variants[variant[name] || 0] || {};
  for (const path of Object.keys(changes)) { assign(spec, path, resolve(changes[path], colours)); }
  const layout = spec.layout;
  layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
  layout.font = {family: "system-ui, DejaVu Sans, sans-serif", size: 12, color: colours.ink};
  layout.hoverlabel = {bgcolor: colours.paper, bordercolor: colours.muted, font: {color: colours.ink}};
  layout.modebar = {bgcolor: "rgba(0,0,0,0)", color: colours.zero, activecolor: colours.ink};
  layout.uirevision = "kept " + (variant[name] || 0);
  layout.autosize = true;
  for (const key of Object.keys(layout)) {
    if (/^[xy]axis\d*$/.test(key)) {
      layout[key] = Object.assign({gridcolor: colours.grid, zerolinecolor: colours.zero, linecolor: colours.zero,
                                   automargin: true}, layout[key]);
    }
  }
  return spec;
}

function visible(element) { return !element.closest("[hidden]"); }

function draw(name) {
  const element = document.getElementById(name);
  if (!visible(element)) { return; }
  const spec = built(name);
  if (printing) {  // A4 and Letter have room for 680 pixels, or for two small figures in a row
    spec.layout.autosize = false;
    spec.layout.width = element.closest(".grid") ? 330 : 680;
  }
  spec.layout.height = specs[name].height;
  drawn.add(name);
  Plotly.react(element, spec.data, spec.layout, {responsive: true, displaylogo: false,
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
    displayModeBar: element.closest(".grid") ? false : "hover"});
}

function redraw() { drawn.forEach(draw); }

function setTheme() {
  if (chosen) { root.setAttribute("data-theme", chosen); }
  const button = document.getElementById("theme");
  button.textContent = theme() === "dark" ? "Light" : "Dark";
  redraw();
}

function number(text) {
  const cleaned = text.replace(/[,\s]/g, "");
  const value = parseFloat(cleaned);
  return Number.isNaN(value) ? null : value;
}

function sortBy(table, column, numeric, ascending) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows).map(function (row) { return [row.cells[column].textContent.trim(), row]; });
  const dates = rows.some(function (entry) { return /^\d{4}-\d\d-\d\d/.test(entry[0]); });
  rows.sort(function (a, b) {
    if (numeric && !dates) {
      const x = number(a[0]), y = number(b[0]);
      if (x === null || y === null) { return (x === null) - (y === null); }  // missing last
      return ascending ? x - y : y - x;
    }
    const order = a[0].localeCompare(b[0], "en", {numeric: true});
    return ascending ? order : -order;
  });
  for (const entry of rows) { body.appendChild(entry[1]); }
}

document.querySelectorAll("table.sortable").forEach(function (table) {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach(function (head, column) {
    head.querySelector("button").addEventListener("click", function () {
      const numeric = head.classList.contains("num");
      const before = head.getAttribute("aria-sort");
      const ascending = before ? before === "descending" : !numeric;
      heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sortBy(table, column, numeric, ascending);
    });
  });
});

document.querySelectorAll(".variants").forEach(function (group) {
  const buttons = Array.from(group.querySelectorAll("button"));
  buttons.forEach(function (button) {
    button.addEventListener("click", function () {
      buttons.forEach(function (other) { other.setAttribute("aria-pressed", String(other === button)); });
      group.dataset.figures.split(" ").forEach(function (name) {
        variant[name] = Number(button.dataset.variant);
        draw(name);
      });
    });
  });
});

document.querySelectorAll(".choice").forEach(function (choice) {
  const panels = Array.from(choice.querySelectorAll(":scope > .panel"));
  choice.querySelector("select").addEventListener("change", function (event) {
    panels.forEach(function (panel, i) { panel.hidden = i !== Number(event.target.value); });
    choice.querySelectorAll(".plot").forEach(function (element) { draw(element.id); });
  });
});

document.getElementById("theme").addEventListener("click", function () {
  chosen = theme() === "dark" ? "light" : "dark";
  setTheme();
});
system.addEventListener("change", setTheme);
window.addEventListener("beforeprint", function () { printing = true; redraw(); });
window.addEventListener("afterprint", function () { printing = false; redraw(); });

setTheme();
const waiting = Object.keys(specs);
(function next() {  // one at a time, so that the page can be read meanwhile
  const name = waiting.shift();
  if (name === undefined) { root.setAttribute("data-drawn", "all"); return; }
  draw(name);
  window.setTimeout(next, 0);
})();
})();
"""
