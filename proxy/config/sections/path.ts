import { z } from "zod";
import { QUEUE } from "../../admission/queue.ts";
import { TIME_LIMITS } from "../../http/deadlines.ts";
import { HEDGE } from "../../http/hedging.ts";
import { RETRIES } from "../../http/retry.ts";
import { BREAKER } from "../../upstream/health/breaker.ts";
import { bytes, count, defined, milliseconds, share } from "./measures.ts";

/** Models with settings of their own at most: a catalogue, not a log. */
const MODELS_MAX = 256;

const limits = z.strictObject({
  connectMs: milliseconds.describe("From an attempt's start to a socket in hand."),
  headersMs: milliseconds.describe("From an attempt's start to the engine's response headers."),
  firstTokenMs: milliseconds.describe("From an attempt's start to the first output of a stream."),
  wholeMs: milliseconds.describe("From an attempt's start to the end of an answer in one piece."),
  stallMs: milliseconds.describe("Between two pieces of an answer that has begun."),
  writeStallMs: milliseconds.describe("How long a client may take no bytes while some wait."),
  totalMs: milliseconds.describe(
    "From a request's arrival to its end, over all tries; none unless set.",
  ),
});

/** `timeouts`: how long each part of a request may take, for all models and for one. */
export const timeouts = limits
  .partial()
  .extend({
    models: z
      .record(z.string().min(1).max(256), limits.partial().transform(defined))
      .refine((models) => Object.keys(models).length <= MODELS_MAX, `at most ${MODELS_MAX} models`)
      .default({})
      .describe("The same, for one model."),
  })
  .prefault({})
  .transform(({ models, ...given }) => ({ ...TIME_LIMITS, ...defined(given), models }));

/** `retries`: what is tried again, and how often. */
export const retries = z
  .strictObject({
    attemptsMax: z.number().int().min(1).max(10).describe("Tries of one request in all."),
    budgetRatio: share.describe("Tries again as a share of requests over ten seconds."),
    budgetFloorPerSecond: z.number().min(0).max(1000).describe("What the budget always allows."),
    onReset: z
      .boolean()
      .describe("Whether a request whose connection broke before any byte is tried again."),
    backoffMs: milliseconds.describe(
      "First wait before a further try; doubled each time, with full jitter.",
    ),
    backoffMsMax: milliseconds.describe("Longest wait."),
    replayBytesMax: bytes.describe("Requests with larger bodies are not tried again."),
  })
  .partial()
  .prefault({})
  .transform((given) => ({ ...RETRIES, ...defined(given) }));

/** `hedging`: a second try before the first has failed; off unless `afterMs` is set. */
export const hedging = z
  .strictObject({
    afterMs: milliseconds
      .nullable()
      .describe("Without a first token by then, another replica is asked too."),
    shareMax: z.number().min(0).max(0.1).describe("Hedges as a share of requests."),
    loadMax: share.describe("None while more than this share of the fleet's room is taken."),
  })
  .partial()
  .prefault({})
  .transform((given) => ({ ...HEDGE, ...defined(given) }));

/** `health`: when a replica is held out of routing. */
export const health = z
  .strictObject({
    consecutiveMax: count.describe("Failures in a row that open its breaker."),
    ratioMax: share.describe("Share of failures that does."),
    ratioSamplesMin: count.describe("Answers that share is judged on at least."),
    windowMs: milliseconds.describe("Over this time."),
    openMs: milliseconds.describe("How long it is held out at first; doubled each further time."),
    openMsMax: milliseconds.describe("Longest."),
    trialsToClose: count.describe("Good answers that take it back."),
    ejectedShareMax: share.describe(
      "Share of the fleet that may be held out at once; never the last one.",
    ),
  })
  .partial()
  .prefault({})
  .transform((given) => ({ ...BREAKER, ...defined(given) }));

/** `admission`: how many requests go on at once, and how many wait. */
export const admission = z
  .strictObject({
    inFlightMax: count
      .optional()
      .describe("Requests under way on one replica at most; more wait here."),
    queue: z
      .strictObject({
        queueMax: z.number().int().min(0).max(100_000).describe("Waiting requests per model."),
        queueMs: milliseconds.describe("Longest wait."),
      })
      .partial()
      .prefault({})
      .transform((given) => ({ ...QUEUE, ...defined(given) })),
  })
  .prefault({});
