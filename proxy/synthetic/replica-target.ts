import { socketOptions } from "../upstream/connection.ts";
import type { SharedReplica } from "../upstream/replica-set.ts";
import type { Replica } from "../upstream/replica.ts";
import type { PathSetup } from "./thread-messages.ts";

/** The straight way to one replica: past routing, over connections of its own, with what that replica alone is told. */
export function replicaTarget(
  replica: Replica,
  { spec }: Pick<SharedReplica, "spec">,
  model: string,
): PathSetup {
  return {
    url: replica.url,
    model,
    engine: replica.engine.name,
    exactLength: true,
    forceWith: replica.engine.name,
    refused: [],
    headers: replica.headers,
    connect: socketOptions(spec.tls),
  };
}
