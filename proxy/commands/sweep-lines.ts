import type { Point } from "../../load/results/point.ts";
import type { SweepEvent } from "../../load/sweep/events.ts";
import { printable } from "../terminal/span.ts";

/** Where lines go: data to stdout, progress to stderr. */
export interface Lines {
  readonly data: (line: string) => void;
  readonly progress: (line: string) => void;
}

/** A line of progress at most so often. */
const PROGRESS_PERIOD_MS = 10_000;

const COLUMNS = ["load", "req/s", "out tok/s", "TTFT p50", "p95", "TPOT p50", "E2E p50", "n"];
const WIDTH = 11;
export const HEAD = COLUMNS.map((name) => name.padStart(WIDTH)).join("");

/** A reader of a sweep's events that writes plain lines: one per point, one of progress every ten seconds. */
export function plainLines({ data, progress }: Lines): (event: SweepEvent) => void {
  let saidMs = 0;
  let current = "";
  return (event) => {
    switch (event.kind) {
      case "planned":
        progress(plannedLine(event));
        return;
      case "shape-started":
        data(`\n${event.shape}${event.of > 1 ? ` (${event.index + 1} of ${event.of})` : ""}`);
        data(HEAD);
        return;
      case "point-started":
        saidMs = event.atMs;
        current = `${event.task.pointId}, ${minutes(event.remainingMs)} left`;
        return;
      case "progress":
        if (event.atMs - saidMs < PROGRESS_PERIOD_MS) return;
        saidMs = event.atMs;
        progress(
          `${current}: ${event.phase} ${(event.elapsedMs / 1000).toFixed(0)} s, ${event.measured} measured, ${event.inFlight} in flight`,
        );
        return;
      case "point-finished":
        if (event.point.stage !== "warm-up") data(pointLine(event.point));
        for (const warning of event.point.warnings) progress(`${event.point.pointId}: ${warning}`);
        return;
      case "capacity":
        data(`${event.capacity.objective}: ${event.capacity.sentence}`);
        return;
      case "note":
        progress(event.message);
        return;
      case "ended":
        data(`\n${event.summary.headline}`);
        if (event.summary.invalidBecause !== null) {
          progress(`this run is not valid: ${event.summary.invalidBecause}`);
        }
        return;
      case "shape-finished":
        return;
    }
  };
}

function plannedLine(event: SweepEvent & { kind: "planned" }): string {
  const { subject, plan, estimateMs, directory, resumedPoints } = event;
  const shapes = plan.workloads.map(({ name }) => name).join(", ");
  const kept = directory === null ? "" : `; keeping ${directory}`;
  const resumed = resumedPoints === 0 ? "" : `; going on after ${resumedPoints} finished points`;
  const model = printable(subject.model);
  return `sweeping ${model} on ${subject.engine} at ${subject.target}: ${shapes}, ${plan.preset.name}, about ${minutes(estimateMs)}${kept}${resumed}`;
}

/** One point as a row under {@link HEAD}. */
export function pointLine(point: Point): string {
  const ms = (value: number | null): string => (value === null ? "—" : `${value.toFixed(1)} ms`);
  const cells = [
    loadOf(point),
    point.completedRatePerSecond.toFixed(2),
    point.outputTokensPerSecond.toFixed(0),
    ms(point.ttftMs.p50),
    ms(point.ttftMs.p95),
    ms(point.tpotMs.p50),
    ms(point.e2eMs.p50),
    String(point.n),
  ];
  const row = cells.map((cell) => cell.padStart(WIDTH)).join("");
  if (!point.valid) return `${row}  invalid: ${point.invalidBecause}`;
  const { ttfotMs } = point;
  const words: string[] = point.flags.filter((flag) => flag !== "undecided");
  if (ttfotMs !== null && ttfotMs !== undefined)
    words.unshift(`answers begin at ${ms(ttfotMs.p50)}`);
  return words.length === 0 ? row : `${row}  ${words.join(", ")}`;
}

/** `c=16` of a closed loop, `23.1/s` of an open one. */
export function loadOf({ mode, concurrency, offeredRatePerSecond }: Point): string {
  return mode === "closed"
    ? `c=${concurrency}`
    : `${Number((offeredRatePerSecond ?? 0).toPrecision(3))}/s`;
}

function minutes(ms: number): string {
  return ms < 90_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} min`;
}
