import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seededRandom } from "../../engines/random.ts";
import { tracedPrompt } from "../../load/prompts/traced.ts";
import { readTrace, TraceError, type TraceRow, traces } from "../../load/trace.ts";
import { cutTrace, fitContext, scaleRate, spreadTies } from "../../load/trace-window.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pitot-trace-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const row = (atMs: number, more: Partial<TraceRow> = {}): TraceRow => ({
  atMs,
  inputTokens: 100,
  outputTokens: 10,
  blockIds: null,
  ...more,
});

describe("a trace that comes with the product", () => {
  test.each([
    ["azure-conversation", 19_366],
    ["azure-code", 8_819],
    ["mooncake-conversation", 5_719],
    ["mooncake-synthetic", 3_993],
  ] as const)("%s is read whole, from time zero, in order", async (name, rows) => {
    const trace = await readTrace(traces[name]);
    expect(trace).toHaveLength(rows);
    expect(trace[0]!.atMs).toBe(0);
    const inOrder = trace.every((one, at) => at === 0 || one.atMs >= trace[at - 1]!.atMs);
    expect(inOrder).toBe(true);
  });
});

describe("a format is told by its columns", () => {
  test.each([
    [
      "Azure 2025, whose fields have moved",
      "a.csv",
      "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n2025-05-16 18:17:03.5,2,400,7\n2025-05-16 18:17:03.0,0,300,5\n",
      [
        row(0, { inputTokens: 300, outputTokens: 5 }),
        row(500, { inputTokens: 400, outputTokens: 7 }),
      ],
    ],
    [
      "BurstGPT, whose failed requests are left out",
      "b.csv",
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n6,GPT-4,9,0,9,API log\n45,ChatGPT,1087,230,1317,Conversation log\n",
      [
        row(0, { inputTokens: 472, outputTokens: 18 }),
        row(40_000, { inputTokens: 1087, outputTokens: 230 }),
      ],
    ],
    [
      "AIPerf's sessions, whose later turns have a pause for a time",
      "c.jsonl",
      '{"timestamp":0,"input_length":10,"output_length":1,"session_id":"s"}\n{"delay":250,"input_length":20,"output_length":2,"session_id":"s"}\n',
      [
        row(0, { inputTokens: 10, outputTokens: 1, session: "s" }),
        row(250, { inputTokens: 20, outputTokens: 2, session: "s", thinkMs: 250 }),
      ],
    ],
    [
      "Bailian, in seconds and blocks of 16",
      "d.jsonl",
      '{"chat_id":159,"parent_chat_id":-1,"timestamp":61.114,"input_length":521,"output_length":132,"type":"text","turn":1,"hash_ids":[1,2]}\n',
      [
        row(0, {
          inputTokens: 521,
          outputTokens: 132,
          session: "159",
          blockIds: [1, 2],
          blockTokens: 16,
        }),
      ],
    ],
    [
      "guidellm, in seconds",
      "e.jsonl",
      '{"timestamp":1.5,"input_length":5,"output_length":6}\n{"timestamp":2,"input_length":7,"output_length":8}\n',
      [row(0, { inputTokens: 5, outputTokens: 6 }), row(500, { inputTokens: 7, outputTokens: 8 })],
    ],
    [
      "a vLLM benchmark's own results",
      "f.json",
      '{"backend":"openai-chat","start_times":[100.25,100],"input_lens":[9,8],"output_lens":[3,4],"ttfts":[0.1,0.1]}',
      [row(0, { inputTokens: 8, outputTokens: 4 }), row(250, { inputTokens: 9, outputTokens: 3 })],
    ],
    [
      "a recording of ours",
      "g.jsonl",
      '{"pitot":"trace","version":1}\n{"atMs":3,"inputTokens":9,"outputTokens":2,"cachedTokens":4,"session":null,"thinkMs":null}\n{"pitot":"trace-end","version":1,"recorded":1,"leftOut":{"unfinished":0,"uncounted":0}}\n',
      [row(0, { inputTokens: 9, outputTokens: 2, cachedTokens: 4 })],
    ],
  ])("%s", async (_what, name, text, rows) => {
    const read = await readTrace(file(name, text));
    expect(read).toHaveLength(rows.length);
    for (const [at, wanted] of rows.entries()) expect(read[at]).toMatchObject(wanted);
  });

  test("unless it is named", async () => {
    const path = file(
      "h.jsonl",
      '{"timestamp":1500,"input_length":5,"output_length":6}\n{"timestamp":2000,"input_length":7,"output_length":8}\n',
    );
    expect((await readTrace(path, "mooncake"))[1]!.atMs).toBe(500);
    expect((await readTrace(path))[1]!.atMs).toBe(500_000);
  });
});

