import type { Point } from "../results/point.ts";
import type { Capacity } from "../results/summary.ts";
import { bracketOf, triedOf } from "./bracket.ts";
import type { Objective } from "./objective.ts";

/** Replicas are planned to run below what one was shown to hold: nobody aims for the edge. */
const HEADROOM = 0.9;

/**
 * What the points say about the highest rate that meets an objective. Never more than was shown: an end that was not
 * found is open, and said to be. `ratioWanted`: how far apart the ends of the interval may be; `Infinity` where nobody asked.
 */
export function capacityOf(
  objective: Objective,
  points: readonly Point[],
  ratioWanted: number,
): Capacity {
  const tried = triedOf(points, objective.text);
  const { pass, fail, open } = bracketOf(tried);
  const rates = { passRatePerSecond: pass, failRatePerSecond: fail };
  const about = { objective: objective.text, ...rates };
  const lowest = tried[0];
  if (pass !== null && fail !== null) {
    const width = fail / pass <= ratioWanted ? "" : ` (${apart(fail / pass, ratioWanted)})`;
    return { ...about, verdict: "bounded", sentence: `${range(pass, fail)} requests/s${width}` };
  }
  if (pass !== null) {
    const beyond = open.length === 0 ? "" : `; ${open.map(short).join(", ")}/s stayed undecided`;
    return {
      ...about,
      verdict: "at-least",
      sentence: `at least ${short(pass)} requests/s${beyond}`,
    };
  }
  if (lowest !== undefined && fail !== null && lowest.ratePerSecond === fail) {
    return {
      ...about,
      verdict: "not-reachable",
      sentence: `not reachable: ${short(fail)} requests/s already fails${alone(points)}`,
    };
  }
  const why = tried.length === 0 ? "no open-loop rate was held" : "no rate was shown to pass";
  return { ...about, verdict: "undecided", sentence: `undecided: ${why}` };
}

/** Replicas for a rate, each at nine tenths of what one was shown to hold. */
export function replicasFor(ratePerSecond: number, capacity: Capacity): number | null {
  const { passRatePerSecond: pass } = capacity;
  return pass === null ? null : Math.ceil(ratePerSecond / (HEADROOM * pass));
}

/** The lone request's latency is the proof that no rate can do better. */
function alone(points: readonly Point[]): string {
  const point = points.find(({ stage }) => stage === "minimum");
  const ttft = point?.ttftMs.p50 ?? null;
  const tpot = point?.tpotMs.p50 ?? null;
  if (ttft === null) return "";
  const then = tpot === null ? "" : ` and ${tpot.toFixed(1)} ms a token`;
  return ` (a request alone takes ${ttft.toFixed(0)} ms to its first token${then})`;
}

/** An interval wider than asked for, because time or probes ran out first, is said to be. */
function apart(ratio: number, wanted: number): string {
  const percent = (part: number): string => {
    const more = (part - 1) * 100;
    return `${more < 100 ? more.toPrecision(2) : more.toFixed(0)} %`;
  };
  return `${percent(ratio)} apart, ${percent(wanted)} wanted`;
}

/** `6.4–6.7`. */
export function range(low: number, high: number): string {
  return `${short(low)}–${short(high)}`;
}

function short(rate: number): string {
  return String(Number(rate.toPrecision(3)));
}
