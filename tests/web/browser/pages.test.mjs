// The pages in headless Chromium. tests/web/test_web_browser.py makes the ledger, starts the server and a run, and calls
// this with what it needs to know in the environment.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test, { after, before } from "node:test";
import { chromium } from "playwright-core";

const { BASE, CHROMIUM, TOKEN, LIVE, RUN, BIG, CHAMPION, OTHER, LONG, HOSTILE } = process.env;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE = 60_000;
const DESK = { width: 1200, height: 850 };
const PHONE = { width: 390, height: 800 };
const PAGES = [
  "/", "/leaderboards", "/compare", `/compare?a=${OTHER}&b=${CHAMPION}`, `/runs/${RUN}`, `/runs/${RUN}/lineage`, `/runs/${RUN}/pareto`,
  `/runs/${RUN}/entries`, `/candidates/${CHAMPION}`, `/runs/${RUN}/entries/${HOSTILE}`, "/runs/r-nowhere",
];

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
});
after(() => browser?.close());

/** Runs `act` on a page of its own; whatever a page complains about or asks of others fails the test. */
async function on(path, act, options = {}) {
  const context = await browser.newContext({ viewport: DESK, ...options });
  context.setDefaultTimeout(PATIENCE);
  const wrong = [];
  context.on("request", (r) => new URL(r.url()).origin === BASE || wrong.push(`a request leaves: ${r.url()}`));
  const page = await context.newPage();
  page.on("pageerror", (e) => wrong.push(String(e)));
  page.on("dialog", (d) => wrong.push(`a dialog: ${d.message()}`));
  page.on("console", (m) => m.type() === "error" && !/status of (404|403)/.test(m.text()) && wrong.push(m.text()));
  try {
    await page.goto(BASE + path, { waitUntil: "load" });
    const given = await act(page, context);
    assert.deepEqual(wrong, []);
    return given;
  } catch (error) {
    const shown = await page.locator("main").innerText({ timeout: 1000 }).catch((e) => String(e));
    error.message += `\nthe page complains: ${JSON.stringify(wrong)}\nand shows: ${shown.slice(0, 1500)}`;
    throw error;
  } finally {
    await context.close();
  }
}

const painted = (page) => page.waitForFunction(() => document.getElementById("lineage")?.dataset.painted);
const text = (page, name) => page.locator(`[data-text="${name}"]`).first().textContent();

test("a live run moves by itself", async () => {
  await on(`/runs/${LIVE}`, async (page) => {
    await page.waitForSelector("#curve svg");
    const seen = () => page.evaluate(() => ({
      samples: document.querySelector("#bars dd").textContent,
      dots: document.querySelector("#curve path.dots")?.getAttribute("d") ?? "",
    }));
    const first = await seen();
    await page.waitForFunction((old) => document.querySelector("#bars dd").textContent !== old.samples
      && (document.querySelector("#curve path.dots")?.getAttribute("d") ?? "") !== old.dots, first, { timeout: PATIENCE });
    const [before_, after_] = [first, await seen()].map((s) => parseInt(s.samples, 10));
    assert.ok(after_ > before_, `${before_} → ${after_}`);
  });
});

for (const [picture, page_, readout] of [
  ["curve", "", "curve-readout"], ["pareto", "/pareto", "pareto-readout"], ["lineage", "/lineage", "chosen"],
]) {
  test(`a ${picture} that cannot be had at first is there a little later, and not asked for again if it is no more`, async () => {
    const context = await browser.newContext({ viewport: DESK });
    context.setDefaultTimeout(PATIENCE);
    try {
      const page = await context.newPage();
      let asked = 0;
      let status = 503;
      await page.route(`**/api/runs/*/${picture}`, (route) => {
        asked += 1;
        return status < 500 && asked > 1 ? route.continue() : route.fulfill({ status, json: { error: `${status} it is` } });
      });
      const says = (text) => page.waitForFunction(([id, t]) => document.getElementById(id).textContent === t, [readout, text]);
      await page.goto(`${BASE}/runs/${RUN}${page_}`);
      await says("503 it is");
      status = 200;
      await page.waitForSelector(`#${picture} svg`);
      await says(picture === "lineage" ? "Nothing is chosen." : "");
      assert.ok(asked > 1, `asked ${asked} times`);
      [asked, status] = [0, 404];
      await page.goto(`${BASE}/runs/${RUN}${page_}`);
      await says("404 it is");
      await page.waitForTimeout(2500);
      assert.equal(asked, 1);
    } finally {
      await context.close();
    }
  });
}

