import type { EndedRow } from "../../proxy/live/frames.ts";

/** What the goodput counters are held against. */
interface Targets {
  readonly ttftMs: number;
  readonly tpotMs: number;
}

/** The request list out of a recording, filtered by the words the API takes, since there is nobody to ask. */
export function recordedRequests(
  rows: readonly EndedRow[],
  asked: URLSearchParams,
  targets: Targets,
): readonly EndedRow[] {
  const equal = ["replica", "model", "outcome", "origin", "client"] as const;
  const from = Number(asked.get("from") ?? 0);
  const until = Number(asked.get("until") ?? Infinity);
  const slower = Number(asked.get("ttftAtLeastMs") ?? 0);
  const found = rows.filter(
    (row) =>
      equal.every((name) => (asked.get(name) ?? row[name]) === row[name]) &&
      row.startedMs >= from &&
      row.startedMs <= until &&
      (slower === 0 || (row.ttftMs ?? -1) >= slower) &&
      isOf(asked.get("preset"), row, targets),
  );
  if (asked.get("preset") === "slowest") found.sort((a, b) => (b.ttftMs ?? 0) - (a.ttftMs ?? 0));
  return found.slice(0, Number(asked.get("limit") ?? rows.length));
}

function isOf(preset: string | null, row: EndedRow, { ttftMs, tpotMs }: Targets): boolean {
  if (preset === "failed") return row.outcome === "failed" || row.outcome === "cut";
  if (preset === "slow") return (row.ttftMs ?? 0) > ttftMs || (row.tpotMs ?? 0) > tpotMs;
  return preset !== "slowest" || row.ttftMs !== null;
}
