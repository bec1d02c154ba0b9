import {
  type Attributes,
  type HrTime,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
} from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { AttemptRecord, Exchange, Outcome } from "../../../engines/exchange.ts";
import type { Random } from "../../../engines/random.ts";
import { newSpanId, newTraceId } from "../../../engines/trace-context.ts";
import type { Fact } from "../fact.ts";
import { OPERATION_OF } from "./conventions.ts";

export const SCOPE = { name: "pitot" } as const;

const PATH_OF = {
  chat: "/v1/chat/completions",
  completions: "/v1/completions",
  responses: "/v1/responses",
  messages: "/v1/messages",
  embeddings: "/v1/embeddings",
  rerank: "/v1/rerank",
  tokenize: "/v1/tokenize",
  other: "/v1/*",
} as const;

interface SpanWish {
  readonly name: string;
  readonly kind: SpanKind;
  readonly context: SpanContext;
  readonly parent: SpanContext | null;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly error: string | null;
  readonly events?: ReadableSpan["events"];
}

/** Builds the spans of an ended exchange: one of the request, and one of each attempt below it. No prompt, no answer. */
export class SpanWriter {
  readonly #resource: Resource;
  readonly #random: Random;

  constructor(resource: Resource, random: Random) {
    this.#resource = resource;
    this.#random = random;
  }

  /** Empty for a trace its beginner does not want kept. */
  spansOf(fact: Fact): ReadableSpan[] {
    const { exchange } = fact;
    const { trace } = exchange;
    if (trace?.sampled === false) return [];
    const root: SpanContext = {
      traceId: trace?.traceId ?? newTraceId(this.#random),
      spanId: trace?.spanId ?? newSpanId(this.#random),
      traceFlags: TraceFlags.SAMPLED,
    };
    const above = trace?.parentSpanId ?? null;
    const parent = above === null ? null : { ...root, spanId: above, isRemote: true };
    const request = this.#span({
      name: `POST ${PATH_OF[exchange.route]}`,
      kind: SpanKind.SERVER,
      context: root,
      parent,
      startMs: exchange.times.startedMs,
      endMs: exchange.times.endedMs,
      attributes: requestAttributes(fact),
      error: errorOf(exchange.outcome),
    });
    const last = exchange.attempts.length - 1;
    const attempts = exchange.attempts.map((attempt, index) =>
      this.#attempt(fact, { attempt, number: index, root, answers: index === last }),
    );
    return [request, ...attempts];
  }

  #attempt(
    { exchange }: Fact,
    {
      attempt,
      number,
      root,
      answers,
    }: {
      readonly attempt: AttemptRecord;
      readonly number: number;
      readonly root: SpanContext;
      readonly answers: boolean;
    },
  ): ReadableSpan {
    const { firstTokenMs } = exchange.times;
    const isFirst = firstTokenMs !== null && answers;
    return this.#span({
      name: `${OPERATION_OF[exchange.route]} ${exchange.model}`.trim(),
      kind: SpanKind.CLIENT,
      context: { ...root, spanId: attempt.spanId ?? newSpanId(this.#random) },
      parent: root,
      startMs: attempt.startedMs,
      endMs: attempt.endedMs,
      attributes: {
        ...genAi(exchange),
        "server.address": attempt.replica,
        "pitot.replica": attempt.replica,
        ...(number === 0 ? {} : { "http.request.resend_count": number }),
        ...(attempt.status === null ? {} : { "http.response.status_code": attempt.status }),
        ...(answers ? usage(exchange) : {}),
        ...(isFirst
          ? { "gen_ai.response.time_to_first_chunk": (firstTokenMs - attempt.startedMs) / 1_000 }
          : {}),
      },
      error:
        attempt.result === "answered" || attempt.result === "cancelled" ? null : attempt.result,
      events: isFirst
        ? [
            {
              name: "first token",
              time: hrTime(firstTokenMs),
              attributes: {},
              droppedAttributesCount: 0,
            },
          ]
        : [],
    });
  }

  #span(wish: SpanWish): ReadableSpan {
    const { context, parent, startMs, endMs, error, events = [] } = wish;
    return {
      name: wish.name,
      kind: wish.kind,
      spanContext: () => context,
      ...(parent === null ? {} : { parentSpanContext: parent }),
      startTime: hrTime(startMs),
      endTime: hrTime(endMs),
      duration: hrTime(Math.max(0, endMs - startMs)),
      status:
        error === null
          ? { code: SpanStatusCode.UNSET }
          : { code: SpanStatusCode.ERROR, message: error },
      attributes: { ...wish.attributes, ...(error === null ? {} : { "error.type": error }) },
      links: [],
      events,
      ended: true,
      resource: this.#resource,
      instrumentationScope: SCOPE,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  }
}

/** Everything a tail sampler or a query may want to decide on, at the root, in seconds. */
function requestAttributes(fact: Fact): Attributes {
  const { exchange, ttftMs, tpotMs, stallMs, queueMs } = fact;
  const { outcome, decision } = exchange;
  const seconds = {
    "pitot.time_to_first_token": ttftMs,
    "pitot.time_per_output_token": tpotMs,
    "pitot.stall": stallMs,
    "pitot.queue": queueMs,
  };
  return {
    "http.request.method": "POST",
    "http.route": PATH_OF[exchange.route],
    ...(exchange.status === null ? {} : { "http.response.status_code": exchange.status }),
    ...genAi(exchange),
    ...usage(exchange),
    "pitot.request.id": exchange.id,
    "pitot.origin": exchange.origin,
    "pitot.outcome": outcome.kind,
    "pitot.attempts": exchange.attempts.length,
    "pitot.output_events": exchange.outputEvents,
    ...(exchange.replica === null ? {} : { "pitot.replica": exchange.replica }),
    ...(exchange.client === null ? {} : { "pitot.client": exchange.client }),
    ...(decision === null
      ? {}
      : { "pitot.policy": decision.policy, "pitot.route.reason": decision.reason }),
    ...Object.fromEntries(
      Object.entries(seconds)
        .filter(([, ms]) => ms !== null)
        .map(([name, ms]) => [name, (ms ?? 0) / 1_000]),
    ),
  };
}

function genAi(exchange: Exchange): Attributes {
  return {
    "gen_ai.operation.name": OPERATION_OF[exchange.route],
    "gen_ai.provider.name": exchange.engine ?? "unknown",
    "gen_ai.request.stream": exchange.streamed,
    ...(exchange.model === "" ? {} : { "gen_ai.request.model": exchange.model }),
  };
}

function usage({ tokens, outcome }: Exchange): Attributes {
  const counts = {
    "gen_ai.usage.input_tokens": tokens.input,
    "gen_ai.usage.output_tokens": tokens.output,
    "gen_ai.usage.cache_read.input_tokens": tokens.cachedInput,
    "gen_ai.usage.reasoning.output_tokens": tokens.reasoning,
  };
  const known = Object.entries(counts).filter(([, count]) => count !== null);
  return {
    ...(Object.fromEntries(known) as Record<string, number>),
    "pitot.counted_by": tokens.countedBy,
    ...(outcome.kind === "completed" && outcome.finishReason !== null
      ? { "gen_ai.response.finish_reasons": [outcome.finishReason] }
      : {}),
  };
}

/** A client that left, or asked wrongly, is no error of ours (HTTP conventions: a 4xx of a server span is unset). */
function errorOf(outcome: Outcome): string | null {
  return outcome.kind === "failed" || outcome.kind === "cut" ? outcome.code : null;
}

/** Seconds and nanoseconds, as OpenTelemetry's JavaScript keeps time. */
export function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
}
