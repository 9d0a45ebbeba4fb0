import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test, type Page } from "@playwright/test";
import { chooseTheme, complaints, faults, login, overflowPx, poorContrast } from "./console_page";

/** Against a running server, given by WATTFOLD_URL, WATTFOLD_USER and WATTFOLD_PASSWORD. It sends no command. */
const USER = process.env.WATTFOLD_USER ?? "admin";
const PASSWORD = process.env.WATTFOLD_PASSWORD ?? "";
const SCREENSHOTS = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));
const SIZES = [
  { name: "desk", width: 1280, height: 800 },
  { name: "wall", width: 1920, height: 1080 },
  { name: "phone", width: 390, height: 844 },
];

test.beforeAll(() => {
  if (process.env.WATTFOLD_URL === undefined) throw new Error("WATTFOLD_URL names no server");
  mkdirSync(SCREENSHOTS, { recursive: true });
});

async function openNewestDispatch(page: Page): Promise<void> {
  await page.goto("/#/dispatches");
  await page.getByTestId("dispatches").locator("tbody tr").first().getByRole("link").first().click();
  await expect(page.getByTestId("deliveries").locator("[data-row]").first()).toBeVisible();
}

const VISITS: Record<string, (page: Page) => Promise<void>> = {
  home: async (page) => {
    await page.goto("/#/");
    await expect(page.getByTestId("groups").locator("tbody tr").first()).toContainText("kW");
  },
  dispatches: async (page) => {
    await page.goto("/#/dispatches");
    await expect(page.getByTestId("dispatches")).toBeVisible();
  },
  dispatch: openNewestDispatch,
  group: async (page) => {
    await page.goto("/#/");
    await page.getByTestId("groups").locator("tbody").getByRole("link").first().click();
    await expect(page.getByTestId("ders").locator("[data-row]").first()).toBeVisible();
  },
  ders: async (page) => {
    await page.goto("/#/ders");
    await expect(page.getByTestId("ders").locator("[data-row]").first()).toBeVisible();
  },
  der: async (page) => {
    await page.goto("/#/ders");
    await page.getByTestId("ders").getByRole("link").first().click();
    await expect(page.getByRole("heading", { name: "Capability" })).toBeVisible();
  },
};

test("nothing but the login is shown without a session", async ({ page, request }) => {
  for (const path of ["summary", "ders", "groups", "dispatches", "stream"]) {
    expect((await request.get(`/api/v1/${path}`)).status(), path).toBe(401);
  }
  await page.goto("/");
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
});

test("home moves with the stream", async ({ page }) => {
  const found = complaints(page);
  await login(page, USER, PASSWORD);
  await expect(page.getByTestId("link")).toHaveText(/live/);
  const groups = page.getByTestId("groups").locator("tbody");
  await expect(groups).toContainText(/\d+\.\d\d kW/);
  const as_of = page.locator(".as-of time");
  const before = (await as_of.getAttribute("datetime")) ?? "";
  await expect(as_of).not.toHaveAttribute("datetime", before, { timeout: 30_000 });
  expect(faults(found)).toEqual([]);
});

test("the newest dispatch shows its band, intervals and deliveries", async ({ page }) => {
  const found = complaints(page);
  await login(page, USER, PASSWORD);
  await openNewestDispatch(page);
  await expect(page.getByTestId("chart").locator("canvas")).toBeVisible();
  await expect(page.getByTestId("intervals").locator("tbody tr").first()).toContainText("kW");
  const rows = page.getByTestId("deliveries").locator("[data-row]");
  const name = (await rows.first().getByRole("link").textContent()) ?? "";
  await page.getByTestId("delivery-filter").fill(name);
  await expect(rows.first()).toContainText(name);
  await page.getByTestId("delivery-filter").fill("no DER has such a name");
  await expect(rows).toHaveCount(0);
  await page.getByTestId("delivery-filter").fill("");
  await page.getByRole("button", { name: /Delivery entries of/ }).first().click();
  await expect(page.getByRole("paragraph").filter({ hasText: /^Delivery .* standing/ })).toBeVisible();
  expect(faults(found)).toEqual([]);
});

test("a stream that cannot be opened raises the banner", async ({ page }) => {
  await login(page, USER, PASSWORD);
  await page.route("**/api/v1/stream", (route) => route.abort());
  await page.reload();
  await expect(page.getByTestId("lost-banner")).toContainText("frozen");
  await page.unroute("**/api/v1/stream");
  await expect(page.getByTestId("lost-banner")).toHaveCount(0);
});

for (const size of SIZES) {
  for (const theme of ["dark", "light"] as const) {
    test(`every page at ${size.name} size, ${theme}: contrast, no sideways scrolling, picture`, async ({ page }) => {
      const found = complaints(page);
      await page.setViewportSize({ width: size.width, height: size.height });
      await login(page, USER, PASSWORD);
      await chooseTheme(page, theme);
      for (const [name, visit] of Object.entries(VISITS)) {
        await visit(page);
        await page.waitForTimeout(1500);
        await page.screenshot({ path: `${SCREENSHOTS}${name}-${size.name}-${theme}.png`, fullPage: true });
        expect(await poorContrast(page), name).toEqual([]);
        expect(await overflowPx(page), name).toBeLessThanOrEqual(0);
      }
      expect(faults(found)).toEqual([]);
    });
  }
}
