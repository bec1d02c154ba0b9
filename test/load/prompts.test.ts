import { describe, expect, test } from "vitest";
import { engines } from "../../engines/index.ts";
import { seededRandom } from "../../engines/random.ts";
import { calibrate, chatTextMaterial } from "../../load/prompts/chat-text.ts";
import { chooseMaterial, MaterialError } from "../../load/prompts/choose-material.ts";
import { workloadPrompts } from "../../load/prompts/prompts.ts";
import { readShape, readShapes, shapeName, ShapeError } from "../../load/prompts/shape.ts";
import { tokenIdMaterial } from "../../load/prompts/token-ids.ts";
import { plainWorkload, readMix } from "../../load/prompts/workload.ts";
import { ObjectiveError, readObjective } from "../../load/sweep/objective.ts";

const material = tokenIdMaterial({
  corpus: Array.from({ length: 900 }, (_, index) => index),
  kind: "token-ids",
  promptOfTokens: (ids) => ({ prompt: ids }),
  addedTokens: 1,
});
const idsOf = (body: unknown): number[] => (body as { prompt: number[] }).prompt;

describe("objectives", () => {
  test.each([
    ["ttft_p95<=1s", 0.95, 1000],
    [" TPOT_p99.9 <= 25ms ", 0.999, 25],
    ["e2e_p50<2m", 0.5, 120_000],
  ])("%j bounds a share of %d at %d ms", (text, share, limitMs) => {
    expect(readObjective(text).share).toBeCloseTo(share);
    expect(readObjective(text).limits[0]?.limitMs).toBe(limitMs);
  });

  test("of several latencies hold all of them", () => {
    const { limits, share, text } = readObjective("goodput(ttft<=1s, tpot<=25ms) >= 90%");
    expect(limits).toHaveLength(2);
    expect(share).toBe(0.9);
    expect(readObjective(text)).toEqual(readObjective("goodput(ttft<=1s,tpot<=25ms)>=90%"));
  });

  test.each(["", "ttft<=1s", "ttft_p0<=1s", "ttft_p95<=1", "speed_p95<=1s", "goodput(x<=1s)>=9%"])(
    "%j is refused with the forms that are",
    (text) => {
      expect(() => readObjective(text)).toThrow(ObjectiveError);
    },
  );
});

describe("shapes", () => {
  test("of a list, a grid or by hand come cheapest first, each once", () => {
    expect(readShapes("almanac-9")).toHaveLength(9);
    expect(readShapes("128,1024 x 128,512").map(shapeName)[0]).toBe("128x128");
    expect(readShapes("128x1024,1024x128,128x1024").map(shapeName)).toEqual([
      "1024x128",
      "128x1024",
    ]);
  });

  test.each(["", "1024", "0x1", "almanac-10", "x"])("%j is refused", (text) => {
    expect(() => readShapes(text)).toThrow(ShapeError);
    expect(() => readShape(text)).toThrow(ShapeError);
  });

  test("of a mix come in their shares", () => {
    const prompts = workloadPrompts(readMix("75% 100x1, 25% 10x1"), material, {
      seed: 1,
      rows: [],
    });
    const random = seededRandom(3);
    const long = Array.from({ length: 2000 }, () => prompts.next(random, 0)).filter(
      ({ inputTokens }) => inputTokens === 100,
    ).length;
    expect(long / 2000).toBeCloseTo(0.75, 1);
    expect(() => readMix("1024x128")).toThrow(ShapeError);
  });
});

describe("prompts of token ids", () => {
  test("have exactly the length asked for, begin mark included, and share no first block", () => {
    const prompts = workloadPrompts(plainWorkload({ inputTokens: 64, outputTokens: 1 }), material, {
      seed: 1,
      rows: [],
    });
    const random = seededRandom(1);
    const sent = Array.from({ length: 200 }, () => idsOf(prompts.next(random, 0).body));
    expect(sent.every((ids) => ids.length === 63)).toBe(true);
    expect(new Set(sent.map((ids) => ids.slice(0, 16).join())).size).toBe(200);
  });

  test("of some age hold what is behind them, and ask for the rest", () => {
    const prompts = workloadPrompts(
      plainWorkload({ inputTokens: 64, outputTokens: 40 }),
      material,
      {
        seed: 1,
        rows: [],
      },
    );
    const aged = prompts.next(seededRandom(1), 0, 0.5);
    expect(aged).toMatchObject({ inputTokens: 84, outputTokens: 20 });
    expect(idsOf(aged.body)).toHaveLength(83);
  });

  test("share on purpose what the workload says, and no more", () => {
    const workload = { ...plainWorkload({ inputTokens: 101, outputTokens: 1 }), prefixShare: 0.5 };
    const prompts = workloadPrompts({ ...workload, prefixes: 2 }, material, { seed: 1, rows: [] });
    const random = seededRandom(1);
    const sent = Array.from({ length: 100 }, () => idsOf(prompts.next(random, 0).body));
    expect(new Set(sent.map((ids) => ids.slice(0, 50).join())).size).toBe(2);
    expect(new Set(sent.map((ids) => ids.slice(0, 66).join())).size).toBe(100);
  });
});

describe("the way to make prompts", () => {
  const options = {
    engine: engines.vllm,
    model: "m",
    direct: true,
    wanted: "auto",
    maxTokens: null,
  } as const;
  const refuse = async () => ({ status: 404, body: "{}" });

  test("is an estimate when the engine tells nothing, and says so", async () => {
    expect((await chooseMaterial({ ...options, post: refuse })).kind).toBe("estimated-text");
  });

  test("that was asked for and does not work is refused", async () => {
    await expect(chooseMaterial({ ...options, wanted: "ids", post: refuse })).rejects.toThrow(
      MaterialError,
    );
  });

  test("by counts finds template and cost of a word, and corrects itself", () => {
    const fit = calibrate([
      { words: 64, tokens: 20 + 1.5 * 64 },
      { words: 512, tokens: 20 + 1.5 * 512 },
    ])!;
    expect(fit.tokensPerWord).toBeCloseTo(1.5);
    expect(fit.templateTokens).toBeCloseTo(20);
    expect(calibrate([{ words: 64, tokens: 5 }])).toBeNull();
    const text = chatTextMaterial("calibrated-text", fit);
    for (let answer = 0; answer < 20; answer++) text.learn(100, 104);
    expect(text.overheadTokens(1)).toBe(40);
  });
});
