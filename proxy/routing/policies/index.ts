import type { Random } from "../../../engines/random.ts";
import type { Policy } from "../policy.ts";
import { leastInFlight } from "./least-in-flight.ts";
import { roundRobin } from "./round-robin.ts";

/** Every policy by the name users write. */
export const policies = {
  "least-in-flight": leastInFlight,
  "round-robin": roundRobin,
} satisfies Record<string, (random: Random) => Policy>;

export type PolicyName = keyof typeof policies;

export const policyNames = Object.keys(policies) as readonly PolicyName[];
