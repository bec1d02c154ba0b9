import type { ExchangeTimer } from "../../engines/exchange-timer.ts";
import type { ErrorCode } from "../errors.ts";
import { reasonOf } from "../upstream/probe.ts";
import type { AnswerStart } from "../upstream/wire/answer-start.ts";
import type { Cuttable } from "../upstream/members.ts";
import type { Lane, Traveller } from "../upstream/wire/lane.ts";
import type { WireRequest } from "../upstream/wire/wire-request.ts";
import { AnswerHead } from "./answer-head.ts";
import type { AttemptParts } from "./attempt-parts.ts";
import type { AttemptResult, HeldAnswer } from "./attempt-result.ts";
import type { TimeLimits, Watched } from "./deadlines.ts";
import { beginsWithError } from "./first-event.ts";
import { downstreamHeaders, headerOf, removeHeader, withReplicaHeaders } from "./headers.ts";
import { UsageSieve } from "./usage-sieve.ts";
import { type Fault, faultOf } from "./wire-fault.ts";

/** An error event in place of an answer counts as the 502 it should have been. */
const STATUS_OF_ERROR_EVENT = 502;
/** An engine's refusal is kept up to this size for the client; a larger one is let go. */
const HELD_BYTES_MAX = 65_536;

/**
 * One try at one replica: sends the request and passes the answer on, each chunk to the client before the meter sees it.
 * Resolves exactly once, however it ends; then nothing of it is left open.
 */
export class Attempt implements Watched, Traveller, Cuttable {
  timer: ExchangeTimer;
  readonly attemptStartedMs: number;
  blockedSinceMs: number | null = null;
  readonly #parts: AttemptParts;
  #lane: Lane | null = null;
  #isReused = false;
  #done: (result: AttemptResult) => void = () => {};
  #result: AttemptResult | null = null;
  #head: AnswerHead | null = null;
  #sent = false;
  #claimed = false;
  /** The body asks for usage that is not for the client. */
  #asksUsage = false;
  #sieve: UsageSieve | null = null;
  /** Parts of a refusal that another replica may spare the client. */
  #kept: Buffer[] | null = null;
  #keptBytes = 0;

  constructor(parts: AttemptParts, timer: ExchangeTimer) {
    this.#parts = parts;
    this.timer = timer;
    this.attemptStartedMs = parts.clock.nowMs();
  }

  get limits(): TimeLimits {
    return this.#parts.limits;
  }

  /** How long the engine's answer asked to be left alone; `null` when it did not. */
  get retryAfterMs(): number | null {
    return this.#head?.retryAfterMs(this.#parts.clock.nowMs()) ?? null;
  }

