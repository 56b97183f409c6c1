// The study's report, opened from the disk as a reader would.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { LOOKS, drawn, fits, inaccessible, launch, open, picture, runs, unfold } from "./browser.mjs";

const REPORT = pathToFileURL(path.join(runs, "study/report.html")).href;

/** A page on the disk asks for itself alone. */
const itself = (page) => (url) => url.split("#")[0] === page || url.startsWith("data:") || url.startsWith("blob:");

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

for (const look of LOOKS) {
  test(`the report at ${look.name}: whole, quiet, accessible, within the window`, async () => {
    const { page, faults, close } = await open(browser, REPORT, { allowed: itself(REPORT), look });
    await drawn(page);
    await fits(page);
    await picture(page, `report-${look.name}`);
    await picture(page, `report-${look.name}-whole`, true);
    // The folded page holds nothing that the unfolded one has not, but for the folds themselves: one look at these is enough.
    if (look === LOOKS[0]) assert.deepEqual(await inaccessible(page), []);
    await unfold(page);
    await drawn(page);
    await fits(page);
    if (look.axe) assert.deepEqual(await inaccessible(page), [], "with all that is folded");
    assert.deepEqual(faults, []);
    await close();
  });
}

test("every chart draws as many marks as its data has, every table has the rows it says", async () => {
  const { page, close } = await open(browser, REPORT, { allowed: itself(REPORT) });
  await drawn(page);
  const charts = await page.$$eval(".chart", (all) => all.map((c) => ({ id: c.id, said: c.dataset.rows, drawn: c.dataset.marks, svg: !!c.querySelector("svg") })));
  assert.ok(charts.length >= 5, `${charts.length} charts`);
  for (const chart of charts) {
    assert.equal(chart.drawn, chart.said, chart.id);
    assert.ok(chart.svg, chart.id);
  }
  const tables = await page.$$eval("figure.table", (all) => all.map((t) => ({ name: t.dataset.table, said: Number(t.dataset.rows), rows: t.querySelectorAll(t.classList.contains("typed") ? "tbody tr[id]" : "tbody tr").length })));
  assert.ok(tables.length >= 5, `${tables.length} tables`);
  for (const table of tables) assert.equal(table.rows, table.said, table.name);
  // The profile draws every row of its table that has a change and is of whole blocks in full view.
  const points = await page.$$eval("[data-chart=corruption] svg .mark-symbol path", (all) => all.length);
  const marks = await page.evaluate(() => {
    const { values, packed } = JSON.parse(document.getElementById("prism-data").textContent).charts["chart-corruption-1"].data;
    return values ?? packed.rows.map((row) => ({ ...packed.same, ...Object.fromEntries(packed.names.map((name, i) => [name, row[i]])) }));
  });
  assert.ok(marks.every((mark) => mark.cell.startsWith("corruption.delta[")), "every mark names its cell");
  const rows = await page.$eval("[data-table=corruption]", (table) => {
    const heads = [...table.querySelectorAll("thead tr:last-child th")];
    const at = heads.findIndex((head) => head.textContent.startsWith("change "));
    const before = heads.slice(0, at).reduce((columns, head) => columns + head.colSpan, 0);
    return [...table.querySelectorAll("tbody tr[id]")].filter((row) => !/[@/]/.test(row.dataset.intervention) && /\d/.test(row.cells[before]?.textContent ?? "")).length;
  });
  assert.ok(rows > 0);
  assert.equal(points, rows, "points of the corruption profile against rows of its table");
  await close();
});

test("a click on a point of the profile leaves the examples it flipped", async () => {
  const { page, faults, close } = await open(browser, REPORT, { allowed: itself(REPORT) });
  await drawn(page);
  const point = page.locator("[data-chart=corruption] svg .mark-symbol path").first();
  await point.scrollIntoViewIfNeeded();
  await point.click({ force: true });
  await page.waitForFunction(() => location.hash.includes("intervention="));
  const of = (key) => page.evaluate((k) => new URLSearchParams(location.hash.slice(1)).get(k), key);
  const [variant, intervention] = [await of("variant"), await of("intervention")];
  const cards = await page.$$eval(".card", (all) => all.map((c) => ({ hidden: c.hidden, flips: JSON.parse(c.dataset.flips) })));
  for (const card of cards) {
    const flips = card.flips.some(([v, i]) => v === variant && i === intervention);
    assert.equal(!card.hidden, flips, JSON.stringify(card.flips));
  }
  // The choice travels with the address, and is taken back.
  const again = await open(browser, page.url(), { allowed: itself(REPORT) });
  await again.page.waitForFunction(() => document.body.classList.contains("filtered"));
  await again.close();
  await page.locator("#filter-reset").click();
  assert.equal(await page.$$eval(".card", (all) => all.filter((c) => c.hidden).length), 0);
  assert.deepEqual(faults, []);
  await close();
});

