import { expect, test, type Page } from "@playwright/test";
import { chooseTheme, login, overflowPx, poorContrast } from "./console_page";

async function visit(page: Page, name: string): Promise<void> {
  if (name === "home") await page.goto("/#/");
  if (name === "ders" || name === "dispatches" || name === "account") await page.goto(`/#/${name}`);
  if (name === "dispatch") {
    await page.goto("/#/");
    await page.getByRole("link", { name: "Feeder 12 relief" }).click();
    await expect(page.getByTestId("deliveries")).toBeVisible();
  }
  if (name === "group") {
    await page.goto("/#/");
    await page.getByRole("link", { name: "Feeder 12 North" }).first().click();
    await expect(page.getByTestId("ders")).toBeVisible();
  }
  if (name === "der") {
    await page.goto("/#/ders?state=silent");
    await page.getByTestId("ders").getByRole("link").first().click();
    await expect(page.getByRole("heading", { name: "Capability" })).toBeVisible();
  }
  await expect(page.getByRole("heading", { level: 1 })).toBeAttached();
}

const PAGES = ["home", "dispatch", "dispatches", "group", "ders", "der", "account"];

for (const theme of ["dark", "light"] as const) {
  test(`text contrast meets WCAG AA on every page, ${theme}`, async ({ page }) => {
    await login(page, "admin", "correct horse");
    await chooseTheme(page, theme);
    const ground = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    expect(ground).toBe(theme === "dark" ? "rgb(20, 23, 26)" : "rgb(227, 229, 232)");
    for (const name of PAGES) {
      await visit(page, name);
      expect(await poorContrast(page), name).toEqual([]);
    }
  });
}

test("the contrast check sees a poor colour", async ({ page }) => {
  await login(page, "admin", "correct horse");
  await page.evaluate(() => document.documentElement.style.setProperty("--text-dim", "#3a3d40"));
  expect((await poorContrast(page)).length).toBeGreaterThan(0);
});

test("a phone shows every page without sideways scrolling", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await login(page, "admin", "correct horse");
  for (const name of PAGES) {
    await visit(page, name);
    expect(await overflowPx(page), name).toBeLessThanOrEqual(0);
  }
});

test("the system's theme is followed when asked for", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "light" });
  await login(page, "admin", "correct horse");
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  expect(await ground()).toBe("rgb(20, 23, 26)");
  const button = page.getByRole("button", { name: /^Theme/ });
  await button.click();
  await button.click();
  await expect(button).toContainText("system");
  expect(await ground()).toBe("rgb(227, 229, 232)");
  await page.emulateMedia({ colorScheme: "dark" });
  expect(await ground()).toBe("rgb(20, 23, 26)");
});

test("focus is visible on whatever the Tab key reaches", async ({ page }) => {
  await login(page, "admin", "correct horse");
  for (let step = 0; step < 12; step += 1) {
    await page.keyboard.press("Tab");
    const outline = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement ?? document.body);
      return { style: style.outlineStyle, width_px: parseFloat(style.outlineWidth) };
    });
    expect(outline.style).not.toBe("none");
    expect(outline.width_px).toBeGreaterThanOrEqual(2);
  }
});

test("the first load is under 300 kB, even before compression", async ({ page }) => {
  const sizes: number[] = [];
  page.on("response", async (response) => {
    if (response.url().includes("/assets/")) sizes.push((await response.body()).length);
  });
  await page.goto("/");
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
  expect(sizes.length).toBeGreaterThan(1);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(300_000);
});
