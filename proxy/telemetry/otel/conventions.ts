import type { MetricName } from "../metric-table.ts";
import type { OtlpOptions } from "../options.ts";

/**
 * Names that OpenTelemetry has for what we measure. A proxy is the client of its engines, so the client's names fit;
 * `gen_ai.server.*` are the engines' own. The conventions are in development and have been renamed since they moved to
 * open-telemetry/semantic-conventions-genai (docs/gen-ai/non-normative/migration.md), so they are a table by version.
 */
export const conventions = {
  "v1.41": {
    pitot_request_duration_seconds: "gen_ai.client.operation.duration",
    pitot_time_to_first_token_seconds: "gen_ai.client.operation.time_to_first_chunk",
    pitot_inter_token_latency_seconds: "gen_ai.client.operation.time_per_output_chunk",
  },
  genai: {
    pitot_request_duration_seconds: "gen_ai.client.inference.duration",
    pitot_time_to_first_token_seconds: "gen_ai.client.inference.time_to_first_chunk",
    pitot_inter_token_latency_seconds: "gen_ai.client.inference.time_per_output_chunk",
    pitot_input_tokens_total: "gen_ai.client.inference.usage.input_tokens",
    pitot_output_tokens_total: "gen_ai.client.inference.usage.output_tokens",
    pitot_cached_input_tokens_total: "gen_ai.client.inference.usage.cache_read.input_tokens",
    pitot_reasoning_tokens_total: "gen_ai.client.inference.usage.reasoning.output_tokens",
  },
} satisfies Record<NonNullable<OtlpOptions["conventions"]>, Partial<Record<MetricName, string>>>;

/** A family's OpenTelemetry name: the convention's where there is one, else ours with dots and without the unit. */
export function otelName(
  name: MetricName,
  version: NonNullable<OtlpOptions["conventions"]>,
): string {
  const table: Partial<Record<MetricName, string>> = conventions[version];
  return table[name] ?? name.replace("pitot_", "pitot.").replace(/_(total|seconds|ratio)$/, "");
}

/** Label names as attributes. */
export const ATTRIBUTE_OF: Readonly<Record<string, string>> = {
  model: "gen_ai.request.model",
  replica: "pitot.replica",
  origin: "pitot.origin",
  outcome: "pitot.outcome",
  counted_by: "pitot.counted_by",
};

/** `gen_ai.operation.name` by route; the convention allows names of one's own where it has none. */
export const OPERATION_OF = {
  chat: "chat",
  completions: "text_completion",
  responses: "chat",
  messages: "chat",
  embeddings: "embeddings",
  rerank: "rerank",
  tokenize: "tokenize",
  other: "other",
} as const;
