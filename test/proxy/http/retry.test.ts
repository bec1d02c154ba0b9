import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../engines/random.ts";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import type { FailureCause, Unanswered } from "../../../proxy/http/attempt-result.ts";
import { clientWishes } from "../../../proxy/http/client-wishes.ts";
import { malformed, WireError } from "../../../proxy/upstream/wire/wire-error.ts";
import { faultOf } from "../../../proxy/http/wire-fault.ts";
import {
  backoffMs,
  bestOf,
  nextStep,
  RETRIES,
  type RetryState,
} from "../../../proxy/http/retry.ts";
import { retryAfterMs } from "../../../proxy/http/retry-after.ts";
import { RetryBudget } from "../../../proxy/http/retry-budget.ts";

const FIRST: RetryState = { attempts: 1, resent: false, replayable: true, clientRetries: false };

describe("after a failed try", () => {
  const step = (cause: FailureCause, state: Partial<RetryState> = {}, onReset = true): string => {
    const budget = new RetryBudget(new VirtualClock(), RETRIES);
    return nextStep(cause, { ...FIRST, ...state }, { ...RETRIES, onReset }, budget);
  };

  test.each<[string, FailureCause, Partial<RetryState>, string]>([
    ["a refused connection moves on at once", "refused", {}, "now"],
    ["a stale socket is resent to the same replica", "stale", {}, "resend"],
    ["a second stale socket counts as a reset", "stale", { resent: true }, "later"],
    ["a reset goes elsewhere after a wait", "reset", {}, "later"],
    ["a refusing status goes elsewhere after a wait", "status", {}, "later"],
    ["an answer that is not HTTP goes elsewhere", "malformed", {}, "later"],
    ["a stream that begins with an error goes elsewhere", "error-event", {}, "later"],
    ["a replica taken out by an operator is left at once", "disabled", {}, "now"],
    ["a time limit is final", "timeout", {}, "stop"],
    ["want of our own descriptors is final", "own", {}, "stop"],
    ["the third try is the last", "refused", { attempts: 3 }, "stop"],
    ["R06 a body that was let go is not sent again", "refused", { replayable: false }, "stop"],
    [
      "R02 a client that retries itself gets no second retry",
      "status",
      { clientRetries: true },
      "stop",
    ],
    [
      "R02 but is moved past a replica that was never asked",
      "refused",
      { clientRetries: true },
      "now",
    ],
  ])("%s", (_name, cause, state, expected) => {
    expect(step(cause, state)).toBe(expected);
  });

  test("R04 a reset is final where the operator says so, a stale socket is not", () => {
    expect([step("reset", {}, false), step("stale", {}, false)]).toEqual(["stop", "resend"]);
  });
});

describe("the retry budget", () => {
  test("is a fifth of the requests of ten seconds and a floor of three a second", () => {
    const budget = new RetryBudget(new VirtualClock(5_000), RETRIES);
    for (let request = 0; request < 1_000; request++) budget.earn();
    let spent = 0;
    while (budget.spend()) spent++;
    expect(spent).toBe(230);
  });

  test("comes back as the window moves on", () => {
    const clock = new VirtualClock();
    const budget = new RetryBudget(clock, { budgetRatio: 0, budgetFloorPerSecond: 1 });
    for (let second = 0; second < 10; second++) {
      expect(budget.spend()).toBe(true);
      clock.advance(1_000);
    }
    expect([budget.spend(), budget.spend()]).toEqual([true, false]);
    clock.advance(60_000);
    expect(budget.hasRoom).toBe(true);
  });

  test("R01 a thousand requests to a fleet that always fails cost at most 1,230 tries", () => {
    const clock = new VirtualClock();
    const budget = new RetryBudget(clock, RETRIES);
    let tries = 0;
    for (let request = 0; request < 1_000; request++) {
      budget.earn();
      tries++;
      for (let attempts = 1; ; attempts++) {
        if (nextStep("status", { ...FIRST, attempts }, RETRIES, budget) === "stop") break;
        tries++;
      }
      clock.advance(1);
    }
    expect(tries).toBeLessThanOrEqual(1_230);
    expect(tries).toBeGreaterThan(1_100);
  });
});

