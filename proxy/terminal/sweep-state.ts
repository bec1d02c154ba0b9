import type { Subject } from "../../load/results/summary.ts";
import type { PointProgress, SweepEvent } from "../../load/sweep/events.ts";
import type { PointTask } from "../../load/sweep/plan.ts";

/** What a view must remember of a sweep's events. */
export interface SweepState {
  readonly subject: Subject | null;
  readonly shape: { readonly name: string; readonly index: number; readonly of: number } | null;
  readonly task: PointTask | null;
  /** Of the point under way; `null` before it said anything. */
  readonly progress: PointProgress | null;
  /** One a second over all points, so that a curve shows how latency climbs with load. */
  readonly ttftMs: readonly (number | null)[];
  readonly tpotMs: readonly (number | null)[];
  readonly points: number;
  readonly startedMs: number;
  /** What was still to come, as of when it was said. */
  readonly remaining: { readonly ms: number; readonly atMs: number };
}

/** Seconds of the curves that are kept: more than the widest terminal shows. */
const HISTORY_MAX = 120;

export const nothingYet: SweepState = {
  subject: null,
  shape: null,
  task: null,
  progress: null,
  ttftMs: [],
  tpotMs: [],
  points: 0,
  startedMs: 0,
  remaining: { ms: 0, atMs: 0 },
};

/** The state after one more event. */
export function stateAfter(state: SweepState, event: SweepEvent): SweepState {
  switch (event.kind) {
    case "planned": {
      const { subject, resumedPoints: points, atMs, estimateMs: ms } = event;
      return { ...state, subject, points, startedMs: atMs, remaining: { ms, atMs } };
    }
    case "shape-started": {
      const { shape: name, index, of } = event;
      return { ...state, shape: { name, index, of }, task: null, progress: null };
    }
    case "point-started":
      return { ...state, task: event.task, progress: null, remaining: remainingOf(event) };
    case "progress":
      return {
        ...state,
        progress: event,
        ttftMs: [...state.ttftMs, event.ttftP50Ms].slice(-HISTORY_MAX),
        tpotMs: [...state.tpotMs, event.tpotP50Ms].slice(-HISTORY_MAX),
      };
    case "point-finished":
      return { ...state, points: state.points + 1, remaining: remainingOf(event) };
    case "capacity":
    case "shape-finished":
    case "note":
    case "ended":
      return state;
  }
}

function remainingOf(event: {
  readonly remainingMs: number;
  readonly atMs: number;
}): SweepState["remaining"] {
  return { ms: event.remainingMs, atMs: event.atMs };
}
