import type { ReplicaSet } from "../upstream/replica-set.ts";
import type { Replica } from "../upstream/replica.ts";

/** Whether another replica could take this one's users. */
export function othersServe(replicas: ReplicaSet, replica: Replica, model: string): boolean {
  return [...replicas.all()].some(
    (other) =>
      other !== replica &&
      other.available &&
      other.breakers.of(model).admits &&
      (other.models.length === 0 || other.models.includes(model)),
  );
}
