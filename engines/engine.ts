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
  /** What to GET once its name is suspected, for its version and limits. The first is there in every version. */
  readonly probes: readonly string[];
  /** Where its load is read, and how; `null` fields are "not told by this engine". */
  readonly stats: StatsSource;
  /** What one event of a stream (or one whole non-streamed body, see {@link readAnswer}) says. */
  readDelta(event: SseEvent, route: InferenceRoute): Delta;
  /** The same for a whole JSON answer that was not streamed. */
  readAnswer(body: string, route: InferenceRoute): Delta;
  /**
   * Adds what makes the engine produce exactly `outputTokens`, in its own strict schema, and takes out what would end
   * the answer earlier or later. Returns a new body of a chat or text completion.
   */
  forceLength(body: JsonObject, outputTokens: number): JsonObject;
  /** Its own tokenizer over HTTP, or `null` when it offers none. */
  readonly tokenizer: Tokenizer | null;
  /** Fields of a text completion whose input is exactly these token ids, or `null` when it takes text only. */
  readonly promptOfTokens: ((tokens: readonly number[]) => JsonObject) | null;
  readonly abort: AbortSemantics;
  /** What makes it report usage at the end of a stream. */
  readonly usageWhen: UsageWhen;
  readonly paths: EnginePaths;
}

/**
 * - `asked`: `stream_options.include_usage`.
 * - `any-options`: that, or `stream_options` that say nothing of it.
 * - `unasked`: it says enough by itself, or nothing is known of how it takes being asked.
 */
export type UsageWhen = "asked" | "any-options" | "unasked";

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
  /** Routes that take prompts, with what they are. */
  readonly inference: Readonly<Record<string, InferenceRoute>>;
  /** Operator routes (sleep, flush, profile, weights …): prefixes. */
  readonly control: readonly string[];
}

/** One call of an engine's tokenizer: where to POST what, and how to read the answer. */
export interface TokenizerCall<Given, Read> {
  readonly path: string;
  request(given: Given, model: string): JsonObject;
  /** `null` when the body is not an answer to this call. */
  read(body: string): Read | null;
}

/** The tokens of a text are those of the text alone: no begin mark, no chat template. */
export interface Tokenizer {
  readonly tokenize: TokenizerCall<string, readonly number[]>;
  readonly detokenize: TokenizerCall<readonly number[], string> | null;
}

/** What an engine does when the client closes its socket. */
export interface AbortSemantics {
  /** How long it may work on for nobody, ms: it polls. `null` when unknown. */
  readonly streamedMs: number | null;
  readonly wholeMs: number | null;
  /** Request headers (lower case) with which it goes on to the end. */
  readonly survivesWith: readonly string[];
  /** In words, for whoever wonders where tokens went. */
  readonly note: string;
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
  /**
   * The engine's own routes answer too: its health, statistics and tokenizer can be relied on. False behind a gateway
   * that passes on no more than `/v1`, and for the fallback.
   */
  readonly direct: boolean;
  /** False when the server did not say enough (unreachable, loading, no key): worth asking again. */
  readonly settled: boolean;
}

export interface ModelCard {
  readonly id: string;
  /** Longest input + output in tokens, where the engine tells. */
  readonly maxModelLen: number | null;
}

export interface StatsSource {
  /** Paths to GET, best first. Each fills in what those before it left open. */
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
  /** Tokens of waiting prompts that are in no cache: the prefill ahead of a new request. */
  readonly waitingTokens: number | null;
  readonly version: string | null;
  /** Longest input + output in tokens. */
  readonly maxModelLen: number | null;
  /** The engine sleeps: it answers its health route but must wake before it works. */
  readonly asleep: boolean | null;
  /** The engine's own reading of when it measured this, unix ms. Its clock is not ours: compare with itself only. */
  readonly snapshotAtMs: number | null;
}

/** What one event added. Several fields may be set at once; an empty delta is legal and common. */
export interface Delta {
  /** Characters of output in this event over all choices and channels: 0 for role, usage and finish events. */
  readonly outputChars: number;
  /** Which channel the output was on (the last, when several). */
  readonly channel: "content" | "reasoning" | "refusal" | "tool" | null;
  /** Token ids carried by the event, where the engine sends them. */
  readonly tokenIds: number | null;
  /** Tokens whose log probabilities the event carries. */
  readonly logprobTokens: number | null;
  readonly finishReason: string | null;
  readonly usage: Usage | null;
  readonly timings: Timings | null;
  /** Its usage and timings are those of one choice and add to the others': llama.cpp reports each by itself. */
  readonly addsUp: boolean;
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

/** llama.cpp's own account of a request (`timings`, `prompt_progress`): there where it sends no usage. */
export interface Timings {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cachedInputTokens: number | null;
  /** Tokens drafted and accepted by speculative decoding. */
  readonly draftTokens: number | null;
  readonly acceptedTokens: number | null;
  readonly prefillMs: number | null;
  readonly decodeMs: number | null;
}
