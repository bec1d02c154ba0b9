import { azure } from "./azure.ts";
import { bailian } from "./bailian.ts";
import { burstGpt } from "./burstgpt.ts";
import type { TraceFormat } from "./format.ts";
import { guidellm } from "./guidellm.ts";
import { mooncake } from "./mooncake.ts";
import { pitot } from "./pitot.ts";
import { vllm } from "./vllm.ts";

/** Every trace format; the first that claims a file reads it, so the barest comes last. */
export const traceFormats = {
  pitot,
  azure,
  burstgpt: burstGpt,
  bailian,
  mooncake,
  vllm,
  guidellm,
} satisfies Record<string, TraceFormat>;

export type TraceFormatName = keyof typeof traceFormats;
