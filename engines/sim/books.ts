import type { CoreStats, StepReport } from "./engine-core.ts";
import { Histogram } from "./histogram.ts";
import type { FinishReason } from "./personas/answer-writer.ts";
import type { Borders } from "./personas/persona.ts";

/** One request in the simulated engine's own books: what a test compares a meter with. */
export interface LedgerRow {
  readonly id: string;
  /** Path it was asked at. */
  readonly route: string;
  readonly receivedMs: number;
  readonly inputTokens: number;
  readonly streamed: boolean;
  cachedTokens: number;
  outputTokens: number;
  scheduledMs: number | null;
  firstTokenMs: number | null;
  lastTokenMs: number | null;
  /** The client's hang-up reached the engine. */
  abortedMs: number | null;
  finishedMs: number | null;
}

/** How a request left the engine. */
export type Departure = FinishReason | "abort" | "error";

/** Steps remembered for pages that tell of single iterations: TensorRT-LLM's own bound. */
const STEPS_MAX = 1_000;
/** Decode steps over which SGLang reports its throughput (`--decode-log-interval`). */
const REPORT_DECODES = 40;
/** Decode steps between two of its load snapshots. */
const SNAPSHOT_DECODES = 15;

const STEP_TOKENS = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];
const CHOICES = [1, 2, 5, 10, 20];

/** What the engine counts and times of its requests since it started: the ground of its metrics. */
export class Books {
  readonly ttft: Histogram;
  readonly interToken: Histogram;
  readonly tpot: Histogram;
  readonly endToEnd: Histogram;
  readonly queue: Histogram;
  readonly prefill: Histogram;
  readonly decode: Histogram;
  readonly inference: Histogram;
  readonly promptTokens: Histogram;
  readonly computedTokens: Histogram;
  readonly outputTokens: Histogram;
  readonly tokensMax: Histogram;
  readonly choices = new Histogram(CHOICES);
  readonly stepTokens = new Histogram(STEP_TOKENS);
  readonly departed: Record<Departure, number> = {
    stop: 0,
    length: 0,
    tool_calls: 0,
    abort: 0,
    error: 0,
  };
  /** Counted when a request ends, as some engines do; by whether it was streamed. */
  readonly atFinish = {
    streamed: { requests: 0, prompt: 0, cached: 0, output: 0 },
    whole: { requests: 0, prompt: 0, cached: 0, output: 0 },
  };
  /** Tokens computed in prefill, per step as it happens. */
  prefillTokens = 0;
  prefillBusyMs = 0;
  promptMs = 0;
  predictedMs = 0;
  decodeTokens = 0;
  /** Longest sequence so far. */
  sequenceTokensMax = 0;
  /** Steps not yet asked for, oldest first. */
  readonly steps: { readonly iteration: number; readonly report: StepReport }[] = [];
  lastStep: StepReport | null = null;
  /** Gauges as of the last time the engine published them. */
  readonly gauges = {
    fortyDecodes: null as CoreStats | null,
    finish: null as CoreStats | null,
    snapshot: null as CoreStats | null,
  };
  /** Tokens per second over the last reported decode steps; stays when idle, as SGLang's does. */
  throughput = 0;
  readonly http = new Map<string, number>();
  httpActive = 0;
  #iterations = 0;
  #decodes = 0;
  #window = { sinceMs: 0, tokens: 0 };
  readonly #stats: () => CoreStats;
  readonly #perToken: boolean;

  constructor(borders: Borders, stats: () => CoreStats) {
    this.#perToken = borders.interTokenPer === "token";
    this.#stats = stats;
    this.ttft = new Histogram(borders.ttft);
    this.interToken = new Histogram(borders.interToken);
    this.tpot = new Histogram(borders.tpot);
    this.endToEnd = new Histogram(borders.endToEnd);
    this.queue = new Histogram(borders.queue);
    this.prefill = new Histogram(borders.prefill);
    this.decode = new Histogram(borders.phase);
    this.inference = new Histogram(borders.phase);
    this.promptTokens = new Histogram(borders.tokens);
    this.computedTokens = new Histogram(borders.tokens);
    this.outputTokens = new Histogram(borders.tokens);
    this.tokensMax = new Histogram(borders.tokens);
  }

