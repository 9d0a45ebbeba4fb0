import { expect, test, type Page } from "@playwright/test";
import { complaints, faults, login } from "./console_page";

async function open(page: Page): Promise<void> {
  await login(page, "admin", "correct horse");
  await page.getByRole("link", { name: "Feeder 12 relief" }).click();
  await expect(page.getByTestId("deliveries")).toBeVisible();
}

/** Painted pixels of the chart by rough hue: how much of it is neutral light, and how much is blue. */
async function painted(page: Page): Promise<{ neutral: number; blue: number }> {
  return page.getByTestId("chart").locator("canvas").evaluate((canvas: HTMLCanvasElement) => {
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    const count = { neutral: 0, blue: 0 };
    for (let i = 0; i < data.length; i += 4) {
      const [r = 0, g = 0, b = 0, alpha = 0] = data.slice(i, i + 4);
      if (alpha === 0) continue;
      if (40 < b - r) count.blue += 1;
      else if (225 < r && 225 < g) count.neutral += 1;
    }
    return count;
  });
}

test("the chart shows target, band and measured", async ({ page }) => {
  const found = complaints(page);
  await open(page);
  await expect(page.getByTestId("chart")).toHaveAttribute("aria-label", /band of 5 %.*target .*kW.*measured .*kW/);
  const { neutral, blue } = await painted(page);
  expect(neutral).toBeGreaterThan(200);
  expect(blue).toBeGreaterThan(3000);
  await page.getByTestId("chart").hover({ position: { x: 200, y: 100 } });
  await expect(page.locator("figcaption")).toContainText(/measured \d+\.\d\d kW/);
  expect(faults(found)).toEqual([]);
});

test("intervals state asked and delivered energy and the error", async ({ page }) => {
  await open(page);
  const rows = page.getByTestId("intervals").locator("tbody tr");
  await expect(rows).toHaveCount(3);
  await expect(rows.first()).toContainText("3.333 kWh");
  await expect(rows.first()).toContainText(/−\d\.\d\d %/);
  await expect(rows.nth(1)).toContainText("so far");
  await expect(rows.nth(1)).toHaveAttribute("aria-current", "step");
});

test("the delivery table filters by text and by verdict", async ({ page }) => {
  await open(page);
  const rows = page.getByTestId("deliveries").locator("[data-row]");
  const status = page.getByRole("status");
  await expect(status).toHaveText("40 of 40 DER");
  await page.getByTestId("delivery-filter").fill("STORAGE elm st 11");
  await expect(status).toHaveText("1 of 40 DER");
  await expect(rows).toHaveCount(1);
  await expect(rows.first()).toContainText("Elm St 11 storage");
  await page.getByTestId("delivery-filter").fill("");
  await page.getByTestId("delivery-verdict").selectOption("acknowledged_not_delivered");
  await expect(rows).toHaveCount(1);
  await expect(rows.first()).toContainText("Hazel St 17 storage");
  await page.getByTestId("delivery-verdict").selectOption("opted_out");
  await expect(rows.first()).toContainText("overridden");
  await expect(rows.first()).toContainText("code 4");
});

test("who may be told too late and who was is said", async ({ page }) => {
  await open(page);
  await expect(page.getByTestId("late")).toContainText("1 DER may be told too late");
  await expect(page.getByTestId("told-late")).toContainText("only after it was to begin");
  await page.getByTestId("delivery-filter").fill("told late");
  await expect(page.getByTestId("deliveries").getByText("told late").first()).toBeVisible();
});

test("an entry opens its evidence by keyboard alone", async ({ page }) => {
  await open(page);
  await page.getByTestId("delivery-filter").fill("opted out");
  const expand = page.getByRole("button", { name: /Delivery entries of/ });
  await expect(expand).toHaveCount(1);
  await expand.focus();
  await page.keyboard.press("Enter");
  await expect(expand).toHaveAttribute("aria-expanded", "true");
  await expect(page.getByText("Response 4 (user opted out)").first()).toBeVisible();
  await expect(page.getByTestId("delivery-evidence")).toContainText("Judged by response, tolerance 5 %");
  await expect(page.getByTestId("delivery-evidence")).toContainText("readings before");
  await expect(page.getByTestId("totals")).toContainText(/asked .+ delivered .+ curtailed/);
  await page.keyboard.press("Enter");
  await expect(page.getByText("Response 4 (user opted out)")).toHaveCount(0);
});

test("only the rows in view are drawn of thirty thousand", async ({ page }) => {
  await page.route("**/deliveries?*", async (route) => {
    const answer = await route.fetch();
    const body = (await answer.json()) as { items: { der: { mrid: string; name: string } }[] };
    const items = Array.from({ length: 30_000 }, (_, index) => {
      const item = body.items[index % body.items.length]!;
      return { ...item, der: { ...item.der, mrid: `m${index}`, name: `DER ${index}` }, controls: [] };
    });
    await route.fulfill({ json: { items, next: null, total: items.length } });
  });
  await open(page);
  await expect(page.getByRole("status")).toHaveText("30000 of 30000 DER");
  const rows = page.getByTestId("deliveries").locator("[data-row]");
  expect(await rows.count()).toBeLessThan(60);
  await page.getByTestId("deliveries").evaluate((viewport) => viewport.scrollTo(0, viewport.scrollHeight));
  await expect(page.getByRole("link", { name: "DER 29999" })).toBeVisible();
  expect(await rows.count()).toBeLessThan(60);
});

test("a cancellation asks first, and can be left", async ({ page }) => {
  await login(page, "admin", "correct horse");
  await page.getByRole("link", { name: "Evening charger pause" }).click();
  await page.getByRole("button", { name: "Cancel dispatch…" }).click();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(page.getByTestId("phase")).toHaveText(/scheduled/);
  await page.getByRole("button", { name: "Cancel dispatch…" }).click();
  await page.getByRole("button", { name: "Cancel the dispatch" }).click();
  await expect(page.getByTestId("phase")).toHaveText(/cancelled/);
  await expect(page.getByRole("button", { name: "Cancel dispatch…" })).toHaveCount(0);
});
