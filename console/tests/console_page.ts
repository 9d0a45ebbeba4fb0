import { expect, type Page } from "@playwright/test";

/** What a browser complains about: script errors, and violations of the content security policy. */
export function complaints(page: Page): string[] {
  const found: string[] = [];
  page.on("pageerror", (error) => found.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") found.push(message.text());
  });
  return found;
}

/** A refused session before the login is an answer, not a fault. */
export const faults = (found: string[]): string[] => found.filter((text) => !text.includes("401"));

export async function login(page: Page, user: string, password: string): Promise<void> {
  await page.goto("/");
  await page.getByLabel("User").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("navigation", { name: "Pages" })).toBeVisible();
}

export async function chooseTheme(page: Page, theme: "dark" | "light"): Promise<void> {
  const button = page.getByRole("button", { name: /^Theme/ });
  for (let turns = 0; turns < 3; turns += 1) {
    if ((await page.locator("html").getAttribute("data-theme")) === theme) return;
    await button.click();
  }
  throw new Error(`the theme button never reached ${theme}`);
}

export async function overflowPx(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
}

interface Poor {
  text: string;
  ratio: number;
}

/** Every piece of text on the page whose contrast with what lies behind it is under WCAG AA. */
export async function poorContrast(page: Page): Promise<Poor[]> {
  return page.evaluate(() => {
    const LARGE_PX = 24;
    const LARGE_BOLD_PX = 18.66;
    type Rgb = [number, number, number];

    const parse = (colour: string): [Rgb, number] => {
      const parts = (colour.match(/[\d.]+/g) ?? []).map(Number);
      return [[parts[0] ?? 0, parts[1] ?? 0, parts[2] ?? 0], parts[3] ?? 1];
    };
    const over = (top: Rgb, alpha: number, below: Rgb): Rgb =>
      top.map((part, i) => part * alpha + (below[i] ?? 0) * (1 - alpha)) as Rgb;
    const behind = (element: Element | null): Rgb => {
      if (element === null) return [255, 255, 255];
      const [colour, alpha] = parse(getComputedStyle(element).backgroundColor);
      return alpha === 1 ? colour : over(colour, alpha, behind(element.parentElement));
    };
    const luminance = (colour: Rgb): number => {
      const [r = 0, g = 0, b = 0] = colour.map((part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };

    const poor: Poor[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement;
      const text = (node.textContent ?? "").trim();
      if (element === null || text === "" || element.closest(".sr, :disabled, option, script") !== null) continue;
      if (element.getClientRects().length === 0) continue;
      const style = getComputedStyle(element);
      const ground = behind(element);
      const [colour, alpha] = parse(style.color);
      const [light = 0, dark = 0] = [luminance(over(colour, alpha, ground)), luminance(ground)].sort((a, b) => b - a);
      const ratio = (light + 0.05) / (dark + 0.05);
      const size_px = parseFloat(style.fontSize);
      const large = LARGE_PX <= size_px || (LARGE_BOLD_PX <= size_px && 700 <= Number(style.fontWeight));
      if (ratio < (large ? 3 : 4.5)) poor.push({ text, ratio: Math.round(ratio * 100) / 100 });
    }
    return poor;
  });
}
