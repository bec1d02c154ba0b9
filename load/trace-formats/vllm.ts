import { type Fields, time, tokens, type TraceFormat } from "./format.ts";

/**
 * What `vllm bench serve --save-result --save-detailed` writes (vllm/benchmarks/serve.py): one JSON document whose lists run
 * in step, start times in seconds. A benchmark already run becomes a trace.
 */
export const vllm: TraceFormat = {
  name: "vllm",
  title: "vLLM bench results (--save-detailed): start_times (s), input_lens, output_lens",
  claims: (first) => "start_times" in first || "start_time" in first,
  row(fields) {
    const outputTokens = tokens(fields, "output_len");
    if (outputTokens === 0) return null;
    return {
      stampMs: time(fields, "start_time") * 1000,
      inputTokens: tokens(fields, "input_len"),
      outputTokens,
    };
  },
  expand(document): readonly Fields[] {
    const { start_times: starts, input_lens: inputs, output_lens: outputs } = document;
    if (!Array.isArray(starts) || !Array.isArray(inputs) || !Array.isArray(outputs))
      throw new Error(
        "start_times, input_lens and output_lens must be lists: run with --save-detailed",
      );
    return starts.map((start: unknown, index) => ({
      start_time: start,
      input_len: inputs[index] as unknown,
      output_len: outputs[index] as unknown,
    }));
  },
};
