const THEMES = ["dark", "light", "system"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "wattfold.theme";

const read = (): Theme => {
  const stored = localStorage.getItem(KEY);
  return THEMES.find((theme) => theme === stored) ?? "dark";
};

export const theme = $state({ chosen: read(), epoch: 0 });

export function applyTheme(): void {
  document.documentElement.dataset["theme"] = theme.chosen;
  theme.epoch += 1;
}

export function nextTheme(): void {
  const index = THEMES.indexOf(theme.chosen);
  theme.chosen = THEMES[(index + 1) % THEMES.length] ?? "dark";
  localStorage.setItem(KEY, theme.chosen);
  applyTheme();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", applyTheme);

/** The colour a token has right now, for canvas drawing, which cannot read custom properties. */
export function tokenColour(token: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}