test("a browser that goes away in the middle harms nobody", async () => {
  for (let n = 0; n < 3; n += 1) await on(`/runs/${LIVE}`, (page) => page.waitForSelector("#curve svg"));
  assert.equal((await fetch(`${BASE}/api/runs`)).status, 200);
});

test("hostile text stays text", async () => {
  await on(`/runs/${RUN}/entries/${HOSTILE}`, async (page) => {
    const found = await page.evaluate(() => ({
      ran: window.owned ?? null,
      scripts: [...document.scripts].map((s) => new URL(s.src).pathname).filter((p) => !p.startsWith("/static/")),
      images: document.querySelectorAll("main img, main iframe").length,
      text: document.querySelector("main").textContent,
      controls: [...document.querySelectorAll(".control")].map((c) => c.textContent),
    }));
    assert.equal(found.ran, null);
    assert.deepEqual(found.scripts, []);
    assert.equal(found.images, 0);
    assert.ok(found.text.includes("<script>window.owned=1</script>"));
    assert.ok(found.controls.some((c) => c.startsWith("\\u202e")), String(found.controls));
    assert.ok(!/[\u202a-\u202e\u2066-\u2069\u200b]/.test(found.text));
  });
  await on(`/runs/${RUN}/lineage?entry=${HOSTILE}`, async (page) => {
    await painted(page);
    await page.focus("#lineage svg");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.evaluate(() => window.owned ?? null), null);
  });
});

test("inline script is refused by the policy", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${BASE}/`);
  const ran = await page.evaluate(() => {
    const made = document.createElement("script");
    made.textContent = "window.owned = 1";
    document.body.append(made);
    return window.owned ?? null;
  });
  assert.equal(ran, null);
  await context.close();
});

test("200 kB of code are shown, with few elements", async () => {
  await on(`/candidates/${LONG}`, async (page) => {
    const found = await page.evaluate(() => ({
      elements: document.querySelectorAll("*").length,
      shown: document.querySelector(".code .text").textContent.length,
    }));
    assert.ok(found.shown >= 200_000, String(found.shown));
    assert.ok(found.elements < 3000, String(found.elements));
  });
});

test("the keyboard walks the lineage", async () => {
  await on(`/runs/${RUN}/lineage`, async (page) => {
    await painted(page);
    const chosen = () => page.evaluate(() => document.getElementById("lineage").dataset.chosen);
    const lit = (kind) => page.locator(`.edges.${kind}`).getAttribute("d");
    const press = async (key) => {
      await page.keyboard.press(key);
      return chosen();
    };
    await page.focus("#lineage svg");
    assert.equal(await press("Home"), "own10");
    assert.ok((await lit("is-up")).length > 0 && (await lit("is-down")) === "");
    assert.equal(await press("ArrowLeft"), "tuned0");
    assert.ok((await lit("is-down")).length > 0);
    assert.equal(await press("ArrowLeft"), "own0");
    assert.equal(await press("ArrowRight"), "tuned0");
    assert.equal(await press("ArrowRight"), "own10");
    const sibling = await press("ArrowDown");
    assert.notEqual(sibling, "own10");
    assert.equal(await press("ArrowUp"), "own10");
    const zoom = () => page.locator("#lineage svg > g").first().getAttribute("transform");
    const whole = await zoom();
    await page.keyboard.press("+");
    await page.waitForFunction((old) => document.querySelector("#lineage svg > g").getAttribute("transform") !== old, whole);
    await page.keyboard.press("0");
    await page.waitForFunction((old) => document.querySelector("#lineage svg > g").getAttribute("transform") === old, whole);
    assert.match(await page.locator("#chosen").textContent(), /own10 by improve/);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/runs/${RUN}/entries/own10`);
  });
});

