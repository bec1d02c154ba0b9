import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { playScript, readScript } from "../../../engines/sim/fault-script.ts";
import { FaultSwitch } from "../../../engines/sim/fault-switch.ts";
import {
  type Fault,
  FaultError,
  faultHelp,
  faultKinds,
  parseFault,
  readFaults,
} from "../../../engines/sim/faults.ts";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { CHAT, TEXT } from "../../harness/simulated.ts";

function outcomeOf(value: unknown): string {
  try {
    readFaults([value]);
    return "read";
  } catch (error) {
    return error instanceof FaultError ? "refused" : "another error";
  }
}

describe("a fault description", () => {
  test.each([
    ["freeze", { kind: "freeze" }],
    [
      "status:status=503,retryAfterSeconds=2,share=0.1",
      { kind: "status", status: 503, retryAfterSeconds: 2, share: 0.1 },
    ],
    [
      "cut:afterTokens=3,how=rst,route=chat",
      { kind: "cut", afterTokens: 3, how: "rst", route: "chat" },
    ],
    ['{"kind":"slow","factor":3,"forSeconds":5}', { kind: "slow", factor: 3, forSeconds: 5 }],
  ])("%s is read", (text, fault) => {
    expect(parseFault(text)).toEqual(fault);
  });

  test.each([
    ["explode", 'fault kind "explode" is unknown: choose status, '],
    ["", 'fault kind "" is unknown'],
    ["status", 'fault "status" needs status'],
    ["status:status=200", "status must be a whole number from 400 to 599, got 200"],
    ["status:status=503,share=2", "share must be a number from"],
    ["cut:afterTokens=1,how=gently", 'how must be fin or rst, got "gently"'],
    ["stall:afterTokens=1.5", "afterTokens must be a whole number"],
    ["stall:afterTokens", '"afterTokens" of fault'],
    ["slow:factor=3,first=2", 'fault "slow" is of the whole engine: it takes no first'],
    ["freeze:colour=blue", "has no field colour"],
    ["{nope", "is not valid JSON"],
    ["restart:downSeconds=-1", "downSeconds must be a number from 0"],
  ])("%s is refused in a sentence", (text, sentence) => {
    expect(() => parseFault(text)).toThrow(FaultError);
    expect(() => parseFault(text)).toThrow(sentence);
  });

  test.each([
    [{}],
    ["freeze"],
    [null],
    [[null]],
    [[["freeze"]]],
    [Array.from({ length: 65 }, () => ({ kind: "freeze" }))],
  ])("list %j is refused", (value) => {
    expect(() => readFaults(value)).toThrow(FaultError);
  });

  test("never passes anything with another error, whatever it is", () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(outcomeOf(value)).not.toBe("another error");
      }),
    );
  });

  test("is in the help, each kind of it", () => {
    for (const kind of Object.keys(faultKinds)) expect(faultHelp()).toContain(`  ${kind}`);
  });
});

describe("the switch", () => {
  const no: Fault = { kind: "no-done" };
  const meets = (fault: Fault, requests: number, path = CHAT): number => {
    const faults = new FaultSwitch(1);
    faults.faults = [fault];
    return Array.from({ length: requests }, () => faults.meeting(path)).filter(
      (met) => met.length > 0,
    ).length;
  };

  test("meets everybody unless told otherwise", () => {
    expect(meets(no, 50)).toBe(50);
  });

  test("meets about its share, the same ones for the same seed", () => {
    expect(meets({ ...no, share: 0.25 }, 1000)).toBeGreaterThan(200);
    expect(meets({ ...no, share: 0.25 }, 1000)).toBeLessThan(300);
    expect(meets({ ...no, share: 0.25 }, 1000)).toBe(meets({ ...no, share: 0.25 }, 1000));
  });

  test("meets only the first so many", () => {
    expect(meets({ ...no, first: 3 }, 50)).toBe(3);
  });

  test("meets only its route", () => {
    expect(meets({ ...no, route: "chat" }, 5, TEXT)).toBe(0);
    expect(meets({ ...no, route: "chat" }, 5, CHAT)).toBe(5);
  });

  test("gives no request what is of the whole engine", () => {
    expect(meets({ kind: "slow", factor: 2 }, 5)).toBe(0);
  });
});

describe("a script", () => {
  test("switches at its times, in virtual time too, and stops when told", () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    const script = readScript([
      { atSeconds: 1, faults: [{ kind: "freeze" }] },
      { atSeconds: 2, faults: [] },
      { atSeconds: 9, faults: [{ kind: "zombie" }] },
    ]);
    const stop = playScript(script, clock, (faults) => {
      seen.push(`${clock.nowMs()} ${faults.map((fault) => fault.kind).join()}`);
    });
    clock.advance(3_000);
    stop();
    clock.advance(10_000);
    expect(seen).toEqual(["1000 freeze", "2000 "]);
  });

  test.each([
    ["no list", 5, "must be a list of steps"],
    ["no time", [{ faults: [] }], "step 1: atSeconds must be a number"],
    [
      "time running back",
      [{ atSeconds: 5 }, { atSeconds: 4 }],
      "step 2: atSeconds 4 is before the 5",
    ],
    ["a strange field", [{ at: 5 }], "step 1 has no field at"],
    [
      "a wrong fault",
      [{ atSeconds: 1, faults: [{ kind: "x" }] }],
      'step 1 (at 1 s): fault kind "x"',
    ],
    ["an empty step", [null], "step 1"],
  ])("with %s is refused in a sentence", (_name, script, sentence) => {
    expect(() => readScript(script)).toThrow(FaultError);
    expect(() => readScript(script)).toThrow(sentence);
  });
});
