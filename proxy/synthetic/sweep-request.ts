import { z } from "zod";
import { SweepError } from "./sweep-error.ts";
import type { SweepRequest } from "./sweep-view.ts";

/** Longest text of any field, and most shapes and objectives: a plan is read by people. */
const TEXT_MAX = 200;
export const LIST_MAX = 32;
/** From here to there limits and guards may be set. */
export const BOUNDS = {
  share: [0.001, 1],
  tokens: [1, 10_000_000_000],
  minutes: [0.05, 24 * 60],
  ttftP95Ms: [1, 3_600_000],
  burnRate: [0.1, 1_000],
  inFlight: [0, 1_000_000],
} as const;
const SHAPE_TOKENS_MAX = 10_000_000;
const FIT =
  "must be an object of parts, cachedShare and arrivalCv, as GET /api/v1/sweeps/fit gives";
const SEED_MAX = 2 ** 31 - 1;
const LEASE_SECONDS = { min: 2, max: 3_600 };

const text = (what: string): z.ZodString =>
  z.string(what).min(1, what).max(TEXT_MAX, `is longer than ${TEXT_MAX} characters`);
const list = (what: string): z.ZodArray<z.ZodString> =>
  z
    .array(text(what), what)
    .min(1, "is empty: leave it out or name one")
    .max(LIST_MAX, `has more than ${LIST_MAX} entries: sweep some at a time`);
const choice = <T extends readonly string[]>(...values: T): z.ZodEnum<{ [K in T[number]]: K }> =>
  z.enum(values, `must be one of ${values.join(", ")}`);
const numberFrom = (min: number, max: number, what: string): z.ZodNumber => {
  const sentence = `must be ${what}`;
  return z.number(sentence).min(min, sentence).max(max, sentence);
};
const whole = (min: number, max: number): z.ZodNumber =>
  numberFrom(min, max, `a whole number from ${min} to ${max}`).int(
    `must be a whole number from ${min} to ${max}`,
  );
const flag = z.boolean("must be true or false");

const schema = z.strictObject(
  {
    replica: text('must name a replica, such as {"replica": "vllm-0"}'),
    model: text("must be the name of a model").optional(),
    shapes: list('must be a list of shapes, such as ["1024x128"]').optional(),
    fit: z
      .strictObject(
        {
          parts: z
            .array(
              z.strictObject({
                inputTokens: whole(1, SHAPE_TOKENS_MAX),
                outputTokens: whole(1, SHAPE_TOKENS_MAX),
                weight: numberFrom(0.0001, 1, "a share above 0, up to 1"),
              }),
              FIT,
            )
            .min(1, "is empty: name at least one shape")
            .max(LIST_MAX, `has more than ${LIST_MAX} entries: fold rare ones together`),
          cachedShare: numberFrom(0, 1, "a share from 0 to 1, or null").nullable(),
          arrivalCv: numberFrom(0, 1_000, "a number from 0, or null").nullable(),
        },
        FIT,
      )
      .optional(),
    preset: text("must be the name of a preset").optional(),
    objectives: list('must be a list of objectives, such as ["ttft_p95<=1s"]').optional(),
    path: choice("direct", "routed", "both").optional(),
    traffic: choice("drained", "beside").optional(),
    limits: z
      .strictObject(
        {
          share: numberFrom(...BOUNDS.share, "a share above 0, up to 1").optional(),
          tokens: whole(...BOUNDS.tokens).optional(),
          minutes: numberFrom(...BOUNDS.minutes, "minutes from 0.05 to 1440").optional(),
        },
        "must be an object of share, tokens and minutes",
      )
      .optional(),
    guards: z
      .strictObject(
        {
          ttftP95Ms: numberFrom(...BOUNDS.ttftP95Ms, "milliseconds from 1 to 3600000").optional(),
          burnRate: numberFrom(...BOUNDS.burnRate, "a burn rate from 0.1 to 1000").optional(),
          inFlight: whole(...BOUNDS.inFlight).optional(),
        },
        "must be an object of ttftP95Ms, burnRate and inFlight",
      )
      .optional(),
    seed: whole(0, SEED_MAX).optional(),
    confirm: flag.optional(),
    force: flag.optional(),
    leaseSeconds: whole(LEASE_SECONDS.min, LEASE_SECONDS.max).optional(),
  },
  'must be an object, such as {"replica": "vllm-0", "preset": "quick"}',
);

/** Reads a body of `POST /api/v1/sweeps`. @throws {SweepError} with a sentence per field that is wrong. */
export function readSweepRequest(body: unknown): SweepRequest {
  const result = schema.safeParse(body);
  // Checked for undefined fields by the schema; the cast only says that absent ones are absent.
  if (result.success) return JSON.parse(JSON.stringify(result.data)) as SweepRequest;
  const sentences = result.error.issues.map((issue) => {
    if (issue.code === "unrecognized_keys") {
      const where = issue.path.length === 0 ? "" : `${issue.path.join(".")}.`;
      return `${where}${issue.keys.join(", ")} is no field of a sweep: leave it out.`;
    }
    const field = issue.path.length === 0 ? "the body" : issue.path.join(".");
    return `${field} ${issue.message}${shown(body, issue.path)}.`;
  });
  throw new SweepError("invalid_sweep", sentences.join(" "));
}

/** The value that is wrong, where it is short enough to be shown. */
function shown(body: unknown, path: readonly PropertyKey[]): string {
  let value = body;
  for (const key of path)
    value =
      typeof value === "object" && value !== null
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined;
  const given = value === undefined ? undefined : JSON.stringify(value);
  return given === undefined || given.length > 60 ? "" : `, not ${given}`;
}
