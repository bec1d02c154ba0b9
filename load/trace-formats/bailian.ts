import { blocks, sessionName, time, tokens, type TraceFormat } from "./format.ts";

/** Tokens one block id stands for (alibaba-edu/qwen-bailian-usagetraces-anon). */
const BLOCK_TOKENS = 16;
const NO_PARENT = -1;

/** Alibaba's anonymised Qwen service: JSONL, seconds. Each row holds its whole context, so turns stand for themselves. */
export const bailian: TraceFormat = {
  name: "bailian",
  title:
    "Alibaba Bailian JSONL: chat_id, parent_chat_id, timestamp (s), input_length, output_length, hash_ids",
  claims: (first) => "chat_id" in first && "input_length" in first,
  row(fields) {
    const parent = fields["parent_chat_id"];
    return {
      stampMs: time(fields, "timestamp") * 1000,
      inputTokens: tokens(fields, "input_length"),
      outputTokens: tokens(fields, "output_length"),
      blockIds: blocks(fields["hash_ids"]),
      blockTokens: BLOCK_TOKENS,
      session: sessionName(parent === NO_PARENT ? fields["chat_id"] : parent),
    };
  },
};
