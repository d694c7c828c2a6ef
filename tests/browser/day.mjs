// An operator's day: reads a thread, replies and sees it arrive, takes the conversation over and gives
// it back, and replays a dead letter.
import { at, button, enter, heading, link, loggedIn, mark, must, mustBeMarked, play, press, reached, shoot, visitor } from "./stage.mjs";

play(async (browser) => {
  const page = await loggedIn(await visitor(browser));
  await press(page, link(page, "Conversations"));
  await press(page, page.locator("main a", { hasText: "Ana" }));
  await heading(page, "Ana").waitFor();
  const thread = page.locator(".thread");
  await thread.getByText("hello", { exact: true }).waitFor();

  const box = page.getByLabel("Text", { exact: true });
  await box.fill("How can I help?");
  await press(page, button(page, "Send"));
  await page.getByText("It is in the outbox").waitFor();
  const reply = thread.locator(".bubble.ours", { hasText: "How can I help?" });
  await reply.getByText("taken by Meta").waitFor();

  // From here on nothing is loaded anew, and what the operator writes stays.
  await mark(page);
  await box.fill("half a sen");
  await reached("replied");
  await reply.getByText("read", { exact: true }).waitFor();
  await reached("seen as read");
  await thread.getByText("thank you", { exact: true }).waitFor();
  await shoot(page, "thread-live");
  must((await box.inputValue()) === "half a sen", "what was written is gone");
  await mustBeMarked(page);

  // A thread opens at its newest, and stays there.
  const log = page.getByRole("log");
  const isAtEnd = () => log.evaluate((log) => log.lastElementChild.getBoundingClientRect().bottom <= log.getBoundingClientRect().bottom + 20);
  must(await isAtEnd(), "the newest is out of sight");

  // Who is logged out while writing loses nothing, and sends it when logged in again.
  const other = await page.context().newPage();
  await other.goto(at("/trail"));
  await press(other, button(other, "Log out"));
  await page.getByText("What you have written here stays").waitFor();
  must((await box.inputValue()) === "half a sen", "what was written is gone");
  await enter(other);
  await page.getByText("What you have written here stays").waitFor({ state: "hidden" });
  await mustBeMarked(page);
  await other.close();

  await press(page, button(page, "Take over from the bot"));
  await page.getByText("The conversation is yours: the bot is silent in it.").waitFor();
  await mark(page);
  await reached("taken over");
  const unheard = thread.locator(".bubble.theirs", { hasText: "for a person" });
  await unheard.getByText("passed over").waitFor();
  await mustBeMarked(page);
  await shoot(page, "thread-taken");
  await press(page, button(page, "Give back to the bot"));
  await page.getByText("The conversation is the bot's again.").waitFor();
  await page.getByText("The bot answers here.").waitFor();

  await press(page, link(page, "Inbox").first());
  await page.getByLabel("State").selectOption({ label: "dead letter" });
  await press(page, button(page, "Show"));
  const rows = page.locator("tbody tr");
  must((await rows.count()) === 1, "there is one dead letter");
  must((await rows.first().textContent()).includes("404"), "and what went wrong with it");
  await press(page, rows.first().locator("th a"));
  const state = page.locator(".facts dd").first();
  must((await state.textContent()) === "dead letter", await state.textContent());
  await reached("dead letter found");
  await press(page, button(page, "Replay to all"));
  await page.getByText("It is handed over again").waitFor();
  await state.getByText("done", { exact: true }).waitFor();

  await shoot(page, "event-replayed");
  await page.goto(at("/trail"));
  for (const deed of ["wrote in a conversation", "took a conversation over", "gave a conversation back", "replayed events"]) {
    await page.getByText(deed).waitFor();
  }
  await shoot(page, "trail");
});
