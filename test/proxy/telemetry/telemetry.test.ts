import { describe, expect, test } from "vitest";
import { engines } from "../../../engines/index.ts";
import type { Origin } from "../../../engines/exchange.ts";
import { ExchangeTimer } from "../../../engines/exchange-timer.ts";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { EXCHANGES_MAX, ExchangeRing } from "../../../proxy/telemetry/exchange-ring.ts";
import { Feed } from "../../../proxy/telemetry/feed.ts";
import { metricTable } from "../../../proxy/telemetry/metric-table.ts";
import { Prometheus } from "../../../proxy/telemetry/prometheus.ts";
import { Traffic } from "../../../proxy/telemetry/traffic.ts";
import { readExposition } from "../../../engines/exposition.ts";
import type { Fleet, ReplicaView } from "../../../proxy/upstream/fleet.ts";

const token = Buffer.from('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
const done = Buffer.from(
  'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\ndata: [DONE]\n\n',
);
let nextId = 0;

function begin(
  clock: VirtualClock,
  feed: Feed,
  { origin = "real", model = "m" }: { origin?: Origin; model?: string } = {},
): ExchangeTimer {
  const timer = new ExchangeTimer(
    {
      id: `x${nextId++}`,
      origin,
      route: "chat",
      model,
      streamed: true,
      startedMs: clock.nowMs(),
      bytesIn: 0,
    },
    clock,
  );
  feed.began(timer);
  timer.received();
  timer.routed("r0", engines.vllm, {
    policy: "least-in-flight",
    reason: "least_in_flight",
    sentence: "…",
  });
  timer.headers(200, "text/event-stream");
  return timer;
}

const view = (models: readonly string[]): ReplicaView => ({
  id: "r0",
  url: "http://r0",
  engine: "vllm",
  version: null,
  models,
  state: "up",
  because: "",
  sinceMs: 0,
  weight: 1,
  inFlight: 0,
  breakerOpen: false,
  stats: null,
  statsAtMs: null,
  lastProbe: null,
});
const fleetOf = (models: readonly string[]): Fleet => ({
  views: () => [view(models)],
  add: () => view(models),
  remove: () => {},
  drain: () => {},
  undrain: () => {},
  disable: () => {},
});

describe("traffic", () => {
  test("counts output in the second it came, unfinished requests included, and each token once", () => {
    const clock = new VirtualClock();
    const traffic = new Traffic(clock);
    const feed = new Feed([traffic]);
    const timer = begin(clock, feed);
    clock.advance(100);
    timer.chunk(token);
    clock.advance(900);
    const first = traffic.tick();
    timer.chunk(token);
    timer.chunk(token);
    timer.chunk(done);
    feed.closed(timer, timer.end({ kind: "answered" }));
    clock.advance(1_000);
    const second = traffic.tick();
    expect([first.real.outputTokens, second.real.outputTokens]).toEqual([1, 2]);
    expect([first.real.inFlight, second.real.inFlight]).toEqual([1, 0]);
    expect(first.real.ttft.filter((_, index) => index % 2 === 1)).toEqual([1]);
    expect(second.real.ttft).toEqual([]);
    expect(second.real.ended).toEqual({ completed: 1 });
  });

  test("never mixes real and synthetic, and counts probes nowhere", () => {
    const clock = new VirtualClock();
    const traffic = new Traffic(clock);
    const feed = new Feed([traffic]);
    for (const origin of ["real", "synthetic", "synthetic", "probe"] as const) {
      const timer = begin(clock, feed, { origin });
      timer.chunk(token);
      timer.chunk(done);
      feed.closed(timer, timer.end({ kind: "answered" }));
    }
    const tick = traffic.tick();
    expect(tick.real.ended).toEqual({ completed: 1 });
    expect(tick.synthetic.ended).toEqual({ completed: 2 });
    expect(tick.byReplica["r0"]!.real.outputTokens).toBe(3);
  });

  test("a window is the sum of its seconds and forgets older ones", () => {
    const clock = new VirtualClock();
    const traffic = new Traffic(clock);
    const feed = new Feed([traffic]);
    for (let second = 0; second < 10; second++) {
      const timer = begin(clock, feed);
      clock.advance(50 * (second + 1));
      timer.chunk(token);
      timer.chunk(done);
      feed.closed(timer, timer.end({ kind: "answered" }));
      clock.advance(1_000 - 50 * (second + 1));
      traffic.tick();
    }
    const window = traffic.window(4_000, { population: "real" });
    expect(window.ended).toEqual({ completed: 4 });
    expect(window.inputTokens).toBe(28);
    expect(Math.abs(window.ttft.quantile(1)! - 500) / 500).toBeLessThan(0.01);
    expect(traffic.window(4_000, { population: "real", replica: "nobody" }).ended).toEqual({});
  });
});

describe("the metrics page", () => {
  async function page(
    models: readonly string[],
    asked: string,
  ): Promise<ReturnType<typeof readExposition>> {
    const clock = new VirtualClock();
    const prometheus = new Prometheus(fleetOf(models), clock);
    const feed = new Feed([prometheus]);
    const timer = begin(clock, feed, { model: asked });
    clock.advance(250);
    timer.chunk(token);
    clock.advance(20);
    timer.chunk(Buffer.concat([token, done]));
    feed.closed(timer, timer.end({ kind: "answered" }));
    return readExposition(await prometheus.text());
  }

  test("holds every family of the table", async () => {
    const names = new Set(
      (await page(["m"], "m")).map((sample) => sample.name.replace(/_(bucket|sum|count)$/, "")),
    );
    const silent = [
      "pitot_cached_input_tokens_total",
      "pitot_wasted_tokens_total",
      "pitot_engine_running",
      "pitot_engine_waiting",
      "pitot_engine_kv_cache_usage_ratio",
      "pitot_engine_stats_age_seconds",
    ];
    expect(
      Object.keys(metricTable).filter((name) => !names.has(name) && !silent.includes(name)),
    ).toEqual([]);
  });

  test("puts a first token of 250 ms between its buckets, in seconds", async () => {
    const bucket = async (le: string): Promise<number | undefined> =>
      (await page(["m"], "m")).find(
        (sample) =>
          sample.name === "pitot_time_to_first_token_seconds_bucket" && sample.labels["le"] === le,
      )?.value;
    expect(await bucket("0.2")).toBe(0);
    expect(await bucket("0.3")).toBe(1);
  });

  test("folds a model nobody serves into other: a client cannot make labels", async () => {
    const models = (await page(["m"], "made-up"))
      .filter((sample) => sample.name === "pitot_requests_total")
      .map((sample) => sample.labels["model"]);
    expect(models).toEqual(["other"]);
  });

  test("has every objective's bucket", () => {
    expect(metricTable.pitot_time_to_first_token_seconds.buckets).toEqual(
      expect.arrayContaining([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 5, 10, 30, 60]),
    );
  });
});

test("the ring keeps the newest and forgets the oldest", () => {
  const clock = new VirtualClock();
  const ring = new ExchangeRing();
  const feed = new Feed([ring]);
  const ids: string[] = [];
  for (let index = 0; index < EXCHANGES_MAX + 10; index++) {
    const timer = begin(clock, feed);
    ids.push(timer.start.id);
    feed.closed(timer, timer.end({ kind: "cancelled" }));
  }
  expect([...ring.newest()]).toHaveLength(EXCHANGES_MAX);
  expect(ring.find(ids[0]!)).toBeUndefined();
  expect(ring.find(ids.at(-1)!)?.outcome.kind).toBe("cancelled");
  expect(ring.total).toBe(EXCHANGES_MAX + 10);
});
