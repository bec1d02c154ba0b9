import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores everywhere: more workers only make timing tests wait for each other.
    maxWorkers: 2,
  },
});
