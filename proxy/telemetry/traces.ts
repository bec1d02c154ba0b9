import type { Random } from "../../engines/random.ts";
import {
  newSpanId,
  newTraceId,
  readTraceparent,
  type TraceContext,
  writeTraceparent,
} from "../../engines/trace-context.ts";
import type { TelemetryOptions } from "./options.ts";

export interface TracesOptions {
  /** Whether we make spans of our own. Without, a client's context passes byte for byte and is only noted. */
  readonly makesSpans: boolean;
  /** Share of traces that begin here and are kept; those of clients follow the client's flag. */
  readonly sampleRatio: number;
}

/** The span of one attempt, and what the engine is told of it. */
export interface ChildSpan {
  readonly spanId: string;
  readonly traceparent: string;
}

/** What the options of all telemetry say of traces. */
export function tracesOptions(options: TelemetryOptions | undefined): TracesOptions {
  const otlp = options?.otlp;
  return {
    makesSpans: otlp !== undefined && otlp.traces !== false,
    sampleRatio: otlp?.sampleRatio ?? 1,
  };
}

/** Gives requests their place in a trace (W3C Trace Context). */
export class Traces {
  readonly #random: Random;
  readonly #options: TracesOptions;

  constructor(random: Random, options: TracesOptions) {
    this.#random = random;
    this.#options = options;
  }

  /** Where a request stands; `null` when neither its client nor we trace. */
  open(traceparent: string | undefined, tracestate: string | undefined): TraceContext | null {
    const given = readTraceparent(traceparent);
    const { makesSpans, sampleRatio } = this.#options;
    if (!makesSpans && given === null) return null;
    return {
      traceId: given?.traceId ?? newTraceId(this.#random),
      spanId: makesSpans ? newSpanId(this.#random) : null,
      parentSpanId: given?.spanId ?? null,
      sampled: given?.sampled ?? this.#random.next() < sampleRatio,
      // Without a valid parent its state means nothing (§4.2).
      state: given === null ? null : (tracestate ?? null),
    };
  }

  /** A span under a request's; `null` when we make none. */
  child(trace: TraceContext | null | undefined): ChildSpan | null {
    if (trace === null || trace === undefined || trace.spanId === null) return null;
    const spanId = newSpanId(this.#random);
    return { spanId, traceparent: writeTraceparent(trace.traceId, spanId, trace.sampled) };
  }
}
