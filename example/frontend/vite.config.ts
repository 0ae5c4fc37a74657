import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const backend = process.env["BACKEND"] ?? "http://localhost:8000";

export default defineConfig({
  plugins: [react()],
  build: {
    // Files, never data: addresses, so that a strict Content-Security-Policy holds.
    assetsInlineLimit: 0,
  },
  server: {
    port: 3000,
    strictPort: true,
    // The browser's own Host goes through, or Django refuses the Origin of a write.
    proxy: Object.fromEntries(
      ["/api", "/admin", "/version", "/static", "/media"].map((path) => [
        path,
        { target: backend, changeOrigin: false },
      ]),
    ),
  },
  test: {
    environment: "jsdom",
    restoreMocks: true,
    unstubGlobals: true,
    setupFiles: "./src/testing.ts",
    testTimeout: 30_000,
  },
});
