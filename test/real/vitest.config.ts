import { defineConfig } from "vitest/config";

/** Tests that need a real engine on this machine: see README.md. */
export default defineConfig({
  test: {
    include: ["test/real/**/*.real.ts"],
    testTimeout: 30_000,
    hookTimeout: 90_000,
    fileParallelism: false,
  },
});
