import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { formOf } from "../../../proxy/telemetry/exposition-page.ts";
import { LABEL_SETS_MAX } from "../../../proxy/telemetry/families.ts";
import {
  type MetricName,
  type MetricRow,
  metricTable,
} from "../../../proxy/telemetry/metric-table.ts";
import type { SloOptions } from "../../../proxy/telemetry/options.ts";
import { createTelemetry, type Telemetry } from "../../../proxy/telemetry/telemetry.ts";
import { begin, DONE, exchangeOf, fleetOf, TOKEN } from "../../harness/exchanges.ts";
import { delimitedMessages } from "../../harness/protobuf.ts";
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
  const page = await meter.prometheus.page(form, { feed, slos, release: "0.1.0" });
  const text = page.body as string;
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

  test("carries native histograms in protobuf, the same values beside the classic buckets", async () => {
    const { meter } = busy();
    meter.settle();
    const { feed, slos } = meter;
    const page = await meter.prometheus.page("protobuf", { feed, slos, release: "0.1.0" });
    expect(page.contentType).toContain("proto=io.prometheus.client.MetricFamily");
    const families = delimitedMessages(page.body as Uint8Array);
    expect(families.map((family) => family.text(1))).toEqual(Object.keys(metricTable));
    const ttft = families.find((family) => family.text(1) === "pitot_time_to_first_token_seconds")!;
    expect([ttft.int(3), ttft.text(2)]).toEqual([
      4,
      metricTable.pitot_time_to_first_token_seconds.help,
    ]);
    const [metric] = ttft.messages(4);
    const labels = metric!.messages(1).map((pair) => [pair.text(1), pair.text(2)]);
    expect(Object.fromEntries(labels)).toEqual({ model: "m", replica: "r0", origin: "real" });
    const histogram = metric!.messages(7)[0]!;
    expect([histogram.int(1), histogram.sint(5)]).toEqual([2, 6]);
    expect(histogram.double(2)).toBeCloseTo(0.35, 9);
    // Two runs of one bucket: 0.1 s and 0.25 s, each within 1 % of its border's reach.
    const [first, second] = histogram.messages(12);
    expect([first!.int(2), second!.int(2)]).toEqual([1, 1]);
    const at = first!.sint(1);
    const upper = (bucket: number): number => 2 ** (bucket / 64);
    expect(Math.abs(upper(at) / 0.1 - 1)).toBeLessThan(0.012);
    expect(Math.abs(upper(at + 1 + second!.sint(1)) / 0.25 - 1)).toBeLessThan(0.012);
    expect(histogram.sints(13)).toEqual([1, 0]);
    const classic = histogram.messages(3).at(-1)!;
    expect([classic.int(1), classic.double(2)]).toEqual([2, Infinity]);
    const exemplars = histogram.messages(3).flatMap((bucket) => bucket.messages(3));
    expect(exemplars[0]!.messages(1)[0]!.text(2)).toBe("4bf92f3577b34da6a3ce929d0e0e4736");
  });

  test.each([
    [undefined, "prometheus"],
    ["text/plain;version=0.0.4;q=0.3,*/*;q=0.2", "prometheus"],
    ["application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3", "openmetrics"],
    [
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5",
      "protobuf",
    ],
  ])("asked for %j comes as %s", (accept, form) => {
    expect(formOf(accept)).toBe(form);
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
