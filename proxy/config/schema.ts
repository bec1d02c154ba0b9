import { z } from "zod";
import { type PolicyName, policyNames } from "../routing/policies/index.ts";
import { THREADS_MAX } from "../threads/crew.ts";
import { type ListenAddress, parseListen } from "./listen.ts";
import { milliseconds } from "./sections/measures.ts";
import { admission, health, hedging, retries, timeouts } from "./sections/path.ts";
import { replicas } from "./sections/replicas.ts";
import { requests } from "./sections/requests.ts";
import { sweeps } from "./sections/sweeps.ts";
import { slos, telemetry } from "./sections/telemetry.ts";

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
  replicas,
  routing: z
    .strictObject({
      policy: z
        .enum(policyNames as [PolicyName, ...PolicyName[]])
        .default("least-in-flight")
        .describe("How a replica is chosen."),
    })
    .prefault({}),
  timeouts,
  retries,
  hedging,
  health,
  admission,
  slos,
  telemetry,
  sweeps,
  data: z
    .string()
    .min(1)
    .optional()
    .describe("Directory of what survives a restart; none keeps nothing."),
  drain: z
    .strictObject({
      deadlineMs: milliseconds
        .default(DRAIN_MS)
        .describe("After a signal to stop, requests under way may finish within this time."),
    })
    .prefault({}),
  requests,
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
