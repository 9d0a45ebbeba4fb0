import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const server = process.env.WATTFOLD_URL ?? "http://127.0.0.1:4180";

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2022",
    // The first of each to know light-dark(), which the tokens rest on.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 300,
  },
  server: { proxy: { "/api": { target: server, changeOrigin: true, secure: false } } },
});
