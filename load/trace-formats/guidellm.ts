import { time, tokens, type TraceFormat } from "./format.ts";

/** guidellm's minimal trace (src/guidellm/data/deserializers/trace_minimal.py): rows of three, seconds, no sharing. */
export const guidellm: TraceFormat = {
  name: "guidellm",
  title: "guidellm trace: timestamp (s), input_length, output_length",
  claims: (first) => "timestamp" in first && "input_length" in first && "output_length" in first,
  row: (fields) => ({
    stampMs: time(fields, "timestamp") * 1000,
    inputTokens: tokens(fields, "input_length"),
    outputTokens: tokens(fields, "output_length"),
  }),
};