test("R07 requests that failed together do not return together: no tenth of the wait holds a quarter of them", () => {
  const random = seededRandom(7);
  for (const attempts of [1, 2, 3, 20]) {
    const longestMs = Math.min(1_000, 50 * 2 ** (attempts - 1));
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let client = 0; client < 200; client++) {
      const waitMs = backoffMs(attempts, RETRIES, random);
      expect(waitMs).toBeLessThan(longestMs);
      tenths[Math.floor((10 * waitMs) / longestMs)]! += 1;
    }
    expect(Math.max(...tenths)).toBeLessThanOrEqual(50);
  }
});

describe("Retry-After", () => {
  const now = Date.UTC(2026, 0, 1);
  test.each<[string, string | undefined, number | null]>([
    ["seconds", "7", 7_000],
    ["seconds with spaces", " 7 ", 7_000],
    ["an HTTP date", new Date(now + 7_000).toUTCString(), 7_000],
    ["F27 too long a time, clamped to a minute", "999999", 60_000],
    ["F27 a negative number, ignored", "-5", null],
    ["F27 words, ignored", "soon", null],
    ["F27 a date that has passed, ignored", new Date(now - 7_000).toUTCString(), null],
    ["nothing", undefined, null],
    ["nought", "0", null],
    ["a fraction, ignored", "1.5", null],
  ])("is read from %s", (_name, value, expected) => {
    expect(retryAfterMs(value, now)).toBe(expected);
  });
});

test("the refusal shown is the one that lets the client come back soonest, else the last kept one", () => {
  const failure = (status: number, waitMs: number | null, isHeld = true): Unanswered => ({
    kind: "unanswered",
    cause: "status",
    code: "no_replica_available",
    why: "",
    status,
    held: isHeld
      ? { status, message: "", headers: [], body: Buffer.alloc(0), retryAfterMs: waitMs }
      : null,
  });
  expect(bestOf([failure(429, 7_000), failure(503, 2_000), failure(500, null)])?.status).toBe(503);
  expect(bestOf([failure(500, null), failure(502, null), failure(504, null, false)])?.status).toBe(
    502,
  );
  expect(bestOf([failure(500, null, false)])?.status).toBe(500);
  expect(bestOf([])).toBeUndefined();
});

describe("what a client says of its request", () => {
  test.each<[string, string[], object | string]>([
    ["nothing", [], { timeoutMs: Infinity, retriesItself: false }],
    ["a time limit", ["X-Pitot-Timeout-Ms", "1500"], { timeoutMs: 1_500, retriesItself: false }],
    [
      "the SDK's first try",
      ["x-stainless-retry-count", "0"],
      { timeoutMs: Infinity, retriesItself: false },
    ],
    [
      "the SDK's second try",
      ["x-stainless-retry-count", "1"],
      { timeoutMs: Infinity, retriesItself: true },
    ],
    [
      "no retry",
      ["x-no-retry", "1", "Accept", "*/*"],
      { timeoutMs: Infinity, retriesItself: true },
    ],
  ])("%s", (_name, raw, expected) => {
    expect(clientWishes(raw)).toEqual(expected);
  });

  test.each(["0", "-1", "1.5", "soon", "99999999999", ""])(
    "a time limit of %j is refused in a sentence",
    (value) => {
      expect(clientWishes(["x-pitot-timeout-ms", value])).toMatch(
        /x-pitot-timeout-ms is .* give whole milliseconds/,
      );
    },
  );
});

test("errors of this machine and of the request are told from those of a replica", () => {
  const error = (code: string): Error => Object.assign(new Error(code), { code });
  const before = { written: false, reused: false, answered: false };
  const written = { written: true, reused: false, answered: false };
  expect(faultOf(error("EMFILE"), before)).toEqual({ cause: "own", code: "overloaded" });
  expect(faultOf(new WireError("unsendable", "a header holds a line break"), before)).toEqual({
    cause: "own",
    code: "bad_request",
  });
  expect(faultOf(error("ECONNREFUSED"), before).cause).toBe("refused");
  expect(faultOf(error("ECONNRESET"), written).cause).toBe("reset");
  expect(faultOf(error("ECONNRESET"), { ...written, reused: true }).cause).toBe("stale");
  expect(faultOf(error("ECONNRESET"), { written: true, reused: true, answered: true }).cause).toBe(
    "reset",
  );
  expect(faultOf(malformed("no status line"), written)).toEqual({
    cause: "malformed",
    code: "upstream_malformed",
  });
});
