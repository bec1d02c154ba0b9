import type { InferenceRoute } from "./exchange.ts";
import type { SseEvent } from "./sse.ts";

/** Dialects Pitot knows. `openai` is anything OpenAI-compatible that is none of the others. */
export type EngineName = "vllm" | "sglang" | "tensorrt-llm" | "llama.cpp" | "openai";

/**
 * The contract every dialect fulfils: what an engine is called, how to recognise it, how to read its
 * load and its answers, and how to ask it for an exact amount of work. Stateless and pure.
 */
export interface Engine {
  readonly name: EngineName;
  /** How surely the answers of one probe round come from this engine. */
  recognise(probe: ProbeAnswers): Recognition | null;
  /** Where its load is read, and how; `null` fields are "not told by this engine". */
  readonly stats: StatsSource;
  /** What one event of a stream (or one whole non-streamed body, see {@link readAnswer}) says. */
  readDelta(event: SseEvent, route: InferenceRoute): Delta;
  /** The same for a whole JSON answer that was not streamed. */
  readAnswer(body: string, route: InferenceRoute): Delta;
  /** Adds what makes the engine produce exactly `outputTokens`, in its own strict schema. Returns a new body. */
  forceLength(body: JsonObject, outputTokens: number): JsonObject;
  readonly paths: EnginePaths;
}

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

/** Paths with a meaning of their own. Control paths are never reachable through the proxy unless listed. */
export interface EnginePaths {
  /** Cheap liveness route; its cost and meaning differ per engine. */
  readonly health: string;
  /** Token ids of a text, or `null` when the engine has no such route. */
  readonly tokenize: string | null;
  /** Operator routes (sleep, flush, profile, weights …): prefixes. */
  readonly control: readonly string[];
}

/** One answer of the probe round; `status` 0 when the GET failed. */
export interface ProbeAnswer {
  readonly path: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers by path. A path that was not asked is absent. */
export type ProbeAnswers = ReadonlyMap<string, ProbeAnswer>;

export interface Recognition {
  readonly engine: EngineName;
  /** 0 … 1. The highest wins; equal values are explained by `because`. */
  readonly confidence: number;
  readonly version: string | null;
  readonly models: readonly ModelCard[];
  /** What gave it away, in words: `owned_by is "vllm"`. */
  readonly because: string;
}

export interface ModelCard {
  readonly id: string;
  /** Longest input + output in tokens, where the engine tells. */
  readonly maxModelLen: number | null;
}

export interface StatsSource {
  /** Paths to GET, best first; the first that parses wins. */
  readonly paths: readonly string[];
  /** `null` when the body is not this engine's statistics. */
  read(path: string, body: string): EngineStats | null;
}

/** What an engine says of itself. Gauges as of the scrape; counters since its start. `null`: not exported. */
export interface EngineStats {
  readonly running: number | null;
  readonly waiting: number | null;
  /** 0 … 1. */
  readonly kvCacheUsageRatio: number | null;
  readonly prefixQueryTokens: number | null;
  readonly prefixHitTokens: number | null;
  readonly preemptions: number | null;
  readonly promptTokens: number | null;
  readonly generationTokens: number | null;
  readonly maxSequences: number | null;
  readonly kvCapacityTokens: number | null;
}

/** What one event added. Several fields may be set at once; an empty delta is legal and common. */
export interface Delta {
  /** Characters of output in this event over all choices and channels: 0 for role, usage and finish events. */
  readonly outputChars: number;
  /** Which channel the output was on (the last, when several). */
  readonly channel: "content" | "reasoning" | "refusal" | "tool" | null;
  /** Token ids carried by the event, where the engine sends them. */
  readonly tokenIds: number | null;
  readonly finishReason: string | null;
  readonly usage: Usage | null;
  readonly error: { readonly message: string; readonly code: string | null } | null;
  /** The stream's own end mark (`[DONE]`, `message_stop`, `response.completed`). */
  readonly done: boolean;
}

/** Token counts as an engine reports them; absent parts are `null`. */
export interface Usage {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedInputTokens: number | null;
  readonly reasoningTokens: number | null;
}
