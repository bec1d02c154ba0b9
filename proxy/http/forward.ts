import type { Cancel } from "../../engines/clock.ts";
import type { Ending } from "../../engines/ending.ts";
import type { Origin } from "../../engines/exchange.ts";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import { type ErrorCode, errorEvent, errors, retryHeaders } from "../errors.ts";
import type { Blocked, RouteRequest } from "../routing/policy.ts";
import { Tried } from "../routing/tried.ts";
import type { Arrival, Stoppable } from "./arrival.ts";
import type { AttemptResult, Unanswered } from "./attempt-result.ts";
import { Contest } from "./contest.ts";
import { sendError, sendHeld } from "./error-answer.ts";
import type { ForwardServices } from "./forward-services.ts";
import { headerOf } from "./headers.ts";
import type { InferenceRequest } from "./inference-request.ts";
import { Outlet } from "./outlet.ts";
import { backoffMs, bestOf, nextStep, RETRY_STATUSES, type RetryState } from "./retry.ts";
import { Turn } from "./turn.ts";

/** Why a request is to end although nothing is wrong with it. */
type Stop = "client" | Extract<ErrorCode, "deadline_exceeded" | "draining">;

/**
 * Carries one request through: route → attempt → (route → attempt) → end. The arrival is over when the answer is out, the
 * body given back and the one record of it with the feed.
 */
export class Forwarding implements Stoppable {
  readonly #services: ForwardServices;
  readonly #request: InferenceRequest;
  readonly #arrival: Arrival;
  readonly #outlet: Outlet;
  readonly #timer: ExchangeTimer;
  readonly #wish: RouteRequest;
  readonly #contest: Contest;
  readonly #tried = new Tried();
  readonly #turn: Turn;
  readonly #failures: Unanswered[] = [];
  readonly #isReplayable: boolean;
  readonly #endsAtMs: number;
  #cancelLimit: Cancel | null = null;
  #resent = false;
  #stop: Stop | null = null;
  #wake: () => void = () => {};

