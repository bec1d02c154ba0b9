import { z } from "zod";
import { engines } from "../../engines/index.ts";
import { BODIES_HELD_BYTES_MAX } from "../http/body-budget.ts";
import { CLIENT_LIMITS } from "../http/client-connections.ts";
import { TIME_LIMITS } from "../http/deadlines.ts";
import { BODY_BYTES_MAX } from "../http/request-body.ts";
import { parseNetwork } from "../http/trusted-peers.ts";
import { originOf } from "../upstream/replica-set.ts";
import { type PolicyName, policyNames } from "../routing/policies/index.ts";
import { THREADS_MAX } from "../threads/crew.ts";
import { type ListenAddress, parseListen } from "./listen.ts";

/** Replicas in one file at most, as in one proxy. */
const REPLICAS_MAX = 1024;
/** Models with settings of their own at most: a catalogue, not a log. */
const MODELS_MAX = 256;

const address = z.string().transform((text, context): ListenAddress => {
  try {
    return parseListen(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message });
    return z.NEVER;
  }
});

/** Longer than nearly every answer, shorter than an orchestrator's patience with a careful user. */
const DRAIN_MS = 120_000;

const milliseconds = z.number().positive().max(86_400_000);
const network = z.string().superRefine((text, context) => {
  try {
    parseNetwork(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message });
  }
});
const names = z.record(z.string().min(1).max(256), z.string().max(8192));

const timeouts = z.strictObject({
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

const replica = z.strictObject({
  url: z
    .string()
    .min(1)
    .max(2048)
    .superRefine((text, context) => {
      try {
        originOf(text);
      } catch (error) {
        context.addIssue({ code: "custom", message: (error as Error).message });
      }
    })
    .describe("Origin of the engine: http://host:port."),
  name: z
    .string()
    .regex(/^[\w.-]{1,64}$/, "may hold letters, digits, dots, dashes and underscores, 64 at most")
    .optional()
    .describe("What it is called on the board and in headers; host:port unless given."),
  engine: z
    .enum(Object.keys(engines) as [keyof typeof engines, ...(keyof typeof engines)[]])
    .optional()
    .describe("Its dialect; recognised by itself unless given."),
  model: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe("The model it serves; asked of it unless given."),
  weight: z
    .number()
    .positive()
    .max(1000)
    .optional()
    .describe("Share of the traffic; 1 unless given."),
  labels: names.optional().describe("Free labels shown on the board."),
  headers: names
    .optional()
    .describe("Sent to this replica alone; values may be env:NAME or file:PATH."),
  apiKey: z
    .string()
    .min(1)
    .optional()
    .describe("Sent as `Authorization: Bearer …` to this replica alone; env:NAME or file:PATH."),
  tls: z
    .strictObject({
      ca: z.string().optional().describe("Path of a PEM file with the authority that signed it."),
      insecure: z.boolean().optional().describe("Takes any certificate: for a test bench only."),
      serverName: z
        .string()
        .optional()
        .describe("Name on the certificate, where not the URL's host."),
      cert: z
        .string()
        .optional()
        .describe("Path of our own certificate, for engines that ask for one."),
      key: z.string().optional().describe("Path of its key."),
    })
    .optional(),
});

/** `pitot.yaml`. Every section and field may be left out. */
export const settingsSchema = z.strictObject({
  listen: address.prefault("0.0.0.0:8080").describe("Data plane: where clients connect."),
  admin: address.prefault("127.0.0.1:8081").describe("Board, API and /metrics."),
  threads: z
    .number()
    .int()
    .min(1)
    .max(THREADS_MAX)
    .default(1)
    .describe("Threads of the data path, all behind one port."),
  replicas: z
    .array(
      z.union([
        z
          .string()
          .min(1)
          .transform((text): z.input<typeof replica> => nameAndUrl(text))
          .pipe(replica),
        replica,
      ]),
    )
    .max(REPLICAS_MAX)
    .superRefine((replicas, context) => {
      for (const [index, { url, name }] of replicas.entries()) {
        const earlier = replicas.slice(0, index);
        if (earlier.some((other) => originOf(other.url) === originOf(url)))
          context.addIssue({
            code: "custom",
            path: [index, "url"],
            message: "it is there twice: leave one out",
          });
        if (name !== undefined && earlier.some((other) => other.name === name))
          context.addIssue({
            code: "custom",
            path: [index, "name"],
            message: "it is taken: choose another",
          });
      }
    })
    .default([])
    .describe("The engines: a URL, name=URL, or a mapping."),
  routing: z
    .strictObject({
      policy: z
        .enum(policyNames as [PolicyName, ...PolicyName[]])
        .default("least-in-flight")
        .describe("How a replica is chosen."),
    })
    .prefault({}),
  timeouts: timeouts
    .partial()
    .extend({
      models: z
        .record(z.string().min(1).max(256), timeouts.partial().transform(defined))
        .refine(
          (models) => Object.keys(models).length <= MODELS_MAX,
          `at most ${MODELS_MAX} models`,
        )
        .default({})
        .describe("The same, for one model."),
    })
    .prefault({})
    .transform(({ models, ...limits }) => ({ ...TIME_LIMITS, ...defined(limits), models })),
  drain: z
    .strictObject({
      deadlineMs: milliseconds
        .default(DRAIN_MS)
        .describe("After a signal to stop, requests under way may finish within this time."),
    })
    .prefault({}),
  requests: z
    .strictObject({
      bodyBytesMax: z
        .number()
        .int()
        .min(1024)
        .max(1_073_741_824)
        .default(BODY_BYTES_MAX)
        .describe("Largest request body taken."),
      bodiesHeldBytesMax: z
        .number()
        .int()
        .min(1_048_576)
        .default(BODIES_HELD_BYTES_MAX)
        .describe("All request bodies held at one time; beyond it requests get 503 overloaded."),
      connectionsMax: z
        .number()
        .int()
        .min(1)
        .default(CLIENT_LIMITS.connectionsMax)
        .describe("Client connections; fewer where the process may not open that many files."),
      connectionsPerSourceMax: z
        .number()
        .int()
        .min(1)
        .optional()
        .describe("Client connections from one address; no limit of its own unless given."),
      trustedPeers: z
        .array(network)
        .default([])
        .describe("Proxies in front, as addresses or networks, whose X-Forwarded-* count."),
    })
    .prefault({}),
});

/** The settings a proxy runs with: checked, complete, frozen. */
export type Settings = z.output<typeof settingsSchema>;
export type ReplicaSettings = Settings["replicas"][number];

/** What editors and CI validate a file against. */
export function settingsJsonSchema(): object {
  return {
    $id: "https://pitot.dev/pitot.schema.json",
    title: "pitot.yaml",
    ...z.toJSONSchema(settingsSchema, { io: "input", unrepresentable: "any" }),
  };
}

function nameAndUrl(text: string): { url: string; name?: string } {
  const [, name, url] = /^([\w.-]+)=(.+)$/.exec(text) ?? [];
  return name === undefined || url === undefined ? { url: text } : { name, url };
}

/** Without the fields that are not set, so that they do not hide a default. */
function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
