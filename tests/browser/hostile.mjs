// Names and texts of a customer who means harm, in messages of every kind: they are read, and do
// nothing.
import { at, barriers, button, findings, loggedIn, must, mustFit, play, press, shoot, visitor } from "./stage.mjs";

const EMOJI = 4_096;
const PHONE = { width: 360, height: 740 };
const { HOSTILE, LAST } = process.env;

/** Nothing on the page is a stranger's but text, and none of it turns what stands around it. */
async function mustBeInert(page, path) {
  const wrongs = await page.evaluate(() => {
    const wrongs = [];
    if (window.ran !== undefined) {
      wrongs.push("a script ran");
    }
    for (const one of document.querySelectorAll("*")) {
      const own = one.tagName !== "SCRIPT" || new URL(one.src).pathname.startsWith("/console/assets/");
      const acts = [...one.attributes].filter(({ name }) => name.startsWith("on") || name === "style");
      const to = one.getAttribute("href") ?? one.getAttribute("src") ?? "";
      if (!own || acts.length > 0 || /^\s*(javascript|data|vbscript):/i.test(to)) {
        wrongs.push(one.outerHTML.slice(0, 200));
      }
    }
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const { data, parentElement } = texts.currentNode;
      if (data.includes("\u202e") && !parentElement.matches("textarea")) {
        let around = parentElement;
        while (around && !/isolate|plaintext/.test(getComputedStyle(around).unicodeBidi)) {
          around = around.parentElement;
        }
        // Its own end ends what it turns: nothing else may stand there with it.
        if (around?.textContent.trim() !== data.trim()) {
          wrongs.push(`turns what stands around it: ${parentElement.outerHTML.slice(0, 200)}`);
        }
      }
    }
    return wrongs;
  });
  findings.push(...wrongs.map((wrong) => `${path}: ${wrong}`));
}

play(async (browser) => {
  const context = await visitor(browser, { viewport: PHONE });
  const page = await loggedIn(context);
  const search = `?q=${encodeURIComponent(HOSTILE)}`;
  const paths = [
    "",
    "/conversations",
    `/conversations${search}`,
    "/conversations/1",
    "/inbox",
    `/inbox?state=dead&error=${encodeURIComponent(HOSTILE)}`,
    "/inbox/1",
    `/inbox/${LAST}`,
    "/outbox",
    "/outbox/1",
    "/rules",
    "/settings",
    "/trail",
    "/nothing/%3Cscript%3E",
  ];
  for (const path of paths) {
    await page.goto(at(path));
    await mustBeInert(page, path);
    await mustFit(page, path);
  }

  // They are read as they were written.
  await page.goto(at("/conversations/1"));
  must((await page.getByText(HOSTILE).count()) > 10, "the texts are not shown");
  const all = await page.evaluate(() => document.querySelector(".thread").textContent);
  must(all.includes("😀".repeat(EMOJI)), "the emoji are not all shown");
  must((await page.title()).includes("<script>"), await page.title());
  findings.push(...(await barriers(page)).map(({ id, where }) => `hostile thread: ${id} ${where}`));
  await shoot(page, "hostile-thread");

  // What an operator passes on is as tame.
  await page.getByLabel("Text", { exact: true }).fill(HOSTILE);
  await press(page, button(page, "Send"));
  await page.locator(".bubble.ours", { hasText: HOSTILE }).first().waitFor();
  await mustBeInert(page, "/conversations/1, answered");
  await page.goto(at("/rules"));
  await page.locator("#text").fill(HOSTILE);
  await press(page, button(page, "Try it"));
  await page.getByText("Rule 1 fits").waitFor();
  await mustBeInert(page, "/rules, tried");

  // Had one got through, the browser would have refused it, and we would have seen that.
  must(findings.length === 0, "see below");
  await page.evaluate(() => {
    document.querySelector("main").append("\u202eturned ", document.createElement("b"));
    document.querySelector("main b:last-child").textContent = "along";
  });
  await mustBeInert(page, "on purpose");
  must(findings.length === 1 && findings[0].includes("turns what"), "what turns its surroundings is not seen");
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
  });
  const seen = () => findings.some((finding) => finding.includes("against the policy: script-src"));
  for (let n = 0; n < 600 && !seen(); n += 1) {
    await page.waitForTimeout(100);
  }
  must(seen(), "a script against the policy is not seen");
  must(await page.evaluate(() => window.ran === undefined), "a script in the page runs");
  findings.length = 0;
});
