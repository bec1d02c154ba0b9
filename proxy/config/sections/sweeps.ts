import { z } from "zod";
import { readObjective } from "../../../load/sweep/objective.ts";
import { readableShapes } from "../../synthetic/sweep-order.ts";
import { BOUNDS, LIST_MAX } from "../../synthetic/sweep-request.ts";
import { NO_RULES, PRESET_NAMES, type SweepRules } from "../../synthetic/sweep-rules.ts";
import { count, defined } from "./measures.ts";

const within = ([min, max]: readonly [number, number]): z.ZodNumber => z.number().min(min).max(max);

/** Text that something reads, or says why it cannot. */
const readBy = (read: (text: string) => unknown): z.ZodString =>
  z.string().superRefine((text, context) => {
    try {
      read(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: (error as Error).message });
    }
  });

/** `sweeps`: what every sweep inside this proxy keeps to, and what one has that asks for nothing. */
export const sweeps = z
  .strictObject({
    preset: z.enum(PRESET_NAMES).describe("How thoroughly, when a sweep does not say."),
    shapes: z
      .array(readBy(readableShapes))
      .min(1)
      .max(LIST_MAX)
      .describe("What requests look like, when it does not say: 1024x128, almanac-9, my-traffic."),
    objectives: z
      .array(readBy(readObjective))
      .min(1)
      .max(LIST_MAX)
      .describe("What is looked for, when it does not say: ttft_p95<=1s."),
    path: z.enum(["direct", "routed", "both"]).describe("Which way, when it does not say."),
    traffic: z
      .enum(["drained", "beside"])
      .describe("Alone on its replica or beside users, when it does not say."),
    limits: z
      .strictObject({
        share: within(BOUNDS.share).describe("Of a replica's room, beside users."),
        tokens: within(BOUNDS.tokens).int().describe("Input and output, of one sweep."),
        minutes: within(BOUNDS.minutes).describe("How long one sweep may take."),
      })
      .partial()
      .transform(defined)
      .describe("The most any sweep may have; one that asks for more is refused."),
    guards: z
      .strictObject({
        ttftP95Ms: within(BOUNDS.ttftP95Ms).describe("Users' first token, over ten seconds."),
        burnRate: within(BOUNDS.burnRate).describe("Of any promise."),
        inFlight: within(BOUNDS.inFlight).int().describe("Real requests on the replica."),
      })
      .partial()
      .transform(defined)
      .describe("The loosest guards a sweep beside users may have."),
    runsMax: count.describe(
      "Runs of this proxy's sweeps kept on disk, the newest; all unless set.",
    ),
  })
  .partial()
  .prefault({})
  .transform((given): SweepRules => ({ ...NO_RULES, ...defined(given) }));
