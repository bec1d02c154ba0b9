import type { ReplicaView } from "../upstream/fleet.ts";
import type { ReplicaPatch } from "./frames.ts";

/** Moments that move with every probe and alone are no news: a viewer reads the age off the figures that came with them. */
const QUIET: ReadonlySet<string> = new Set(["lastProbe"]);

/** What changed from one look at the fleet to the next, field by field. */
export function patchesBetween(
  before: readonly ReplicaView[],
  after: readonly ReplicaView[],
): { readonly replicas: readonly ReplicaPatch[]; readonly removed: readonly string[] } {
  const known = new Map(before.map((view) => [view.id, view]));
  const replicas: ReplicaPatch[] = [];
  for (const view of after) {
    const old = known.get(view.id);
    known.delete(view.id);
    const patch = old === undefined ? view : patchOf(old, view);
    if (patch !== null) replicas.push(patch);
  }
  return { replicas, removed: [...known.keys()] };
}

function patchOf(before: ReplicaView, after: ReplicaView): ReplicaPatch | null {
  const changed = Object.entries(after).filter(
    ([field, value]) => !same(before[field as keyof ReplicaView], value),
  );
  if (
    changed.every(
      ([field, value]) =>
        QUIET.has(field) && isOk(value) === isOk(before[field as keyof ReplicaView]),
    )
  )
    return null;
  return { ...Object.fromEntries(changed), id: after.id };
}

function isOk(value: unknown): unknown {
  return typeof value === "object" && value !== null && "ok" in value ? value.ok : value;
}

/** Views are plain data of a few fields: equal when they are written alike. */
function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
