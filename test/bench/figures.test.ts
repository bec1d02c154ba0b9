import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SetupError } from "../../engines/sim/engine-setup.ts";
import { type Figure, FiguresError, readFigures } from "./figures.ts";
import { runFigure } from "./figure-run.ts";
import { median } from "../harness/virtual-engine.ts";

const PUBLISHED = new URL("../../engines/catalog/data/h100-figures.csv", import.meta.url);
const row = {
  source: "somebody",
  url_or_repo_path: "https://example.com",
  engine: "vllm",
  engine_version: "0.18.0",
  model: "meta-llama/Llama-3.1-8B-Instruct",
  precision: "bf16",
  gpu: "H100 SXM 80GB",
  num_gpus: "1",
  isl: "1024",
  osl: "128",
  concurrency_or_rate: "c16",
  ttft_ms: "150",
  ttft_stat: "mean",
  itl_or_tpot_ms: "9.5",
  output_tok_s: "",
  req_s: "",
  notes: "",
};
type Cells = Partial<typeof row>;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "figures-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function read(...rows: Cells[]): ReturnType<typeof readFigures> {
  const file = join(folder, "figures.csv");
  const quote = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;
  const lines = rows.map((cells) =>
    Object.values({ ...row, ...cells })
      .map(quote)
      .join(","),
  );
  await writeFile(file, [Object.keys(row).join(","), ...lines].join("\r\n"));
  return readFigures(file);
}

async function figure(cells: Cells = {}): Promise<Figure> {
  const { figures } = await read(cells);
  return figures[0]!;
}

describe("a row is left out with the reason", () => {
  test.each([
    [{ engine: "2023 research stack" }, "is not simulated"],
    [{ engine: "" }, "is not simulated"],
    [{ engine_version: "0.6.3" }, "before V1"],
    [{ engine_version: "Nov 2024" }, "before V1"],
    [{ gpu: "H200 141GB" }, "not a whole H100"],
    [{ gpu: "H100 PCIe" }, "not a whole H100"],
    [{ gpu: "H100 MIG 1g.10gb" }, "not a whole H100"],
    [{ gpu: "" }, "not a whole H100"],
    [{ model: "somebody/secret-7b" }, "not in the catalogue"],
    [{ model: "" }, "not in the catalogue"],
    [{ precision: "" }, "weight type"],
    [{ precision: "bf16/fp8 (not stated per number)" }, "weight type"],
    [{ precision: "int4 awq" }, "weight type"],
    [{ precision: "mxfp4" }, "precision contradicts"],
    [{ num_gpus: "" }, "number of cards not stated"],
    [{ num_gpus: "prefill 8 + decode 8" }, "separate cards"],
    [{ num_gpus: "16" }, "not one tensor-parallel group"],
    [{ num_gpus: "8", notes: "tp4 dp2 moe_ep1" }, "not one tensor-parallel group"],
    [{ isl: "" }, "length not stated"],
    [{ osl: "ShareGPT" }, "length not stated"],
    [{ osl: "1" }, "no TPOT"],
    [{ concurrency_or_rate: "Offline" }, "load is neither"],
    [{ concurrency_or_rate: "batch 16" }, "load is neither"],
    [{ concurrency_or_rate: "c0" }, "load is neither"],
    [{ concurrency_or_rate: "" }, "load is neither"],
    [{ itl_or_tpot_ms: "" }, "no TPOT"],
    [{ itl_or_tpot_ms: "-3" }, "no TPOT"],
    [{ itl_or_tpot_ms: "n/a" }, "no TPOT"],
    [{ itl_or_tpot_ms: "3.9" }, "below the time it takes to read the weights"],
    [{ notes: "SUSPECT: TPOT too small (buffered stream)" }, "buffered stream"],
    [{ notes: "EAGLE-3, 4 draft tokens" }, "speculative decoding"],
    [{ notes: "open loop 600s; failures 12" }, "overloaded"],
  ] satisfies [Cells, string][])("%o", async (cells, reason) => {
    const { rows, figures, excluded } = await read(cells);
    expect({ rows, figures }).toEqual({ rows: 1, figures: [] });
    expect(excluded).toEqual([{ line: 2, reason: expect.stringContaining(reason) }]);
  });
});