  /** Sets out and calls `done` once, however it ends. */
  run(done: (result: AttemptResult) => void): void {
    this.#done = done;
    const { replica, lane } = this.#parts;
    try {
      if (lane === "fresh") replica.lanes.carryAfresh(this.#wire(), this);
      else replica.lanes.carry(this.#wire(), this);
    } catch (error) {
      this.failed(error as Error);
    }
  }

  #wire(): WireRequest {
    const { request, replica, words } = this.#parts;
    const asking = request.usage?.of(request.body, replica.engine) ?? null;
    this.#asksUsage = asking !== null;
    const own = asking === null ? words.own : [...words.own, ...asking.headers];
    return {
      method: request.method,
      path: request.target,
      headers: withReplicaHeaders(request.headers, own, words.leftOut),
      body: asking?.body ?? request.body.payload(),
    };
  }

  /** The client went away, or another attempt answers: close the engine's socket so that it stops generating. */
  cancel(): void {
    this.#finish({ kind: "cancelled" });
  }

  expire(code: ErrorCode | "client"): void {
    if (code === "client") {
      this.#finish({ kind: "cancelled", cause: "client_stall" });
      this.#parts.outlet.breakOff(null);
    } else if (this.timer.said === "mark") this.#end();
    else if (code === "upstream_connect_failed")
      this.#fail({ cause: "refused", code, why: "connect timed out" });
    else this.#fail({ cause: "timeout", code, why: "time limit" });
  }

  /** The replica was taken out of service. */
  disabled(): void {
    this.cut("upstream_cut", "replica disabled");
  }

  /** Ends it from outside. */
  cut(code: ErrorCode, why: string): void {
    this.#fail({ cause: code === "upstream_cut" ? "disabled" : "timeout", code, why });
  }

  get isOver(): boolean {
    return this.#result !== null;
  }

  boarded(lane: Lane, isReused: boolean): void {
    this.#lane = lane;
    this.#isReused = isReused;
    this.timer.connected();
  }

  sent(): void {
    this.#sent = true;
    if (this.#claimed || !this.#parts.isReplayable) this.#parts.request.body.spent();
  }

  started(start: AnswerStart): void {
    const { replica, clock, judge } = this.#parts;
    const head = new AnswerHead(start);
    this.#head = head;
    replica.lastByteMs = clock.nowMs();
    this.timer.headers(head.status, head.type);
    if (this.#asksUsage && head.isPlainStream) this.#sieve = new UsageSieve();
    // Engines send headers long before the first token. They are held until there is a byte to go with them, because up
    // to then another replica may still answer.
    if (judge.mayRetry(head.status)) this.#kept = [];
  }

  carried(bytes: Buffer): void {
    if (!this.#claimed && !this.#begin(bytes)) return;
    const { outlet, replica } = this.#parts;
    let hasRoom = true;
    if (this.#sieve !== null) hasRoom = this.#sieve.pass(bytes, outlet);
    else if (this.#head?.bodyBytes === bytes.length) outlet.writeWhole(bytes);
    else hasRoom = outlet.write(bytes);
    this.timer.chunk(bytes);
    replica.lastByteMs = this.timer.lastActivityMs;
    if (!hasRoom) this.#waitForClient();
  }

  arrived(): void {
    if (this.#kept !== null) return this.#refused();
    const { request } = this.#parts;
    if (this.#head?.isStream === true && this.#head.status === 200 && request.method !== "HEAD") {
      const why = "ended without an answer";
      if (!this.#claimed) return this.#fail({ cause: "malformed", code: "upstream_cut", why });
      // A body that only the closing of its connection ends may have been cut as well as finished: its own words decide.
      if (this.#head.isCloseDelimited && this.timer.said === "nothing")
        return this.#fail({ cause: "reset", code: "upstream_cut", why: "closed early" });
    }
    this.#end();
  }

  failed(error: Error): void {
    if (this.#result !== null) return;
    if (this.#kept !== null) return this.#refused();
    if (this.timer.said === "mark") return this.#end();
    const fault = faultOf(error, {
      written: this.#lane !== null,
      reused: this.#isReused,
      answered: this.#head !== null,
    });
    if (fault.code === "internal_error") this.#parts.judge.onFault(error);
    this.#fail({ ...fault, why: reasonOf(error) });
  }

  /** The first bytes of the answer: from here on it is this replica's. Returns false when they are not to be passed on. */
  #begin(bytes: Buffer): boolean {
    if (this.#kept !== null) {
      this.#keptBytes += bytes.length;
      if (this.#keptBytes <= HELD_BYTES_MAX) this.#kept.push(Buffer.from(bytes));
      else this.#refused();
      return false;
    }
    const { request, replica, judge } = this.#parts;
    if (
      this.#head?.isStream === true &&
      beginsWithError(bytes, replica.engine, request.route) &&
      judge.mayRetry(STATUS_OF_ERROR_EVENT)
    ) {
      this.#fail({ cause: "error-event", code: "upstream_cut", why: "began with an error event" });
      return false;
    }
    return this.#claim();
  }

  #claim(): boolean {
    if (this.#claimed) return true;
    if (!this.#parts.judge.claims(this)) return false;
    this.#claimed = true;
    // From here on there is no other try.
    if (this.#sent) this.#parts.request.body.spent();
    const { status = 502, message = "" } = this.#head ?? {};
    this.#parts.outlet.begin(status, message, this.#headers());
    return true;
  }

  /** The whole answer is out. */
  #end(): void {
    if (!this.#claim()) return;
    this.#sieve?.end(this.#parts.outlet);
    this.#parts.outlet.end();
    this.#finish({ kind: "answered" });
  }

  /** A refusal is in our hands, whole or as much of it as there will be. */
  #refused(): void {
    const { status = 0, message = "" } = this.#head ?? {};
    const isWhole = this.#kept !== null && this.#keptBytes <= HELD_BYTES_MAX;
    const held: HeldAnswer = {
      status,
      message,
      headers: this.#headers(),
      body: Buffer.concat(this.#kept ?? []),
      retryAfterMs: this.retryAfterMs,
    };
    this.#finish({
      kind: "unanswered",
      cause: "status",
      code: "no_replica_available",
      why: `answered ${status}`,
      status,
      held: isWhole ? held : null,
    });
  }

  #fail({ cause, code, why }: Fault & { readonly why: string }): void {
    const takesEvent = this.#head?.takesWords === true && this.timer.isBetweenEvents;
    if (this.#claimed) this.#finish({ kind: "broken", code, takesEvent });
    else
      this.#finish({
        kind: "unanswered",
        cause,
        code,
        why,
        status: this.#head?.status ?? null,
        held: null,
      });
  }

  #finish(result: AttemptResult): void {
    if (this.#result !== null) return;
    this.#result = result;
    if (result.kind !== "answered") this.#lane?.leave(this);
    this.#done(result);
  }

  #waitForClient(): void {
    // The rest of one read still comes after it was said to pause.
    if (this.blockedSinceMs !== null) return;
    this.#lane?.pause();
    this.blockedSinceMs = this.#parts.clock.nowMs();
    this.#parts.outlet.response.once("drain", () => {
      this.blockedSinceMs = null;
      if (this.#result === null) this.#lane?.resume();
    });
  }

  #headers(): string[] {
    const { request, replica, number } = this.#parts;
    const { raw = [], status = 0 } = this.#head ?? {};
    const headers = downstreamHeaders(raw, status);
    // What is taken out is not in the length the engine stated.
    if (this.#sieve !== null) removeHeader(headers, "content-length");
    headers.push("x-pitot-replica", replica.id, "x-pitot-attempts", String(number));
    headers.push("server-timing", this.timer.serverTiming());
    if (headerOf(raw, "x-request-id") === undefined)
      headers.push("x-request-id", request.requestId);
    if (status >= 400) headers.push("x-pitot-error-source", "upstream");
    return headers;
  }
}
