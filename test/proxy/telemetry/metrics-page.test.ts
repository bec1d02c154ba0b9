import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { LABEL_SETS_MAX } from "../../../proxy/telemetry/families.ts";
import {
  type MetricName,
  type MetricRow,
  metricTable,
} from "../../../proxy/telemetry/metric-table.ts";
import type { SloOptions } from "../../../proxy/telemetry/options.ts";
import { createTelemetry, type Telemetry } from "../../../proxy/telemetry/telemetry.ts";
import { begin, DONE, exchangeOf, fleetOf, TOKEN } from "../../harness/exchanges.ts";
import { parseExposition, type Family } from "../../harness/exposition-parser.ts";

const SLO: SloOptions = {
  name: 'first "token"\\\n',
  objective: 0.95,
  targets: [{ metric: "ttft", belowMs: 333 }],
  windowMs: 28 * 24 * 3_600_000,
};

function meterOf(replicas: readonly string[] = ["r0"]): { clock: VirtualClock; meter: Telemetry } {
  const clock = new VirtualClock(1_800_000_000_000);
  const fleet = fleetOf(["m"], replicas);
  const meter = createTelemetry({ clock, fleet, options: { slos: [SLO] } });
  return { clock, meter };
}

async function pageOf(
  meter: Telemetry,
  form: "prometheus" | "openmetrics" = "prometheus",
): Promise<{ text: string; families: ReadonlyMap<string, Family> }> {
  meter.settle();
  const { feed, slos } = meter;
  const { text } = await meter.prometheus.page(form, { feed, slos, release: "0.1.0" });
  return { text, families: parseExposition(text, form) };
}

function busy(asked = "m"): { clock: VirtualClock; meter: Telemetry } {
  const { clock, meter } = meterOf();
  const timer = begin(clock, meter.feed, { model: asked });
  clock.advance(250);
  timer.chunk(TOKEN);
  clock.advance(20);
  timer.chunk(Buffer.concat([TOKEN, DONE]));
  meter.feed.closed(timer, timer.end({ kind: "answered" }));
  const trace = {
    traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
    spanId: null,
    parentSpanId: "00f067aa0ba902b7",
    sampled: true,
    state: null,
  };
  meter.feed.ended({ ...exchangeOf({ endedMs: clock.nowMs(), ttftMs: 100 }), trace });
  const cancelled = { kind: "cancelled", phase: "decode" } as const;
  meter.feed.ended(exchangeOf({ endedMs: clock.nowMs(), outcome: cancelled }));
  clock.advance(11_000);
  return { clock, meter };
}

