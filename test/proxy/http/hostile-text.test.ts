import { describe, expect, test } from "vitest";
import { givenRequestId, upstreamHeaders } from "../../../proxy/http/headers.ts";
import { isAuthority, readTarget } from "../../../proxy/http/request-target.ts";

const HOP = {
  peer: "127.0.0.1",
  isTrusted: false,
  protocol: "http",
  host: "a",
  via: "1.1 a",
  requestId: "a",
} as const;

/** Texts made to send matchers back and forth: long runs of what almost fits, and then does not. */
const SHAPES: Readonly<Record<string, (length: number) => string>> = {
  dots: (length) => `/v1/${".".repeat(length)}x`,
  "dots and spaces": (length) => `/v1/${"%20.".repeat(length / 4)}x`,
  slashes: (length) => `/v1/a${"/".repeat(length)}`,
  "climbing segments": (length) => `/v1${"/a/..".repeat(length / 5)}`,
  semicolons: (length) => `/v1/${";".repeat(length)}`,
  percents: (length) => `/v1/${"%2e".repeat(length / 3)}%`,
  authorities: (length) => `http://${"a:".repeat(length / 2)}@/`,
  colons: (length) => "a:".repeat(length / 2),
  commas: (length) => ",".repeat(length),
  "almost an id": (length) => `${"a".repeat(length)} `,
};

function everyMatcher(text: string): void {
  readTarget(text);
  isAuthority(text);
  givenRequestId(["x-request-id", text]);
  upstreamHeaders(["connection", text, "accept", text, "x.y", text], HOP);
}

/** Fastest of several runs: whatever else this machine does can only slow a run down. */
function fastestMs(text: string): number {
  const runs = Array.from({ length: 15 }, () => {
    const start = performance.now();
    everyMatcher(text);
    return performance.now() - start;
  });
  return Math.min(...runs);
}

describe("texts made to stall a matcher", () => {
  test.each(Object.keys(SHAPES))("I16 %s cost ten times as much when ten times as long", (name) => {
    const shape = SHAPES[name]!;
    fastestMs(shape(50_000));
    // Squared it would be a hundred times.
    expect(fastestMs(shape(50_000))).toBeLessThan(40 * Math.max(fastestMs(shape(5_000)), 0.02));
  });
});