describe("a trace that is malformed is refused, naming file and line", () => {
  test.each([
    [
      "a timestamp that is none",
      "a.csv",
      "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,12,3\nnonsense,1,2\n",
      "a.csv:3",
    ],
    [
      "a length that is missing",
      "b.csv",
      "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,,3\n",
      "b.csv:2: ContextTokens",
    ],
    [
      "a line cut off",
      "c.jsonl",
      '{"timestamp":0,"input_length":1,"output_length":2}\n{"timestamp":1\n',
      "c.jsonl:2: this is not JSON",
    ],
    [
      "a time that is missing",
      "d.jsonl",
      '{"input_length":1,"output_length":2,"chat_id":1}\n',
      "timestamp (missing) is not a time",
    ],
    ["columns of no format", "e.csv", "when,in,out\n1,2,3\n", "name one with --format"],
    [
      "a prompt of nothing",
      "f.jsonl",
      '{"timestamp":0,"input_length":0,"output_length":2}\n',
      "at least one token",
    ],
    ["a version of the future", "g.jsonl", '{"pitot":"trace","version":9}\n', "newer Pitot"],
    ["a benchmark without detail", "h.json", '{"start_times":[1]}', "--save-detailed"],
    ["a list for a document", "i.json", "[]", "not a JSON object"],
    ["no row at all", "j.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n", "holds no request"],
  ])("%s", async (_what, name, text, sentence) => {
    const path = file(name, text);
    await expect(readTrace(path)).rejects.toThrow(TraceError);
    await expect(readTrace(path)).rejects.toThrow(sentence);
  });

  test("a file that is missing", async () => {
    await expect(readTrace("/nowhere.csv")).rejects.toThrow("/nowhere.csv: no such file");
  });
});

describe("a prompt made from a row", () => {
  const textOf = (one: TraceRow, seed = 1): string =>
    (tracedPrompt(one, seededRandom(seed)).body["messages"] as { content: string }[])[0]!.content;
  const words = (text: string): readonly string[] => text.split(" ");

  test("has the length asked for, template included", () => {
    for (const more of [{}, { blockIds: [1, 2] }, { session: "s" }, { cachedTokens: 40 }])
      expect(words(textOf(row(0, { inputTokens: 1100, ...more })))).toHaveLength(1092);
  });

  test("shares a beginning as long as its shared blocks", () => {
    const [one, other] = [
      [1, 2],
      [1, 3],
    ].map((blockIds) => words(textOf(row(0, { inputTokens: 1032, blockIds }))));
    expect(one!.slice(0, 512)).toEqual(other!.slice(0, 512));
    expect(one!.slice(512)).not.toEqual(other!.slice(512));
  });

  test("begins with the turns before it in its session", () => {
    const first = textOf(row(0, { inputTokens: 50, session: "s" }));
    const second = textOf(row(0, { inputTokens: 90, session: "s" }), 2);
    expect(second.startsWith(first)).toBe(true);
    expect(textOf(row(0, { inputTokens: 90, session: "t" })).startsWith(first)).toBe(false);
  });

  test("without a session shares what was cached, and no more", () => {
    const [one, other] = [1, 2].map((seed) => words(textOf(row(0, { cachedTokens: 40 }), seed)));
    expect(one!.slice(0, 40)).toEqual(other!.slice(0, 40));
    expect(one!.slice(40)).not.toEqual(other!.slice(40));
  });
});

describe("a part of a trace", () => {
  const minute = Array.from({ length: 60 }, (_, second) => row(second * 1000));

  test("is cut by time and count, and begins at zero", () => {
    const part = cutTrace(minute, { fromMs: 10_000, lengthMs: 20_000, rowsMax: 5 });
    expect(part.map(({ atMs }) => atMs)).toEqual([0, 1000, 2000, 3000, 4000]);
  });

  test("at another rate has that many requests in the same time, its sessions whole", () => {
    const trace = Array.from({ length: 4_000 }, (_, at) =>
      row(at * 100, { session: `s${Math.floor(at / 4)}` }),
    );
    for (const factor of [0.25, 1, 1.5, 3]) {
      const scaled = scaleRate(trace, factor, seededRandom(9));
      expect(scaled.length / trace.length).toBeCloseTo(factor, 1);
      expect(scaled.at(-1)!.atMs).toBeLessThanOrEqual(trace.at(-1)!.atMs);
      const turns = Map.groupBy(scaled, ({ session }) => session);
      expect([...turns.values()].every((rows) => rows.length === 4)).toBe(true);
    }
  });

  test("kept in ticks is spread over them, in order", () => {
    const ticks = [0, 0, 0, 3000, 3000, 6000].map((atMs, at) => row(atMs, { inputTokens: at + 1 }));
    const spread = spreadTies(ticks, seededRandom(4));
    expect(spread.map(({ inputTokens }) => inputTokens)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(spread.every(({ atMs }, at) => Math.floor(atMs / 3000) * 3000 === ticks[at]!.atMs)).toBe(
      true,
    );
    expect(new Set(spread.map(({ atMs }) => atMs)).size).toBe(6);
  });

  test("longer than the context is clamped, and that is counted", () => {
    const { rows, clamped } = fitContext(
      [row(0), row(1, { inputTokens: 5000, outputTokens: 3000 })],
      4096,
    );
    expect(clamped).toBe(1);
    expect(rows[1]).toMatchObject({ inputTokens: 2048, outputTokens: 2048 });
  });
});
