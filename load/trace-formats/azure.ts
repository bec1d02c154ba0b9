import { tokens, type TraceFormat } from "./format.ts";

/** Azure LLM inference traces 2023 to 2025 (Azure/AzurePublicDataset): CSV, seven digits of fraction, no zone. */
export const azure: TraceFormat = {
  name: "azure",
  title: "Azure LLM inference traces: TIMESTAMP, ContextTokens, GeneratedTokens",
  claims: (first) => "TIMESTAMP" in first && "ContextTokens" in first,
  row(fields) {
    const stamp = String(fields["TIMESTAMP"]);
    const [, seconds, fraction = "0"] =
      /^(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|\+00:00)?$/.exec(stamp.trim()) ?? [];
    if (seconds === undefined)
      throw new Error(`TIMESTAMP ("${stamp}") is not such as 2023-11-16 18:17:03.9799600`);
    return {
      stampMs: Date.parse(`${seconds.replace(" ", "T")}Z`) + Number(`0.${fraction}`) * 1000,
      inputTokens: tokens(fields, "ContextTokens"),
      outputTokens: tokens(fields, "GeneratedTokens"),
    };
  },
};
