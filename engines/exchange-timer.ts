import { AnswerReader } from "./answer-reader.ts";
import type { Clock } from "./clock.ts";
import type { Engine } from "./engine.ts";
import type { TraceContext } from "./trace-context.ts";
import {
  type AttemptRecord,
  type Exchange,
  type ExchangeTokens,
  type InferenceRoute,
  type Origin,
  type Outcome,
  type Phase,
  type RouteDecision,
} from "./exchange.ts";

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
  readonly trace?: TraceContext | null;
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
  #attemptStartedMs: number | null = null;
  #attemptSpanId: string | null = null;
  readonly #attempts: AttemptRecord[] = [];
  #receivedMs: number | null = null;
  #routedMs: number | null = null;
  #connectedMs: number | null = null;
  #headersMs: number | null = null;
  #firstByteMs: number | null = null;
  #chunkMs: number | null = null;
  #status: number | null = null;
  #bytesOut = 0;
  #answer: AnswerReader | null = null;
  #ended = false;

  constructor(start: ExchangeStart, clock: Clock) {
    this.start = start;
    this.#clock = clock;
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
    this.#connectedMs = null;
    this.#headersMs = null;
    this.#status = null;
    this.#answer = null;
  }

  /** The span the attempt under way is told of by. */
  traced(spanId: string): void {
    this.#attemptSpanId = spanId;
  }

  /** A socket to the replica is in hand. */
  connected(): void {
    this.#connectedMs = this.#clock.nowMs();
  }

  /** The attempt is over before the exchange is: it will be tried elsewhere. */
  attemptFailed(result: string, status: number | null): void {
    this.#closeAttempt(result, status, this.#clock.nowMs());
  }

  /** Response headers arrived. `contentType` decides whether the body is read as events. */
  headers(status: number, contentType: string | undefined): void {
    this.#headersMs = this.#clock.nowMs();
    this.#status = status;
    if (this.#engine !== null) {
      this.#answer = new AnswerReader(this.#engine, this.start.route, contentType);
    }
  }

  /** Body bytes arrived (and have already been passed on). One clock reading per chunk, not per event. */
  chunk(bytes: Uint8Array): void {
    const nowMs = this.#clock.nowMs();
    this.#chunkMs = nowMs;
    this.#firstByteMs ??= nowMs;
    this.#bytesOut += bytes.length;
    this.#answer?.push(bytes, nowMs);
  }

  /** True once any body byte arrived: beyond it a retry would show the client two answers. */
  get hasBytes(): boolean {
    return this.#firstByteMs !== null;
  }

  /** True once output was seen. */
  get hasOutput(): boolean {
    const answer = this.#answer;
    return answer !== null && (answer.output.events > 0 || answer.hasUnstreamedOutput);
  }

  /** Clock reading of the last body chunk or, before one, of the headers, the attempt or the start. */
  get lastActivityMs(): number {
    return this.#chunkMs ?? this.#headersMs ?? this.#routedMs ?? this.start.startedMs;
  }

  get phase(): Phase {
    if (this.hasOutput) return "decode";
    if (this.#headersMs !== null) return "prefill";
    if (this.#connectedMs !== null) return "waiting";
    return this.#routedMs === null ? "queued" : "connecting";
  }

  /**
   * What is known when the answer's headers go out, as a `Server-Timing` value (W3C Server Timing): time in the proxy,
   * for a socket, and until the engine's headers, in ms. The first token comes later, so it is not here.
   */
  serverTiming(): string {
    const { startedMs } = this.start;
    const routedMs = this.#routedMs ?? startedMs;
    const connectedMs = this.#connectedMs ?? routedMs;
    const headersMs = this.#headersMs ?? connectedMs;
    const spans = [routedMs - startedMs, connectedMs - routedMs, headersMs - connectedMs];
    const [queue, connect, upstream] = spans.map((span) => span.toFixed(2));
    return `queue;dur=${queue}, connect;dur=${connect}, upstream;dur=${upstream}`;
  }

  /** The request as the board shows it while it lives. */
  view(): InFlightView {
    const { id, origin, route, model, streamed, startedMs } = this.start;
    const output = this.#answer?.output;
    return {
      id,
      origin,
      route,
      model,
      streamed,
      startedMs,
      replica: this.#replica,
      phase: this.phase,
      firstTokenMs: output?.firstMs ?? null,
      lastTokenMs: output?.lastMs ?? null,
      outputEvents: output?.events ?? 0,
      attempts: this.#attempts.length + (this.#attemptStartedMs === null ? 0 : 1),
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
    this.#answer?.end();
    const outcome = this.#outcome(ending, phase);
    const status = "status" in ending ? ending.status : this.#status;
    const result = "code" in outcome ? outcome.code : outcome.kind;
    this.#closeAttempt(result === "completed" ? "answered" : result, this.#status, endedMs);
    const output = this.#answer?.output;
    return {
      ...this.start,
      label: this.start.label ?? null,
      client: this.start.client ?? null,
      session: this.start.session ?? null,
      trace: this.start.trace ?? null,
      replica: this.#replica,
      engine: this.#engine?.name ?? null,
      times: this.#times(endedMs),
      tokens: tokensOf(this.#answer),
      outcome,
      status,
      attempts: this.#attempts,
      decision: this.#decision,
      outputOffsetsMs: output?.offsetsMs(this.start.startedMs) ?? new Float32Array(0),
      outputEvents: output?.events ?? 0,
      bytesOut: this.#bytesOut,
    };
  }

  #outcome(ending: Ending, phase: Phase): Outcome {
    if (ending.kind === "rejected") return { kind: "rejected", code: ending.code };
    if (ending.kind === "cancelled") return { kind: "cancelled", phase };
    if (ending.kind === "broken") return this.#broken(ending.code);
    const status = this.#status ?? 0;
    if (status >= 500 || status < 200) return { kind: "failed", code: `upstream_status_${status}` };
    if (status >= 400) return { kind: "rejected", code: `upstream_status_${status}` };
    const answer = this.#answer;
    if (answer === null) return { kind: "completed", finishReason: null };
    // A 200 with an error event is a failure, whatever the status line promised.
    if (answer.error !== null) return this.#broken("upstream_error_event");
    if (answer.isEventStream && !answer.done && answer.finishReason === null) {
      return this.#broken("upstream_cut");
    }
    return { kind: "completed", finishReason: answer.finishReason };
  }

  #broken(code: string): Outcome {
    return this.hasOutput ? { kind: "cut", code } : { kind: "failed", code };
  }

  #times(endedMs: number): Exchange["times"] {
    return {
      startedMs: this.start.startedMs,
      receivedMs: this.#receivedMs,
      routedMs: this.#routedMs,
      connectedMs: this.#connectedMs,
      headersMs: this.#headersMs,
      firstByteMs: this.#firstByteMs,
      firstTokenMs: this.#answer?.output.firstMs ?? null,
      lastTokenMs: this.#answer?.output.lastMs ?? null,
      endedMs,
    };
  }

  #closeAttempt(result: string, status: number | null, endedMs: number): void {
    if (this.#attemptStartedMs === null || this.#replica === null) return;
    const startedMs = this.#attemptStartedMs;
    const record = { replica: this.#replica, startedMs, endedMs, status, result };
    const spanId = this.#attemptSpanId;
    this.#attempts.push(spanId === null ? record : { ...record, spanId });
    this.#attemptStartedMs = null;
    this.#attemptSpanId = null;
  }
}

/** Counts by the best source the answer offered; says which. */
function tokensOf(answer: AnswerReader | null): ExchangeTokens {
  const usage = answer?.usage ?? null;
  const said = {
    input: usage?.inputTokens ?? null,
    cachedInput: usage?.cachedInputTokens ?? null,
    reasoning: usage?.reasoningTokens ?? null,
  };
  if (usage !== null && usage.outputTokens !== null) {
    return { ...said, output: usage.outputTokens, countedBy: "usage" };
  }
  if (answer !== null && answer.tokenIds > 0) {
    return { ...said, output: answer.tokenIds, countedBy: "token-ids" };
  }
  if (answer !== null && answer.output.events > 0) {
    return { ...said, output: answer.output.events, countedBy: "events" };
  }
  return { ...said, output: null, countedBy: said.input === null ? "none" : "usage" };
}
