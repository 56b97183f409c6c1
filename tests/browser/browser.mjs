// One Chromium for the tests of a file, and pages that remember what went wrong in them.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Folder of the runs that are looked at, made by `cargo xtask browser`. */
export const runs = path.resolve(process.env.PRISM_BROWSER_RUNS ?? "../../target/browser");
/** Folder of the pages that the report's own tests leave behind. */
export const strained = path.resolve(process.env.PRISM_STRAINED_PAGES ?? "../../target/tmp/rich");
/** The binary under test. */
export const prism = path.resolve(process.env.PRISM_BINARY ?? "../../target/release/prism");

/** What a reader may have before them. axe-core, which takes its time, looks at each width and each colour once. */
export const LOOKS = [
  { name: "1280-light", viewport: { width: 1280, height: 800 }, colorScheme: "light", axe: true },
  { name: "1280-dark", viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  { name: "390-light", viewport: { width: 390, height: 844 }, colorScheme: "light" },
  { name: "390-dark", viewport: { width: 390, height: 844 }, colorScheme: "dark", axe: true },
];

/** Starts Chromium: `PRISM_CHROMIUM`, else Debian's. */
export async function launch() {
  const executablePath = process.env.PRISM_CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync);
  assert.ok(executablePath, "no Chromium: install it (apt-get install chromium), or name it in PRISM_CHROMIUM");
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"];
  return chromium.launch({ executablePath, args });
}

/**
 * Opens `url` in a context of its own, after `entry`, which may leave a cookie. `allowed` says which requests
 * may be made; every other one, a message of the console at level error, and an exception of a script are kept
 * in `faults`.
 */
export async function open(browser, url, { allowed, entry, look = LOOKS[0], javaScriptEnabled = true } = {}) {
  const { viewport, colorScheme } = look;
  const context = await browser.newContext({ viewport, colorScheme, javaScriptEnabled, reducedMotion: "reduce" });
  // A machine that does other work beside takes its time.
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  const faults = [];
  page.on("request", (request) => allowed(request.url()) || faults.push(`request of ${request.url().slice(0, 120)}`));
  page.on("console", (message) => message.type() === "error" && faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`exception: ${error.message}`));
  page.on("dialog", (dialog) => { faults.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  if (entry) await page.goto(entry);
  await page.goto(url);
  return { page, faults, close: () => context.close() };
}

/** Waits until every chart that has marks is drawn. */
export async function drawn(page) {
  const settled = () => [...document.querySelectorAll(".chart")].every((c) => c.parentNode.hidden || c.dataset.drawn === "true");
  await page.waitForFunction(settled, null, { timeout: 120_000 });
}

/** What axe-core finds, of any severity, one line each. */
export async function inaccessible(page) {
  // Run as a page's own script would not be: the policy of the page admits none.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map((v) => `${v.id} (${v.impact}): ${v.help}; ${v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(" | ")}`);
}

/** Writes a picture of the whole page where a person can look: `screenshots/NAME.png` beside the runs. */
export async function picture(page, name, fullPage = false) {
  const folder = path.join(runs, "screenshots");
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage });
}

/** The page is no wider than the window, and nothing on it is scrolled sideways but the explorer's view of a whole file, all of its columns in a row. */
export async function fits(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `the page is ${content} px wide in a window of ${window}`);
  assert.deepEqual(await page.evaluate(sideways), [], "wider than the room they have");
}

/** What is wider than its own box: it would be scrolled, or cut off. What is hidden from sight by design is small. */
function sideways() {
  const named = (node) => `${node.tagName.toLowerCase()}${[...node.classList].map((name) => `.${name}`).join("")}`;
  const over = (node) => node.clientWidth > 1 && node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX !== "visible";
  const found = [...document.querySelectorAll("body *")].filter((node) => node.checkVisibility({ visibilityProperty: true }) && over(node));
  return found.map((node) => `${named(node.parentElement)} > ${named(node)}: ${node.scrollWidth} of ${node.clientWidth}`);
}

/** Opens all that is folded, but for menus, as someone who wants to see everything. */
export async function unfold(page) {
  await page.evaluate(() => {
    for (const fold of document.querySelectorAll("details:not(.figure-menu)")) fold.open = true;
  });
}
