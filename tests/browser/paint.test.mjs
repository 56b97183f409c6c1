// When the first text is seen. These run before the others and alone: a busy machine paints late.

import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { drawn, fits, launch, open, picture, runs, strained } from "./browser.mjs";

const REPORT = pathToFileURL(path.join(runs, "study/report.html")).href;

/** A page on the disk asks for itself alone. */
const itself = (page) => (url) => url.split("#")[0] === page || url.startsWith("data:") || url.startsWith("blob:");

/** Milliseconds until the first text or picture is seen. */
const painted = (page) => page.evaluate(() => new Promise((resolve) => {
  const first = (list) => list.find((entry) => entry.name === "first-contentful-paint");
  new PerformanceObserver((list) => first(list.getEntries()) && resolve(first(list.getEntries()).startTime)).observe({ type: "paint", buffered: true });
}));

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

test("the page of the study is painted within a second", async () => {
  const { page, close } = await open(browser, REPORT, { allowed: itself(REPORT) });
  const paint = await painted(page);
  assert.ok(paint < 1000, `first paint after ${Math.round(paint)} ms`);
  await close();
});

// Pages of the report's own tests: script in every text, an answer of ten megabytes, ten thousand examples.
for (const name of ["hostile", "long", "large"]) {
  test(`the ${name} page is inert, and painted within three seconds`, async () => {
    const url = pathToFileURL(path.join(strained, name, "report.html")).href;
    const { page, faults, close } = await open(browser, url, { allowed: itself(url) });
    const paint = await painted(page);
    assert.ok(paint < 3000, `first paint after ${Math.round(paint)} ms`);
    await drawn(page);
    await fits(page);
    await picture(page, `strained-${name}`);
    const made = await page.$$eval("main script, main iframe, main object, main [onerror], main [onload]", (all) => all.length);
    assert.equal(made, 0, "elements that could run");
    assert.deepEqual(faults, []);
    await close();
  });
}
