import type { Exchange, Outcome } from "../../engines/exchange.ts";
import type { PlannedPrompt } from "../../load/target.ts";

/** What a record is made from where no bytes are: an engine whose tokens' times are known. */
export interface PlainParts {
  readonly id: string;
  readonly prompt: PlannedPrompt;
  readonly sentMs: number;
  readonly endedMs: number;
  readonly outcome: Outcome;
  /** Clock readings of its output events. */
  readonly timesMs: readonly number[];
  readonly outputTokens: number | null;
  readonly cachedTokens?: number | null;
  readonly countedBy?: Exchange["tokens"]["countedBy"];
}

/** A record of known figures. */
export function plainExchange(parts: PlainParts): Exchange {
  const { id, prompt, sentMs, endedMs, outcome, timesMs } = parts;
  const { plannedMs } = prompt;
  return {
    id,
    origin: "synthetic",
    route: prompt.route,
    model: "m",
    streamed: true,
    replica: "simulated",
    engine: "openai",
    times: {
      startedMs: plannedMs,
      receivedMs: null,
      routedMs: sentMs,
      connectedMs: sentMs,
      headersMs: null,
      firstByteMs: timesMs[0] ?? null,
      firstTokenMs: timesMs[0] ?? null,
      firstAnswerMs: timesMs[0] ?? null,
      lastTokenMs: timesMs.at(-1) ?? null,
      endedMs,
    },
    tokens: {
      input: prompt.inputTokens,
      output: parts.outputTokens,
      cachedInput: parts.cachedTokens ?? null,
      reasoning: null,
      countedBy: parts.countedBy ?? "usage",
    },
    outcome,
    status: 200,
    attempts: [],
    decision: null,
    outputOffsetsMs: Float32Array.from(timesMs, (ms) => ms - plannedMs),
    outputEvents: timesMs.length,
    bytesIn: 0,
    bytesOut: 0,
    label: prompt.label,
    client: null,
    savedTokens: null,
    session: null,
  };
}