  /** After each step of the core. */
  stepped(report: StepReport): void {
    const { prefillTokens, decodes, prompts, atMs, durationMs } = report;
    this.lastStep = report;
    this.stepTokens.observe(prefillTokens + decodes);
    this.prefillTokens += prefillTokens;
    if (prefillTokens > 0) this.prefillBusyMs += durationMs;
    this.steps.push({ iteration: ++this.#iterations, report });
    if (this.steps.length > STEPS_MAX) this.steps.shift();
    if (decodes > 0) this.#decodes++;
    if (prompts > 0 || this.#decodes % SNAPSHOT_DECODES === 0) this.gauges.snapshot = this.#stats();
    if (prompts === 0 && this.#decodes % REPORT_DECODES !== 0) return;
    this.gauges.fortyDecodes = this.#stats();
    if (prompts > 0) return;
    const seconds = (atMs - this.#window.sinceMs) / 1000;
    if (this.#window.sinceMs > 0 && seconds > 0) this.throughput = this.#window.tokens / seconds;
    this.#window = { sinceMs: atMs, tokens: 0 };
  }

  /** More tokens of a request came out of one step. */
  produced(row: LedgerRow, count: number, nowMs: number): void {
    const beforeMs = row.lastTokenMs;
    this.#window.tokens += count;
    if (beforeMs !== null) this.decodeTokens += count;
    if (beforeMs === null) this.ttft.observe((nowMs - row.receivedMs) / 1000);
    else this.interToken.observe((nowMs - beforeMs) / 1000, this.#perToken ? count : 1);
  }

  /** A request is over, however it ended. */
  left(
    row: LedgerRow,
    departure: Departure,
    facts: { readonly n: number; readonly tokensMax: number },
  ): void {
    this.departed[departure]++;
    const endMs = row.finishedMs ?? row.abortedMs ?? row.lastTokenMs ?? row.receivedMs;
    this.endToEnd.observe((endMs - row.receivedMs) / 1000);
    this.promptTokens.observe(row.inputTokens);
    this.computedTokens.observe(row.inputTokens - row.cachedTokens);
    this.outputTokens.observe(row.outputTokens);
    this.tokensMax.observe(facts.tokensMax);
    this.choices.observe(facts.n);
    this.sequenceTokensMax = Math.max(this.sequenceTokensMax, row.inputTokens + row.outputTokens);
    const sums = row.streamed ? this.atFinish.streamed : this.atFinish.whole;
    sums.requests++;
    sums.prompt += row.inputTokens;
    sums.cached += row.cachedTokens;
    sums.output += row.outputTokens;
    this.#phases(row);
    this.gauges.finish = this.#stats();
  }

  /** An answer went out: `path method status`. Only routes the engine has are counted, so the map is bounded. */
  answered(path: string, method: string, status: number): void {
    const key = `${path} ${method} ${status}`;
    this.http.set(key, (this.http.get(key) ?? 0) + 1);
  }

  #phases(row: LedgerRow): void {
    const { receivedMs, scheduledMs, firstTokenMs, lastTokenMs, outputTokens } = row;
    if (scheduledMs !== null) this.queue.observe(Math.max(0, scheduledMs - receivedMs) / 1000);
    if (scheduledMs === null || firstTokenMs === null || lastTokenMs === null) return;
    const prefillMs = Math.max(0, firstTokenMs - scheduledMs);
    this.prefill.observe(prefillMs / 1000);
    this.decode.observe((lastTokenMs - firstTokenMs) / 1000);
    this.inference.observe(Math.max(0, lastTokenMs - scheduledMs) / 1000);
    this.promptMs += prefillMs;
    this.predictedMs += lastTokenMs - firstTokenMs;
    if (outputTokens > 1)
      this.tpot.observe((lastTokenMs - firstTokenMs) / 1000 / (outputTokens - 1));
  }
}