describe("the metrics page", () => {
  test.each(["prometheus", "openmetrics"] as const)(
    "parses strictly as %s and is the table: names, types, labels, help",
    async (form) => {
      const { families } = await pageOf(busy().meter, form);
      for (const [name, row] of Object.entries(metricTable) as [MetricName, MetricRow][]) {
        const family = families.get(form === "openmetrics" ? name.replace(/_total$/, "") : name);
        expect([name, family?.type, family?.help]).toEqual([name, row.type, row.help]);
        for (const sample of family!.samples) {
          const labels = Object.keys(sample.labels).filter((label) => label !== "le");
          expect([name, labels.toSorted()]).toEqual([name, row.labels.toSorted()]);
        }
      }
      expect(families.size).toBe(Object.keys(metricTable).length);
    },
  );

  test("puts a first token of 250 ms between its buckets, in seconds", async () => {
    const { families } = await pageOf(busy().meter);
    const { samples } = families.get("pitot_time_to_first_token_seconds")!;
    const upTo = (le: string): number | undefined =>
      samples.find((one) => one.name.endsWith("_bucket") && one.labels["le"] === le)?.value;
    expect([upTo("0.05"), upTo("0.1"), upTo("0.2"), upTo("0.3"), upTo("+Inf")]).toEqual([
      0, 1, 1, 2, 2,
    ]);
    expect(samples.find((one) => one.name.endsWith("_sum"))?.value).toBeCloseTo(0.35, 9);
  });

  test("has every usual objective's border, and the ones that were promised", async () => {
    expect(metricTable.pitot_time_to_first_token_seconds.buckets).toEqual(
      expect.arrayContaining([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 5, 10, 30, 60]),
    );
    const { text } = await pageOf(busy().meter);
    expect(text).toMatch(/pitot_time_to_first_token_seconds_bucket\{.*le="0.333"\} 2/);
  });

  test("tells of promises: good, valid, burn, what is left", async () => {
    const { families } = await pageOf(busy().meter);
    const value = (name: string): number | undefined => families.get(name)?.samples[0]?.value;
    expect([value("pitot_slo_good_total"), value("pitot_slo_valid_total")]).toEqual([2, 2]);
    expect(value("pitot_slo_error_budget_remaining_ratio")).toBe(1);
    const windows = families
      .get("pitot_slo_burn_rate")!
      .samples.map(({ labels }) => labels["window"]);
    expect(windows).toEqual(expect.arrayContaining(["5m", "1h", "6h", "1d", "3d", "28d"]));
    expect(families.get("pitot_slo_good_total")!.samples[0]!.labels["slo"]).toBe(SLO.name);
  });

  test("shows exemplars with their trace where the form has room for them, and only there", async () => {
    const { meter } = busy();
    const { families } = await pageOf(meter, "openmetrics");
    const exemplars = families
      .get("pitot_time_to_first_token_seconds")!
      .samples.flatMap(({ exemplar }) => (exemplar === undefined ? [] : [exemplar]));
    expect(exemplars).toEqual([
      {
        labels: { trace_id: "4bf92f3577b34da6a3ce929d0e0e4736" },
        value: 0.1,
        timestamp: 1_800_000_000.27,
      },
    ]);
    expect((await pageOf(meter)).text).not.toContain("trace_id");
  });

  test("folds a model nobody serves into other: a client cannot make labels", async () => {
    const { families } = await pageOf(busy("made-up").meter);
    const models = families
      .get("pitot_requests_total")!
      .samples.map(({ labels }) => labels["model"]);
    expect(new Set(models)).toEqual(new Set(["other", "m"]));
  });

  test("I18 a hundred thousand model names make one series, and the page stays small", async () => {
    const { clock, meter } = meterOf();
    for (let index = 0; index < 100_000; index++)
      meter.feed.ended(exchangeOf({ endedMs: clock.nowMs(), model: `made-up-${index}` }));
    const { families, text } = await pageOf(meter);
    const { samples } = families.get("pitot_requests_total")!;
    expect(new Set(samples.map(({ labels }) => labels["model"]))).toEqual(new Set(["other"]));
    expect(samples.reduce((sum, one) => sum + one.value, 0)).toBe(100_000);
    expect(text.length).toBeLessThan(1_000_000);
  });

  test("I19 a model name of breaks and escapes leaves the page readable", async () => {
    const { clock, meter } = meterOf();
    for (const model of [
      "a\nb",
      "a\rb",
      "\u001b[31m",
      "\u2028",
      'a"b',
      "\\",
      "x".repeat(1_000_000),
    ])
      meter.feed.ended(exchangeOf({ endedMs: clock.nowMs(), model }));
    const { text } = await pageOf(meter);
    for (const bad of ["\u001b", "\u2028", "\r", "x".repeat(100)]) expect(text).not.toContain(bad);
  });

  test("K08: stays bounded with a thousand replicas, and no request is lost from the sums", async () => {
    const { clock, meter } = meterOf();
    for (let index = 0; index < 1_000; index++)
      meter.feed.ended(exchangeOf({ endedMs: clock.nowMs(), replica: `r${index}` }));
    const { families } = await pageOf(meter);
    const { samples } = families.get("pitot_requests_total")!;
    expect(samples.length).toBe(LABEL_SETS_MAX + 1);
    expect(samples.reduce((sum, one) => sum + one.value, 0)).toBe(1_000);
    expect(samples.find(({ labels }) => labels["replica"] === "other")!.value).toBe(
      1_000 - LABEL_SETS_MAX,
    );
  });

  test("counts its own series, and sixteen replicas of one model each stay under five thousand", async () => {
    const replicas = Array.from({ length: 16 }, (_, index) => `r${index}`);
    const { clock, meter } = meterOf(replicas);
    for (const replica of replicas)
      for (const origin of ["real", "synthetic"] as const)
        meter.feed.ended(exchangeOf({ endedMs: clock.nowMs(), replica, origin }));
    const { families } = await pageOf(meter);
    const lines = [...families.values()].reduce((sum, { samples }) => sum + samples.length, 0);
    expect(families.get("pitot_metrics_series")!.samples[0]!.value).toBe(lines);
    expect(lines).toBeLessThan(5_000);
  });

  test.runIf(spawnSync("promtool", ["--version"]).error === undefined)(
    "pleases promtool",
    async () => {
      const { text } = await pageOf(busy().meter);
      const checked = spawnSync("promtool", ["check", "metrics"], { input: text });
      expect(checked.stderr.toString()).not.toMatch(/error|parse/i);
    },
  );
});
