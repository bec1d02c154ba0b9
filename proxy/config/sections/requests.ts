import { z } from "zod";
import { BODIES_HELD_BYTES_MAX } from "../../http/body-budget.ts";
import { CLIENT_LIMITS } from "../../http/client-connections.ts";
import { BODY_BYTES_MAX } from "../../http/request-body.ts";
import { parseNetwork } from "../../http/trusted-peers.ts";

const network = z.string().superRefine((text, context) => {
  try {
    parseNetwork(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message });
  }
});

/** `requests`: what clients may send and hold, and whose word about them counts. */
export const requests = z
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
  .prefault({});
