// The explorer over a study's folder, as a reader walks through it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { after, before, test } from "node:test";

import { LOOKS, fits, inaccessible, launch, open, picture, prism, runs, unfold } from "./browser.mjs";

let browser, server, address, entry;

/** The explorer asks its own address alone. */
const itself = (url) => url.startsWith(address) || url.startsWith("data:");

/** Opens an address of the explorer as someone who opened the one it printed. */
const visit = (url, options = {}) => open(browser, url, { allowed: itself, entry, ...options });

before(async () => {
  browser = await launch();
  server = spawn(prism, ["view", path.join(runs, "study"), "--port", "0"], { stdio: ["ignore", "pipe", "pipe"] });
  // With the token.
  entry = await new Promise((resolve, reject) => {
    let said = "";
    const listen = (chunk) => {
      said += chunk;
      const found = said.match(/http:\/\/127\.0\.0\.1:\d+\/\?token=[0-9a-f]{32}/);
      if (found) resolve(found[0]);
    };
    server.stdout.on("data", listen);
    server.stderr.on("data", listen);
    server.on("exit", (code) => reject(new Error(`prism view ended with ${code}: ${said}`)));
  });
  address = new URL("/", entry).href;
});

after(async () => {
  await browser?.close();
  const ended = new Promise((resolve) => server.on("exit", resolve));
  server.kill("SIGINT");
  await ended;
});

/** Addresses of every kind of page there is, found by following links from the first. */
async function pages() {
  const { page, close } = await visit(address);
  const links = async (pattern) => (await page.$$eval("a[href]", (all) => all.map((a) => a.href))).find((h) => pattern.test(new URL(h).pathname));
  const found = { home: address };
  found.run = await links(/^\/runs\/[^/]+$/);
  assert.ok(found.run, "no run is listed");
  await page.goto(found.run);
  found.examples = await links(/^\/runs\/[^/]+\/examples$/);
  assert.ok(found.examples, "the run does not lead to its examples");
  await page.goto(found.examples);
  found.example = await links(/^\/runs\/[^/]+\/examples\/[^/]+$/);
  assert.ok(found.example, "no example is listed");
  const ids = await page.goto(address).then(() => page.$$eval("input[name=run]", (all) => all.map((one) => one.value)));
  if (ids.length > 1) found.compare = new URL(`/compare?run=${ids[0]}&run=${ids[1]}`, address).href;
  await close();
  return found;
}

test("every kind of page, in every look: quiet, accessible, within the window", async () => {
  for (const [name, url] of Object.entries(await pages())) {
    for (const look of LOOKS) {
      const { page, faults, close } = await visit(url, { look });
      await page.waitForLoadState("load");
      await fits(page);
      await picture(page, `view-${name}-${look.name}`);
      if (look.axe) assert.deepEqual(await inaccessible(page), [], `${name} at ${look.name}`);
      await unfold(page);
      await fits(page);
      if (look.axe) assert.deepEqual(await inaccessible(page), [], `${name} at ${look.name}, with all that is folded`);
      assert.deepEqual(faults, [], `${name} at ${look.name}`);
      await close();
    }
  }
});

test("the keyboard goes from example to example", async () => {
  const { example } = await pages();
  const { page, faults, close } = await visit(example);
  const before = page.url();
  await page.keyboard.press("j");
  await page.waitForURL((url) => url.href !== before);
  await page.keyboard.press("k");
  await page.waitForURL((url) => url.pathname === new URL(before).pathname);
  assert.deepEqual(faults, []);
  await close();
});

test("the runs are searched while words are typed, and what is ticked stays ticked", async () => {
  const { page, faults, close } = await visit(address);
  const visible = () => page.$$eval("table.runs tbody tr", (all) => all.filter((row) => !row.hidden).length);
  const all = await visible();
  await page.check("table.runs tbody tr:first-child input[name=run]");
  await page.fill("#words", "no run has these words");
  assert.equal(await visible(), 0);
  assert.ok(await page.isVisible("[data-none]"));
  await page.fill("#words", "");
  assert.equal(await visible(), all);
  assert.equal(await page.$$eval("input[name=run]:checked", (ticked) => ticked.length), 1);
  assert.deepEqual(faults, []);
  await close();
});

test("a count of a run leads to the examples it counts", async () => {
  const { run } = await pages();
  const { page, faults, close } = await visit(run);
  const link = await page.$("#interventions td a.behind");
  assert.ok(link, "no count is a link");
  const count = Number(await link.textContent());
  await link.click();
  await page.waitForSelector(".count");
  assert.equal(Number((await page.textContent(".count")).trim().split(" ")[0]), count);
  assert.deepEqual(faults, []);
  await close();
});

test("an example has the clean text beside another branch's, with the first difference marked in both", async () => {
  const { example } = await pages();
  const { page, faults, close } = await visit(example);
  const others = await page.$$eval(".choices a", (all) => all.map((a) => a.href));
  for (const other of others) {
    await page.goto(other);
    assert.equal(await page.$$eval(".branch", (all) => all.length), 2, other);
    const marks = await page.$$eval(".branch", (all) => all.map((branch) => branch.querySelectorAll("mark[data-first]").length));
    const texts = await page.$$eval(".branch .generated", (all) => all.map((text) => text.textContent));
    assert.ok(marks.every((n) => n === marks[0] && n <= 1) || texts.length < 2, `${other}: ${marks}`);
  }
  assert.deepEqual(faults, []);
  await close();
});

test("the report is served as it lies on the disk", async () => {
  const headers = { Authorization: `Bearer ${new URL(entry).searchParams.get("token")}` };
  const response = await fetch(address, { headers });
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-security-policy"), /default-src 'none'/);
  const home = await visit(address);
  const report = await home.page.$$eval("a[href$='/report']", (all) => all.map((a) => a.href)).then((all) => all[0]);
  await home.close();
  assert.ok(report, "no link to the report");
  const { page, faults, close } = await visit(report, { allowed: (url) => itself(url) || url.startsWith("blob:") });
  await page.waitForSelector(".chart svg");
  assert.deepEqual(faults, []);
  await close();
});

test("the address that was printed leads in, and leaves no token in the window; no other does", async () => {
  const { page, faults, close } = await open(browser, entry, { allowed: itself });
  assert.equal(page.url(), address);
  assert.deepEqual(await page.context().cookies().then((all) => all.map((c) => [c.httpOnly, c.sameSite])), [[true, "Strict"]]);
  assert.equal(await page.evaluate(() => document.cookie), "");
  assert.deepEqual(faults, []);
  await close();
  const strange = await browser.newContext();
  const refused = await (await strange.newPage()).goto(address);
  assert.equal(refused.status(), 403);
  await strange.close();
});
