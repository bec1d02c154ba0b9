import type { Random } from "./random.ts";

/** Where a request stands in a distributed trace (W3C Trace Context, Recommendation 23 November 2021). */
export interface TraceContext {
  /** 32 hex digits, shared by every span of the trace. */
  readonly traceId: string;
  /** 16 hex digits: this request's own span; `null` when we make none and only pass the client's context on. */
  readonly spanId: string | null;
  /** The client's span; `null` when the trace begins here. */
  readonly parentSpanId: string | null;
  /** Whether the one who began the trace wants it kept. */
  readonly sampled: boolean;
  /** The client's `tracestate`, as it came. */
  readonly state: string | null;
}

/** Version 00, and what a higher version must still begin with (§3.2.2, §4.3). */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = 1;

/** Reads a `traceparent`; `null` when it is absent or not valid: then the trace begins anew (§3.2). */
export function readTraceparent(header: string | undefined): {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
} | null {
  const parts = header === undefined ? null : TRACEPARENT.exec(header.trim());
  if (parts === null) return null;
  const [, version, traceId = "", spanId = "", flags = "", rest] = parts;
  if (version === "00" && rest !== undefined) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

export function writeTraceparent(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}

export function newTraceId(random: Random): string {
  return hexWord(random) + hexWord(random) + hexWord(random) + nonZeroWord(random);
}

export function newSpanId(random: Random): string {
  return hexWord(random) + nonZeroWord(random);
}

function hexWord(random: Random): string {
  return Math.floor(random.next() * 4_294_967_296)
    .toString(16)
    .padStart(8, "0");
}

/** Ids of zeros alone are invalid (§3.2.2.3, §3.2.2.4). */
function nonZeroWord(random: Random): string {
  const word = hexWord(random);
  return word === "00000000" ? "00000001" : word;
}
