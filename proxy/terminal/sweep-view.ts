import { CPU_SHARE_MAX, LOOP_DELAY_MS_MAX } from "../../load/generator/health.ts";
import type { PointProgress } from "../../load/sweep/events.ts";
import type { Load } from "../../load/sweep/plan.ts";
import type { Line } from "./span.ts";
import { sparkline } from "./sparkline.ts";
import type { SweepState } from "./sweep-state.ts";

const LABEL = 11;
const CURVE = 40;
const BAR = 40;
/** From here on the generator is close enough to its limit to say so. */
const NEAR = 0.7;
/** An estimate of less than this is no longer one. */
const SOON_MS = 1_000;

/** A sweep at one moment, as lines for the bottom of a terminal. None before anything is known. */
export function sweepView(state: SweepState, nowMs: number): readonly Line[] {
  if (state.subject === null) return [];
  return [
    where(state),
    doing(state),
    curve("TTFT p50", state.ttftMs),
    curve("TPOT p50", state.tpotMs),
    load(state.progress),
    generator(state.progress),
    bar(state, nowMs),
  ];
}

function where({ subject, shape }: SweepState): Line {
  const many = shape !== null && shape.of > 1 ? ` (${shape.index + 1} of ${shape.of})` : "";
  return [
    label("sweep"),
    { text: shape === null ? "" : `${shape.name}${many} `, style: "bold" },
    { text: subject === null ? "" : `${subject.model} on ${subject.engine}`, style: "dim" },
  ];
}

function doing({ task, progress, points }: SweepState): Line {
  if (task === null) return [label("point"), { text: "choosing the next" }];
  const phase = progress?.phase ?? "settling";
  const seconds = ((progress?.elapsedMs ?? 0) / 1000).toFixed(0);
  return [
    label("point"),
    { text: `${points + 1}  ` },
    { text: loadOf(task.load), style: "bold" },
    { text: `  ${task.stage}, ${phase}, ${seconds} s so far` },
  ];
}

function curve(name: string, values: readonly (number | null)[]): Line {
  const latest = values.at(-1) ?? null;
  return [
    label(name),
    { text: sparkline(values, CURVE), style: "cyan" },
    { text: ` ${latest === null ? "—" : `${latest.toFixed(latest < 100 ? 1 : 0)} ms`}` },
  ];
}

function load(progress: PointProgress | null): Line {
  if (progress === null) return [label("load"), { text: "—" }];
  const { inFlight, measured, failed, outputTokensPerSecond } = progress;
  return [
    label("load"),
    { text: `${inFlight} in flight, ${measured} measured, ` },
    failed === 0
      ? { text: "none failed" }
      : { text: `${failed} failed`, style: ["bold", "red"] as const },
    { text: `, ${outputTokensPerSecond.toFixed(0)} tok/s out` },
  ];
}

function generator(progress: PointProgress | null): Line {
  if (progress === null) return [label("generator"), { text: "—" }];
  const { sendLagMaxMs, loopDelayP99Ms, cpuShare } = progress;
  const pressed = Math.max(
    (loopDelayP99Ms ?? 0) / LOOP_DELAY_MS_MAX,
    (cpuShare ?? 0) / CPU_SHARE_MAX,
  );
  const health =
    pressed >= 1
      ? ({ text: "is the limit", style: "red" } as const)
      : pressed >= NEAR
        ? ({ text: "near its limit", style: "yellow" } as const)
        : ({ text: "keeps up", style: "green" } as const);
  const loop = loopDelayP99Ms === null ? "—" : `${loopDelayP99Ms.toFixed(1)} ms`;
  const cpu = cpuShare === null ? "—" : `${(cpuShare * 100).toFixed(0)} %`;
  return [
    label("generator"),
    health,
    { text: `: sends at most ${sendLagMaxMs.toFixed(1)} ms late, loop ${loop}, CPU ${cpu}` },
  ];
}

function bar({ startedMs, remaining }: SweepState, nowMs: number): Line {
  const doneMs = Math.max(0, nowMs - startedMs);
  const leftMs = Math.max(0, remaining.ms - (nowMs - remaining.atMs));
  const share = doneMs + leftMs === 0 ? 0 : doneMs / (doneMs + leftMs);
  const full = Math.round(share * BAR);
  const left = leftMs < SOON_MS ? "longer than estimated" : `about ${span(leftMs)} left`;
  return [
    label("progress"),
    { text: "█".repeat(full), style: "green" },
    { text: "░".repeat(BAR - full), style: "dim" },
    { text: ` ${(share * 100).toFixed(0)} %, ${span(doneMs)} so far, ${left}` },
  ];
}

function loadOf(load: Load): string {
  if (load.mode === "open") {
    return `${Number(load.ratePerSecond.toPrecision(3))} req/s ${load.arrivals}`;
  }
  return load.concurrency === 1 ? "1 at a time" : `${load.concurrency} at once`;
}

function label(text: string): Line[number] {
  return { text: text.padEnd(LABEL), style: "dim" };
}

/** `42 s`, `3 min 10 s`, `1 h 20 min`. */
function span(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
