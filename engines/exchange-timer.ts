import type { Clock } from "./clock.ts";
import type { Delta, Engine, Usage } from "./engine.ts";
import {
  type AttemptRecord,
  type Exchange,
  type ExchangeTokens,
  type InferenceRoute,
  type Origin,
  type Outcome,
  OUTPUT_EVENTS_MAX,
  type Phase,
  type RouteDecision,
} from "./exchange.ts";
import { readSseEvent, SseScanner } from "./sse.ts";

/** What is known of a request when it starts. */
export interface ExchangeStart {
  readonly id: string;
  readonly origin: Origin;
  readonly route: InferenceRoute;
  readonly model: string;
  readonly streamed: boolean;
  /** Arrival (real) or planned send (synthetic): latency counts from here. */
  readonly startedMs: number;
  readonly bytesIn: number;
  readonly label?: string | null;
  readonly client?: string | null;
  readonly session?: string | null;
}

/** How a caller says the exchange is over; what the answer itself said is taken into account. */
export type Ending =
  /** The upstream's body ended cleanly: the bytes decide between completed, cut, failed and rejected. */
  | { readonly kind: "answered" }
  | { readonly kind: "rejected"; readonly code: string; readonly status: number }
  /** Broke: `failed` when no output had been seen, else `cut`. */
  | { readonly kind: "broken"; readonly code: string; readonly status: number | null }
  | { readonly kind: "cancelled" };

/** A request still under way, as the board shows it. */
export interface InFlightView {
  readonly id: string;
  readonly origin: Origin;
  readonly route: InferenceRoute;
  readonly model: string;
  readonly streamed: boolean;
  readonly replica: string | null;
  readonly phase: Phase;
  readonly startedMs: number;
  readonly firstTokenMs: number | null;
  readonly lastTokenMs: number | null;
  readonly outputEvents: number;
  readonly attempts: number;
}

/** A body that is not a stream is kept up to this size to read its usage; larger ones are counted as `none`. */
export const ANSWER_BYTES_MAX = 4_194_304;

const NO_TIME = -1;

/**
 * Events and clock readings in, one {@link Exchange} out. Used alike by the proxy and the load generator,
 * so that real and synthetic traffic are measured by the same lines.
 *
 * Calls come in the order of a request's life; {@link end} comes exactly once and is the only way to get
 * an Exchange. A second `end` throws: two records of one request is a bug, never a state.
 */
export class ExchangeTimer {
  readonly start: ExchangeStart;
  readonly #clock: Clock;
  #engine: Engine | null = null;
  #replica: string | null = null;
  #decision: RouteDecision | null = null;
  #attemptStartedMs = NO_TIME;
  readonly #attempts: AttemptRecord[] = [];
  #receivedMs = NO_TIME;
  #routedMs = NO_TIME;
  #connectedMs = NO_TIME;
  #headersMs = NO_TIME;
  #firstByteMs = NO_TIME;
  #firstTokenMs = NO_TIME;
  #lastTokenMs = NO_TIME;
  #status: number | null = null;
  #isEventStream = false;
  #bytesOut = 0;
  #outputEvents = 0;
  #offsets = new Float32Array(0);
  #chunkMs = 0;
  #tokenIds = 0;
  #usage: Usage | null = null;
  #finishReason: string | null = null;
  #error: Delta["error"] = null;
  #done = false;
  #ended = false;
  #answer: Uint8Array[] = [];
  #answerBytes = 0;
  readonly #scanner: SseScanner;

