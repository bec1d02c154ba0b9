import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { embeddedRequest } from "../../../proxy/commands/embedded-flags.ts";
import { repeatCommand } from "../../../proxy/commands/sweep-repeat.ts";
import type { SweepFlags } from "../../../proxy/commands/sweep.ts";
import { planOf } from "../../../proxy/commands/sweep-plan.ts";
import { readSweepRequest } from "../../../proxy/synthetic/sweep-request.ts";
import { FIT_REQUESTS_MIN } from "../../../proxy/synthetic/traffic-fit.ts";

let folder: string;
let monday: string;
let few: string;

/** A trace of two shapes, three short ones to each long one, in the columns of a recording of ours. */
function traceOf(rows: number): string {
  const lines = Array.from({ length: rows }, (_, index) => {
    const isLong = index % 4 === 3;
    return JSON.stringify({
      atMs: index * 100,
      inputTokens: isLong ? 4096 : 512,
      outputTokens: isLong ? 64 : 256,
      cachedTokens: isLong ? 2048 : 0,
    });
  });
  return `${lines.join("\n")}\n`;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pitot-traced-"));
  monday = join(folder, "monday 1st.jsonl");
  few = join(folder, "few.jsonl");
  writeFileSync(monday, traceOf(400));
  writeFileSync(few, traceOf(FIT_REQUESTS_MIN - 1));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const flags = { preset: "quick", seed: 1 } as const;

describe("--shapes of a trace", () => {
  test("gives its shapes by share, its cached share, and arrivals as bursty as they came", async () => {
    const plan = await planOf({ ...flags, shapes: [monday] });
    const [workload] = plan.workloads;
    expect(plan.workloads).toHaveLength(1);
    expect(workload!.parts).toEqual([
      { shape: { inputTokens: 512, outputTokens: 256 }, weight: 0.75 },
      { shape: { inputTokens: 4096, outputTokens: 64 }, weight: 0.25 },
    ]);
    // 2,048 of every 3 × 512 + 4,096 tokens.
    expect(workload!.prefixShare).toBeCloseTo(2048 / 5632, 1);
    expect(workload!.name).toBe("monday-1st+36%shared");
    // A tick every 100 ms: more even than chance.
    expect(plan).toMatchObject({ arrivals: "gamma", cv: 0 });
  });

  test("takes traces that come with the product by name, beside other lists", async () => {
    const plan = await planOf({ ...flags, shapes: ["azure-code", "inferencex"] });
    expect(plan.workloads.map(({ name }) => name)).toEqual([
      "azure-code",
      "1024x1024",
      "8192x1024",
    ]);
    expect(plan.arrivals).toBe("gamma");
    expect(plan.cv).toBeGreaterThan(10);
  });

  test("yields to what is asked for beside it", async () => {
    const plan = await planOf({
      ...flags,
      shapes: ["azure-code"],
      arrivals: "constant",
      prefixShare: 0.5,
      cv: 3,
    });
    expect(plan).toMatchObject({ arrivals: "constant", cv: 3 });
    expect(plan.workloads[0]).toMatchObject({ prefixShare: 0.5 });
  });

  test("can be repeated without the file", async () => {
    const plan = await planOf({ ...flags, shapes: [monday] });
    const command = repeatCommand({ target: "http://e", model: "m" }, plan);
    expect(command).toContain("--mix '75% 512x256, 25% 4096x64'");
    expect(command).toContain("--prefix-share 0.36");
  });

  test.each([
    ["too few requests", () => few, "49 requests with counted tokens are too few for a workload"],
    ["no trace", () => join(folder, ".."), "--shapes"],
    ["a name that is neither list nor file", () => "tuesday.jsonl", "is no list of shapes"],
  ])("of %s is refused in a sentence", async (_what, file, sentence) => {
    await expect(planOf({ ...flags, shapes: [file()] })).rejects.toThrow(sentence);
    await expect(planOf({ ...flags, shapes: [file()] })).rejects.toMatchObject({ status: 2 });
  });
});

describe("with --replica", () => {
  const asked = (shapes: readonly string[]): Promise<unknown> =>
    embeddedRequest("vllm-0", undefined, { seed: 1, shapes } as unknown as SweepFlags);

  test("the trace is fitted here, and its shapes travel in the request", async () => {
    const body = readSweepRequest(await asked([monday, "64x8"]));
    expect(body.shapes).toEqual(["my-traffic", "64x8"]);
    expect(body.fit).toEqual({
      parts: [
        { inputTokens: 512, outputTokens: 256, weight: 0.75 },
        { inputTokens: 4096, outputTokens: 64, weight: 0.25 },
      ],
      cachedShare: expect.closeTo(2048 / 5632, 5),
      arrivalCv: 0,
    });
  });

  test("two traces are one too many", async () => {
    await expect(asked([monday, "azure-code"])).rejects.toMatchObject({
      status: 2,
      message: "--shapes: one trace at a time goes with --replica.",
    });
  });
});
