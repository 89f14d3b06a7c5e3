// The tables of the open page with the address of their data: [{ json, list, isDaily, rows: [{ text, numbers }] }].
// The numbers of a row are those that its cells declare, and numerators and denominators of rates.
const found = [];
let waiting = [];
const sectionOf = (element) => element.closest("section");
for (const part of document.querySelectorAll("main table, main p.exports")) {
  if (part.tagName === "TABLE") {
    waiting.push(part);
    continue;
  }
  const [json, csv] = [...part.querySelectorAll("a")].map((link) => new URL(link.href));
  for (const table of waiting) {
    const rows = [...table.tBodies[0].rows].map((row) => {
      const declared = [...row.querySelectorAll("data")].map((data) => Number(data.value));
      const rates = [...row.cells].map((cell) => cell.textContent.match(/([\d,]+) of ([\d,]+)/)?.slice(1) ?? []).flat();
      return { text: row.textContent.trim(), numbers: declared.concat(rates.map((part) => Number(part.replaceAll(",", "")))) };
    });
    const isChart = table.closest("figure.chart") !== null;
    const isDaily = rows.every((row) => !row.text.includes(" to "));
    // A chart shows sums, and a table without links of its own may show several lists.
    const list = isChart || sectionOf(table) !== sectionOf(part) ? null : csv.searchParams.get("list");
    found.push({ json: json.pathname + json.search, list, isDaily, rows });
  }
  waiting = [];
}
const lead = [...document.querySelectorAll("main .lead, main .outcomes li")];
const words = lead.flatMap((part) => [...part.textContent.matchAll(/[\d,]*\d(\.\d+)?/g)].map((match) => match[0].replaceAll(",", "")));
const json = document.querySelector("main p.exports a")?.getAttribute("href");
return { tables: found, unassigned: waiting.length, lead: words, json };
