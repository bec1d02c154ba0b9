import type { ServerResponse } from "node:http";
import type { Clock } from "../../engines/clock.ts";
import { type Ending, ExchangeTimer } from "../../engines/exchange-timer.ts";
import type { Random } from "../../engines/random.ts";
import { type ErrorCode, errorEvent, errors } from "../errors.ts";
import type { Routed, RouteRequest } from "../routing/policy.ts";
import type { Router } from "../routing/router.ts";
import type { Feed } from "../telemetry/feed.ts";
import type { Replica } from "../upstream/replica.ts";
import type { ReplicaSet } from "../upstream/replica-set.ts";
import { Attempt, type AttemptResult } from "./attempt.ts";
import type { Deadlines } from "./deadlines.ts";
import { sendError } from "./error-answer.ts";
import type { InferenceRequest } from "./inference-request.ts";

/** What forwarding leans on; one of each per proxy. */
export interface ForwardServices {
  readonly clock: Clock;
  readonly random: Random;
  readonly router: Router;
  readonly replicas: ReplicaSet;
  readonly feed: Feed;
  readonly deadlines: Deadlines;
}

/** Tries at one request in all, each at a replica not tried before. */
export const ATTEMPTS_MAX = 3;
/** Answers another replica may do better at; nothing of them has reached the client (RFC 9110 §15.5.9, §15.6). */
const RETRY_STATUSES = new Set([408, 429, 500, 502, 503, 504]);
/** First wait before trying again after anything but a refused connection; doubled each time, with full jitter. */
const BACKOFF_MS = 50;

/**
 * Carries one request through: route → attempt → (route → attempt) → end. Resolves when the answer is out and the one
 * record of it is with the feed. Never rejects.
 */
export class Forwarding {
  readonly #services: ForwardServices;
  readonly #request: InferenceRequest;
  readonly #response: ServerResponse;
  readonly #timer: ExchangeTimer;
  readonly #tried = new Set<Replica>();
  #current: Attempt | null = null;
  #left = false;

  constructor(
    services: ForwardServices,
    request: InferenceRequest,
    response: ServerResponse,
    startedMs: number,
  ) {
    this.#services = services;
    this.#request = request;
    this.#response = response;
    const { id, route, model, streamed, session } = request;
    const start = {
      id,
      origin: "real" as const,
      route,
      model,
      streamed,
      startedMs,
      bytesIn: request.body.length,
      session,
    };
    this.#timer = new ExchangeTimer(start, services.clock);
    response.on("close", () => {
      if (response.writableFinished) return;
      this.#left = true;
      this.#current?.cancel();
    });
  }

  async run(): Promise<void> {
    const { feed } = this.#services;
    this.#timer.received();
    feed.began(this.#timer);
    const ending = await this.#carry().catch((error: unknown): Ending => {
      process.emitWarning(`a request ended in an unexpected error: ${String(error)}`);
      this.#response.destroy();
      return { kind: "broken", code: "overloaded", status: null };
    });
    feed.closed(this.#timer, this.#timer.end(ending));
  }

  async #carry(): Promise<Ending> {
    const { router, random, clock } = this.#services;
    const wish: RouteRequest = {
      model: this.#request.model,
      session: this.#request.session,
      bodyBytes: this.#request.body.length,
    };
    if (!router.knowsModel(wish.model))
      return this.#refuse(
        "model_not_found",
        `No replica serves the model "${wish.model.slice(0, 200)}": GET /v1/models lists those that are served.`,
      );
    let last: Extract<AttemptResult, { kind: "unanswered" }> | null = null;
    for (let number = 1; number <= ATTEMPTS_MAX; number++) {
      if (this.#left) return { kind: "cancelled" };
      const routed = router.route(wish, this.#tried);
      if (routed === null) break;
      const result = await this.#attempt(routed, number, wish);
      if (result.kind !== "unanswered") return this.#endOf(result);
      last = result;
      // Whoever waited that long would wait as long again.
      if (result.code === "first_token_timeout") break;
      const refused = result.code === "upstream_connect_failed";
      if (!refused && number < ATTEMPTS_MAX)
        await clock.after(random.next() * BACKOFF_MS * 2 ** (number - 1));
    }
    if (last === null) return this.#refuse("no_replica_available");
    return this.#fail(last);
  }

  async #attempt(
    { replica, decision }: Routed,
    number: number,
    wish: RouteRequest,
  ): Promise<AttemptResult> {
    const { clock, router, replicas, deadlines } = this.#services;
    this.#tried.add(replica);
    replica.inFlight++;
    this.#timer.routed(replica.id, replica.engine, decision);
    const attempt = new Attempt({
      request: this.#request,
      response: this.#response,
      timer: this.#timer,
      replica,
      clock,
      number,
      mayRetry: (status) =>
        RETRY_STATUSES.has(status) && number < ATTEMPTS_MAX && router.hasOther(wish, this.#tried),
    });
    this.#current = attempt;
    const unwatch = deadlines.watch(attempt);
    const forget = replicas.onCut(replica, () => {
      attempt.cut();
    });
    try {
      const result = await attempt.run();
      if (result.kind === "unanswered") this.#note(result, replica);
      return result;
    } finally {
      replica.inFlight--;
      this.#current = null;
      unwatch();
      forget();
    }
  }

  /** Writes a failed try into the record and tells the replica set what it means. */
  #note(result: Extract<AttemptResult, { kind: "unanswered" }>, replica: Replica): void {
    this.#timer.attemptFailed(
      result.status === null ? result.code : `status_${result.status}`,
      result.status,
    );
    if (result.code === "upstream_connect_failed")
      this.#services.replicas.unreachable(replica, result.why);
  }

  #endOf(result: Exclude<AttemptResult, { kind: "unanswered" }>): Ending {
    if (result.kind === "answered") return { kind: "answered" };
    if (result.kind === "cancelled") return { kind: "cancelled" };
    // A stream can still say why; any other body can only be left visibly incomplete.
    if (result.isStream) this.#response.end(errorEvent(result.code));
    else this.#response.destroy();
    return { kind: "broken", code: result.code, status: this.#response.statusCode };
  }

  #fail(last: Extract<AttemptResult, { kind: "unanswered" }>): Ending {
    const { code, status: upstreamStatus } = last;
    this.#answer(code);
    return { kind: "broken", code, status: upstreamStatus ?? errors[code].status };
  }

  #refuse(code: ErrorCode, detail?: string): Ending {
    this.#answer(code, detail);
    const { status } = errors[code];
    return status >= 500 ? { kind: "broken", code, status } : { kind: "rejected", code, status };
  }

  #answer(code: ErrorCode, detail?: string): void {
    const attempts = String(this.#tried.size);
    const more = {
      "x-request-id": this.#request.requestId,
      "x-pitot-attempts": attempts,
    };
    sendError(this.#response, code, { headers: more, ...(detail === undefined ? {} : { detail }) });
  }
}
