import type { EngineName } from "../../engines/engine.ts";
import type { ConnectionFacts, Examination, MetricsFacts, TokenFacts } from "./examination.ts";

/** A clock further off than this makes logs and traces of two machines hard to lay side by side. */
const SKEW_MAX_MS = 2_000;
/** Pitot lets go of idle connections after 3 s; a server must keep them longer. */
const IDLE_MIN_MS = 4_000;
/** No first token can come sooner than an empty answer: beyond this the way is part of every figure. */
const ROUND_TRIP_MAX_MS = 20;
/** A tiny model writes a whole small answer faster than it is read; one that took longer comes in more than one piece. */
const HELD_BACK_MIN_MS = 50;
/** Time to renew a certificate, with a holiday between. */
const DAYS_LEFT_MIN = 30;

/** How the statistics of each engine are switched on. */
const METRICS_SWITCH: Readonly<Record<EngineName, string | null>> = {
  vllm: "vLLM serves it always: something in front keeps it back",
  sglang: "start SGLang with --enable-metrics",
  "tensorrt-llm":
    "start TensorRT-LLM with return_perf_metrics: true and enable_iter_perf_stats: true in its --extra_llm_api_options",
  "llama.cpp": "start llama-server with --metrics",
  openai: null,
};

/** How each engine is made to tell its cache hits; those not named here always do. */
const CACHE_SWITCH: Readonly<Partial<Record<EngineName, string>>> = {
  vllm: "start vLLM with --enable-prompt-tokens-details",
  sglang: "start SGLang with --enable-cache-report",
};

const KEEP_ALIVE_SWITCH: Readonly<Partial<Record<EngineName, string>>> = {
  vllm: "set VLLM_HTTP_TIMEOUT_KEEP_ALIVE=10",
  sglang: "set SGLANG_TIMEOUT_KEEP_ALIVE=10",
};

/** One sentence per thing that could be better, each saying what to do. */
export function adviceOn(found: Omit<Examination, "advice">): readonly string[] {
  const engine = found.engine ?? "openai";
  return [
    ...engineAdvice(found),
    ...metricsAdvice(engine, found.metrics),
    ...tokenAdvice(engine, found.tokens),
    ...(found.state === "ok" ? connectionAdvice(engine, found.connection) : []),
    ...clockAdvice(found),
    ...tlsAdvice(found),
  ];
}

function engineAdvice({ engine, state, because }: Omit<Examination, "advice">): readonly string[] {
  if (engine !== "openai" || state !== "ok") return [];
  if (because?.includes('"pitot"') === true)
    return ["This is a Pitot: examine the engines behind it for their load and their cache."];
  return [
    "No engine known by name: it is measured as anything OpenAI-compatible is, without its load and its cache.",
  ];
}

function metricsAdvice(engine: EngineName, metrics: MetricsFacts | null): readonly string[] {
  const how = METRICS_SWITCH[engine];
  if (metrics === null || metrics.isReadable || how === null) return [];
  const what =
    metrics.status === null
      ? `${metrics.path} does not answer`
      : metrics.status === 200
        ? `${metrics.path} holds no statistics of this engine`
        : `${metrics.path} answers ${metrics.status}`;
  return [`${what}: ${how}.`];
}

function tokenAdvice(engine: EngineName, tokens: TokenFacts | null): readonly string[] {
  if (tokens === null) return [];
  const advice: string[] = [];
  const how = CACHE_SWITCH[engine];
  if (tokens.countedBy === "events")
    advice.push("Streams end without usage: tokens are counted by events, which is a lower bound.");
  if (tokens.cachedInputTokens === null && how !== undefined)
    advice.push(`Usage does not tell cached tokens: ${how}.`);
  const isSlow = tokens.e2eMs > HELD_BACK_MIN_MS && tokens.outputEvents > 1;
  if (isSlow && tokens.pieces === 1)
    advice.push(
      "The whole stream came in one piece: something between here and the engine holds it back (for nginx: proxy_buffering off).",
    );
  return advice;
}

function connectionAdvice(
  engine: EngineName,
  connection: ConnectionFacts | null,
): readonly string[] {
  if (connection === null) return [];
  const { advertisedIdleMs, closedAfterMs, ttfbP50Ms, isReused, samples, connectMs } = connection;
  const advice: string[] = [];
  const idleMs = closedAfterMs ?? advertisedIdleMs;
  const how = KEEP_ALIVE_SWITCH[engine] ?? "let it keep them longer";
  // A server that tells a limit closes by that; one that tells none and is never reused closes each time.
  if (samples > 0 && !isReused && advertisedIdleMs === null)
    advice.push(
      `It closes after every answer: each request pays ${connectMs.toFixed(1)} ms for a new connection.`,
    );
  else if (idleMs !== null && idleMs < IDLE_MIN_MS)
    advice.push(
      `It closes idle connections after ${(idleMs / 1000).toFixed(1)} s, too close to Pitot's own 3 s: ${how}, or requests will meet closing connections.`,
    );
  if (ttfbP50Ms !== null && ttfbP50Ms > ROUND_TRIP_MAX_MS)
    advice.push(
      `An empty answer takes ${ttfbP50Ms.toFixed(0)} ms: that much of every first token is the way there or a busy front end.`,
    );
  return advice;
}

function clockAdvice({ clock }: Omit<Examination, "advice">): readonly string[] {
  if (clock === null || Math.abs(clock.aheadMs) - clock.toleranceMs <= SKEW_MAX_MS) return [];
  const seconds = (Math.abs(clock.aheadMs) / 1000).toFixed(1);
  const way = clock.aheadMs > 0 ? "ahead of" : "behind";
  return [
    `Its clock is ${seconds} s ${way} ours: run NTP on both (latencies are measured by ours alone and stay right).`,
  ];
}

function tlsAdvice({ tls }: Omit<Examination, "advice">): readonly string[] {
  if (tls === null) return [];
  const advice: string[] = [];
  if (!tls.isTrusted)
    advice.push(
      "Its certificate was not checked (--insecure): trust its issuer with --ca FILE instead.",
    );
  if (tls.daysLeft < DAYS_LEFT_MIN)
    advice.push(`Its certificate ends in ${tls.daysLeft} days: renew it.`);
  return advice;
}
