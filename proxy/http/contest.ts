import type { Exchange } from "../../engines/exchange.ts";
import type { ExchangeTimer } from "../../engines/exchange-timer.ts";
import type { ErrorCode } from "../errors.ts";
import type { Routed, RouteRequest } from "../routing/policy.ts";
import type { Replica } from "../upstream/replica.ts";
import { Attempt } from "./attempt.ts";
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
  readonly tried: Set<Replica>;
  /** Whether an answer of this status should rather be asked of another replica. */
  readonly mayRetry: (status: number) => boolean;
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
export class Contest {
  readonly #parts: ContestParts;
  readonly #live = new Set<Attempt>();
  #claimant: Attempt | null = null;
  #answering: Run | null = null;

  constructor(parts: ContestParts) {
    this.#parts = parts;
  }

  /** One round: this replica, and a second one if it is slow to begin and hedging allows it. */
  async run(routed: Routed, lane: "pooled" | "fresh" = "pooled"): Promise<AttemptResult> {
    const { afterMs } = this.#parts.services.hedging.options;
    const first = this.#attempt(routed, this.#parts.timer, lane);
    if (afterMs === null) return first;
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
    for (const attempt of this.#live) attempt.cancel();
  }

  /** Ends what runs, with an error for the client. */
  cut(code: ErrorCode, why: string): void {
    for (const attempt of this.#live) attempt.cut(code, why);
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
    return isSlow && this.#claimant === null && this.#live.size > 0;
  }

  #hedge(): { attempt: Attempt; timer: ExchangeTimer; result: Promise<AttemptResult> } | null {
    const { services, wish, tried, timer } = this.#parts;
    const { router, hedging, replicas, queue } = services;
    const routed = router.route(wish, tried);
    if (routed.kind !== "routed" || !hedging.spend(replicas.all(), queue.length)) return null;
    const fork = timer.fork();
    const before = new Set(this.#live);
    const result = this.#attempt(routed, fork, "pooled");
    const attempt = [...this.#live].find((live) => !before.has(live));
    return attempt === undefined ? null : { attempt, timer: fork, result };
  }

  async #attempt(
    { replica, decision }: Routed,
    timer: ExchangeTimer,
    lane: "pooled" | "fresh",
  ): Promise<AttemptResult> {
    const { services, request, outlet, limits, isReplayable, tried, wish, mayRetry } = this.#parts;
    const { clock, replicas, deadlines, queue, traces } = services;
    tried.add(replica);
    const isReal = wish.pinned === undefined;
    if (isReal) replica.charge();
    const mark = replica.breakers.of(wish.model).sent();
    timer.routed(replica.id, replica.engine, decision);
    const span = traces.child(timer.start.trace);
    if (span !== null) timer.traced(span.spanId);
    const attempt = new Attempt(
      {
        request,
        outlet,
        replica,
        clock,
        limits,
        isReplayable,
        lane,
        mayRetry,
        onFault: services.onFault,
        number: tried.size,
        ownHeaders: [
          ...replica.headers,
          ...(span === null ? [] : ["traceparent", span.traceparent]),
        ],
        leftOut: [
          ...replica.engine.abort.survivesWith,
          // Words about another trace than the one the engine is told of (W3C Trace Context §4.2).
          ...(span !== null && timer.start.trace?.state === null ? ["tracestate"] : []),
        ],
        claims: (claimant) => this.#claims(claimant),
      },
      timer,
    );
    const run: Run = { attempt, replica, mark };
    this.#live.add(attempt);
    const unwatch = deadlines.watch(attempt);
    const forget = replicas.onCut(replica, () => {
      attempt.cut("upstream_cut", "replica disabled");
    });
    try {
      const result = await attempt.run();
      if (result.kind === "unanswered") this.#note(result, run, timer);
      else if (this.#claimant === attempt) this.#answering = run;
      else replica.breakers.of(wish.model).neutral(mark);
      return result;
    } finally {
      if (isReal) replica.release();
      queue.callUp(replica.models);
      this.#live.delete(attempt);
      unwatch();
      forget();
    }
  }

  /** The first attempt with a byte for the client answers; whoever runs beside it is let go. */
  #claims(claimant: Attempt): boolean {
    if (this.#claimant !== null) return this.#claimant === claimant;
    this.#claimant = claimant;
    const { timer } = this.#parts;
    if (claimant.timer !== timer) {
      timer.adopt(claimant.timer, "hedge_lost");
      claimant.timer = timer;
    }
    for (const other of this.#live) if (other !== claimant) other.cancel();
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
