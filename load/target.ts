import type { JsonObject } from "../engines/engine.ts";
import type { Exchange, InferenceRoute } from "../engines/exchange.ts";
import type { Random } from "../engines/random.ts";

/** Where synthetic requests go: an engine, a proxy, or a scripted engine in a test. */
export interface Target {
  /** Shown in tables and records: `http://127.0.0.1:8000`, `routed`, `vllm-0 (direct)`. */
  readonly label: string;
  /**
   * Sends one prompt and resolves with its one record, however it ended: it never rejects.
   * Aborting `signal` ends it as `cancelled`.
   */
  send(prompt: PlannedPrompt, signal: AbortSignal): Promise<Exchange>;
}

/** A request to make: body complete but for what the dialect adds to force the length. */
export interface Prompt {
  readonly route: Extract<InferenceRoute, "chat" | "completions">;
  readonly body: JsonObject;
  /** Input length asked for, in tokens. */
  readonly inputTokens: number;
  /** Output length asked for, in tokens; the dialect's `forceLength` makes it exact. */
  readonly outputTokens: number;
  /** Conversation this turn belongs to, sent as `x-pitot-session`. */
  readonly session: string | null;
}

/** A prompt with the moment it was due. Latency counts from there, not from when it got away. */
export interface PlannedPrompt extends Prompt {
  /** Reading of the target's clock. */
  readonly plannedMs: number;
  /** `run/point` the record carries. */
  readonly label: string;
}

/** Makes prompts. Equal random sequences make equal prompts. */
export interface PromptSource {
  next(random: Random): Prompt;
}
