import type { Clock } from "../../engines/clock.ts";
import type { Connection } from "../upstream/connection.ts";
import type { ClockFacts } from "./examination.ts";

/** Enough for a median, few enough to be nothing to any server. */
const SAMPLES = 7;
/** A `Date` header tells whole seconds (RFC 9110 §5.6.7): the server's clock is somewhere within the one it names. */
const DATE_STEP_MS = 1_000;

/** What a handful of cheap GETs over one connection showed. */
export interface RoundTrips {
  readonly ttfbP50Ms: number | null;
  readonly samples: number;
  readonly isReused: boolean;
  readonly advertisedIdleMs: number | null;
  readonly clock: ClockFacts | null;
}

/** Sends the same GET several times, one after the other. Stops early when one fails. */
export async function roundTrips(
  connection: Connection,
  path: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<RoundTrips> {
  const timesMs: number[] = [];
  let connects = 0;
  let advertisedIdleMs: number | null = null;
  let ahead: Bounds | null = null;
  const count = (): void => {
    connects++;
  };
  connection.pool.on("connect", count);
  try {
    for (let sample = 0; sample < SAMPLES; sample++) {
      const sentMs = clock.nowMs();
      const answer = await connection.pool.request({
        path,
        method: "GET",
        headers: [...connection.headers],
        signal,
      });
      const gotMs = clock.nowMs();
      await answer.body.dump();
      timesMs.push(gotMs - sentMs);
      advertisedIdleMs ??= idleOf(String(answer.headers["keep-alive"] ?? ""));
      ahead = narrowed(ahead, boundsOf(String(answer.headers["date"] ?? ""), sentMs, gotMs));
    }
  } catch {
    // What was seen until then stands.
  } finally {
    connection.pool.off("connect", count);
  }
  return {
    // The first may have paid for a connection.
    ttfbP50Ms: medianOf(timesMs.slice(1)),
    samples: Math.max(0, timesMs.length - 1),
    isReused: timesMs.length > 1 && connects <= 1,
    advertisedIdleMs,
    clock:
      ahead === null
        ? null
        : { aheadMs: (ahead.low + ahead.high) / 2, toleranceMs: (ahead.high - ahead.low) / 2 },
  };
}

/** How far ahead of ours a clock can be, ms. */
interface Bounds {
  readonly low: number;
  readonly high: number;
}

/** The header was written at some moment between sending and receiving. */
function boundsOf(date: string, sentMs: number, gotMs: number): Bounds | null {
  const writtenMs = Date.parse(date);
  if (Number.isNaN(writtenMs)) return null;
  return { low: writtenMs - gotMs, high: writtenMs + DATE_STEP_MS - sentMs };
}

/** What both allow; the newer one where a server's clock jumped between them. */
function narrowed(one: Bounds | null, other: Bounds | null): Bounds | null {
  if (one === null || other === null) return other ?? one;
  const both = { low: Math.max(one.low, other.low), high: Math.min(one.high, other.high) };
  return both.low <= both.high ? both : other;
}

/** `timeout=5, max=100` → 5 000. */
function idleOf(header: string): number | null {
  const seconds = /timeout=(\d+)/.exec(header)?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}

function medianOf(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return null;
  const high = sorted[Math.floor(middle)] ?? 0;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? 0) + high) / 2 : high;
}
