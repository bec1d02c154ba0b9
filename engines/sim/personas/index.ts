import type { Persona as PersonaName } from "../profiles.ts";
import { llamaCpp } from "./llama-cpp/llama-cpp.ts";
import type { Persona } from "./persona.ts";
import { sglang } from "./sglang/sglang.ts";
import { tensorrtLlm } from "./tensorrt-llm/tensorrt-llm.ts";
import { vllm } from "./vllm/vllm.ts";

/** Every engine the simulator can look like. */
export const personas = {
  vllm,
  sglang,
  "tensorrt-llm": tensorrtLlm,
  "llama.cpp": llamaCpp,
} satisfies Record<PersonaName, Persona>;
