import { MetricPage } from "../metric-page.ts";
import type { Page, Site } from "../persona.ts";

/** Where the last read left off: two of its gauges are averages since then. */
export interface Window {
  promptTokens: number;
  promptMs: number;
  outputTokens: number;
  predictedMs: number;
}

export function emptyWindow(): Window {
  return { promptTokens: 0, promptMs: 0, outputTokens: 0, predictedMs: 0 };
}

type Row = readonly ["counter" | "gauge", string, string, number];

/** `/metrics` (tools/server/server-task.cpp, `to_metrics`; texts as b11434 writes them). A read starts the window anew. */
export function metrics(site: Site, before: Window): Page {
  const page = new MetricPage("llamacpp:", {});
  for (const [type, name, help, value] of [...counters(site), ...gauges(site, before)])
    page.family(name, help, type, [[{}, value]]);
  return {
    ...page.page("text/plain; version=0.0.4"),
    headers: { "process-start-time-unix": String(site.startedSeconds) },
  };
}

function counters(site: Site): readonly Row[] {
  const stats = site.stats();
  const { promptMs, predictedMs, sequenceTokensMax } = site.books;
  const computed = stats.promptTokens - stats.cachedTokens;
  const drafts = site.drafts === 0 ? 0 : stats.draftedTokens / site.drafts;
  const rows: readonly (readonly [string, string, number])[] = [
    ["prompt_tokens_total", "Number of prompt tokens processed, excluding cached tokens", computed],
    [
      "prompt_tokens_cached_total",
      "Number of prompt tokens reused from the cache",
      stats.cachedTokens,
    ],
    ["prompt_seconds_total", "Total time spent processing prompts", promptMs / 1000],
    ["tokens_predicted_total", "Number of generation tokens processed", stats.outputTokens],
    ["tokens_predicted_seconds_total", "Total time spent generating tokens", predictedMs / 1000],
    [
      "n_decode_total",
      "Total number of llama_decode() calls, excluding speculative decoding and multimodal decoding",
      stats.steps,
    ],
    ["n_tokens_max", "Largest observed sequence length (prompt + generation)", sequenceTokensMax],
    [
      "spec_decode_num_draft_tokens_total",
      "Speculative: Total draft tokens generated",
      stats.draftedTokens,
    ],
    [
      "spec_decode_num_accepted_tokens_total",
      "Speculative: Total draft tokens accepted by the target model",
      stats.acceptedTokens,
    ],
    [
      "spec_decode_num_drafts_total",
      "Speculative: Total speculative decoding verification steps",
      drafts,
    ],
  ];
  return rows.map((row): Row => ["counter", ...row]);
}

function gauges(site: Site, before: Window): readonly Row[] {
  const stats = site.stats();
  const now: Window = {
    promptTokens: stats.promptTokens - stats.cachedTokens,
    promptMs: site.books.promptMs,
    outputTokens: stats.outputTokens,
    predictedMs: site.books.predictedMs,
  };
  const rate = (tokens: number, ms: number): number => (ms <= 0 ? 0 : (1000 * tokens) / ms);
  const prompt = rate(now.promptTokens - before.promptTokens, now.promptMs - before.promptMs);
  const predicted = rate(
    now.outputTokens - before.outputTokens,
    now.predictedMs - before.predictedMs,
  );
  Object.assign(before, now);
  const busy = stats.steps === 0 ? 0 : stats.outputTokens / stats.steps;
  return [
    ["gauge", "prompt_tokens_seconds", "Average prompt throughput in tokens/s", prompt],
    ["gauge", "predicted_tokens_seconds", "Average generation throughput in tokens/s", predicted],
    ["gauge", "requests_processing", "Number of requests processing", stats.running],
    ["gauge", "requests_deferred", "Number of requests deferred", stats.waiting],
    [
      "gauge",
      "n_busy_slots_per_decode",
      "Average number of busy slots per llama_decode() call",
      busy,
    ],
  ];
}
