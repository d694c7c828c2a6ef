// In and out: wrong passwords, too many of them, the right one, and that out is out.
import { at, button, enter, findings, heading, inspect, must, play, press, visitor } from "./stage.mjs";

const TRIES_MAX = 30;

play(async (browser) => {
  const context = await visitor(browser);
  const page = await context.newPage();
  await page.goto(at("/trail"));
  const password = page.getByLabel("Password");
  must(await password.evaluate((field) => field === document.activeElement), "the field is not ready");
  await inspect(page, "login");

  await enter(page, "guessed guessed");
  const notice = page.locator("#notice");
  must((await notice.textContent()) === "That is not the password.", await notice.textContent());
  await inspect(page, "login-wrong");
  must((await context.cookies()).every(({ name }) => !name.includes("session")), "in with a wrong one");

  // However slow this is: the wait grows with each mistake.
  for (let n = 0; !(await notice.textContent()).startsWith("Too many tries"); n += 1) {
    must(n < TRIES_MAX, "guesses are not held back");
    await enter(page, "guessed guessed");
  }
  await inspect(page, "login-throttled");
  for (let n = 0; await password.isVisible(); n += 1) {
    must(n < TRIES_MAX, "the right one is held back for ever");
    await page.waitForTimeout(1_000);
    await enter(page);
  }
  await heading(page, "Trail").waitFor();
  await page.getByText("logged in").first().waitFor();

  // The next page that the keyboard comes to is the content.
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  must(await page.evaluate(() => document.activeElement.id === "main"), "the skip link skips nothing");

  const stolen = await context.cookies();
  must(stolen.every(({ httpOnly, sameSite }) => httpOnly && sameSite === "Strict"), "a cookie is loose");
  const other = await context.newPage();
  await other.goto(at(""));
  await heading(other, "Overview").waitFor();

  await press(page, button(page, "Log out"));
  await page.getByText("You are logged out.").waitFor();
  await page.goBack();
  await password.waitFor();
  must((await page.getByText("logged in").count()) === 0, "the page before is shown again");
  for (const path of ["", "/conversations", "/settings"]) {
    await page.goto(at(path));
    await password.waitFor();
  }
  // Pages that stay open notice by themselves.
  await other.getByLabel("Password").waitFor();

  const thief = await visitor(browser);
  await thief.addCookies(stolen);
  const loot = await thief.newPage();
  await loot.goto(at("/conversations"));
  await loot.getByLabel("Password").waitFor();
  must(findings.length === 0, "see below");
});
