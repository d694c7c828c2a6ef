// Without JavaScript everything can be read, and done as well.
import { at, button, enter, heading, link, must, play, press, shoot, visitor } from "./stage.mjs";

const RELOADS_MAX = 120;

play(async (browser) => {
  const context = await visitor(browser, { javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(at("/conversations"));
  await enter(page);
  await heading(page, "Conversations").waitFor();
  await press(page, page.locator("main a", { hasText: "Ana" }));
  const thread = page.locator(".thread");
  await thread.getByText("hello", { exact: true }).waitFor();
  await page.getByLabel("Text", { exact: true }).fill("How can I help?");
  await press(page, button(page, "Send"));
  await page.getByText("It is in the outbox").waitFor();
  const reply = thread.locator(".bubble.ours", { hasText: "How can I help?" });
  for (let n = 0; (await reply.getByText("read", { exact: true }).count()) === 0; n += 1) {
    must(n < RELOADS_MAX, "the reply is never read");
    await page.waitForTimeout(500);
    await page.reload();
  }
  await shoot(page, "plain-thread");
  for (const name of ["Overview", "Inbox", "Outbox", "Settings", "Rules", "Trail"]) {
    await press(page, page.locator("header nav").getByRole("link", { name, exact: true }));
    await heading(page, name).waitFor();
  }
  await press(page, link(page, "Inbox"));
  await press(page, page.locator("tbody th a").first());
  await page.getByText("Meta's envelope").waitFor();
  await press(page, button(page, "Log out"));
  await page.getByText("You are logged out.").waitFor();
});
