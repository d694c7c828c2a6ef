// Every page, looked at closely.
import { at, barriers, button, heading, inspect, loggedIn, must, play, press, reached, visitor } from "./stage.mjs";

play(async (browser) => {
  const page = await loggedIn(await visitor(browser));
  const pages = {
    overview: "",
    conversations: "/conversations",
    thread: "/conversations/1",
    inbox: "/inbox",
    event: "/inbox/1",
    outbox: "/outbox",
    message: "/outbox/1",
    settings: "/settings",
    trail: "/trail",
    sorry: "/nothing",
  };
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(at(path));
    await inspect(page, name);
  }
  await page.goto(at("/rules"));
  await page.locator("#text").fill("hello");
  await press(page, button(page, "Try it"));
  await page.getByText("Rule 1 fits").waitFor();
  await inspect(page, "rules");

  await page.goto(at(""));
  await reached("seen as it was");
  await page.getByText("Sending stands still").waitFor();
  const halted = {
    "overview-halted": "",
    "thread-halted": "/conversations/1",
    "outbox-halted": "/outbox",
    "inbox-dead": "/inbox?state=dead",
    "event-dead": `/inbox/${process.env.DEAD}`,
  };
  for (const [name, path] of Object.entries(halted)) {
    await page.goto(at(path));
    await inspect(page, name);
  }

  // A page that keeps people out would have been found.
  await page.evaluate(() => document.querySelector("main").append(new Image()));
  const found = await barriers(page);
  must(found.some(({ id }) => id === "image-alt"), "a picture without words is not found");
  await heading(page, "Event").waitFor();
});
