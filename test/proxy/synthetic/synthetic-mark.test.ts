import { describe, expect, test } from "vitest";
import {
  LABEL_HEADER,
  MARK_HEADER,
  markHeaders,
  MarkReader,
  newMarkToken,
} from "../../../proxy/synthetic/synthetic-mark.ts";

const token = newMarkToken();
const reader = new MarkReader(token);

describe("the mark of a sweep's request", () => {
  test("is believed with the token of this process, and names its replica and point", () => {
    const raw = [...markHeaders(token, "rack 1/gpu ü"), LABEL_HEADER, "run-1/64x8/ladder-c4"];
    expect(reader.read(raw)).toEqual({ replica: "rack 1/gpu ü", label: "run-1/64x8/ladder-c4" });
  });

  test.each([
    ["nothing", []],
    ["another process's token", markHeaders(newMarkToken(), "a")],
    ["part of the token", [MARK_HEADER, `${token.slice(0, -1)} a`]],
    ["an empty value", [MARK_HEADER, ""]],
    ["a label alone", [LABEL_HEADER, "run/point"]],
    ["a name that is no longer ASCII", [MARK_HEADER, `${token.replace(/^./, "é")} a`]],
  ])("S20 is not believed of %s", (_what, raw) => {
    expect(reader.read(raw)).toBeNull();
  });

  test("carries no label that could break a line of a log", () => {
    for (const label of ["a\nb", "x".repeat(201), "<script>"])
      expect(reader.read([...markHeaders(token, "a"), LABEL_HEADER, label])?.label).toBeNull();
  });

  test("is long and new for every process", () => {
    const tokens = new Set(Array.from({ length: 100 }, newMarkToken));
    expect(tokens.size).toBe(100);
    expect(Math.min(...[...tokens].map((one) => one.length))).toBeGreaterThanOrEqual(32);
  });
});
