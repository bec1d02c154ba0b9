import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MODEL } from "../../harness/fleet.ts";
import {
  ask,
  CHAT,
  chat,
  type PersonaName,
  TEXT,
  WEATHER,
  withEngine,
} from "../../harness/simulated.ts";

const FIXTURES = join(import.meta.dirname, "../../fixtures/engines");
/** Conversations of the versions the personas play; llama.cpp's are recorded from the real server. */
const FOLDER = {
  vllm: "vllm/0.25.1",
  sglang: "sglang/0.5.18",
  "tensorrt-llm": "tensorrt-llm/1.3.0rc29",
  "llama.cpp": "llama.cpp/b11434",
} as const;

const USAGE = { stream_options: { include_usage: true } };
const TOOLS = { tools: [WEATHER], tool_choice: "required", ignore_eos: false };
const completion = (more: object): object => ({
  model: MODEL,
  prompt: "fly",
  max_tokens: 4,
  ignore_eos: true,
  ...more,
});

/** What the fixture shows, and how the same is asked of the simulated engine. */
const CASES: readonly (readonly [PersonaName, string, string, object])[] = [
  ["vllm", "chat.sse", CHAT, chat(4, USAGE)],
  ["vllm", "chat.json", CHAT, chat(4, { stream: false })],
  ["vllm", "chat-tool-call.sse", CHAT, chat(200, { ...TOOLS, ...USAGE })],
  ["vllm", "tokenize.json", "/tokenize", { prompt: "fly" }],
  ["vllm", "embeddings.json", "/v1/embeddings", { input: "fly" }],
  ["vllm", "score.json", "/score", { text_1: "fly", text_2: "wind" }],
  ["vllm", "error-too-long.json", TEXT, completion({ max_tokens: 200_000 })],
  ["sglang", "chat.sse", CHAT, chat(4000, { ...USAGE, ignore_eos: false })],
  ["sglang", "tokenize.json", "/tokenize", { prompt: "fly" }],
  ["sglang", "embeddings.json", "/v1/embeddings", { input: "fly" }],
  ["tensorrt-llm", "error-extra-field.json", CHAT, chat(1, { cache_prompt: true })],
  ["llama.cpp", "chat.sse", CHAT, chat(4, USAGE)],
  ["llama.cpp", "chat.json", CHAT, chat(4, { stream: false })],
  ["llama.cpp", "chat-no-usage.sse", CHAT, chat(4)],
  [
    "llama.cpp",
    "chat-timings.sse",
    CHAT,
    chat(4, { timings_per_token: true, return_progress: true }),
  ],
  ["llama.cpp", "chat-logprobs.sse", CHAT, chat(4, { logprobs: true, top_logprobs: 2, ...USAGE })],
  ["llama.cpp", "chat-tool-call.sse", CHAT, chat(200, { ...TOOLS, ...USAGE })],
  ["llama.cpp", "text.sse", TEXT, completion({ stream: true })],
  ["llama.cpp", "text.json", TEXT, completion({})],
  ["llama.cpp", "tokenize.json", "/tokenize", { content: "fly" }],
  ["llama.cpp", "embeddings.json", "/v1/embeddings", { input: "fly" }],
  [
    "llama.cpp",
    "chat-too-long.json",
    TEXT,
    completion({ prompt: Array.from({ length: 140_000 }, (_, id) => id) }),
  ],
];

/** Keys and types of their values, in their order where the fixture was recorded; lists by their first element. */
function shapeOf(value: unknown, recorded: boolean): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "[]" : `[${shapeOf(value[0], recorded)}]`;
  if (typeof value !== "object") return typeof value;
  const keys = Object.entries(value).map(([key, inner]) => `${key}:${shapeOf(inner, recorded)}`);
  return `{${(recorded ? keys : keys.toSorted()).join(",")}}`;
}

/** The shapes of a body's frames, each once, in order of appearance. */
function shapesOf(body: string, recorded: boolean): readonly string[] {
  const frames = body.includes("data: ")
    ? [...body.matchAll(/^data: (.*)$/gm)].map(([, data]) => (data ?? "").trim())
    : [body];
  const json = frames.filter((frame) => frame !== "[DONE]" && frame !== "null");
  return [...new Set(json.map((frame) => shapeOf(JSON.parse(frame), recorded)))];
}

describe("keys and the types of their values are those of the fixture, and their order where it was recorded", () => {
  test.each(CASES)("%s %s", async (persona, file, path, body) => {
    const known = readFileSync(join(FIXTURES, FOLDER[persona], file), "utf8");
    await withEngine(persona, { allRoutes: true }, async (engine) => {
      const recorded = persona === "llama.cpp";
      const { text } = await ask(engine, path, body);
      expect(shapesOf(text, recorded)).toEqual(shapesOf(known, recorded));
    });
  });
});
