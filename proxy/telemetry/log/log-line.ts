import { rounded } from "../exchange-ring.ts";
import type { Fact } from "../fact.ts";

const PATH_OF = {
  chat: "/v1/chat/completions",
  completions: "/v1/completions",
  responses: "/v1/responses",
  messages: "/v1/messages",
  embeddings: "/v1/embeddings",
  rerank: "/v1/rerank",
  tokenize: "/v1/tokenize",
  other: "/v1/",
} as const;

/** A name out of a request, cut to what a line can bear. */
const NAME_CHARS_MAX = 200;

/** One request as a JSON line. Names end in their unit; what did not happen is `null`. */
export function jsonLine(fact: Fact): string {
  const { exchange } = fact;
  const { times, tokens, outcome, decision } = exchange;
  return JSON.stringify({
    time: new Date(times.endedMs).toISOString(),
    id: exchange.id,
    origin: exchange.origin,
    client: exchange.client,
    route: exchange.route,
    model: exchange.model.slice(0, NAME_CHARS_MAX),
    streamed: exchange.streamed,
    replica: exchange.replica,
    engine: exchange.engine,
    status: exchange.status,
    outcome: outcome.kind,
    detail: detailOf(fact),
    startedMs: rounded(times.startedMs),
    durationMs: rounded(times.endedMs - times.startedMs),
    queueMs: figure(fact.queueMs),
    ttfbMs: figure(fact.ttfbMs),
    ttftMs: figure(fact.ttftMs),
    tpotMs: figure(fact.tpotMs),
    stallMs: figure(fact.stallMs),
    inputTokens: tokens.input,
    cachedInputTokens: tokens.cachedInput,
    outputTokens: tokens.output,
    reasoningTokens: tokens.reasoning,
    countedBy: tokens.countedBy,
    bytesIn: exchange.bytesIn,
    bytesOut: exchange.bytesOut,
    policy: decision?.policy ?? null,
    reason: decision?.reason ?? null,
    attempts: exchange.attempts.map(({ replica, status, result, startedMs, endedMs }) => ({
      replica,
      status,
      result,
      durationMs: rounded(endedMs - startedMs),
    })),
    label: exchange.label,
    traceId: exchange.trace?.traceId ?? null,
  });
}

/**
 * One request as web servers log it (the "combined" format of Apache and nginx), so that what reads access logs reads
 * this; our figures follow as `name=value`. The address, query and agent are not known here and are `-`.
 */
export function accessLine(fact: Fact): string {
  const { exchange } = fact;
  const { times, tokens } = exchange;
  const figures = {
    id: exchange.id,
    origin: exchange.origin,
    outcome: exchange.outcome.kind,
    model: exchange.model === "" ? "-" : quoted(exchange.model),
    replica: exchange.replica ?? "-",
    attempts: exchange.attempts.length,
    duration_ms: rounded(times.endedMs - times.startedMs),
    ttft_ms: figure(fact.ttftMs) ?? "-",
    tpot_ms: figure(fact.tpotMs) ?? "-",
    input_tokens: tokens.input ?? "-",
    output_tokens: tokens.output ?? "-",
  };
  const tail = Object.entries(figures)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
  const request = `POST ${PATH_OF[exchange.route]} HTTP/1.1`;
  const user = exchange.client === null ? "-" : quoted(exchange.client);
  return `- - ${user} [${clfTime(times.endedMs)}] "${request}" ${exchange.status ?? "-"} ${exchange.bytesOut} "-" "-" ${tail}`;
}

function detailOf({ exchange: { outcome } }: Fact): string | null {
  if ("code" in outcome) return outcome.code;
  return "phase" in outcome ? outcome.phase : outcome.finishReason;
}

function figure(ms: number | null): number | null {
  return ms === null ? null : rounded(ms);
}

/** Nothing a client says may end a field or a line. */
function quoted(text: string): string {
  return text.slice(0, NAME_CHARS_MAX).replaceAll(/[^\x21-\x7e]|["\\]/g, "_");
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** `25/Nov/2026:00:12:00 +0000`. */
function clfTime(ms: number): string {
  const iso = new Date(ms).toISOString();
  const [year, month, day] = iso.slice(0, 10).split("-");
  return `${day}/${MONTHS[Number(month) - 1]}/${year}:${iso.slice(11, 19)} +0000`;
}
