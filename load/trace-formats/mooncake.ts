import { blocks, sessionName, time, tokens, type TraceFormat } from "./format.ts";

/** Tokens one block id stands for (kvcache-ai/Mooncake, FAST25-release/traces). */
const BLOCK_TOKENS = 512;

/**
 * Mooncake's JSONL, which AIPerf took over and added sessions to (ai-dynamo/aiperf docs/benchmark-modes/trace-replay.md):
 * `timestamp` and `delay` in ms. A turn with a `delay` instead of a time follows the one before it in its session.
 */
export const mooncake: TraceFormat = {
  name: "mooncake",
  title:
    "Mooncake and AIPerf JSONL: timestamp (ms), input_length, output_length, hash_ids, session_id, delay (ms)",
  claims: (first) =>
    "input_length" in first && ("hash_ids" in first || "session_id" in first || "delay" in first),
  row(fields) {
    const delay = fields["delay"];
    return {
      stampMs: fields["timestamp"] === undefined ? NaN : time(fields, "timestamp"),
      inputTokens: tokens(fields, "input_length"),
      outputTokens: tokens(fields, "output_length"),
      blockIds: blocks(fields["hash_ids"]),
      blockTokens: BLOCK_TOKENS,
      session: sessionName(fields["session_id"]),
      thinkMs: typeof delay === "number" && delay >= 0 ? delay : null,
    };
  },
};
