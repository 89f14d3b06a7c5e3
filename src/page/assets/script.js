// Comfort for the page: theme, refresh, sortable tables and keys. Everything that reads works without it.
"use strict";

// The theme is set before the page is drawn.
const root = document.documentElement;
const stored = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const store = (name, value) => { try { localStorage.setItem(name, value); } catch { /* not remembered */ } };
if (["light", "dark"].includes(stored("theme"))) root.dataset.theme = stored("theme");

const button = (text, title, onClick) => {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = text;
  element.title = title;
  element.addEventListener("click", () => onClick(element));
  return element;
};

function themeSwitch() {
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => isDark() ? "Light" : "Dark";
  return button(name(), "Switch between the light and the dark theme", (self) => {
    root.dataset.theme = isDark() ? "light" : "dark";
    store("theme", root.dataset.theme);
    self.textContent = name();
  });
}

// Refresh: off at first, paused while the page is hidden.
const SECONDS = 60;
let etag = null, timer = null;

async function refresh() {
  if (document.hidden || document.activeElement?.closest("main form")) return;
  const headers = { Accept: "text/html" };
  if (etag) headers["If-None-Match"] = etag;
  let response;
  try { response = await fetch(location.href, { headers, cache: "no-store" }); } catch { return; }
  if (response.status !== 200) return;
  etag = response.headers.get("ETag");
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const open = [...document.querySelectorAll("main details")].map((details) => details.open);
  for (const part of ["main", "footer"]) {
    const [now, then] = [page.querySelector(part), document.querySelector(part)];
    if (now && then) then.replaceWith(document.adoptNode(now));
  }
  const details = document.querySelectorAll("main details");
  if (details.length === open.length) details.forEach((element, index) => { element.open = open[index]; });
  sortable();
}

function refreshSwitch() {
  const set = (isOn) => {
    clearInterval(timer);
    timer = isOn ? setInterval(refresh, SECONDS * 1000) : null;
    store("refresh", isOn ? "on" : "off");
  };
  if (stored("refresh") === "on") set(true);
  const self = button("Refresh", `Refresh this page every ${SECONDS} seconds`, () => {
    set(!timer);
    if (timer) refresh();
    self.setAttribute("aria-pressed", String(Boolean(timer)));
  });
  self.setAttribute("aria-pressed", String(Boolean(timer)));
  document.addEventListener("visibilitychange", () => { if (timer && !document.hidden) refresh(); });
  return self;
}

// A click on a head sorts the rows of its table.
function value(row, column) {
  const cell = row.cells[column];
  const number = cell?.querySelector("data")?.value;
  return number === undefined ? cell?.textContent.trim() ?? "" : Number(number);
}

function sort(head, table) {
  const column = head.cellIndex;
  const rows = [...table.tBodies[0].rows];
  const isNumber = rows.some((row) => typeof value(row, column) === "number");
  const falling = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : isNumber;
  const compare = (a, b) => typeof a === "number" && typeof b === "number"
    ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  rows.sort((a, b) => compare(value(a, column), value(b, column)) * (falling ? -1 : 1));
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  table.tBodies[0].append(...rows);
}

function sortable() {
  for (const table of document.querySelectorAll("main table")) {
    if ((table.tBodies[0]?.rows.length ?? 0) < 2) continue;
    for (const head of table.tHead?.rows[0]?.cells ?? []) {
      const text = head.textContent.trim();
      if (!text || head.querySelector("button")) continue;
      const sorter = button(text, "Sort by this column", () => sort(head, table));
      sorter.className = "sort";
      head.replaceChildren(sorter);
    }
  }
}

// `/` goes to the search, the arrows to the next shorter or longer period. Keys with modifiers belong to the browser.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey && event.key !== "/") return;
  if (event.target.closest("input, select, textarea, .scroll, summary")) return;
  if (event.key === "/") {
    event.preventDefault();
    document.getElementById("search")?.focus();
  } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    const periods = [...document.querySelectorAll(".periods a")];
    const now = periods.findIndex((link) => link.hasAttribute("aria-current"));
    const next = now < 0 ? null : periods[now + (event.key === "ArrowRight" ? 1 : -1)];
    if (next) location.assign(next.href);
  }
});

// Fields that do not restrict stay out of the address. They work again when the reader comes back.
document.addEventListener("submit", (event) => {
  if (!event.target.matches(".filter form, .search")) return;
  const fields = [...event.target.elements].filter((field) =>
    field.name && (field.value === "" || field.tagName === "SELECT" && field.selectedIndex === 0));
  for (const field of fields) field.disabled = true;
  addEventListener("pageshow", () => { for (const field of fields) field.disabled = false; }, { once: true });
});

document.addEventListener("DOMContentLoaded", () => {
  document.querySelector(".switches")?.append(refreshSwitch(), themeSwitch());
  sortable();
});
