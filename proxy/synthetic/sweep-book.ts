import type { PointProgress, SweepEvent } from "../../load/sweep/events.ts";
import { estimateMs } from "../../load/sweep/estimate.ts";
import type { PointTask } from "../../load/sweep/plan.ts";
import type { Point } from "../../load/results/point.ts";
import type { Capacity, ShapeSummary, Subject, SweepSummary } from "../../load/results/summary.ts";
import { commandOf } from "./sweep-command.ts";
import type { SweepOrder } from "./sweep-order.ts";
import type {
  CoTraffic,
  GuardReading,
  OverallDifference,
  PathDifference,
  SweepPoint,
  SweepRow,
  SweepState,
  SweepView,
} from "./sweep-view.ts";

/** Warnings kept of one sweep; more would say the same again. */
const WARNINGS_MAX = 200;

/** How a sweep ended; `error` is what went wrong where it failed. */
export interface SweepEnd {
  readonly state: Extract<SweepState, "done" | "stopped" | "failed">;
  readonly because: string;
  readonly error: string | null;
}

/** Everything one sweep has said so far: a reader of its events, and nothing that measures. */
export class SweepBook {
  readonly id: string;
  readonly order: SweepOrder;
  state: SweepState = "preparing";
  because = "finds out how prompts are made for this engine";
  requests = 0;
  tokens = 0;
  guard: GuardReading | null = null;
  summary: SweepSummary | null = null;
  readonly #startedMs: number;
  #error: string | null = null;
  #endedMs: number | null = null;
  #subject: Subject | null = null;
  #directory: string | null = null;
  #estimateMs: number;
  #remainingMs: number | null = null;
  #task: PointTask | null = null;
  #progress: PointProgress | null = null;
  #difference: OverallDifference | null = null;
  readonly #finished: SweepPoint[] = [];
  readonly #capacities: (Capacity & { readonly shape: string })[] = [];
  readonly #shapes: ShapeSummary[] = [];
  readonly #warnings: string[] = [];

  constructor(id: string, order: SweepOrder, startedMs: number) {
    this.id = id;
    this.order = order;
    this.#startedMs = startedMs;
    this.#estimateMs = estimateMs(order.plan);
  }

  /** `beside` says what users did during the point that just ended. */
  hear(event: SweepEvent, beside: (spanMs: number) => CoTraffic): void {
    switch (event.kind) {
      case "planned":
        this.#directory = event.directory;
        this.#subject = event.subject;
        this.#estimateMs = event.estimateMs;
        return;
      case "point-started":
        this.#remainingMs = event.remainingMs;
        this.#task = event.task;
        this.#progress = null;
        return;
      case "progress":
        this.#progress = event;
        return;
      case "point-finished": {
        const { point } = event;
        this.#remainingMs = event.remainingMs;
        this.#task = null;
        this.#progress = null;
        const spanMs = event.atMs - point.startedMs;
        this.#finished.push({ point, coTraffic: beside(spanMs), difference: null });
        // A warm-up is part of no result, so what is to be known of it is in its row and nowhere else.
        if (point.stage !== "warm-up")
          for (const warning of point.warnings) this.warn(`${point.pointId}: ${warning}`);
        return;
      }
      case "capacity":
        this.#capacities.push({ ...event.capacity, shape: event.shape });
        return;
      case "shape-finished":
        this.#shapes.push(event.shape);
        return;
      case "note":
        return this.warn(event.message);
      case "shape-started":
      case "ended":
    }
  }

  /** What the pairs of a finished point say. */
  compare(pointId: string, point: PathDifference | null, overall: OverallDifference | null): void {
    const at = this.#finished.findLastIndex((finished) => finished.point.pointId === pointId);
    const finished = this.#finished[at];
    if (finished !== undefined) this.#finished[at] = { ...finished, difference: point };
    this.#difference = overall;
  }

  warn(message: string): void {
    if (this.#warnings.length < WARNINGS_MAX) this.#warnings.push(message);
  }

  get lastPoint(): Point | null {
    return this.#finished.at(-1)?.point ?? null;
  }

  get isOver(): boolean {
    return this.#endedMs !== null;
  }

  end({ state, because, error }: SweepEnd, endedMs: number): void {
    this.state = state;
    this.because = because;
    this.#error = error;
    this.#endedMs = endedMs;
  }

  row(): SweepRow {
    const { request, plan, model, path, traffic } = this.order;
    return {
      id: this.id,
      state: this.state,
      because: this.because,
      replica: request.replica,
      model,
      shapes: plan.workloads.map(({ name }) => name),
      preset: plan.preset.name,
      path,
      traffic,
      startedMs: this.#startedMs,
      endedMs: this.#endedMs,
      estimateMs: this.#estimateMs,
      remainingMs: this.isOver ? null : this.#remainingMs,
      points: this.#finished.length,
      requests: this.requests,
      tokens: this.tokens,
      headline: this.summary?.headline ?? null,
    };
  }

  view(): SweepView {
    const { request, limits, guards, plan } = this.order;
    return {
      ...this.row(),
      request,
      command: commandOf(request),
      limits,
      guards,
      guard: this.guard,
      plan,
      subject: this.#subject,
      task: this.#task,
      progress: this.#progress,
      finished: this.#finished,
      capacities: this.#capacities,
      shapeSummaries: this.#shapes,
      difference: this.#difference,
      warnings: this.#warnings,
      directory: this.#directory,
      error: this.#error,
      summary: this.summary,
    };
  }
}
