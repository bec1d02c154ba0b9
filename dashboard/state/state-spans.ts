import type { FleetEvent, FleetEventKind, ReplicaView } from "../../proxy/upstream/fleet.ts";

/** A time a replica spent in one state; `null` where nothing is known of it. */
export interface StateSpan {
  readonly state: ReplicaView["state"] | null;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** How far back the line reaches. */
export const STATE_LINE_MS = 3_600_000;

const STATES: Partial<Readonly<Record<FleetEventKind, ReplicaView["state"]>>> = {
  "replica-added": "starting",
  "replica-up": "up",
  "replica-down": "down",
  "replica-draining": "draining",
  "replica-disabled": "disabled",
};

/** One replica's last hour, told by events; before the first one nobody knows, and the line has a gap. */
export function stateSpans(
  { id, state, sinceMs }: ReplicaView,
  events: readonly FleetEvent[],
  nowMs: number,
): readonly StateSpan[] {
  const bornMs = nowMs - STATE_LINE_MS;
  const turns = events.flatMap(({ subject, kind, atMs }) => {
    const turned = STATES[kind];
    return subject === id && turned !== undefined && atMs < sinceMs
      ? [{ state: turned, atMs }]
      : [];
  });
  turns.push({ state, atMs: sinceMs });
  const spans: StateSpan[] = [];
  const firstMs = turns[0]?.atMs ?? nowMs;
  if (firstMs > bornMs) spans.push({ state: null, fromMs: bornMs, untilMs: firstMs });
  turns.forEach(({ state, atMs }, at) => {
    const untilMs = turns[at + 1]?.atMs ?? nowMs;
    const fromMs = Math.max(bornMs, atMs);
    if (untilMs > fromMs) spans.push({ state, fromMs, untilMs });
  });
  return spans;
}
