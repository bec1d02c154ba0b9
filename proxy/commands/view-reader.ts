import { systemClock } from "../../engines/clock.ts";
import type { PointProgress, SweepEvent } from "../../load/sweep/events.ts";
import type { Difference, SweepView } from "../synthetic/sweep-view.ts";
import { type Lines, loadOf } from "./sweep-lines.ts";

/** Turns what the API shows of a sweep into the events every reader of one understands. */
export class ViewReader {
  readonly #lines: Lines;
  readonly #say: (event: SweepEvent) => void;
  #state = "";
  #isPlanned = false;
  #isOver = false;
  #points = 0;
  #capacities = 0;
  #shape = "";
  #pointId = "";
  #progress: PointProgress | null = null;

  constructor(lines: Lines, say: (event: SweepEvent) => void) {
    this.#lines = lines;
    this.#say = say;
  }

  hear(view: SweepView): void {
    // How it ended stands below its last rows.
    if (view.endedMs === null) this.#tellState(view);
    this.#tellPlan(view);
    this.#tellFinished(view);
    this.#tellUnderWay(view);
    if (view.endedMs === null || view.summary === null || this.#isOver) return;
    this.#isOver = true;
    this.#tellDifference(view);
    this.#say({ kind: "ended", atMs: systemClock.nowMs(), summary: view.summary });
  }

  /** What no event tells: the replica is taken out, the sweep is being stopped. */
  #tellState({ state, because, id, replica }: SweepView): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#lines.progress(`sweep ${id} of ${replica}: ${state}: ${because}`);
  }

  #tellFinished(view: SweepView): void {
    const remainingMs = view.remainingMs ?? 0;
    for (const { point } of view.finished.slice(this.#points)) {
      this.#tellShape(view, point.shape);
      this.#say({ kind: "point-finished", atMs: systemClock.nowMs(), point, remainingMs });
    }
    this.#points = view.finished.length;
    for (const { shape, ...capacity } of view.capacities.slice(this.#capacities))
      this.#say({ kind: "capacity", atMs: systemClock.nowMs(), shape, capacity });
    this.#capacities = view.capacities.length;
  }

  #tellUnderWay(view: SweepView): void {
    const { task, progress, endedMs, remainingMs } = view;
    if (task === null || endedMs !== null) return;
    const atMs = systemClock.nowMs();
    if (task.pointId !== this.#pointId) {
      this.#pointId = task.pointId;
      this.#tellShape(view, task.shape);
      this.#say({ kind: "point-started", atMs, task, remainingMs: remainingMs ?? 0 });
    }
    const { pointId, elapsedMs } = this.#progress ?? {};
    const isNew = progress?.pointId !== pointId || progress?.elapsedMs !== elapsedMs;
    if (progress === null || !isNew) return;
    this.#progress = progress;
    this.#say({ ...progress, kind: "progress", atMs });
  }

  #tellPlan({ id, directory, plan, subject, estimateMs }: SweepView): void {
    if (this.#isPlanned || plan === null || subject === null) return;
    this.#isPlanned = true;
    const about = { runId: id, directory, plan, subject, estimateMs, resumedPoints: 0 };
    this.#say({ kind: "planned", atMs: systemClock.nowMs(), ...about });
  }

  #tellShape({ shapes }: SweepView, shape: string): void {
    if (shape === this.#shape) return;
    this.#shape = shape;
    const index = Math.max(0, shapes.indexOf(shape));
    const of = shapes.length;
    this.#say({ kind: "shape-started", atMs: systemClock.nowMs(), shape, index, of });
  }

  #tellDifference({ difference, finished, path }: SweepView): void {
    if (path !== "both") return;
    const { ttftMs = null, tpotMs = null, e2eMs = null, dearer = [] } = difference ?? {};
    this.#lines.data(
      `\nrouted − direct: TTFT ${spoken(ttftMs)} · TPOT ${spoken(tpotMs)} · E2E ${spoken(e2eMs)}`,
    );
    const first = finished.find(({ point }) => point.pointId === dearer[0]);
    if (first !== undefined)
      this.#lines.data(
        `from ${loadOf(first.point)} on it adds more: TTFT ${spoken(first.difference?.ttftMs ?? null)}`,
      );
  }
}

/** `+0.31 ms [0.28, 0.35], n 512`. */
function spoken(difference: Difference | null): string {
  if (difference === null) return "—";
  const { median, low, high, pairs } = difference;
  const sign = median < 0 ? "−" : "+";
  const end = high === null ? "∞" : high.toFixed(2);
  return `${sign}${Math.abs(median).toFixed(2)} ms [${low.toFixed(2)}, ${end}], ${pairs} pairs`;
}
