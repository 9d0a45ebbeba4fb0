import { expect, test } from "@playwright/test";
import { complaints, faults, login } from "./console_page";

test.beforeEach(async ({ request }) => {
  await request.post("/mock/stream?up=true");
});

test("nothing is shown before the login, and a wrong password is said to be wrong", async ({ page }) => {
  const found = complaints(page);
  await page.goto("/#/ders");
  await expect(page.getByText("one-time password")).toBeVisible();
  await expect(page.getByTestId("ders")).toHaveCount(0);
  await page.getByLabel("Password").fill("guess");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toHaveText("The user or the password is wrong.");
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByTestId("ders")).toBeVisible();
  expect(faults(found)).toEqual([]);
});

test("home shows groups with units, ages and quality, and what is lost", async ({ page }) => {
  const found = complaints(page);
  await login(page, "admin", "correct horse");
  const north = page.getByTestId("groups").getByRole("row", { name: /Feeder 12 North/ });
  await expect(north).toContainText(/\d+\.\d\d kW/);
  await expect(north).toContainText(/\+\d+\.\d\d\skW/);
  await expect(north).toContainText(/−\d+\.\d\d\skW/);
  await expect(north).toContainText("estimated");
  await expect(north).toContainText("38 of 40");
  await expect(north).toContainText("2 silent");
  await expect(page.getByTestId("lost").getByRole("row")).toHaveCount(3);
  await expect(page.getByTestId("lost")).toContainText("stale");
  await expect(page.getByText("Evening charger pause")).toBeVisible();
  await expect(page.getByTestId("link")).toHaveText(/live/);
  expect(faults(found)).toEqual([]);
});

test("the stream moves the figures without a reload", async ({ page }) => {
  await login(page, "admin", "correct horse");
  const figure = page.locator("article .figure b").first();
  await expect(figure).toHaveText(/\d/);
  const before = await figure.textContent();
  await expect(figure).not.toHaveText(before ?? "", { timeout: 8000 });
});

test("a lost stream freezes the page, blocks actions and heals", async ({ page, request }) => {
  await login(page, "admin", "correct horse");
  await page.getByRole("link", { name: "Feeder 12 relief" }).click();
  const cancel = page.getByRole("button", { name: /Cancel dispatch/ });
  await expect(cancel).toBeEnabled();
  await request.post("/mock/stream?up=false");
  const banner = page.getByTestId("lost-banner");
  await expect(banner).toContainText("frozen");
  await page.waitForTimeout(2500);
  await expect(cancel).toBeDisabled();
  const measured = page.locator(".figure b").first();
  const frozen = await measured.textContent();
  const asked: string[] = [];
  page.on("request", (asking) => asked.push(new URL(asking.url()).pathname));
  await page.waitForTimeout(4500);
  expect(await measured.textContent()).toBe(frozen);
  expect(asked.filter((path) => path !== "/api/v1/stream" && path !== "/api/v1/session")).toEqual([]);
  await request.post("/mock/stream?up=true");
  await expect(banner).toHaveCount(0);
  await expect(cancel).toBeEnabled();
});

test("the DER list filters on the server and leads to a DER", async ({ page }) => {
  await login(page, "admin", "correct horse");
  await page.getByRole("link", { name: "DER", exact: true }).click();
  await expect(page.getByText("60 DER")).toBeVisible();
  await page.getByLabel("State").selectOption("silent");
  await expect(page.getByText("2 DER", { exact: true })).toBeVisible();
  await page.getByTestId("ders").getByRole("link").first().click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("ev charger");
  await expect(page.getByText("nothing heard for 60 s").first()).toBeHidden();
  await page.locator("summary").first().click();
  await expect(page.getByText("nothing heard for 60 s").first()).toBeVisible();
  await expect(page.getByText("kVA", { exact: true })).toHaveCount(2);
});

test("a dispatch is written, refused in the planner's words, then accepted", async ({ page }) => {
  const found = complaints(page);
  await login(page, "admin", "correct horse");
  await page.getByRole("link", { name: "Storage, all feeders" }).click();
  await page.getByLabel("Name (optional)").fill("Too much");
  await page.getByLabel("Power of interval 1 in kilowatts").fill("300");
  await page.getByRole("button", { name: "Review…" }).click();
  await page.getByRole("button", { name: "Send dispatch" }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).toHaveText(
    "Interval 1 asks for 300000 W, but group Storage, all feeders can reach 250000 W: 50000 W short.",
  );
  await page.getByRole("button", { name: "Back" }).click();
  await page.getByLabel("Power of interval 1 in kilowatts").fill("12.5");
  await page.getByRole("button", { name: "Add interval" }).click();
  await page.getByLabel("Power of interval 2 in kilowatts").fill("-4");
  await page.getByRole("button", { name: "Review…" }).click();
  await expect(page.getByRole("dialog")).toContainText("12.50 kW");
  await expect(page.getByRole("dialog")).toContainText("−4.00 kW");
  await page.getByRole("button", { name: "Send dispatch" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Too much");
  await expect(page.getByTestId("phase")).toHaveText(/scheduled/);
  expect(faults(found).filter((text) => !text.includes("422"))).toEqual([]);
});

test("an unknown address says so", async ({ page }) => {
  await login(page, "admin", "correct horse");
  await page.goto("/#/dispatches/no-such-one");
  await expect(page.getByRole("alert")).toHaveText("There is no dispatch no-such-one.");
});

test("readings that stay away are called stale", async ({ page }) => {
  await page.clock.install();
  await login(page, "admin", "correct horse");
  await expect(page.getByTestId("stale")).toHaveCount(0);
  await page.route("**/api/v1/stream", (route) => route.abort());
  await page.route("**/api/v1/summary", async (route) => {
    const answer = await route.fetch();
    const text = await answer.text();
    const old = new Date(Date.now() - 3_600_000).toISOString();
    const summary = JSON.parse(text) as { groups: { status: { p_w: { at: string } } }[] };
    for (const group of summary.groups) group.status.p_w.at = old;
    await route.fulfill({ json: summary });
  });
  await page.reload();
  await page.clock.runFor(3000);
  await expect(page.getByTestId("stale")).toContainText("No group has been metered for 1 h 00 min");
});
