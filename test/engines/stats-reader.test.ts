import { describe, expect, test } from "vitest";
import { NO_STATS, withoutLoad } from "../../engines/engine-stats.ts";
import type { ProbeAnswer } from "../../engines/engine.ts";
import { engines } from "../../engines/index.ts";
import { StatsReader } from "../../engines/stats-reader.ts";

const signal = new AbortController().signal;

/** A server whose pages can be changed between readings. */
function pages(): {
  set: Map<string, string | number>;
  asked: string[];
  get: (path: string) => Promise<ProbeAnswer>;
} {
  const set = new Map<string, string | number>();
  const asked: string[] = [];
  return {
    set,
    asked,
    get: (path) => {
      asked.push(path);
      const page = set.get(path) ?? 404;
      const [status, body] = typeof page === "number" ? [page, ""] : [200, page];
      return Promise.resolve({ path, status, headers: {}, body });
    },
  };
}

const vllmPage = (running: number, generated: number): string =>
  `vllm:num_requests_running{engine="0"} ${running}\nvllm:num_requests_waiting{engine="0"} 0\nvllm:generation_tokens_total{engine="0"} ${generated}\n`;

describe("statistics", () => {
  test("fill each other in over the pages of an engine", async () => {
    const { set, get } = pages();
    set.set("/slots", '[{"id":0,"n_ctx":4096,"is_processing":true}]');
    set.set("/metrics", "llamacpp:requests_processing 9\nllamacpp:requests_deferred 4\n");
    const reading = await new StatsReader(engines["llama.cpp"].stats, get).read(0, 1, signal);
    expect(reading?.stats).toMatchObject({ running: 1, waiting: 4, maxSequences: 1 });
  });

  test("of a page that is switched off are asked for again only after a minute", async () => {
    const { set, asked, get } = pages();
    set.set("/slots", '[{"id":0,"is_processing":false}]');
    set.set("/metrics", 501);
    const reader = new StatsReader(engines["llama.cpp"].stats, get);
    for (const nowMs of [0, 1_000, 59_000, 61_000]) await reader.read(nowMs, 0, signal);
    expect(asked.filter((path) => path === "/metrics")).toHaveLength(2);
    expect(asked.filter((path) => path === "/slots")).toHaveLength(4);
  });

  test("of a server that tells nothing are none", async () => {
    expect(await new StatsReader(engines.vllm.stats, pages().get).read(0, 0, signal)).toBeNull();
    expect(await new StatsReader(engines.openai.stats, pages().get).read(0, 0, signal)).toBeNull();
  });

  test("of an idle engine may stand still for an hour", async () => {
    const { set, get } = pages();
    set.set("/metrics", vllmPage(0, 100));
    const reader = new StatsReader(engines.vllm.stats, get);
    await reader.read(0, 0, signal);
    const reading = await reader.read(3_600_000, 0, signal);
    expect(reading).toMatchObject({ frozen: false, movedAtMs: 0 });
  });

  test.each([
    ["our requests are over and it still counts them (sglang#26495)", 3, [3, 0, 0]],
    ["it counts none of ours (TensorRT-LLM between two finishes)", 0, [2, 2, 2]],
    ["they came and went and it never noticed", 1, [1, 4, 1]],
  ])("are frozen when %s", async (_name, running, inFlight) => {
    const { set, get } = pages();
    set.set("/metrics", vllmPage(running, 100));
    const reader = new StatsReader(engines.vllm.stats, get);
    await reader.read(0, inFlight[0]!, signal);
    const early = await reader.read(1_000, inFlight[1]!, signal);
    expect(early?.frozen).toBe(false);
    const late = await reader.read(9_000, inFlight[2]!, signal);
    expect(late).toMatchObject({ frozen: true, movedAtMs: 0 });
    expect(late?.because).toContain("9 s");
  });

  test("of one long request that moves nothing else are believed", async () => {
    const { set, get } = pages();
    set.set("/slots", '[{"id":0,"is_processing":true}]');
    const reader = new StatsReader(engines["llama.cpp"].stats, get);
    await reader.read(0, 1, signal);
    expect((await reader.read(60_000, 1, signal))?.frozen).toBe(false);
  });

  test("thaw as soon as anything moves", async () => {
    const { set, get } = pages();
    set.set("/metrics", vllmPage(3, 100));
    const reader = new StatsReader(engines.vllm.stats, get);
    await reader.read(0, 3, signal);
    await reader.read(1_000, 0, signal);
    expect((await reader.read(9_000, 0, signal))?.frozen).toBe(true);
    set.set("/metrics", vllmPage(0, 130));
    expect(await reader.read(10_000, 0, signal)).toMatchObject({
      frozen: false,
      movedAtMs: 10_000,
    });
  });

  test("whose own timestamp advances live, though nothing else moves", async () => {
    const { set, get } = pages();
    const page = (seconds: number): string =>
      JSON.stringify({ loads: [{ timestamp: seconds, num_running_reqs: 0, num_waiting_reqs: 0 }] });
    set.set("/v1/loads?include=core", page(1));
    const reader = new StatsReader(engines.sglang.stats, get);
    await reader.read(0, 2, signal);
    await reader.read(2_000, 2, signal);
    set.set("/v1/loads?include=core", page(2));
    expect((await reader.read(9_000, 2, signal))?.frozen).toBe(false);
  });

  test("whose counters went back come from a restarted engine", async () => {
    const { set, get } = pages();
    set.set("/metrics", vllmPage(1, 5_000));
    const reader = new StatsReader(engines.vllm.stats, get);
    expect((await reader.read(0, 1, signal))?.restarted).toBe(false);
    set.set("/metrics", vllmPage(1, 12));
    expect((await reader.read(1_000, 1, signal))?.restarted).toBe(true);
    expect((await reader.read(2_000, 1, signal))?.restarted).toBe(false);
  });

  test("once frozen keep what is fixed and lose what moves with the load", () => {
    const stats = { ...NO_STATS, running: 3, waiting: 1, maxSequences: 256 };
    expect(withoutLoad(stats)).toEqual({ ...NO_STATS, maxSequences: 256 });
  });
});
