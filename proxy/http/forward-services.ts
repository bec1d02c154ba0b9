import type { Clock } from "../../engines/clock.ts";
import type { Random } from "../../engines/random.ts";
import { QUEUE, Queue, type QueueOptions } from "../admission/queue.ts";
import type { PolicyName } from "../routing/policies/index.ts";
import { Router } from "../routing/router.ts";
import type { Feed } from "../telemetry/feed.ts";
import { Traces } from "../telemetry/traces.ts";
import { BREAKER, type BreakerOptions } from "../upstream/health/breaker.ts";
import type { Members } from "../upstream/members.ts";
import { AnswerLengths } from "./answer-lengths.ts";
import { Deadlines, TIME_LIMITS, type TimeLimitOptions } from "./deadlines.ts";
import { HEDGE, type HedgeOptions, Hedging } from "./hedging.ts";
import { RETRIES, type RetryOptions } from "./retry.ts";
import { RetryBudget } from "./retry-budget.ts";

/** What forwarding leans on; one of each per proxy. */
export interface ForwardServices {
  readonly clock: Clock;
  readonly random: Random;
  readonly router: Router;
  readonly replicas: Members;
  readonly feed: Feed;
  readonly deadlines: Deadlines;
  readonly queue: Queue;
  readonly retries: RetryOptions;
  readonly retryBudget: RetryBudget;
  readonly hedging: Hedging;
  readonly lengths: AnswerLengths;
  readonly traces: Traces;
  /** Told of an error nobody expected; the request it struck is answered with a 500. */
  readonly onFault: (error: unknown) => void;
}

/** How requests are carried; everything has a default. */
export interface ForwardOptions {
  readonly policy?: PolicyName;
  readonly limits?: Partial<TimeLimitOptions>;
  readonly retries?: Partial<RetryOptions>;
  readonly hedging?: Partial<HedgeOptions>;
  readonly breaker?: Partial<BreakerOptions>;
  readonly queue?: Partial<QueueOptions>;
}

type Given = Pick<ForwardServices, "clock" | "random" | "replicas" | "feed" | "onFault"> &
  Partial<Pick<ForwardServices, "traces">>;

/** Puts the services of forwarding together. The caller stops `deadlines`. */
export function forwardServices(options: ForwardOptions, given: Given): ForwardServices {
  const { clock, random, replicas } = given;
  const { ejectedShareMax } = { ...BREAKER, ...options.breaker };
  const retries = { ...RETRIES, ...options.retries };
  return {
    ...given,
    router: new Router(replicas, options.policy ?? "least-in-flight", random, ejectedShareMax),
    deadlines: new Deadlines(clock, { ...TIME_LIMITS, ...options.limits }),
    retries,
    retryBudget: new RetryBudget(clock, retries),
    queue: new Queue(clock, { ...QUEUE, ...options.queue }),
    hedging: new Hedging(clock, { ...HEDGE, ...options.hedging }),
    lengths: new AnswerLengths(),
    traces: given.traces ?? new Traces(random, { makesSpans: false, sampleRatio: 0 }),
  };
}