test("the keyboard walks the charts, and the first stop skips to the content", async () => {
  await on(`/runs/${RUN}`, async (page) => {
    await page.waitForSelector("#curve svg");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.focus("#curve svg");
    await page.keyboard.press("ArrowRight");
    assert.match(await page.locator("#curve-readout").textContent(), /at sample 0/);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/candidates/*");
  });
});

test("what is hidden by the legend is gone, and comes back", async () => {
  await on(`/runs/${RUN}/lineage`, async (page) => {
    await painted(page);
    assert.equal(await page.locator("#lineage .nodes.is-lost").count(), 1);
    await page.uncheck('#legend input[name="lost"]');
    assert.equal(await page.locator("#lineage .nodes.is-lost").count(), 0);
    await page.check('#legend input[name="lost"]');
    assert.equal(await page.locator("#lineage .nodes.is-lost").count(), 1);
  });
});

test("ten thousand entries are a few elements, painted and walked at once", async (t) => {
  const answer = await fetch(`${BASE}/api/runs/${BIG}/lineage`);
  const bytes = (await answer.arrayBuffer()).byteLength;
  assert.ok(bytes < 2_000_000, String(bytes));
  await on(`/runs/${BIG}/lineage`, async (page) => {
    await painted(page);
    const found = await page.evaluate(() => ({
      entries: Number(document.getElementById("lineage").dataset.painted),
      elements: document.querySelectorAll("*").length,
      ms: Math.round(performance.now()),
    }));
    assert.ok(found.entries >= 10_000, String(found.entries));
    assert.ok(found.elements < 400, String(found.elements));
    await page.focus("#lineage svg");
    const walked = await page.evaluate(async () => {
      const root = document.querySelector("#lineage svg");
      const begun = performance.now();
      for (const key of ["Home", "ArrowLeft", "ArrowRight", "+", "-"]) root.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
      await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));
      return Math.round(performance.now() - begun);
    });
    assert.ok(await page.evaluate(() => document.getElementById("lineage").dataset.chosen));
    t.diagnostic(`${found.entries} entries, ${found.elements} elements, ${bytes} bytes, painted after ${found.ms} ms, five keys ${walked} ms`);
  });
});

test("the export waits for the token, and hides it", async () => {
  const shown = (page) => page.locator("#export").isVisible();
  assert.equal(await on(`/candidates/${CHAMPION}`, shown), false);
  await on(`/#token=${TOKEN}`, async (page) => {
    assert.equal(new URL(page.url()).hash, "");
    await page.goto(`${BASE}/candidates/${CHAMPION}`);
    await page.waitForSelector("#export:not([hidden])");
  });
  await on(`/candidates/${CHAMPION}#token=wrong`, async (page) => {
    await page.click("#export button");
    await page.waitForFunction(() => /needs the token/.test(document.getElementById("exported").textContent));
  });
});

for (const [name, options] of Object.entries({
  light: { colorScheme: "light" }, dark: { colorScheme: "dark" },
})) {
  test(`everyone can use the pages (${name})`, async () => {
    for (const path of PAGES) {
      await on(path, async (page) => {
        if (await page.locator("#lineage").count()) await painted(page);
        else if (await page.locator(".chart").count()) await page.waitForSelector(".chart svg");
        await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
        await page.evaluate(AXE);
        const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
        const serious = found.violations.filter((v) => ["serious", "critical"].includes(v.impact));
        const told = serious.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 160)} ${n.failureSummary}`));
        assert.deepEqual(told, [], path);
      }, options);
    }
  });
}

test("nothing is wider than a phone", async () => {
  for (const path of PAGES) {
    await on(path, async (page) => {
      await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${path} is ${wide} px too wide`);
    }, { viewport: PHONE });
  }
});