  constructor(start: ExchangeStart, clock: Clock) {
    this.start = start;
    this.#clock = clock;
    this.#scanner = new SseScanner((bytes, from, to) => {
      const event = readSseEvent(bytes, from, to);
      if (event !== null && this.#engine !== null) {
        this.#read(this.#engine.readDelta(event, this.start.route));
      }
    });
  }

  /** The whole request body has been read. */
  received(): void {
    this.#receivedMs = this.#clock.nowMs();
  }

  /** An attempt begins at `replica`, which speaks `engine`. Forgets what an earlier attempt measured. */
  routed(replica: string, engine: Engine, decision: RouteDecision | null): void {
    this.#replica = replica;
    this.#engine = engine;
    this.#decision = decision;
    this.#routedMs = this.#clock.nowMs();
    this.#attemptStartedMs = this.#routedMs;
    this.#connectedMs = NO_TIME;
    this.#headersMs = NO_TIME;
    this.#status = null;
  }

  /** A socket to the replica is in hand. */
  connected(): void {
    this.#connectedMs = this.#clock.nowMs();
  }

  /** The attempt is over before the exchange is: it will be tried elsewhere. */
  attemptFailed(result: string, status: number | null): void {
    this.#pushAttempt(result, status, this.#clock.nowMs());
  }

  /** Response headers arrived. `contentType` decides whether the body is read as events. */
  headers(status: number, contentType: string | undefined): void {
    this.#headersMs = this.#clock.nowMs();
    this.#status = status;
    this.#isEventStream = contentType?.toLowerCase().startsWith("text/event-stream") === true;
  }

  /** Body bytes arrived (and have already been passed on). One clock reading per chunk, not per event. */
  chunk(bytes: Uint8Array): void {
    this.#chunkMs = this.#clock.nowMs();
    if (this.#firstByteMs === NO_TIME) this.#firstByteMs = this.#chunkMs;
    this.#bytesOut += bytes.length;
    if (this.#isEventStream) this.#scanner.push(bytes);
    else this.#keep(bytes);
  }

  /** True once any body byte arrived from the replica: beyond it a retry would show the client two answers. */
  get hasBytes(): boolean {
    return this.#firstByteMs !== NO_TIME;
  }

  /** True once output was seen. */
  get hasOutput(): boolean {
    return this.#firstTokenMs !== NO_TIME;
  }

  /** Clock reading of the last body chunk or, before one, of the headers or the start. */
  get lastActivityMs(): number {
    if (this.#chunkMs > 0) return this.#chunkMs;
    return Math.max(this.#headersMs, this.#routedMs, this.start.startedMs);
  }

  get phase(): Phase {
    if (this.#firstTokenMs !== NO_TIME) return "decode";
    if (this.#headersMs !== NO_TIME) return "prefill";
    if (this.#connectedMs !== NO_TIME) return "waiting";
    return this.#routedMs !== NO_TIME ? "connecting" : "queued";
  }

  view(): InFlightView {
    const { id, origin, route, model, streamed, startedMs } = this.start;
    return {
      id,
      origin,
      route,
      model,
      streamed,
      startedMs,
      replica: this.#replica,
      phase: this.phase,
      firstTokenMs: orNull(this.#firstTokenMs),
      lastTokenMs: orNull(this.#lastTokenMs),
      outputEvents: this.#outputEvents,
      attempts: this.#attempts.length + (this.#attemptStartedMs === NO_TIME ? 0 : 1),
    };
  }

  /**
   * The one end.
   * @throws when called twice.
   */
  end(ending: Ending): Exchange {
    if (this.#ended) throw new Error(`exchange ${this.start.id} ended twice`);
    this.#ended = true;
    const endedMs = this.#clock.nowMs();
    const phase = this.phase;
    this.#readRest(endedMs);
    const outcome = this.#outcome(ending, phase);
    const status = "status" in ending ? ending.status : this.#status;
    if (this.#attemptStartedMs !== NO_TIME) {
      const result = outcome.kind === "completed" ? "answered" : codeOf(outcome);
      this.#pushAttempt(result, this.#status, endedMs);
    }
    return {
      ...this.start,
      label: this.start.label ?? null,
      client: this.start.client ?? null,
      session: this.start.session ?? null,
      replica: this.#replica,
      engine: this.#engine?.name ?? null,
      times: this.#times(endedMs),
      tokens: this.#tokens(),
      outcome,
      status,
      attempts: this.#attempts,
      decision: this.#decision,
      outputOffsetsMs: this.#offsets.slice(0, Math.min(this.#outputEvents, OUTPUT_EVENTS_MAX)),
      outputEvents: this.#outputEvents,
      bytesOut: this.#bytesOut,
    };
  }

  #read(delta: Delta): void {
    if (delta.outputChars > 0 || (delta.tokenIds ?? 0) > 0) this.#output(this.#chunkMs);
    this.#tokenIds += delta.tokenIds ?? 0;
    this.#usage = delta.usage ?? this.#usage;
    this.#finishReason = delta.finishReason ?? this.#finishReason;
    this.#error = delta.error ?? this.#error;
    this.#done ||= delta.done;
  }

  #output(atMs: number): void {
    if (this.#firstTokenMs === NO_TIME) this.#firstTokenMs = atMs;
    this.#lastTokenMs = atMs;
    const index = this.#outputEvents++;
    if (index >= OUTPUT_EVENTS_MAX) return;
    if (index >= this.#offsets.length) {
      const grown = new Float32Array(Math.min(OUTPUT_EVENTS_MAX, Math.max(64, index * 2)));
      grown.set(this.#offsets);
      this.#offsets = grown;
    }
    this.#offsets[index] = atMs - this.start.startedMs;
  }

  #keep(bytes: Uint8Array): void {
    if (this.#answerBytes > ANSWER_BYTES_MAX) return;
    this.#answerBytes += bytes.length;
    if (this.#answerBytes > ANSWER_BYTES_MAX) this.#answer = [];
    else this.#answer.push(Uint8Array.prototype.slice.call(bytes));
  }

  /** What can only be read once all bytes are there: the last event, or the whole unstreamed body. */
  #readRest(endedMs: number): void {
    if (this.#isEventStream) return this.#scanner.end();
    if (this.#engine === null || this.#answer.length === 0) return;
    this.#chunkMs = endedMs;
    this.#read(this.#engine.readAnswer(Buffer.concat(this.#answer).toString(), this.start.route));
  }

  #outcome(ending: Ending, phase: Phase): Outcome {
    if (ending.kind === "rejected") return { kind: "rejected", code: ending.code };
    if (ending.kind === "cancelled") return { kind: "cancelled", phase };
    if (ending.kind === "broken") return this.#broken(ending.code);
    const status = this.#status ?? 0;
    if (status >= 500 || status < 200) return { kind: "failed", code: `upstream_status_${status}` };
    if (status >= 400) return { kind: "rejected", code: `upstream_status_${status}` };
    if (this.#error !== null) return this.#broken(this.#error.code ?? "upstream_error_event");
    if (this.#isEventStream && !this.#done && this.#finishReason === null) {
      return this.#broken("upstream_cut");
    }
    return { kind: "completed", finishReason: this.#finishReason };
  }

  #broken(code: string): Outcome {
    return this.hasOutput ? { kind: "cut", code } : { kind: "failed", code };
  }

  #tokens(): ExchangeTokens {
    const usage = this.#usage;
    const known = {
      input: usage?.inputTokens ?? null,
      cachedInput: usage?.cachedInputTokens ?? null,
      reasoning: usage?.reasoningTokens ?? null,
    };
    if (typeof usage?.outputTokens === "number") {
      return { ...known, output: usage.outputTokens, countedBy: "usage" };
    }
    if (this.#tokenIds > 0) return { ...known, output: this.#tokenIds, countedBy: "token-ids" };
    if (this.#outputEvents > 0 && this.#isEventStream) {
      return { ...known, output: this.#outputEvents, countedBy: "events" };
    }
    return { ...known, output: null, countedBy: known.input === null ? "none" : "usage" };
  }

  #times(endedMs: number): Exchange["times"] {
    return {
      startedMs: this.start.startedMs,
      receivedMs: orNull(this.#receivedMs),
      routedMs: orNull(this.#routedMs),
      connectedMs: orNull(this.#connectedMs),
      headersMs: orNull(this.#headersMs),
      firstByteMs: orNull(this.#firstByteMs),
      firstTokenMs: orNull(this.#firstTokenMs),
      lastTokenMs: orNull(this.#lastTokenMs),
      endedMs,
    };
  }

  #pushAttempt(result: string, status: number | null, endedMs: number): void {
    const startedMs = this.#attemptStartedMs;
    this.#attempts.push({ replica: this.#replica ?? "", startedMs, endedMs, status, result });
    this.#attemptStartedMs = NO_TIME;
  }
}

function orNull(timeMs: number): number | null {
  return timeMs === NO_TIME ? null : timeMs;
}

function codeOf(outcome: Outcome): string {
  return "code" in outcome ? outcome.code : outcome.kind;
}