test("a table saved from the page is the file the command line writes, a figure is its specification", async () => {
  const { page, faults, close } = await open(browser, REPORT, { allowed: itself(REPORT) });
  await drawn(page);
  await unfold(page);
  const save = async (menu, label) => {
    await menu.locator("summary").click();
    const [download] = await Promise.all([page.waitForEvent("download"), menu.getByText(label, { exact: true }).click()]);
    await menu.locator("summary").click();
    return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
  };
  const tables = page.locator("figure.table");
  let whole = 0;
  for (let i = 0; i < await tables.count(); i += 1) {
    const table = tables.nth(i);
    // A page has room for so many bytes of files: a table without its file is written by the command line alone.
    if (await table.locator(".cut").count() || !(await table.locator("> details.figure-menu").count())) continue;
    whole += 1;
    const { name, text } = await save(table.locator("> details.figure-menu"), "CSV");
    assert.equal(text, readFileSync(path.join(runs, "tables", name), "utf8"), name);
  }
  assert.ok(whole >= 5, `${whole} tables that are not cut`);
  const chart = page.locator(".panel:has(#chart-corruption-1)");
  const { text } = await save(chart.locator("> details.figure-menu"), "Vega-Lite");
  assert.ok(JSON.parse(text).data.values.length > 0);
  for (const [label, start] of [["Save as SVG", "<svg"], ["Save as PNG", "\uFFFDPNG"]]) {
    const drawing = await save(chart.locator("> details.figure-menu"), label);
    assert.ok(drawing.text.startsWith(start), `${label}: ${drawing.text.slice(0, 20)}`);
  }
  assert.deepEqual(faults, []);
  await close();
});

test("the keyboard reaches every control, the skip link first", async () => {
  const { page, close } = await open(browser, REPORT, { allowed: itself(REPORT) });
  await drawn(page);
  await page.keyboard.press("Tab");
  assert.match(await page.evaluate(() => document.activeElement.textContent), /skip/i);
  const controls = await page.$$eval("main button, main select, main summary, main a[href], main [tabindex='0']", (all) => {
    const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.disabled;
    return all.filter(seen).map((e, i) => { e.dataset.control = String(i); return i; });
  });
  const reached = new Set();
  for (let i = 0; i < controls.length + 40 && reached.size < controls.length; i += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => document.activeElement?.dataset?.control);
    if (at !== undefined) reached.add(Number(at));
  }
  assert.deepEqual(controls.filter((c) => !reached.has(c)), []);
  await close();
});

test("the address of a row brings it into sight, unfolding what hides it, and narrows nothing", async () => {
  const { page, faults, close } = await open(browser, REPORT, { allowed: itself(REPORT) });
  const id = await page.$$eval("figure.table details tbody tr[id]", (all) => all.at(-1)?.id ?? document.querySelector("figure.table tbody tr[id]").id);
  await page.evaluate((row) => { location.hash = row; }, id);
  await page.waitForFunction((row) => document.getElementById(row).checkVisibility(), id);
  assert.ok(!(await page.evaluate(() => document.body.classList.contains("filtered"))));
  assert.deepEqual(faults, []);
  await close();
});

test("without scripts the tables stand", async () => {
  const { page, close } = await open(browser, REPORT, { allowed: itself(REPORT), javaScriptEnabled: false });
  const rows = await page.locator("[data-table=table1] tbody tr, [data-table=table-1] tbody tr").count();
  assert.ok(rows > 0, "Table 1 has no rows");
  assert.ok(await page.locator(".verdict").first().isVisible());
  await picture(page, "report-without-scripts");
  await close();
});

test("a long path, with no place to break it, stays within a narrow window", async () => {
  const long = path.join(path.sep, "afolderofacheckout".repeat(6));
  const source = readFileSync(path.join(runs, "study/report.html"), "utf8");
  assert.ok(source.includes(runs), "the page does not say where the study lies");
  const folder = mkdtempSync(path.join(tmpdir(), "prism-long-"));
  const file = path.join(folder, "report.html");
  writeFileSync(file, source.replaceAll(runs, long));
  const url = pathToFileURL(file).href;
  const { page, close } = await open(browser, url, { allowed: itself(url), look: LOOKS[2] });
  await drawn(page);
  await unfold(page);
  assert.ok((await page.evaluate(() => document.body.innerText)).includes(long), "the path is not shown");
  await fits(page);
  await close();
  rmSync(folder, { recursive: true });
});
