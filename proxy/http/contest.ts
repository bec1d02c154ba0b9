import type { Exchange } from "../../engines/exchange.ts";
import type { ExchangeTimer } from "../../engines/exchange-timer.ts";
import type { ErrorCode } from "../errors.ts";
import type { Routed, RouteRequest } from "../routing/policy.ts";
import type { Tried } from "../routing/tried.ts";
import type { Replica } from "../upstream/replica.ts";
import { Attempt } from "./attempt.ts";
import type { AttemptJudge, ReplicaWords } from "./attempt-parts.ts";
import type { AttemptResult, Unanswered } from "./attempt-result.ts";
import type { TimeLimits } from "./deadlines.ts";
import type { ForwardServices } from "./forward-services.ts";
import type { InferenceRequest } from "./inference-request.ts";
import type { Outlet } from "./outlet.ts";
import { PUSHBACK_STATUSES } from "./retry.ts";

export interface ContestParts {
  readonly services: ForwardServices;
  readonly request: InferenceRequest;
  readonly outlet: Outlet;
  readonly timer: ExchangeTimer;
  readonly wish: RouteRequest;
  readonly limits: TimeLimits;
  readonly isReplayable: boolean;
  /** Replicas asked so far; the contest adds to it. */
  readonly tried: Tried;
  /** Whether an answer of this status should rather be asked of another replica. */
  readonly mayRetry: (status: number) => boolean;
}

/** An attempt that has begun. */
interface Started {
  readonly attempt: Attempt;
  readonly result: Promise<AttemptResult>;
}

/** One attempt under way and what it has been charged to. */
interface Run {
  readonly attempt: Attempt;
  readonly replica: Replica;
  readonly mark: number;
}

/** Endings that are nobody's failure but ours or the client's. */
const NOT_THE_REPLICA = new Set([
  "draining",
  "deadline_exceeded",
  "overloaded",
  "internal_error",
  "bad_request",
]);

/**
 * Runs the attempts of one request: one at a time, or two side by side where hedging is on. Charges each to its replica
 * and tells the replica's health how it went. The first to have a byte for the client is the one that answers.
 */
export class Contest implements AttemptJudge {
  readonly #parts: ContestParts;
  readonly #live: Attempt[] = [];
  #claimant: Attempt | null = null;
  #answering: Run | null = null;

  constructor(parts: ContestParts) {
    this.#parts = parts;
  }

  /** One round: this replica, and a second one if it is slow to begin and hedging allows it. */
  run(routed: Routed, lane: "pooled" | "fresh" = "pooled"): Promise<AttemptResult> {
    const { afterMs } = this.#parts.services.hedging.options;
    const { result } = this.#attempt(routed, this.#parts.timer, lane);
    return afterMs === null ? result : this.#hedged(result, afterMs);
  }

