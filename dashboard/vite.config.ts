import { defineConfig } from "vite";

export default defineConfig({
  base: "/",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2023",
    // Everything the first page needs in one file: one round trip, no waterfall.
    modulePreload: false,
  },
  server: { proxy: { "/api": { target: "http://127.0.0.1:8081", ws: true } } },
});
