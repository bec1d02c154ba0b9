import { z } from "zod";
import { GOODPUT_DEFAULT, type SloOptions } from "../../telemetry/options.ts";
import { readSloSentence, SLO_FORM } from "../slo-sentence.ts";
import { bytes, count, defined, milliseconds, names, share } from "./measures.ts";

/** Promises in one file at most: each keeps a month of minutes. */
const SLOS_MAX = 64;
const DAY_MS = 86_400_000;

const webAddress = z.url({ protocol: /^https?$/, error: "must be an http or https address" });

const slo = z.strictObject({
  name: z.string().min(1).max(100),
  objective: z
    .number()
    .min(0.5)
    .max(0.99999)
    .describe("Share of valid requests that must be good."),
  match: z
    .strictObject({
      model: z.string().min(1).max(256),
      route: z.enum([
        "chat",
        "completions",
        "responses",
        "messages",
        "embeddings",
        "rerank",
        "tokenize",
        "other",
      ]),
      replica: z.string().min(1).max(64),
      client: z.string().min(1).max(256),
      streamed: z.boolean(),
      origin: z.enum(["real", "synthetic", "probe"]),
    })
    .partial()
    .transform(defined)
    .optional()
    .describe("Which requests it speaks of; all unless said."),
  targets: z
    .array(
      z.strictObject({
        metric: z.enum(["ttft", "ttfb", "tpot", "e2e", "queue"]),
        belowMs: milliseconds,
      }),
    )
    .max(8)
    .optional()
    .describe("What they must meet besides succeeding."),
  windowMs: z
    .number()
    .min(DAY_MS)
    .max(30 * DAY_MS)
    .default(28 * DAY_MS)
    .describe("The period."),
});

const sentence = z
  .string()
  .max(500)
  .transform((text, context): SloOptions => {
    try {
      return readSloSentence(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
      return z.NEVER;
    }
  });

/** `slos`: promises, each a sentence or a mapping. */
export const slos = z
  .array(z.union([sentence, slo.transform((given) => defined(given) as SloOptions)]))
  .max(SLOS_MAX)
  .superRefine((promises, context) => {
    for (const [index, { name }] of promises.entries())
      if (promises.slice(0, index).some((other) => other.name === name))
        context.addIssue({
          code: "custom",
          path: [index],
          message: `the name "${name}" is taken: give one of them another`,
        });
  })
  .default([])
  .describe(`Promises: "${SLO_FORM}", or a mapping.`);

/** `telemetry`: what is measured against, where it is told, what is kept. */
export const telemetry = z
  .strictObject({
    goodput: z
      .strictObject({ ttftMs: milliseconds, tpotMs: milliseconds })
      .partial()
      .prefault({})
      .transform((given) => ({ ...GOODPUT_DEFAULT, ...defined(given) }))
      .describe("What the goodput bar holds requests against."),
    webhooks: z
      .array(
        z
          .strictObject({
            kind: z.enum(["generic", "slack", "alertmanager"]),
            url: webAddress,
            headers: names.optional(),
          })
          .transform(defined),
      )
      .max(16)
      .default([])
      .describe("Where alerts are told; header values may be env:NAME or file:PATH."),
    otlp: z
      .strictObject({
        endpoint: webAddress.describe("Root of the collector: http://collector:4318."),
        headers: names.optional(),
        traces: z.boolean().optional(),
        metrics: z.boolean().optional(),
        sampleRatio: share.optional().describe("Share of traces that begin here and are kept."),
        metricsEveryMs: milliseconds.optional(),
        serviceName: z.string().min(1).max(100).optional(),
        conventions: z.enum(["v1.41", "genai"]).optional(),
      })
      .transform(defined)
      .optional()
      .describe("OpenTelemetry over OTLP/HTTP."),
    log: z
      .strictObject({
        path: z.string().min(1).describe("A file, or - for standard output."),
        format: z.enum(["json", "access"]).optional(),
        fileBytesMax: bytes.optional(),
        filesMax: count.optional(),
      })
      .transform(defined)
      .optional()
      .describe("One line per request; never a word of prompt or answer."),
    retention: z
      .strictObject({ requests: count, historyBytesMax: bytes, databaseBytesMax: bytes })
      .partial()
      .transform(defined)
      .optional()
      .describe("How much history is kept."),
    requestUsage: z
      .boolean()
      .default(false)
      .describe(
        "Ask streaming engines for usage their clients did not ask for, and take that event out again.",
      ),
  })
  .prefault({});
