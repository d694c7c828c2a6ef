// The browser for a story: what is watched in it all the time, how a page is looked at closely, and
// words with the test that plays the story.
//
// A story ends badly with its first step that fails, or with what was found on the way.
import axe from "axe-core";
import { chromium } from "playwright-core";
import { createInterface } from "node:readline";

const { CHROMIUM, CONSOLE, PASSWORD, SHOTS } = process.env;

/** Longer than any step takes on a loaded machine; only a failure waits so long. */
const PATIENCE_MS = 60_000;
const STORY_MAX_MS = 400_000;

const DESK = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740 };
const LOOKS = [
  ["light", "desk", DESK],
  ["dark", "desk", DESK],
  ["dark", "phone", PHONE],
  ["light", "phone", PHONE],
];

/** What was seen that must not be. */
export const findings = [];

/** The address of a page by its path below the console's root. */
export const at = (path) => CONSOLE + path;

export function must(holds, what) {
  if (!holds) {
    throw new Error(what);
  }
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Tells the test that the story has come so far, and waits until it has done its part. */
export async function reached(step) {
  process.stdout.write(`${step}\n`);
  const { value } = await lines.next();
  must(value === "go on", `the test has ended at: ${step}`);
}

/** Runs a story in a browser of its own; the process ends with how it went. */
export async function play(story) {
  const late = setTimeout(() => {
    console.error("the story does not end");
    process.exit(1);
  }, STORY_MAX_MS);
  // Tests may run as root and in containers: no sandbox of its own, and little shared memory.
  const args = ["--disable-dev-shm-usage", "--disable-gpu"];
  let browser;
  try {
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      chromiumSandbox: false,
      timeout: PATIENCE_MS,
      args,
    });
    await story(browser);
  } catch (error) {
    console.error(error.stack);
    await Promise.allSettled(pagesOf(browser).map(failed));
    process.exitCode = 1;
  }
  await browser?.close();
  for (const finding of findings) {
    console.error(`found: ${finding}`);
    process.exitCode = 1;
  }
  clearTimeout(late);
  process.stdin.destroy();
}

const pagesOf = (browser) => (browser?.contexts() ?? []).flatMap((context) => context.pages());

/** Keeps what a page showed when a story failed. */
async function failed(page, index) {
  console.error(`page ${index} was ${page.url()}`);
  await page.screenshot({ path: `${SHOTS}/failed-${index}.png`, fullPage: true, timeout: 10_000 });
}

/** A window of its own, with its own cookies, watched all the time. */
export async function visitor(browser, options = {}) {
  const context = await browser.newContext({
    viewport: DESK,
    locale: "en-GB",
    timezoneId: "UTC",
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      console.error(`against the policy: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  context.on("console", (message) => {
    // What could not be loaded is seen below, with what it was.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      findings.push(`${message.page()?.url()} says: ${message.text()}`);
    }
  });
  context.on("weberror", (error) => findings.push(`${error.page()?.url()} throws: ${error.error()}`));
  context.on("dialog", (dialog) => {
    findings.push(`${dialog.page()?.url()} opens a dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  context.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(CONSOLE).origin) {
      findings.push(`another site is asked: ${request.url()}`);
    }
  });
  context.on("response", (response) => {
    const kind = response.request().resourceType();
    if (response.status() >= 400 && kind !== "document" && kind !== "fetch") {
      findings.push(`${response.status()} for the ${kind} ${response.url()}`);
    }
  });
  return context;
}

/** Presses what leads to another page, and waits for that page. */
export async function press(page, button) {
  const loaded = page.waitForEvent("domcontentloaded");
  await button.click();
  await loaded;
}

export const button = (page, name) => page.getByRole("button", { name, exact: true });
export const link = (page, name) => page.getByRole("link", { name, exact: true });
export const heading = (page, name) => page.getByRole("heading", { name, level: 1 });

/** The page that wants the password, filled in and sent. */
export async function enter(page, password = PASSWORD) {
  await page.getByLabel("Password").fill(password);
  await press(page, button(page, "Log in"));
}

/** A page of a visitor who has just logged in. */
export async function loggedIn(context) {
  const page = await context.newPage();
  await page.goto(at("/login"));
  await enter(page);
  await heading(page, "Overview").waitFor();
  return page;
}

/** Marks the page, to know later whether it is still the same document. */
export const mark = (page) => page.evaluate(() => { window.marked = true; });
export async function mustBeMarked(page) {
  must(await page.evaluate(() => window.marked === true), "the page was loaded anew");
}

export const shoot = (page, name) => page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });

/** What axe finds on a page that keeps people from using it. */
export async function barriers(page) {
  if (!(await page.evaluate(() => "axe" in window))) {
    await page.evaluate(axe.source);
  }
  const violations = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"], preload: false });
    return violations.map(({ id, impact, nodes }) => ({ id, impact, where: nodes.map((n) => n.html).slice(0, 3) }));
  });
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical");
}

/** Looks at a page closely: in light and dark, wide and on a phone, everything opened. */
export async function inspect(page, name) {
  await page.evaluate(() => {
    for (const one of document.querySelectorAll("details")) {
      one.open = true;
    }
  });
  for (const [colorScheme, place, size] of LOOKS) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const look = `${name}-${place}-${colorScheme}`;
    for (const { id, impact, where } of await barriers(page)) {
      findings.push(`${look}: ${impact} ${id}: ${where.join(" ")}`);
    }
    await mustFit(page, look);
    await shoot(page, look);
  }
  await page.setViewportSize(DESK);
}

/** Nobody has to scroll to the side to read. */
export async function mustFit(page, look) {
  const [has, wants] = await page.evaluate(() => {
    const { clientWidth, scrollWidth } = document.documentElement;
    return [clientWidth, scrollWidth];
  });
  if (wants > has) {
    findings.push(`${look}: ${wants} wide on ${has}`);
  }
}
