import type { Engine, EngineName } from "./engine.ts";
import { llamaCpp } from "./llama-cpp.ts";
import { openai } from "./openai.ts";
import { sglang } from "./sglang.ts";
import { tensorrtLlm } from "./tensorrt-llm.ts";
import { vllm } from "./vllm.ts";

/** Every dialect, the fallback last. */
export const engines = {
  vllm,
  sglang,
  "tensorrt-llm": tensorrtLlm,
  "llama.cpp": llamaCpp,
  openai,
} satisfies Record<EngineName, Engine>;
