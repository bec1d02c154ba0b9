import { sessionName, time, tokens, type TraceFormat } from "./format.ts";

/** BurstGPT (HPMLL/BurstGPT): CSV, seconds. A row without response tokens is a request that failed, and is left out. */
export const burstGpt: TraceFormat = {
  name: "burstgpt",
  title: "BurstGPT: Timestamp (s), Request tokens, Response tokens, Session ID where there is one",
  claims: (first) => "Timestamp" in first && "Request tokens" in first,
  row(fields) {
    const outputTokens = tokens(fields, "Response tokens");
    if (outputTokens === 0) return null;
    return {
      stampMs: time(fields, "Timestamp") * 1000,
      inputTokens: tokens(fields, "Request tokens"),
      outputTokens,
      session: sessionName(fields["Session ID"]),
    };
  },
};