  constructor(services: ForwardServices, request: InferenceRequest, arrival: Arrival) {
    const { clock, deadlines, retries } = services;
    const { id, route, model, streamed, session, body, wishes, synthetic } = request;
    const { startedMs } = arrival;
    this.#services = services;
    this.#request = request;
    this.#arrival = arrival;
    this.#outlet = new Outlet(arrival.response);
    const bytesIn = body.length;
    this.#isReplayable = bytesIn <= retries.replayBytesMax;
    const traceparent = headerOf(request.headers, "traceparent");
    const trace = services.traces.open(traceparent, headerOf(request.headers, "tracestate"));
    const origin: Origin = synthetic === null ? "real" : "synthetic";
    const label = synthetic?.label ?? null;
    const start = { id, origin, label, route, model, streamed, startedMs, bytesIn, session, trace };
    this.#timer = new ExchangeTimer(start, clock);
    const wish = { model, session, bodyBytes: bytesIn };
    this.#wish = synthetic === null ? wish : { ...wish, pinned: synthetic.replica };
    this.#turn = new Turn(services, this.#wish, this.#tried);
    const limits = deadlines.of(model);
    const askedMs = typeof wishes === "string" ? Infinity : wishes.timeoutMs;
    this.#endsAtMs = startedMs + Math.min(limits.totalMs, askedMs);
    this.#contest = new Contest({
      services,
      request,
      outlet: this.#outlet,
      limits,
      timer: this.#timer,
      wish: this.#wish,
      isReplayable: this.#isReplayable,
      tried: this.#tried,
      mayRetry: (status) => this.#mayRetry(status),
    });
  }

  /** Sets out; returns at once. */
  start(): void {
    const { feed, clock, retryBudget, hedging } = this.#services;
    this.#arrival.work = this;
    this.#arrival.onClose = () => {
      if (!this.#outlet.response.writableFinished) this.stop("client");
    };
    this.#timer.received();
    feed.began(this.#timer);
    if (this.#request.synthetic === null) {
      retryBudget.earn();
      hedging.earn();
    }
    if (this.#endsAtMs < Infinity) {
      this.#cancelLimit = clock.schedule(this.#endsAtMs - clock.nowMs(), () => {
        this.stop("deadline_exceeded");
      });
    }
    void this.#run();
  }

  async #run(): Promise<void> {
    let ending: Ending;
    try {
      ending = await this.#carry();
    } catch (error) {
      ending = this.#fault(error);
    }
    try {
      this.#record(ending);
    } catch (error) {
      this.#services.onFault(error);
    }
    this.#request.body.release();
    this.#arrival.over();
  }

  /** An error of ours in the middle of it: the client is told if it can be, and nothing goes on. */
  #fault(error: unknown): Ending {
    this.#services.onFault(error);
    this.#contest.cancel();
    this.#answer("internal_error");
    if (this.#outlet.response.headersSent) this.#outlet.breakOff(null);
    return { kind: "broken", code: "internal_error", status: errors.internal_error.status };
  }

  #record(ending: Ending): void {
    const { feed, lengths } = this.#services;
    this.#cancelLimit?.();
    const exchange = this.#timer.end(ending);
    this.#contest.settle(exchange);
    const { outcome, tokens, model } = exchange;
    const isReal = this.#request.synthetic === null;
    if (isReal && outcome.kind === "completed" && tokens.output !== null)
      lengths.note(model, tokens.output);
    feed.closed(this.#timer, exchange);
  }

  /** Ends the request wherever it stands: the client left, its time is over, or the proxy is going down. */
  stop(why: Stop): void {
    if (this.#stop !== null) return;
    this.#stop = why;
    if (why === "client") this.#contest.cancel();
    else this.#contest.cut(why, errors[why].sentence);
    this.#turn.leave();
    this.#wake();
  }

  async #carry(): Promise<Ending> {
    const { router, retries, retryBudget, random } = this.#services;
    const { model } = this.#wish;
    const { wishes } = this.#request;
    if (typeof wishes === "string") return this.#refuse("bad_request", wishes);
    if (!router.knowsModel(model))
      return this.#refuse(
        "model_not_found",
        `No replica serves the model "${model.slice(0, 200)}": GET /v1/models lists those that are served.`,
      );
    let routed = this.#turn.now() ?? (await this.#turn.wait());
    let lane: "pooled" | "fresh" = "pooled";
    while (this.#stop === null) {
      if (routed.kind !== "routed") return this.#blocked(routed);
      const result = await this.#contest.run(routed, lane);
      if (result.kind !== "unanswered") return this.#endOf(result);
      this.#failures.push(result);
      if (this.#stop !== null) break;
      const isStale = result.cause === "stale" && !this.#resent;
      if (!isStale && !router.hasUntried(this.#wish, this.#tried)) return this.#fail();
      const step = nextStep(result.cause, this.#state(), retries, retryBudget);
      if (step === "stop") return this.#fail();
      lane = step === "resend" ? "fresh" : "pooled";
      if (step === "resend") {
        this.#resent = true;
        continue;
      }
      const waitMs = step === "later" ? backoffMs(this.#tried.size, retries, random) : 0;
      if (!(await this.#pause(waitMs))) break;
      routed = this.#turn.now() ?? (await this.#turn.wait());
    }
    return this.#stopped();
  }

  /** Waits unless the request ends first or could not be over in time afterwards. */
  async #pause(waitMs: number): Promise<boolean> {
    const { clock } = this.#services;
    if (waitMs === 0) return true;
    if (clock.nowMs() + waitMs >= this.#endsAtMs) return false;
    const stop = new AbortController();
    this.#wake = () => {
      stop.abort();
    };
    await clock.after(waitMs, stop.signal);
    return true;
  }

  #state(): RetryState {
    const { wishes } = this.#request;
    return {
      attempts: this.#tried.size,
      resent: this.#resent,
      replayable: this.#isReplayable,
      clientRetries: typeof wishes !== "string" && wishes.retriesItself,
    };
  }

  #mayRetry(status: number): boolean {
    const { router, retries, retryBudget } = this.#services;
    const { attempts, replayable, clientRetries } = this.#state();
    if (!RETRY_STATUSES.has(status)) return false;
    // Another's refusal is already in hand: whichever of the two is kinder goes to the client.
    if (this.#failures.some(({ held }) => held !== null)) return true;
    return (
      replayable &&
      !clientRetries &&
      attempts < retries.attemptsMax &&
      router.hasOther(this.#wish, this.#tried) &&
      retryBudget.hasRoom
    );
  }

  #endOf(result: Exclude<AttemptResult, Unanswered>): Ending {
    if (result.kind === "answered") return { kind: "answered" };
    if (result.kind === "cancelled") return { ...this.#cancelled(), ...result };
    // A stream can still say why between two events; half an event, or any other body, can only be left visibly incomplete.
    // Neither gets a clean end.
    this.#outlet.breakOff(result.takesEvent ? errorEvent(result.code) : null);
    return { kind: "broken", code: result.code, status: this.#outlet.response.statusCode };
  }

  #stopped(): Ending {
    if (this.#stop === "client") return this.#cancelled();
    return this.#refuse(this.#stop ?? "deadline_exceeded");
  }

  #cancelled(): Ending {
    const { lengths } = this.#services;
    const expectedTokens = lengths.expected(this.#wish.model, this.#request.outputTokensMax);
    return { kind: "cancelled", expectedTokens };
  }

  #blocked(blocked: Blocked): Ending {
    if (this.#stop !== null) return this.#stopped();
    if (this.#failures.length > 0) return this.#fail();
    if (blocked.kind === "pushed-back") {
      const waitMs = Math.ceil(blocked.retryAfterMs);
      return this.#refuse(
        "queue_full",
        "Every replica has asked to be left alone for a while.",
        waitMs,
      );
    }
    const code = {
      none: "no_replica_available",
      full: "queue_full",
      "queue-full": "queue_full",
      "queue-timeout": "queue_timeout",
    } as const;
    return this.#refuse(code[blocked.kind]);
  }

  /** No try gave an answer: the client gets the most useful of what came. */
  #fail(): Ending {
    const best = bestOf(this.#failures);
    if (best === undefined) return this.#refuse("no_replica_available");
    const { held, code } = best;
    if (held === null) return this.#refuse(code);
    sendHeld(this.#outlet.response, held);
    const { status } = held;
    const said = `upstream_status_${status}`;
    return { kind: status >= 500 ? "broken" : "rejected", code: said, status };
  }

  #refuse(code: ErrorCode, detail?: string, waitMs?: number): Ending {
    this.#answer(code, detail, waitMs);
    const { status } = errors[code];
    return status >= 500 ? { kind: "broken", code, status } : { kind: "rejected", code, status };
  }

  #answer(code: ErrorCode, detail?: string, waitMs?: number): void {
    const headers = {
      "x-request-id": this.#request.requestId,
      "x-pitot-attempts": String(this.#tried.size),
      ...(waitMs === undefined ? {} : retryHeaders(waitMs)),
    };
    sendError(this.#outlet.response, code, {
      headers,
      ...(detail === undefined ? {} : { detail }),
    });
  }
}
