import { AnswerReader } from "./answer-reader.ts";
import { attemptResult, type Ending, outcomeOf } from "./ending.ts";
import { savedTokens, tokensOf } from "./answer-tokens.ts";
import type { Clock } from "./clock.ts";
import type { Engine } from "./engine.ts";
import type { TraceContext } from "./trace-context.ts";
import { NO_OFFSETS } from "./output-times.ts";
import {
  type AttemptRecord,
  type Exchange,
  type InferenceRoute,
  type InFlightView,
  type Origin,
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

  /** True once output was seen. */
  get hasOutput(): boolean {
    const answer = this.#answer;
    return answer !== null && (answer.output.events > 0 || answer.hasUnstreamedOutput);
  }

  /** What the answer has said of its own end: whatever breaks after the `mark`, nothing of it is missing. */
  get said(): "nothing" | "reason" | "mark" {
    if (this.#answer?.done === true) return "mark";
    return (this.#answer?.finishReason ?? null) === null ? "nothing" : "reason";
  }

  /** Whether an event of ours may follow what the client has got: the stream is not in the middle of one. */
  get isBetweenEvents(): boolean {
    return this.#answer?.isBetweenEvents === true;
  }

  /**
   * Since when the next piece of an answer that has begun is waited for; `null` while it has not. Output counts where it
   * can be told, so that comments (`: ping`) do not hide a stall; bytes count in answers nobody here can read.
   */
  get flowingSinceMs(): number | null {
    const answer = this.#answer;
    if (answer === null) return null;
    if (answer.output.lastMs !== null) return answer.output.lastMs;
    const isReadable = answer.isEventStream && this.start.route !== "other";
    return isReadable ? null : this.#chunkMs;
  }

  /** A second meter for an attempt beside this one's. */
  fork(): ExchangeTimer {
    const fork = new ExchangeTimer(this.start, this.#clock);
    fork.#receivedMs = this.#receivedMs;
    return fork;
  }

  /** The attempt of a {@link fork} came to nothing; `result` says why. It is part of the one record. */
  absorb(fork: ExchangeTimer, result: string): void {
    fork.#closeAttempt(result, fork.#status, this.#clock.nowMs());
    this.#attempts.push(...fork.#attempts);
  }

  /** The attempt of a {@link fork} is the one that answers: ours is over with `result`, its measures are now ours. */
  adopt(fork: ExchangeTimer, result: string): void {
    this.#closeAttempt(result, this.#status, this.#clock.nowMs());
    this.#replica = fork.#replica;
    this.#engine = fork.#engine;
    this.#decision = fork.#decision;
    this.#routedMs = fork.#routedMs;
    this.#attemptStartedMs = fork.#attemptStartedMs;
    this.#connectedMs = fork.#connectedMs;
    this.#headersMs = fork.#headersMs;
    this.#status = fork.#status;
    this.#answer = fork.#answer;
    this.#attemptSpanId = fork.#attemptSpanId;
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
    const queue = hundredths(routedMs - startedMs);
    const connect = hundredths(connectedMs - routedMs);
    const upstream = hundredths(headersMs - connectedMs);
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
    const outcome = outcomeOf(ending, { phase, status: this.#status, answer: this.#answer });
    const status = "status" in ending ? ending.status : this.#status;
    this.#closeAttempt(attemptResult(ending, outcome), this.#status, endedMs);
    const output = this.#answer?.output;
    const tokens = tokensOf(this.#answer);
    const expected = ending.kind === "cancelled" ? ending.expectedTokens : null;
    const { start } = this;
    // Field by field, never by spreading: one shape for all, made in one piece, because the last thousands of them are kept.
    return {
      id: start.id,
      origin: start.origin,
      route: start.route,
      model: start.model,
      streamed: start.streamed,
      bytesIn: start.bytesIn,
      label: start.label ?? null,
      client: start.client ?? null,
      session: start.session ?? null,
      trace: start.trace ?? null,
      replica: this.#replica,
      engine: this.#engine?.name ?? null,
      times: this.#times(endedMs),
      tokens,
      savedTokens: savedTokens(expected, tokens),
      outcome,
      status,
      attempts: this.#attempts,
      decision: this.#decision,
      outputOffsetsMs: output?.offsetsMs(this.start.startedMs) ?? NO_OFFSETS,
      outputEvents: output?.events ?? 0,
      bytesOut: this.#bytesOut,
    };
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
      firstAnswerMs: this.#answer?.output.firstAnswerMs ?? null,
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

/** A time with two decimals; `toFixed` takes several times as long, and this is asked three times a request. */
function hundredths(ms: number): string {
  const all = Math.max(0, Math.round(ms * 100));
  const rest = all % 100;
  return `${(all - rest) / 100}.${rest < 10 ? "0" : ""}${rest}`;
}