  async #hedged(first: Promise<AttemptResult>, afterMs: number): Promise<AttemptResult> {
    if (!(await this.#isSlow(first, afterMs))) return first;
    const second = this.#hedge();
    if (second === null) return first;
    const [one, other] = await Promise.all([first, second.result]);
    const { timer } = this.#parts;
    // The hedge answered, and the request's meter is already its own; or it is part of the record as a try that did not.
    if (this.#claimant === second.attempt) return other;
    timer.absorb(second.timer, one.kind === "cancelled" ? "cancelled" : "hedge_lost");
    return one;
  }

  /** The client went away. */
  cancel(): void {
    for (const attempt of this.#live.slice()) attempt.cancel();
  }

  /** Ends what runs, with an error for the client. */
  cut(code: ErrorCode, why: string): void {
    for (const attempt of this.#live.slice()) attempt.cut(code, why);
  }

  /** What the whole exchange says of the replica that answered. */
  settle({ outcome, status }: Exchange): void {
    if (this.#answering === null) return;
    const { attempt, replica, mark } = this.#answering;
    const { replicas } = this.#parts.services;
    const { model, pinned } = this.#parts.wish;
    // A flood made on purpose says nothing of how the replica serves users.
    if (pinned !== undefined) return replica.breakers.of(model).neutral(mark);
    const isPushback = status !== null && PUSHBACK_STATUSES.has(status);
    if (isPushback) replicas.pushedBack(replica, attempt.retryAfterMs);
    const failed =
      (outcome.kind === "failed" || outcome.kind === "cut") && !NOT_THE_REPLICA.has(outcome.code);
    const verdict =
      outcome.kind === "completed" ? "good" : failed && !isPushback ? "bad" : "neutral";
    replicas.judge(replica, { model, mark, verdict, why: "code" in outcome ? outcome.code : "" });
  }

  async #isSlow(first: Promise<AttemptResult>, afterMs: number): Promise<boolean> {
    const stop = new AbortController();
    const late = this.#parts.services.clock.after(afterMs, stop.signal).then(() => true);
    const isSlow = await Promise.race([first.then(() => false), late]);
    stop.abort();
    return isSlow && this.#claimant === null && this.#live.length > 0;
  }

  #hedge(): (Started & { readonly timer: ExchangeTimer }) | null {
    const { services, wish, tried, timer } = this.#parts;
    const { router, hedging, replicas, queue } = services;
    const routed = router.route(wish, tried);
    if (routed.kind !== "routed" || !hedging.spend(replicas.all(), queue.length)) return null;
    const fork = timer.fork();
    return { ...this.#attempt(routed, fork, "pooled"), timer: fork };
  }

  #attempt({ replica, decision }: Routed, timer: ExchangeTimer, lane: "pooled" | "fresh"): Started {
    const { services, request, outlet, limits, isReplayable, tried, wish } = this.#parts;
    const { clock, replicas, deadlines, queue } = services;
    tried.add(replica);
    const isReal = wish.pinned === undefined;
    if (isReal) replica.charge();
    const mark = replica.breakers.of(wish.model).sent();
    timer.routed(replica.id, replica.engine, decision);
    const attempt = new Attempt(
      {
        request,
        outlet,
        replica,
        clock,
        limits,
        isReplayable,
        lane,
        number: tried.size,
        words: this.#wordsFor(replica, timer),
        judge: this,
      },
      timer,
    );
    const run: Run = { attempt, replica, mark };
    this.#live.push(attempt);
    const unwatch = deadlines.watch(attempt);
    const forget = replicas.onCut(replica, attempt);
    const result = new Promise<AttemptResult>((resolve) => {
      attempt.run((how) => {
        if (isReal) replica.release();
        queue.callUp(replica.models);
        this.#live.splice(this.#live.indexOf(attempt), 1);
        unwatch();
        forget();
        if (how.kind === "unanswered") this.#note(how, run, timer);
        else if (this.#claimant === attempt) this.#answering = run;
        else replica.breakers.of(wish.model).neutral(mark);
        resolve(how);
      });
    });
    return { attempt, result };
  }

  /** What this replica alone is told, and what it is not: its keys, and the attempt's place in the trace. */
  #wordsFor(replica: Replica, timer: ExchangeTimer): ReplicaWords {
    const { survivesWith } = replica.engine.abort;
    const { trace } = timer.start;
    const span = this.#parts.services.traces.child(trace);
    if (span === null) return { own: replica.headers, leftOut: survivesWith };
    timer.traced(span.spanId);
    return {
      own: [...replica.headers, "traceparent", span.traceparent],
      // Words about another trace than the one the engine is told of (W3C Trace Context §4.2).
      leftOut: trace?.state === null ? [...survivesWith, "tracestate"] : survivesWith,
    };
  }

  mayRetry(status: number): boolean {
    return this.#parts.mayRetry(status);
  }

  onFault(error: unknown): void {
    this.#parts.services.onFault(error);
  }

  /** The first attempt with a byte for the client answers; whoever runs beside it is let go. */
  claims(claimant: Attempt): boolean {
    if (this.#claimant !== null) return this.#claimant === claimant;
    this.#claimant = claimant;
    const { timer } = this.#parts;
    if (claimant.timer !== timer) {
      timer.adopt(claimant.timer, "hedge_lost");
      claimant.timer = timer;
    }
    if (this.#live.length > 1)
      for (const other of this.#live.slice()) if (other !== claimant) other.cancel();
    return true;
  }

  /** Writes a failed try into the record and tells its replica's health what it means. */
  #note(result: Unanswered, { replica, mark }: Run, timer: ExchangeTimer): void {
    const { cause, code, status, why, held } = result;
    const { replicas } = this.#parts.services;
    const name =
      cause === "stale" ? "stale_socket" : cause === "error-event" ? "error_event" : code;
    timer.attemptFailed(cause === "status" ? `status_${status}` : name, status);
    if (cause === "refused") replicas.unreachable(replica, why);
    const { model, pinned } = this.#parts.wish;
    if (pinned !== undefined) return replica.breakers.of(model).neutral(mark);
    const isPushback = cause === "status" && status !== null && PUSHBACK_STATUSES.has(status);
    if (isPushback) replicas.pushedBack(replica, held?.retryAfterMs ?? null);
    const isNeutral =
      isPushback ||
      cause === "stale" ||
      cause === "own" ||
      cause === "disabled" ||
      NOT_THE_REPLICA.has(code);
    const verdict = isNeutral ? "neutral" : "bad";
    replicas.judge(replica, { model, mark, verdict, why });
  }
}
