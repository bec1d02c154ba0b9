import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // One file at a time: several tests measure, and two of them on two cores would measure each other.
    fileParallelism: false,
  },
});
