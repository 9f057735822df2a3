"use strict";
// Adds sorting, filtering and folding to tables and lists. Without this script each shows all of its rows.

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function keyOf(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.sort;
  return text === undefined ? cell.textContent.trim() : text;
}

const unknown = (text) => text === "" || text === "–";
const numberOf = (text) => Number(text.replaceAll(",", "").replace("−", "-"));

function compare(one, other, numeric, descending) {
  if (unknown(one) || unknown(other)) return Number(unknown(one)) - Number(unknown(other)); // unknown values are last in both directions
  const order = numeric ? numberOf(one) - numberOf(other) : collator.compare(one, other);
  return descending ? -order : order;
}

function sort(table, heading) {
  const descending = heading.getAttribute("aria-sort") === "ascending";
  const column = heading.cellIndex;
  for (const each of table.tHead.rows[0].cells) {
    if (each.hasAttribute("aria-sort")) each.setAttribute("aria-sort", "none");
  }
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = Array.from(table.tBodies[0].rows, (row) => [keyOf(row, column), row]);
  rows.sort((one, other) => compare(one[0], other[0], heading.classList.contains("n"), descending));
  table.tBodies[0].append(...rows.map((pair) => pair[1]));
}

function makeSortable(table) {
  for (const heading of table.tHead.rows[0].cells) {
    if (heading.dataset.unsorted !== undefined) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(table, heading));
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
  }
}

function makeFilterable(table, number) {
  const rows = Array.from(table.tBodies[0].rows);
  const label = document.createElement("label");
  const field = document.createElement("input");
  const count = document.createElement("output");
  label.className = "filter";
  field.type = "search";
  field.id = `filter-${number}`;
  label.htmlFor = field.id;
  count.htmlFor = field.id;
  const name = document.createElement("span");
  name.className = "vh";
  name.textContent = ` ${table.dataset.name}`;
  label.append("Filter", name, field); // the name of the field stays the same whatever it counts
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    const left = rows.filter((row) => !row.hidden).length;
    table.classList.toggle("filtered", words.length > 0);
    const elsewhere = Number(table.dataset.left || 0);
    const more = elsewhere ? `; ${elsewhere.toLocaleString("en")} more are not on this page` : "";
    count.textContent = words.length ? `${left} of ${rows.length} rows${more}` : "";
  });
  table.closest(".scroll").previousElementSibling.append(label, count);
}

function makeFoldable(element, count, shown, after, noun) {
  const button = document.createElement("button");
  const show = (all) => {
    element.classList.toggle("folded", !all);
    button.setAttribute("aria-expanded", String(all));
    button.textContent = all ? `Show the first ${shown} ${noun}` : `Show all ${count} ${noun}`;
  };
  button.type = "button";
  button.className = "unfold";
  button.addEventListener("click", () => show(element.classList.contains("folded")));
  after.after(button);
  show(false);
}

document.querySelectorAll("table.sortable").forEach((table, number) => {
  const rows = table.tBodies[0].rows.length;
  makeSortable(table);
  if (rows > 5) makeFilterable(table, number);
  if (rows > 20) makeFoldable(table, rows, 15, table.closest(".scroll"), "rows");
});
document.querySelectorAll("ol.foldable").forEach((list) => {
  const items = list.children.length;
  if (items > 16) makeFoldable(list, items, 12, list, list.dataset.name);
});
