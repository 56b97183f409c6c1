// The first screen of a study: what a stranger sees without scrolling, at both sizes and in both schemes.

import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { LOOKS, fits, launch, open, picture, runs, strained } from "./browser.mjs";

/** Pages of the report's own tests: words of every kind. */
const made = (folder, names) => names.map((name) => [name, path.join(strained, "..", folder, name, "report.html")]);

// The study that the browser's tests run, four with different words, and others that are read with care.
const PAGES = [["study", path.join(runs, "study/report.html")]].concat(
  made("four", ["load-bearing", "bypassed", "undecided", "outside"]),
  made("report", ["bearing", "form", "first", "silent"]),
);

const itself = (page) => (url) => url.split("#")[0] === page || url.startsWith("data:") || url.startsWith("blob:");

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

/** Words with a letter that lie in the window, labels of pictures included. */
function visibleWords() {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let count = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!parent || parent.closest("script, style, noscript") || !parent.checkVisibility({ visibilityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0) continue;
    count += node.data.split(/\s+/).filter((word) => /\p{L}/u.test(word)).length;
  }
  return count;
}

for (const [name, file] of PAGES) {
  const url = pathToFileURL(file).href;
  for (const look of LOOKS) {
    test(`the first screen of ${name} at ${look.name}: nothing of it below the fold`, async () => {
      const { page, faults, close } = await open(browser, url, { allowed: itself(url), look });
      const wide = look.viewport.width > 640;
      await fits(page);
      const parts = [".first .verdict", ".first .limits", wide ? ".forest.wide" : ".forest.narrow"].concat(wide ? [".over-k"] : []);
      const found = await page.evaluate((all) => all.map((part) => {
        const node = document.querySelector(part);
        const box = node?.getBoundingClientRect();
        return { part, drawn: !!box && box.width > 0 && box.height > 0, bottom: box?.bottom ?? 0, right: box?.right ?? 0, window: [innerWidth, innerHeight] };
      }), parts);
      for (const { part, drawn, bottom, right, window: [width, height] } of found) {
        // Nothing may limit the answer, and then no line says so.
        if (part === ".first .limits" && !drawn) continue;
        assert.ok(drawn, `${part} is not drawn`);
        assert.ok(bottom <= height && right <= width, `${part} ends at ${Math.round(right)}, ${Math.round(bottom)} of ${width}, ${height}`);
      }
      // The labels of the pictures are as large as they say: no picture is scaled down.
      const smallest = await page.evaluate(() => Math.min(...[...document.querySelectorAll(".first-picture svg")].filter((svg) => svg.checkVisibility()).map((svg) => (
        svg.getBoundingClientRect().width / svg.viewBox.baseVal.width))));
      assert.ok(smallest > 0.95, `a picture is drawn at ${smallest} of its size`);
      if (wide) {
        const words = await page.evaluate(visibleWords);
        assert.ok(words <= 90, `${words} words`);
      }
      await picture(page, `first-${name}-${look.name}`);
      assert.deepEqual(faults, []);
      await close();
    });
  }
}

test("the first screen stands without scripts, and the pictures name their cells", async () => {
  const url = pathToFileURL(PAGES[0][1]).href;
  const { page, close } = await open(browser, url, { allowed: itself(url), look: LOOKS[0], javaScriptEnabled: false });
  assert.ok(await page.locator(".forest.wide").isVisible());
  assert.ok(await page.locator(".over-k").isVisible());
  const cells = await page.$$eval(".forest.wide g.mark", (all) => all.map((mark) => mark.dataset.cell));
  assert.ok(cells.length > 0 && cells.every((cell) => /^corruption\.delta\[.+\]$/.test(cell)), cells.join(" "));
  for (const cell of cells) {
    const id = `corruption:${cell.slice("corruption.delta[".length, -1)}`;
    assert.equal(await page.locator(`[id="${id}"]`).count(), 1, id);
  }
  await close();
});

test("a word of the caption leads to what it means, a number to its row", async () => {
  const url = pathToFileURL(PAGES[0][1]).href;
  const { page, faults, close } = await open(browser, url, { allowed: itself(url), look: LOOKS[0] });
  for (const link of await page.$$eval(".first figcaption a", (all) => all.map((a) => a.getAttribute("href")))) {
    await page.locator(`.first figcaption a[href="${link}"]`).first().click();
    const top = await page.evaluate((id) => document.getElementById(id)?.getBoundingClientRect().top ?? NaN, link.slice(1));
    assert.ok(top >= 0 && top < 800, `${link} is at ${top}`);
    await page.evaluate(() => scrollTo(0, 0));
  }
  assert.deepEqual(faults, []);
  await close();
});