describe("a row says how it was measured", () => {
  test.each([
    [{ concurrency_or_rate: "c64" }, { load: { kind: "users", users: 64 } }],
    [{ concurrency_or_rate: "2.5 req/s constant" }, { load: { kind: "rate", perSecond: 2.5 } }],
    [
      { engine: "TensorRT-LLM", precision: "fp8" },
      { persona: "tensorrt-llm", kvType: "fp8" },
    ],
    [
      { engine: "trtllm", precision: "fp8 block" },
      { persona: "tensorrt-llm", kvType: "bf16" },
    ],
    [{ engine_version: "0.12.0" }, { asyncScheduling: false }],
    [{ engine_version: "0.14.1" }, { asyncScheduling: true }],
    [{ engine_version: "unspecified", notes: "measured 2025-10-29" }, { asyncScheduling: false }],
    [{ ttft_stat: "median of 5" }, { ttftStatistic: "median" }],
    [{ ttft_stat: "p99" }, { ttftMs: null }],
    [{ ttft_ms: "" }, { ttftMs: null }],
    [{ model: "Llama-3.1-8B-Instruct-FP8", precision: "FP8" }, { weights: "fp8" }],
  ] satisfies [Cells, object][])("%o", async (cells, expected) => {
    expect(await figure(cells)).toMatchObject(expected);
  });

  test.each([
    [
      "lengths uniform 0.8-1.0x; max-num-seqs = concurrency",
      { lengthShareMin: 0.8, sequencesMax: 16 },
    ],
    ["max_num_batched_tokens 2048 max_num_seqs 128", { stepTokensMax: 2048, sequencesMax: 128 }],
    ["44 distinct prompts reused (near-full prefix hits)", { distinctPrompts: 44 }],
    ["aic gap-analysis record; tp1 dp1 moe_ep1", { stepTokensMax: 16 + 1024 + 1500, chat: true }],
    ["KV pool ~6-8k tokens only", { kvCapacityTokens: 7_000 }],
  ])("%s", async (notes, expected) => {
    expect((await figure({ notes })).client).toMatchObject(expected);
  });
});

test.each([
  ["that is not there", "/nowhere/figures.csv", "cannot be read"],
  ["without the columns", new URL(import.meta.url).pathname, "lacks the column"],
])("a file %s is refused in a sentence", async (_what, file, sentence) => {
  await expect(readFigures(file)).rejects.toThrow(FiguresError);
  await expect(readFigures(file)).rejects.toThrow(sentence);
});

describe("a row no engine would run", () => {
  test.each([
    [
      "longer than the model's context",
      { model: "Llama-2-7b-chat-hf", isl: "8192" },
      "longer than",
    ],
    [
      "weights larger than the card",
      { model: "Llama-3.3-70B-Instruct", itl_or_tpot_ms: "50" },
      "does not fit",
    ],
  ])("%s is refused in a sentence", async (_what, cells, sentence) => {
    const published = await figure(cells);
    expect(() => runFigure(published)).toThrow(SetupError);
    expect(() => runFigure(published)).toThrow(sentence);
  });
});

test("quotes, commas and blank lines in a table are read as such", async () => {
  const notes = 'lengths "uniform 0.8-1.0x", as published';
  expect((await read({ notes }, {})).figures.map(({ line }) => line)).toEqual([2, 3]);
});

test("every eighth published row is met: TPOT within 6 % at the median and 16 % at the p90, TTFT within 35 %", async () => {
  const { figures } = await readFigures(PUBLISHED);
  expect(figures.length).toBeGreaterThan(750);
  const errors = figures
    .filter((_, index) => index % 8 === 0)
    .map((published) => {
      const simulated = runFigure(published);
      const off = (of: number, from: number): number => Math.abs(of / from - 1);
      return {
        tpot: off(simulated.tpotMs, published.tpotMs),
        ttft: off(simulated.ttftMs, published.ttftMs ?? Number.NaN),
      };
    });
  const tpot = errors.map((error) => error.tpot).toSorted((a, b) => a - b);
  expect(median(tpot)).toBeLessThan(0.06);
  expect(tpot[Math.floor(0.9 * tpot.length)]).toBeLessThan(0.16);
  expect(median(errors.map((error) => error.ttft))).toBeLessThan(0.35);
});
