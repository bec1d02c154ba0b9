import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Clock } from "../../../engines/clock.ts";
import { systemRandom } from "../../../engines/random.ts";
import type { Fact } from "../fact.ts";
import type { Families } from "../families.ts";
import type { OtlpOptions } from "../options.ts";
import type { Sink } from "../sink.ts";
import { metricData } from "./metric-data.ts";
import { SpanWriter } from "./spans.ts";

/** The batch processor's own defaults (OpenTelemetry specification, "Batching processor"), with a quicker timeout. */
const SPANS_QUEUED_MAX = 2_048;
const SPANS_A_BATCH_MAX = 512;
const EXPORT_TIMEOUT_MS = 5_000;
const METRICS_EVERY_MS = 60_000;
/** `ExportResultCode.SUCCESS` of @opentelemetry/core. */
const SUCCESS = 0;

export interface OtlpParts {
  readonly options: OtlpOptions;
  readonly clock: Clock;
  readonly release: string;
  /** Where the metrics are counted; known once telemetry is put together. */
  readonly families: () => Families;
}

interface ExportResult {
  readonly code: number;
}

/**
 * Traces and metrics to a collector over OTLP/HTTP with protobuf. One export of each kind at a time; what comes meanwhile
 * waits in a bounded queue, and what does not fit is dropped and counted. A collector that is slow, broken or gone is
 * never felt elsewhere.
 */
export class Otlp implements Sink {
  readonly name = "otlp";
  dropped = 0;
  readonly #options: OtlpOptions;
  readonly #clock: Clock;
  readonly #families: () => Families;
  readonly #resource: Resource;
  readonly #writer: SpanWriter;
  readonly #traces: OTLPTraceExporter | null;
  readonly #metrics: OTLPMetricExporter | null;
  readonly #startedMs: number;
  #queue: ReadableSpan[] = [];
  #sending: Promise<void> | null = null;
  #measuring = false;
  #measuredMs: number;

  constructor({ options, clock, release, families }: OtlpParts) {
    this.#options = options;
    this.#clock = clock;
    this.#families = families;
    this.#startedMs = clock.nowMs();
    this.#measuredMs = this.#startedMs;
    this.#resource = resourceFromAttributes({
      "service.name": options.serviceName ?? "pitot",
      "service.version": release,
    });
    this.#writer = new SpanWriter(this.#resource, systemRandom());
    const root = options.endpoint.replace(/\/+$/, "");
    const shared = { headers: { ...options.headers }, timeoutMillis: EXPORT_TIMEOUT_MS };
    const traces = { ...shared, url: `${root}/v1/traces`, concurrencyLimit: 1 };
    this.#traces = options.traces === false ? null : new OTLPTraceExporter(traces);
    const metrics = { ...shared, url: `${root}/v1/metrics`, concurrencyLimit: 1 };
    this.#metrics = options.metrics === false ? null : new OTLPMetricExporter(metrics);
  }

  take(fact: Fact): void {
    if (this.#traces === null || fact.exchange.origin === "probe") return;
    const spans = this.#writer.spansOf(fact);
    if (this.#queue.length + spans.length > SPANS_QUEUED_MAX) this.dropped += spans.length;
    else this.#queue.push(...spans);
  }

  flush(nowMs: number): void {
    this.#sending ??= this.#send().finally(() => {
      this.#sending = null;
    });
    if (nowMs - this.#measuredMs < (this.#options.metricsEveryMs ?? METRICS_EVERY_MS)) return;
    this.#measuredMs = nowMs;
    if (this.#measuring) return;
    this.#measuring = true;
    void this.#measure().finally(() => {
      this.#measuring = false;
    });
  }

  /** Sends what is left, within the time one export may take. */
  async stop(): Promise<void> {
    const rest = async (): Promise<void> => {
      await this.#sending;
      await Promise.all([this.#send(), this.#measure()]);
    };
    const limit = new AbortController();
    await Promise.race([rest(), this.#clock.after(EXPORT_TIMEOUT_MS, limit.signal)]);
    limit.abort();
    this.dropped += this.#queue.length;
    this.#queue = [];
    // What still hangs is let go: shutting the exporters down would wait for it.
    void this.#traces?.shutdown().catch(() => {});
    void this.#metrics?.shutdown().catch(() => {});
  }

  async #send(): Promise<void> {
    const exporter = this.#traces;
    if (exporter === null) return;
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, SPANS_A_BATCH_MAX);
      const { code } = await done((told) => {
        exporter.export(batch, told);
      });
      if (code === SUCCESS) continue;
      this.dropped += batch.length;
      return;
    }
  }

  async #measure(): Promise<void> {
    const exporter = this.#metrics;
    if (exporter === null) return;
    const data = metricData({
      families: this.#families(),
      resource: this.#resource,
      startedMs: this.#startedMs,
      nowMs: this.#clock.nowMs(),
      conventions: this.#options.conventions ?? "v1.41",
    });
    const { code } = await done((told) => {
      // The exporter brings a copy of the SDK of its own, and with it the same enums under other types.
      // oxlint-disable-next-line typescript/no-unsafe-enum-assignment
      exporter.export(data, told);
    });
    if (code !== SUCCESS) this.dropped++;
  }
}

function done(start: (told: (result: ExportResult) => void) => void): Promise<ExportResult> {
  return new Promise((resolve) => {
    start(resolve);
  });
}
