import { describe, expect, test } from "vitest";
import { readProgress } from "../../../engines/launch/load-progress.ts";
import { LogLines, LogTail } from "../../../engines/launch/log-lines.ts";

function heard(...chunks: (string | Buffer)[]): { lines: string[]; unfinished: string[] } {
  const lines: string[] = [];
  const unfinished: string[] = [];
  const log = new LogLines({
    line: (text) => lines.push(text),
    unfinished: (text) => unfinished.push(text),
  });
  for (const chunk of chunks) log.write(Buffer.from(chunk));
  log.end();
  return { lines, unfinished };
}

describe("an engine's log", () => {
  test("is lines, however its bytes are cut", () => {
    const bytes = Buffer.from("one → 1\r\ntwo\rthree\n\nfour");
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { lines } = heard(bytes.subarray(0, cut), bytes.subarray(cut));
      expect(lines).toEqual(["one → 1", "two", "three", "four"]);
    }
  });

  test("loses its colours", () => {
    expect(heard("\u001B[1;36m(EngineCore pid=301)\u001B[0;0m ready\u001B[K\n").lines).toEqual([
      "(EngineCore pid=301) ready",
    ]);
  });

  test("without a line end is heard unfinished and never grows without bound", () => {
    const { unfinished, lines } = heard(...Array.from({ length: 100 }, () => "x".repeat(1_000)));
    expect(unfinished.length).toBeGreaterThan(50);
    expect(Math.max(...unfinished.map((text) => text.length))).toBeLessThanOrEqual(4_096);
    expect(lines.map((line) => line.length)).toEqual([4_096]);
  });

  test("is remembered by its end", () => {
    const tail = new LogTail();
    for (let line = 0; line < 10_000; line++) tail.push(`line ${line}`);
    expect(tail.last(2)).toEqual(["line 9998", "line 9999"]);
    expect(tail.last(1e9).length).toBeLessThanOrEqual(200);
  });
});

describe("progress", () => {
  test.each([
    [
      "Loading safetensors checkpoint shards:  25% Completed | 1/4 [00:01<00:03,  1.2s/it]",
      "loading weights",
      0.25,
    ],
    [
      "(Worker_TP0 pid=576689) Loading safetensors checkpoint shards:  54% Completed | 20/37",
      "loading weights",
      0.54,
    ],
    ["Multi-thread loading shards: 100% Completed | 4/4 [00:02<00:00]", "loading weights", 1],
    ["Loading safetensors weights in parallel:  50%|█████     | 2/4", "loading weights", 0.5],
    ["Fetching 12 files:   8%|▊         | 1/12 [00:01<00:12]", "downloading", 0.08],
    ["Capturing CUDA graphs (decode, FULL):  40%|████      | 14/35", "capturing graphs", 0.4],
    [
      "Capturing batches (bs=160 avail_mem=8.5 GB):  17%|█▋        | 4/23",
      "capturing graphs",
      0.17,
    ],
    ["[2026-08-20 10:00:00] Load weight begin. avail mem=78.58 GB", "loading weights", null],
    [
      "load_tensors: loading model tensors, this can take a while... (mmap = true)",
      "loading weights",
      null,
    ],
    ["INFO 06-21 [backends.py:215] torch.compile takes 24.09 s in total", "compiling", null],
    [".....", "loading weights", 0.05],
    [".".repeat(100), "loading weights", 1],
    [".".repeat(400), "loading weights", 1],
  ])("%s", (line, phase, ratio) => {
    expect(readProgress(line)).toEqual({ phase, ratio });
  });

  test.each([
    "INFO:     Application startup complete.",
    'INFO: 127.0.0.1:5000 - "GET /health HTTP/1.1" 200 OK',
    "...and so on",
    "",
    "GPU KV cache size: 432,156 tokens",
  ])("is not read into %j", (line) => {
    expect(readProgress(line)).toBeNull();
  });
});
