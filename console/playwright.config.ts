import { defineConfig } from "@playwright/test";

const MOCK = "http://127.0.0.1:4180";
const live = process.env.WATTFOLD_URL;

export default defineConfig({
  testDir: "tests",
  workers: 1,
  timeout: 45_000,
  expect: { timeout: 10_000 },
  reporter: "list",
  outputDir: "test-results",
  use: {
    browserName: "chromium",
    viewport: { width: 1280, height: 800 },
    ignoreHTTPSErrors: true,
    launchOptions: {
      executablePath: "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "mock", testMatch: /(console|dispatch|look|units)\.spec\.ts/, use: { baseURL: MOCK } },
    // The demo kills and restarts its server once in each round, which may fall into a test.
    // The demo kills its server once, which ends every session: one test finds itself logged out.
    { name: "live", retries: 1, testMatch: /live\.spec\.ts/, use: { baseURL: live ?? "https://127.0.0.1:8443" } },
  ],
  ...(live === undefined
    ? { webServer: { command: "node tests/mock.mjs", url: `${MOCK}/`, reuseExistingServer: true } }
    : {}),
});
