import { expect, test } from "vitest";
import { coverCases } from "./coverage.ts";

test("tests and READMEs claim only cases of the catalogue", () => {
  expect(coverCases().unknown).toEqual([]);
});

test("the catalogue numbers each family from 01 without a gap", () => {
  const last = new Map<string, number>();
  for (const { id } of coverCases().cases) {
    const family = id.charAt(0);
    expect(id).toBe(`${family}${String((last.get(family) ?? 0) + 1).padStart(2, "0")}`);
    last.set(family, (last.get(family) ?? 0) + 1);
  }
});
